"""Measuring latency: samples, statistics, comparison."""

from __future__ import annotations

from workbench.bench.benchmark import Benchmark, Comparison, Run, benchmark, random_inputs

__all__ = ["Benchmark", "Comparison", "Run", "benchmark", "random_inputs"]
