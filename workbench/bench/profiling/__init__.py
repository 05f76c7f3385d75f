"""The per-op profile: what each op of the final graph takes, and how that fits the latency of the whole."""

from __future__ import annotations

from workbench.bench.profiling.calls import Call, find_calls
from workbench.bench.profiling.result import GroupTime, OpsChartKind, Profile
from workbench.bench.profiling.take import profile
from workbench.bench.profiling.times import OpTime

__all__ = ["Call", "GroupTime", "OpTime", "OpsChartKind", "Profile", "find_calls", "profile"]
