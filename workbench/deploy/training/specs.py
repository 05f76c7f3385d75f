"""What goes into a layer: ``("image", "float32", [None, 3])``, the same as text, or an ``InputSpec``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from workbench.errors import InputError
from workbench.models import TensorInfo

_DTYPES = (
    *("bool", "int8", "uint8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"),
    *("complex64", "complex128", "float8_e4m3fn", "float8_e5m2"),
)
_OPEN = ("none", "-1", "?", "batch", "any")
# Paddle keeps sizes in 32 bits in places, and ends its process above that.
_LARGEST = (1 << 31) - 1
_EXAMPLE = "image:float32:None,3,224,224"


def input_infos(inputs: Sequence[Any], forward: Any = None) -> tuple[TensorInfo, ...]:
    """The inputs of a layer, in the order of its ``forward``, with -1 for every open size.

    Args:
        inputs: one per input: a name, dtype and shape; the text ``NAME:DTYPE:SHAPE``; or an ``InputSpec``. An
            open size is None, -1, ``?``, ``batch`` or ``any``.
        forward: the function they go to, which names an ``InputSpec`` that has no name.

    Raises:
        InputError: for a text or a value that says none, or a name given twice.
    """
    if isinstance(inputs, str) or not isinstance(inputs, Sequence):
        raise InputError(
            f"inputs are {inputs!r}: give a list with one entry per input, such as [{_EXAMPLE!r}]"
        )
    if not inputs:
        raise InputError(f"no inputs are given: give one per input of the layer, such as {_EXAMPLE}")
    infos = tuple(_info(given, index, forward) for index, given in enumerate(inputs))
    names = [info.name for info in infos]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the input {name!r} is given twice: give every input a name of its own")
    return infos


def check_count(forward: Any, infos: Sequence[TensorInfo], label: str) -> None:
    """Refuse more or fewer inputs than a layer's ``forward`` takes.

    Raises:
        InputError: which says how many it takes.
    """
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        return
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    least = sum(one.default is one.empty for one in positional)
    most = len(infos) if any(one.kind is one.VAR_POSITIONAL for one in parameters) else len(positional)
    if not least <= len(infos) <= most:
        names = ", ".join(one.name for one in positional)
        takes = str(least) if least == most else f"{least} to {most}"
        raise InputError(
            f"{label} takes {takes} ({names}) and {len(infos)} inputs are given: give one for each, in order"
        )


def _info(given: Any, index: int, forward: Any) -> TensorInfo:
    if isinstance(given, TensorInfo):
        return TensorInfo(_name(given.name, given), _dtype(given.dtype, given), _shape(given.shape, given))
    if isinstance(given, str):
        name, dtype, shape = (part.strip() for part in _three(given))
        sizes = shape.strip("[]()").replace("×", ",").replace("x", ",").split(",")
        return TensorInfo(
            _name(name, given),
            _dtype(dtype, given),
            _shape([size.strip() for size in sizes if size.strip()], given),
        )
    if isinstance(given, (tuple, list)) and len(given) == 3:
        return TensorInfo(_name(given[0], given), _dtype(str(given[1]), given), _shape(given[2], given))
    if hasattr(given, "shape") and hasattr(given, "dtype"):
        name = getattr(given, "name", None) or _parameter(forward, index)
        return TensorInfo(_name(name, given), _dtype(str(given.dtype), given), _shape(given.shape, given))
    raise InputError(f"{given!r} says no input: give its name, dtype and shape, such as {_EXAMPLE}")


def _three(text: str) -> list[str]:
    parts = text.rsplit(":", 2)
    if len(parts) != 3:
        raise InputError(f"{text!r} is not NAME:DTYPE:SHAPE: write for example {_EXAMPLE}")
    return parts


def _parameter(forward: Any, index: int) -> str:
    try:
        names = list(inspect.signature(forward).parameters)
    except (TypeError, ValueError):
        names = []
    return names[index] if index < len(names) else f"input_{index}"


def _name(name: Any, given: object) -> str:
    if not isinstance(name, str) or not name or any(letter.isspace() for letter in name):
        raise InputError(f"{_shown(given)} has no name: give one without spaces, such as {_EXAMPLE}")
    return name


def _dtype(text: str, given: object) -> str:
    dtype = text.rpartition(".")[2].lower()
    if dtype not in _DTYPES:
        raise InputError(f"{_shown(given)} has the dtype {text!r}: give one of {', '.join(_DTYPES)}")
    return dtype


def _shape(sizes: Any, given: object) -> tuple[int, ...]:
    if isinstance(sizes, str) or not isinstance(sizes, Sequence):
        raise InputError(f"{_shown(given)} has no shape: give its sizes, such as {_EXAMPLE}")
    return tuple(_size(size, given) for size in sizes)


def _size(size: Any, given: object) -> int:
    if size is None or str(size).lower() in _OPEN:
        return -1
    try:
        number = -1 if isinstance(size, bool) else int(size)
    except (TypeError, ValueError):
        number = -1
    if not 1 <= number <= _LARGEST:
        raise InputError(
            f"{_shown(given)} has the size {size!r}: give a whole number from 1 to {_LARGEST:,}, or None for "
            "an open size"
        )
    return number


def _shown(given: object) -> str:
    return repr(given) if isinstance(given, str) else f"the input {given}"
