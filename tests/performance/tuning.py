"""Whether tuning finds what an exhaustive search finds, in a quarter of its time, on three samples."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from rich.progress import track

import workbench as wb
from workbench.bench import Run, random_inputs
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
LAUNCHES = 8
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
    count = len(configs)
    exhaustive, exhaustive_s = _timed(lambda: wb.benchmark(model, configs, inputs, record=False))
    ratios = [1.0, *(one.ratio for one in exhaustive.comparisons)]
    best = configs[ratios.index(min(ratios))]
    with tempfile.TemporaryDirectory() as folder:
        found, tuning_s = _timed(
            lambda: wb.tune(
                model, inputs, space=SPACE, seconds=SHARE * exhaustive_s, folder=folder, record=False
            )
        )
    # Ratios of different minutes do not compare: the winners take turns, and the default config with them. So
    # many launches, since fewer say nothing of how launches differ.
    configs = list(dict.fromkeys((default, best, found.best)))
    cases = [Case(one.label, one, inputs) for one in configs]
    measured = measure(model, cases, launches=LAUNCHES, record=False).runs if len(cases) > 1 else ()
    runs = dict(zip(configs, measured, strict=False))
    return [
        (
            f"tuning {name}: time / exhaustive search",
            f"{tuning_s / exhaustive_s:.2f}",
            "at most 0.25",
            f"{tuning_s:.0f} s, {exhaustive_s:.0f} s for {count} configs",
        ),
        (
            f"tuning {name}: latency / best of exhaustive search",
            *_ratio(runs, best, found.best, "at most 1.03"),
        ),
        (f"tuning {name}: latency / Paddle's default config", *_ratio(runs, default, found.best, "")),
    ]


def _ratio(
    runs: Mapping[wb.InferenceConfig, Run], one: wb.InferenceConfig, found: wb.InferenceConfig, goal: str
) -> tuple[str, str, str]:
    """How what was found compares with another config: figure, goal and what stands beside it."""
    if one == found:
        return "1", goal, f"the same config: {one.label}"
    what = compared(runs[one], runs[found])
    interval = "" if what.ci95 is None else f", 95 % {what.ci95[0]:.3f} to {what.ci95[1]:.3f}"
    return f"{what.ratio:.3f}", goal, f"{found.label} / {one.label}{interval}, {what.verdict}"


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    begin = time.monotonic()
    return call(), time.monotonic() - begin
