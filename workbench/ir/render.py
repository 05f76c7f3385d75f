"""Writes a graph as graphviz ``.dot``, in one look for both IRs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from workbench.errors import WorkbenchError
from workbench.ir.graph import Graph, Op, Value

Mark = Literal["added", "removed", "altered"]

SIGNS: Mapping[str, str] = {"added": "+ ", "removed": "− ", "altered": "~ "}

# Okabe and Ito's colours, which colour-blind people can tell apart: (fill, border, style).
_LOOKS: Mapping[str | None, tuple[str, str, str]] = {
    None: ("#f2f2f2", "#6b6b6b", "rounded,filled"),
    "added": ("#cfe6f5", "#0072b2", "rounded,filled,bold"),
    "removed": ("#fbdcc4", "#d55e00", "rounded,filled,dashed"),
    "altered": ("#f7efb2", "#9a8500", "rounded,filled,bold"),
}
# A grey with enough contrast on white pages and on dark ones.
_LINE = "#808080"

# Graphviz refuses labels of more than 16,384 characters, and nobody reads long ones.
_LABEL_LIMIT = 200
_LINE_LIMIT = 60
_TOOLTIP_LIMIT = 8000
_SHOWN_PARAMETERS = 3

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def to_dot(
    graph: Graph,
    *,
    marks: Mapping[int, Mark] | None = None,
    title: str | None = None,
    parameters: bool = False,
) -> str:
    """Writes a graph as the text of a ``.dot`` file.

    Every op is a node ``op{index}``, with the same text as its ``id`` and ``op``, and its mark if it has
    one, as its ``class``. The ops that another op holds stand in a cluster named after it.

    Args:
        graph: what to draw.
        marks: op index to what happened to it; the sign before the label says it without colour.
        title: a heading, or None.
        parameters: True draws the parameters as nodes, False lists them in the ops that read them.

    Returns:
        The text; ``dot`` accepts it whatever the names in the graph are.

    Raises:
        WorkbenchError: an index in marks is not an op of the graph, or a mark is unknown.
    """
    marks = marks or {}
    for index, mark in marks.items():
        if not 0 <= index < len(graph.ops) or mark not in SIGNS:
            raise WorkbenchError(f"the graph has no op {index} to mark as {mark!r}")
    lines = ["digraph workbench {"]
    heading = f"label={_quoted(_short(title, _LABEL_LIMIT))}, labelloc=t, " if title else ""
    lines.append(f'  graph [{heading}bgcolor="transparent", fontname="sans-serif", fontcolor="{_LINE}"];')
    lines.append('  node [shape=box, fontname="sans-serif", fontsize=11, fontcolor="#111111"];')
    lines.append(f'  edge [fontname="sans-serif", fontsize=9, color="{_LINE}", fontcolor="{_LINE}"];')
    children: dict[int | None, list[Op]] = {}
    for op in graph.ops:
        # A parent that is not there, or does not come first, would make the ops vanish.
        inside = op.parent is not None and 0 <= op.parent < op.index
        children.setdefault(op.parent if inside else None, []).append(op)
    lines.extend(_nodes(graph, children, marks, parameters))
    if parameters:
        lines.extend(_parameter_nodes(graph))
    lines.extend(_edges(graph, parameters))
    lines.append("}")
    return "\n".join(lines) + "\n"


def _nodes(
    graph: Graph, children: Mapping[int | None, list[Op]], marks: Mapping[int, Mark], parameters: bool
) -> Iterable[str]:
    """Yields the nodes, those of inner blocks in nested clusters; deep nesting needs no deep stack."""
    stack: list[Iterable[Op]] = [iter(children.get(None, []))]
    while stack:
        indent = "  " * len(stack)
        op = next(iter(stack[-1]), None)
        if op is None:
            stack.pop()
            if stack:
                yield indent[2:] + "}"
            continue
        yield indent + _node(op, graph, marks.get(op.index), parameters)
        if op.index in children:
            yield f"{indent}subgraph cluster_op{op.index} {{"
            label = _quoted(_short(f"inside {_short_type(op)} op{op.index}", _LABEL_LIMIT))
            yield f'{indent}  label={label}; style="rounded"; color="{_LINE}"; fontcolor="{_LINE}";'
            stack.append(iter(children[op.index]))


def _node(op: Op, graph: Graph, mark: Mark | None, parameters: bool) -> str:
    fill, border, style = _LOOKS[mark]
    attributes = {
        "label": _label(op, graph, mark, parameters),
        "tooltip": _tooltip(op, graph),
        "id": f"op{op.index}",
        "class": f"op {mark}" if mark else "op",
        "fillcolor": fill,
        "color": border,
        "style": style,
    }
    return f"op{op.index} [{_attributes(attributes)}];"


def _label(op: Op, graph: Graph, mark: Mark | None, parameters: bool) -> str:
    rows = [(SIGNS[mark] if mark else "") + _short(_short_type(op), _LINE_LIMIT)]
    place = op.layer.rstrip("/").rpartition("/")[2]
    if place:
        rows.append(_short(place, 40))
    if op.kernel is not None and op.kernel.backend:
        rows.append(_short(op.kernel.backend, 30))
    weights = [] if parameters else [value for value in _values(op.inputs, graph) if value.parameter]
    if weights:
        shown = [_short(_describe(value), 45) for value in weights[:_SHOWN_PARAMETERS]]
        if len(weights) > _SHOWN_PARAMETERS:
            shown.append(f"and {len(weights) - _SHOWN_PARAMETERS} more")
        rows.append(_short("params: " + ", ".join(shown), 110))
    return _short("\n".join(rows), _LABEL_LIMIT)


def _tooltip(op: Op, graph: Graph) -> str:
    rows = [op.type]
    if op.layer:
        rows.append(f"layer: {op.layer}")
    if op.kernel is not None:
        kernel = op.kernel
        rows.append(f"kernel: {kernel.name} ({kernel.backend}, {kernel.layout}, {kernel.dtype})")
    rows.extend(f"in: {_describe(value)}" for value in _values(op.inputs, graph))
    rows.extend(f"out: {_describe(value)}" for value in _values(op.outputs, graph))
    rows.extend(f"{name} = {_short(str(value), 300)}" for name, value in op.attrs.items())
    return _short("\n".join(rows), _TOOLTIP_LIMIT)


def _parameter_nodes(graph: Graph) -> Iterable[str]:
    used = {value for op in graph.ops for value in op.inputs}
    for number, value in enumerate(graph.parameters):
        if value.id in used:
            attributes = {
                "label": _short(_describe(value), _LABEL_LIMIT),
                "tooltip": _short(_describe(value), _TOOLTIP_LIMIT),
                "id": f"param{number}",
                "class": "parameter",
                "shape": "note",
                "style": "filled",
                "fillcolor": "#ffffff",
                "color": _LINE,
            }
            yield f"  param{number} [{_attributes(attributes)}];"


def _edges(graph: Graph, parameters: bool) -> Iterable[str]:
    weights = {value.id: f"param{number}" for number, value in enumerate(graph.parameters)}
    writer: dict[str, int] = {}
    for op in graph.ops:
        from_parent = False
        for value in op.inputs:
            known = graph.values.get(value, Value(value))
            attributes = {"label": _short(_type(known), _LINE_LIMIT), "tooltip": _describe(known)}
            if value in writer:
                # In Program IR a variable may be written again: the reader sees the last writer so far.
                yield f"  op{writer[value]} -> op{op.index} [{_edge_attributes(attributes)}];"
            elif value in weights:
                if parameters:
                    yield f"  {weights[value]} -> op{op.index};"
            elif op.parent is not None and 0 <= op.parent < op.index and not from_parent:
                # A block argument is handed in by the op that holds the block.
                from_parent = True
                yield f"  op{op.parent} -> op{op.index} [{_edge_attributes(attributes)}, style=dashed];"
        for value in op.outputs:
            writer[value] = op.index


def _values(ids: Iterable[str], graph: Graph) -> list[Value]:
    return [graph.values.get(value) or Value(value) for value in ids]


def _short_type(op: Op) -> str:
    """The type without its dialect."""
    return op.type.partition(".")[2] or op.type


def _type(value: Value) -> str:
    shape = "" if value.shape is None else f"[{'x'.join(map(str, value.shape))}]"
    return (value.dtype or "") + shape


def _describe(value: Value) -> str:
    name = value.name or value.id
    if value.parameter and value.shape is not None:
        return f"{name} [{'x'.join(map(str, value.shape))}]"
    return f"{name} {_type(value)}".rstrip()


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _attributes(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={_quoted(text)}" for name, text in attributes.items())


def _edge_attributes(attributes: Mapping[str, str]) -> str:
    return _attributes({name: _short(text, _LABEL_LIMIT) for name, text in attributes.items()})


def _quoted(text: str) -> str:
    """A quoted graphviz string that shows the text as it is: no escapes, entities or control characters."""
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
    text = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n").replace("\t", " ") + '"'
