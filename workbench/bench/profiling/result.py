"""What a profile gives: its ops in numbers and words, by type, by layer, and as charts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from workbench.bench.profiling.calls import find_calls, not_run, silent
from workbench.bench.profiling.times import Interval, OpTime, idle, op_times, overhead_interval
from workbench.bench.profiling.words import doubts, reconciled, unheard, unmapped
from workbench.config import InferenceConfig
from workbench.core import OutputMoments
from workbench.errors import WorkbenchError
from workbench.ir import Graph

OpsChartKind = Literal["ops", "layers"]

# Rows of the text that stands for a profile in a notebook or a shell.
SHOWN = 12


@dataclass(frozen=True)
class GroupTime:
    """What ops that have something in common take together.

    Attributes:
        name: the type or the layer; "" for ops whose layer is not known.
        ops: how many of them ran.
        calls: how often a run calls one of them.
        ms: the sum of their times, in milliseconds.
        share: that as a share of the latency without the profiler.
    """

    name: str
    ops: int
    calls: int
    ms: float
    share: float

    def facts(self) -> dict[str, Any]:
        """Plain values: name, ops, calls, ms, share."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Profile:
    """What each op takes; times in milliseconds.

    Attributes:
        model: the model's name.
        config: what was asked for.
        ops: the ops by time, the longest first; what could not be mapped to an op is a row as well.
        plain_ms: the latency without the profiler, the median of its runs.
        profiled_ms: the same with it, in runs taken in turn with the others.
        overhead_ms: what the profiler adds to a run: the difference of the two.
        overhead_ci95: 95 % interval of it, by bootstrap over runs; None from fewer than six.
        outputs: outputs that a run gives, of each of which the profiler is told.
        runs: how many runs of each kind were taken.
        remarks: in words, how the ops' sum fits the latency, and what speaks against these numbers.
        notices: where asked and given differ, in words.
        entry: its id in the history, None where it was not recorded.
    """

    model: str
    config: InferenceConfig
    ops: tuple[OpTime, ...]
    plain_ms: float
    profiled_ms: float
    overhead_ms: float
    overhead_ci95: Interval | None
    outputs: int
    runs: int
    remarks: tuple[str, ...]
    notices: tuple[str, ...] = ()
    entry: int | None = None

    @classmethod
    def from_moments(
        cls,
        moments: OutputMoments,
        graph: Graph,
        layers: Sequence[str] | None = None,
        *,
        model: str = "",
        config: InferenceConfig | None = None,
        remarks: Iterable[str] = (),
        notices: Iterable[str] = (),
    ) -> Profile:
        """Make a profile of what was measured.

        Args:
            moments: when each output of a run came.
            graph: the final graph of the predictor that ran.
            layers: per op of the graph the path of its layer; by default what the graph says.
            model: the model's name.
            config: what was asked for.
            remarks: what else speaks against these numbers.
            notices: where asked and given differ.

        Raises:
            WorkbenchError: if there are no runs.
        """
        if not len(moments.plain_ns):
            raise WorkbenchError("there are no runs to make a profile of: measure at least one")
        plain, hooked = moments.plain_ns / 1e6, moments.hooked_ns / 1e6
        plain_ms, profiled_ms = float(np.median(plain)), float(np.median(hooked))
        overhead_ms = profiled_ms - plain_ms
        overhead_ci95 = overhead_interval(plain, hooked)
        # What cannot be told from noise is not taken off: short ops would vanish for nothing.
        seen = overhead_ci95 is not None and overhead_ci95[0] > 0
        per_output = overhead_ms / max(1, len(moments.ops)) if seen else 0.0
        calls = find_calls(graph, moments.ops, moments.names)
        named = layers or [op.layer for op in graph.ops]
        ops = op_times(calls, moments, graph, named, per_output_ms=per_output, plain_ms=plain_ms)
        ops += [idle(op, graph, named) for op in not_run(graph, calls)]
        ops.sort(key=lambda one: (-one.ms, math.inf if one.index is None else one.index))
        said = [
            reconciled(sum(one.ms for one in ops), plain_ms),
            *doubts(plain, hooked, overhead_ms, overhead_ci95, plain_ms),
            *unmapped(ops),
            *unheard(silent(graph, calls)),
            *remarks,
        ]
        return cls(
            model,
            config or InferenceConfig(),
            tuple(ops),
            plain_ms,
            profiled_ms,
            overhead_ms,
            overhead_ci95,
            len(moments.ops),
            len(plain),
            tuple(said),
            tuple(notices),
        )

    @property
    def ops_ms(self) -> float:
        """The sum over ops."""
        return sum(one.ms for one in self.ops)

    @property
    def outside_ms(self) -> float:
        """What of the latency no op accounts for: Paddle's own work; below 0 where the ops' sum is more."""
        return self.plain_ms - self.ops_ms

    @property
    def overhead_share(self) -> float:
        """The profiler's overhead as a share of the latency without it."""
        return self.overhead_ms / self.plain_ms

    @property
    def overhead_per_output_ms(self) -> float:
        """The profiler's overhead for each output it is told of."""
        return self.overhead_ms / max(1, self.outputs)

    def by_type(self) -> tuple[GroupTime, ...]:
        """The ops of each type together, the longest first."""
        return self._grouped(lambda one: one.type)

    def by_layer(self, depth: int | None = None) -> tuple[GroupTime, ...]:
        """The ops of each layer together, the longest first.

        Args:
            depth: how many parts of a layer's path to tell apart; None for all.

        Raises:
            WorkbenchError: if ``depth`` is not a whole number above 0.
        """
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
            raise WorkbenchError(f"depth is {depth!r}: give a whole number above 0, or None for all")
        # A path begins with a slash, so its first part is empty.
        end = None if depth is None else depth + 1
        return self._grouped(lambda one: "/".join(one.layer.split("/")[:end]))

    def _grouped(self, name: Callable[[OpTime], str]) -> tuple[GroupTime, ...]:
        groups: dict[str, list[OpTime]] = {}
        for one in self.ops:
            if one.calls:
                groups.setdefault(name(one), []).append(one)
        made = (
            GroupTime(
                key,
                len(ops),
                sum(one.calls for one in ops),
                sum(one.ms for one in ops),
                sum(one.share for one in ops),
            )
            for key, ops in groups.items()
        )
        return tuple(sorted(made, key=lambda group: (-group.ms, group.name)))

    def overlay(self) -> dict[int, float]:
        """Milliseconds by index of the op in the final graph, as `GraphView.overlay` takes them."""
        return {one.index: one.ms for one in self.ops if one.index is not None and one.calls}

    def facts(self) -> dict[str, Any]:
        """Plain values: model, config, ops (the longest first), the times, the overhead, runs, remarks."""
        return {
            "model": self.model,
            "config": self.config.to_dict(),
            "ops": [one.facts() for one in self.ops],
            "plain_ms": self.plain_ms,
            "profiled_ms": self.profiled_ms,
            "ops_ms": self.ops_ms,
            "outside_ms": self.outside_ms,
            "overhead_ms": self.overhead_ms,
            "overhead_ci95": self.overhead_ci95,
            "overhead_share": self.overhead_share,
            "overhead_per_output_ms": self.overhead_per_output_ms,
            "runs": self.runs,
            "remarks": list(self.remarks),
            "notices": list(self.notices),
            "entry": self.entry,
        }

    def chart(self, kind: OpsChartKind = "ops", theme: str = "light") -> Any:
        """The ops that ran as a plotly figure; `workbench.bench.charts.save_chart` writes one to a file.

        Args:
            kind: "ops" (the longest as bars) or "layers" (areas by time, layers within layers).
            theme: "light" or "dark".

        Raises:
            WorkbenchError: for another kind or theme.
        """
        from workbench.bench import charts

        drawn = {"ops": charts.ops_chart, "layers": charts.ops_treemap}
        if kind not in drawn:
            raise WorkbenchError(f"no chart {kind!r}: choose {', '.join(get_args(OpsChartKind))}")
        return drawn[kind]([one.facts() for one in self.ops if one.calls], theme)

    def __repr__(self) -> str:
        lines = [f"<Profile {self.model}: {self.config.label}, {self.plain_ms:.3f} ms, {self.runs} runs>"]
        shown = self.ops[:SHOWN]
        width = max((len(one.text) for one in shown), default=0)
        lines += [f"{one.text:{width}}  {one.calls:4}×  {one.ms:9.4f} ms  {one.share:6.1%}" for one in shown]
        if len(self.ops) > SHOWN:
            rest = self.ops[SHOWN:]
            lines.append(f"and {len(rest)} more, {sum(one.ms for one in rest):.4f} ms together")
        return "\n".join([*lines, *self.remarks])
