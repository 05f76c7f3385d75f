"""Run as a script: exports one model per dtype, identity up to a factor of one, for the tests of transport.

Usage: identity_models.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

import paddle

directory = Path(sys.argv[1])
paddle.enable_static()
executor = paddle.static.Executor(paddle.CPUPlace())


def save(name, dtype, shape):
    program, startup = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(program, startup):
        x = paddle.static.data("x", shape, dtype)
        y = paddle.logical_or(x, x) if dtype == "bool" else paddle.maximum(x, x)
        executor.run(startup)
        paddle.static.save_inference_model(str(directory / name), [x], [y], executor, program=program)


for dtype in ("float32", "float64", "int32", "int64", "bool"):
    save(dtype, dtype, [-1, -1])
save("vector", "float32", [-1])
