"""Results on disk and their comparison, in the files of the ``reprod_log`` package.

A file is what ``numpy.save`` writes for a dict of arrays: a pickle inside an ``.npy``. Reading one with
``allow_pickle=True`` would run whatever somebody put there, so `read` takes numpy's arrays and nothing else.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from workbench.deploy.pickles import ArraysOnly
from workbench.errors import InputError, WorkbenchError

Array = npt.NDArray[Any]

METHODS = ("mean", "max", "min")


class ReprodLogger:
    """Collects arrays by name and writes them to a file, as the class of the same name does."""

    def __init__(self) -> None:
        self.data: dict[str, Array] = {}

    def add(self, key: str, value: Array) -> None:
        """Take an array.

        Raises:
            InputError: if ``value`` is not one.
        """
        if not isinstance(key, str):
            raise InputError(f"{key!r} is no name: give a text")
        if not isinstance(value, np.ndarray):
            raise InputError(
                f"{key!r} is {type(value).__name__}: give a numpy array, such as numpy.array([…])"
            )
        self.data[key] = value

    def remove(self, key: str) -> None:
        """Forget an array; one that is not there is none to forget."""
        self.data.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self.data.clear()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; its folder is made.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                np.save(stream, np.array(self.data, dtype=object), allow_pickle=True)
        except OSError as error:
            raise WorkbenchError(f"cannot write {file}: {error.strerror}; choose another place") from None


@dataclass(frozen=True)
class Difference:
    """The absolute differences of one array; NaN counts as the largest there is.

    Attributes:
        name: the array's, with a slash between the parts of a nested one.
        mean: their mean.
        max: the largest.
        min: the smallest.
    """

    name: str
    mean: float
    max: float
    min: float


class ReprodDiffHelper:
    """Compares two such files, by the names of the ``reprod_log`` package."""

    def __init__(self) -> None:
        self.differences: tuple[Difference, ...] | None = None

    @staticmethod
    def load_info(path: str | os.PathLike[str]) -> dict[str, Any]:
        """The arrays of a file, as `read`."""
        return read(path)

    def compare_info(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
        """Compare them, as `compare`."""
        self.differences = None
        self.differences = compare(first, second)

    def report(
        self,
        diff_method: str | Sequence[str] = "mean",
        diff_threshold: float = 1e-6,
        path: str | os.PathLike[str] | None = "./diff.txt",
    ) -> bool:
        """Print the differences, write them to ``path``, and say whether all are within the threshold.

        Raises:
            WorkbenchError: if nothing was compared; for an unknown method or a threshold that is no number;
                if the file cannot be written.
        """
        if self.differences is None:
            raise WorkbenchError("nothing was compared: call compare_info with two results first")
        lines, passed = describe(self.differences, diff_method, diff_threshold)
        text = "\n".join(lines) + "\n"
        print(text, end="")
        if path is not None:
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text, encoding="utf-8")
            except OSError as error:
                raise WorkbenchError(f"cannot write {path}: {error.strerror}; choose another place") from None
        return passed


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arrays of a file by name; a dict in it is a dict again.

    Raises:
        InputError: if there is no such file, or it holds anything else than arrays.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            return _read(file, stream)
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}; give a file that ReprodLogger.save wrote"
        ) from None


def _read(file: Path, stream: BinaryIO) -> dict[str, Any]:
    advice = "give a file that ReprodLogger.save wrote"
    try:
        version = np.lib.format.read_magic(stream)
        header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = header(stream)
        if dtype != np.dtype(object) or shape != ():
            raise InputError(f"{file} holds a plain array and no names: {advice}")
        found = ArraysOnly(stream).load()
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(f"{file} holds something else than arrays ({error}): {advice}") from None
    except Exception as error:  # whatever a damaged pickle makes numpy stumble over
        raise InputError(f"{file} is damaged ({type(error).__name__}): {advice}") from None
    # numpy pickles the array of one object that holds the dict.
    data = found.item() if isinstance(found, np.ndarray) and found.shape == () else found
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise InputError(f"{file} holds no arrays by name: {advice}")
    return data


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The differences of arrays of the same names and shapes.

    Raises:
        InputError: where a name or a shape is not in both.
    """
    left, right = dict(flat(first)), dict(flat(second))
    for name in [*left, *right]:
        if name not in left or name not in right:
            which = "first" if name in left else "second"
            raise InputError(f"{name!r} is only in the {which} result: save the same names in both")
    return tuple(_difference(name, left[name], right[name]) for name in left)


def flat(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Array]]:
    """The arrays of a result by name, those of a nested dict with a slash between the parts."""
    found: list[tuple[str, Array]] = []
    for name, value in data.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{name}/")
        else:
            found.append((prefix + name, np.asarray(value)))
    return found


def _difference(name: str, first: Array, second: Array) -> Difference:
    if first.shape != second.shape:
        raise InputError(
            f"{name!r} has shape {list(first.shape)} in the first result and {list(second.shape)} in the "
            "second: compare results of the same inputs"
        )
    for array in (first, second):
        if array.dtype.kind not in "biuf":
            raise InputError(f"{name!r} is {array.dtype}, which has no differences: save numbers")
    if not first.size:
        return Difference(name, 0.0, 0.0, 0.0)
    # Unsigned numbers would wrap around.
    first, second = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.abs(first - second)
    # The same NaN or infinity in both is no difference; one that is in one alone is the largest there is.
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    apart = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))
    return Difference(name, float(apart.mean()), float(apart.max()), float(apart.min()))


def describe(
    differences: Sequence[Difference], method: str | Sequence[str] = "mean", threshold: float = 1e-6
) -> tuple[list[str], bool]:
    """The lines of a report, and whether every difference is within the threshold.

    Raises:
        WorkbenchError: for an unknown method, or a threshold that is no number.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not threshold >= 0:
        raise WorkbenchError(f"the threshold is {threshold!r}: give a number from 0")
    methods = METHODS if method == "all" else (method,) if isinstance(method, str) else tuple(method)
    for one in methods:
        if one not in METHODS:
            raise WorkbenchError(f"there is no method {one!r}: choose from {', '.join(METHODS)} and all")
    lines, passed = [], True
    for difference in differences:
        lines.append(f"{difference.name}:")
        for one in methods:
            value = getattr(difference, one)
            passed = passed and value <= threshold
            lines.append(f"\t{one} diff: check passed: {value <= threshold}, value: {value}")
    lines.append(f"diff check {'passed' if passed else 'failed'}")
    return lines, passed
