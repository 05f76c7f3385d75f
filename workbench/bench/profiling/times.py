"""What each op takes: the moments of a run's outputs made times of ops, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.bench.profiling.blocks import split_text
from workbench.bench.profiling.calls import Call
from workbench.bench.samples import Floats
from workbench.core import OutputMoments
from workbench.ir import Graph, Kernel, Op, Value

Interval = tuple[float, float]

RESAMPLES = 1000


@dataclass(frozen=True)
class OpTime:
    """What one op takes in a run, all its calls together; times in milliseconds.

    Attributes:
        index: its index in the final graph, None for outputs that are of no op known there.
        type: its type, such as ``onednn_op.fused_conv2d``.
        calls: how often a run calls it: the trip count in a loop, 0 in a branch not taken.
        raw_ms: as measured, the median over runs. The first op of a run begins with the run; an op that holds
            blocks has only what is left beside the ops in them (PIR; Program IR does not tell of those).
        ms: without the profiler's overhead, as far as that can be told from noise; never below 0.
        ci95: 95 % interval of ``ms`` over runs, None from fewer than six.
        share: ``ms`` as a share of the latency without the profiler.
        outputs: how many outputs of a run are its own.
        text: how it is called in tables, such as ``12 fused_conv2d``.
        kernel: what PIR lowered it to, else None.
        layer: path of its layer, "" when unknown.
        shape: of its first output, -1 for a dimension known only at run time; None when unknown.
        dtype: of its first output, None when unknown.
    """

    index: int | None
    type: str
    calls: int
    raw_ms: float
    ms: float
    ci95: Interval | None
    share: float
    outputs: int
    text: str
    kernel: Kernel | None = None
    layer: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None

    def facts(self) -> dict[str, Any]:
        """Plain values: op, type, calls, ms, share, raw_ms, ci95, layer, kernel, index, shape, dtype."""
        return {
            "op": self.text,
            "type": self.type,
            "calls": self.calls,
            "ms": self.ms,
            "share": self.share,
            "raw_ms": self.raw_ms,
            "ci95": self.ci95,
            "layer": self.layer,
            "kernel": None if self.kernel is None else asdict(self.kernel),
            "index": self.index,
            "shape": None if self.shape is None else list(self.shape),
            "dtype": self.dtype,
        }


def op_times(
    calls: Sequence[Call],
    moments: OutputMoments,
    graph: Graph,
    layers: Sequence[str],
    *,
    per_output_ms: float,
    plain_ms: float,
) -> list[OpTime]:
    """What each op takes in a run; what could not be mapped to an op is a row as well.

    Args:
        calls: which op gave which output.
        moments: when each output of a run came.
        graph: the final graph of the predictor that ran.
        layers: per op of the graph the path of its layer.
        per_output_ms: the profiler's overhead for each output, to be taken off.
        plain_ms: the latency without the profiler.
    """
    taken = moments.moments_ns / 1e6
    before = np.concatenate([np.zeros((len(taken), 1)), taken], axis=1)
    together: dict[int | str, list[Call]] = {}
    for call in calls:
        together.setdefault(call.text if call.op is None else call.op, []).append(call)
    rank = rank_of_interval(len(taken))
    rows = []
    for some in together.values():
        spent = sum((taken[:, one.last] - before[:, one.first] for one in some), np.zeros(len(taken)))
        outputs = sum(one.last - one.first + 1 for one in some)
        raw, off = float(np.median(spent)), outputs * per_output_ms
        ordered = np.sort(spent)
        interval = None
        if rank:
            low, high = float(ordered[rank - 1]) - off, float(ordered[-rank]) - off
            interval = (max(0.0, low), max(0.0, high))
        ms = max(0.0, raw - off)
        numbers = (len(some), raw, ms, interval, ms / plain_ms, outputs)
        op = some[0].op
        if op is None:
            kind, text = _unknown(some[0].text, graph.ir)
            rows.append(OpTime(None, kind, *numbers, text))
        else:
            rows.append(OpTime(op, graph.ops[op].type, *numbers, *_about(graph.ops[op], graph, layers)))
    return rows


def idle(op: Op, graph: Graph, layers: Sequence[str]) -> OpTime:
    """The row of an op that did not run."""
    return OpTime(op.index, op.type, 0, 0.0, 0.0, None, 0.0, 0, *_about(op, graph, layers))


def rank_of_interval(count: int) -> int:
    """The rank r for which the r-th value from below and from above hold the median with at least 95 %.

    Whatever the distribution; 0 where there are too few values.
    """
    from scipy.special import bdtr

    return int(np.searchsorted(bdtr(np.arange(count), count, 0.5), 0.025, side="right"))


def overhead_interval(plain: Floats, hooked: Floats) -> Interval | None:
    """95 % interval of the difference of the medians: runs are drawn again, each with its neighbour."""
    count = len(plain)
    if not rank_of_interval(count):
        return None
    rng = np.random.default_rng(0)
    drawn = np.empty(RESAMPLES)
    for place in range(RESAMPLES):
        chosen = rng.integers(0, count, count)
        drawn[place] = np.median(hooked[chosen]) - np.median(plain[chosen])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _unknown(told: str, ir: str) -> tuple[str, str]:
    """Type and text of what was told of but is no op of the graph."""
    kind = split_text(told)[0] if ir == "pir" else told.partition(" ")[0]
    return kind, f"? {told.removeprefix(kind.rpartition('.')[0]).lstrip('.')}"


def _about(
    op: Op, graph: Graph, layers: Sequence[str]
) -> tuple[str, Kernel | None, str, tuple[int, ...] | None, str | None]:
    first = graph.values[op.outputs[0]] if op.outputs else Value("")
    return (
        f"{op.index} {op.type.rpartition('.')[2]}",
        op.kernel,
        layers[op.index],
        first.shape,
        first.dtype,
    )
