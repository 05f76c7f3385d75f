"""How much each candidate alone in the lower precision changes the outputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.bench.charts.dress import (
    COLOURS,
    NEUTRAL,
    SLOWER,
    beside,
    counted,
    empty_figure,
    figure_of,
    hover_text,
    label_text,
    powers_of_ten,
    row_labels,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from workbench.verifying.sensitivity.results import Ranked, Sensitivity

TITLE = "Sensitivity to a lower precision"
NOTHING = "No op of this model computes in float32, so there is nothing to lower."
MOST = 30
# Layers named in a hover box.
LAYERS = 8
KINDS = (
    ("keep in fp32", SLOWER),
    ("fails alone", COLOURS[1]),
    ("passes alone", COLOURS[0]),
    ("not judged", NEUTRAL),
)


def sensitivity_chart(found: Sensitivity, theme: str = "light") -> go.Figure:
    """A bar per candidate, what differs most on top, on a logarithmic axis.

    Args:
        found: what was ranked.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    rows = found.ranking[:MOST]
    if not rows:
        return empty_figure(TITLE, NOTHING, theme)
    by_tolerance = found.check == "output"
    sizes = [_size(one, by_tolerance) for one in rows]
    known = [one for one in sizes if 0 < one < math.inf]
    ends = [*known, *([1.0] if by_tolerance else [])] or [1.0]
    low, high = min(ends) / 3, max(ends) * 3
    kinds = [_kind(one, found) for one in rows]
    figure = figure_of(
        TITLE,
        _said(found, len(rows)),
        theme,
        height=40 + 23 * len(rows),
        legend=[name for name, _ in KINDS if name in kinds],
        flat=True,
        right=110,
    )
    for name, colour in KINDS:
        places = [place for place, kind in enumerate(kinds) if kind == name]
        if places:
            figure.add_trace(
                go.Bar(
                    # What is infinite reaches the end of the axis, and what is 0 does not begin.
                    x=[min(max(sizes[place], low), high) for place in places],
                    y=places,
                    orientation="h",
                    width=0.72,
                    customdata=[_hover(rows[place]) for place in places],
                    marker={"color": colour},
                    name=name,
                    hovertemplate="%{customdata}<extra></extra>",
                )
            )
    beside(figure, [(place, _note(size)) for place, size in enumerate(sizes)], size=11)
    row_labels(figure, [label_text(one.name) for one in rows])
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(tickfont={"size": 12})
    if by_tolerance:
        figure.add_vline(x=1.0, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    figure.update_xaxes(
        powers_of_ten(figure, low, high),
        range=[math.log10(low), math.log10(high)],
        title={
            "text": "largest difference, times what the tolerance allows"
            if by_tolerance
            else "||a − b|| / ||a||"
        },
    )
    return figure


def _size(one: Ranked, by_tolerance: bool) -> float:
    size = one.of_tolerance if by_tolerance else one.difference
    return 0.0 if size is None else size


def _kind(one: Ranked, found: Sensitivity) -> str:
    if one.name in found.keep:
        return "keep in fp32"
    return "not judged" if one.passed is None else "passes alone" if one.passed else "fails alone"


def _said(found: Sensitivity, shown: int) -> str:
    what = "type" if found.by == "type" else "op"
    said = f"Each {what} alone in {found.precision} ({found.method}), all others in fp32."
    if found.check == "output":
        said += " Dashed: the tolerance."
    if shown < len(found.ranking):
        said += f" {counted(len(found.ranking) - shown, what)} that differ less are not shown."
    return said


def _note(size: float) -> str:
    return "<b>NaN or ∞</b>" if math.isinf(size) else f"<b>{size:.3g}</b>"


def _hover(one: Ranked) -> str:
    lines = [one.name, counted(len(one.ops), "op")]
    if one.difference is not None:
        lines.append(f"||a − b|| / ||a|| {one.difference:.3g}")
    if one.of_tolerance is not None:
        lines.append(f"{one.of_tolerance:.3g} times what the tolerance allows")
    lines += [one.words, *one.layers[:LAYERS]]
    if len(one.layers) > LAYERS:
        lines.append(f"and {counted(len(one.layers) - LAYERS, 'other layer')}")
    return "<br>".join(hover_text(line) for line in lines if line)
