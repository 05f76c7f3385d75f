"""Passes of a session: those that would run are those that run, and what a refused creation got through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.config import REGISTERED_AS
from workbench.core import pipeline
from workbench.errors import ConfigError, NativeError


def once(names: list[str]) -> tuple[str, ...]:
    """Names as the log shows them, each once and by the name that switches it off."""
    return tuple(dict.fromkeys(REGISTERED_AS.get(name, name) for name in names))


@pytest.mark.parametrize("layout", ["pir", "program"])
@pytest.mark.parametrize("onednn", [True, False], ids=["onednn", "plain"])
def test_the_passes_that_would_run_are_those_that_run(
    sample_folder: Callable[..., Path], layout: str, onednn: bool
) -> None:
    config = wb.InferenceConfig(onednn=onednn)
    with wb.Session(sample_folder("digits", layout), config) as session:
        would = session.passes()
        assert session.pid is None, "nothing is created to know them"
        assert would == once(session.given["passes"])
        assert once([run.name for run in session.passes_begun]) == would
    without = config.without(would[len(would) // 2])
    with wb.Session(sample_folder("digits", layout), without) as session:
        assert session.passes() == tuple(name for name in would if name != would[len(would) // 2])


def test_a_predictor_stays_when_its_passes_are_asked_for(
    digits: Path, picture: dict[str, np.ndarray[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with wb.Session(digits) as session:
        before, pid, loaded = session.run(picture), session.pid, session.load()
        # What was asked once is known, and then nobody is asked.
        monkeypatch.setattr(pipeline, "_known", {})
        assert session.passes() == once(session.given["passes"])
        assert (session.pid, session.load()) == (pid, loaded)
        for name, array in session.run(picture).items():
            np.testing.assert_array_equal(array, before[name])


def test_what_cannot_be_asked_for_is_said_before_anything_is_created(digits: Path) -> None:
    session = wb.Session(digits, wb.InferenceConfig(precision="fp16"))
    with pytest.raises(ConfigError, match="fp16 runs on a GPU only"):
        session.passes()
    assert session.pid is None


def test_a_refused_creation_tells_what_it_got_through(identities: Path) -> None:
    # In 3.3.1 constant folding of PIR leaves a predictor that cannot be created without the pass that is off.
    config = wb.InferenceConfig().without("dead_code_elimination_pass")
    with wb.Session(identities / "upscale.json", config) as session:
        assert session.passes_begun == ()
        with pytest.raises(NativeError, match="Cannot find constant_folding"):
            session.load()
        begun = once([run.name for run in session.passes_begun])
        assert "constant_folding_pass" in begun
        assert begun == session.passes()[: len(begun)]
    # What is refused before Paddle is asked got through none.
    with wb.Session(identities / "upscale.json", config.without("no_such_pass")) as session:
        with pytest.raises(ConfigError, match="no_such_pass"):
            session.load()
        assert session.passes_begun == ()
