"""Latency against the size of the inputs: batch, or the length of a sequence."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench.bench.benchmark import Case, Progress, measure
from workbench.bench.inputs import random_inputs
from workbench.bench.results import Benchmark
from workbench.bench.samples import Run
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError
from workbench.models import Model, load

Over = Literal["batch", "length"]


@dataclass(frozen=True, eq=False)
class ScanPoint:
    """One size and the latencies at it."""

    size: int
    run: Run


@dataclass(frozen=True, eq=False)
class Scan:
    """Latency at several sizes, measured in turns.

    Attributes:
        over: which size: "batch" or "length".
        benchmark: the runs, one per size, with their numbers in `Benchmark.facts`.
        points: size and run together.
    """

    over: Over
    benchmark: Benchmark
    points: tuple[ScanPoint, ...]

    def facts(self) -> dict[str, Any]:
        """Plain values: as `Benchmark.facts`, with ``over`` and a ``size`` in every run."""
        facts = self.benchmark.facts()
        for one, point in zip(facts["runs"], self.points, strict=True):
            one["size"] = point.size
        return {"over": self.over, **facts}

    def chart(self, theme: str = "light") -> Any:
        """Latency against size as a plotly figure."""
        from workbench.bench.charts import scan_chart

        return scan_chart(self.points, theme=theme)


def scan(
    model: Model | str | os.PathLike[str],
    sizes: Sequence[int],
    config: InferenceConfig | None = None,
    *,
    over: Over = "batch",
    batch: int = 1,
    length: int = 16,
    seconds: float = 2.0,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    record: bool = True,
) -> Scan:
    """Measure latency at several sizes of random inputs.

    Args:
        model: a model or its path.
        sizes: the sizes to measure, such as ``(1, 2, 4, 8)``.
        config: what to ask for; the default config if None.
        over: "batch" for the first open dimension of each input, "length" for the other open ones.
        batch: the batch where ``over`` is "length".
        length: the length where ``over`` is "batch"; only models with such a dimension have it.
        seconds: steady-state measurement per size, at most.
        progress: as in `benchmark`.
        cancel: as in `benchmark`.
        time_limit: as in `benchmark`.
        seed: as in `benchmark`.
        record: as in `benchmark`; its kind in the history is "scan".

    Raises:
        WorkbenchError: if no input has such an open dimension, for sizes that are none, and as `benchmark`.
    """
    model = model if isinstance(model, Model) else load(model)
    if over not in ("batch", "length"):
        raise WorkbenchError(f"over is {over!r}: give 'batch' or 'length'")
    if not sizes or len(set(sizes)) < len(sizes):
        raise WorkbenchError(f"sizes are {list(sizes)}: give different numbers, such as (1, 2, 4, 8)")
    shapes = [info.shape or () for info in model.inputs]
    if not any(-1 in (shape[:1] if over == "batch" else shape[1:]) for shape in shapes):
        raise WorkbenchError(
            f"no input of {model.name} has an open {over}: export it with None in that dimension"
        )
    config = InferenceConfig() if config is None else config
    cases = [
        Case(
            f"{over} {size}",
            config,
            random_inputs(model, batch=size, length=length, seed=seed)
            if over == "batch"
            else random_inputs(model, batch=batch, length=size, seed=seed),
        )
        for size in sizes
    ]
    found = measure(
        model,
        cases,
        seconds=seconds,
        within=0.02,
        progress=progress,
        cancel=cancel,
        time_limit=time_limit,
        seed=seed,
        record=record,
        kind="scan",
    )
    return Scan(over, found, tuple(map(ScanPoint, sizes, found.runs)))
