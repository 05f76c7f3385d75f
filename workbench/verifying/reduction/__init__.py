"""The smallest part of a model that still fails as the whole does, and the folder to send upstream."""

from __future__ import annotations

from workbench.verifying.reduction.reduce import reduce
from workbench.verifying.reduction.results import Probe, Reduction

__all__ = ["Probe", "Reduction", "reduce"]
