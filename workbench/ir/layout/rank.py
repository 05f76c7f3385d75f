"""Which row each node of one level stands in: edges lead from a row to a later one."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[int, int]


def rank_nodes(count: int, edges: Sequence[Pair]) -> list[int]:
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
    part = connected_parts(count, pairs)
    top: dict[int, int] = {}
    for v in range(count):
        top[part[v]] = min(top.get(part[v], rank[v]), rank[v])
    return [rank[v] - top[part[v]] for v in range(count)]


def _neighbours(count: int, pairs: Sequence[Pair]) -> tuple[list[list[int]], list[list[int]]]:
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target in pairs:
        out[source].append(target)
        into[target].append(source)
    return into, out


def _without_cycles(count: int, pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The pairs with those turned round that close a cycle, found depth first from the sources."""
    into, out = _neighbours(count, pairs)
    state = bytearray(count)  # 0 not seen, 1 on the path, 2 left behind
    following = [0] * count
    result: list[Pair] = []
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


def connected_parts(count: int, pairs: Sequence[Pair]) -> list[int]:
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
