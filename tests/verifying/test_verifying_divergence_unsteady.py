"""First divergence says where two runs of one predictor differ, whichever output it shows in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from planting_ops import OFF, ON

from workbench.verifying.divergence import first_divergence

pytestmark = pytest.mark.usefixtures("no_session_left")

EXPORT = """
import sys

import paddle

paddle.enable_static()
x = paddle.static.data("x", [4, 8], "float32")
noisy = paddle.nn.functional.relu(x) + paddle.uniform([4, 8], min=0.0, max=1.0)
outputs = [noisy, paddle.nn.functional.sigmoid(x)]
executor = paddle.static.Executor(paddle.CPUPlace())
paddle.static.save_inference_model(sys.argv[1] + "/noisy", [x], outputs, executor)
"""


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two outputs, of which the first is another one in each run."""
    folder = tmp_path_factory.mktemp("noisy")
    subprocess.run([sys.executable, "-c", EXPORT, str(folder)], check=True, capture_output=True, timeout=120)
    return folder / "noisy.json"


def test_a_predictor_whose_runs_differ_is_told_of(noisy: Path) -> None:
    found = first_divergence(noisy, ON, OFF, {"x": np.ones((4, 8), np.float32)})
    told = [text for text in found.notices if "two runs on the same inputs differ" in text]
    assert [text.partition(":")[0] for text in told] == [ON.label, OFF.label]
    # What is the same in all runs is the same under both configs.
    assert found.points[-1].type == "pd_op.sigmoid"
    assert found.points[-1].difference < 1e-6


def test_one_whose_runs_are_alike_is_not(sample_folder: Callable[..., Path]) -> None:
    found = first_divergence(sample_folder("digits"), ON, OFF)
    assert not any("two runs" in text for text in found.notices)
