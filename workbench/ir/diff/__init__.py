"""Says what a pass did: which ops of two graphs are the same, and which came, went or changed."""

from __future__ import annotations

from workbench.ir.diff.compare import Diff, Mark, diff, diff_of, same_graph
from workbench.ir.diff.names import canonical_type
from workbench.ir.diff.words import alterations

__all__ = ["Diff", "Mark", "alterations", "canonical_type", "diff", "diff_of", "same_graph"]
