"""The first divergence of resnet18 is where a fault was planted, in both IRs, however the configs fuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from planting_ops import FAULTS, found_where_planted

CASES = [
    ("pir", "conv2d_0.w_0", "plain"),
    ("pir", "conv2d_9.w_0", "default"),
    ("pir", "batch_norm2d_12.b_0", "on, off"),
    ("program", "batch_norm2d_1.w_1", "plain"),
    ("program", "conv2d_4.w_0", "plain, off"),
    ("program", "batch_norm2d_12.b_0", "on, off"),
    ("program", "conv2d_19.w_0", "off, on"),
    ("program", "linear_0.b_0", "on, plain"),
]


@pytest.mark.parametrize(("layout", "parameter", "configs"), CASES)
def test_it_is_where_the_fault_was_planted(
    sample_folder: Callable[..., Path], tmp_path: Path, layout: str, parameter: str, configs: str
) -> None:
    found_where_planted(sample_folder("resnet18", layout), parameter, tmp_path / "copy", *FAULTS[configs])
