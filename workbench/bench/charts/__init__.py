"""Charts in plotly of what was measured, each a function of values, for a light or a dark page."""

from __future__ import annotations

from workbench.bench.charts.compare import comparison_chart, waterfall_chart
from workbench.bench.charts.history import history_chart
from workbench.bench.charts.ops import ops_chart, ops_treemap
from workbench.bench.charts.samples import distribution_chart, ecdf_chart, latency_chart
from workbench.bench.charts.save import save_chart
from workbench.bench.charts.scan import scan_chart, throughput_chart
from workbench.bench.charts.sweep import sweep_chart
from workbench.bench.charts.timeline import timeline_chart
from workbench.bench.charts.tuning import tuning_chart

__all__ = [
    "comparison_chart",
    "distribution_chart",
    "ecdf_chart",
    "history_chart",
    "latency_chart",
    "ops_chart",
    "ops_treemap",
    "save_chart",
    "scan_chart",
    "sweep_chart",
    "throughput_chart",
    "timeline_chart",
    "tuning_chart",
    "waterfall_chart",
]
