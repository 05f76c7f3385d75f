"""Reads the ``.dot`` files that Paddle writes after every pass over Program IR, and completes them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from workbench.errors import TraceError
from workbench.ir.graph import Graph, Op, Value
from workbench.ir.types import UNKNOWN, GraphBuilder, TensorType

_NODE = re.compile(r'^\s*(node_\d+)\[label="((?:[^"\\]|\\.)*)"\s*([^\]]*)\]', re.MULTILINE)
_EDGE = re.compile(r"^\s*(node_\d+)->(node_\d+)", re.MULTILINE)
_LABEL = re.compile(r"(.*)\((\d+)\)(?:\n([-\d, ]*))?\s*\Z", re.DOTALL)
# The colours are the only thing in the file that tells ops, parameters and other variables apart.
_OP_STYLE = 'color="#303A3A"'
_PARAMETER_STYLE = 'color="#148b97"'
_HOLDERS = frozenset({"feed", "fetch"})


@dataclass(slots=True)
class _Node:
    name: str
    number: int
    is_op: bool
    parameter: bool
    type: TensorType
    sources: list[_Node] = field(default_factory=list)
    targets: list[_Node] = field(default_factory=list)


def count_native_ops(text: str) -> int:
    """Counts the ops of a native ``.dot`` dump without reading it.

    Args:
        text: the contents of the file.

    Returns:
        The number of op nodes.
    """
    return text.count(_OP_STYLE)


def read_native_dot(text: str) -> Graph:
    """Reads a native ``.dot`` dump.

    The file says neither element types nor attributes nor the order of an op's arguments, and lists
    only the main block; arguments are ordered by node number.

    Args:
        text: the contents of the file.

    Returns:
        The graph in topological order, ties broken by node number, which is ``Op.identity``. Of several
        variables with one name the oldest has it as id; the others are ``name(node number)``.

    Raises:
        TraceError: the text is not such a file or is cut short.
    """
    if not text.lstrip().startswith("digraph"):
        raise TraceError("the dump is not a .dot file: it does not start with 'digraph'")
    if "} // end G" not in text[-200:] and not text.rstrip().endswith("}"):
        raise TraceError("the .dot dump is cut short: its closing brace is missing")
    nodes = _nodes(text)
    for source, target in _EDGE.findall(text):
        if source not in nodes or target not in nodes:
            raise TraceError(f"the .dot dump is damaged: edge {source}->{target} has no node at one end")
        if nodes[source].is_op == nodes[target].is_op:
            raise TraceError(
                f"the .dot dump is damaged: {source}->{target} does not join an op and a variable"
            )
        nodes[source].targets.append(nodes[target])
        nodes[target].sources.append(nodes[source])
    return _graph(list(nodes.values()))


def _nodes(text: str) -> dict[str, _Node]:
    nodes: dict[str, _Node] = {}
    declared = len(re.findall(r"^\s*node_\d+\[", text, re.MULTILINE))
    for key, label, style in _NODE.findall(text):
        found = _LABEL.match(label)
        if found is None:
            raise TraceError(f"the .dot dump has a node whose label is not understood: {label[:80]!r}")
        name, number, dims = found.groups()
        is_op = _OP_STYLE in style
        shape = tuple(int(dim) for dim in dims.split(",")) if dims else None
        parameter = not is_op and _PARAMETER_STYLE in style and not (name in _HOLDERS and shape is None)
        nodes[key] = _Node(name, int(number), is_op, parameter, (None, shape))
    if len(nodes) != declared:
        raise TraceError(f"the .dot dump has {declared} nodes, of which {len(nodes)} were understood")
    return nodes


def _graph(nodes: list[_Node]) -> Graph:
    builder = GraphBuilder("program")
    ids: dict[int, str] = {}
    for node in sorted((node for node in nodes if not node.is_op), key=lambda node: node.number):
        value = node.name if node.name not in builder.types else f"{node.name}({node.number})"
        ids[id(node)] = value
        builder.types[value] = node.type
        if node.parameter and not node.sources:
            builder.parameters.add(value)
        if node.parameter or value != node.name:
            builder.name(value, node.name)
    for node in _topological([node for node in nodes if node.is_op]):
        scope, _, kind = node.name.rpartition("/")
        inputs = tuple(ids[id(source)] for source in _in_order(node.sources))
        outputs = tuple(ids[id(target)] for target in _in_order(node.targets))
        if kind in _HOLDERS:
            for value in outputs if kind == "feed" else inputs:
                if value not in _HOLDERS:
                    builder.name(value, value)
        index = len(builder.ops)
        layer = scope.rstrip("/")
        builder.ops.append(Op(index, kind, inputs, outputs, {}, layer, None, str(node.number)))
    return builder.graph()


def _in_order(nodes: Iterable[_Node]) -> list[_Node]:
    return sorted(nodes, key=lambda node: node.number)


def _topological(ops: list[_Node]) -> list[_Node]:
    """Orders ops so that producers come first; ties, and cycles, by node number."""
    waiting = {id(op): sum(len(value.sources) for value in op.sources) for op in ops}
    ready = [(op.number, place) for place, op in enumerate(ops) if not waiting[id(op)]]
    heapq.heapify(ready)
    places = {id(op): place for place, op in enumerate(ops)}
    left = sorted(range(len(ops)), key=lambda place: ops[place].number, reverse=True)
    done: set[int] = set()
    ordered: list[_Node] = []
    while len(ordered) < len(ops):
        if ready:
            _, place = heapq.heappop(ready)
        else:
            # Only a cycle leaves nothing ready: go on with the oldest op in it.
            place = left.pop()
        if place in done:
            continue
        done.add(place)
        ordered.append(ops[place])
        for value in ops[place].targets:
            for reader in value.targets:
                waiting[id(reader)] -= 1
                if not waiting[id(reader)]:
                    heapq.heappush(ready, (reader.number, places[id(reader)]))
    return ordered


def enrich(graph: Graph, *sources: Graph) -> Graph:
    """Completes a native ``.dot`` graph with what the same ops and variables have in other graphs.

    An op is the same if its type and the names of its outputs are. It gets the attributes and the layer
    of the first source that has it, and its arguments in that source's order. Passes such as
    ``conv_activation_onednn_fuse_pass`` turn an op into its fused kind in place; the dump goes on showing
    the old type, and the op gets the type it has in a source where it reads and writes the same variables.

    Args:
        graph: what ``read_native_dot`` gave.
        *sources: graphs of the same model, such as ``{pass}.pdmodel`` and the original model file.

    Returns:
        The completed graph; ops and variables that no source has stay as they are.
    """
    tables = [_Table(source) for source in sources]
    ops = []
    for op in graph.ops:
        for table in tables:
            same = table.find(op, graph)
            if same is not None:
                ops.append(_completed(op, same, graph, table.graph))
                break
        else:
            ops.append(op)
    values = {key: _completed_value(value, sources) for key, value in graph.values.items()}
    return Graph(graph.ir, tuple(ops), values)


_Names = tuple[str, ...]


class _Table:
    """The ops of a source, to be found by what they write."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._exact: dict[tuple[str, _Names], list[Op]] = {}
        self._renamed: dict[tuple[_Names, _Names], Op] = {}
        for op in graph.ops:
            self._exact.setdefault(_key(op, graph), []).append(op)
            if op.type.startswith("fused_") or op.type == "conv2d":
                self._renamed[_names(op.inputs, graph), _names(op.outputs, graph)] = op

    def find(self, op: Op, graph: Graph) -> Op | None:
        same = self._exact.get(_key(op, graph))
        if same:
            # Of several such ops each is given once, in order; the last one again and again.
            return same.pop(0) if len(same) > 1 else same[0]
        other = self._renamed.get((_names(op.inputs, graph), _names(op.outputs, graph)))
        if other is not None and (other.type.startswith("fused_") or op.type == f"depthwise_{other.type}"):
            return other
        return None


def _variable(value: str, graph: Graph) -> str:
    """The variable's name, without the node number of a second variable of that name."""
    found = graph.values.get(value)
    return found.name if found is not None and found.name else value


def _names(ids: _Names, graph: Graph) -> _Names:
    return tuple(sorted({_variable(value, graph) for value in ids}))


def _key(op: Op, graph: Graph) -> tuple[str, _Names]:
    # Ops without outputs, and fetch, which writes to a holder all share, are told apart by what they read.
    return op.type, _names(op.outputs if op.outputs and op.type != "fetch" else op.inputs, graph)


def _completed(op: Op, same: Op, graph: Graph, source: Graph) -> Op:
    return replace(
        op,
        type=same.type,
        attrs=same.attrs,
        layer=op.layer or same.layer,
        inputs=_reordered(op.inputs, same.inputs, graph, source),
        outputs=_reordered(op.outputs, same.outputs, graph, source),
    )


def _reordered(ids: tuple[str, ...], wanted: tuple[str, ...], graph: Graph, source: Graph) -> tuple[str, ...]:
    place = {_variable(value, source): number for number, value in reversed(list(enumerate(wanted)))}
    return tuple(sorted(ids, key=lambda value: place.get(_variable(value, graph), len(place))))


def _completed_value(value: Value, sources: tuple[Graph, ...]) -> Value:
    dtype, shape = value.dtype, value.shape
    for source in sources:
        other = source.values.get(value.name or value.id) or source.values.get(value.id)
        if other is not None and (other.dtype, other.shape) != UNKNOWN:
            dtype, shape = dtype or other.dtype, other.shape if shape is None else shape
            break
    return replace(value, dtype=dtype, shape=shape)
