"""A graph packed for the page: columns of numbers, every text once. Read in ``extensions/src/graph``."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.ir import Diff, Graph, Op, Value, alterations, layer_tree
from workbench.tracing import Lineage

VERSION = 1
_MARKS = {None: 0, "added": 1, "removed": 2, "altered": 3}
# Paddle's own bookkeeping says nothing to a reader and is large.
_HIDDEN_ATTRS = frozenset({"op_callstack", "struct_name", "kernel_key", "kernel_name", "op_name"})
_ATTR_LIMIT = 20_000


@dataclass(frozen=True)
class Shown:
    """What is drawn: a graph, and among its ops those that were removed.

    Attributes:
        graph: the ops of the graph shown, and removed ones near where they stood.
        index: per op its index in the graph it is from.
        key: per op a number that it has in every stage.
        mark: per op None, "added", "removed" or "altered".
        made: per op the stage whose pass made it, 0 for an op of the model.
        layers: per op its layer path.
        alterations: place of an altered op to lines that say what differs.
        former: removed op, an op that read from it and stays, the value: places and a value id.
    """

    graph: Graph
    index: Sequence[int]
    key: Sequence[int]
    mark: Sequence[str | None]
    made: Sequence[int]
    layers: Sequence[str]
    alterations: Mapping[int, Sequence[str]] = field(default_factory=dict)
    former: Sequence[tuple[int, int, str]] = ()


def alone(
    graph: Graph,
    keys: Sequence[int] | None = None,
    made: Sequence[int] | None = None,
    layers: Sequence[str] | None = None,
) -> Shown:
    """A graph compared with nothing.

    Args:
        graph: what to show.
        keys: per op a number it has in every stage; the op's index without.
        made: per op the stage that made it.
        layers: per op its layer path, where the dump's own is not enough.
    """
    count = len(graph.ops)
    return Shown(
        graph,
        range(count),
        keys if keys is not None else range(count),
        [None] * count,
        made if made is not None else [0] * count,
        layers if layers is not None else [op.layer for op in graph.ops],
    )


def compared(before: Graph, after: Shown, found: Diff, known: Shown | None = None) -> Shown:
    """A graph with what another one says about it: marks, and the removed ops where they stood.

    Args:
        before: the graph it is compared with.
        after: what to show, made by `alone`.
        found: the difference between the two.
        known: the graph before by `alone`, with the keys and layers its ops have in the trace. Without it
            removed ops get new keys.
    """
    marks: list[str | None] = [None] * len(after.graph.ops)
    for place, mark in found.marks_after().items():
        marks[place] = mark
    changed = dict(alterations(before, after.graph, found))
    union = _Union(before, after.graph, found)
    order = union.order()
    place_of = {entry: place for place, entry in enumerate(order)}
    free = max(after.key, default=-1) + 1
    mark_of: list[str | None] = []
    index, key, made, layers, ops = [], [], [], [], []
    for place, (removed, at) in enumerate(order):
        if removed:
            op = union.ghost(at)
            parent = None if op.parent is None else place_of.get(union.stands_at(op.parent))
            key.append(free + at if known is None else known.key[at])
            mark_of.append("removed")
            made.append(0 if known is None else known.made[at])
            layers.append(op.layer if known is None else known.layers[at])
        else:
            op = after.graph.ops[at]
            parent = None if op.parent is None else place_of.get((False, op.parent))
            key.append(after.key[at])
            mark_of.append(marks[at])
            made.append(after.made[at])
            layers.append(after.layers[at])
        index.append(at)
        ops.append(replace(op, index=place, parent=parent))
    return Shown(
        Graph(after.graph.ir, tuple(ops), {**after.graph.values, **union.values}),
        index,
        key,
        mark_of,
        made,
        layers,
        {place_of[False, at]: lines for at, lines in changed.items()},
        [(place_of[True, first], place_of[False, reader], value) for first, reader, value in union.cut],
    )


class _Union:
    """The ops after a change, with the removed ones among them."""

    def __init__(self, before: Graph, after: Graph, found: Diff) -> None:
        self.before = before
        self.after = after
        self.found = found
        self.removed = set(found.removed)
        self.values: dict[str, Value] = {}
        self._fresh: dict[str, str] = {}
        named = {value.name: value.id for value in after.parameters if value.name}
        # Weights before a change, by their id, to the same ones after it.
        self.same = {value.id: named[value.name] for value in before.parameters if value.name in named}
        # Per removed op what it reads, in the names after the change; and the edges that the change cut.
        self.reads: dict[int, tuple[str, ...]] = {}
        self.cut: list[tuple[int, int, str]] = []
        self._follow()

    def order(self) -> list[tuple[bool, int]]:
        """(removed, index): a removed op follows what it read from and what stood before it."""
        slots: dict[int, list[int]] = {}
        writer: dict[str, int] = {}
        placed: dict[int, int] = {}
        previous = -1
        for op in self.before.ops:
            place = self.found.matched.get(op.index, -1)
            if op.index in self.removed:
                holder = -1 if op.parent is None else placed.get(op.parent, -1)
                place = max([previous, holder, *(writer.get(value, -1) for value in op.inputs)])
                slots.setdefault(place, []).append(op.index)
            placed[op.index] = place
            previous = max(previous, place) if op.index in self.removed else place
            writer.update(dict.fromkeys(op.outputs, place))
        ordered = [(True, at) for at in slots.get(-1, ())]
        for op in self.after.ops:
            ordered.append((False, op.index))
            ordered += [(True, at) for at in slots.get(op.index, ())]
        return ordered

    def stands_at(self, before_index: int) -> tuple[bool, int]:
        """Where an op of the graph before stands now; nowhere if there is no such op."""
        if before_index in self.removed:
            return True, before_index
        return False, self.found.matched.get(before_index, -1)

    def ghost(self, at: int) -> Op:
        """A removed op, in the names of values that there are after the change."""
        op = self.before.ops[at]
        # What it wrote is never what an op that stays writes, even where a variable has the same name.
        return replace(op, inputs=self.reads[at], outputs=tuple(self._gone(value) for value in op.outputs))

    def _follow(self) -> None:
        """Goes through the ops before, since a variable of Program IR may be written again."""
        writer: dict[str, int] = {}
        now: dict[str, str] = {}
        for op in self.before.ops:
            if op.index in self.removed:
                self.reads[op.index] = tuple(now.get(value) or self._unwritten(value) for value in op.inputs)
                now.update((value, self._gone(value)) for value in op.outputs)
            else:
                at = self.found.matched[op.index]
                self.cut += [
                    (writer[value], at, self._gone(value))
                    for value in op.inputs
                    if writer.get(value, -1) in self.removed
                ]
                now.update(zip(op.outputs, self.after.ops[at].outputs, strict=False))
            writer.update(dict.fromkeys(op.outputs, op.index))

    def _unwritten(self, value: str) -> str:
        return self.same.get(value) or self._gone(value)

    def _gone(self, value: str) -> str:
        """A name of its own for a value that is no more: numbers of values start again after each pass."""
        fresh = self._fresh.get(value)
        if fresh is None:
            fresh = f"{value} (before)"
            while fresh in self.after.values:
                fresh += "'"
            self._fresh[value] = fresh
            known = self.before.values.get(value, Value(value))
            self.values[fresh] = replace(known, id=fresh, name=known.name or value)
        return fresh


def graph_document(shown: Shown) -> dict[str, Any]:
    """The columns; ``extensions/src/graph/document.ts`` says what each holds."""
    texts = _Table()
    graph = shown.graph
    tree = layer_tree(graph, list(shown.layers))
    values = {name: place for place, name in enumerate(graph.values)}
    attrs, kernels = _Table(), _Table()
    ops: dict[str, list[int]] = {
        name: []
        for name in (
            *(
                "key",
                "index",
                "type",
                "layer",
                "block",
                "parent",
                "region",
                "kernel",
                "attrs",
                "mark",
                "made",
            ),
            *("inputsAt", "inputs", "outputsAt", "outputs"),
        )
    }
    texts_of_attrs: dict[int, int] = {}
    for place, op in enumerate(graph.ops):
        block = tree.of_op[place]
        row = {
            "key": shown.key[place],
            "index": shown.index[place],
            "type": texts(op.type),
            "layer": texts(shown.layers[place] or op.layer or None),
            "block": -1 if block is None else block,
            "parent": -1 if op.parent is None else op.parent,
            "region": op.region,
            "kernel": -1
            if op.kernel is None
            else kernels((op.kernel.name, op.kernel.backend, op.kernel.layout, op.kernel.dtype)),
            "mark": _MARKS[shown.mark[place]],
            "made": shown.made[place],
            "inputsAt": len(ops["inputs"]),
            "outputsAt": len(ops["outputs"]),
        }
        for name, number in row.items():
            ops[name].append(number)
        # Readers share one dict among ops of equal attributes.
        if id(op.attrs) not in texts_of_attrs:
            texts_of_attrs[id(op.attrs)] = attrs(_attrs_text(op.attrs))
        ops["attrs"].append(texts_of_attrs[id(op.attrs)])
        ops["inputs"] += [values[value] for value in op.inputs if value in values]
        ops["outputs"] += [values[value] for value in op.outputs if value in values]
    ops["inputsAt"].append(len(ops["inputs"]))
    ops["outputsAt"].append(len(ops["outputs"]))
    return {
        "version": VERSION,
        "ir": graph.ir,
        "ops": ops,
        "values": _value_columns(graph, texts),
        "blocks": {
            "parent": [-1 if block.parent is None else block.parent for block in tree.blocks],
            "name": [texts(block.name) for block in tree.blocks],
            "path": [texts(block.path) for block in tree.blocks],
            "kind": [texts(block.kind) for block in tree.blocks],
            "repeat": [block.repeat for block in tree.blocks],
        },
        "attrs": attrs.items,
        "kernels": kernels.items,
        "alterations": {str(place): list(lines) for place, lines in shown.alterations.items()},
        "former": [
            number for first, second, value in shown.former for number in (first, second, values[value])
        ],
        "strings": texts.items,
    }


def _value_columns(graph: Graph, texts: _Table) -> dict[str, list[int]]:
    values = graph.values.values()
    return {
        "id": [texts(value.id) for value in values],
        "name": [texts(value.name) for value in values],
        "dtype": [texts(value.dtype) for value in values],
        "shape": [
            texts(None if value.shape is None else "x".join(map(str, value.shape))) for value in values
        ],
        "parameter": [int(value.parameter) for value in values],
    }


def _attrs_text(attrs: Mapping[str, Any]) -> str:
    """Attributes as JSON, long ones cut: the page shows them, it does not compute with them."""
    shown = {}
    for name, value in attrs.items():
        if name not in _HIDDEN_ATTRS:
            text = json.dumps(value, default=str) if isinstance(value, (str, list, tuple, dict)) else ""
            shown[name] = text[:_ATTR_LIMIT] + "…" if len(text) > _ATTR_LIMIT else value
    whole = json.dumps(shown, default=str)
    # JSON has no NaN and no infinity; a browser refuses them.
    return json.dumps(_finite(shown), default=str) if "NaN" in whole or "Infinity" in whole else whole


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value


def lineage_document(lineage: Lineage, passes: Sequence[str | None]) -> dict[str, Any]:
    """What became of every op on the way, as far as the stages have been read."""
    texts = _Table()
    events = lineage.so_far
    return {
        "version": VERSION,
        "passes": list(passes),
        "keys": {
            "type": [texts(one) for one in lineage.types],
            "layer": [texts(one or None) for one in lineage.layers],
            "born": list(lineage.born),
        },
        # One row per op that something became part of; -1 where nothing stands for it any more.
        "events": _event_columns(
            [
                (event.stage, texts(event.how), into, list(event.sources))
                for event in events
                for into in (event.into or (-1,))
            ]
        ),
        "strings": texts.items,
    }


def _event_columns(rows: Sequence[tuple[int, int, int, list[int]]]) -> dict[str, list[Any]]:
    names = ("stage", "how", "into", "from")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def packed(document: Mapping[str, Any]) -> bytes:
    """JSON, compressed with zlib: a quarter of it is quick to send and to save."""
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 3)


class _Table:
    """Gives every distinct thing a number; None has -1."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._places: dict[Any, int] = {}

    def __call__(self, item: Any) -> int:
        if item is None:
            return -1
        place = self._places.get(item)
        if place is None:
            place = self._places[item] = len(self.items)
            self.items.append(item)
        return place
