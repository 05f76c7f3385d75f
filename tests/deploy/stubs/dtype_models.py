"""Run as a script: exports models that give back what they get.

Usage: dtype_models.py DIRECTORY. ``every`` has an input of every dtype and ``c`` one of each that the C API
has, under names that no language takes as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import paddle

paddle.enable_static()
executor = paddle.static.Executor(paddle.CPUPlace())


def save(name, inputs):
    program, startup = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(program, startup):
        feeds = [paddle.static.data(text, [-1, 3], dtype) for text, dtype in inputs]
        fetches = [paddle.reshape(feed, [-1]) for feed in feeds]
        executor.run(startup)
        paddle.static.save_inference_model(
            str(Path(sys.argv[1]) / name), feeds, fetches, executor, program=program
        )


in_c = ("float32", "int64", "int32", "int8", "uint8")


def named(dtype):
    return f'a="{dtype}" \\ é*/\n\'%s$ ??/', dtype


save("every", [named(dtype) for dtype in (*in_c, "float64", "float16", "bool")])
save("c", [named(dtype) for dtype in in_c])
save("odd", [("x", "int16")])
