"""One model over time: what was measured on different days, and what had changed between them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from workbench.bench.charts.dress import (
    LATENCY,
    LINE,
    NEUTRAL,
    counted,
    empty_figure,
    figure_of,
    hover_text,
    label_text,
    ms,
    style,
)
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from workbench.bench.history import Point

# Letters that fit beside each other over the plot, and lines of them under each other.
LETTERS, LINES = 100, 4
# Pixels of the plot.
HEIGHT = 340


class _Line(NamedTuple):
    """What is measured alike: a label, and as JSON the config and the shapes of the inputs."""

    label: str
    config: bytes
    inputs: bytes


def history_chart(points: Sequence[Point], theme: str = "light") -> go.Figure:
    """A line through the medians of every config and shape, with 95 % intervals and a band up to p90.

    Dotted lines stand where the version of Paddle, the CPU or the content of the model changed.

    Args:
        points: benchmarks of one model, the oldest first.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    title = "Latency over time"
    if not points:
        return empty_figure(title, "Nothing was measured yet: run a benchmark of this model.", theme)
    lines: dict[_Line, list[Point]] = {}
    for point in points:
        what = msgspec.json.encode(point.config), msgspec.json.encode(point.entry.inputs)
        lines.setdefault(_Line(point.label, *what), []).append(point)
    names = [_name(line, lines) for line in lines]
    changes = list(_changes(points))
    heights = _heights([when for when, _ in changes], [text for _, text in changes], points)
    said = "Line: p50, with its 95 % interval where that is known; band: up to p90."
    if changes:
        said += " Dotted: Paddle, CPU or model is another from there on."
    if None in heights:
        said += " Where they stand close, hover says which."
    figure = figure_of(title, said, theme, height=HEIGHT, legend=[label_text(name, 60) for name in names])
    room = LINE * (1 + max((one for one in heights if one is not None), default=-1))
    figure.update_layout(margin_t=figure.layout.margin.t + room, height=figure.layout.height + room)
    for index, (name, line) in enumerate(zip(names, lines.values(), strict=True)):
        _draw(figure, index, name, line)
    middle = _local(points[0]) + (_local(points[-1]) - _local(points[0])) / 2
    for (when, text), height in zip(changes, heights, strict=True):
        figure.add_shape(
            type="line",
            x0=when,
            x1=when,
            y0=0,
            # Up to its words.
            y1=1 + LINE * (height or 0) / HEIGHT,
            yref="paper",
            line={"dash": "dot", "width": 1, "color": NEUTRAL},
        )
        if height is not None:
            figure.add_annotation(
                x=when,
                y=1,
                yref="paper",
                yanchor="bottom",
                yshift=LINE * height,
                xanchor="left" if when < middle else "right",
                text=text,
                showarrow=False,
                font={"size": 11},
            )
    figure.update_xaxes(title={"text": "measured at"})
    figure.update_yaxes(title={"text": LATENCY}, rangemode="tozero")
    return figure


def _draw(figure: go.Figure, index: int, name: str, line: Sequence[Point]) -> None:
    import plotly.graph_objects as go

    colour, dash, symbol = style(index)
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    common: dict[str, Any] = {
        "x": [_local(point) for point in line],
        "legendgroup": str(index),
        "name": label_text(name, 60),
    }
    figure.add_trace(
        go.Scatter(
            **common,
            y=[point.p90_ms for point in line],
            # A band alone cannot show the p90 of a single measurement.
            mode="lines+markers",
            line={"width": 0, "color": colour},
            marker={"symbol": "line-ew-open", "size": 8, "color": colour},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    known = [point.ci95 or (point.p50_ms, point.p50_ms) for point in line]
    figure.add_trace(
        go.Scatter(
            **common,
            y=[point.p50_ms for point in line],
            mode="lines+markers",
            line={"width": 2, "color": colour, "dash": dash},
            marker={"size": 7, "symbol": symbol},
            fill="tonexty",
            fillcolor=f"rgba({red},{green},{blue},0.15)",
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - point.p50_ms for point, (_, high) in zip(line, known, strict=True)],
                "arrayminus": [point.p50_ms - low for point, (low, _) in zip(line, known, strict=True)],
                "thickness": 1.5,
                "width": 4,
            },
            text=[_hover(name, point) for point in line],
            hovertemplate="%{text}<extra></extra>",
            showlegend=True,
        )
    )


def _hover(name: str, point: Point) -> str:
    entry = point.entry
    interval = f" (95 %: {ms(point.ci95[0])} to {ms(point.ci95[1])})" if point.ci95 else ""
    lines = [
        name,
        f"p50 {ms(point.p50_ms)} ms{interval}, p90 {ms(point.p90_ms)} ms, p99 {ms(point.p99_ms)} ms",
        f"{counted(point.samples, 'sample')}, {_local(point):%Y-%m-%d %H:%M:%S}",
        f"measurement {entry.id}, {entry.state}",
        f"{point.cpu or 'CPU unknown'}, Paddle {point.paddle or 'unknown'}",
        f"model {entry.model} {entry.model_hash[:12]}",
    ]
    return "<br>".join(map(hover_text, lines))


def _local(point: Point) -> datetime:
    # plotly shows a time without a zone as it is.
    return point.began.astimezone().replace(tzinfo=None)


def _changes(points: Sequence[Point]) -> Iterator[tuple[datetime, str]]:
    """When what a latency depends on was another than the time before, and what."""
    before: dict[str, Point] = {}
    said: set[int] = set()
    for point in points:
        # Configs of one measurement may have runtimes of their own.
        runtime = str(point.config.get("runtime"))
        last = before.get(runtime)
        before[runtime] = point
        if last is None or last.entry.id == point.entry.id or point.entry.id in said:
            continue
        texts = []
        if point.paddle != last.paddle:
            texts.append(label_text(f"Paddle {point.paddle or 'unknown'}"))
        if point.cpu != last.cpu:
            texts.append(label_text(point.cpu or "CPU unknown"))
        if point.entry.model_hash != last.entry.model_hash:
            texts.append("model changed")
        if texts:
            said.add(point.entry.id)
            yield _local(point), ", ".join(texts)


def _heights(whens: Sequence[datetime], texts: Sequence[str], points: Sequence[Point]) -> list[int | None]:
    """On which line over the plot each text meets no other; None where there is none left."""
    first, last = _local(points[0]), _local(points[-1])
    span = (last - first).total_seconds() or 1.0
    ends: list[float] = [-1.0] * LINES
    found: list[int | None] = []
    for when, text in zip(whens, texts, strict=True):
        place = (when - first).total_seconds() / span
        width = len(text) / LETTERS
        begin = place if place < 0.5 else place - width
        free = next((number for number, end in enumerate(ends) if end <= begin), None)
        if free is not None:
            ends[free] = begin + width
        found.append(free)
    return found


def _name(line: _Line, lines: Iterable[_Line]) -> str:
    """The label, with what tells it from others: at different times it may have been given to several."""
    alike = [one for one in lines if one.label == line.label]
    told = []
    if len({one.config for one in alike}) > 1:
        told.append(_config_label(line.config))
    if len({one.inputs for one in alike}) > 1:
        shapes = msgspec.json.decode(line.inputs, type=dict[str, list[int]])
        told += [f"{name} {'×'.join(map(str, shape)) or 'scalar'}" for name, shape in shapes.items()]
    return f"{line.label} ({', '.join(told)})" if told else line.label


def _config_label(config: bytes) -> str:
    with contextlib.suppress(WorkbenchError):
        return InferenceConfig.from_json(config).label
    return "config of another release"
