"""Where nothing was planted nothing is found: oneDNN rounds otherwise, and that is no divergence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from planting_ops import OFF, ON, PLAIN

from workbench.config import InferenceConfig
from workbench.models import sample_inputs
from workbench.verifying.divergence import first_divergence

CASES = [
    ("resnet18", "pir", ON, OFF),
    ("resnet18", "program", ON, OFF),
    # One of them multiplies the weights of every convolution by the scale of its batch norm.
    ("resnet18", "program", PLAIN, OFF),
    ("bert_tiny", "pir", ON, OFF),
    ("bert_tiny", "program", ON, OFF),
]


@pytest.mark.parametrize(("name", "layout", "config", "against"), CASES)
def test_no_divergence_is_found(
    sample_folder: Callable[..., Path],
    name: str,
    layout: str,
    config: InferenceConfig,
    against: InferenceConfig,
) -> None:
    folder = sample_folder(name, layout)
    inputs = {key: array[:1] for key, array in sample_inputs(folder).items()}
    found = first_divergence(folder, config, against, inputs)
    assert found.first is None and found.beyond == ()
    # What passes fused is compared where it leaves the fused op, so all of the side with fewer ops is.
    shares = [one.share for one in found.coverage]
    assert max(shares) == 1.0 if config == ON else max(shares) > 0.6
    assert all(one.difference < 1e-4 for one in found.points if one.tolerance)
    assert all(one.difference == 0 for one in found.points if not one.tolerance)
