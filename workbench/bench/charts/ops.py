"""Where the time of one inference goes: per op, and by layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.bench.charts.dress import (
    COLOURS,
    NEUTRAL,
    beside,
    counted,
    empty_figure,
    figure_of,
    hover_text,
    label_text,
    ms,
    row_labels,
    without,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

NOTHING = "No ops were timed: profile a model, and each of its ops is shown here."
# Types with a colour of their own; the others share one.
TYPES_MOST = len(COLOURS)

# Letters of a bar's label, and the fewest of its layer that say something.
LABEL_MOST = 44
LAYER_LEAST = 12

OTHERS = "other types and ops"

Row = Mapping[str, Any]


def ops_chart(rows: Sequence[Row], theme: str = "light", *, most: int = 25) -> go.Figure:
    """The slowest ops as bars, the slowest on top, and all others as one.

    Args:
        rows: per op ``op``, ``type``, ``layer``, ``calls``, ``ms`` (of all its calls in one inference) and
            ``share`` (of the whole, 0 to 1).
        theme: ``light`` or ``dark``.
        most: bars of single ops.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Latency per op"
    known = sorted(_timed(rows), key=lambda one: -one["ms"])
    if not known:
        return empty_figure(title, NOTHING, theme)
    shown, others = known[:most], known[most:]
    totals: dict[str, float] = defaultdict(float)
    for one in known:
        totals[one["type"]] += one["ms"]
    visible = {one["type"] for one in shown}
    ranked = [kind for kind in sorted(totals, key=lambda kind: -totals[kind]) if kind in visible]
    coloured = dict(zip(ranked[:TYPES_MOST], COLOURS, strict=False))
    rest = len(ranked) > TYPES_MOST or bool(others)
    said = f"{counted(len(known), 'op')}, {ms(sum(one['ms'] for one in known))} ms in all."
    said += f" {without(len(rows) - len(known), 'op', 'a time')}"
    bars = len(shown) + bool(others)
    figure = figure_of(
        title,
        said,
        theme,
        height=30 + 23 * bars,
        legend=[*coloured, OTHERS] if rest else list(coloured),
        flat=True,
        right=120,
    )
    groups: dict[str | None, list[int]] = defaultdict(list)
    for place, one in enumerate(shown):
        groups[one["type"] if one["type"] in coloured else None].append(place)
    for kind in [*coloured, None]:
        places = groups[kind]
        values = [shown[place]["ms"] for place in places]
        texts = [_hover(shown[place]) for place in places]
        if kind is None and others:
            places = [*places, len(shown)]
            values.append(sum(one["ms"] for one in others))
            texts.append(f"{counted(len(others), 'other')}, summed")
        if not places:
            continue
        figure.add_trace(
            go.Bar(
                x=values,
                y=places,
                orientation="h",
                width=0.72,
                customdata=texts,
                marker={"color": NEUTRAL if kind is None else coloured[kind]},
                name=OTHERS if kind is None else label_text(kind),
                hovertemplate="%{customdata}<br>%{x:.4~g} ms<extra></extra>",
            )
        )
    notes = []
    for place, one in enumerate(shown):
        notes.append((place, f"{ms(one['ms'])} ms, {_percent(one['share'])}"))
    labels = [_label(one) for one in shown]
    if others:
        share = _percent(sum(one["share"] for one in others))
        notes.append((len(shown), f"{ms(sum(one['ms'] for one in others))} ms, {share}"))
        labels.append(f"… {counted(len(others), 'other')}")
    beside(figure, notes, size=11)
    row_labels(figure, labels)
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(tickfont={"size": 12})
    figure.update_xaxes(title={"text": "latency in one inference, ms"}, rangemode="tozero")
    return figure


def ops_treemap(rows: Sequence[Row], theme: str = "light") -> go.Figure:
    """Areas by time: layers within layers, and in them their ops.

    Args:
        rows: as `ops_chart` has them; ``layer`` is a path such as ``layer1/0/conv1``.
        theme: ``light`` or ``dark``.

    Raises:
        WorkbenchError: for another theme.
    """
    import plotly.graph_objects as go

    title = "Latency by layer"
    known = [one for one in _timed(rows) if one["ms"] > 0]
    if not known:
        return empty_figure(title, NOTHING, theme)
    whole = sum(one["ms"] for one in known)
    said = f"Area: time in one inference; {counted(len(known), 'op')}, {ms(whole)} ms in all."
    figure = figure_of(title, said, theme, height=520, bottom=20)
    figure.update_layout(margin_l=16, margin_r=16, uniformtext={"minsize": 10, "mode": "hide"})
    totals: dict[tuple[str, ...], float] = defaultdict(float)
    paths = [tuple(part for part in one["layer"].split("/") if part) for one in known]
    for one, path in zip(known, paths, strict=True):
        for depth in range(len(path) + 1):
            totals[path[:depth]] += one["ms"]
    # Names may be equal, so places are counted.
    number = {path: f"layer {index}" for index, path in enumerate(totals)}
    tops = sorted((path for path in totals if len(path) == 1), key=lambda path: -totals[path])
    colour = {path[0]: COLOURS[index % len(COLOURS)] for index, path in enumerate(tops)}
    layers = [
        (
            number[path],
            number[path[:-1]] if path else "",
            label_text(path[-1]) if path else "all ops",
            hover_text("/".join(path)) if path else "all ops",
            0.0,
            total,
            colour[path[0]] if path else "rgba(0,0,0,0)",
        )
        for path, total in totals.items()
    ]
    ops = [
        (
            f"op {index}",
            number[path],
            label_text(one["op"]),
            _hover(one),
            one["ms"],
            one["ms"],
            colour[path[0]] if path else NEUTRAL,
        )
        for index, (one, path) in enumerate(zip(known, paths, strict=True))
    ]
    ids, parents, labels, texts, values, sums, colours = zip(*layers, *ops, strict=True)
    figure.add_trace(
        go.Treemap(
            ids=ids,
            parents=parents,
            labels=labels,
            values=values,
            # A layer's own value is 0: with sums, a last digit too few would leave the chart empty.
            branchvalues="remainder",
            text=[f"{ms(one)} ms, {_percent(one / whole)}" for one in sums],
            customdata=texts,
            textinfo="label+text",
            hovertemplate="%{customdata}<br>%{text}<extra></extra>",
            marker={"colors": colours, "line": {"width": 1}, "pad": {"t": 20, "l": 3, "r": 3, "b": 3}},
            pathbar={"visible": False},
            tiling={"pad": 2},
        )
    )
    return figure


def _timed(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows that have a time, with texts for texts."""
    return [
        {
            **{name: str(one.get(name) or "") for name in ("op", "type", "layer")},
            "calls": int(one.get("calls") or 0),
            "ms": float(one["ms"]),
            "share": float(one.get("share") or 0.0),
        }
        for one in rows
        if one.get("ms") is not None and math.isfinite(one["ms"]) and one["ms"] >= 0
    ]


def _label(row: Row) -> str:
    """Layer and op; of what is too long the layer is cut, since its number tells an op from others."""
    room = LABEL_MOST - len(row["op"]) - 2
    if not row["layer"]:
        return label_text(row["op"], LABEL_MOST)
    if room < LAYER_LEAST:
        return label_text(f"{row['layer']}: {row['op']}", LABEL_MOST)
    return f"{label_text(row['layer'], room)}: {label_text(row['op'], LABEL_MOST)}"


def _hover(row: Row) -> str:
    layer = f"<br>layer {hover_text(row['layer'])}" if row["layer"] else ""
    return (
        f"{hover_text(row['op'])}<br>type {hover_text(row['type'])}{layer}<br>{counted(row['calls'], 'call')}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %" if share < 0.9995 else "100 %"
