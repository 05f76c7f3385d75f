"""What the engines are run on: random batches, those of files, or those of a data loader, one at a time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bench.inputs import random_inputs
from workbench.core.tensors import Array
from workbench.errors import InputError
from workbench.models import Model

Batch = Mapping[str, Any]


class Batches:
    """The batches to run on; iterating makes or reads one when it is asked for, and holds none.

    Args:
        model: whose inputs they are.
        inputs: None for random ones; a mapping of name to array, which is one batch; the path of an .npz with
            an array for every input, of an .npy for a model of one input, or of a folder of those, a batch
            each, in the order of their names; or any iterable of mappings, such as a data loader.
        count: at most so many; if None, one where they are random, else all there are.
        seed: of the random ones. Each batch has other numbers; the first has those of `random_inputs`.

    Raises:
        InputError: for a count that is no number above 0, or inputs that are nothing of the above.
    """

    def __init__(self, model: Model, inputs: Any = None, count: int | None = None, seed: int = 0) -> None:
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise InputError(f"batches is {count!r}: give a whole number above 0")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError(f"seed is {seed!r}: give a whole number from 0")
        self._model = model
        self._count = count
        self._seed = seed
        self._inputs = inputs
        self._files: list[Path] | None = None
        known: int | None = None
        if inputs is None:
            known = self._count = 1 if count is None else count
        elif isinstance(inputs, Mapping):
            known = 1
        elif isinstance(inputs, (str, os.PathLike)):
            self._files = array_files(Path(inputs))
            known = len(self._files)
        elif not isinstance(inputs, Iterable) or isinstance(inputs, (np.ndarray, bytes)):
            raise InputError(
                f"inputs are {type(inputs).__name__}: give a dict of name to array, a file or folder of "
                "arrays, or an iterable of such dicts"
            )
        elif isinstance(inputs, Sized):
            known = len(inputs)
        self.count = known if count is None or known is None else min(count, known)
        """How many there will be, where that is known before the end."""

    def __iter__(self) -> Iterator[Batch]:
        batches = self._all()
        # Counted here: asking for one more would read or make a batch that is not wanted.
        number = 0
        while self._count is None or number < self._count:
            batch = next(batches, None)
            if batch is None:
                return
            if not isinstance(batch, Mapping):
                raise InputError(
                    f"batch {number} is {type(batch).__name__}: give a dict of input name to array for each"
                )
            yield batch
            del batch
            number += 1

    def _all(self) -> Iterator[Any]:
        if self._inputs is None:
            return (random_inputs(self._model, seed=self._seed_of(n)) for n in range(self._count or 1))
        if self._files is not None:
            return (self._read(file) for file in self._files)
        return iter([self._inputs] if isinstance(self._inputs, Mapping) else self._inputs)

    def _seed_of(self, number: int) -> int:
        # Not seed + number: then two runs with seeds beside each other would share most of their batches.
        if number == 0:
            return self._seed
        return int(np.random.SeedSequence((self._seed, number)).generate_state(1, np.uint64)[0])

    def _read(self, file: Path) -> dict[str, Array]:
        arrays = read_arrays(file)
        wanted = self._model.inputs
        # An .npy holds no name.
        return {wanted[0].name: arrays[file.stem]} if file.suffix == ".npy" and len(wanted) == 1 else arrays


def array_files(path: Path) -> list[Path]:
    """The files of arrays that a path means: itself, or the .npz of a folder (its .npy if there are none).

    Raises:
        InputError: if there are none.
    """
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path} does not exist: give an .npz or .npy file, or a folder of them")
        return [path]
    found = sorted(path.glob("*.npz")) or sorted(path.glob("*.npy"))
    if not found:
        raise InputError(f"{path} holds no .npz and no .npy: write one file per batch with numpy.savez")
    return found


def read_arrays(file: Path) -> dict[str, Array]:
    """The arrays of an .npz by name, or that of an .npy by the name of the file.

    Raises:
        InputError: if it cannot be read or holds no arrays of numbers.
    """
    try:
        data = np.load(file, allow_pickle=False)
        if isinstance(data, np.ndarray):
            return {file.stem: data}
        with data:
            return {name: data[name] for name in data.files}
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror or error}; give an .npz or .npy file"
        ) from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise InputError(
            f"{file} is no .npz or .npy file of numbers: write it with numpy.savez or numpy.save"
        ) from None
