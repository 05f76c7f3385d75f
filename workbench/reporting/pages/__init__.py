"""The pages of a report, each made of results; without any, None or a block that says what is missing."""

from __future__ import annotations

from workbench.reporting.pages.environment import environment_page
from workbench.reporting.pages.history import history_page
from workbench.reporting.pages.latency import latency_page, sizes_page
from workbench.reporting.pages.ops import ops_page
from workbench.reporting.pages.passes import passes_page
from workbench.reporting.pages.summary import summary_page

__all__ = [
    "environment_page",
    "history_page",
    "latency_page",
    "ops_page",
    "passes_page",
    "sizes_page",
    "summary_page",
]
