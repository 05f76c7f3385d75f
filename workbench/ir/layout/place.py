"""Where the members of ordered rows stand: straight chains, no overlap, rows one below the other."""

from __future__ import annotations

import math

from workbench.ir.layout.rows import Level, Rows

# Free room between two rows.
_ROW_GAP = 44.0


def place_rows(rows: Rows) -> tuple[list[float], float]:
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


def _wanted(rows: Rows, middle: list[float], v: int, up: bool, down: bool) -> tuple[float, int, int]:
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


def _settle(rows: Rows, middle: list[float], members: list[int], up: bool, down: bool) -> None:
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


def _straighten(rows: Rows, middle: list[float]) -> None:
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


def row_tops(level: Level, rows: Rows, middle: list[float]) -> tuple[list[float], list[float]]:
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
