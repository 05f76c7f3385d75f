"""Delta debugging against what trying every part of the list gives."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.verifying.ddmin import ddmin

# Faults of a list of up to ten items: each a set of items that fail together, whatever else is there.
FAULTS = st.integers(2, 10).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.frozensets(st.integers(0, count - 1), min_size=1, max_size=3), min_size=1, max_size=3),
    )
)


@given(FAULTS)
def test_the_part_fails_and_nothing_can_be_left_out(case: tuple[int, list[frozenset[int]]]) -> None:
    count, faults = case

    def fails(part: tuple[int, ...]) -> bool:
        return any(fault <= set(part) for fault in faults)

    found = ddmin(range(count), fails)
    parts = itertools.chain.from_iterable(
        itertools.combinations(range(count), size) for size in range(count + 1)
    )
    failing = [set(part) for part in parts if fails(part)]
    smallest = [part for part in failing if not any(other < part for other in failing)]
    assert set(found) in smallest
    assert list(found) == sorted(found)


@given(st.integers(1, 300), st.data())
def test_one_guilty_item_takes_two_tests_per_halving(count: int, data: st.DataObject) -> None:
    guilty = data.draw(st.integers(0, count - 1))
    asked: list[tuple[int, ...]] = []

    def fails(part: tuple[int, ...]) -> bool:
        asked.append(part)
        return guilty in part

    assert ddmin(range(count), fails) == (guilty,)
    assert len(asked) <= 2 * math.log2(count) + 1


@given(st.integers(2, 60), st.data())
def test_what_fails_only_together_is_found_together(count: int, data: st.DataObject) -> None:
    pair = data.draw(st.sets(st.integers(0, count - 1), min_size=2, max_size=2))
    assert set(ddmin(range(count), lambda part: pair <= set(part))) == pair


@pytest.mark.parametrize("items", [(), ("only",)])
def test_there_is_nothing_to_cut(items: tuple[str, ...]) -> None:
    def fails(part: tuple[str, ...]) -> bool:
        raise AssertionError("nothing to ask")

    assert ddmin(items, fails) == items
