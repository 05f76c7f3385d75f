"""The loops and looks that run inside the worker: what they are asked for, and what their replies say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workbench.core.exchange import Asked
from workbench.core.measured import ConcurrentRuns, OpOutput, OutputMoments, OutputPart, TimedRuns
from workbench.core.tensors import Array
from workbench.core.worker import wire
from workbench.errors import WorkbenchError
from workbench.models import TensorInfo

# Sends a request about the inputs, and what it does, in words for an error.
Ask = Callable[[dict[str, Any], str], Asked]


def timed(ask: Ask, count: int, seconds: float) -> TimedRuns:
    """Runs in a loop, as `Session.time`."""
    _check_length(count, seconds)
    reply, raw, _ = ask({"op": "time", "count": count, "seconds": seconds}, "timing the model")
    return TimedRuns(np.frombuffer(raw, np.int64), reply["begin_ns"])


def at_once(ask: Ask, predictors: int, seconds: float, native: bool) -> ConcurrentRuns:
    """Runs of several predictors at once, as `Session.time_at_once`."""
    _check_length(predictors, seconds, "predictors")
    message = {"op": "throughput", "predictors": predictors, "seconds": seconds, "native": native}
    reply, raw, _ = ask(message, "running predictors at once")
    numbers = np.frombuffer(raw, np.int64)
    parts = np.split(numbers, np.cumsum([*reply["counts"], *reply["counts"]])[:-1])
    return ConcurrentRuns(tuple(parts[:predictors]), tuple(parts[predictors:]), reply["native"])


def moments(ask: Ask, count: int, seconds: float) -> OutputMoments:
    """When ops give their outputs, as `Session.time_ops`."""
    _check_length(count, seconds)
    reply, raw, _ = ask({"op": "profile", "count": count, "seconds": seconds}, "profiling the model")
    runs, outputs = reply["runs"], reply["outputs"]
    numbers = np.frombuffer(raw, np.int64)
    taken = numbers[runs:].reshape(runs, len(outputs) + 1)
    ops, names = zip(*outputs, strict=True) if outputs else ((), ())
    return OutputMoments(tuple(ops), tuple(names), taken[:, :-1], taken[:, -1], numbers[:runs])


def listed(ask: Ask) -> tuple[OpOutput, ...]:
    """What ops give, as `Session.op_outputs`."""
    reply, _, _ = ask({"op": "list_outputs"}, "listing what the ops give")
    return tuple(
        OpOutput(op, name, dtype, tuple(shape), onednn) for op, name, dtype, shape, onednn in reply["outputs"]
    )


def taken(ask: Ask, outputs: Sequence[OpOutput], parts: Sequence[OutputPart]) -> list[Array]:
    """Elements of listed outputs, as `Session.take_outputs`."""
    places: list[tuple[int, int, int, int]] = []
    size = 0
    for output, start, stop in parts:
        if not 0 <= output < len(outputs) or not 0 <= start <= stop <= outputs[output].size:
            raise WorkbenchError(
                f"there are no elements {start} to {stop} of output {output}: call op_outputs first, "
                "and take parts of what it lists"
            )
        places.append((output, start, stop, size))
        nbytes = (stop - start) * outputs[output].held.itemsize
        size += (nbytes + wire.ALIGN - 1) // wire.ALIGN * wire.ALIGN
    message = {"op": "take_outputs", "parts": places, "size": size}
    reply, _, fds = ask(message, "taking what the ops give")
    block = wire.Segment(fds[0], reply["size"])
    return [
        np.frombuffer(block.map, outputs[output].held, stop - start, offset)
        for output, start, stop, offset in places
    ]


def rounding(
    outputs: Sequence[OpOutput],
    executions: Sequence[tuple[int, int]],
    precision: str,
    weights: Sequence[TensorInfo],
) -> dict[str, Any]:
    """The request for a run with some ops in a lower precision, as `Session.run_rounded`."""
    for first, last in executions:
        if not 0 <= first <= last < len(outputs):
            raise WorkbenchError(
                f"there are no outputs {first} to {last}: call op_outputs first, and take places among what "
                "it lists"
            )
    return {
        "op": "run_rounded",
        "executions": [list(one) for one in executions],
        "precision": precision,
        "parameters": [info.name for info in weights],
    }


def _check_length(count: int, seconds: float, name: str = "count") -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise WorkbenchError(f"{name} is {count!r}: give a whole number above 0")
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise WorkbenchError(f"seconds is {seconds!r}: give a number above 0")
