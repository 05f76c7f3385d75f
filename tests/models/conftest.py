"""Sample models once per session, and the real Paddle in a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache as cache_results
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forking import run_script

from workbench import models

NATIVE = Path(__file__).with_name("native.py")
# Where a missing .pdiparams or another suffix is the point, copies of this one are taken apart.
SMALL = "digits"


@pytest.fixture
def copy(cache_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of a sample's model files (no inputs) that a test may damage."""

    def make(layout: str, name: str = SMALL, to: str = "model") -> Path:
        folder = tmp_path / to
        shutil.copytree(models.sample(name, layout), folder)
        for extra in ("inputs.npz", "labels.npy"):
            (folder / extra).unlink(missing_ok=True)
        return folder

    return make


@pytest.fixture(scope="session")
def answer(native: Callable[..., dict[str, Any]]) -> Callable[[str, str], dict[str, Any]]:
    """What Paddle says of a sample and computes from its inputs, asked once."""

    @cache_results
    def ask(name: str, layout: str) -> dict[str, Any]:
        folder = models.sample(name, layout)
        return native(models.load(folder), models.sample_inputs(folder))

    return ask


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """What Paddle says of a model and, with inputs, what it computes."""

    def ask(model: models.Model, inputs: dict[str, np.ndarray] | None = None) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("native")
        if inputs is not None:
            np.savez(folder / "inputs.npz", **inputs)
        names = [model.model_dir] if model.model_dir else [model.model_file, model.params_file or ""]
        arguments = [model.ir, str(model.model_file), str(folder), *map(str, names)]
        pir = "1" if model.ir == "pir" else "0"
        ended, printed = run_script(NATIVE.read_text(), arguments, folder, FLAGS_enable_pir_api=pir)
        assert ended == 0, printed[-2000:]
        said: dict[str, Any] = json.loads((folder / "said.json").read_text())
        if inputs is not None:
            with np.load(folder / "outputs.npz") as arrays:
                said["arrays"] = [arrays[f"arr_{index}"] for index in range(len(arrays.files))]
        return said

    return ask
