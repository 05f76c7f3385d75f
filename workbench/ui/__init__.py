"""Widgets for notebooks: thin, over the rooms below."""

from __future__ import annotations

from workbench.ui.graph_view import GraphView, view
from workbench.ui.workbench import Workbench, open  # noqa: A004

__all__ = ["GraphView", "Workbench", "open", "view"]
