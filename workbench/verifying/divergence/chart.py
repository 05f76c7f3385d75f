"""How far two predictors are apart, along the depth of the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.bench.charts.dress import (
    COLOURS,
    FAINT,
    NEUTRAL,
    SLOWER,
    counted,
    empty_figure,
    figure_of,
    hover_text,
    label_text,
    powers_of_ten,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from workbench.verifying.divergence.result import Divergence, Point

NOTHING = "No values were compared: none of the ops of the two final graphs stand for the same."
# What is equal has no place on a logarithmic axis: it stands at this share of the least that differs.
EQUAL = 0.1
TITLE = "Difference along the depth"


def divergence_chart(found: Divergence, theme: str = "light") -> go.Figure:
    """The difference of every point, by the place of its op in the model, on a logarithmic axis.

    Args:
        found: what was compared.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    points = found.points
    if not points:
        return empty_figure(TITLE, NOTHING, theme)
    tolerances = sorted({one.tolerance for one in points if one.tolerance})
    known = [one.difference for one in points if 0 < one.difference < math.inf]
    low = EQUAL * min([*known, *tolerances], default=1e-9)
    high = max([*known, *tolerances], default=1.0) * 2
    drawn = [one for one in points if one.tolerance]
    kinds = _kinds(found)
    figure = figure_of(
        TITLE,
        _said(found),
        theme,
        height=360,
        legend=[*(name for name, shown, *_ in kinds if shown), "tolerance"],
        flat=True,
    )
    figure.add_trace(
        go.Scatter(
            x=[one.op for one in points],
            y=[_height(one, low, high) for one in points],
            mode="lines",
            line={"color": FAINT, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    if drawn:
        figure.add_trace(
            go.Scatter(
                x=[one.op for one in drawn],
                y=[one.tolerance for one in drawn],
                mode="lines",
                line={"color": NEUTRAL, "dash": "dash", "width": 1.5, "shape": "hv"},
                name="tolerance",
                hovertemplate="tolerance %{y:.2~g}<extra></extra>",
            )
        )
    for name, shown, colour, symbol, size in kinds:
        if shown:
            figure.add_trace(
                go.Scatter(
                    x=[one.op for one in shown],
                    y=[_height(one, low, high) for one in shown],
                    customdata=[_hover(one) for one in shown],
                    mode="markers",
                    marker={"color": colour, "symbol": symbol, "size": size},
                    name=name,
                    hovertemplate="%{customdata}<extra></extra>",
                )
            )
    if found.first is not None:
        _note_first(figure, found.first, points, low, high)
    figure.update_xaxes(title={"text": "op of the model, in the order they run"})
    figure.update_yaxes(
        powers_of_ten(figure, low, high),
        title={"text": "||a − b|| / ||a||"},
        # Above the points there is room for the name of the first divergence.
        range=[math.log10(low) - 0.2, math.log10(high) + 0.1 * math.log10(high / low)],
    )
    return figure


def _kinds(found: Divergence) -> list[tuple[str, list[Point], str, str, int]]:
    """Name, points, colour, symbol and size of each kind of point."""
    beyond = [one for one in found.beyond if one is not found.first]
    heals = [one for one in found.points if one.heals]
    marked = {id(one) for one in (*beyond, *heals, found.first)}
    others = [one for one in found.points if id(one) not in marked]
    return [
        ("explained by its inputs, or within tolerance", others, COLOURS[0], "circle", 6),
        ("without effect further on", heals, COLOURS[3], "circle-open", 8),
        ("begins to differ here", beyond, COLOURS[1], "diamond", 9),
        ("first divergence", [] if found.first is None else [found.first], SLOWER, "star", 15),
    ]


def _said(found: Divergence) -> str:
    equal = sum(not one.difference and not one.lost for one in found.points)
    said = f"{counted(len(found.points), 'value')} compared"
    said += f" ({min(one.share for one in found.coverage):.0%} to " if _apart(found) else " ("
    said += f"{max(one.share for one in found.coverage):.0%} of the ops)."
    if equal:
        said += (
            f" {counted(equal, 'value')} equal to the last bit {'is' if equal == 1 else 'are'} at the bottom."
        )
    if any(not math.isfinite(one.difference) or one.lost for one in found.points):
        said += " Values that are NaN or infinite in one alone are at the top."
    return said


def _apart(found: Divergence) -> bool:
    shares = [f"{one.share:.0%}" for one in found.coverage]
    return shares[0] != shares[1]


def _height(one: Point, low: float, high: float) -> float:
    if one.lost or not math.isfinite(one.difference):
        return high
    return max(one.difference, low)


def _note_first(figure: go.Figure, first: Point, points: Sequence[Point], low: float, high: float) -> None:
    right = first.op > (points[0].op + points[-1].op) / 2
    figure.add_annotation(
        # plotly wants the logarithm here, and only here.
        x=first.op,
        y=math.log10(_height(first, low, high)),
        text=label_text(f"{first.op} {first.type}"),
        showarrow=True,
        arrowcolor=NEUTRAL,
        xanchor="right" if right else "left",
        ax=-14 if right else 14,
        ay=-26,
        font={"size": 12},
    )


def _hover(one: Point) -> str:
    lines = [
        f"{one.op} {one.type}, {one.value}",
        one.layer,
        f"difference {one.difference:.3g}, of its inputs {one.inherited:.3g}, tolerance {one.tolerance:.2g}",
        f"{one.lost:,} positions NaN or infinite in one alone" if one.lost else "",
        f"a: {one.config}",
        f"b: {one.against}",
        f"{one.dtypes[0]} {list(one.shape)}",
    ]
    return "<br>".join(hover_text(line) for line in lines if line)
