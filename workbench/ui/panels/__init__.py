"""What stands below the graph in the workbench: a panel for each kind of work, with its last results."""

from __future__ import annotations

from workbench.ui.panels.host import Host, Panel
from workbench.ui.panels.latency import LatencyPanel
from workbench.ui.panels.run import RunPanel
from workbench.ui.panels.verify import VerifyPanel

__all__ = ["Host", "LatencyPanel", "Panel", "RunPanel", "VerifyPanel"]
