"""The parts of the workbench: the passes and the graph, and below them a panel for each kind of work."""

from __future__ import annotations

from workbench.ui.panels.host import Host, Panel
from workbench.ui.panels.latency import LatencyPanel
from workbench.ui.panels.passes import PassesPanel
from workbench.ui.panels.run import RunPanel
from workbench.ui.panels.verify import VerifyPanel

__all__ = ["Host", "LatencyPanel", "Panel", "PassesPanel", "RunPanel", "VerifyPanel"]
