"""What the measuring calls of a session give: raw times, as they were taken in the worker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.core.worker.measure import BITS

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TimedRuns:
    """Latencies of single runs, in nanoseconds, in the order they were taken.

    Attributes:
        samples_ns: one per run.
        begin_ns: the worker's monotonic clock at the first one.
    """

    samples_ns: Ints
    begin_ns: int


@dataclass(frozen=True, eq=False)
class ConcurrentRuns:
    """Runs of several predictors at once, one thread each, all from the same moment on.

    Attributes:
        samples_ns: per predictor the latency of each of its runs, in nanoseconds.
        ended_ns: per predictor when each of its runs ended, counted from that moment.
        native: whether they ran as in a C++ program; else as in a Python program, where the binding holds the
            interpreter lock for the whole run and threads take turns.
    """

    samples_ns: tuple[Ints, ...]
    ended_ns: tuple[Ints, ...]
    native: bool

    @property
    def per_second(self) -> float:
        """Runs by second: of each thread up to the end of its last one, so that no part of a run counts."""
        return sum(len(ends) / (float(ends[-1]) / 1e9) for ends in self.ended_ns)


@dataclass(frozen=True, eq=False)
class OutputMoments:
    """When each op of a run had given its outputs, beside runs without the profiler.

    Attributes:
        ops: per output, in the order they came, the op's type; in PIR with its place among those that ran.
        names: per output the name of its variable; in PIR it differs from run to run.
        moments_ns: nanoseconds from the begin of a run to each output, of shape [runs, outputs].
        hooked_ns: each of those runs as a whole, with the profiler.
        plain_ns: runs without it, taken in turn with the others.
    """

    ops: tuple[str, ...]
    names: tuple[str, ...]
    moments_ns: Ints
    hooked_ns: Ints
    plain_ns: Ints


@dataclass(frozen=True)
class OpOutput:
    """A tensor that an op gave in a run.

    Attributes:
        op: the op's type; in PIR with its place among those that ran, after a colon.
        name: the name of its variable; in PIR it begins with what differs from predictor to predictor.
        dtype: its element type, such as ``float32`` or ``bfloat16``.
        shape: its shape in that run.
        onednn: whether its elements lie in memory in an order of oneDNN's own; to take any of them, the
            worker copies all, and for a moment holds two copies.
    """

    op: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    onednn: bool

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def held(self) -> np.dtype[np.generic]:
        """The numpy type that holds an element: unsigned integers, as bits, where it has none."""
        return np.dtype(BITS.get(self.dtype, self.dtype))

    @property
    def nbytes(self) -> int:
        """How many bytes its elements take."""
        return self.size * self.held.itemsize


class OutputPart(NamedTuple):
    """Elements of an op's output, counted in the order of its shape.

    Attributes:
        output: which one, by its place among what `Session.op_outputs` gave.
        start: the first element.
        stop: the one after the last.
    """

    output: int
    start: int
    stop: int
