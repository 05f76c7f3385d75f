"""Inputs to measure with, where none are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.models import Model


def random_inputs(
    model: Model, *, batch: int = 1, length: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Inputs of the model's names, dtypes and shapes.

    Floats are standard normal, whole numbers 0 or 1 (always within a vocabulary, and a valid mask).

    Args:
        model: the model.
        batch: size of every open dimension.
        length: size of those open dimensions that are not the first, such as a sequence's; ``batch`` if None.
        seed: of the values.

    Raises:
        WorkbenchError: if ``batch`` or ``length`` is not a whole number above 0.
    """
    for name, value in (("batch", batch), ("length", length)):
        wrong = isinstance(value, bool) or not isinstance(value, int) or value < 1
        if wrong and not (name == "length" and value is None):
            raise WorkbenchError(f"{name} is {value!r}: give a whole number above 0")
    rng = np.random.default_rng(seed)
    made = {}
    for info in model.inputs:
        shape = tuple(
            size if size != -1 else length if axis and length is not None else batch
            for axis, size in enumerate(info.shape or ())
        )
        if info.dtype == "bfloat16":
            # numpy has none; Paddle takes its bits, the upper half of a float32's, as uint16.
            bits = np.asarray(rng.standard_normal(shape), np.float32).view(np.uint32) >> 16
            made[info.name] = bits.astype(np.uint16)
            continue
        dtype = np.dtype(info.dtype or "float32")
        values = rng.standard_normal(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)
        made[info.name] = np.asarray(values).astype(dtype)
    return made
