"""``workbench check`` as a user has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import workbench as wb
from workbench.deploy.reprod import ReprodLogger


@pytest.fixture
def picture(tmp_path: Path, digits: Path) -> Path:
    pixels = wb.sample_inputs(digits)["image"][0, 0]
    file = tmp_path / "digit.png"
    Image.fromarray((pixels * 255).astype("uint8")).save(file)
    return file


def test_a_picture_through_both_engines(
    workbench: Callable[..., Any], digits: Path, picture: Path, tmp_path: Path
) -> None:
    said = workbench("check", digits, "--img-path", picture, "--softmax", "-o", tmp_path / "out", "--json")
    found = said.json["checkpoints"]
    assert [one["passed"] for one in found] == [True] * 3
    assert [line.partition(":")[0] for line in found[1]["details"]] == ["class_id", "prob"]
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["output_inference_engine.npy", "output_training_engine.npy"]


def test_a_failed_checkpoint_is_exit_code_1_and_says_which(
    workbench: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    for name, value in (("training", 1.0), ("inference", 2.0)):
        logger = ReprodLogger()
        logger.add("prob", np.array([value]))
        logger.save(tmp_path / f"{name}.npy")
    files = ["--training", tmp_path / "training.npy", "--inference", tmp_path / "inference.npy"]
    said = workbench("check", digits, *files)
    assert said.code == 1
    lines = [line for line in said.out.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in lines] == ["pass", "FAIL", "pass"]
    assert "the engines differ in prob" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--softmax"], "--softmax needs --img-path"),
        (["--inference", "x.npy"], "--inference needs --training"),
        (["--img-path", "x.png", "--input", "image=x.npy"], "give one"),
        (["--img-path", "nowhere.png"], "nowhere.png"),
        (["--training", "nowhere.npy"], "cannot read nowhere.npy"),
        (["--threshold", "-1"], "threshold"),
    ],
)
def test_mistakes_are_one_line(
    workbench: Callable[..., Any], digits: Path, arguments: list[str], reason: str
) -> None:
    said = workbench("check", digits, *arguments)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert reason in said.err
