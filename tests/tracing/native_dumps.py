"""Run as a script: what plain Paddle dumps, logs and answers, for the tests to compare with.

Usage: native_dumps.py JOBS.json, where a job is
{"files": […], "onednn": bool, "inputs": FILE.npz, "out": DIR, "debug": bool}.
Writes stdout.txt, stderr.txt, dumps/ and outputs.npz into each DIR.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import paddle.inference as inference
from paddle.base.proto import framework_pb2


def work(job):
    out = Path(job["out"])
    (out / "dumps").mkdir(parents=True)
    config = inference.Config(*job["files"])
    if job["onednn"]:
        config.enable_mkldnn()
    else:
        config.disable_mkldnn()
    if job["debug"]:
        config.switch_ir_debug(True)
        config.set_optim_cache_dir(str(out / "dumps"))
    saved = [os.dup(1), os.dup(2)]
    for number, name in ((1, "stdout.txt"), (2, "stderr.txt")):
        target = os.open(out / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, number)
        os.close(target)
    try:
        predictor = inference.create_predictor(config)
    finally:
        sys.stdout.flush()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
    with np.load(job["inputs"]) as inputs:
        for name in predictor.get_input_names():
            handle = predictor.get_input_handle(name)
            handle.reshape(list(inputs[name].shape))
            handle.copy_from_cpu(inputs[name])
    predictor.run()
    outputs = {name: predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()}
    np.savez(out / "outputs.npz", **outputs)
    if job["files"][0].endswith(".pdmodel"):
        program = framework_pb2.ProgramDesc.FromString(Path(job["files"][0]).read_bytes())
        (out / "ops.txt").write_text(str(len(program.blocks[0].ops)))


for one in json.loads(Path(sys.argv[1]).read_text()):
    work(one)
