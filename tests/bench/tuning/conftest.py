"""What tests of tuning share: a machine that does not exist, and a tuning that runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tuning_world import INPUTS, SPACE, World

import workbench as wb
from workbench.bench.tuning import Tuning
from workbench.models import Model


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.install(monkeypatch)
    return made


@pytest.fixture
def run(digits: Model, tmp_path: Path) -> Callable[..., Tuning]:
    def call(**given: Any) -> Tuning:
        asked = {"folder": tmp_path / "kept", "space": SPACE, "seconds": 60, "record": False}
        return wb.tune(digits, given.pop("inputs", INPUTS), **{**asked, **given})

    return call
