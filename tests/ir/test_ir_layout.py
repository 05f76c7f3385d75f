from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.ir.layout import PADDING_BOTTOM, PADDING_SIDE, PADDING_TOP, Layout, layout

TINY = 0.01


@st.composite
def graphs(draw: st.DrawFn, blocks: bool = False, cyclic: bool = False):
    """Sizes, edges and groups; blocks hold neighbours in the order of the nodes, as layers do."""
    count = draw(st.integers(0, 30))
    groups: list[int] = []
    held: list[tuple[int, int]] = []  # open blocks and their ends
    for v in range(count):
        while held and held[-1][1] <= v:
            held.pop()
        groups.append(held[-1][0] if held else -1)
        limit = held[-1][1] if held else count
        if blocks and v + 1 < limit and draw(st.integers(0, 5)) == 0:
            held.append((v, draw(st.integers(v + 2, limit))))
    widths = draw(st.lists(st.integers(20, 200), min_size=count, max_size=count))
    heights = draw(st.lists(st.sampled_from([20, 36, 36, 36, 90]), min_size=count, max_size=count))
    node = st.integers(0, max(0, count - 1))
    edges = draw(st.lists(st.tuples(node, node), max_size=3 * count if count else 0))
    if not cyclic:
        edges = [(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]]
    return widths, heights, edges, groups


def check(widths, heights, edges, groups) -> Layout:
    found = layout(widths, heights, edges, groups)
    nodes = range(len(widths))
    for a, b in combinations(nodes, 2):
        if groups[a] == groups[b]:
            beside = found.x[a] + found.width[a] <= found.x[b] or found.x[b] + found.width[b] <= found.x[a]
            stacked = found.y[a] + found.height[a] <= found.y[b] or found.y[b] + found.height[b] <= found.y[a]
            assert beside or stacked, (a, b)
    for v in nodes:
        assert found.width[v] >= widths[v]
        assert found.height[v] >= heights[v]
        assert 0 <= found.x[v] <= found.total_width - found.width[v] + TINY
        assert 0 <= found.y[v] <= found.total_height - found.height[v] + TINY
        block = groups[v]
        if block >= 0:
            assert found.x[v] >= found.x[block] + PADDING_SIDE - TINY
            assert found.y[v] >= found.y[block] + PADDING_TOP - TINY
            right, bottom = found.x[block] + found.width[block], found.y[block] + found.height[block]
            assert found.x[v] + found.width[v] <= right - PADDING_SIDE + TINY
            assert found.y[v] + found.height[v] <= bottom - PADDING_BOTTOM + TINY
    for (source, target), route, long in zip(edges, found.routes, found.long, strict=True):
        first, last = (source, found.y[source] + found.height[source]), (target, found.y[target])
        for (v, down), (x, y) in zip((first, last), (route[0], route[-1]), strict=True):
            assert abs(y - down) < TINY
            assert found.x[v] <= x <= found.x[v] + found.width[v]
        assert len(route) == 2 or not long
        if first[1] <= last[1]:
            assert all(above[1] <= below[1] + TINY for above, below in pairwise(route))
    return found


def upwards(edges, found: Layout) -> list[tuple[int, int]]:
    return [(s, t) for s, t in edges if found.y[s] + found.height[s] > found.y[t]]


def chain(count: int, first: int = 0) -> list[tuple[int, int]]:
    return [(v, v + 1) for v in range(first, first + count - 1)]


def middles(found: Layout, nodes) -> list[float]:
    return [found.x[v] + found.width[v] / 2 for v in nodes]


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_edges_lead_downwards_and_nothing_overlaps(graph):
    assert upwards(graph[2], check(*graph)) == []


@given(graphs(blocks=True, cyclic=True))
@settings(max_examples=100, deadline=None)
def test_blocks_hold_what_is_theirs_in_any_graph(graph):
    assert check(*graph) == layout(*graph)


def test_nothing_and_a_single_node():
    empty = layout([], [], [])
    assert (empty.x, empty.routes, empty.total_width, empty.total_height) == ([], [], 0, 0)
    single = layout([80], [36], [(0, 0)])
    assert (single.x, single.y, single.total_width, single.total_height) == ([0], [0], 80, 36)
    assert len(single.routes[0]) > 2


def test_a_chain_is_straight_beside_constants_and_shortcuts():
    edges = [*chain(10), (2, 6), (10, 2), (11, 4), (12, 6), (13, 8)]
    found = layout([80] * 14, [36] * 14, edges)
    assert len(set(middles(found, range(10)))) == 1
    assert found.y[11] == found.y[3]


def test_equal_branches_are_symmetric():
    found = layout([80] * 4, [36] * 4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    above, left, right, below = middles(found, range(4))
    assert above == below == (left + right) / 2


def test_a_mask_stands_next_to_its_first_user_and_far_edges_are_no_lines():
    found = layout([80] * 101, [36] * 101, [*chain(100), (100, 10), (100, 20), (100, 90)])
    assert found.y[100] == found.y[9]
    assert found.long[99:] == [False, False, True]


def test_an_edge_passes_the_borders_of_blocks():
    # 0 and 1 lead into block 2, to 3; 5 and 6 in block 4 in block 2 lead out to 7.
    edges = [(0, 3), (1, 3), (3, 5), (3, 6), (5, 7), (6, 7)]
    found = check([80] * 8, [36] * 8, edges, [-1, -1, -1, 2, 2, 4, 4, -1])
    assert upwards(edges, found) == []
    for entering in found.routes[:2]:
        assert found.y[2] in [y for _, y in entering]
    for leaving in found.routes[4:]:
        assert found.y[2] + found.height[2] in [y for _, y in leaving]


def test_single_nodes_form_a_compact_grid():
    found = layout([80] * 100, [36] * 100, [])
    assert 0.5 < found.total_width / found.total_height < 3


def test_long_chains_and_wide_fans_need_no_deep_stack():
    long = layout([80] * 5000, [36] * 5000, chain(5000))
    assert long.total_width == 80
    fan = layout([80] * 2000, [36] * 2000, [(0, v) for v in range(1, 2000)])
    assert sorted(fan.x[1:]) == sorted(set(fan.x[1:]))
