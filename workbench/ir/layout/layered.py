"""One level in rows: its connected parts are laid out one by one and put together compactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from workbench.ir.layout.order import order_rows
from workbench.ir.layout.place import place_rows, row_tops
from workbench.ir.layout.rank import connected_parts
from workbench.ir.layout.rows import NODE_GAP, Level, rows_of

Point = tuple[float, float]


@dataclass
class Placed:
    """Places from 0, 0 on, and the inner points of every edge from its first end to its second."""

    x: list[float]
    y: list[float]
    width: float
    height: float
    bends: list[list[Point]]


def layered(level: Level) -> Placed:
    """A level in rows: its connected parts one by one, put together compactly."""
    count = len(level.width)
    x, y = [0.0] * count, [0.0] * count
    bends: list[list[Point]] = [[] for _ in level.edges]
    local = [0] * count
    parts = _split(level)
    for part in parts:
        if len(part.members) == 1:
            part.width, part.height = level.width[part.members[0]], level.height[part.members[0]]
            continue
        own = _extract(level, part, local)
        rows = rows_of(own)
        order_rows(rows)
        middle, part.width = place_rows(rows)
        tops, tall = row_tops(own, rows, middle)
        part.height = tops[-1] + tall[-1]
        for i, v in enumerate(part.members):
            row = own.rank[i]
            x[v] = middle[i] - own.width[i] / 2
            y[v] = tops[row] + (tall[row] - own.height[i]) / 2
        for e, (source, target), (chain, _, _) in zip(part.edges, own.edges, rows.chains, strict=True):
            # Straight past the whole row, aslant only between rows.
            for v in chain[1:-1]:
                row = rows.row[v]
                bends[e] += [(middle[v], tops[row]), (middle[v], tops[row] + tall[row])]
            if own.rank[source] > own.rank[target]:
                bends[e].reverse()
    width, height = _pack(parts)
    for part in parts:
        for v in part.members:
            x[v] += part.x
            y[v] += part.y
        for e in part.edges:
            bends[e] = [(px + part.x, py + part.y) for px, py in bends[e]]
    return Placed(x, y, width, height, bends)


@dataclass
class _Part:
    """A connected part of a level."""

    members: list[int] = field(default_factory=list)
    edges: list[int] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    x: float = 0.0
    y: float = 0.0
    ported: bool = False

    @property
    def area(self) -> float:
        return (self.width + NODE_GAP) * (self.height + NODE_GAP)


def _split(level: Level) -> list[_Part]:
    """The connected parts. What has a port is one part: it reaches from border to border."""
    count = len(level.width)
    ports = [v for v in range(count) if level.port[v]]
    leader = connected_parts(count, [*level.edges, *((ports[0], port) for port in ports[1:])])
    found: dict[int, _Part] = {}
    for v in range(count):
        part = found.setdefault(leader[v], _Part())
        part.members.append(v)
        part.ported = part.ported or level.port[v] > 0
    for e, (source, _) in enumerate(level.edges):
        found[leader[source]].edges.append(e)
    return list(found.values())


def _extract(level: Level, part: _Part, local: list[int]) -> Level:
    """The part on its own, with ports in rows of their own above and below all others."""
    for i, v in enumerate(part.members):
        local[v] = i
    above = int(any(level.port[v] == 1 for v in part.members))
    last = max((level.rank[v] for v in part.members if not level.port[v]), default=0)
    rows = {1: 0, 2: last + above + 1}
    return Level(
        [level.width[v] for v in part.members],
        [level.height[v] for v in part.members],
        [rows.get(level.port[v], level.rank[v] + above) for v in part.members],
        [level.port[v] for v in part.members],
        [(local[level.edges[e][0]], local[level.edges[e][1]]) for e in part.edges],
        [level.shifts[e] for e in part.edges],
    )


def _pack(parts: list[_Part]) -> tuple[float, float]:
    """Gives every part its place, beside or below a large one; returns the extent."""
    whole = sum(part.area for part in parts)
    main = next((part for part in parts if part.ported), None)
    beside = main is not None
    if main is None:
        largest = max(parts, key=lambda part: part.area)
        if 2 * largest.area > whole:
            main = largest
            beside = main.height > main.width
    rest = sorted((part for part in parts if part is not main), key=lambda part: -part.height)
    widest = max((part.width for part in rest), default=0.0)
    square = max(widest, math.sqrt(max(0.0, 1.6 * (whole - (main.area if main else 0.0)))))
    if main is None:
        return _shelves(rest, square)
    if not rest:
        return main.width, main.height
    width, height = _shelves(rest, square if beside else max(widest, main.width))
    for part in rest:
        if beside:
            part.x += main.width + 2 * NODE_GAP
        else:
            part.y += main.height + 2 * NODE_GAP
    if beside:
        return main.width + 2 * NODE_GAP + width, max(main.height, height)
    return max(main.width, width), main.height + 2 * NODE_GAP + height


def _shelves(parts: list[_Part], across: float) -> tuple[float, float]:
    """Rows of parts, about as wide as ``across``; returns the extent."""
    x = y = tall = width = 0.0
    for part in parts:
        if x > 0 and x + part.width > across:
            y += tall + NODE_GAP
            x = tall = 0.0
        part.x, part.y = x, y
        x += part.width + NODE_GAP
        tall = max(tall, part.height)
        width = max(width, x - NODE_GAP)
    return width, y + tall
