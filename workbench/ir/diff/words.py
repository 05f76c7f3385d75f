"""A difference in words: what is different about each altered op."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workbench.ir.diff.altered import MISSING, same_attr, same_attrs, same_known_types, unplaced
from workbench.ir.diff.compare import Diff
from workbench.ir.diff.side import VOLATILE, Side, sides
from workbench.ir.graph import Graph, Op, Value

# Characters of one value in a line of `alterations`.
_LONGEST = 120
_ABSENT = "none"
_UNKNOWN = "?"
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
    first, second = sides(before, after)
    return {now: _told(first, second, was, now, found.matched) for was, now in found.altered}


def _told(before: Side, after: Side, first: int, second: int, matched: Mapping[int, int]) -> list[str]:
    mine, other = before.ops[first], after.ops[second]
    if before.across:
        return [_change("output types", _types(before.given(mine)), _types(after.given(other)))]
    lines: list[str] = []
    if mine.type != other.type:
        lines.append(_change("type", mine.type, other.type))
    if not same_attrs(mine, other, before.ordered):
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
        ours, theirs = mine.attrs.get(key, MISSING), other.attrs.get(key, MISSING)
        if not same_attr(key, ours, theirs, ordered):
            lines.append(_change(_shortened(key), _plain(ours), _plain(theirs)))
    return lines


def _plain(value: Any) -> str:
    if value is MISSING:
        return _ABSENT
    return json.dumps(value, ensure_ascii=False, default=str)


def _kernel(op: Op) -> str:
    kernel = op.kernel
    return _ABSENT if kernel is None else f"{kernel.name} ({kernel.backend}, {kernel.layout}, {kernel.dtype})"


def _input_lines(before: Side, after: Side, first: int, second: int, matched: Mapping[int, int]) -> list[str]:
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


def _read(side: Side, index: int, matched: Mapping[int, int] | None) -> list[tuple[object, str]]:
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
    return str(key) if ordered else unplaced([key])[0]


def _read_change(where: str, was: str, now: str) -> str:
    ours, theirs = _bare(was), _bare(now)
    if was == now:
        theirs = f"another {theirs}"
    elif ours == theirs:
        ours, theirs = was, now
    return _change(where, ours, theirs)


def _bare(name: str) -> str:
    return name.partition(".")[2] if name.startswith(_DIALECTS) else name


def _output_lines(before: Side, after: Side, mine: Op, other: Op) -> list[str]:
    if not before.ordered and same_known_types(before, after, mine, other):
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
