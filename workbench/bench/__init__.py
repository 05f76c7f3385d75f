"""Measuring latency: samples, statistics, comparison, what each op and each pass takes, history."""

from __future__ import annotations

from workbench.bench.benchmark import benchmark
from workbench.bench.history import History
from workbench.bench.inputs import random_inputs
from workbench.bench.profiling import Profile, profile
from workbench.bench.results import Benchmark, Comparison
from workbench.bench.samples import Launch, Round, Run
from workbench.bench.scan import Scan, scan
from workbench.bench.throughput import Throughput, throughput

__all__ = [
    "Benchmark",
    "Comparison",
    "History",
    "Launch",
    "Profile",
    "Round",
    "Run",
    "Scan",
    "Throughput",
    "benchmark",
    "profile",
    "random_inputs",
    "scan",
    "throughput",
]
