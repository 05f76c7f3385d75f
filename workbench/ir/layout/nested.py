"""Blocks within blocks: each is laid out on its own, deepest first, and is one node of its level then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.ir.layout.layered import Point, layered
from workbench.ir.layout.rank import Pair, rank_nodes
from workbench.ir.layout.rows import Level

# Room inside an open block around what it holds.
PADDING_TOP = 30.0
PADDING_SIDE = 14.0
PADDING_BOTTOM = 14.0

# Edges over more rows than this are not drawn as lines.
_LONGEST = 24


@dataclass(frozen=True)
class Layout:
    """Where everything stands, in px, y downwards, from 0, 0.

    Attributes:
        x: left edges of the nodes.
        y: upper edges of the nodes.
        width: widths; open blocks have grown around what they hold.
        height: heights, likewise.
        routes: per edge its points, from the bottom of the source to the top of the target.
        long: per edge whether it spans too many rows to be drawn as a line; its route is just its two ends.
        total_width: extent of all nodes.
        total_height: extent of all nodes.
    """

    x: list[float]
    y: list[float]
    width: list[float]
    height: list[float]
    routes: list[list[tuple[float, float]]]
    long: list[bool]
    total_width: float
    total_height: float


def layout(
    widths: Sequence[float],
    heights: Sequence[float],
    edges: Sequence[tuple[int, int]],
    groups: Sequence[int] | None = None,
) -> Layout:
    """Lays out a graph, with blocks within blocks.

    Args:
        widths: per node; of an open block (one that others name as their group) the width it has at least.
        heights: per node, likewise.
        edges: pairs of source and target; the ends may stand in different blocks.
        groups: per node the open block that directly holds it, or -1. A block comes before what it holds.

    Returns:
        Places of all nodes and routes of all edges.
    """
    return _Nested(widths, heights, edges, groups or [-1] * len(widths)).run()


@dataclass
class _Segment:
    """The part of an edge within one level, between nodes or ports (counted from the number of nodes on).

    An edge from one block into another has a segment in each block it leaves, one in the block that holds
    both ends, and one in each block it enters. ``source_port`` and ``target_port`` are the ports in the
    border of a block the ends are fastened to, or -1.
    """

    level: int
    source: int
    source_port: int
    target: int
    target_port: int = -1
    bends: list[Point] = field(default_factory=list)


class _Nested:
    """Lays out every block on its own, deepest first; it is one node of its level then."""

    def __init__(
        self,
        widths: Sequence[float],
        heights: Sequence[float],
        edges: Sequence[Pair],
        groups: Sequence[int],
    ) -> None:
        count = len(widths)
        self.count = count
        self.edges = edges
        self.groups = groups
        self.width = [float(width) for width in widths]
        self.height = [float(height) for height in heights]
        self.x = [0.0] * count
        self.y = [0.0] * count
        self.rank = [0] * count
        self.rows: dict[int, int] = {}
        self.segments: list[_Segment] = []
        self.ways: list[list[int]] = [[] for _ in edges]
        # Per port its block, its side (1 upper, 2 lower) and its place, from the left edge of the block.
        self.port_block: list[int] = []
        self.port_side: list[int] = []
        self.port_at: list[float] = []
        self.extent = (0.0, 0.0)
        # The level -1 is the outermost.
        self.held: dict[int, list[int]] = {}
        self.local = [0] * count
        self.depth = [0] * count
        for v, group in enumerate(groups):
            members = self.held.setdefault(group, [])
            self.local[v] = len(members)
            members.append(v)
            self.depth[v] = self.depth[group] + 1 if group >= 0 else 0

    def run(self) -> Layout:
        tops = [self._common(source, target) for source, target in self.edges]
        self._rank_levels(tops)
        long = [self._is_long(e, top) for e, top in enumerate(tops)]
        self._cut(tops, long)
        self._lay_levels()
        for v, group in enumerate(self.groups):
            if group >= 0:
                self.x[v] += self.x[group]
                self.y[v] += self.y[group]
        routes = [self._route(e, top) for e, top in enumerate(tops)]
        return Layout(self.x, self.y, self.width, self.height, routes, long, *self.extent)

    def _common(self, a: int, b: int) -> Pair:
        """The two nodes of one level that hold the ends; the same one twice if the edge is of no level."""
        while self.depth[a] > self.depth[b]:
            a = self.groups[a]
        while self.depth[b] > self.depth[a]:
            b = self.groups[b]
        while self.groups[a] != self.groups[b]:
            a, b = self.groups[a], self.groups[b]
        return a, b

    def _rank_levels(self, tops: Sequence[Pair]) -> None:
        pairs: dict[int, list[Pair]] = {}
        for a, b in tops:
            if a != b:
                pairs.setdefault(self.groups[a], []).append((self.local[a], self.local[b]))
        for level, members in self.held.items():
            found = rank_nodes(len(members), pairs.get(level, []))
            self.rows[level] = max(found) + 1
            for v, rank in zip(members, found, strict=True):
                self.rank[v] = rank

    def _is_long(self, e: int, top: Pair) -> bool:
        a, b = top
        if a == b:
            return False
        if abs(self.rank[a] - self.rank[b]) > _LONGEST:
            return True
        v, w = self.edges[e]
        while v != a:
            if self.rows[self.groups[v]] - self.rank[v] > _LONGEST:
                return True
            v = self.groups[v]
        while w != b:
            if self.rank[w] + 1 > _LONGEST:
                return True
            w = self.groups[w]
        return False

    def _port(self, block: int, side: int) -> int:
        self.port_block.append(block)
        self.port_side.append(side)
        self.port_at.append(0.0)
        return len(self.port_at) - 1

    def _cut(self, tops: Sequence[Pair], long: Sequence[bool]) -> None:
        """Cuts edges into segments; edges with one source share them."""
        # By source and block left, or source and node entered.
        leaving: dict[Pair, int] = {}
        entering: dict[Pair, int] = {}
        for e in sorted(range(len(self.edges)), key=lambda e: self.edges[e][0]):
            a, b = tops[e]
            if long[e] or a == b:
                continue
            source, target = self.edges[e]
            v, port = source, -1
            while v != a:
                block = self.groups[v]
                if (source, block) not in leaving:
                    leaving[source, block] = len(self.segments)
                    out = self.count + self._port(block, 2)
                    self.segments.append(_Segment(block, v, port, out))
                number = leaving[source, block]
                self.ways[e].append(number)
                port = self.segments[number].target - self.count
                v = block
            inwards = [target]
            while inwards[-1] != b:
                inwards.append(self.groups[inwards[-1]])
            for w in reversed(inwards):
                if (source, w) not in entering:
                    entering[source, w] = len(self.segments)
                    self.segments.append(_Segment(self.groups[w], v, port, w))
                number = entering[source, w]
                self.ways[e].append(number)
                if w != target:
                    segment = self.segments[number]
                    if segment.target_port < 0:
                        segment.target_port = self._port(w, 1)
                    v, port = self.count + segment.target_port, -1

    def _lay_levels(self) -> None:
        own: dict[int, list[_Segment]] = {}
        for segment in self.segments:
            own.setdefault(segment.level, []).append(segment)
        ports: dict[int, list[int]] = {}
        for port, block in enumerate(self.port_block):
            ports.setdefault(block, []).append(port)
        for block in sorted(self.held, reverse=True):
            self._lay_level(block, own.get(block, []), ports.get(block, []))

    def _lay_level(self, block: int, segments: list[_Segment], ports: list[int]) -> None:
        members = self.held[block]
        local_port = {self.count + port: len(members) + i for i, port in enumerate(ports)}

        def end(v: int) -> int:
            return self.local[v] if v < self.count else local_port[v]

        def shift(v: int, port: int) -> float:
            return self.port_at[port] - self.width[v] / 2 if port >= 0 else 0.0

        none = [0.0] * len(ports)
        placed = layered(
            Level(
                [self.width[v] for v in members] + none,
                [self.height[v] for v in members] + none,
                [self.rank[v] for v in members] + [0] * len(ports),
                [0] * len(members) + [self.port_side[port] for port in ports],
                [(end(s.source), end(s.target)) for s in segments],
                [(shift(s.source, s.source_port), shift(s.target, s.target_port)) for s in segments],
            )
        )
        side, top = 0.0, 0.0
        if block >= 0:
            needed = placed.width + 2 * PADDING_SIDE
            side, top = PADDING_SIDE + max(0.0, (self.width[block] - needed) / 2), PADDING_TOP
            self.width[block] = max(self.width[block], needed)
            self.height[block] = max(self.height[block], placed.height + PADDING_TOP + PADDING_BOTTOM)
        else:
            self.extent = (placed.width, placed.height)
        for i, v in enumerate(members):
            self.x[v], self.y[v] = placed.x[i] + side, placed.y[i] + top
        for i, port in enumerate(ports):
            self.port_at[port] = placed.x[len(members) + i] + side
        for segment, bends in zip(segments, placed.bends, strict=True):
            segment.bends = [(px + side, py + top) for px, py in bends]

    def _beside(self, v: int, near: float) -> list[Point]:
        """The way up past a node at the side that is nearer."""
        left, right = self.x[v], self.x[v] + self.width[v]
        side = left - 12 if near < (left + right) / 2 else right + 12
        return [(side, self.y[v] + self.height[v]), (side, self.y[v])]

    def _route(self, e: int, top: Pair) -> list[Point]:
        source, target = self.edges[e]
        a, b = top
        points = [(self.x[source] + self.width[source] / 2, self.y[source] + self.height[source])]
        if source == target:
            points += self._beside(source, math.inf)
        for number in self.ways[e]:
            segment = self.segments[number]
            left, above = (0.0, 0.0) if segment.level < 0 else (self.x[segment.level], self.y[segment.level])
            bends = [(px + left, py + above) for px, py in segment.bends]
            crosses = segment.source < self.count and segment.target < self.count
            if crosses and self.y[a] + self.height[a] > self.y[b]:
                bends = [
                    *self._beside(segment.source, bends[0][0] if bends else math.inf),
                    *bends,
                    *self._beside(segment.target, bends[-1][0] if bends else math.inf),
                ]
            points += bends
            # Through the border of the block that is left, or of the one that is entered.
            if segment.target >= self.count:
                block = self.port_block[segment.target - self.count]
                across = self.port_at[segment.target - self.count]
                points.append((self.x[block] + across, self.y[block] + self.height[block]))
            elif segment.target != target:
                block = segment.target
                points.append((self.x[block] + self.port_at[segment.target_port], self.y[block]))
        points.append((self.x[target] + self.width[target] / 2, self.y[target]))
        return _thinned(points)


def _thinned(points: list[Point]) -> list[Point]:
    """Of points one below the other the first and the last are enough."""
    kept = points[:1]
    for point in points[1:]:
        if len(kept) > 1 and kept[-1][0] == kept[-2][0] == point[0]:
            kept[-1] = point
        else:
            kept.append(point)
    return kept
