"""Plain paddle.inference in one process for many models: what exports and conversions must agree with."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench import models

Arrays = dict[str, np.ndarray[Any, Any]]

_PROGRAM = """
import json, sys
import numpy as np
from paddle.inference import Config, create_predictor
for job in json.load(open(sys.argv[1])):
    config = Config(*job["files"])
    config.disable_glog_info()
    if job["plain"]:
        pir = job["files"][0].endswith(".json")
        config.disable_mkldnn()
        config.set_optimization_level(0) if pir else config.switch_ir_optim(False)
    predictor = create_predictor(config)
    with np.load(job["inputs"]) as arrays:
        for name in predictor.get_input_names():
            predictor.get_input_handle(name).copy_from_cpu(arrays[name])
    predictor.run()
    names = predictor.get_output_names()
    np.savez(job["out"], *[predictor.get_output_handle(name).copy_to_cpu() for name in names])
"""


def predict(
    jobs: Sequence[tuple[models.Model, Mapping[str, np.ndarray[Any, Any]]]], *, plain: bool = False
) -> list[list[np.ndarray[Any, Any]]]:
    """The outputs of each model on its inputs; ``plain`` is without oneDNN and without graph optimization."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = []
        for index, (model, inputs) in enumerate(jobs):
            np.savez(folder / f"in{index}.npz", **inputs)
            if model.model_dir is not None:
                files = [str(model.model_dir)]
            else:
                assert model.model_file is not None
                files = [
                    str(model.model_file),
                    str(model.params_file or model.model_file.with_suffix(".none")),
                ]
            told.append(
                {
                    "files": files,
                    "plain": plain,
                    "inputs": str(folder / f"in{index}.npz"),
                    "out": str(folder / f"out{index}.npz"),
                }
            )
        (folder / "jobs.json").write_text(json.dumps(told))
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(folder / "jobs.json")],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-3000:]
        found = []
        for job in told:
            with np.load(job["out"]) as arrays:
                found.append([arrays[f"arr_{index}"] for index in range(len(arrays.files))])
        return found
