"""What each pass is worth: latency with and without it, alone and in pairs, and the outputs beside it."""

from __future__ import annotations

from workbench.bench.ablation.leaveout import ablate
from workbench.bench.ablation.results import Ablation, PairWorth, PassWorth, Step

__all__ = ["Ablation", "PairWorth", "PassWorth", "Step", "ablate"]
