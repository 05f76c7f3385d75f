"""Runs jobs one after the other in one process, as importing Paddle takes longer than any of them.

Usage: run_jobs.py JOBS.json, a list of jobs; prints the list of their exit codes. What a job and Paddle print
while it runs goes to its file ``out``. A job is one of:

- a Python program, run as its user does: {"script", "arguments"}
- a program built as a shared library: {"library", "symbol", "arguments"}. Paddle's C++ library is the one
  inside its Python package, which needs a Python around it
- plain Paddle, for comparison, with statements on ``config`` that a person wrote:
  {"files", "setup", "inputs", "npz"}
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from paddle.inference import Config, create_predictor

Job = dict[str, Any]


def run_script(job: Job) -> int:
    sys.argv[:] = [job["script"], *job["arguments"]]
    try:
        runpy.run_path(job["script"], run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def run_library(job: Job) -> int:
    arguments = [os.fsencode(text) for text in (job["library"], *job["arguments"])]
    argv = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
    main = getattr(ctypes.CDLL(job["library"]), job["symbol"])
    main.restype = ctypes.c_int if job["symbol"] == "main" else None
    return int(main(len(arguments), argv) or 0)


def run_plain(job: Job) -> int:
    config = Config(*job["files"])
    for statement in job["setup"]:
        exec(statement)
    predictor = create_predictor(config)
    with np.load(job["inputs"]) as arrays:
        for name in arrays.files:
            predictor.get_input_handle(name).copy_from_cpu(arrays[name])
    predictor.run()
    names = predictor.get_output_names()
    np.savez(job["npz"], **{name: predictor.get_output_handle(name).copy_to_cpu() for name in names})
    return 0


@contextlib.contextmanager
def printing_to(file: str) -> Iterator[None]:
    """Standard output and standard error of this process, its libraries included, into a file."""
    kept = [os.dup(1), os.dup(2)]
    with Path(file).open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            ctypes.CDLL(None).fflush(None)
            for number, before in enumerate(kept, start=1):
                os.dup2(before, number)
                os.close(before)


codes = []
for job in json.loads(Path(sys.argv[1]).read_text()):
    run = run_script if "script" in job else run_library if "library" in job else run_plain
    with printing_to(job["out"]):
        codes.append(run(job))
print(json.dumps(codes))
