"""Whether two ops that are paired differ: in attributes, kernel, inputs or output types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.ir.diff.side import VOLATILE, Side
from workbench.ir.graph import Op

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

# Stands for an attribute that an op does not have.
MISSING: Any = object()


def altered_pairs(before: Side, after: Side, matched: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """The pairs whose ops differ beyond the numbering of values, in the order of ``matched``."""
    arguments: dict[str, str] = {}
    return tuple(
        (first, second)
        for first, second in matched.items()
        if _differs(before, after, first, second, matched, arguments)
    )


def _differs(
    before: Side,
    after: Side,
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
    if mine.kernel != other.kernel or not same_attrs(mine, other, before.ordered):
        return True
    if before.ordered and before.output_types[first] != after.output_types[second]:
        return True
    if not before.ordered and not same_known_types(before, after, mine, other):
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
    return unplaced(ours) != unplaced(theirs)


def unplaced(sources: list[object]) -> list[str]:
    """Sources without the place among their writer's outputs, which Program IR dumps do not give."""
    return sorted(
        str(source[0]) if isinstance(source, tuple) and isinstance(source[0], int) else str(source)
        for source in sources
    )


def same_attrs(mine: Op, other: Op, ordered: bool) -> bool:
    """Whether two ops have the same attributes, as far as both dumps say (``ordered``: they say all)."""
    if mine.attrs is other.attrs or mine.attrs == other.attrs:
        return True
    if not ordered and not (mine.attrs and other.attrs):
        # A dump without attributes says nothing about them.
        return True
    return all(
        same_attr(key, mine.attrs.get(key, MISSING), other.attrs.get(key, MISSING), ordered)
        for key in (mine.attrs.keys() | other.attrs.keys()) - VOLATILE
    )


def same_attr(key: str, ours: Any, theirs: Any, ordered: bool) -> bool:
    """The same of one attribute; `MISSING` stands for one that is absent."""
    if ours is not MISSING and theirs is not MISSING:
        return _same_value(ours, theirs)
    value = theirs if ours is MISSING else ours
    return not ordered and (value in (None, False, "", []) or bool(value == _FILLED_IN.get(key)))


def _same_value(a: object, b: object) -> bool:
    # NaN is the same as NaN here.
    return a == b or repr(a) == repr(b)


def _known_types_differ(before: Side, after: Side, mine: Op, other: Op) -> bool:
    """Whether what others read from two ops of different IRs has other types, as far as both dumps say."""
    ours, theirs = before.given(mine), after.given(other)
    return None not in (ours, theirs) and len(ours or ()) == len(theirs or ()) and ours != theirs


def same_known_types(before: Side, after: Side, mine: Op, other: Op) -> bool:
    """Whether outputs of one name have one type, as far as both dumps say."""
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
