"""Reports: one HTML file with what was measured, for a colleague who has nothing but a browser."""

from __future__ import annotations

from workbench.reporting.report import report
from workbench.reporting.results import Failed

__all__ = ["Failed", "report"]
