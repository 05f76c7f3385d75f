"""What a reduction keeps to: the same fault, the user's own check, and no folder but the one it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_verifying_reduce import reproduce

from workbench import models
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import CancelledError, ConfigError, WorkbenchError
from workbench.verifying.reduction import reduce


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> models.Model:
    return models.load(sample_folder("digits"))


def test_a_function_decides(digits: models.Model, tmp_path: Path) -> None:
    guilty = next(op for op in digits.graph().ops if op.type == "pd_op.pool2d")

    def check(session: Session, inputs: dict[str, Any]) -> bool:
        assert inputs.keys() == {info.name for info in session.inputs}
        made = {value for op in session.model.graph().ops if op.type != "pd_op.data" for value in op.outputs}
        if guilty.outputs[0] not in made:
            raise RuntimeError("another fault, in every part without the guilty op")
        return False

    found = reduce(digits, None, check, folder=tmp_path / "sent")
    # With the constant that says the size of its kernel.
    assert found.types == ("pd_op.full_int_array", "pd_op.pool2d") and guilty.index in found.kept
    assert any("another fault" in probe.words for probe in found.probes)
    assert found.check == "function" and found.failure.kind == "check"
    assert "a function of the reporter's own" in (found.folder / "issue.md").read_text()
    ran = reproduce(found.folder, tmp_path / "copy")
    assert ran.returncode == 0 and ran.stdout.endswith("Both run and no output differs.\n"), ran.stdout


def test_the_fault_may_need_no_pass_at_all(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    """A token that the vocabulary lacks fails under any config: values between ops cannot be had."""
    folder = sample_folder("bert_tiny")
    inputs = {name: array[:3].copy() for name, array in models.sample_inputs(folder).items()}
    inputs["input_ids"][:, 2] = 1_000_000
    found = reduce(folder, None, "crash", inputs, folder=tmp_path / "sent")
    assert found.types == ("pd_op.embedding",) and found.avoid is None
    assert any("random" in text for text in found.notices)
    with np.load(found.folder / "inputs.npz") as sent:
        # One row is enough.
        assert np.array_equal(sent["input_ids"], inputs["input_ids"][:1])
    assert "expected.npz" not in found.files
    ran = reproduce(found.folder, tmp_path / "copy")
    assert ran.returncode == 1 and "1000000" in ran.stdout, ran.stdout + ran.stderr


def test_a_hang_is_a_failure_of_its_own(digits: models.Model, cache_folder: Path) -> None:
    for _ in range(2):
        # In the cache, where it is replaced.
        found = reduce(digits, None, "crash", time_limit=0.001)
    assert found.folder.is_relative_to(cache_folder) and found.model.ops == found.ops
    assert found.failure.kind == "hangs" and len(found.kept) == 1
    assert (
        "hang while creating the predictor" in (found.folder / "issue.md").read_text().splitlines()[0].lower()
    )


def test_a_check_that_does_not_fail_is_said(digits: models.Model, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="'crash' does not fail for digits with the config default"):
        reduce(digits, None, "crash", folder=tmp_path / "sent")
    assert list((tmp_path / "sent").iterdir()) == []


def test_it_can_be_cancelled(digits: models.Model, tmp_path: Path, no_session_left: None) -> None:
    cancel, told = threading.Event(), []

    def progress(share: float, text: str) -> None:
        told.append((share, text))
        if text.startswith("probe 3"):
            cancel.set()

    config = InferenceConfig(enabled_passes=("conv2d_add_fuse_pass",))
    with pytest.raises(CancelledError):
        reduce(digits, config, "crash", folder=tmp_path / "sent", progress=progress, cancel=cancel)
    assert list((tmp_path / "sent").iterdir()) == []
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and told[-1][1] == "probe 3: 3 of 19 ops"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"check": "speed"}, ConfigError, "give 'crash', 'output' or a function"),
        ({"check": lambda session: True}, ConfigError, r"\(session\) does not take two arguments"),
        ({"config": "fast"}, ConfigError, "give an InferenceConfig"),
        ({"passes": "one_pass"}, ConfigError, "give a list of pass names"),
        ({"tolerance": (1,)}, WorkbenchError, r"\(1,\) is no tolerance"),
        ({"tolerance": {"out": 1}}, WorkbenchError, "give one tolerance for all"),
    ],
)
def test_mistakes_are_said(digits: models.Model, arguments, error, words: str) -> None:
    with pytest.raises(error, match=words):
        reduce(digits, **arguments)


def test_an_unknown_pass_is_said_before_the_work(digits: models.Model, tmp_path: Path) -> None:
    told: list[str] = []
    config = InferenceConfig(enabled_passes=("conv2d_add_fuse_pass",))
    with pytest.raises(ConfigError, match="unknown pass 'no_such_pass'"):
        reduce(
            digits,
            config,
            "crash",
            passes=["conv2d_add_fuse_pass", "no_such_pass"],
            folder=tmp_path / "sent",
            progress=lambda share, text: told.append(text),
        )
    assert not any(text.startswith("probe") for text in told)


def test_a_folder_of_others_is_left_alone(digits: models.Model, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(WorkbenchError, match="give an empty folder, or a new one"):
        reduce(digits, None, "crash", folder=tmp_path)
