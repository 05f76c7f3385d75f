"""Results of every kind as values, with texts of one's own wherever one can come from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.bench import Benchmark, Launch, Profile, Round, Run, Scan, Throughput
from workbench.bench.ablation import Ablation, PassWorth, Step
from workbench.bench.ablation.kept import Effect
from workbench.bench.profiling.times import OpTime
from workbench.bench.scan import ScanPoint
from workbench.bench.throughput import ThroughputPoint
from workbench.config import InferenceConfig

ENVIRONMENT: dict[str, Any] = {
    "cpu_model": "A Processor",
    "usable_cores": 2,
    "logical_cores": 4,
    "memory_bytes": 8 * 2**30,
    "os": "An OS",
    "runtime": {"paddle": "3.3.1"},
}


def made_run(label: str, p50: float = 5.0, *, launches: int = 4, seed: int = 0, notice: str = "") -> Run:
    rng = np.random.default_rng(seed)
    made, began = [], 0.0
    for _ in range(launches):
        rounds = []
        for _ in range(6):
            samples = p50 * rng.lognormal(0, 0.01, 40)
            rounds.append(Round(samples, began))
            began += 1.0
        made.append(Launch(30.0, 2.0, np.full(5, p50), tuple(rounds), 10**8))
    return Run(label, InferenceConfig(), (notice,) if notice else (), tuple(made))


def made_benchmark(labels: Sequence[str] = ("default", "other"), **more: Any) -> Benchmark:
    """Each config is half as fast as the one before."""
    runs = tuple(made_run(label, 5.0 * 2**at, seed=at, **more) for at, label in enumerate(labels))
    return Benchmark("made", runs, ENVIRONMENT)


def made_scan() -> Scan:
    runs = tuple(made_run(f"batch {size}", 2.0 + size) for size in (1, 4))
    points = tuple(ScanPoint(size, run) for size, run in zip((1, 4), runs, strict=True))
    return Scan("batch", Benchmark("made", runs, ENVIRONMENT), points)


def made_throughput(notice: str = "") -> Throughput:
    points = tuple(
        ThroughputPoint(count, 100.0 * count, (90.0 * count, 110.0 * count), np.full(50, 10.0))
        for count in (1, 2)
    )
    return Throughput("made", InferenceConfig(), True, (notice,) if notice else (), points, ENVIRONMENT)


def made_profile(texts: Sequence[str] = ("conv", "relu")) -> Profile:
    ops = tuple(
        OpTime(at, text, 1, 1.0, 1.0, None, 0.25, 1, f"{at} {text}", None, f"/{text}/{text}")
        for at, text in enumerate(texts)
    )
    remarks = tuple(f"remark on {text}" for text in texts)
    return Profile("made", InferenceConfig(), ops, 4.0, 5.0, 1.0, (0.9, 1.1), 2, 100, remarks)


def made_ablation(names: Sequence[str] = ("a_pass", "b_pass")) -> Ablation:
    passes = tuple(
        PassWorth(name, (1,), 1.5, (1.4, 1.6), "slower", 2.0, Effect(0.0, 0.0, ""), None) for name in names
    )
    failed = PassWorth("c_pass", (2,), None, None, None, None, None, f"died of {names[0]}")
    steps = tuple(Step((name,), -1.0, -1.2, -0.8, 6.0, 5.0, Effect(0.0, 0.0, "")) for name in names)
    return Ablation(
        "made", InferenceConfig(), 4.0, (*passes, failed), (), steps, (f"about {names[0]}",), ENVIRONMENT
    )
