from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def _native(kind: str, directory: Path) -> Path:
    script = Path(__file__).with_name("native_models.py")
    done = subprocess.run(
        [sys.executable, str(script), kind, str(directory)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return directory


@pytest.fixture(scope="session")
def pir_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models as PIR, with what Paddle printed of every pass."""
    return _native("pir", tmp_path_factory.mktemp("pir"))


@pytest.fixture(scope="session")
def program_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as Program IR, with what Paddle wrote after every pass."""
    return _native("program", tmp_path_factory.mktemp("program"))
