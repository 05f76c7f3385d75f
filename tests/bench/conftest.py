"""What tests of benchmarks share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import models
from workbench.bench.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of a test's own, not there yet."""
    return History(tmp_path / "folder" / "history.sqlite")


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> models.Model:
    """The smallest sample."""
    return models.load(sample_folder("digits"))
