"""The trace: an ordered list of stages, each a pass and the graph after it."""

from __future__ import annotations

from workbench.tracing.lineage import Change, Lineage
from workbench.tracing.passtrace import PassTrace, Stage, trace

__all__ = ["Change", "Lineage", "PassTrace", "Stage", "trace"]
