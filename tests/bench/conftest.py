"""What tests of benchmarks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.bench.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of a test's own, not there yet."""
    return History(tmp_path / "folder" / "history.sqlite")
