"""What tests of bisections share: a native core that does not exist, and a bisection that runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from planting_passes import GIVEN, World, double

import workbench as wb
from workbench.verifying.bisection import Bisection, bisect, bisecting, native


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(native, "Session", double(made))
    monkeypatch.setattr(bisecting, "pipeline", lambda model, config: made.names)
    monkeypatch.setattr(bisecting, "needed", lambda *given: ())
    monkeypatch.setattr(bisecting, "changes", lambda *given, **more: {})
    return made


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written: what is kept is tested apart, and the disk is slow."""
    kept = SimpleNamespace(known={}, folder=Path("nowhere"), began="", add=lambda probe: None)
    monkeypatch.setattr(bisecting, "Kept", lambda folder, arguments: kept)
    monkeypatch.setattr(bisecting, "arguments_of", lambda *given: {})


@pytest.fixture(scope="module")
def model(sample_folder: Callable[..., Path]) -> wb.Model:
    return wb.load(sample_folder("digits"))


@pytest.fixture
def run(world: World, model: wb.Model, tmp_path: Path) -> Callable[..., Bisection]:
    def call(**given: Any) -> Bisection:
        return bisect(model, **{"folder": tmp_path / "kept", "against": {"y": GIVEN}, **given})

    return call
