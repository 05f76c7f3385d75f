"""Says what a pass did: which ops of two graphs are the same, and which came, went or changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from workbench.ir.graph import Graph, Op, Value

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


# Names of one computation: Program IR's to PIR's, and PIR's own for the same thing in another place. Those of
# the sample models are tested on both; the others follow the names of Paddle's operators.
_CANONICAL: Mapping[str, str] = {
    "arg_max": "argmax",
    "arg_min": "argmin",
    "c_softmax": "softmax",
    "conditional_block": "if",
    "elementwise_add": "add",
    "elementwise_div": "divide",
    "elementwise_floordiv": "floor_divide",
    "elementwise_max": "maximum",
    "elementwise_min": "minimum",
    "elementwise_mod": "remainder",
    "elementwise_mul": "multiply",
    "elementwise_sub": "subtract",
    "expand_v2": "expand",
    "feed": "data",
    "fill_any_like": "full_like",
    "fill_constant": "full",
    "flatten_contiguous_range": "flatten",
    "flatten2": "flatten",
    "hard_sigmoid": "hardsigmoid",
    "hard_swish": "hardswish",
    "lookup_table": "embedding",
    "lookup_table_v2": "embedding",
    "matmul_v2": "matmul",
    "mul": "matmul",
    "reduce_all": "all",
    "reduce_any": "any",
    "reduce_max": "max",
    "reduce_mean": "mean",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "reduce_sum": "sum",
    "reshape2": "reshape",
    "shadow_output": "fetch",
    "squeeze2": "squeeze",
    "top_k": "topk",
    "top_k_v2": "topk",
    "transpose2": "transpose",
    "unsqueeze2": "unsqueeze",
}


_MISSING: Any = object()
_UNKNOWN = "?"

# What carries values into and out of a model.
_ENDS = frozenset({"data", "fetch"})


def canonical_type(name: str) -> str:
    """The name of an op's computation, whatever the IR: ``add`` for ``pd_op.add_`` and ``elementwise_add``.

    Args:
        name: an op type as a dump gives it.

    Returns:
        The name without dialect and in-place mark, and PIR's name where Program IR has another.
    """
    bare = name.rpartition(".")[2].rstrip("_")
    return _CANONICAL.get(bare, bare)


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
    first, second = _sides(before, after)
    matcher = _Matcher(first, second)
    if first.has_identity and second.has_identity:
        matcher.by_identity()
    else:
        matcher.by_structure()
    return _diff_of(first, second, dict(sorted(matcher.pairs.items())))


def diff_of(before: Graph, after: Graph, matched: Mapping[int, int]) -> Diff:
    """The difference of two graphs whose ops are known to be the same.

    Args:
        before: one graph.
        after: the other.
        matched: index of an op before to the index of the same op after, which may be of another type.

    Returns:
        The difference; what is in ``matched`` is altered or unchanged.
    """
    first, second = _sides(before, after)
    return _diff_of(first, second, dict(sorted(matched.items())))


def _diff_of(first: _Side, second: _Side, matched: dict[int, int]) -> Diff:
    reached = set(matched.values())
    return Diff(
        matched,
        tuple(op.index for op in second.ops if op.index not in reached),
        tuple(op.index for op in first.ops if op.index not in matched),
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


def _sides(before: Graph, after: Graph) -> tuple[_Side, _Side]:
    across = before.ir != after.ir
    return _Side(before, across=across), _Side(after, across=across)


class _Side:
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
        self.sources: list[list[_Source | None]] = []
        # Per op: (reader, place of the input, which output), in order.
        self.users: list[list[tuple[int, int, int]]] = [[] for _ in graph.ops]
        writer: dict[str, _Source] = {}
        for op in graph.ops:
            # The writer as of here: in Program IR a variable may be written again later.
            found: list[_Source | None] = [writer.get(value) for value in op.inputs]
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
        found = self.graph.values.get(value)
        return found.name if found is not None and found.name else value

    def is_parameter(self, value: str) -> bool:
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
            (op.type, op.layer, _frozen_attrs(op.attrs, cache), types)
            for op, types in zip(self.ops, self.output_types, strict=True)
        )

    @cached_property
    def loose(self) -> list[object]:
        """What remains of an op when its attributes or output types change."""
        return self.types if self.across else [(op.type, op.layer) for op in self.ops]

    @cached_property
    def types(self) -> list[object]:
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
        near = self._near_open()
        work = [pair for pair in self.pairs.items() if pair[0] in near]
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

    def _near_open(self) -> set[int]:
        """The ops before that read or are read by an open one: nothing else has a neighbour to pair."""
        near: set[int] = set()
        for index in range(len(self.before.ops)):
            if index not in self.pairs:
                near.update(source[0] for source in self.before.sources[index] if source is not None)
                near.update(user for user, _, _ in self.before.users[index])
        return near

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
    if before.across:
        return _known_types_differ(before, after, mine, other)
    if mine.type != other.type:
        return True
    if mine.kernel != other.kernel or not _same_attrs(mine, other, before.ordered):
        return True
    if before.ordered and before.output_types[first] != after.output_types[second]:
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
    return all(
        _same_attr(key, mine.attrs.get(key, _MISSING), other.attrs.get(key, _MISSING), ordered)
        for key in (mine.attrs.keys() | other.attrs.keys()) - VOLATILE
    )


def _same_attr(key: str, ours: Any, theirs: Any, ordered: bool) -> bool:
    if ours is not _MISSING and theirs is not _MISSING:
        return _same_value(ours, theirs)
    value = theirs if ours is _MISSING else ours
    return not ordered and (value in (None, False, "", []) or bool(value == _FILLED_IN.get(key)))


def _same_value(a: object, b: object) -> bool:
    # NaN is the same as NaN here.
    return a == b or repr(a) == repr(b)


def _known_types_differ(before: _Side, after: _Side, mine: Op, other: Op) -> bool:
    """Whether what others read from two ops of different IRs has other types, as far as both dumps say."""
    ours, theirs = before.given(mine), after.given(other)
    return None not in (ours, theirs) and len(ours or ()) == len(theirs or ()) and ours != theirs


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


# Characters of one value in a line of `alterations`.
_LONGEST = 120
_ABSENT = "none"
_DIALECTS = ("pd_op.", "onednn_op.", "builtin.", "pd_kernel.", "cinn_op.", "custom_op.")
# Said once, as the kernel.
_KERNEL_ATTRS = frozenset({"kernel_key", "kernel_name"})


def alterations(before: Graph, after: Graph, found: Diff) -> dict[int, list[str]]:
    """What is different about each altered op, in words.

    Args:
        before: the graph before.
        after: the graph after.
        found: their difference.

    Returns:
        Index after to lines such as ``fuse_activation: "" → "relu"`` or ``input 1: relu → fused_conv2d``,
        inputs counted from 0, an input or attribute that one side lacks called "none".
    """
    first, second = _sides(before, after)
    return {now: _told(first, second, was, now, found.matched) for was, now in found.altered}


def _told(before: _Side, after: _Side, first: int, second: int, matched: Mapping[int, int]) -> list[str]:
    mine, other = before.ops[first], after.ops[second]
    if before.across:
        return [_change("output types", _types(before.given(mine)), _types(after.given(other)))]
    lines: list[str] = []
    if mine.type != other.type:
        lines.append(_change("type", mine.type, other.type))
    if not _same_attrs(mine, other, before.ordered):
        lines.extend(_attr_lines(mine, other, before.ordered))
    if mine.kernel != other.kernel:
        lines.append(_change("kernel", _kernel(mine), _kernel(other)))
    lines.extend(_input_lines(before, after, first, second, matched))
    lines.extend(_output_lines(before, after, mine, other))
    return lines or ["reads another argument of its block"]


def _change(what: str, was: str, now: str) -> str:
    return f"{what}: {_shortened(was)} → {_shortened(now)}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST * 2 // 3]}…{text[-_LONGEST // 3 + 1 :]}"


def _attr_lines(mine: Op, other: Op, ordered: bool) -> list[str]:
    lines = []
    said = VOLATILE | _KERNEL_ATTRS if mine.kernel != other.kernel else VOLATILE
    for key in sorted((mine.attrs.keys() | other.attrs.keys()) - said):
        ours, theirs = mine.attrs.get(key, _MISSING), other.attrs.get(key, _MISSING)
        if not _same_attr(key, ours, theirs, ordered):
            lines.append(_change(_shortened(key), _plain(ours), _plain(theirs)))
    return lines


def _plain(value: Any) -> str:
    if value is _MISSING:
        return _ABSENT
    return json.dumps(value, ensure_ascii=False, default=str)


def _kernel(op: Op) -> str:
    kernel = op.kernel
    return _ABSENT if kernel is None else f"{kernel.name} ({kernel.backend}, {kernel.layout}, {kernel.dtype})"


def _input_lines(
    before: _Side, after: _Side, first: int, second: int, matched: Mapping[int, int]
) -> list[str]:
    ours, theirs = _read(before, first, matched), _read(after, second, None)
    if before.ordered and len(ours) == len(theirs):
        return [
            _read_change(f"input {place}", mine[1], other[1])
            for place, (mine, other) in enumerate(zip(ours, theirs, strict=True))
            if mine[0] != other[0]
        ]
    open_theirs: dict[str, list[tuple[int, str]]] = {}
    for place, (key, name) in enumerate(theirs):
        open_theirs.setdefault(_key(key, before.ordered), []).append((place, name))
    lost: list[str] = []
    for key, name in ours:
        same = open_theirs.get(_key(key, before.ordered))
        if same:
            same.pop(0)
        else:
            lost.append(name)
    new = sorted(one for places in open_theirs.values() for one in places)
    lines = []
    for at in range(max(len(lost), len(new))):
        was = lost[at] if at < len(lost) else _ABSENT
        now = new[at][1] if at < len(new) else _ABSENT
        where = f"input {new[at][0]}" if before.ordered and at < len(new) else "input"
        lines.append(_read_change(where, was, now))
    return lines


def _read(side: _Side, index: int, matched: Mapping[int, int] | None) -> list[tuple[object, str]]:
    """Per input what it is, in terms of the graph after, and what to call it."""
    found: list[tuple[object, str]] = []
    for value, source in zip(side.ops[index].inputs, side.sources[index], strict=True):
        if source is None:
            found.append((side.outer(value), side.name(value)))
            continue
        writer = source[0] if matched is None else matched.get(source[0], -1)
        found.append(((writer, source[1]), side.ops[source[0]].type))
    return found


def _key(key: object, ordered: bool) -> str:
    return str(key) if ordered else _unplaced([key])[0]


def _read_change(where: str, was: str, now: str) -> str:
    ours, theirs = _bare(was), _bare(now)
    if was == now:
        theirs = f"another {theirs}"
    elif ours == theirs:
        ours, theirs = was, now
    return _change(where, ours, theirs)


def _bare(name: str) -> str:
    return name.partition(".")[2] if name.startswith(_DIALECTS) else name


def _output_lines(before: _Side, after: _Side, mine: Op, other: Op) -> list[str]:
    if not before.ordered and _same_known_types(before, after, mine, other):
        return []
    ours = [before.graph.values.get(value) for value in mine.outputs]
    theirs = [after.graph.values.get(value) for value in other.outputs]
    if not before.ordered:
        names = {after.name(value): at for at, value in enumerate(other.outputs)}
        places = [names.get(before.name(value)) for value in mine.outputs]
        theirs = [None if at is None else theirs[at] for at in places]
    lines = []
    for place in range(max(len(ours), len(theirs))):
        was = _type(ours[place]) if place < len(ours) else _ABSENT
        now = _type(theirs[place]) if place < len(theirs) else _ABSENT
        if was != now and (before.ordered or _UNKNOWN not in was + now):
            what = "output type" if max(len(ours), len(theirs)) == 1 else f"output {place} type"
            lines.append(_change(what, was, now))
    return lines


def _type(value: Value | None) -> str:
    if value is None or (value.dtype is None and value.shape is None):
        return _UNKNOWN
    shape = "" if value.shape is None else f"[{', '.join(map(str, value.shape))}]"
    return f"{value.dtype or _UNKNOWN}{shape}"


def _types(given: tuple[tuple[str, tuple[int, ...]], ...] | None) -> str:
    return ", ".join(f"{dtype}[{', '.join(map(str, shape))}]" for dtype, shape in given or ()) or _UNKNOWN
