"""Differences against plain numpy and Python, one number at a time, and against what is known of floats."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from scipy.spatial import distance

from workbench.errors import InputError
from workbench.verifying import differing
from workbench.verifying.difference import OutputDifference
from workbench.verifying.differing import Differing, bfloat16_values
from workbench.verifying.tolerance import Tolerance, default_tolerance, scale_of, tolerances_of

FLOATS = {"float16": 11, "float32": 24, "float64": 53, "bfloat16": 8}
Array = np.ndarray[Any, np.dtype[Any]]
# Another process may hold up any one example.
calmly = settings(deadline=None)


def compared(expected: Any, given: Any, tolerance: Tolerance | None = None, **more: Any) -> OutputDifference:
    found = Differing("out", tolerance, **more)
    found.add(expected, given)
    return found.result()


@st.composite
def pairs(draw: st.DrawFn, *, special: bool = True) -> tuple[Array, Array]:
    """Two arrays of one shape and dtype, of which the second is near the first or anything."""
    dtype = draw(st.sampled_from(["float16", "float32", "float64"]))
    shape = draw(arrays_of.array_shapes(min_dims=1, max_dims=3, max_side=5))
    width = int(dtype[5:])
    numbers = st.floats(width=width, allow_nan=special, allow_infinity=special)
    expected = draw(arrays_of.arrays(dtype, shape, elements=numbers))
    if draw(st.booleans()):
        return expected, draw(arrays_of.arrays(dtype, shape, elements=numbers))
    factors = draw(arrays_of.arrays("float64", shape, elements=st.floats(0.9, 1.1)))
    with np.errstate(all="ignore"):
        return expected, (expected * factors).astype(dtype)


TOLERANCES = st.builds(Tolerance, st.sampled_from([0.0, 1e-6, 0.1]), st.sampled_from([0.0, 1e-3, 0.05]))


@calmly
@given(pairs(), TOLERANCES)
def test_every_number_is_what_a_loop_over_the_elements_gives(
    pair: tuple[Array, Array], tolerance: Tolerance
) -> None:
    expected, given = pair
    found = compared(expected, given, tolerance)
    apart, relative, unmatched, exceeding = [], [], [], 0
    for index in np.ndindex(expected.shape):
        a, b = float(expected[index]), float(given[index])
        if not (math.isfinite(a) and math.isfinite(b)):
            same = a == b or (math.isnan(a) and math.isnan(b))
            unmatched += [] if same else [index]
            continue
        apart.append(min(abs(a - b), 1.7976931348623157e308))
        exceeding += abs(a - b) > tolerance.atol + tolerance.rtol * abs(a)
        if a:
            relative.append(min(apart[-1] / abs(a), 1.7976931348623157e308))
    assert found.values == expected.size
    assert found.max_abs_diff == max(apart, default=0.0)
    mean = sum(one / len(apart) for one in apart)
    if mean < 1e307:
        assert found.mean_abs_diff == pytest.approx(mean, rel=1e-12)
    assert found.max_rel_diff == (max(relative) if relative else None if any(apart) else 0.0)
    assert found.unmatched == len(unmatched)
    assert [one.index for one in found.positions] == unmatched[: len(found.positions)]
    assert found.exceeding == exceeding
    assert found.passed == (not unmatched and not exceeding)
    json.dumps(found.facts(), allow_nan=False)


@calmly
@given(pairs(special=False))
def test_the_worst_element_is_the_one_that_no_other_is_beyond(pair: tuple[Array, Array]) -> None:
    expected, given = pair
    tolerance = Tolerance(0.5, 0.01)
    found = compared(expected, given, tolerance)
    with np.errstate(over="ignore"):
        first = expected.astype(np.float64)
        apart = np.minimum(np.abs(first - given.astype(np.float64)), np.finfo(float).max)
    # A number near the largest may have become infinite: that is unmatched, and no difference.
    apart[~np.isfinite(given)] = 0
    if not apart.any():
        assert found.worst is None
        return
    assert found.worst is not None
    rank = apart / (0.5 + 0.01 * np.abs(first))
    assert rank[found.worst.index] == rank.max()
    assert found.worst.expected == expected[found.worst.index]
    assert found.worst.given == given[found.worst.index]


@calmly
@given(pairs(), st.data())
def test_parts_and_batches_add_up_to_the_whole(pair: tuple[Array, Array], data: st.DataObject) -> None:
    expected, given = (one.reshape(-1) for one in pair)
    cuts = sorted(data.draw(st.lists(st.integers(0, expected.size), max_size=4)))
    tolerance = Tolerance(1e-3, 1e-2)
    parts = Differing("out", tolerance)
    for a, b in zip(np.split(expected, cuts), np.split(given, cuts), strict=True):
        parts.add(a, b)
    whole, found = compared(expected, given, tolerance), parts.result()
    for name in ("values", "max_abs_diff", "max_rel_diff", "max_ulps", "unmatched", "exceeding", "passed"):
        assert getattr(found, name) == getattr(whole, name), name
    for name in ("mean_abs_diff", "cosine"):
        a, b = getattr(found, name), getattr(whole, name)
        assert a == b or a == pytest.approx(b, rel=1e-9, abs=1e-9)
    assert found.batches == len(cuts) + 1


@calmly
@given(pairs())
def test_blocks_inside_do_not_show(pair: tuple[Array, Array]) -> None:
    whole = compared(*pair, Tolerance(0, 0.01), top_k=(1,)).facts()
    before = differing.BLOCK
    differing.BLOCK = 3
    try:
        found = compared(*pair, Tolerance(0, 0.01), top_k=(1,)).facts()
    finally:
        differing.BLOCK = before
    for name in ("mean_abs_diff", "cosine"):
        a, b = found.pop(name), whole.pop(name)
        assert a == b or a == pytest.approx(b, rel=1e-9, abs=1e-9)
    assert found == whole


@calmly
@given(pairs())
def test_which_one_is_expected_changes_nothing_but_what_is_relative(pair: tuple[Array, Array]) -> None:
    tolerance = Tolerance(0.1, 0)
    there = compared(*pair, tolerance, top_k=(2,))
    back = compared(*reversed(pair), tolerance, top_k=(2,))
    for name in ("max_abs_diff", "mean_abs_diff", "max_ulps", "unmatched", "exceeding", "passed", "top_k"):
        assert getattr(there, name) == getattr(back, name), name
    assert there.cosine == back.cosine or there.cosine == pytest.approx(back.cosine, abs=1e-12)


@calmly
@given(
    arrays_of.arrays("float64", (2, 7), elements=st.floats(-1e3, 1e3)),
    st.integers(-900, 900),
    st.integers(-900, 900),
)
def test_the_cosine_is_scipys_whatever_the_magnitudes(both: Array, first: int, second: int) -> None:
    a, b = np.where(np.abs(both) < 1e-3, 0, both)
    if not (a.any() and b.any()):
        return
    # Scaling by powers of two changes no angle, and scipy could not square what comes of it.
    found = compared(np.ldexp(a, first), np.ldexp(b, second))
    assert found.cosine == pytest.approx(1 - distance.cosine(a, b), abs=1e-12)


def test_the_cosine_of_nothing_but_zeros() -> None:
    zeros, ones = np.zeros(3, "float32"), np.ones(3, "float32")
    assert compared(zeros, zeros).cosine == 1
    assert compared(zeros, ones).cosine is None
    assert compared(ones, -ones).cosine == -1


@calmly
@given(st.sampled_from(["float16", "float32", "float64"]), st.data())
def test_ulps_are_the_steps_that_nextafter_takes(dtype: str, data: st.DataObject) -> None:
    number = data.draw(st.floats(width=int(dtype[5:]), allow_nan=False, allow_infinity=False))
    start = end = np.array([number], dtype)
    steps = data.draw(st.integers(0, 40))
    toward = np.array(data.draw(st.sampled_from([-np.inf, np.inf])), dtype)
    taken = 0
    for _ in range(steps):
        with np.errstate(all="ignore"):
            further = np.nextafter(end, toward)
        if not np.isfinite(further).all():
            break
        # -0 and 0 are one number; nextafter knows that, too.
        end, taken = further, taken + 1
    assert compared(start, end).max_ulps == taken
    if taken == 1 and number:
        assert abs(float(end[0]) - float(start[0])) <= float(np.abs(np.spacing(start[0])))


def test_ulps_across_a_whole_dtype() -> None:
    largest = np.finfo("float64").max
    steps = 2 * (0x7FEFFFFFFFFFFFFF)
    assert compared(np.array([-largest]), np.array([largest])).max_ulps == steps


@calmly
@given(st.integers(0, 65535), st.integers(0, 65535))
def test_ulps_of_bfloat16_are_places_in_the_list_of_its_numbers(first: int, second: int) -> None:
    bits = np.arange(65536, dtype=np.uint16)
    # The definition: a bfloat16 is a float32 of which the lower half is 0.
    numbers = np.frombuffer(b"".join(b"\0\0" + int(one).to_bytes(2, "little") for one in bits), "<f4")
    a, b = numbers[first], numbers[second]
    found = compared(
        np.array([first], np.uint16), np.array([second], np.uint16), Tolerance(0, 0), dtype="bfloat16"
    )
    assert found.dtype == "bfloat16"
    if np.isfinite(a) and np.isfinite(b):
        all_numbers = np.unique(numbers[np.isfinite(numbers)])
        places = np.searchsorted(all_numbers, [a, b])
        assert found.max_ulps == abs(int(places[0]) - int(places[1]))
        assert found.max_abs_diff == abs(float(a) - float(b))
    else:
        assert found.max_ulps is None
        assert found.unmatched == int(not np.array_equal([a], [b], equal_nan=True))


def test_bits_of_bfloat16_without_a_word_of_it_are_whole_numbers() -> None:
    found = compared(np.array([0x3F80], np.uint16), np.array([0x3F81], np.uint16))
    assert (found.dtype, found.max_abs_diff, found.max_ulps) == ("uint16", 1.0, None)
    assert not found.passed


@calmly
@given(st.data())
def test_whole_numbers_are_the_same_or_not(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["bool", "int8", "uint8", "int32", "int64", "uint64"]))
    shape = (data.draw(st.integers(1, 6)),)
    expected, given = (data.draw(arrays_of.arrays(dtype, shape)) for _ in range(2))
    found = compared(expected, given)
    apart = [abs(int(a) - int(b)) for a, b in zip(expected, given, strict=True)]
    assert found.max_abs_diff == float(max(apart))
    assert found.exceeding == sum(one > 0 for one in apart)
    assert found.passed == (expected.tolist() == given.tolist())
    assert (found.max_ulps, found.unmatched) == (None, 0)
    assert str(found.tolerance) == "exact"


def can_agree(first: list[float], second: list[float], k: int) -> bool:
    """Whether some k places hold the k largest of both, by trying all of them."""

    def largest(row: list[float]) -> set[tuple[int, ...]]:
        return {
            places
            for places in itertools.combinations(range(len(row)), k)
            if all(row[a] >= row[b] for a in places for b in range(len(row)) if b not in places)
        }

    return bool(largest(first) & largest(second))


@calmly
@given(st.integers(1, 5), st.integers(1, 4), st.data())
def test_top_k_agrees_where_some_choice_among_ties_does(width: int, rows: int, data: st.DataObject) -> None:
    # Few numbers, so that many tie; NaN is the smallest of all.
    numbers = st.sampled_from([0.0, 0.5, 1.0, 2.0, -math.inf, math.nan])
    both = [data.draw(arrays_of.arrays("float32", (rows, width), elements=numbers)) for _ in range(2)]
    k = data.draw(st.integers(1, 6))
    plain = [np.nan_to_num(one, nan=-np.inf, posinf=np.inf, neginf=-np.inf).tolist() for one in both]
    agree = sum(can_agree(a, b, min(k, width)) for a, b in zip(*plain, strict=True))
    assert compared(*both, Tolerance(0, 0), top_k=(k,)).top_k == {k: agree / rows}


def test_nan_beside_nan_is_no_difference_and_infinities_have_a_sign() -> None:
    nan, inf = math.nan, math.inf
    found = compared(np.array([1, nan, inf, -inf, nan, inf]), np.array([1, nan, inf, inf, 2, nan]))
    assert (found.unmatched, found.exceeding, found.max_abs_diff) == (3, 0, 0.0)
    assert [one.index for one in found.positions] == [(3,), (4,), (5,)]
    assert found.facts()["positions"][1] == {"index": [4], "expected": "nan", "given": 2.0}
    assert not found.passed


def test_other_shapes_and_dtypes_are_a_remark_and_a_failure() -> None:
    four = np.zeros(4, "float32")
    other = compared(four, four.reshape(2, 2))
    assert not other.passed
    assert other.remark == "float32 [2, 2] where float32 [4] is expected"
    assert other.max_abs_diff is None
    assert "float64" in compared(four, four.astype("float64")).remark
    for words in (compared(np.array(["a"]), np.array(["a"])), compared(four, four.astype("longdouble"))):
        assert words.remark
        assert not words.passed
    words = compared(np.array(["a"]), np.array(["a"]), Tolerance(1, 0))
    assert "no dtype that can be compared" in words.remark
    assert compared(np.float32(2), np.array([2], "float32")).passed
    assert compared(four, four.astype(">f4")).passed
    none = Differing("out").result()
    assert (none.passed, none.remark) == (False, "nothing was compared")
    assert compared(four[:0], four[:0]).passed


def test_a_batch_that_cannot_be_compared_does_not_hide_the_others() -> None:
    found = Differing("out", Tolerance(0.1, 0))
    found.add(np.zeros(3), np.zeros(3))
    found.add(np.zeros(3), np.zeros(4))
    found.add(np.zeros(3), np.array([0.0, 0.0, 7.0]))
    result = found.result()
    assert result.remark.startswith("batch 1: ")
    assert (result.values, result.max_abs_diff, result.failing, result.worst_batch) == (6, 7.0, 2, 2)


def test_the_worst_batch_is_the_one_with_most_unmatched_elements() -> None:
    found = Differing("out", Tolerance(0.1, 0))
    for batch in ([9.0, 0.0], [math.nan, 0.0], [math.nan, math.nan], [0.0, 0.0]):
        found.add(np.zeros(2), np.array(batch))
    assert (found.result().worst_batch, found.result().failing) == (2, 3)


def test_complex_numbers_are_two_real_ones() -> None:
    found = compared(np.array([1 + 2j, 3 + 4j], "complex64"), np.array([1 + 2j, 3 + 4.5j], "complex64"))
    assert (found.values, found.max_abs_diff, found.exceeding) == (4, 0.5, 1)
    assert found.worst is not None
    assert found.worst.index == (1, 1)


# Tolerances


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_tolerance_is_many_roundings_of_its_dtype_and_fewer_than_hide_a_coarser_one(dtype: str) -> None:
    one = default_tolerance(dtype)
    rounding = 2.0 ** -FLOATS[dtype]
    assert one.rtol == one.atol
    assert 10 * rounding < one.rtol
    if dtype != "bfloat16":
        coarser = {"float64": 24, "float32": 11, "float16": 0}[dtype]
        assert one.rtol < 2.0**-coarser


def test_the_tolerance_grows_with_the_output_and_with_a_coarser_precision() -> None:
    rng = np.random.default_rng(0)
    expected = rng.standard_normal(1000).astype("float32") * np.float32(1000)
    scale = math.sqrt(np.mean(expected.astype("float64") ** 2))
    assert scale_of(expected) == pytest.approx(scale, rel=1e-12)
    assert compared(expected, expected).tolerance == default_tolerance("float32", scale_of(expected))
    near = expected + np.float32(0.05)
    assert compared(expected, near).passed
    assert not compared(expected, near, default_tolerance("float32")).passed
    assert default_tolerance("float32", 1, ["fp32", "bf16 (simulated)"]) == default_tolerance("bfloat16")
    assert default_tolerance("int64", 1, ["bf16"]) == Tolerance(0, 0)
    assert default_tolerance("float16", 1, ["fp32"]) == default_tolerance("float16")
    assert scale_of(np.array([0.0, math.nan])) == 1
    assert scale_of(np.array([1e300, -1e300])) == pytest.approx(1e300)


def test_tolerances_are_overridable_for_all_or_one() -> None:
    assert tolerances_of(None, ["a", "b"]) == {"a": None, "b": None}
    assert tolerances_of(0.5, ["a", "b"]) == {"a": Tolerance(0.5, 0), "b": Tolerance(0.5, 0)}
    found = tolerances_of({"a": (1e-3, 1e-2), "*": 1}, ["a", "b"])
    assert found == {"a": Tolerance(1e-3, 1e-2), "b": Tolerance(1, 0)}
    assert tolerances_of({"b": 1}, ["a", "b"])["a"] is None
    with pytest.raises(InputError, match="did you mean 'logits'"):
        tolerances_of({"logit": 1}, ["logits"])
    for wrong in (-1, math.nan, math.inf, "tight", (1, 2, 3), (None, 1)):
        with pytest.raises(InputError, match="tolerance"):
            tolerances_of(wrong, ["a"])
    with pytest.raises(InputError, match="give one such as"):
        default_tolerance("float8")
    assert str(Tolerance(1e-5, 1e-3)) == "1e-05 + 0.001·|expected|"


def test_the_values_of_bfloat16() -> None:
    # IEEE 754: 1.0 is 3F80, -2.0 is C000, and 3.140625 is the nearest bfloat16 to pi.
    bits = np.array([0x3F80, 0xC000, 0x4049, 0x7F80], np.uint16)
    assert bfloat16_values(bits).tolist() == [1.0, -2.0, 3.140625, math.inf]
