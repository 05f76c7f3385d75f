"""Outputs beside a reference, until `workbench.verifying.difference` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Outputs = Mapping[str, npt.NDArray[Any]]

# Absolute, and relative to the reference, by bytes of a float. Reordered arithmetic stays well within it.
_TOLERANCES = {2: (1e-2, 1e-2), 4: (1e-4, 1e-3), 8: (1e-9, 1e-7)}


def difference(expected: Outputs, given: Outputs, tolerance: float | None) -> str | None:
    """How outputs differ beyond a tolerance, in words; None if they do not.

    A value may be off by the tolerance plus the tolerance times the expected magnitude. Whole numbers and
    booleans must be equal unless a tolerance is given; NaN is equal to NaN, and infinity to the same.

    Args:
        expected: the reference.
        given: what is judged; outputs are taken by name, or by place if their names differ.
        tolerance: of every output; by default 1e-4 and 1e-3 of the magnitude for float32, 1e-2 for float16,
            1e-9 and 1e-7 for float64.
    """
    if len(given) != len(expected):
        return f"{len(given)} outputs, not {len(expected)}"
    others = [given[name] for name in expected] if given.keys() == expected.keys() else list(given.values())
    for (name, reference), other in zip(expected.items(), others, strict=True):
        words = _differs(reference, other, tolerance)
        if words is not None:
            return f"output {name}: {words}"
    return None


def _differs(reference: npt.NDArray[Any], other: npt.NDArray[Any], tolerance: float | None) -> str | None:
    if other.shape != reference.shape:
        return f"its shape is {list(other.shape)}, not {list(reference.shape)}"
    floats = reference.dtype.kind == "f"
    default = _TOLERANCES.get(reference.dtype.itemsize, (0.0, 0.0)) if floats else (0.0, 0.0)
    absolute, relative = default if tolerance is None else (tolerance, tolerance)
    a, b = reference.astype(np.float64), other.astype(np.float64)
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    numbers = np.isfinite(a) & np.isfinite(b)
    lost = int((~equal & ~numbers).sum())
    if lost:
        return f"{lost} of {a.size} values are NaN or infinite on one side only"
    apart = np.zeros_like(a)
    np.subtract(a, b, out=apart, where=~equal)
    np.abs(apart, out=apart)
    beyond = np.zeros(a.shape, bool)
    beyond[~equal] = apart[~equal] > absolute + relative * np.abs(a[~equal])
    if not beyond.any():
        return None
    return f"{int(beyond.sum())} of {a.size} values differ by more than allowed, at most by {apart.max():.3g}"
