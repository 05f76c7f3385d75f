"""Models × configs: medians with their intervals, grouped by what was measured together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.bench.charts.dress import (
    FAINT,
    LATENCY,
    beside,
    empty_figure,
    figure_of,
    hover_text,
    label_text,
    log_axis,
    ms,
    row_labels,
    style,
    without,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Latencies further apart than this are on a logarithmic axis.
WIDE = 4.0

Row = Mapping[str, Any]


def sweep_chart(
    groups: Sequence[tuple[str, Sequence[Row]]], theme: str = "light", *, failed: int = 0
) -> go.Figure:
    """For every config the median latency with its 95 % interval and a line up to p90, group by group.

    Args:
        groups: what was measured together: a name, such as that of model and machine, and rows as
            `workbench.bench.sweep.Sweep.table` has them.
        theme: ``light`` or ``dark``.
        failed: how many units have no numbers.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Latency of models under configs"
    shown = [(name, rows) for name, rows in groups if rows]
    if not shown:
        return empty_figure(title, "Nothing was measured: the failures of the sweep say why.", theme)
    said = (
        "Point: p50 with its 95 % interval; line: up to p90. Configs under one heading took turns on one "
        "machine, and only they can be compared."
    )
    said += f" {without(failed, 'unit', 'numbers')}"
    labels = list(dict.fromkeys(row["config"] for _, rows in shown for row in rows))
    height = 40 + sum(34 + 30 * len(rows) for _, rows in shown)
    figure = figure_of(title, said, theme, height=height, right=190)
    names: list[str] = []
    notes: list[tuple[float, str]] = []
    for name, rows in shown:
        names.append(f"<b>{label_text(name, 44)}</b>")
        for row in rows:
            place = len(names)
            names.append(label_text(row["config"]))
            notes.append((place, _note(row)))
            colour, _, symbol = style(labels.index(row["config"]))
            low, high = row["ci95"] or (row["p50_ms"], row["p50_ms"])
            figure.add_trace(
                go.Scatter(
                    x=[row["p50_ms"], row["p90_ms"]],
                    y=[place, place],
                    mode="lines",
                    line={"color": FAINT, "width": 5},
                    hoverinfo="skip",
                    name="up to p90",
                )
            )
            figure.add_trace(
                go.Scatter(
                    x=[row["p50_ms"]],
                    y=[place],
                    error_x={
                        "type": "data",
                        "symmetric": False,
                        "array": [high - row["p50_ms"]],
                        "arrayminus": [row["p50_ms"] - low],
                        "thickness": 2,
                        "width": 6,
                        "color": colour,
                    },
                    mode="markers",
                    marker={"size": 11, "color": colour, "symbol": symbol},
                    name=label_text(row["config"]),
                    hovertemplate=f"{hover_text(row['config'])}<br>{hover_text(name)}<br>"
                    f"p50 {row['p50_ms']:.4g} ms ({low:.4g}–{high:.4g}), p90 {row['p90_ms']:.4g} ms"
                    "<extra></extra>",
                )
            )
    ends = [
        end
        for _, rows in shown
        for row in rows
        for end in (*(row["ci95"] or ()), row["p50_ms"], row["p90_ms"])
    ]
    figure.update_xaxes(title={"text": LATENCY})
    if min(ends) > 0 and max(ends) / min(ends) > WIDE:
        log_axis(figure, min(ends), max(ends))
    beside(figure, notes, size=11)
    row_labels(figure, names)
    return figure


def _note(row: Row) -> str:
    note = f"<b>{ms(row['p50_ms'])} ms</b>"
    if row["ratio"] is None:
        return note
    return f"{note}, {row['ratio']:.3f} ({label_text(row['verdict'])})"
