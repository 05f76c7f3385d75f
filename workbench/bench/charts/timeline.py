"""Samples as they followed each other: rounds, launches, drift and outliers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
    ms,
    samples_of,
    without,
)
from workbench.bench.charts.samples import NOTHING
from workbench.bench.samples import Floats, Run

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Points of all runs together, beside outliers: a browser moves so many without a stop.
POINTS_MOST = 8000
# Tukey's outer fences: beyond three times the interquartile range from the quartiles.
FENCE = 3.0
# More borders than this would hide what is between them.
ROUNDS_MOST = 60
ROW, GAP = 150, 48


class _Course(NamedTuple):
    """The samples of a run in time.

    Attributes:
        at_s: about when each sample began.
        samples_ms: the samples.
        rounds: for each round with samples its launch, when it began and ended, and its median.
        ends: for each of them how many samples there are to its end.
    """

    at_s: Floats
    samples_ms: Floats
    rounds: list[tuple[int, float, float, float]]
    ends: list[int]


def timeline_chart(runs: Sequence[Run], theme: str = "light") -> go.Figure:
    """Every run in a row of its own over the same time: samples, medians of rounds, outliers, borders.

    When a round began is known, and not when each of its samples did: other configs may have had their turns
    between them, or several predictors have run at once. The samples are spread over the round.

    Of many samples some are drawn, with the lowest and highest of each round; outliers are all drawn, and
    those that would press the others into a line stand at the edge, with their value on hover.

    Args:
        runs: what was measured.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    title = "Samples over time"
    shown = [(run, _course(run)) for run in runs if len(samples_of(run))]
    if not shown:
        return empty_figure(title, NOTHING, theme)
    said = (
        f"Outliers: more than {FENCE:g} interquartile ranges from the quartiles of the run; a triangle is one"
        " beyond the edge, hover gives its value. The samples of a round are spread over its time, of which"
        " others may have had a part."
    )
    budget = POINTS_MOST // len(shown)
    if any(len(course.samples_ms) > budget for _, course in shown):
        said += " Samples are thinned, but for the lowest and highest of each round."
    if any(len(course.rounds) > ROUNDS_MOST for _, course in shown):
        said += f" Borders of rounds are left out where there are more than {ROUNDS_MOST}."
    said += f" {without(len(runs) - len(shown), 'run')}"
    height = (ROW + GAP) * len(shown)
    figure = figure_of(
        title,
        said,
        theme,
        height=height,
        legend=("begin of a round", "begin of a launch", "sample", "outlier", "median of a round"),
        flat=True,
        rows=len(shown),
        columns=1,
        shared_xaxes=True,
        vertical_spacing=GAP / height,
    )
    # The label of the first row stands above its plot.
    figure.update_layout(margin_t=figure.layout.margin.t + 20, height=figure.layout.height + 20)
    for row, (run, course) in enumerate(shown, 1):
        _draw(figure, row, run, course, budget)
    figure.update_xaxes(title={"text": "seconds since the benchmark began"}, row=len(shown), col=1)
    return figure


def _course(run: Run) -> _Course:
    at, taken, rounds = [], [], []
    # Of a round's time, so much is one second of its samples.
    now, stretch = 0.0, 1.0
    known = [(number, one) for number, launch in enumerate(run.launches) for one in launch.rounds]
    for (number, one), after in itertools.zip_longest(known, known[1:]):
        samples = one.samples_ms[np.isfinite(one.samples_ms)]
        if not len(samples):
            continue
        # Two rounds of a run cannot overlap, whatever the clock says.
        began = max(one.began_s, now)
        until = math.inf if after is None or after[1].began_s <= began else after[1].began_s
        if after is not None and until < math.inf:
            most = (until - began) / (float(samples.sum()) / 1e3)
            # The last of a launch ends before the next one is created: as the rounds before it, then.
            stretch = most if after[0] == number else min(stretch, most)
        lasted = samples / 1e3 * stretch
        ends = began + np.cumsum(lasted)
        at.append(ends - lasted)
        taken.append(samples)
        now = min(float(ends[-1]), until)
        rounds.append((number, began, now, float(np.median(samples))))
    return _Course(
        np.concatenate(at), np.concatenate(taken), rounds, np.cumsum([len(one) for one in taken]).tolist()
    )


def _draw(figure: go.Figure, row: int, run: Run, course: _Course, budget: int) -> None:
    import plotly.graph_objects as go

    samples, colour = course.samples_ms, COLOURS[(row - 1) % len(COLOURS)]
    q1, q3 = np.percentile(samples, [25, 75])
    reach = FENCE * (q3 - q1)
    outlying = (samples < q1 - reach) | (samples > q3 + reach)
    usual = samples[~outlying]
    room = 0.3 * float(np.ptp(usual)) or 0.05 * abs(float(usual[0])) or 1.0
    low, high = float(usual.min()) - room, float(usual.max()) + room
    whole = hover_text(run.label)
    _borders(figure, row, course.rounds, low, high)
    kept = _thinned(course, ~outlying, budget)
    figure.add_trace(
        go.Scatter(
            x=course.at_s[kept],
            y=samples[kept],
            mode="markers",
            marker={
                "size": 3,
                "color": colour,
                "opacity": 0.5 if figure.layout.meta["theme"] == "light" else 0.85,
            },
            **_entry(figure, "sample"),
            hovertemplate=f"{whole}<br>%{{y:.4~g}} ms at about %{{x:.3~f}} s<extra></extra>",
        ),
        row=row,
        col=1,
    )
    figure.add_trace(
        go.Scatter(
            x=course.at_s[outlying],
            y=np.clip(samples[outlying], low + 0.15 * room, high - 0.15 * room),
            customdata=samples[outlying],
            mode="markers",
            marker={
                "size": 8,
                "color": SLOWER,
                "line": {"width": 1, "color": NEUTRAL},
                "symbol": [
                    "triangle-up" if one > high else "triangle-down" if one < low else "circle"
                    for one in samples[outlying]
                ],
            },
            **_entry(figure, "outlier"),
            hovertemplate=f"{whole}<br>outlier: %{{customdata:.4~g}} ms at about %{{x:.3~f}} s"
            "<extra></extra>",
        ),
        row=row,
        col=1,
    )
    x, y = _median_line(course.rounds)
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines+markers",
            line={"color": NEUTRAL, "width": 2},
            marker={"size": 5},
            **_entry(figure, "median of a round"),
            hovertemplate=f"{whole}<br>median of the round: %{{y:.4~g}} ms<extra></extra>",
        ),
        row=row,
        col=1,
    )
    count = int(outlying.sum())
    told = f"{counted(len(samples), 'sample')}, {counted(count, 'outlier')}"
    if count:
        told += f" ({100 * count / len(samples):.2g} %), the slowest {ms(float(samples.max()))} ms"
    axis = "" if row == 1 else str(row)
    figure.add_annotation(
        x=0,
        xref="paper",
        xanchor="left",
        y=1,
        yref=f"y{axis} domain",
        yanchor="bottom",
        text=f"<b>{label_text(run.label, 60)}</b>  {told}",
        showarrow=False,
        font={"size": 12},
    )
    figure.update_yaxes(
        title={"text": "latency, ms"}, range=[max(low, 0) if q1 >= 0 else low, high], nticks=6, row=row, col=1
    )


def _borders(
    figure: go.Figure, row: int, rounds: Sequence[tuple[int, float, float, float]], low: float, high: float
) -> None:
    import plotly.graph_objects as go

    launches = [
        began
        for place, (number, began, _, _) in enumerate(rounds)
        if place == 0 or number != rounds[place - 1][0]
    ]
    others = [began for _, began, _, _ in rounds if began not in launches]
    for name, places, line in (
        (
            "begin of a round",
            others if len(rounds) <= ROUNDS_MOST else [],
            {"width": 1, "color": FAINT, "dash": "dot"},
        ),
        ("begin of a launch", launches, {"width": 2, "color": FAINT}),
    ):
        figure.add_trace(
            go.Scatter(
                x=[one for place in places for one in (place, place, None)],
                y=[one for _ in places for one in (low, high, None)],
                mode="lines",
                line=line,
                **_entry(figure, name),
                hoverinfo="skip",
            ),
            row=row,
            col=1,
        )


def _entry(figure: go.Figure, name: str) -> dict[str, Any]:
    """The name of a trace, and its entry in the legend unless a row above has it."""
    # That row may have no outliers, say.
    known = any(trace.legendgroup == name and len(trace.x) for trace in figure.data)
    return {"name": name, "legendgroup": name, "showlegend": not known}


def _median_line(
    rounds: Sequence[tuple[int, float, float, float]],
) -> tuple[list[float | None], list[float | None]]:
    """The medians over the middles of their rounds, with a gap between launches."""
    x: list[float | None] = []
    y: list[float | None] = []
    for place, (number, began, end, median) in enumerate(rounds):
        if place and number != rounds[place - 1][0]:
            x.append(None)
            y.append(None)
        x.append((began + end) / 2)
        y.append(median)
    return x, y


def _thinned(course: _Course, usual: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.int64]:
    """Places of about ``most`` of the usual samples, evenly, and of each round's lowest and highest."""
    places = np.flatnonzero(usual)
    if len(places) <= most:
        return places
    kept = [places[np.linspace(0, len(places) - 1, most).astype(np.int64)]]
    for stretch in np.split(places, np.searchsorted(places, course.ends[:-1])):
        if len(stretch):
            taken = course.samples_ms[stretch]
            kept.append(stretch[[int(np.argmin(taken)), int(np.argmax(taken))]])
    return np.unique(np.concatenate(kept))
