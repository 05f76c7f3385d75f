"""Places for the nodes of a graph and ways for its edges, in rows from top to bottom.

The same algorithm as in the page (``extensions/src/graph/layout``): rows by longest path, few crossings by
barycentres, straight chains by isotonic regression. Edges that span very many rows are not drawn as lines, so
that one value that feeds every layer costs nothing. Nearly linear in the size of the graph, no recursion.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import add

# Room inside an open block around what it holds.
PADDING_TOP = 30.0
PADDING_SIDE = 14.0
PADDING_BOTTOM = 14.0

# Free room between two nodes of a row, between a node and a line beside it, between two lines, between rows.
_NODE_GAP = 24.0
_LINE_GAP = 14.0
_LINES_GAP = 10.0
_ROW_GAP = 44.0
# Edges over more rows than this are not drawn as lines.
_LONGEST = 24
# Where something comes from and leads to counts up to this many rows away.
_SIGHT = 8
# A link of the path that is straight before all others counts so many times.
_SPINE_WEIGHT = 4
# Up to this many members of rows the effort of looking for a better order is worth it.
_SMALL = 2500

_Pair = tuple[int, int]
_Point = tuple[float, float]


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


# Rows -----------------------------------------------------------------------------------------------------


def _neighbours(count: int, pairs: Sequence[_Pair]) -> tuple[list[list[int]], list[list[int]]]:
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target in pairs:
        out[source].append(target)
        into[target].append(source)
    return into, out


def _without_cycles(count: int, pairs: Sequence[_Pair]) -> Sequence[_Pair]:
    """The pairs with those turned round that close a cycle, found depth first from the sources."""
    into, out = _neighbours(count, pairs)
    state = bytearray(count)  # 0 not seen, 1 on the path, 2 left behind
    following = [0] * count
    result: list[_Pair] = []
    for root in [*(v for v in range(count) if not into[v]), *range(count)]:
        if state[root]:
            continue
        path = [root]
        state[root] = 1
        while path:
            v = path[-1]
            if following[v] == len(out[v]):
                state[v] = 2
                path.pop()
                continue
            w = out[v][following[v]]
            following[v] += 1
            result.append((w, v) if state[w] == 1 else (v, w))
            if state[w] == 0:
                state[w] = 1
                path.append(w)
    return result


def _rank(count: int, edges: Sequence[_Pair]) -> list[int]:
    """Rows from 0 in every connected part.

    As far up as the edges permit, but what hangs on its users (a constant, a mask and what is made of it)
    stands next to the first of them.
    """
    pairs = _without_cycles(count, edges)
    into, out = _neighbours(count, pairs)
    rank = [0] * count
    waiting = [len(sources) for sources in into]
    ordered = [v for v in range(count) if not into[v]]
    for v in ordered:
        for w in out[v]:
            rank[w] = max(rank[w], rank[v] + 1)
            waiting[w] -= 1
            if waiting[w] == 0:
                ordered.append(w)
    # How far down each could go without anything that ends the graph going down.
    lowest = list(rank)
    for v in reversed(ordered):
        if out[v]:
            lowest[v] = min(lowest[w] for w in out[v]) - 1
    # What comes from a source that cannot move is where it belongs; all else may hang on its users.
    fixed = [not into[v] and lowest[v] == rank[v] for v in range(count)]
    # How many edges get longer when a node goes down together with what may follow it.
    drag = [0] * count
    for v in ordered:
        held = [u for u in into[v] if fixed[u]]
        fixed[v] = fixed[v] or bool(held)
        drag[v] = sum(min(1, drag[u]) if len(out[u]) == 1 else 1 for u in held)
    for v in reversed(ordered):
        if out[v] and (not fixed[v] or drag[v] < len(out[v])):
            rank[v] = max(rank[v], min(rank[w] for w in out[v]) - 1)
    part = _parts(count, pairs)
    top: dict[int, int] = {}
    for v in range(count):
        top[part[v]] = min(top.get(part[v], rank[v]), rank[v])
    return [rank[v] - top[part[v]] for v in range(count)]


def _parts(count: int, pairs: Sequence[_Pair]) -> list[int]:
    """Per node the first node of its connected part."""
    leader = list(range(count))

    def find(v: int) -> int:
        while leader[v] != v:
            leader[v] = leader[leader[v]]
            v = leader[v]
        return v

    for source, target in pairs:
        a, b = find(source), find(target)
        leader[max(a, b)] = min(a, b)
    return [find(v) for v in range(count)]


# One level ------------------------------------------------------------------------------------------------


@dataclass
class _Level:
    """What a block directly holds, and its ports: places where edges pass its border.

    ``shifts`` are where the ends of the edges are fastened, measured from the middles of their nodes;
    ``port`` is 0 for a node, 1 for a port in the upper border, 2 in the lower one.
    """

    width: list[float]
    height: list[float]
    rank: list[int]
    port: list[int]
    edges: list[_Pair]
    shifts: list[tuple[float, float]]


@dataclass
class _Placed:
    """Places from 0, 0 on, and the inner points of every edge from its first end to its second."""

    x: list[float]
    y: list[float]
    width: float
    height: float
    bends: list[list[_Point]]


@dataclass
class _Link:
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
class _Rows:
    """A connected part as rows: its nodes first, then a bend in every row an edge passes."""

    nodes: int
    width: list[float]
    row: list[int]
    order: list[list[int]] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    above: list[list[_Link]] = field(default_factory=list)
    below: list[list[_Link]] = field(default_factory=list)
    # Per edge its upper end, its bends downwards, its lower end, and the shifts of the ends.
    chains: list[tuple[list[int], float, float]] = field(default_factory=list)

    def number(self) -> None:
        for members in self.order:
            for place, v in enumerate(members):
                self.place[v] = place

    def separation(self, left: int, right: int) -> float:
        """What must lie between the middles of two neighbours in a row."""
        bends = (left >= self.nodes) + (right >= self.nodes)
        gap = (_NODE_GAP, _LINE_GAP, _LINES_GAP)[bends]
        return (self.width[left] + self.width[right]) / 2 + gap


def _along(shift: float, width: float) -> float:
    return min(0.99, max(0.01, 0.5 + shift / max(1.0, width)))


def _reach(level: _Level, ends: Sequence[_Pair], down: bool) -> list[int]:
    """How many rows lead to each node, or from it."""
    steps = [0] * len(level.width)
    pairs = ends if down else [(lower, upper) for upper, lower in ends]
    sign = 1 if down else -1
    for source, target in sorted(pairs, key=lambda pair: sign * level.rank[pair[0]]):
        steps[target] = max(steps[target], steps[source] + 1)
    return steps


def _spine(ends: Sequence[_Pair], before: Sequence[int], after: Sequence[int]) -> set[int]:
    """The edges of the longest way through it all, where it is the only one.

    It is straight, so that many equal blocks do not lean a little further with each.
    """
    longest = max(map(add, before, after), default=0)
    found = [edge for edge, (u, v) in enumerate(ends) if before[u] + 1 + after[v] == longest]
    down = Counter(ends[edge][0] for edge in found)
    up = Counter(ends[edge][1] for edge in found)
    return {edge for edge in found if down[ends[edge][0]] == up[ends[edge][1]] == 1}


def _rows_of(level: _Level) -> _Rows:
    rank = level.rank
    rows = _Rows(len(level.width), list(level.width), list(rank))
    ends = [(a, b) if rank[a] < rank[b] else (b, a) for a, b in level.edges]
    before, after = _reach(level, ends, True), _reach(level, ends, False)
    spine = _spine(ends, before, after)
    links: list[_Link] = []
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
            link = _Link(u, v, first if u == upper else 0.0, last if v == lower else 0.0, weight)
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


# The order within rows ------------------------------------------------------------------------------------


def _start(rows: _Rows, down: bool) -> None:
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


def _near(rows: _Rows, v: int, up: bool) -> list[float]:
    """The places of what v is linked to in the row above, or below."""
    if up:
        return [rows.place[link.upper] + link.upper_along for link in rows.above[v]]
    return [rows.place[link.lower] + link.lower_along for link in rows.below[v]]


def _sweep(rows: _Rows, down: bool, equal_turned: bool) -> None:
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


def _transpose(rows: _Rows, equal_too: bool) -> None:
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


def _crossings(rows: _Rows) -> int:
    crossings = 0
    for members in rows.order:
        links = [(rows.place[v] + link.upper_along, link) for v in members for link in rows.below[v]]
        ends = [(upper, rows.place[link.lower] * 16 + int(link.lower_along * 16)) for upper, link in links]
        seen: list[int] = []
        for _, lower in sorted(ends):
            crossings += len(seen) - bisect_right(seen, lower)
            insort(seen, lower)
    return crossings


def _order(rows: _Rows) -> None:
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


# The places within rows -----------------------------------------------------------------------------------


def _wanted(rows: _Rows, middle: list[float], v: int, up: bool, down: bool) -> tuple[float, int, int]:
    """Where v would be straight below or above its neighbours: a weighted median; its pull and strength."""
    near: list[tuple[float, int]] = []
    if up:
        near += [(middle[k.upper] + k.upper_shift - k.lower_shift, k.weight) for k in rows.above[v]]
    if down:
        near += [(middle[k.lower] + k.lower_shift - k.upper_shift, k.weight) for k in rows.below[v]]
    if not near:
        return middle[v], 1, 0
    if len(near) == 1:
        value, weight = near[0]
        return value, weight, weight.bit_length()
    near.sort()
    heaviest = max(weight for _, weight in near)
    total = sum(weight for _, weight in near)
    so_far = 0
    for i, (value, weight) in enumerate(near):
        so_far += weight
        if 2 * so_far >= total:
            wanted = (value + near[i + 1][0]) / 2 if 2 * so_far == total else value
            break
    # Of two members where one has half the pull of the other, the stronger one gets what it wants.
    return wanted, heaviest, heaviest.bit_length()


def _pool(free: list[float], pull: list[int], chosen: list[int], low: float, high: float) -> None:
    """Makes the chosen entries not decrease, with as little change as possible (pool adjacent violators)."""
    pools: list[tuple[float, int, int]] = []
    for i in chosen:
        mean, mass, size = free[i], pull[i], 1
        while pools and pools[-1][0] > mean:
            other, weight, count = pools.pop()
            mean = (other * weight + mean * mass) / (weight + mass)
            mass, size = mass + weight, size + count
        pools.append((mean, mass, size))
    entries = iter(chosen)
    for mean, _, size in pools:
        for _ in range(size):
            free[next(entries)] = min(high, max(low, mean))


def _settle(rows: _Rows, middle: list[float], members: list[int], up: bool, down: bool) -> None:
    """One row as near to what its members want as the separations permit.

    With the separations taken off, the places must only not decrease; the strongest members are placed first,
    and weaker ones between them.
    """
    if len(members) == 1:
        middle[members[0]] = _wanted(rows, middle, members[0], up, down)[0]
        return
    offsets: list[float] = []
    free: list[float] = []
    pull: list[int] = []
    strength: list[int] = []
    across = 0.0
    for i, v in enumerate(members):
        if i:
            across += rows.separation(members[i - 1], v)
        wanted, mass, strong = _wanted(rows, middle, v, up, down)
        offsets.append(across)
        free.append(wanted - across)
        pull.append(mass)
        strength.append(strong)
    for now in sorted(set(strength), reverse=True):
        low = -math.inf
        chosen: list[int] = []
        for i, strong in enumerate(strength):
            if strong == now:
                chosen.append(i)
            elif strong > now:
                _pool(free, pull, chosen, low, free[i])
                low, chosen = free[i], []
        _pool(free, pull, chosen, low, math.inf)
    for i, v in enumerate(members):
        middle[v] = free[i] + offsets[i]


def _straighten(rows: _Rows, middle: list[float]) -> None:
    """Gives the bends of every edge as few different places as the gaps they pass through permit."""
    for chain, first, last in rows.chains:
        source, target = middle[chain[0]] + first, middle[chain[-1]] + last
        bends = chain[1:-1]
        run = 0
        while run < len(bends):
            low, high = -math.inf, math.inf
            end = run
            while end < len(bends):
                v = bends[end]
                members, place = rows.order[rows.row[v]], rows.place[v]
                left, right = -math.inf, math.inf
                if place:
                    left = middle[members[place - 1]] + rows.separation(members[place - 1], v)
                if place + 1 < len(members):
                    right = middle[members[place + 1]] - rows.separation(v, members[place + 1])
                if left > right:  # no room at all: it stays where it is
                    left = right = middle[v]
                if max(left, low) > min(right, high):
                    break
                low, high = max(left, low), min(right, high)
                end += 1
            wanted = middle[bends[run - 1]]
            if run == 0:
                wanted = (source + target) / 2 if end == len(bends) else middle[bends[end]]
            for v in bends[run:end]:
                middle[v] = min(high, max(low, wanted))
            run = end


def _place(rows: _Rows) -> tuple[list[float], float]:
    """The middles across of all members, with the leftmost edge at 0, and how wide it all is."""
    middle = [0.0] * len(rows.row)
    for members in rows.order:
        across = 0.0
        for i, v in enumerate(members):
            if i:
                across += rows.separation(members[i - 1], v)
            middle[v] = across
        for v in members:
            middle[v] -= across / 2
    rounds = 2 if len(rows.row) > 4000 else 6
    for up, down in [(True, False), (False, True)] * rounds:
        for members in rows.order if up else reversed(rows.order):
            _settle(rows, middle, members, up, down)
    for members in rows.order:
        _settle(rows, middle, members, True, True)
    for members in reversed(rows.order):
        _settle(rows, middle, members, True, True)
    _straighten(rows, middle)
    # Whole pixels: what is nearly straight becomes straight.
    middle = [float(math.floor(value + 0.5)) for value in middle]
    left = math.floor(min(value - width / 2 for value, width in zip(middle, rows.width, strict=True)))
    right = max(value + width / 2 for value, width in zip(middle, rows.width, strict=True))
    return [value - left for value in middle], right - left


def _row_places(level: _Level, rows: _Rows, middle: list[float]) -> tuple[list[float], list[float]]:
    """Upper edges and heights of the rows, with more room between them where many lines pass aslant."""
    count = len(rows.order)
    tall = [0.0] * count
    ports = [0] * count
    for v, row in enumerate(level.rank):
        tall[row] = max(tall[row], level.height[v])
        ports[row] = max(ports[row], level.port[v])
    tops: list[float] = []
    y = 0.0
    for row, members in enumerate(rows.order):
        tops.append(y)
        aslant = sum(
            abs(middle[v] + link.upper_shift - middle[link.lower] - link.lower_shift) > 60
            for v in members
            for link in rows.below[v]
        )
        border = ports[row] == 1 or (row + 1 < count and ports[row + 1] == 2)
        y += tall[row] + (_ROW_GAP / 2 if border else _ROW_GAP) + min(44, 3 * max(0, aslant - 3))
    return tops, tall


# Parts of a level -----------------------------------------------------------------------------------------


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
        return (self.width + _NODE_GAP) * (self.height + _NODE_GAP)


def _shelves(parts: list[_Part], across: float) -> tuple[float, float]:
    """Rows of parts, about as wide as ``across``; returns the extent."""
    x = y = tall = width = 0.0
    for part in parts:
        if x > 0 and x + part.width > across:
            y += tall + _NODE_GAP
            x = tall = 0.0
        part.x, part.y = x, y
        x += part.width + _NODE_GAP
        tall = max(tall, part.height)
        width = max(width, x - _NODE_GAP)
    return width, y + tall


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
            part.x += main.width + 2 * _NODE_GAP
        else:
            part.y += main.height + 2 * _NODE_GAP
    if beside:
        return main.width + 2 * _NODE_GAP + width, max(main.height, height)
    return max(main.width, width), main.height + 2 * _NODE_GAP + height


def _split(level: _Level) -> list[_Part]:
    """The connected parts. What has a port is one part: it reaches from border to border."""
    count = len(level.width)
    ports = [v for v in range(count) if level.port[v]]
    leader = _parts(count, [*level.edges, *((ports[0], port) for port in ports[1:])])
    found: dict[int, _Part] = {}
    for v in range(count):
        part = found.setdefault(leader[v], _Part())
        part.members.append(v)
        part.ported = part.ported or level.port[v] > 0
    for e, (source, _) in enumerate(level.edges):
        found[leader[source]].edges.append(e)
    return list(found.values())


def _extract(level: _Level, part: _Part, local: list[int]) -> _Level:
    """The part on its own, with ports in rows of their own above and below all others."""
    for i, v in enumerate(part.members):
        local[v] = i
    above = int(any(level.port[v] == 1 for v in part.members))
    last = max((level.rank[v] for v in part.members if not level.port[v]), default=0)
    rows = {1: 0, 2: last + above + 1}
    return _Level(
        [level.width[v] for v in part.members],
        [level.height[v] for v in part.members],
        [rows.get(level.port[v], level.rank[v] + above) for v in part.members],
        [level.port[v] for v in part.members],
        [(local[level.edges[e][0]], local[level.edges[e][1]]) for e in part.edges],
        [level.shifts[e] for e in part.edges],
    )


def _layered(level: _Level) -> _Placed:
    """A level in rows: its connected parts one by one, put together compactly."""
    count = len(level.width)
    x, y = [0.0] * count, [0.0] * count
    bends: list[list[_Point]] = [[] for _ in level.edges]
    local = [0] * count
    parts = _split(level)
    for part in parts:
        if len(part.members) == 1:
            part.width, part.height = level.width[part.members[0]], level.height[part.members[0]]
            continue
        own = _extract(level, part, local)
        rows = _rows_of(own)
        _order(rows)
        middle, part.width = _place(rows)
        tops, tall = _row_places(own, rows, middle)
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
    return _Placed(x, y, width, height, bends)


# Blocks within blocks -------------------------------------------------------------------------------------


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
    bends: list[_Point] = field(default_factory=list)


class _Nested:
    """Lays out every block on its own, deepest first; it is one node of its level then."""

    def __init__(
        self,
        widths: Sequence[float],
        heights: Sequence[float],
        edges: Sequence[_Pair],
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

    def _common(self, a: int, b: int) -> _Pair:
        """The two nodes of one level that hold the ends; the same one twice if the edge is of no level."""
        while self.depth[a] > self.depth[b]:
            a = self.groups[a]
        while self.depth[b] > self.depth[a]:
            b = self.groups[b]
        while self.groups[a] != self.groups[b]:
            a, b = self.groups[a], self.groups[b]
        return a, b

    def _rank_levels(self, tops: Sequence[_Pair]) -> None:
        pairs: dict[int, list[_Pair]] = {}
        for a, b in tops:
            if a != b:
                pairs.setdefault(self.groups[a], []).append((self.local[a], self.local[b]))
        for level, members in self.held.items():
            found = _rank(len(members), pairs.get(level, []))
            self.rows[level] = max(found) + 1
            for v, rank in zip(members, found, strict=True):
                self.rank[v] = rank

    def _is_long(self, e: int, top: _Pair) -> bool:
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

    def _cut(self, tops: Sequence[_Pair], long: Sequence[bool]) -> None:
        """Cuts edges into segments; edges with one source share them."""
        # By source and block left, or source and node entered.
        leaving: dict[_Pair, int] = {}
        entering: dict[_Pair, int] = {}
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
        placed = _layered(
            _Level(
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

    def _beside(self, v: int, near: float) -> list[_Point]:
        """The way up past a node at the side that is nearer."""
        left, right = self.x[v], self.x[v] + self.width[v]
        side = left - 12 if near < (left + right) / 2 else right + 12
        return [(side, self.y[v] + self.height[v]), (side, self.y[v])]

    def _route(self, e: int, top: _Pair) -> list[_Point]:
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


def _thinned(points: list[_Point]) -> list[_Point]:
    """Of points one below the other the first and the last are enough."""
    kept = points[:1]
    for point in points[1:]:
        if len(kept) > 1 and kept[-1][0] == kept[-2][0] == point[0]:
            kept[-1] = point
        else:
            kept.append(point)
    return kept
