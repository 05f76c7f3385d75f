"""The model over time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from workbench.bench import History
from workbench.errors import WorkbenchError
from workbench.models import Model
from workbench.reporting.blocks import Chart, Page, Paragraph, Table
from workbench.reporting.pages.shared import shape_text
from workbench.reporting.words import number, sentence, with_interval

# Rows of a table that a person reads; the facts have all.
HISTORY_MOST = 30


def history_page(model: Model, kept: History) -> tuple[Page, list[dict[str, Any]]]:
    """This model over time, and the same as plain values."""
    title = "History"
    try:
        points = kept.over_time(model)
    except WorkbenchError as error:
        return Page(title, [Paragraph(f"No history: {sentence(str(error))}", problem=True)]), []
    if not points:
        reason = (
            "no history is kept on this machine"
            if kept.path is None
            else "no benchmark of this model was recorded"
        )
        return Page(title, [Paragraph(f"No history: {sentence(reason)}", problem=True)]), []
    newest = points[::-1][:HISTORY_MOST]
    caption = "Benchmarks of this model, the newest first"
    if len(points) > len(newest):
        caption += f": {len(newest)} of {len(points):,}"
    rows = [
        (
            f"{point.began.astimezone():%Y-%m-%d %H:%M}",
            point.label,
            " ".join(f"{name} {shape_text(shape)}" for name, shape in point.entry.inputs.items()),
            with_interval(point.p50_ms, point.ci95),
            number(point.p99_ms),
            f"{point.samples:,}",
            point.paddle,
            point.cpu,
        )
        for point in newest
    ]
    head = ("when", "config", "inputs", "p50 ms, 95 %", "p99 ms", "samples", "Paddle", "CPU")
    draw: Callable[[str], Any] = partial(_history_chart, kept, model)
    facts = [entry.facts() for entry in {point.entry.id: point.entry for point in points}.values()]
    return Page(title, [Chart("Latency over time", draw), Table(caption, head, rows, (3, 4, 5))]), facts


def _history_chart(kept: History, model: Model, theme: str) -> Any:
    return kept.chart(model, "dark" if theme == "dark" else "light")
