"""A tuning: every trial at every rung, and which one won."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.bench.charts.dress import (
    FAINT,
    FASTER,
    NEUTRAL,
    SLOWER,
    counted,
    empty_figure,
    figure_of,
    hover_text,
    label_text,
    ms,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from workbench.bench.tuning.kept import Score
    from workbench.bench.tuning.results import Trial

HEIGHT = 380
# Ratios further apart than this are on a logarithmic axis.
WIDE = 3.0
WENT_ON, DROPPED, WON, LOST = "went on", "dropped", "the answer", "failed or over a limit"
_MARKS: dict[str, dict[str, Any]] = {
    DROPPED: {"color": NEUTRAL, "symbol": "circle-open", "size": 9},
    WENT_ON: {"color": "#56B4E9", "symbol": "circle", "size": 9},
    LOST: {"color": SLOWER, "symbol": "x", "size": 10},
    WON: {"color": FASTER, "symbol": "star", "size": 16},
}


def tuning_chart(
    trials: Sequence[Trial], theme: str = "light", *, base: str = "base", goal: str = "latency"
) -> go.Figure:
    """Every trial as a point at every rung it came to, joined by a line; 1 is the base.

    Args:
        trials: what was tried, in order.
        theme: ``light`` or ``dark``.
        base: label of the config they are compared with.
        goal: ``latency`` or ``throughput``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Configs tried"
    if not trials:
        return empty_figure(title, "Nothing was tried: the space holds no config but the base.", theme)
    rungs = _rungs(trials)
    ratios = [one.ratio for trial in trials for one in trial.scores if one.ratio]
    # What has no ratio stands above all that have one.
    wide = bool(ratios) and max(ratios) / min(ratios) > WIDE
    high, low = max([1.0, *ratios]), min([1.0, *ratios])
    top = high * (high / low) ** 0.12 * 1.02 if wide else high + 0.12 * (high - low) + 0.02
    points: dict[str, list[tuple[float, float, str]]] = {kind: [] for kind in _MARKS}
    x: list[float | None] = []
    y: list[float | None] = []
    for number, trial in enumerate(trials):
        # Beside each other, in the order they were tried.
        shift = 0.55 * ((number + 0.5) / len(trials) - 0.5)
        for place, score in enumerate(trial.scores):
            at = rungs.index(score.rung) + shift
            height = score.ratio or top
            points[_kind(trial, place)].append((at, height, _hover(trial, score)))
            x.append(at)
            y.append(height)
        x.append(None)
        y.append(None)
    shown = [kind for kind in _MARKS if points[kind]]
    what = "time per sample" if goal == "throughput" else "latency"
    said = (
        f"Ratio of {what} to the base ({label_text(base, 50)}), each measured in turns with it; "
        f"below 1 is faster. {counted(len(trials), 'config')}; with each rung fewer are left, "
        "and are measured for longer."
    )
    figure = figure_of(title, said, theme, height=HEIGHT, legend=shown, flat=True)
    figure.add_trace(
        go.Scatter(
            x=x, y=y, mode="lines", line={"width": 1, "color": FAINT}, hoverinfo="skip", showlegend=False
        )
    )
    for kind in shown:
        figure.add_trace(
            go.Scatter(
                x=[one[0] for one in points[kind]],
                y=[one[1] for one in points[kind]],
                text=[one[2] for one in points[kind]],
                mode="markers",
                marker=_MARKS[kind],
                name=kind,
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.add_hline(y=1, line={"dash": "dot", "width": 1.5, "color": NEUTRAL})
    figure.update_xaxes(
        tickmode="array",
        tickvals=list(range(len(rungs))),
        ticktext=[f"{rung}<br>{counted(_count(trials, rung), 'config')}" for rung in rungs],
        range=[-0.5, len(rungs) - 0.5],
        showgrid=False,
    )
    figure.update_yaxes(title={"text": f"{what}, ratio to the base"})
    if wide:
        ticks = [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)]
        figure.update_yaxes(
            type="log", tickmode="array", tickvals=ticks, ticktext=[f"{one:g}" for one in ticks]
        )
    _name_winner(figure, trials, rungs)
    return figure


def _name_winner(figure: go.Figure, trials: Sequence[Trial], rungs: Sequence[str]) -> None:
    for number, trial in enumerate(trials):
        ratio = trial.last.ratio
        if trial.won and ratio:
            shift = 0.55 * ((number + 0.5) / len(trials) - 0.5)
            wide = figure.layout.yaxis.type == "log"
            figure.add_annotation(
                x=rungs.index(trial.last.rung) + shift,
                y=math.log10(ratio) if wide else ratio,
                text=f"{label_text(trial.label)}: {ratio:.3f}",
                showarrow=False,
                yshift=18,
                xanchor="right" if shift > 0 else "center",
                font={"size": 12},
            )


def _rungs(trials: Sequence[Trial]) -> list[str]:
    """In the order they were measured, the finals last, whoever skipped one."""
    found = list(dict.fromkeys(one.rung for trial in trials for one in trial.scores))
    order = {"settings": 0, "passes": 1, "final": 2}
    return sorted(found, key=lambda rung: (order.get(rung.split()[0], 1), rung))


def _count(trials: Sequence[Trial], rung: str) -> int:
    return sum(any(one.rung == rung for one in trial.scores) for trial in trials)


def _kind(trial: Trial, place: int) -> str:
    last = place == len(trial.scores) - 1
    if not last:
        return WENT_ON
    return LOST if trial.error else WON if trial.won else DROPPED


def _hover(trial: Trial, score: Score) -> str:
    lines = [trial.label, score.rung]
    if score.ratio is not None:
        span = f" (95 %: {score.ci95[0]:.3f} to {score.ci95[1]:.3f})" if score.ci95 else ""
        lines.append(f"ratio {score.ratio:.3f}{span}")
    if score.ms is not None:
        lines.append(f"{ms(score.ms)} ms per inference, batch {trial.batch}")
    if trial.peak_bytes is not None:
        lines.append(f"{trial.peak_bytes / 1e6:.0f} MB of memory")
    if trial.error:
        lines.append(trial.error)
    return "<br>".join(map(hover_text, lines))
