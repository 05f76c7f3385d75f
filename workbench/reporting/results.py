"""What a report can be of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.bench import Benchmark, Profile, Run, Scan, Throughput
from workbench.bench.ablation import Ablation
from workbench.errors import WorkbenchError
from workbench.tracing import PassTrace


@dataclass(frozen=True)
class Failed:
    """What was to be in the report and could not be measured.

    Attributes:
        what: such as "profile".
        reason: why not, a sentence.
    """

    what: str
    reason: str


Result = Benchmark | Scan | Throughput | Profile | Ablation | PassTrace | Failed


@dataclass(frozen=True)
class Results:
    """What a report is of, by kind, in the order given."""

    benchmarks: tuple[Benchmark, ...]
    scans: tuple[Scan, ...]
    throughputs: tuple[Throughput, ...]
    profiles: tuple[Profile, ...]
    ablations: tuple[Ablation, ...]
    traces: tuple[PassTrace, ...]
    failed: tuple[Failed, ...]

    def environments(self) -> list[dict[str, Any]]:
        """What was recorded of the machine, by each measurement that does so."""
        given = [
            *(one.environment for one in self.benchmarks),
            *(one.benchmark.environment for one in self.scans),
            *(one.environment for one in self.throughputs),
            *(one.environment for one in self.ablations),
        ]
        return [dict(one) for one in given if one]


def by_kind(results: Result | Sequence[Result]) -> Results:
    """Sort results.

    Raises:
        WorkbenchError: if there are none, or one is no result.
    """
    given: Sequence[Any] = results if isinstance(results, (list, tuple)) else [results]
    kinds = (Benchmark, Scan, Throughput, Profile, Ablation, PassTrace, Failed)
    for one in given:
        if not isinstance(one, kinds):
            raise WorkbenchError(
                f"a {type(one).__name__} cannot be reported: give what benchmark, scan, throughput, profile, "
                "ablate or trace returned"
            )
    if not given:
        raise WorkbenchError("there is nothing to report: give at least one result")
    return Results(
        tuple(measured(one) for one in given if isinstance(one, Benchmark)),
        tuple(_measured_scan(one) for one in given if isinstance(one, Scan)),
        tuple(one for one in given if isinstance(one, Throughput)),
        tuple(one for one in given if isinstance(one, Profile)),
        tuple(one for one in given if isinstance(one, Ablation)),
        tuple(one for one in given if isinstance(one, PassTrace)),
        (
            *(
                Failed(f"latency of {run.label}", "there are no samples of it")
                for one in given
                if isinstance(one, (Benchmark, Scan))
                for run in (one if isinstance(one, Benchmark) else one.benchmark).runs
                if not _has_samples(run)
            ),
            *(one for one in given if isinstance(one, Failed)),
        ),
    )


def measured(benchmark: Benchmark) -> Benchmark:
    """A benchmark without the configs that there are no samples of: they have no numbers."""
    return replace(benchmark, runs=tuple(run for run in benchmark.runs if _has_samples(run)))


def _measured_scan(scan: Scan) -> Scan:
    points = tuple(point for point in scan.points if _has_samples(point.run))
    return replace(scan, benchmark=measured(scan.benchmark), points=points)


def _has_samples(run: Run) -> bool:
    return any(len(one.samples_ms) for one in run.rounds)
