"""Which passes make a check fail: delta debugging over the passes that can be switched off."""

from __future__ import annotations

from workbench.verifying.bisection.bisecting import bisect
from workbench.verifying.bisection.outcome import Outcome, Probe
from workbench.verifying.bisection.results import Bisection

__all__ = ["Bisection", "Outcome", "Probe", "bisect"]
