"""Tuning: the fastest config for a model, a machine and a goal, in bounded time."""

from __future__ import annotations

from workbench.bench.tuning.results import Trial, Tuning
from workbench.bench.tuning.tuner import tune

__all__ = ["Trial", "Tuning", "tune"]
