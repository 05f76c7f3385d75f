"""Whether tuning finds what an exhaustive search finds, in a quarter of its time, on three samples."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import TypeVar

from rich.progress import track

import workbench as wb
from workbench.bench import Comparison, random_inputs
from workbench.bench.benchmark import Case, measure
from workbench.bench.results import compared
from workbench.bench.tuning.space import Candidate, given_space

# Convolutions that take milliseconds, a transformer, and convolutions that take tens of milliseconds.
SAMPLES = ("digits", "bert_tiny", "resnet18")
SPACE = {
    "threads": [1, 2],
    "onednn": [True, False],
    "ir_optim": [True, False],
    "memory_optim": [False, True],
}
# Of the exhaustive search's time, as the bound on the tuning.
SHARE = 0.24
Row = tuple[str, str, str, str]
T = TypeVar("T")


def tuning_rows() -> list[Row]:
    """Share of the time, distance from the best, and what the result is worth against the default config."""
    return [row for name in track(SAMPLES, "tuning") for row in _sample_rows(name)]


def _sample_rows(name: str) -> list[Row]:
    model = wb.load(wb.sample(name))
    inputs = random_inputs(model)
    default = wb.InferenceConfig()
    space = given_space(model, Candidate(default, 1), "latency", SPACE, onednn=True)
    configs = [default, *(one.config for one in space.all())]
    # As a person does it with this tool: one benchmark, with its own choice of time.
    exhaustive, exhaustive_s = _timed(lambda: wb.benchmark(model, configs, inputs, record=False))
    ratios = [1.0, *(one.ratio for one in exhaustive.comparisons)]
    best = configs[ratios.index(min(ratios))]
    with tempfile.TemporaryDirectory() as folder:
        found, tuning_s = _timed(
            lambda: wb.tune(
                model, inputs, space=SPACE, seconds=SHARE * exhaustive_s, folder=folder, record=False
            )
        )
    cases = [Case(one.label, one, inputs) for one in (default, best, found.best)]
    # Ratios of different minutes do not compare: the winners take turns, and the default config with them.
    runs = measure(model, cases, record=False).runs
    apart, worth = compared(runs[1], runs[2]), compared(runs[0], runs[2])
    same = found.best == best
    return [
        (
            f"tuning {name}: time / exhaustive search",
            f"{tuning_s / exhaustive_s:.2f}",
            "at most 0.25",
            f"{tuning_s:.0f} s, {exhaustive_s:.0f} s for {len(configs)} configs",
        ),
        (
            f"tuning {name}: latency / best of exhaustive search",
            "1 (the same config)" if same else f"{apart.ratio:.3f}",
            "at most 1.03",
            f"{found.best.label}" if same else f"{found.best.label} / {best.label}{_interval(apart)}",
        ),
        (
            f"tuning {name}: latency / Paddle's default config",
            f"{worth.ratio:.3f}",
            "",
            f"{found.best.label}{_interval(worth)}, {worth.verdict}",
        ),
    ]


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    begin = time.monotonic()
    return call(), time.monotonic() - begin


def _interval(one: Comparison) -> str:
    return "" if one.ci95 is None else f", 95 % {one.ci95[0]:.3f} to {one.ci95[1]:.3f}"
