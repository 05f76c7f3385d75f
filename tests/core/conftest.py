from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that give back what they get, one per dtype."""
    folder = tmp_path_factory.mktemp("identities")
    script = Path(__file__).with_name("identity_models.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def digits() -> Path:
    return wb.sample("digits")


@pytest.fixture(scope="session")
def picture(digits: Path) -> dict[str, np.ndarray]:
    return {name: array[:1] for name, array in wb.sample_inputs(digits).items()}
