"""How far one output is from what was expected, as a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.verifying.tolerance import Tolerance


@dataclass(frozen=True)
class Element:
    """One element of an output.

    Attributes:
        index: where it is, in the array of its batch.
        expected: the number there.
        given: the other number.
    """

    index: tuple[int, ...]
    expected: Any
    given: Any

    def facts(self) -> dict[str, Any]:
        """The same as plain values; those that JSON does not have are "nan", "inf" and "-inf"."""
        return {"index": list(self.index), "expected": _plain(self.expected), "given": _plain(self.given)}


@dataclass(frozen=True)
class OutputDifference:
    """How far an output is from what was expected, over all batches.

    Differences are of elements that are finite on both sides.

    Attributes:
        name: the output's name.
        dtype: of what was expected.
        values: number of elements compared; a complex one counts as two.
        max_abs_diff: the largest |given − expected|; None where nothing could be compared, as the next four.
        max_rel_diff: the largest |given − expected| / |expected| where something other than 0 is expected;
            None where 0 alone is expected and something else was given.
        mean_abs_diff: the mean of |given − expected|.
        cosine: of the angle between both, taken as vectors of all elements; 1 for two that are 0 throughout,
            None if only one of them is.
        max_ulps: the largest number of steps from one number of this dtype to the next that lie between two
            elements; None where the dtype is no floating point.
        unmatched: elements that are NaN or infinite on one side and something else on the other.
        exceeding: finite elements beyond the tolerance.
        worst: the element that is largest in relation to its tolerance; None where all finite ones are equal.
        positions: the first unmatched elements.
        top_k: for each k the share of rows, along the last axis, in which both have the same k largest;
            numbers that tie for the last place may stand for each other.
        tolerance: what counted as the same; None where nothing could be compared.
        passed: no element is unmatched or exceeding, and there is no remark.
        remark: why something could not be compared, or nothing.
        batches: how many there were.
        failing: how many of them did not pass.
        worst_batch: the batch with most unmatched elements, else that of ``worst``, counted from 0.
    """

    name: str
    dtype: str
    values: int
    max_abs_diff: float | None
    max_rel_diff: float | None
    mean_abs_diff: float | None
    cosine: float | None
    max_ulps: int | None
    unmatched: int
    exceeding: int
    worst: Element | None
    positions: tuple[Element, ...]
    top_k: Mapping[int, float]
    tolerance: Tolerance | None
    passed: bool
    remark: str = ""
    batches: int = 1
    failing: int = 0
    worst_batch: int | None = None

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "values": self.values,
            "max_abs_diff": self.max_abs_diff,
            "max_rel_diff": self.max_rel_diff,
            "mean_abs_diff": self.mean_abs_diff,
            "cosine": self.cosine,
            "max_ulps": self.max_ulps,
            "unmatched": self.unmatched,
            "exceeding": self.exceeding,
            "worst": None if self.worst is None else self.worst.facts(),
            "positions": [one.facts() for one in self.positions],
            "top_k": {str(k): share for k, share in self.top_k.items()},
            "tolerance": None if self.tolerance is None else self.tolerance.facts(),
            "passed": self.passed,
            "remark": self.remark,
            "batches": self.batches,
            "failing": self.failing,
            "worst_batch": self.worst_batch,
        }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
