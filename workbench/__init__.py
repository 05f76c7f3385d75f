"""Paddle Inference Workbench: the graph after every pass, switches on each, and latency that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench._lazy import lazily
from workbench._version import __version__

if TYPE_CHECKING:
    from workbench import deploy
    from workbench.bench import Benchmark, History, benchmark, profile
    from workbench.bench.ablation import ablate
    from workbench.bench.sweep import sweep
    from workbench.bench.tuning import tune
    from workbench.config import InferenceConfig
    from workbench.core import Session
    from workbench.errors import WorkbenchError
    from workbench.models import Model, from_bytes, load, sample, sample_inputs, sample_labels
    from workbench.reporting import report
    from workbench.tracing import PassTrace, trace
    from workbench.ui import open, view  # noqa: A004
    from workbench.verifying import bisect, first_divergence, reduce, sensitivity, verify

_ROOMS = {
    "Benchmark": "bench",
    "History": "bench",
    "InferenceConfig": "config",
    "Model": "models",
    "PassTrace": "tracing",
    "Session": "core",
    "WorkbenchError": "errors",
    "ablate": "bench.ablation",
    "benchmark": "bench",
    "bisect": "verifying",
    "deploy": "deploy",
    "first_divergence": "verifying",
    "from_bytes": "models",
    "load": "models",
    "open": "ui",
    "profile": "bench",
    "reduce": "verifying",
    "report": "reporting",
    "sample": "models",
    "sample_inputs": "models",
    "sample_labels": "models",
    "sensitivity": "verifying",
    "sweep": "bench.sweep",
    "trace": "tracing",
    "tune": "bench.tuning",
    "verify": "verifying",
    "view": "ui",
}

__all__ = [
    "Benchmark",
    "History",
    "InferenceConfig",
    "Model",
    "PassTrace",
    "Session",
    "WorkbenchError",
    "__version__",
    "ablate",
    "benchmark",
    "bisect",
    "deploy",
    "first_divergence",
    "from_bytes",
    "load",
    "open",
    "profile",
    "reduce",
    "report",
    "sample",
    "sample_inputs",
    "sample_labels",
    "sensitivity",
    "sweep",
    "trace",
    "tune",
    "verify",
    "view",
]


__getattr__ = lazily(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted(__all__)
