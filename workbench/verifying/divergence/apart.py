"""How far two tensors are apart by norm, from their elements in any number of parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# Elements that are looked at together, so that what is made of them on the way stays small.
BLOCK = 1 << 15

# By norm, what two ways of computing the same may differ by: orders of summation and fused multiplications
# change the last bits of each element, and a few hundred of those add up. Whole numbers are the same or not.
TOLERANCES = {
    "float64": 1e-9,
    "complex128": 1e-9,
    "float32": 1e-4,
    "complex64": 1e-4,
    "float16": 1e-2,
    "bfloat16": 5e-2,
    "float8_e4m3fn": 0.2,
    "float8_e5m2": 0.3,
}
# The same for floats that a predictor computes in another precision than it holds them.
PRECISIONS = {"fp32": 0.0, "fp16": 1e-2, "bf16": 5e-2, "int8": 0.2}
# A tensor whose elements are below this on the average (by square) is measured against this: what is zero but
# for rounding has no relative error.
SMALL = 1e-6


class Apart:
    """Adds up the difference of two tensors.

    Attributes:
        lost: positions where one of the two is NaN or infinite and the other is not the same.
    """

    def __init__(self, first: str, second: str) -> None:
        self._dtypes = first, second
        self._count = 0
        self._apart = 0.0
        self._norm = 0.0
        self.lost = 0

    def add(self, first: Array, second: Array) -> None:
        """Add elements of both, as many of one as of the other."""
        for start in range(0, len(first), BLOCK):
            a = _floats(first[start : start + BLOCK], self._dtypes[0])
            b = _floats(second[start : start + BLOCK], self._dtypes[1])
            both = np.isfinite(a) & np.isfinite(b)
            if not both.all():
                self.lost += int((~both & ~((a == b) | (np.isnan(a) & np.isnan(b)))).sum())
                a, b = a[both], b[both]
            self._count += len(a)
            self._norm += float(a @ a)
            apart = a - b
            self._apart += float(apart @ apart)

    @property
    def relative(self) -> float:
        """``||a-b|| / ||a||`` over the positions where both are finite."""
        if not self._apart:
            return 0.0
        return math.sqrt(self._apart) / max(math.sqrt(self._norm), SMALL * math.sqrt(self._count))


def _floats(values: Array, dtype: str) -> Floats:
    if dtype == "bfloat16":
        # The upper half of a float32's bits.
        values = (values.astype(np.uint32) << 16).view(np.float32)
    elif dtype == "float8_e4m3fn":
        values = _E4M3[values]
    elif dtype == "float8_e5m2":
        values = (values.astype(np.uint16) << 8).view(np.float16)
    if values.dtype.kind == "c":
        return np.ascontiguousarray(values).astype(np.complex128).view(np.float64)
    return values.astype(np.float64)


def _e4m3() -> Floats:
    """The values of all float8_e4m3fn, after "FP8 Formats for Deep Learning" (arXiv 2209.05433), table 1."""
    bits = np.arange(256)
    exponent, mantissa = (bits >> 3) & 15, bits & 7
    size = np.where(exponent == 0, mantissa / 8 * 2.0**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0))
    size[(bits & 127) == 127] = np.nan
    return np.where(bits < 128, size, -size)


_E4M3 = _e4m3()


def tolerance_for(dtypes: tuple[str, str], precisions: tuple[str, str]) -> float:
    """The relative difference that two outputs may have.

    Args:
        dtypes: their element types; the coarser one counts.
        precisions: in which the two predictors were asked to compute; for floats the coarser one counts.
    """
    coarse = max(TOLERANCES.get(one, 0.0) for one in dtypes)
    return max(coarse, *(PRECISIONS[one] for one in precisions)) if coarse else 0.0
