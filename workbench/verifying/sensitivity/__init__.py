"""Which ops to keep in fp32 where the rest runs in a lower precision."""

from __future__ import annotations

from workbench.verifying.sensitivity.results import Ranked, Sensitivity
from workbench.verifying.sensitivity.take import sensitivity

__all__ = ["Ranked", "Sensitivity", "sensitivity"]
