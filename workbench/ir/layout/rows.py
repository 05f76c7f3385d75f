"""One connected part of a level as rows: its nodes, and a bend in every row an edge passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import add

from workbench.ir.layout.rank import Pair

# Free room between two nodes of a row, between a node and a line beside it, between two lines.
NODE_GAP = 24.0
_LINE_GAP = 14.0
_LINES_GAP = 10.0
# Where something comes from and leads to counts up to this many rows away.
_SIGHT = 8
# A link of the path that is straight before all others counts so many times.
_SPINE_WEIGHT = 4


@dataclass
class Level:
    """What a block directly holds, and its ports: places where edges pass its border.

    ``shifts`` are where the ends of the edges are fastened, measured from the middles of their nodes;
    ``port`` is 0 for a node, 1 for a port in the upper border, 2 in the lower one.
    """

    width: list[float]
    height: list[float]
    rank: list[int]
    port: list[int]
    edges: list[Pair]
    shifts: list[tuple[float, float]]


@dataclass
class Link:
    """Joins members of neighbouring rows."""

    upper: int
    lower: int
    upper_shift: float
    lower_shift: float
    weight: int
    # Where along their nodes the ends are fastened, from 0 to 1.
    upper_along: float = 0.5
    lower_along: float = 0.5


@dataclass
class Rows:
    """A connected part as rows: its nodes first, then a bend in every row an edge passes."""

    nodes: int
    width: list[float]
    row: list[int]
    order: list[list[int]] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    above: list[list[Link]] = field(default_factory=list)
    below: list[list[Link]] = field(default_factory=list)
    # Per edge its upper end, its bends downwards, its lower end, and the shifts of the ends.
    chains: list[tuple[list[int], float, float]] = field(default_factory=list)

    def number(self) -> None:
        """Notes the place of every member after its row was ordered."""
        for members in self.order:
            for place, v in enumerate(members):
                self.place[v] = place

    def separation(self, left: int, right: int) -> float:
        """What must lie between the middles of two neighbours in a row."""
        bends = (left >= self.nodes) + (right >= self.nodes)
        gap = (NODE_GAP, _LINE_GAP, _LINES_GAP)[bends]
        return (self.width[left] + self.width[right]) / 2 + gap


def rows_of(level: Level) -> Rows:
    """The members of all rows and the links between them, not ordered yet."""
    rank = level.rank
    rows = Rows(len(level.width), list(level.width), list(rank))
    ends = [(a, b) if rank[a] < rank[b] else (b, a) for a, b in level.edges]
    before, after = _reach(level, ends, True), _reach(level, ends, False)
    spine = _spine(ends, before, after)
    links: list[Link] = []
    for number, (edge, shifts) in enumerate(zip(level.edges, level.shifts, strict=True)):
        upper, lower = ends[number]
        first, last = shifts if edge[0] == upper else shifts[::-1]
        bends = rank[lower] - rank[upper] - 1
        # What carries the flow is straight; a constant or a dead end stands beside it.
        weight = min(1 + before[upper], 1 + after[lower], _SIGHT) * (1 if bends else 2)
        weight *= _SPINE_WEIGHT if number in spine else 1
        chain = [upper, *range(len(rows.row), len(rows.row) + bends), lower]
        rows.row.extend(range(rank[upper] + 1, rank[lower]))
        rows.width.extend([0.0] * bends)
        rows.chains.append((chain, first, last))
        for u, v in pairwise(chain):
            link = Link(u, v, first if u == upper else 0.0, last if v == lower else 0.0, weight)
            link.upper_along = _along(link.upper_shift, rows.width[u])
            link.lower_along = _along(link.lower_shift, rows.width[v])
            links.append(link)
    size = len(rows.row)
    rows.order = [[] for _ in range(max(rows.row) + 1)]
    rows.place = [0] * size
    rows.above = [[] for _ in range(size)]
    rows.below = [[] for _ in range(size)]
    for link in links:
        rows.above[link.lower].append(link)
        rows.below[link.upper].append(link)
    return rows


def _along(shift: float, width: float) -> float:
    return min(0.99, max(0.01, 0.5 + shift / max(1.0, width)))


def _reach(level: Level, ends: Sequence[Pair], down: bool) -> list[int]:
    """How many rows lead to each node, or from it."""
    steps = [0] * len(level.width)
    pairs = ends if down else [(lower, upper) for upper, lower in ends]
    sign = 1 if down else -1
    for source, target in sorted(pairs, key=lambda pair: sign * level.rank[pair[0]]):
        steps[target] = max(steps[target], steps[source] + 1)
    return steps


def _spine(ends: Sequence[Pair], before: Sequence[int], after: Sequence[int]) -> set[int]:
    """The edges of the longest way through it all, where it is the only one.

    It is straight, so that many equal blocks do not lean a little further with each.
    """
    longest = max(map(add, before, after), default=0)
    found = [edge for edge, (u, v) in enumerate(ends) if before[u] + 1 + after[v] == longest]
    down = Counter(ends[edge][0] for edge in found)
    up = Counter(ends[edge][1] for edge in found)
    return {edge for edge in found if down[ends[edge][0]] == up[ends[edge][1]] == 1}
