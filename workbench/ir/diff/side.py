"""One of two graphs that are compared: its data flow, and what its ops are recognised by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from workbench.ir.diff.names import canonical_type
from workbench.ir.graph import Graph, Op

Source = tuple[int, int]

# Paddle's own numbering of ops and debugging notes: they change without the op changing.
VOLATILE = frozenset({"origin_id", "op_callstack", "sym_shape_str", "symbolic_shape"})
# Real attributes, which do not help to recognise an op: kernel lowering and layers are seen elsewhere.
_UNDECISIVE = VOLATILE | {
    "stop_gradient",
    "persistable",
    "struct_name",
    "op_namescope",
    "op_name",
    "kernel_name",
    "kernel_key",
}

# What carries values into and out of a model.
_ENDS = frozenset({"data", "fetch"})


def sides(before: Graph, after: Graph) -> tuple[Side, Side]:
    """Both graphs, to be compared with each other."""
    across = before.ir != after.ir
    return Side(before, across=across), Side(after, across=across)


class Side:
    """One graph, with its data flow by op index and the signatures ops are recognised by.

    With across=True it is compared with a graph of the other IR: ops are called by their canonical type, what
    they read has no order, and constants that only PIR has as ops are no part of the data flow.
    """

    def __init__(self, graph: Graph, *, across: bool = False) -> None:
        self.graph = graph
        self.ops = graph.ops
        self.across = across
        # Program IR's variables have names that outlive passes; its dumps do not order arguments.
        self.ordered = graph.ir == "pir" and not across
        self.has_identity = bool(graph.ops) and all(op.identity is not None for op in graph.ops)
        # Per op and input: (index of the writer, which of its outputs), or None for parameters and the like.
        self.sources: list[list[Source | None]] = []
        # Per op: (reader, place of the input, which output), in order.
        self.users: list[list[tuple[int, int, int]]] = [[] for _ in graph.ops]
        writer: dict[str, Source] = {}
        for op in graph.ops:
            # The writer as of here: in Program IR a variable may be written again later.
            found: list[Source | None] = [writer.get(value) for value in op.inputs]
            self.sources.append(found)
            for place, source in enumerate(found):
                if source is not None:
                    self.users[source[0]].append((op.index, place if self.ordered else 0, source[1]))
            if across:
                if not (op.inputs or canonical_type(op.type) in _ENDS):
                    continue
                writer.update((value, (op.index, 0)) for value in op.outputs)
                continue
            for place, value in enumerate(op.outputs):
                writer[value] = (op.index, place)

    def name(self, value: str) -> str:
        """What people know a value by, else its id."""
        found = self.graph.values.get(value)
        return found.name if found is not None and found.name else value

    def is_parameter(self, value: str) -> bool:
        """Whether a value is stored with the model."""
        found = self.graph.values.get(value)
        return found is not None and found.parameter

    def outer(self, value: str) -> object:
        """What stands for a value that no op writes: its name, or for a block argument its type."""
        found = self.graph.values.get(value)
        if self.across:
            return ("named", found.name or found.id) if found is not None and found.parameter else None
        if found is None or (self.ordered and not found.parameter and found.name is None):
            return ("argument", None if found is None else (found.dtype, found.shape))
        return ("named", found.name or found.id)

    @cached_property
    def output_types(self) -> list[tuple[object, ...]]:
        """Per op the types of what it writes."""
        types = {name: (value.dtype, value.shape) for name, value in self.graph.values.items()}
        found: list[tuple[object, ...]] = [
            tuple([types.get(value) for value in op.outputs]) for op in self.ops
        ]
        return found if self.ordered else [tuple(sorted(one, key=str)) for one in found]

    def given(self, op: Op) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
        """The types of what an op gives to others, in no order; None if the dump leaves one out."""
        found = []
        for name in op.outputs:
            if name in self.graph.users and not self.is_parameter(name):
                value = self.graph.values.get(name)
                if value is None or value.dtype is None or value.shape is None:
                    return None
                found.append((value.dtype, value.shape))
        return tuple(sorted(found))

    @cached_property
    def parameter_names(self) -> list[tuple[str, ...]]:
        """Per op the names of the parameters it reads."""
        names = [
            tuple(self.name(value) for value in op.inputs if self.is_parameter(value)) for op in self.ops
        ]
        return [tuple(sorted(one)) for one in names] if self.across else names

    @cached_property
    def full(self) -> list[object]:
        """A hash of all that an op is by itself: attributes are long, and this is compared often."""
        return [hash(one) for one in self._whole()]

    def _whole(self) -> Iterable[object]:
        if self.across:
            # Inputs of the model are known by their names.
            return (
                (kind, tuple(map(self.name, op.outputs)) if kind == "data" else (), self.given(op))
                for op, kind in zip(self.ops, self.types, strict=True)
            )
        if not self.ordered:
            return ((op.type, tuple(sorted(map(self.name, op.outputs)))) for op in self.ops)
        cache: dict[object, object] = {}
        return (
            (op.type, op.layer, frozen_attrs(op.attrs, cache), types)
            for op, types in zip(self.ops, self.output_types, strict=True)
        )

    @cached_property
    def loose(self) -> list[object]:
        """What remains of an op when its attributes or output types change."""
        return self.types if self.across else [(op.type, op.layer) for op in self.ops]

    @cached_property
    def types(self) -> list[object]:
        """Per op its type, by the name that both graphs have for it."""
        return [canonical_type(op.type) if self.across else op.type for op in self.ops]

    @cached_property
    def forward(self) -> list[int]:
        """Per op a hash of itself and all it is computed from."""
        hashes: list[int] = []
        for op, own, found in zip(self.ops, self.full, self.sources, strict=True):
            parts: list[object] = [
                (hashes[source[0]], source[1]) if source is not None else self.outer(value)
                for source, value in zip(found, op.inputs, strict=True)
            ]
            if self.across:
                parts = [part for part in parts if part is not None]
            # The order of arguments is unknown in some Program IR graphs.
            hashes.append(hash((own, tuple(parts) if self.ordered else frozenset(map(hash, parts)))))
        return hashes

    @cached_property
    def backward(self) -> list[int]:
        """Per op a hash of itself and all that is computed from it."""
        hashes = [0] * len(self.ops)
        for index in range(len(self.ops) - 1, -1, -1):
            readers = sorted((hashes[user], place, output) for user, place, output in self.users[index])
            hashes[index] = hash((self.full[index], self.parameter_names[index], tuple(readers)))
        return hashes


def frozen_attrs(attrs: Mapping[str, Any], cache: dict[object, object]) -> object:
    """The attributes an op is recognised by, to be hashed; the cache keeps one of equal ones."""
    parts = []
    for key in sorted(attrs):
        if key not in _UNDECISIVE:
            value = attrs[key]
            parts.append((key, repr(value) if isinstance(value, (list, float)) else value))
    found = tuple(parts)
    return cache.setdefault(found, found)
