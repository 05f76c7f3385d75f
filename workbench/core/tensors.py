"""Tensors between the session and its worker: checked against the model, through shared memory when large."""

from __future__ import annotations

import difflib
import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.core.worker import wire
from workbench.errors import InputError
from workbench.models import TensorInfo

Array = npt.NDArray[Any]


def check_inputs(given: Mapping[str, Any], wanted: Sequence[TensorInfo]) -> dict[str, Array]:
    """The arrays to send, in the model's order.

    Arrays must have the input's dtype exactly; lists and plain numbers take it.

    Raises:
        InputError: for an unknown or missing name, a wrong dtype or a wrong shape.
    """
    names = [info.name for info in wanted]
    if not isinstance(given, Mapping):
        raise InputError(
            f"inputs are {type(given).__name__}; give a dict of name to array, with {', '.join(names)}"
        )
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the model's inputs are {', '.join(names)}"
            raise InputError(f"unknown input {name!r}: {hint}")
    missing = [name for name in names if name not in given]
    if missing:
        raise InputError(f"input {missing[0]!r} is missing: give an array for each of {', '.join(names)}")
    return {info.name: _check(given[info.name], info) for info in wanted}


def _check(data: Any, info: TensorInfo) -> Array:
    want = _numpy_dtype(info.dtype) if info.dtype else None
    if isinstance(data, np.ndarray):
        array = data
    else:
        try:
            array = np.asarray(data, dtype=want)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"input {info.name!r} cannot be made an array of {info.dtype}: {error}"
            ) from None
    if want is not None and array.dtype != want:
        raise InputError(
            f"input {info.name!r} is {array.dtype}, the model wants {info.dtype}: "
            f"convert it with array.astype({str(want)!r})"
        )
    if array.dtype.kind not in "fiub":
        raise InputError(f"input {info.name!r} is {array.dtype}, which no tensor can hold: give numbers")
    if want is not None:  # a model that says no dtype says no shape either
        fits = len(array.shape) == len(info.shape) and all(
            want_size in (-1, size) for size, want_size in zip(array.shape, info.shape, strict=True)
        )
        if not fits:
            expected = (
                "×".join("any" if size == -1 else str(size) for size in info.shape) or "a single number"
            )
            found = "×".join(map(str, array.shape)) or "a single number"
            raise InputError(f"input {info.name!r} has shape {found}, the model wants {expected}: reshape it")
    try:
        whole: Array = np.ascontiguousarray(array).reshape(array.shape)
    except MemoryError:
        raise InputError(
            f"no memory for input {info.name!r} of {array.nbytes / 1e6:,.0f} MB: give less"
        ) from None
    return whole


def _numpy_dtype(name: str) -> np.dtype[Any]:
    # numpy has no bfloat16; Paddle takes its bits as uint16.
    return np.dtype("uint16" if name == "bfloat16" else name)


class InputArena:
    """One shared block that the inputs of a call are written to; it grows and is used again."""

    def __init__(self) -> None:
        self._segment: wire.Segment | None = None

    def pack(self, arrays: Mapping[str, Array]) -> tuple[dict[str, Any], list[Array], list[int]]:
        """The message, the inline parts and the descriptors that carry these arrays."""
        tensors = [wire.describe(name, data) for name, data in arrays.items()]
        size = wire.layout(tensors)
        fds: list[int] = []
        if size and (self._segment is None or self._segment.size < size):
            self.close()
            try:
                self._segment = wire.Segment.create(size)
            except OSError as error:
                raise InputError(
                    f"no memory for inputs of {size / 1e6:,.0f} MB ({error.strerror}): give a smaller batch"
                ) from None
            fds = [self._segment.fd]
        for tensor in tensors:
            if tensor["offset"] is not None and self._segment is not None:
                wire.fill(arrays[tensor["name"]], self._segment, tensor)
        inline = [arrays[tensor["name"]] for tensor in tensors if tensor["offset"] is None]
        arena = self._segment.size if self._segment is not None else 0
        return {"tensors": tensors, "arena": arena}, inline, fds

    def close(self) -> None:
        """Give the memory back."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None


class OutputSegments:
    """Blocks the worker wrote outputs to, which arrays look into without a copy.

    A block is written to again only after the last array that looks into it is gone.
    """

    KEEP = 4

    def __init__(self) -> None:
        self._segments: dict[int, wire.Segment] = {}
        self._lent: dict[int, int] = {}
        # Arrays die in any thread, so they only append here; `returned` does the counting.
        self._dead: list[int] = []

    def returned(self) -> dict[str, list[int]]:
        """What the next request tells the worker: blocks to write to again, and blocks to give up."""
        if not self._dead:
            return {}
        dead = [self._dead.pop() for _ in range(len(self._dead))]
        for number in dead:
            self._lent[number] -= 1
        free = [number for number in dict.fromkeys(dead) if self._lent[number] == 0]
        drop: list[int] = []
        while free and len(self._segments) > self.KEEP:
            drop.append(free.pop(0))
            self._segments.pop(drop[-1]).close()
        return {"free": free, "drop": drop}

    def unpack(self, reply: Mapping[str, Any], raw: bytes, fds: Sequence[int]) -> dict[str, Array]:
        """The output arrays of a reply, by name, in the model's order."""
        info = reply.get("segment")
        buffer: Any = None
        if info is not None:
            if info["new"]:
                self._segments[info["id"]] = wire.Segment(os.dup(fds[0]), info["size"])
                os.close(fds[0])
            buffer = self._segments[info["id"]].map
        arrays = wire.unpack(reply["tensors"], raw, buffer, copy_inline=True)
        if info is not None:
            shared = [tensor["name"] for tensor in reply["tensors"] if tensor["offset"] is not None]
            self._lent[info["id"]] = len(shared)
            for name in shared:
                # The base is what every view and slice of the array keeps alive.
                base = arrays[name] if arrays[name].base is None else arrays[name].base
                owner = base if isinstance(base, np.ndarray) else arrays[name]
                weakref.finalize(owner, self._dead.append, info["id"]).atexit = False
        return arrays

    def close(self) -> None:
        """Give up all blocks; arrays that look into one keep it."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
