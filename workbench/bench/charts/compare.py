"""What a change is worth: ratios of configs, and passes one after the other, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from workbench.bench.charts.dress import (
    BAND,
    FASTER,
    NEUTRAL,
    SLOWER,
    beside,
    empty_figure,
    figure_of,
    hover_text,
    label_text,
    log_axis,
    ms,
    row_labels,
    without,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOUR = {"faster": FASTER, "slower": SLOWER}
SYMBOL = {"faster": "triangle-left", "slower": "triangle-right"}
# Ratios further apart than this are on a logarithmic axis.
WIDE = 4.0


class Compared(Protocol):
    """How a config ``b`` compares with a config ``a``.

    Attributes:
        a: label of what it is compared with.
        b: label of what is compared.
        ratio: latency of b over latency of a, above 0.
        ci95: the ratio's 95 % interval, or None from too few rounds.
        verdict: ``faster``, ``slower`` or ``no difference seen``.
    """

    @property
    def a(self) -> str: ...  # noqa: D102
    @property
    def b(self) -> str: ...  # noqa: D102
    @property
    def ratio(self) -> float: ...  # noqa: D102
    @property
    def ci95(self) -> tuple[float, float] | None: ...  # noqa: D102
    @property
    def verdict(self) -> str: ...  # noqa: D102


class Step(Protocol):
    """A change of latency, such as a pass.

    Attributes:
        name: what changes.
        ms: by how much, in milliseconds; below 0 where it makes the model faster.
        low: the lower end of the change's interval, or None if there is none.
        high: the upper end.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def ms(self) -> float: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102


def comparison_chart(
    comparisons: Sequence[Compared], theme: str = "light", *, same: float | None = None
) -> go.Figure:
    """A forest plot: for each comparison the ratio of latencies with its 95 % interval and its verdict.

    Args:
        comparisons: what to show, the first on top.
        theme: ``light`` or ``dark``.
        same: the relative difference that counts as none, such as 0.01, drawn as a band around 1; None where
            the verdict asks only whether the interval holds 1.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Latency compared"
    shown = [one for one in comparisons if math.isfinite(one.ratio) and one.ratio > 0]
    if not shown:
        return empty_figure(title, "No comparisons yet: measure two configs or more in one benchmark.", theme)
    alone = len({one.a for one in shown}) == 1
    if alone:
        title += f" with: {label_text(shown[0].a, 50)}"
    said = "Ratio of latencies with its 95 % interval. Left of 1 is faster, right of it slower."
    if same:
        said += f" The band, within {100 * same:g} % of 1, counts as no difference."
    if any(one.ci95 is None for one in shown):
        said += " No interval: too few rounds for one."
    said += f" {without(len(comparisons) - len(shown), 'comparison', 'a ratio')}"
    names = [one.b if alone else f"{one.b} / {one.a}" for one in shown]
    figure = figure_of(title, said, theme, height=40 + 52 * len(shown), right=170)
    notes = []
    for row, one in enumerate(shown):
        low, high = one.ci95 or (one.ratio, one.ratio)
        colour = COLOUR.get(one.verdict, NEUTRAL)
        span = f"{low:.3f}–{high:.3f}" if one.ci95 else "no interval: too few rounds"
        whole = f"{hover_text(one.b)}<br>against {hover_text(one.a)}"
        figure.add_trace(
            go.Scatter(
                x=[one.ratio],
                y=[row],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [high - one.ratio],
                    "arrayminus": [one.ratio - low],
                    "thickness": 2.5,
                    "width": 7,
                    "color": colour,
                    "visible": one.ci95 is not None,
                },
                mode="markers",
                marker={"size": 12, "color": colour, "symbol": SYMBOL.get(one.verdict, "circle")},
                name=label_text(one.b),
                hovertemplate=f"{whole}<br>{label_text(one.verdict)}: {one.ratio:.4f} ({span})"
                "<extra></extra>",
            )
        )
        ratio = f"{one.ratio:.3f} ({span})" if one.ci95 else f"{one.ratio:.3f} (no interval)"
        notes.append((row, f"<b>{label_text(one.verdict)}</b><br>{ratio}"))
    ends = [end for one in shown for end in (*(one.ci95 or ()), one.ratio, 1 - (same or 0), 1 + (same or 0))]
    # After the traces: plotly leaves lines out of a plot that has none.
    if same:
        figure.add_vrect(x0=1 - same, x1=1 + same, fillcolor=BAND, line_width=0, layer="below")
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 2}, layer="below")
    _ratio_axis(figure, min(ends), max(ends))
    beside(figure, notes)
    row_labels(figure, [label_text(name) for name in names])
    return figure


def _ratio_axis(figure: go.Figure, low: float, high: float) -> None:
    figure.update_xaxes(title={"text": "ratio of latencies (1 = as fast)"})
    if low > 0 and high / low > WIDE:
        log_axis(figure, low, high, "{:g}".format, room=0.06)
        return
    room = 0.08 * (high - low) or 0.05
    figure.update_xaxes(range=[low - room, high + room], tickformat=".3~f")


def waterfall_chart(
    steps: Sequence[Step], theme: str = "light", *, before_ms: float, after_ms: float | None = None
) -> go.Figure:
    """How latency goes from one total to another, step by step in the order given.

    Args:
        steps: the changes, such as one per pass.
        theme: ``light`` or ``dark``.
        before_ms: latency before the first step, in milliseconds.
        after_ms: latency measured after the last; what the steps do not add up to is a bar of its own. None
            where the sum of the steps is all that is known.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "What each pass is worth"
    known = [one for one in steps if math.isfinite(one.ms)]
    if not known:
        return empty_figure(title, "No passes were measured: there is nothing to add up.", theme)
    summed = before_ms + sum(one.ms for one in known)
    after = summed if after_ms is None else after_ms
    said = (
        "Bars: the change of latency; lines on their ends: its interval. Green is faster, orange slower;"
        " grey has an interval with 0 in it, or none. The axis does not begin at 0."
    )
    rest = after - summed
    if abs(rest) < 1e-9 * max(abs(after), abs(before_ms)):
        rest = 0.0
    if rest:
        said += " The whole differs from the sum of its parts where passes need each other."
    said += f" {without(len(steps) - len(known), 'step', 'a number')}"
    names = [
        "before",
        *(label_text(one.name, 44) for one in known),
        *(["together, not alone"] if rest else []),
        "after",
    ]
    bars: list[tuple[str, float, float, float]] = []
    level = before_ms
    for one in known:
        low, high = (one.ms if end is None else end for end in (one.low, one.high))
        bars.append((hover_text(one.name), one.ms, low, high))
    if rest:
        bars.append(("what the passes do together and not alone", rest, rest, rest))
    figure = figure_of(title, said, theme, height=30 + 22 * len(names), right=195)
    ends = [before_ms, after]
    starts = []
    for _, change, low, high in bars:
        starts.append(level)
        ends += [level + low, level + high, level + change]
        level += change
    figure.add_trace(
        go.Bar(
            base=starts,
            x=[change for _, change, _, _ in bars],
            y=list(range(1, len(bars) + 1)),
            orientation="h",
            width=0.7,
            marker={"color": [_colour(*bar[1:]) for bar in bars]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - change for _, change, _, high in bars],
                "arrayminus": [change - low for _, change, low, _ in bars],
                "thickness": 1.5,
                "width": 4,
                "color": NEUTRAL,
            },
            customdata=[[name, change, low, high] for name, change, low, high in bars],
            name="change",
            hovertemplate="%{customdata[0]}<br>%{customdata[1]:+.4~g} ms (%{customdata[2]:+.4~g} to"
            " %{customdata[3]:+.4~g})<extra></extra>",
        )
    )
    # From the end of each to the begin of the next.
    levels = [*starts, level]
    figure.add_trace(
        go.Scatter(
            x=[one for value in levels for one in (value, value, None)],
            y=[one for row in range(len(levels)) for one in (row, row + 1, None)],
            mode="lines",
            line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            hoverinfo="skip",
            name="total so far",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[before_ms, after],
            y=[0, len(names) - 1],
            mode="markers",
            marker={"symbol": "diamond", "size": 11, "color": NEUTRAL},
            name="total",
            hovertemplate="%{x:.4~g} ms<extra></extra>",
        )
    )
    most = max(abs(change) for _, change, _, _ in bars)
    digits = min(max(3 - math.floor(math.log10(most)), 0), 6) if most else 3
    notes = [(0, f"<b>{ms(before_ms)} ms</b>")]
    for row, (_, change, low, high) in enumerate(bars, 1):
        span = f" ({low:+.{digits}f} to {high:+.{digits}f})" if low != high else ""
        notes.append((row, f"{change:+.{digits}f} ms{span}".replace("-", "−")))
    notes.append(
        (
            len(names) - 1,
            f"<b>{ms(after)} ms</b> ({100 * (after / before_ms - 1):+.1f} %)".replace("-", "−")
            if before_ms
            else f"<b>{ms(after)} ms</b>",
        )
    )
    room = 0.05 * (max(ends) - min(ends)) or 0.05 * abs(before_ms) or 1.0
    figure.update_xaxes(title={"text": "latency, ms"}, range=[min(ends) - room, max(ends) + room])
    beside(figure, notes, size=11)
    row_labels(figure, names)
    figure.update_yaxes(tickfont={"size": 12})
    return figure


def _colour(change: float, low: float, high: float) -> str:
    """A change is coloured where it has an interval, and that does not hold 0."""
    if low == high or low <= 0 <= high:
        return NEUTRAL
    return FASTER if change < 0 else SLOWER
