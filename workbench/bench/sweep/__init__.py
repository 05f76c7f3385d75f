"""Sweeps: models × configs on any executor or cluster, one benchmark at a time on each machine.

The rooms: what is asked and given back (``run``, ``results``), the caller's side (``drive``, ``crew``,
``cluster``), the worker's (``attempt``, ``machine``), and what goes between them (``content``, ``signals``).
"""

from __future__ import annotations

from workbench.bench.sweep.results import Attempt, Outcome, Sweep
from workbench.bench.sweep.run import sweep

__all__ = ["Attempt", "Outcome", "Sweep", "sweep"]
