"""Latency and throughput as something grows: a batch, a sequence, the number of predictors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from workbench.bench.charts.dress import (
    COLOURS,
    LATENCY,
    NEUTRAL,
    counted,
    empty_figure,
    figure_of,
    ms,
    samples_of,
    without,
)
from workbench.bench.samples import Run

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Sizes further apart than this stand on a logarithmic axis.
WIDE = 8


class Sized(Protocol):
    """A model measured at one size.

    Attributes:
        size: items in a batch, or length of a sequence, above 0.
        run: what was measured.
    """

    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def run(self) -> Run: ...  # noqa: D102


class Loaded(Protocol):
    """A model measured with several predictors at once.

    Attributes:
        predictors: how many.
        per_second: inferences per second of all together.
        p50_ms: median latency of one inference.
        p99_ms: its 99th percentile.
    """

    @property
    def predictors(self) -> int: ...  # noqa: D102
    @property
    def per_second(self) -> float: ...  # noqa: D102
    @property
    def p50_ms(self) -> float: ...  # noqa: D102
    @property
    def p99_ms(self) -> float: ...  # noqa: D102


def scan_chart(points: Sequence[Sized], theme: str = "light", *, what: str = "batch size") -> go.Figure:
    """Latency against a size: the median with the band from p10 to p90, and the median for each item.

    Args:
        points: what was measured, in any order.
        theme: ``light`` or ``dark``.
        what: names the size, such as ``batch size`` or ``sequence length``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = f"Latency against {what}"
    pairs = [(one.size, samples_of(one.run)) for one in sorted(points, key=lambda one: one.size)]
    pairs = [(size, samples) for size, samples in pairs if len(samples) and size > 0]
    if not pairs:
        return empty_figure(title, f"No samples yet: measure the model at several values of {what}.", theme)
    said = "Line: median; band: p10 to p90, in which 80 % of the samples are."
    figure = figure_of(
        title,
        f"{said} {without(len(points) - len(pairs), 'size')}",
        theme,
        height=340,
        columns=2,
        horizontal_spacing=0.13,
    )
    sizes = np.array([size for size, _ in pairs])
    p10, p50, p90 = np.array([np.percentile(samples, [10, 50, 90]) for _, samples in pairs]).T
    for column, (scale, colour, hover) in enumerate(
        ((np.ones(len(sizes)), COLOURS[0], "ms"), (1 / sizes, COLOURS[5], "ms for each item")), 1
    ):
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([sizes, sizes[::-1]]),
                y=np.concatenate([p10 * scale, (p90 * scale)[::-1]]),
                fill="toself",
                # One point has no area, but its line is seen.
                line={"width": 1, "color": colour},
                opacity=0.3,
                mode="lines",
                name="p10 to p90",
                hoverinfo="skip",
            ),
            row=1,
            col=column,
        )
        figure.add_trace(
            go.Scatter(
                x=sizes,
                y=p50 * scale,
                customdata=np.column_stack([p10 * scale, p90 * scale]),
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 8},
                name="p50",
                hovertemplate=f"%{{x}}: p50 %{{y:.4~g}} {hover}<br>p10 %{{customdata[0]:.4~g}}, p90"
                " %{customdata[1]:.4~g}<extra></extra>",
            ),
            row=1,
            col=column,
        )
    wide = sizes[-1] >= WIDE * sizes[0]
    figure.update_xaxes(
        title={"text": what},
        type="log" if wide else "linear",
        tickmode="array",
        tickvals=_readable(sizes, wide),
        ticktext=[f"{one:,}" for one in _readable(sizes, wide)],
    )
    figure.update_yaxes(rangemode="tozero")
    figure.update_yaxes(title={"text": LATENCY}, col=1)
    figure.update_yaxes(title={"text": "latency for each item, ms"}, col=2)
    least = int(np.argmin(p50 / sizes))
    figure.add_annotation(
        # plotly wants the logarithm here, and only here.
        x=math.log10(sizes[least]) if wide else float(sizes[least]),
        y=float(p50[least] / sizes[least]),
        xref="x2",
        yref="y2",
        text=f"least: {ms(float(p50[least] / sizes[least]))} ms at {sizes[least]}",
        showarrow=True,
        xanchor="right" if least >= len(sizes) / 2 else "left",
        arrowcolor=NEUTRAL,
        ax=0,
        ay=-40,
        font={"size": 12},
    )
    return figure


def _readable(sizes: npt.NDArray[np.int64], wide: bool) -> list[int]:
    """The sizes that can be written under an axis without touching each other."""
    places = np.log(sizes) if wide else sizes.astype(float)
    apart = float(np.ptp(places)) / 10
    kept: list[int] = []
    for size, place in zip(sizes.tolist(), places.tolist(), strict=True):
        last = math.log(kept[-1]) if kept and wide else kept[-1] if kept else -math.inf
        if place - last >= apart and size not in kept:
            kept.append(size)
    return kept


def throughput_chart(points: Sequence[Loaded], theme: str = "light") -> go.Figure:
    """Inferences per second against latency, a point for each number of predictors.

    Args:
        points: what was measured, in any order.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Throughput against latency"
    shown = sorted(
        (one for one in points if all(map(math.isfinite, (one.per_second, one.p50_ms, one.p99_ms)))),
        key=lambda one: one.predictors,
    )
    if not shown:
        return empty_figure(
            title, "No samples yet: measure the model with several predictors at once.", theme
        )
    said = "Beside each point: the number of predictors that run at once. Up and left is better."
    said += f" {without(len(points) - len(shown), 'point', 'a number')}"
    figure = figure_of(title, said, theme, height=400, legend=("p99 latency", "p50 latency"), flat=True)
    rates = [one.per_second for one in shown]
    for name, values, colour, symbol, dash in (
        ("p99 latency", [one.p99_ms for one in shown], COLOURS[0], "circle", "solid"),
        ("p50 latency", [one.p50_ms for one in shown], COLOURS[1], "square-open", "dot"),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=rates,
                text=[f"{one.predictors}" for one in shown],
                textposition="top left",
                customdata=[counted(one.predictors, "predictor") for one in shown],
                mode="lines+markers+text" if name.startswith("p99") else "lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 10, "symbol": symbol},
                name=name,
                hovertemplate="%{customdata}<br>%{y:.4~g} inferences/s<br>"
                f"{name} %{{x:.4~g}} ms<extra></extra>",
            )
        )
    figure.update_xaxes(title={"text": LATENCY}, rangemode="tozero")
    figure.update_yaxes(title={"text": "throughput, inferences/s"}, rangemode="tozero")
    return figure
