"""What a benchmark gives: its runs in numbers and words, and how they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from workbench.bench.samples import Run
from workbench.bench.stats import SMALLEST, Estimate, Verdict, compare, summary
from workbench.bench.steadiness import remarks
from workbench.errors import WorkbenchError

ChartKind = Literal["latency", "distribution", "timeline", "ecdf", "comparison"]


@dataclass(frozen=True)
class Comparison:
    """How the run ``b`` compares with the run ``a``.

    Attributes:
        ratio: latency of b over latency of a; below 1 where b is faster.
        ci95: its 95 % interval, None where there is too little to say.
        verdict: what can be said of b.
    """

    a: str
    b: str
    ratio: float
    ci95: tuple[float, float] | None
    verdict: Verdict

    def facts(self) -> dict[str, Any]:
        """Plain values: a, b, ratio, ci95, verdict."""
        return {"a": self.a, "b": self.b, "ratio": self.ratio, "ci95": self.ci95, "verdict": self.verdict}


def compared(a: Run, b: Run) -> Comparison:
    """Compare two runs of one benchmark: those of others met another load."""
    taken = [[[one.samples_ms for one in launch.rounds] for launch in run.launches] for run in (a, b)]
    return Comparison(a.label, b.label, *compare(*taken))


@dataclass(frozen=True, eq=False)
class Benchmark:
    """The runs of one benchmark, and every later run compared with the first.

    Attributes:
        model: the model's name.
        runs: one per config, in the order given.
        environment: where it ran; see `workbench.bench.environment.environment`.
        entry: its id in the history, None where it was not recorded.
    """

    model: str
    runs: tuple[Run, ...]
    environment: Mapping[str, Any] = field(default_factory=dict)
    entry: int | None = None

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every later run compared with the first."""
        return tuple(compared(self.runs[0], run) for run in self.runs[1:])

    @cached_property
    def summaries(self) -> tuple[dict[str, Estimate], ...]:
        """Per run its percentiles, mean and standard deviation, with intervals."""
        return tuple(
            summary([[one.samples_ms for one in launch.rounds] for launch in run.launches])
            for run in self.runs
        )

    @cached_property
    def remarks(self) -> tuple[tuple[str, ...], ...]:
        """Per run why its numbers may not hold, a sentence each; none if they look sound."""
        return tuple(remarks(run) for run in self.runs)

    def facts(self) -> dict[str, Any]:
        """Plain values: model, runs, comparisons, environment and entry."""
        return {
            "model": self.model,
            "runs": [_run_facts(*one) for one in zip(self.runs, self.summaries, self.remarks, strict=True)],
            "comparisons": [one.facts() for one in self.comparisons],
            "environment": dict(self.environment),
            "entry": self.entry,
        }

    def chart(self, kind: ChartKind = "latency", theme: str = "light") -> Any:
        """The latencies as a plotly figure; `workbench.bench.charts.save_chart` writes one to a file.

        Args:
            kind: "latency" (a box with its samples), "distribution", "timeline" (samples as they were taken),
                "ecdf" (how many runs are faster, with the tail) or "comparison" (ratios with intervals).
            theme: "light" or "dark".

        Raises:
            WorkbenchError: for another kind.
        """
        from workbench.bench import charts

        if kind == "comparison":
            return charts.comparison_chart(self.comparisons, theme, same=SMALLEST)
        drawn = {
            "latency": charts.latency_chart,
            "distribution": charts.distribution_chart,
            "timeline": charts.timeline_chart,
            "ecdf": charts.ecdf_chart,
        }
        if kind not in drawn:
            raise WorkbenchError(f"no chart {kind!r}: choose {', '.join(get_args(ChartKind))}")
        return drawn[kind](self.runs, theme)


def _run_facts(run: Run, found: Mapping[str, Estimate], words: Sequence[str]) -> dict[str, Any]:
    """Plain values of a run: label, cold_ms, percentiles, ci95 of p50, intervals of all, samples and more."""
    cold = [launch.cold_ms for launch in run.launches]
    return {
        "label": run.label,
        "asked": run.config.to_dict(),
        "notices": list(run.notices),
        "remarks": list(words),
        "launches": len(run.launches),
        "create_ms": float(np.median([launch.create_ms for launch in run.launches])),
        "first_ms": float(np.median([launch.first_ms for launch in run.launches])),
        "cold_ms": float(np.median(cold)),
        "cold_range_ms": [min(cold), max(cold)],
        "peak_bytes": run.peak_bytes,
        **{name: one.value for name, one in found.items()},
        "ci95": found["p50_ms"].ci95,
        "intervals": {name: one.ci95 for name, one in found.items()},
        "warmup": [value for launch in run.launches for value in launch.warmup_ms.tolist()],
        "samples": run.samples_ms.tolist(),
    }
