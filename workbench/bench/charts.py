"""Latency as plotly figures, readable on a light and on a dark page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from workbench.bench.benchmark import Run

# Okabe and Ito's palette, told apart with every common colour vision, without its black and yellow,
# which vanish on one of the two grounds.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
# Of more samples than this, every n-th is drawn as a point; box and percentiles are made of all.
POINTS_MOST = 2000


def latency_chart(runs: Sequence[Run], theme: str = "light") -> Any:
    """A box with its samples for each run, the first on top; p50 and p99 are written beside it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, run in enumerate(runs):
        samples = run.samples_ms
        q1, p50, q3, p99 = (float(value) for value in np.percentile(samples, [25, 50, 75, 99]))
        reach = 1.5 * (q3 - q1)
        step = max(1, math.ceil(len(samples) / POINTS_MOST))
        figure.add_trace(
            go.Box(
                x=[samples[::step]],
                y=[run.label],
                q1=[q1],
                median=[p50],
                q3=[q3],
                lowerfence=[float(samples[samples >= q1 - reach].min())],
                upperfence=[float(samples[samples <= q3 + reach].max())],
                name=run.label,
                orientation="h",
                boxpoints="all",
                jitter=0.6,
                pointpos=0,
                marker={
                    "size": 3,
                    "opacity": 0.6 if theme == "dark" else 0.35,
                    "color": COLOURS[index % len(COLOURS)],
                },
                line={"width": 2},
                fillcolor="rgba(0,0,0,0)",
                hovertemplate="%{x:.3f} ms<extra>%{fullData.name}</extra>",
                showlegend=False,
            )
        )
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="left",
            y=run.label,
            text=f" p50 {p50:.3g} ms<br> p99 {p99:.3g} ms",
            showarrow=False,
            align="left",
        )
    low = min(run.samples_ms.min() for run in runs)
    high = max(np.percentile(run.samples_ms, 99.5) for run in runs)
    room = (high - low) * 0.05 or high * 0.05
    figure.update_xaxes(title="latency of one run, ms", range=[max(0, low - room), high + room])
    figure.update_yaxes(type="category", autorange="reversed", automargin=True)
    _dress(figure, theme, height=120 + 70 * len(runs))
    return figure


def _dress(figure: Any, theme: str, height: int) -> None:
    figure.update_layout(
        template="plotly_dark" if theme == "dark" else "plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=height,
        margin={"l": 20, "r": 110, "t": 20, "b": 50},
    )
