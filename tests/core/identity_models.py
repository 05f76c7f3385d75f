"""Run as a script: exports one model per dtype that gives back what it gets, and one that meets a defect.

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


def save_sum():
    """Its output is a scalar."""
    program, startup = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(program, startup):
        x = paddle.static.data("x", [-1], "float32")
        paddle.static.save_inference_model(
            str(directory / "sum"), [x], [paddle.sum(x)], executor, program=program
        )


def save_program():
    """Program IR without parameters: one file."""
    paddle.set_flags({"FLAGS_enable_pir_api": False})
    paddle.pir_utils._switch_to_old_ir_()
    paddle.enable_static()
    program = paddle.static.Program()
    with paddle.static.program_guard(program):
        x = paddle.static.data("x", [-1], "float32")
        y = paddle.nn.functional.relu(x)
    data = paddle.static.serialize_program([x], [y], program=program)
    (directory / "alone.pdmodel").write_bytes(data)


def save_upscale():
    """Conv, relu, interpolate by a factor: 3.3.1 with oneDNN refuses it."""
    paddle.disable_static()
    layer = paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 4, 3), paddle.nn.ReLU(), paddle.nn.Upsample(scale_factor=2, mode="nearest")
    )
    layer.eval()
    spec = [paddle.static.InputSpec([None, 3, 8, 8], "float32", name="image")]
    layer = paddle.jit.to_static(layer, input_spec=spec, full_graph=True)
    paddle.jit.save(layer, str(directory / "upscale"))


for dtype in ("float32", "float64", "int32", "int64", "bool"):
    save(dtype, dtype, [-1, -1])
save("vector", "float32", [-1])
save_sum()
save_upscale()
save_program()
