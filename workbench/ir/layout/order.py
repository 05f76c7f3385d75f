"""The order from left to right within the rows: few crossings."""

from __future__ import annotations

import math
from bisect import bisect_right, insort

from workbench.ir.layout.rows import Rows

# Up to this many members of rows the effort of looking for a better order is worth it.
_SMALL = 2500


def order_rows(rows: Rows) -> None:
    """Few crossings: sweeps by barycentres, in small graphs many, and the best order is kept."""
    size = len(rows.row)
    if size > _SMALL:
        _start(rows, True)
        for sweep in range(4):
            _sweep(rows, sweep % 2 == 0, False)
        return
    best = math.inf
    kept = rows.order
    sweeps = min(24, 8 + 40_000 // size)
    for start in (True, False):
        if best == 0:
            break
        _start(rows, start)
        idle = 0
        for sweep in range(sweeps + 1):
            if sweep:
                _sweep(rows, (sweep % 2 == 1) == start, (sweep - 1) % 4 > 1)
                _transpose(rows, (sweep - 1) % 4 > 1)
            crossings = _crossings(rows)
            idle += 1
            if crossings < best:
                best, idle = crossings, 0
                kept = [list(members) for members in rows.order]
            if idle == 12 or best == 0:
                break
    rows.order = kept
    rows.number()


def _start(rows: Rows, down: bool) -> None:
    """What belongs together stands together: depth first from the first row down, or from the last row up."""
    members: list[list[int]] = [[] for _ in rows.order]
    for v, row in enumerate(rows.row):
        members[row].append(v)
    rows.order = [[] for _ in members]
    seen = bytearray(len(rows.row))
    for roots in members if down else reversed(members):
        for root in roots:
            stack = [root]
            while stack:
                v = stack.pop()
                if seen[v]:
                    continue
                seen[v] = 1
                rows.order[rows.row[v]].append(v)
                uppers = [link.upper for link in reversed(rows.above[v])]
                lowers = [link.lower for link in reversed(rows.below[v])]
                for w in [*uppers, *lowers] if down else [*lowers, *uppers]:
                    if not seen[w]:
                        stack.append(w)
    rows.number()


def _near(rows: Rows, v: int, up: bool) -> list[float]:
    """The places of what v is linked to in the row above, or below."""
    if up:
        return [rows.place[link.upper] + link.upper_along for link in rows.above[v]]
    return [rows.place[link.lower] + link.lower_along for link in rows.below[v]]


def _sweep(rows: Rows, down: bool, equal_turned: bool) -> None:
    """Every row by the mean places of its neighbours in the row before (down) or after."""
    for members in rows.order[1:] if down else rows.order[-2::-1]:
        if len(members) == 1:
            continue
        keys: dict[int, float] = {}
        for v in members:
            near = _near(rows, v, down)
            if near:
                keys[v] = sum(near) / len(near)
        movable = sorted(reversed(keys) if equal_turned else keys, key=keys.__getitem__)
        following = iter(movable)
        # What has no neighbour there keeps its place among the others.
        members[:] = [next(following) if v in keys else v for v in members]
        for place, v in enumerate(members):
            rows.place[v] = place


def _crossed(left: list[float], right: list[float]) -> int:
    """Crossings between the links of two members of a row, by the sorted places of their neighbours."""
    crossings = lower = 0
    for value in left:
        while lower < len(right) and right[lower] < value:
            lower += 1
        crossings += lower
    return crossings


def _transpose(rows: Rows, equal_too: bool) -> None:
    """Swaps neighbours while that removes crossings; on request once also where it makes no difference."""
    for turn in range(8):
        better = False
        for members in rows.order:
            if len(members) < 2:
                continue
            near = {v: (sorted(_near(rows, v, True)), sorted(_near(rows, v, False))) for v in members}
            for time in range(8):
                again = False
                for i in range(1, len(members)):
                    u, v = members[i - 1], members[i]
                    (up_u, down_u), (up_v, down_v) = near[u], near[v]
                    gain = _crossed(up_u, up_v) + _crossed(down_u, down_v)
                    gain -= _crossed(up_v, up_u) + _crossed(down_v, down_u)
                    if gain > 0 or (gain == 0 and equal_too and turn == time == 0):
                        members[i - 1], members[i] = v, u
                    if gain > 0:
                        again = better = True
                if not again:
                    break
            for place, v in enumerate(members):
                rows.place[v] = place
        if not better:
            return


def _crossings(rows: Rows) -> int:
    crossings = 0
    for members in rows.order:
        links = [(rows.place[v] + link.upper_along, link) for v in members for link in rows.below[v]]
        ends = [(upper, rows.place[link.lower] * 16 + int(link.lower_along * 16)) for upper, link in links]
        seen: list[int] = []
        for _, lower in sorted(ends):
            crossings += len(seen) - bisect_right(seen, lower)
            insort(seen, lower)
    return crossings
