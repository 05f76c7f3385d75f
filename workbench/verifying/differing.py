"""Adds up how far one output is from what was expected, over chunks and batches that are not kept."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import InputError
from workbench.verifying.difference import Element, OutputDifference
from workbench.verifying.tolerance import BLOCK, Tolerance, default_tolerance, scale_of

Array = npt.NDArray[Any]

# Unmatched positions that are told of.
POSITIONS = 8
# In place of a limit of 0, by which no difference can be divided.
_NEXT_TO_NOTHING = 1e-280
_LARGEST = sys.float_info.max


class Differing:
    """Compares an output with what is expected, piece by piece.

    Args:
        name: the output's name.
        tolerance: what counts as the same; if None, that of the dtype for the root mean square of what is
            expected in the first batch. Who adds an output in parts gives one, or the first part decides.
        top_k: for these k, count the rows in which both have the same k largest.
        dtype: "bfloat16" where arrays of uint16 hold the bits of bfloat16, for which numpy has no dtype.
        precisions: of the configs that give it, for the tolerance; see `default_tolerance`.
    """

    def __init__(
        self,
        name: str,
        tolerance: Tolerance | None = None,
        top_k: Iterable[int] = (),
        *,
        dtype: str | None = None,
        precisions: Iterable[str] = (),
    ) -> None:
        self.name = name
        self._bits = dtype == "bfloat16"
        self._tolerance = tolerance
        self._precisions = tuple(precisions)
        self._top = dict.fromkeys(top_k, 0)
        self._rows = 0
        self._dtype = ""
        self._remark = ""
        self._batches = self._failing = 0
        self._values = self._finite = self._unmatched = self._exceeding = 0
        self._largest = self._sum = 0.0
        self._relative: float | None = None
        self._differs = False
        self._ulps: int | None = None
        self._angle = _Angle()
        self._worst: tuple[float, int, Element] | None = None
        self._worst_unmatched = (0, 0)
        self._positions: list[Element] = []

    def add(self, expected: Any, given: Any) -> None:
        """Compare one more batch, or a part of one.

        Arrays of another dtype or shape than expected are not compared, which is a remark and a failure; a
        scalar is the same as an array of one number.
        """
        expected, given = _native(expected), _native(given)
        batch, self._batches = self._batches, self._batches + 1
        said, other = self._dtype_of(expected), self._dtype_of(given)
        self._dtype = self._dtype or said
        remark = ""
        if said != other or (expected.shape or (1,)) != (given.shape or (1,)):
            remark = f"{_words(other, given)} where {_words(said, expected)} is expected"
        elif said != self._dtype:
            remark = f"{said} is expected, and {self._dtype} was before"
        else:
            try:
                default_tolerance(said)  # refuses what cannot be compared, whatever the tolerance
                self._tolerance = self._tolerance or self._by_dtype(expected)
            except InputError as error:
                remark = str(error)
        if remark:
            self._remark = self._remark or (f"batch {batch}: {remark}" if batch else remark)
            self._failing += 1
            return
        before = self._unmatched, self._exceeding
        if expected.dtype.kind == "c":
            # The two parts of a number become a last axis of two.
            expected, given = (
                one.reshape(-1).view(f"f{one.itemsize // 2}").reshape((*one.shape, 2))
                for one in (expected, given)
            )
        elif self._top and expected.ndim:
            self._count_top(expected, given)
        flat = expected.reshape(-1), given.reshape(-1)
        for at in range(0, expected.size, BLOCK):
            self._block(flat[0][at : at + BLOCK], flat[1][at : at + BLOCK], at, expected.shape, batch)
        unmatched = self._unmatched - before[0]
        self._worst_unmatched = max(self._worst_unmatched, (unmatched, -batch))
        self._failing += before != (self._unmatched, self._exceeding)

    def result(self) -> OutputDifference:
        """What was found so far."""
        compared = self._batches > 0 and (not self._remark or self._values > 0)
        remark = self._remark or ("" if self._batches else "nothing was compared")
        worst_batch = None if self._worst is None else self._worst[1]
        if self._worst_unmatched[0]:
            worst_batch = -self._worst_unmatched[1]
        relative = self._relative if self._relative is not None else None if self._differs else 0.0
        return OutputDifference(
            self.name,
            self._dtype,
            self._values,
            self._largest if compared else None,
            relative if compared else None,
            (min(self._sum, _LARGEST) / self._finite if self._finite else 0.0) if compared else None,
            self._angle.cosine() if compared else None,
            self._ulps,
            self._unmatched,
            self._exceeding,
            None if self._worst is None else self._worst[2],
            tuple(self._positions),
            {k: agree / self._rows for k, agree in self._top.items() if self._rows},
            self._tolerance if compared else None,
            not remark and not self._unmatched and not self._exceeding,
            remark,
            self._batches,
            self._failing,
            worst_batch,
        )

    def _dtype_of(self, array: Array) -> str:
        return "bfloat16" if self._bits and array.dtype == np.uint16 else array.dtype.name

    def _by_dtype(self, expected: Array) -> Tolerance:
        if self._dtype != "bfloat16" and expected.dtype.kind not in "fc":
            return default_tolerance(self._dtype)
        parts = expected.view(f"f{expected.itemsize // 2}") if expected.dtype.kind == "c" else expected
        values = bfloat16_values(parts) if self._dtype == "bfloat16" else parts
        return default_tolerance(self._dtype, scale_of(values), self._precisions)

    def _block(self, expected: Array, given: Array, at: int, shape: tuple[int, ...], batch: int) -> None:
        assert self._tolerance is not None
        floats = self._dtype == "bfloat16" or expected.dtype.kind == "f"
        first, second = self._numbers(expected), self._numbers(given)
        self._values += expected.size
        places: Array | None = None
        if floats:
            finite = np.isfinite(first) & np.isfinite(second)
            if not finite.all():
                alike = (first == second) | (np.isnan(first) & np.isnan(second))
                unmatched = np.flatnonzero(~finite & ~alike)
                self._unmatched += len(unmatched)
                for place in unmatched[: POSITIONS - len(self._positions)]:
                    self._positions.append(self._element(expected, given, int(place), at, shape))
                places = np.flatnonzero(finite)
                first, second = first[places], second[places]
        self._finite += first.size
        if not first.size:
            return
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if floats:
                apart = np.minimum(np.abs(first - second), _LARGEST)
                steps = _apart(*(_steps(one if places is None else one[places]) for one in (expected, given)))
                self._ulps = max(self._ulps or 0, int(steps.max()))
            else:
                apart = _apart(_whole(expected), _whole(given)).astype(np.float64)
            size = np.abs(first)
            limit = self._tolerance.atol + self._tolerance.rtol * size
            rank = apart / np.maximum(limit, _NEXT_TO_NOTHING)
            self._largest = max(self._largest, float(apart.max()))
            self._sum += float(apart.sum())
            self._differs = self._differs or bool(apart.any())
            if size.any():
                relative = np.minimum((apart / size)[size > 0], _LARGEST).max()
                self._relative = max(self._relative or 0.0, float(relative))
        self._exceeding += int(np.count_nonzero(apart > limit))
        self._angle.add(first, second)
        place = int(rank.argmax())
        if rank[place] > (0.0 if self._worst is None else self._worst[0]):
            here = place if places is None else int(places[place])
            element = self._element(expected, given, here, at, shape)
            self._worst = (float(rank[place]), batch, element)

    def _numbers(self, array: Array) -> Array:
        if self._dtype == "bfloat16":
            return bfloat16_values(array).astype(np.float64)
        return array.astype(np.float64)

    def _element(self, expected: Array, given: Array, place: int, at: int, shape: tuple[int, ...]) -> Element:
        pair = [one[place : place + 1] for one in (expected, given)]
        if self._dtype == "bfloat16":
            pair = [bfloat16_values(one) for one in pair]
        index = tuple(int(axis) for axis in np.unravel_index(at + place, shape)) if shape else ()
        return Element(index, pair[0].item(), pair[1].item())

    def _count_top(self, expected: Array, given: Array) -> None:
        width = expected.shape[-1]
        rows = expected.size // width if width else 0
        self._rows += rows
        step = max(1, BLOCK // max(width, 1))
        first, second = (
            expected.reshape(-1, width) if rows else expected,
            given.reshape(-1, width) if rows else given,
        )
        for at in range(0, rows, step):
            part = slice(at, at + step)
            ranked = self._ranked(first[part]), self._ranked(second[part])
            for k in self._top:
                self._top[k] += int(np.count_nonzero(_same_top(*ranked, min(k, width))))

    def _ranked(self, rows: Array) -> Array:
        values = bfloat16_values(rows) if self._dtype == "bfloat16" else rows
        # Nothing is larger than a NaN or smaller; as the smallest it is the least likely answer.
        return np.where(np.isnan(values), -np.inf, values) if values.dtype.kind == "f" else values


@dataclass
class _Angle:
    """The cosine between two long vectors: sums of products, scaled so that none overflows or vanishes."""

    dot: float = 0.0
    squares: list[float] = field(default_factory=lambda: [0.0, 0.0])
    # Each side is counted in units of two to the power of this, at first smaller than any number.
    exponents: list[int] = field(default_factory=lambda: [-1100, -1100])

    def add(self, first: Array, second: Array) -> None:
        sides = [first, second]
        for side, values in enumerate(sides):
            exponent = math.frexp(float(np.abs(values).max(initial=0.0)))[1] if values.any() else -1100
            down = min(self.exponents[side] - exponent, 0)
            self.exponents[side] -= down
            self.squares[side] = math.ldexp(self.squares[side], 2 * down)
            self.dot = math.ldexp(self.dot, down)
            sides[side] = np.ldexp(values, -self.exponents[side])
            self.squares[side] += float(np.square(sides[side]).sum())
        # Not by BLAS: numpy sums up pairwise, which is more precise, and in this thread, so that a busy
        # machine does not let it wait for other threads.
        self.dot += float((sides[0] * sides[1]).sum())

    def cosine(self) -> float | None:
        if not all(self.squares):
            return None if any(self.squares) else 1.0
        return max(-1.0, min(1.0, self.dot / math.sqrt(self.squares[0] * self.squares[1])))


def bfloat16_values(bits: Array) -> npt.NDArray[np.float32]:
    """The numbers that the bits of bfloat16, as uint16, stand for: they are the upper half of a float32's."""
    return (bits.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _native(data: Any) -> Array:
    array = np.asarray(data)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.ascontiguousarray(array).reshape(array.shape)


def _words(dtype: str, array: Array) -> str:
    return f"{dtype} {list(array.shape)}"


def _whole(array: Array) -> Array:
    return array.astype(np.uint64 if array.dtype.kind in "ub" else np.int64)


def _apart(first: Array, second: Array) -> npt.NDArray[np.uint64]:
    """|first − second| of whole numbers of 64 bits, which the unsigned type always holds."""
    apart: npt.NDArray[np.uint64] = np.where(first > second, first - second, second - first).view(np.uint64)
    return apart


def _steps(array: Array) -> npt.NDArray[np.int64]:
    """For each floating-point number how many there are from 0 to it, with its sign."""
    width = array.itemsize
    bits = array.view(f"i{width}").astype(np.int64)
    magnitude = bits & ((1 << (8 * width - 1)) - 1)
    return np.where(bits < 0, -magnitude, magnitude)


def _same_top(first: Array, second: Array, k: int) -> npt.NDArray[np.bool_]:
    """For each row whether both can have the same k largest, as numbers that tie may be taken either way."""
    surely, maybe = np.zeros(first.shape, bool), np.ones(first.shape, bool)
    for rows in (first, second):
        width = rows.shape[1]
        last = np.partition(rows, width - k, axis=1)[:, width - k, None]
        surely |= rows > last
        maybe &= rows >= last
    same: npt.NDArray[np.bool_] = (
        ~(surely & ~maybe).any(axis=1) & (surely.sum(axis=1) <= k) & (maybe.sum(axis=1) >= k)
    )
    return same
