"""A reduction that was interrupted continues with what was tried, which is forgotten when it is done."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from workbench import models
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, WorkbenchError
from workbench.verifying.reduction import probing, reduce

# Fuses conv2d and add into an op that has no kernel on a CPU: the predictor is not created.
FAILING = InferenceConfig(enabled_passes=("conv2d_add_fuse_pass",))

pytestmark = pytest.mark.usefixtures("no_session_left")


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> models.Model:
    return models.load(sample_folder("digits"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[int]]:
    """The parts that were cut out and run, each time that is done."""
    asked: list[Sequence[int]] = []
    attempt = probing.Prober._try

    def spy(self: probing.Prober, ops: Sequence[int], recorder: Any) -> Any:
        asked.append(ops)
        return attempt(self, ops, recorder)

    monkeypatch.setattr(probing.Prober, "_try", spy)
    return asked


def interrupted(model: models.Model, folder: Path, at: int, **given: Any) -> None:
    cancel = threading.Event()

    def progress(share: float, text: str) -> None:
        if text.startswith(f"probe {at}:"):
            cancel.set()

    with pytest.raises(CancelledError):
        reduce(model, FAILING, "crash", folder=folder, cancel=cancel, progress=progress, **given)
    assert list(folder.iterdir()) == []


def test_what_was_tried_is_not_tried_again(
    digits: models.Model, tmp_path: Path, cache: Path, tried: list[Sequence[int]]
) -> None:
    sent = tmp_path / "sent"
    interrupted(digits, sent, 3)
    # The third was cancelled.
    before = tried[:2]
    assert len(tried) == 3
    assert len(list(cache.glob("reductions/*/part-*.json"))) == 2

    # Another call has nothing of it.
    interrupted(digits, tmp_path / "other", 2, time_limit=50)
    assert tried[3:] == before

    tried.clear()
    found = reduce(digits, FAILING, "crash", folder=sent)
    assert not set(tried) & set(before)
    assert [probe.ops for probe in found.probes] == [*before, *tried]
    assert found.notices == ("2 parts were known from before: the same call was interrupted",)

    # It is done, so what is left is that of the other, and the same call begins again.
    assert len(list(cache.glob("reductions/*"))) == 1
    tried.clear()
    interrupted(digits, tmp_path / "again", 2)
    assert tried == before


def test_another_fault_of_the_same_model_has_nothing_of_it(
    digits: models.Model,
    tmp_path: Path,
    cache: Path,
    tried: list[Sequence[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What flickers may fail otherwise when it is called again."""
    interrupted(digits, tmp_path / "sent", 3)
    whole = probing.Prober.whole

    def otherwise(self: probing.Prober, model: models.Model, inputs: Any) -> Any:
        seen = whole(self, model, inputs)
        assert self.wanted is not None
        self.wanted = dataclasses.replace(self.wanted, reason="another")
        return seen

    monkeypatch.setattr(probing.Prober, "whole", otherwise)
    tried.clear()
    with pytest.raises(WorkbenchError, match="but not when its ops are cut out"):
        reduce(digits, FAILING, "crash", folder=tmp_path / "sent")
    assert len(tried) == 1


def test_of_a_function_nothing_is_kept(digits: models.Model, tmp_path: Path, cache: Path) -> None:
    cancel = threading.Event()

    def progress(share: float, text: str) -> None:
        if text.startswith("probe 3:"):
            cancel.set()

    with pytest.raises(CancelledError):
        reduce(digits, None, lambda *given: False, folder=tmp_path / "sent", cancel=cancel, progress=progress)
    assert not (cache / "reductions").exists()


def test_a_cache_that_cannot_be_written_costs_the_continuing_alone(
    digits: models.Model, tmp_path: Path, cache: Path
) -> None:
    cache.mkdir()
    (cache / "reductions").write_text("in the way")
    # Nothing is done in a millisecond: any op hangs.
    found = reduce(digits, None, "crash", folder=tmp_path / "sent", time_limit=0.001)
    assert len(found.kept) == 1
    told = [text for text in found.notices if text.startswith("an interrupted call would have begun again: ")]
    assert len(told) == 1
    assert "cannot keep results in" in told[0]
