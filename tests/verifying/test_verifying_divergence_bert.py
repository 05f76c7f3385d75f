"""The first divergence of bert_tiny is where a fault was planted, in both IRs, however the configs fuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from planting_ops import FAULTS, found_where_planted

CASES = [
    ("pir", "embedding_0.w_0", "plain"),
    # A bias of the keys adds the same to all scores of a row: it is lost in the softmax.
    ("pir", "linear_1.b_0", "plain"),
    ("pir", "linear_8.w_0", "off, on"),
    ("pir", "linear_10.w_0", "on, plain"),
    ("program", "layer_norm_1.w_0", "on, off"),
    ("program", "linear_1.b_0", "on, off"),
    ("program", "linear_4.w_0", "default"),
    ("program", "linear_13.b_0", "on, off"),
]


@pytest.mark.parametrize(("layout", "parameter", "configs"), CASES)
def test_it_is_where_the_fault_was_planted(
    sample_folder: Callable[..., Path], tmp_path: Path, layout: str, parameter: str, configs: str
) -> None:
    found_where_planted(sample_folder("bert_tiny", layout), parameter, tmp_path / "copy", *FAULTS[configs])
