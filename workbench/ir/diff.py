"""Says what a pass did: which ops of two graphs are the same, and which came, went or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from workbench.ir.graph import Graph, Op

Mark = Literal["added", "removed", "altered"]

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

# What Paddle fills in while it loads a program, beside False, 0, "" and []: no pass did that.
_FILLED_IN: Mapping[str, Any] = {
    "mkldnn_data_type": "float32",
    "use_cudnn": True,
    "workspace_size_MB": 512,
    "data_format": "AnyLayout",
    "Scale_in": 1.0,
    "Scale_x": 1.0,
    "Scale_y": 1.0,
    "Scale_out": 1.0,
}


@dataclass(frozen=True)
class Diff:
    """What happened between two graphs.

    ``len(after.ops) == len(before.ops) + len(added) - len(removed)`` always holds.

    Attributes:
        matched: index of an op before to the index of the same op after.
        added: indices in the graph after, ascending.
        removed: indices in the graph before, ascending.
        altered: pairs of ``matched`` whose attributes, kernel, inputs or output types differ.
    """

    matched: Mapping[int, int]
    added: tuple[int, ...]
    removed: tuple[int, ...]
    altered: tuple[tuple[int, int], ...]

    @cached_property
    def changed(self) -> bool:
        """True if anything was added, removed or altered."""
        return bool(self.added or self.removed or self.altered)

    def marks_before(self) -> dict[int, Mark]:
        """The marks to draw the graph before with: index to "removed" or "altered"."""
        marks: dict[int, Mark] = {first: "altered" for first, _ in self.altered}
        marks.update(dict.fromkeys(self.removed, "removed"))
        return marks

    def marks_after(self) -> dict[int, Mark]:
        """The marks to draw the graph after with: index to "added" or "altered"."""
        marks: dict[int, Mark] = {second: "altered" for _, second in self.altered}
        marks.update(dict.fromkeys(self.added, "added"))
        return marks


def diff(before: Graph, after: Graph) -> Diff:
    """Compares two graphs of one model.

    Ops are matched by their identity where both graphs have it, else by what they are and where they
    stand in the data flow. Values that only have another number are no change.

    Args:
        before: the graph before a pass.
        after: the graph after it.

    Returns:
        The difference. Ops of different types never match.
    """
    first, second = _Side(before), _Side(after)
    matcher = _Matcher(first, second)
    if first.has_identity and second.has_identity:
        matcher.by_identity()
    else:
        matcher.by_structure()
    matched = dict(sorted(matcher.pairs.items()))
    reached = set(matched.values())
    return Diff(
        matched,
        tuple(op.index for op in after.ops if op.index not in reached),
        tuple(op.index for op in before.ops if op.index not in matched),
        _altered(first, second, matched),
    )


def same_graph(a: Graph, b: Graph) -> bool:
    """Says whether two graphs are the same but for the numbering of values and the order of ops.

    Args:
        a: one graph.
        b: another graph.

    Returns:
        True if ``diff`` finds nothing.
    """
    return a is b or (len(a.ops) == len(b.ops) and not diff(a, b).changed)


_Source = tuple[int, int]


class _Side:
    """One graph, with its data flow by op index and the signatures ops are recognised by."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ops = graph.ops
        # Program IR's variables have names that outlive passes; its dumps do not order arguments.
        self.ordered = graph.ir == "pir"
        self.has_identity = bool(graph.ops) and all(op.identity is not None for op in graph.ops)
        # Per op and input: (index of the writer, which of its outputs), or None for parameters and the like.
        self.sources: list[list[_Source | None]] = []
        # Per op: (reader, place of the input, which output), in order.
        self.users: list[list[tuple[int, int, int]]] = [[] for _ in graph.ops]
        writer: dict[str, _Source] = {}
        for op in graph.ops:
            # The writer as of here: in Program IR a variable may be written again later.
            found = [writer.get(value) for value in op.inputs]
            self.sources.append(found)
            for place, source in enumerate(found):
                if source is not None:
                    self.users[source[0]].append((op.index, place if self.ordered else 0, source[1]))
            for place, value in enumerate(op.outputs):
                writer[value] = (op.index, place)

    def name(self, value: str) -> str:
        found = self.graph.values.get(value)
        return found.name if found is not None and found.name else value

    def is_parameter(self, value: str) -> bool:
        found = self.graph.values.get(value)
        return found is not None and found.parameter

    def outer(self, value: str) -> object:
        """What stands for a value that no op writes: its name, or for a block argument its type."""
        found = self.graph.values.get(value)
        if found is None or (self.ordered and not found.parameter and found.name is None):
            return ("argument", None if found is None else (found.dtype, found.shape))
        return ("named", found.name or found.id)

    def output_types(self, op: Op) -> tuple[object, ...]:
        values = (self.graph.values.get(value) for value in op.outputs)
        types = tuple(None if value is None else (value.dtype, value.shape) for value in values)
        return types if self.ordered else tuple(sorted(types, key=str))

    @cached_property
    def parameter_names(self) -> list[tuple[str, ...]]:
        return [tuple(self.name(value) for value in op.inputs if self.is_parameter(value)) for op in self.ops]

    @cached_property
    def full(self) -> list[object]:
        """All that an op is by itself."""
        if not self.ordered:
            return [(op.type, tuple(sorted(map(self.name, op.outputs)))) for op in self.ops]
        cache: dict[object, object] = {}
        return [(op.type, op.layer, _frozen_attrs(op.attrs, cache), self.output_types(op)) for op in self.ops]

    @cached_property
    def loose(self) -> list[object]:
        """What remains of an op when its attributes or output types change."""
        return [(op.type, op.layer) for op in self.ops]

    @cached_property
    def types(self) -> list[object]:
        return [op.type for op in self.ops]

    @cached_property
    def forward(self) -> list[int]:
        """Per op a hash of itself and all it is computed from."""
        hashes: list[int] = []
        for op, own, found in zip(self.ops, self.full, self.sources, strict=True):
            parts: list[object] = [
                (hashes[source[0]], source[1]) if source is not None else self.outer(value)
                for source, value in zip(found, op.inputs, strict=True)
            ]
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


def _frozen_attrs(attrs: Mapping[str, Any], cache: dict[object, object]) -> object:
    parts = []
    for key in sorted(attrs):
        if key not in _UNDECISIVE:
            value = attrs[key]
            parts.append((key, repr(value) if isinstance(value, (list, float)) else value))
    found = tuple(parts)
    return cache.setdefault(found, found)


class _Matcher:
    def __init__(self, before: _Side, after: _Side) -> None:
        self.before = before
        self.after = after
        self.pairs: dict[int, int] = {}
        self.reverse: dict[int, int] = {}

    def pair(self, first: int, second: int) -> None:
        self.pairs[first] = second
        self.reverse[second] = first

    def by_identity(self) -> None:
        places = {op.identity: op.index for op in self.after.ops}
        for op in self.before.ops:
            second = places.get(op.identity)
            if second is not None and self.after.ops[second].type == op.type:
                self.pair(op.index, second)

    def by_structure(self) -> None:
        before, after = self.before, self.after
        if before.forward == after.forward and before.backward == after.backward:
            for index in range(len(before.ops)):
                self.pair(index, index)
            return

        def context(side: _Side) -> list[object]:
            return list(zip(side.forward, side.backward, strict=True))

        def anchored(side: _Side, own: list[object]) -> list[object]:
            # An op with a parameter is known by its name; the others have no key here.
            return [
                (part, names) if names else None
                for part, names in zip(own, side.parameter_names, strict=True)
            ]

        self._by_key(context, only_unique=False)
        self._by_key(lambda side: list(side.forward))
        self._by_key(lambda side: list(side.backward))
        self._by_key(lambda side: anchored(side, side.full))
        self._propagate(before.full, after.full)
        self._by_key(lambda side: side.full, whole=True)
        self._propagate(before.full, after.full)
        self._by_key(lambda side: anchored(side, side.loose))
        self._propagate(before.full, after.full)
        self._propagate(before.loose, after.loose)
        self._in_gaps(before.full, after.full)
        self._in_gaps(before.loose, after.loose)
        self._propagate(before.full, after.full)
        self._propagate(before.loose, after.loose)
        self._propagate(before.types, after.types, strict=True)

    def _by_key(
        self, keys: Callable[[_Side], list[object]], *, only_unique: bool = True, whole: bool = False
    ) -> None:
        """Pairs open ops with one key: single ones, or with only_unique=False equally many in their order.

        With whole=True a key counts only if it is single among all ops, not among the open ones.
        """
        groups_before = _groups(keys(self.before), () if whole else self.pairs)
        groups_after = _groups(keys(self.after), () if whole else self.reverse)
        for key, firsts in groups_before.items():
            seconds = groups_after.get(key)
            if seconds is None or len(firsts) != len(seconds) or (only_unique and len(firsts) != 1):
                continue
            for first, second in zip(firsts, seconds, strict=True):
                if first not in self.pairs and second not in self.reverse:
                    self.pair(first, second)

    def _propagate(self, before: list[object], after: list[object], *, strict: bool = False) -> None:
        """Pairs the neighbours of pairs that have one signature, and theirs, until nothing changes.

        With strict=True only neighbours that have no rival are paired.
        """
        work = list(self.pairs.items())
        while work:
            first, second = work.pop()
            found = [
                *self._writers(first, second, before, after),
                *self._readers(first, second, before, after, strict),
            ]
            for pair in found:
                if pair[0] not in self.pairs and pair[1] not in self.reverse:
                    self.pair(*pair)
                    work.append(pair)

    def _writers(
        self, first: int, second: int, before: list[object], after: list[object]
    ) -> Iterable[_Source]:
        ours, theirs = self.before.sources[first], self.after.sources[second]
        if self.before.ordered and len(ours) == len(theirs):
            for mine, other in zip(ours, theirs, strict=True):
                if (
                    mine is not None
                    and other is not None
                    and mine[1] == other[1]
                    and before[mine[0]] == after[other[0]]
                ):
                    yield mine[0], other[0]
            return
        open_ours = {source[0] for source in ours if source is not None and source[0] not in self.pairs}
        open_theirs = {source[0] for source in theirs if source is not None and source[0] not in self.reverse}
        yield from _single_pairs(
            [(before[index], index) for index in open_ours], [(after[index], index) for index in open_theirs]
        )

    def _readers(
        self, first: int, second: int, before: list[object], after: list[object], strict: bool
    ) -> Iterable[_Source]:
        ours = [
            ((before[user], place, output), user)
            for user, place, output in self.before.users[first]
            if user not in self.pairs
        ]
        if not ours:
            return
        theirs = [
            ((after[user], place, output), user)
            for user, place, output in self.after.users[second]
            if user not in self.reverse
        ]
        yield from _single_pairs(ours, theirs, equally_many=not strict)

    def _in_gaps(self, before: list[object], after: list[object]) -> None:
        """Pairs what is left, in order, where it stands between the same two matched ops."""
        spans_before = _spans(len(self.before.ops), self.pairs)
        spans_after = _spans(len(self.after.ops), self.reverse)
        open_after: dict[object, list[int]] = {}
        for index, (previous, following) in spans_after.items():
            # Spans in terms of the graph before, so that both sides can be compared.
            low = self.reverse[previous] if previous is not None else None
            high = self.reverse[following] if following is not None else None
            open_after.setdefault((low, high, after[index]), []).append(index)
        for queue in open_after.values():
            queue.reverse()
        for index, (previous, following) in spans_before.items():
            queue = open_after.get((previous, following, before[index]), [])
            if queue:
                self.pair(index, queue.pop())


def _groups(keys: list[object], taken: Iterable[int]) -> dict[object, list[int]]:
    groups: dict[object, list[int]] = {}
    busy = taken if isinstance(taken, (dict, set)) else set(taken)
    for index, key in enumerate(keys):
        if key is not None and index not in busy:
            groups.setdefault(key, []).append(index)
    return groups


def _single_pairs(
    ours: Sequence[tuple[object, int]], theirs: Sequence[tuple[object, int]], *, equally_many: bool = False
) -> Iterable[_Source]:
    """Pairs what has one key: single on both sides, or with equally_many as many on both, in order."""
    if not ours or not theirs:
        return
    mine: dict[object, list[int]] = {}
    others: dict[object, list[int]] = {}
    for key, index in ours:
        mine.setdefault(key, []).append(index)
    for key, index in theirs:
        others.setdefault(key, []).append(index)
    for key, indices in mine.items():
        rivals = others.get(key, [])
        if len(indices) == len(rivals) and (len(indices) == 1 or equally_many):
            yield from zip(indices, rivals, strict=True)


def _spans(count: int, taken: Mapping[int, int]) -> dict[int, tuple[int | None, int | None]]:
    """For every index not taken, the nearest taken ones on both sides."""
    spans: dict[int, tuple[int | None, int | None]] = {}
    previous: int | None = None
    waiting: list[int] = []
    for index in range(count):
        if index in taken:
            spans.update((open_index, (previous, index)) for open_index in waiting)
            previous, waiting = index, []
        else:
            waiting.append(index)
    spans.update((open_index, (previous, None)) for open_index in waiting)
    return spans


def _altered(before: _Side, after: _Side, matched: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    arguments: dict[str, str] = {}
    return tuple(
        (first, second)
        for first, second in matched.items()
        if _differs(before, after, first, second, matched, arguments)
    )


def _differs(
    before: _Side,
    after: _Side,
    first: int,
    second: int,
    matched: Mapping[int, int],
    arguments: dict[str, str],
) -> bool:
    mine, other = before.ops[first], after.ops[second]
    if mine.kernel != other.kernel or not _same_attrs(mine, other, before.ordered):
        return True
    if before.ordered and before.output_types(mine) != after.output_types(other):
        return True
    if not before.ordered and not _same_known_types(before, after, mine, other):
        return True
    if len(mine.inputs) != len(other.inputs):
        return True
    ours: list[object] = []
    theirs: list[object] = []
    for value, source in zip(mine.inputs, before.sources[first], strict=True):
        ours.append(before.outer(value) if source is None else (matched.get(source[0], -1), source[1]))
    for value, source in zip(other.inputs, after.sources[second], strict=True):
        theirs.append(after.outer(value) if source is None else source)
    if before.ordered:
        for pair in zip(mine.inputs, other.inputs, strict=True):
            # Block arguments are numbered through the whole module: compare them as they pair up.
            if pair[0].startswith("%arg_") and arguments.setdefault(pair[0], pair[1]) != pair[1]:
                return True
        return ours != theirs
    return _unplaced(ours) != _unplaced(theirs)


def _unplaced(sources: list[object]) -> list[str]:
    """Sources without the place among their writer's outputs, which Program IR dumps do not give."""
    return sorted(
        str(source[0]) if isinstance(source, tuple) and isinstance(source[0], int) else str(source)
        for source in sources
    )


def _same_attrs(mine: Op, other: Op, ordered: bool) -> bool:
    if mine.attrs is other.attrs or mine.attrs == other.attrs:
        return True
    if not ordered and not (mine.attrs and other.attrs):
        # A dump without attributes says nothing about them.
        return True
    keys = (mine.attrs.keys() | other.attrs.keys()) - VOLATILE
    for key in keys:
        if key in mine.attrs and key in other.attrs:
            if not _same_value(mine.attrs[key], other.attrs[key]):
                return False
            continue
        value = mine.attrs.get(key, other.attrs.get(key))
        if ordered or not (value in (None, False, "", []) or value == _FILLED_IN.get(key)):
            return False
    return True


def _same_value(a: object, b: object) -> bool:
    # NaN is the same as NaN here.
    return a == b or repr(a) == repr(b)


def _same_known_types(before: _Side, after: _Side, mine: Op, other: Op) -> bool:
    known = {before.name(value): before.graph.values.get(value) for value in mine.outputs}
    for value in other.outputs:
        ours, theirs = known.get(after.name(value)), after.graph.values.get(value)
        if ours is None or theirs is None:
            continue
        if None not in (ours.dtype, theirs.dtype) and ours.dtype != theirs.dtype:
            return False
        if None not in (ours.shape, theirs.shape) and ours.shape != theirs.shape:
            return False
    return True
