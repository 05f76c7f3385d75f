"""Reading a pickle for its arrays, without running what else it may hold."""

from __future__ import annotations

import codecs
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np

_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "tuple"): tuple,
    # Old pickles keep bytes as text.
    ("_codecs", "encode"): codecs.encode,
}
# What makes an empty array, by the name of either numpy's major version.
_RECONSTRUCT = {(module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")}


class ArraysOnly(pickle.Unpickler):
    """Makes arrays and plain containers; any other name in a pickle is an ``UnpicklingError``."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle names, if it belongs to an array."""
        if (module, name) in _RECONSTRUCT:
            return np.empty(0).__reduce__()[0]
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return _KNOWN[module, name]
