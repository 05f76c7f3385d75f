"""Paddle Inference Workbench: the graph after every pass, switches on each, and latency that holds."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from workbench._version import __version__

if TYPE_CHECKING:
    from workbench import deploy
    from workbench.bench import Benchmark, benchmark
    from workbench.config import InferenceConfig
    from workbench.core import Session
    from workbench.errors import WorkbenchError
    from workbench.models import Model, from_bytes, load, sample, sample_inputs, sample_labels
    from workbench.tracing import PassTrace, trace
    from workbench.ui import open  # noqa: A004

# Each name is loaded when first used, so that importing the package costs next to nothing.
_ROOMS = {
    "Benchmark": "bench",
    "InferenceConfig": "config",
    "Model": "models",
    "PassTrace": "tracing",
    "Session": "core",
    "WorkbenchError": "errors",
    "benchmark": "bench",
    "from_bytes": "models",
    "load": "models",
    "open": "ui",
    "sample": "models",
    "sample_inputs": "models",
    "sample_labels": "models",
    "trace": "tracing",
}

__all__ = [
    "Benchmark",
    "InferenceConfig",
    "Model",
    "PassTrace",
    "Session",
    "WorkbenchError",
    "__version__",
    "benchmark",
    "deploy",
    "from_bytes",
    "load",
    "open",
    "sample",
    "sample_inputs",
    "sample_labels",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name == "deploy":
        return importlib.import_module("workbench.deploy")
    if name not in _ROOMS:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"workbench.{_ROOMS[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
