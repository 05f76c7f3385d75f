"""The plain way, for comparison: paddle.inference in a script of its own, told what to do.

Needs Paddle and numpy alone. A request is a line of JSON on stdin, an answer one on the stdout that
this process was started with; what Paddle prints goes nowhere.
"""

from __future__ import annotations

import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
null = os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)
os.dup2(null, 2)

import numpy as np  # noqa: E402
import paddle.inference as inference  # noqa: E402


def create(model: str, params: str, debug: bool = False) -> float:
    """Create the predictor; returns seconds."""
    global predictor, inputs, outputs
    config = inference.Config(model, params)
    config.set_cpu_math_library_num_threads(1)
    config.switch_ir_debug(debug)
    start = time.perf_counter()
    predictor = inference.create_predictor(config)
    seconds = time.perf_counter() - start
    inputs = [predictor.get_input_handle(name) for name in predictor.get_input_names()]
    outputs = [predictor.get_output_handle(name) for name in predictor.get_output_names()]
    return seconds


def feed(path: str) -> int:
    """Load the inputs from an .npz and set them."""
    global arrays
    with np.load(path) as file:
        arrays = [file[name] for name in predictor.get_input_names()]
    for handle, array in zip(inputs, arrays, strict=True):
        handle.reshape(list(array.shape))
        handle.copy_from_cpu(array)
    return len(arrays)


def loop(seconds: float) -> list[int]:
    """Nanoseconds of each run() for so long."""
    samples = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter_ns()
        predictor.run()
        samples.append(time.perf_counter_ns() - start)
    return samples


def calls(count: int) -> list[int]:
    """Nanoseconds of each whole call: inputs in, run, outputs out."""
    samples = []
    for _ in range(count):
        start = time.perf_counter_ns()
        for handle, array in zip(inputs, arrays, strict=True):
            handle.reshape(list(array.shape))
            handle.copy_from_cpu(array)
        predictor.run()
        kept = [handle.copy_to_cpu() for handle in outputs]
        samples.append(time.perf_counter_ns() - start)
    del kept
    return samples


def small(directory: str) -> int:
    """Export a model of microseconds: one multiplication."""
    import paddle

    class Scale(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.factor = self.create_parameter([1])

        def forward(self, x):
            return x * self.factor

    spec = [paddle.static.InputSpec([None], "float32", name="x")]
    paddle.jit.save(paddle.jit.to_static(Scale(), input_spec=spec, full_graph=True), f"{directory}/small")
    return 0


known = {"create": create, "feed": feed, "loop": loop, "calls": calls, "small": small}
for line in sys.stdin:
    name, arguments = json.loads(line)
    answers.write(json.dumps(known[name](*arguments)) + "\n")
    answers.flush()
