"""A graph as text that people read in an issue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.ir import Graph, Value

# Where an op came from and what only training reads; the rest is what a kernel gets.
_HIDDEN = frozenset(
    {
        "struct_name",
        "stop_gradient",
        "persistable",
        "op_callstack",
        "op_device",
        "op_namescope",
        "op_role",
        "op_role_var",
        "with_quant_attr",
    }
)
_LONGEST = 200


def graph_text(graph: Graph) -> str:
    """One line per op: results, op, operands, attributes, then the types of the results.

    Ops within another are indented below it. Parameters come first.
    """
    lines = [
        f"{value.id} = parameter {value.name or ''} : {_type(value)}".replace("  ", " ")
        for value in graph.parameters
    ]
    depths: list[int] = []
    for op in graph.ops:
        depths.append(0 if op.parent is None else depths[op.parent] + 1)
        results = f"{', '.join(op.outputs)} = " if op.outputs else ""
        types = ", ".join(_type(graph.values[value]) for value in op.outputs)
        lines.append(
            f"{'  ' * depths[-1]}{results}{op.type}({', '.join(op.inputs)}){_attrs(op.attrs)}"
            + (f" : {types}" if types else "")
        )
    return "\n".join(lines)


def _type(value: Value) -> str:
    if value.shape is None:
        return value.dtype or "?"
    return f"{value.dtype}[{', '.join('?' if size < 0 else str(size) for size in value.shape)}]"


def _attrs(attrs: Mapping[str, Any]) -> str:
    shown = [f"{name}={_short(value)}" for name, value in attrs.items() if name not in _HIDDEN]
    return f" {{{', '.join(shown)}}}" if shown else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
