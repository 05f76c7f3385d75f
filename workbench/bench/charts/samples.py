"""How the latencies of runs are distributed: boxes, histograms, and the tail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbench.bench.charts.dress import (
    COLOURS,
    LATENCY,
    NEUTRAL,
    beside,
    counted,
    empty_figure,
    figure_of,
    has_tail,
    hover_text,
    label_text,
    log_axis,
    measured,
    ms,
    row_labels,
    style,
)
from workbench.bench.samples import Floats, Run

if TYPE_CHECKING:
    import plotly.graph_objects as go

NOTHING = "No samples yet: run a benchmark, and each of its configs is shown here."
# Of more samples than this, every n-th is drawn as a point; box and percentiles are made of all.
POINTS_MOST = 2000
# Steps of an ECDF that are drawn beside its slowest samples, which are drawn one by one.
STEPS, SLOWEST = 600, 200
BINS_LEAST, BINS_MOST = 30, 120
MARKED = (50.0, 90.0, 95.0, 99.0, 99.9)


def latency_chart(runs: Sequence[Run], theme: str = "light") -> go.Figure:
    """A box with its samples for each run, the first on top; p50, p99 and the slowest are written beside it.

    Args:
        runs: what was measured.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Latency"
    pairs, left_out = measured(runs)
    if not pairs:
        return empty_figure(title, NOTHING, theme)
    low = min(float(samples.min()) for _, samples in pairs)
    high = max(float(np.percentile(samples, 99.5)) for _, samples in pairs)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    beyond = sum(int(np.sum(samples > high + room)) for _, samples in pairs)
    said = "Box: quartiles and median; whiskers: samples within 1.5 box lengths of it."
    if beyond:
        are = "is" if beyond == 1 else "are"
        said += f" {counted(beyond, 'sample')} {are} beyond the right edge: max says how far."
    figure = figure_of(title, f"{said} {left_out}", theme, height=20 + 76 * len(pairs), right=115)
    notes = []
    for index, (run, samples) in enumerate(pairs):
        q1, p50, q3, p99 = (float(value) for value in np.percentile(samples, [25, 50, 75, 99]))
        reach = 1.5 * (q3 - q1)
        step = max(1, math.ceil(len(samples) / POINTS_MOST))
        figure.add_trace(
            go.Box(
                x=[samples[::step]],
                y=[index],
                q1=[q1],
                median=[p50],
                q3=[q3],
                lowerfence=[float(samples[samples >= q1 - reach].min())],
                upperfence=[float(samples[samples <= q3 + reach].max())],
                name=label_text(run.label),
                orientation="h",
                width=0.7,
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
                hovertemplate=f"{hover_text(run.label)}<br>%{{x:.4~g}} ms<extra></extra>",
                showlegend=False,
            )
        )
        notes.append((index, f"p50 {ms(p50)} ms<br>p99 {ms(p99)} ms<br>max {ms(float(samples.max()))} ms"))
    figure.update_xaxes(title={"text": LATENCY}, range=[max(0, low - room), high + room])
    beside(figure, notes)
    row_labels(figure, [label_text(run.label) for run, _ in pairs])
    return figure


def distribution_chart(runs: Sequence[Run], theme: str = "light") -> go.Figure:
    """A histogram for each run, all over the same bins, the first on top, with its median.

    The axis ends where all runs have 99 % of their samples; what is beyond is counted beside them. It and the
    bins are logarithmic where that is more than five times the median.

    Args:
        runs: what was measured.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Distribution of latency"
    pairs, left_out = measured(runs)
    if not pairs:
        return empty_figure(title, NOTHING, theme)
    # A single sample of ten times the median would press all others into a corner.
    end = max(float(np.percentile(samples, 99)) for _, samples in pairs)
    inside = [samples[samples <= end] for _, samples in pairs]
    log = has_tail(inside)
    edges = _edges(inside, log)
    said = "Every histogram is as high as its own peak; the line in it is the median."
    if log:
        said += " The axis is logarithmic, since the slow ones take many times the median."
    figure = figure_of(title, f"{said} {left_out}", theme, height=30 + 84 * len(pairs), right=135)
    notes = []
    for index, (run, samples) in enumerate(pairs):
        colour = COLOURS[index % len(COLOURS)]
        share = np.histogram(samples, edges)[0] / len(samples)
        ground = index + 0.4
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([edges[:1], edges]),
                y=np.concatenate([[ground], ground - 0.8 * share / share.max(), [ground]]),
                line={"shape": "hv", "color": colour, "width": 1.5},
                fill="toself",
                fillcolor=f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:], 16)},0.35)",
                mode="lines",
                name=label_text(run.label),
                hoverinfo="skip",
            )
        )
        # The outline is filled, and a filled one gives no value on hover: points nobody sees do.
        figure.add_trace(
            go.Scatter(
                x=np.sqrt(edges[:-1] * edges[1:]) if log else (edges[:-1] + edges[1:]) / 2,
                y=ground - 0.8 * share / share.max(),
                customdata=np.column_stack([edges[:-1], edges[1:], share]),
                mode="markers",
                marker={"opacity": 0, "color": colour},
                name=label_text(run.label),
                hovertemplate=f"{hover_text(run.label)}<br>%{{customdata[2]:.2%}} of the samples:"
                " %{customdata[0]:.4~g} to %{customdata[1]:.4~g} ms<extra></extra>",
            )
        )
        p50 = float(np.median(samples))
        figure.add_shape(
            type="line", x0=p50, x1=p50, y0=index - 0.4, y1=ground, line={"width": 2, "color": NEUTRAL}
        )
        beyond = int(np.sum(samples > edges[-1]))
        notes.append(
            (
                index,
                f"p50 {ms(p50)} ms<br>{counted(len(samples), 'sample')}"
                + (f"<br>{beyond:,} beyond →" if beyond else ""),
            )
        )
    beside(figure, notes)
    row_labels(figure, [label_text(run.label) for run, _ in pairs])
    figure.update_xaxes(title={"text": LATENCY})
    if log:
        log_axis(figure, float(edges[0]), float(edges[-1]))
    return figure


def ecdf_chart(runs: Sequence[Run], theme: str = "light") -> go.Figure:
    """The share of samples below each latency, on an axis that gives every further nine the same room.

    p50, p90, p95, p99 and p99.9 are marked as far as the samples go; p50, p99 and p99.9 stand in the legend.

    Args:
        runs: what was measured.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Share of samples below a latency (ECDF)"
    pairs, left_out = measured(runs)
    if not pairs:
        return empty_figure(title, NOTHING, theme)
    said = (
        "The axis gives every further nine the same room. Marked: "
        + ", ".join(f"p{one:g}" for one in MARKED)
        + "."
    )
    short = min(len(samples) for _, samples in pairs)
    unmarked = [f"p{one:g}" for one in MARKED if not _rests(short, one)]
    if unmarked:
        said += f" {' and '.join(unmarked)}: only where a sample is beyond."
    if len(pairs) > len(COLOURS):
        said += f" After {len(COLOURS)} runs the colours begin again, with another dash."
    figure = figure_of(title, f"{said} {left_out}", theme, height=400, legend=[run.label for run, _ in pairs])
    for index, (run, samples) in enumerate(pairs):
        colour, dash, symbol = style(index)
        ordered = np.sort(samples)
        kept = _steps(len(ordered))
        shown = [one for one in MARKED if _rests(len(ordered), one)]
        values = np.percentile(ordered, shown)
        named = [
            f"p{one:g} {ms(value)}" for one, value in zip(shown, values, strict=True) if one in (50, 99, 99.9)
        ]
        below = kept / len(ordered)
        figure.add_trace(
            go.Scatter(
                x=ordered[kept],
                y=_nines(below),
                customdata=below,
                # Up at the sample, then on to the next: the height beyond a sample counts it.
                line={"shape": "vh", "color": colour, "dash": dash, "width": 2},
                mode="lines",
                legendgroup=str(index),
                name=f"{label_text(run.label)}: {', '.join([*named, f'max {ms(float(ordered[-1]))}'])} ms",
                hovertemplate=f"{hover_text(run.label)}<br>%{{customdata:.3%}} below %{{x:.4~g}} ms"
                "<extra></extra>",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=values,
                y=_nines(np.array(shown) / 100),
                customdata=[f"p{one:g}" for one in shown],
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 9},
                legendgroup=str(index),
                name=label_text(run.label),
                showlegend=False,
                hovertemplate=f"{hover_text(run.label)}<br>%{{customdata}}: %{{x:.4~g}} ms<extra></extra>",
            )
        )
    most = max(len(samples) for _, samples in pairs)
    ticks = [0.0, 0.5, *(1 - 0.1**nines for nines in range(1, math.ceil(math.log10(most)) + 1))]
    figure.update_yaxes(
        title={"text": "share of samples below"},
        tickmode="array",
        tickvals=_nines(np.array(ticks)),
        ticktext=[f"{100 * one:.10g} %" for one in ticks],
        range=[-0.05, max(1.1, math.log10(most) + 0.1)],
    )
    figure.update_xaxes(title={"text": LATENCY})
    if has_tail([samples for _, samples in pairs]):
        log_axis(
            figure,
            min(float(samples.min()) for _, samples in pairs),
            max(float(samples.max()) for _, samples in pairs),
        )
    return figure


def _edges(runs: Sequence[Floats], log: bool) -> Floats:
    """Edges of bins that hold all samples: as many as Freedman and Diaconis advise, within reason."""
    samples = np.concatenate(runs)
    low, high = float(samples.min()), float(samples.max())
    if low == high:
        low, high = low - abs(low) * 0.01 - 1e-9, high + abs(high) * 0.01 + 1e-9
    spread = np.log(samples) if log else samples
    widths = [np.subtract(*np.percentile(np.log(one) if log else one, [75, 25])) for one in runs]
    width = 2 * float(np.median(widths)) / len(samples) ** (1 / 3) * len(runs) ** (1 / 3)
    wanted = math.ceil(float(np.ptp(spread)) / width) if width > 0 else BINS_LEAST
    count = min(max(wanted, BINS_LEAST), BINS_MOST)
    edges = np.geomspace(low, high, count + 1) if log else np.linspace(low, high, count + 1)
    # A power of a logarithm may miss the slowest sample by its last digit.
    edges[0], edges[-1] = low, high
    return edges


def _rests(count: int, percentile: float) -> bool:
    """Whether any of the samples is beyond the percentile."""
    return count * (100 - percentile) >= 100 - 1e-9


def _nines(below: Floats) -> Floats:
    return -np.log10(1 - below) + 0.0


def _steps(count: int) -> npt.NDArray[np.int64]:
    """Places among the ordered samples, as many for every nine, and all of the slowest."""
    even = count * (1 - np.logspace(0, -math.log10(count), STEPS))
    last = np.arange(max(0, count - SLOWEST), count)
    return np.unique(np.concatenate([np.clip(even.astype(np.int64), 0, count - 1), last]))
