"""Where two configs part: what their ops give, compared one by one."""

from __future__ import annotations

from workbench.verifying.divergence.find import first_divergence, plain_config
from workbench.verifying.divergence.result import Coverage, Divergence, FinalOp, Point

__all__ = ["Coverage", "Divergence", "FinalOp", "Point", "first_divergence", "plain_config"]
