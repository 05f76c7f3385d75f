"""Plain paddle.inference in a process of its own: what the product must agree with."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from forking import run_script

FILES = {
    "pir": ("inference.json", "inference.pdiparams"),
    "program": ("inference.pdmodel", "inference.pdiparams"),
    "combined": ("model", "params"),
    "separate": (),
}

_CREATE = """
import sys
from paddle.inference import Config, PrecisionType, create_predictor
config = Config(*sys.argv[3:])
{setup}
predictor = create_predictor(config)
"""
_TELL = """
import json, sys
import numpy as np
from pathlib import Path
seen = config
given = {
    "threads": seen.cpu_math_library_num_threads(),
    "onednn": seen.onednn_enabled() if hasattr(seen, "onednn_enabled") else seen.mkldnn_enabled(),
    "ir_optim": seen.ir_optim(),
    "gpu": seen.use_gpu(),
}
inputs, out = Path(sys.argv[1]), Path(sys.argv[2])
names = []
if inputs.exists():
    with np.load(inputs) as arrays:
        for name in arrays.files:
            predictor.get_input_handle(name).copy_from_cpu(arrays[name])
    predictor.run()
    names = predictor.get_output_names()
    found = [predictor.get_output_handle(name).copy_to_cpu() for name in names]
    np.savez(out, *found)
out.with_suffix(".json").write_text(json.dumps({"given": given, "names": names}))
"""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PASS = re.compile(r"Running (?:IR|PIR) pass \[(.+?)\]")
_COUNT = re.compile(r"detected \[?([\d, ]+?)\]? subgraphs")


@dataclass(frozen=True)
class Native:
    """What plain Paddle gave.

    ``matches`` has one entry per entry of ``passes``: a list of the numbers that the log gives, line by line.
    """

    outputs: dict[str, np.ndarray[Any, Any]]
    passes: list[str]
    matches: list[list[list[int]]]
    given: dict[str, Any]
    log: str


def model_arguments(folder: Path, layout: str) -> list[str]:
    """What ``paddle.inference.Config`` takes for a sample in this layout."""
    return [str(folder / name) for name in FILES[layout]] or [str(folder)]


def native(
    files: Sequence[str | Path],
    setup: Sequence[str] = (),
    inputs: Mapping[str, np.ndarray[Any, Any]] | None = None,
    *,
    code: str | None = None,
) -> Native:
    """Create a predictor from ``files``, with the statements ``setup`` on ``config``, and run it.

    ``code``, if given, is the whole program that makes ``config`` and ``predictor`` in place of ours.
    """
    program = (_CREATE.format(setup="\n".join(setup)) if code is None else code) + _TELL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if inputs is not None:
            np.savez(folder / "inputs.npz", **inputs)
        arguments = [str(folder / "inputs.npz"), str(folder / "out.npz"), *map(str, files)]
        ended, said = run_script(program, arguments, folder)
        log = _COLOUR.sub("", said)
        assert ended == 0, log[-3000:]
        told = json.loads((folder / "out.json").read_text())
        outputs = {}
        if inputs is not None:
            with np.load(folder / "out.npz") as arrays:
                outputs = {name: arrays[f"arr_{i}"] for i, name in enumerate(told["names"])}
    passes: list[str] = []
    matches: list[list[list[int]]] = []
    for line in log.splitlines():
        if found := _PASS.search(line):
            passes.append(found.group(1))
            matches.append([])
        elif passes and (found := _COUNT.search(line)):
            matches[-1].append([int(part) for part in found.group(1).split(",")])
    return Native(outputs, passes, matches, told["given"], log)
