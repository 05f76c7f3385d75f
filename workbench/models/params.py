"""The parameter file format, and the only place that knows it.

A combined file (``.pdiparams``, ``params``, ``__params__``) is one tensor stream after another, in the
order of the sorted parameter names, which the file itself does not hold. A separate layout has the same
streams, one per file. A stream is::

    uint32 version (0) | uint64 LoD levels, each: uint64 size, that many bytes
    uint32 tensor version (0) | int32 n | n bytes of TensorDesc (protobuf: 1 data_type, 2 dims) | raw data

Everything is little endian. Both IRs write the same bytes. Files can be gigabytes: checking one seeks
from header to header, and reading one maps it.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from workbench.errors import ModelError
from workbench.models._varint import read_varint, write_varint
from workbench.models.tensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np

# data_type in TensorDesc: (dtype, bytes per element, numpy dtype that holds it). numpy has no bfloat16
# and no 8-bit floats: their bits come as unsigned integers.
_DTYPES: dict[int, tuple[str, int, str]] = {
    0: ("bool", 1, "bool"),
    1: ("int16", 2, "int16"),
    2: ("int32", 4, "int32"),
    3: ("int64", 8, "int64"),
    4: ("float16", 2, "float16"),
    5: ("float32", 4, "float32"),
    6: ("float64", 8, "float64"),
    20: ("uint8", 1, "uint8"),
    21: ("int8", 1, "int8"),
    22: ("bfloat16", 2, "uint16"),
    23: ("complex64", 8, "complex64"),
    24: ("complex128", 16, "complex128"),
    32: ("float8_e4m3fn", 1, "uint8"),
    33: ("float8_e5m2", 1, "uint8"),
}
_CODES = {name: code for code, (name, _, _) in _DTYPES.items()}

# Far above what Paddle writes, low enough that random bytes do not send us reading gigabytes.
_MAX_DESC = 4096
_MAX_LOD_LEVELS = 64

Source = Path | bytes


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor in a parameter file.

    Attributes:
        dtype: a numpy-style name such as ``float32`` or ``bfloat16``.
        shape: the dimensions.
        start: where its stream starts in the file.
        offset: where its raw data starts.
        nbytes: the length of the raw data.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    offset: int
    nbytes: int

    @property
    def end(self) -> int:
        """The first byte after its stream."""
        return self.offset + self.nbytes


class _CutError(Exception):
    """The file ends before the tensor does; holds the size needed to get further."""

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed


class _DamagedError(Exception):
    """The bytes are not a tensor stream; the message says why."""


def check(source: Source, expected: Sequence[TensorInfo], label: str = "") -> list[StoredTensor]:
    """Check a combined parameter file against the parameters of its program, without reading the data.

    Args:
        source: the file, or its content.
        expected: the program's parameters, sorted by name.
        label: what messages call the file; its path by default.

    Returns:
        Where each parameter lies in the file, in the order of ``expected``.

    Raises:
        ModelError: the file is cut short, damaged, too long or of another model.
    """
    label = label or (str(source) if isinstance(source, Path) else "the parameter data")
    with ExitStack() as stack:
        stream, size = _open(stack, source, label)
        return _walk(stream, size, expected, label)


def read(
    source: Source, expected: Sequence[TensorInfo], label: str = ""
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Read a combined parameter file; the arrays are read-only views of the mapped file.

    bfloat16 comes as uint16 and the 8-bit floats as uint8, because numpy does not have them.
    """
    import numpy as np

    stored = check(source, expected, label)
    size = stored[-1].end if stored else 0
    data: Any = source
    if isinstance(source, Path):
        data = np.memmap(source, mode="r", dtype=np.uint8) if size else b""
    found: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    for info, tensor in zip(expected, stored, strict=True):
        numpy_dtype = np.dtype(_DTYPES[_CODES[tensor.dtype]][2])
        if tensor.nbytes:
            flat = np.frombuffer(
                data, dtype=numpy_dtype, count=tensor.nbytes // numpy_dtype.itemsize, offset=tensor.offset
            )
        else:
            flat = np.empty(0, numpy_dtype)
        found[info.name] = flat.reshape(tensor.shape)
    return found


def encode(array: np.ndarray[Any, np.dtype[Any]], dtype: str | None = None) -> bytes:
    """One tensor stream holding ``array``; ``dtype`` names what its bits mean, such as ``bfloat16``."""
    import numpy as np

    name = dtype or str(array.dtype)
    if name not in _CODES:
        raise ModelError(f"a parameter of dtype {name} cannot be stored; known are {', '.join(_CODES)}")
    if array.dtype.itemsize != _DTYPES[_CODES[name]][1]:
        raise ModelError(f"an array of dtype {array.dtype} cannot hold {name}")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return _header(name, array.shape) + np.ascontiguousarray(little).tobytes()


def dump(
    arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]], dtypes: Mapping[str, str] | None = None
) -> bytes:
    """The content of a combined parameter file with these parameters."""
    meaning = dtypes or {}
    return b"".join(encode(arrays[name], meaning.get(name)) for name in sorted(arrays))


def split(source: Source, expected: Sequence[TensorInfo], directory: Path) -> list[Path]:
    """Write one file per parameter, named after it, from a combined file or its content.

    Returns:
        The files, in the order of ``expected``.
    """
    stored = check(source, expected)
    written = []
    with ExitStack() as stack:
        stream, _ = _open(stack, source, str(source) if isinstance(source, Path) else "the parameter data")
        for info, tensor in zip(expected, stored, strict=True):
            target = parameter_path(directory, info.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                _copy(stream, tensor.start, tensor.end, out)
            written.append(target)
    return written


def join(directory: Path, expected: Sequence[TensorInfo], params_file: Path) -> None:
    """Write a combined file from a folder with one file per parameter."""
    check_separate(directory, expected)
    with params_file.open("wb") as out:
        for info in expected:
            with parameter_path(directory, info.name).open("rb") as stream:
                _copy(stream, 0, None, out)


def check_separate(directory: Path, expected: Iterable[TensorInfo]) -> list[StoredTensor]:
    """Check a folder with one file per parameter; returns where each lies in its own file."""
    wanted = list(expected)
    files = [parameter_path(directory, info.name) for info in wanted]
    missing = [info.name for info, file in zip(wanted, files, strict=True) if not file.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(
            f"{directory} lacks the parameter file {missing[0]!r}{more} "
            f"({len(wanted)} are expected, one per parameter): copy the whole folder again"
        )
    return [check(file, [info])[0] for info, file in zip(wanted, files, strict=True)]


def read_separate(
    directory: Path, expected: Iterable[TensorInfo]
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Read a folder with one file per parameter; the arrays are views of the mapped files."""
    return {info.name: read(parameter_path(directory, info.name), [info])[info.name] for info in expected}


def parameter_path(directory: Path, name: str) -> Path:
    """The file of one parameter; refuses a name that would lead out of the folder."""
    parts = PurePosixPath(name)
    if not name or "\0" in name or parts.is_absolute() or ".." in parts.parts:
        raise ModelError(f"the model has a parameter named {name!r}, which cannot be a file in {directory}")
    return directory / parts


def starts_like_params(head: bytes) -> bool:
    """Whether a file that starts with these bytes (64 or more where it has them) can hold parameters."""
    try:
        _read_tensor(io.BytesIO(head), len(head), 0)
    except _CutError:
        # The data goes on after the head: everything up to it was right.
        return len(head) >= 20
    except _DamagedError:
        return False
    return True


def _walk(stream: BinaryIO, size: int, expected: Sequence[TensorInfo], label: str) -> list[StoredTensor]:
    total = len(expected)
    position = 0
    stored: list[StoredTensor] = []
    for index, info in enumerate(expected):
        which = f"parameter {info.name!r} ({index + 1} of {total})"
        if position == size:
            raise ModelError(
                f"{label} ends after {index} of the model's {total} parameters, at {size:,} bytes: "
                f"{which} is missing; it is cut short or of another model, copy or export it again"
                if size
                else f"{label} is empty, but the model has {total} parameters: copy or export it again"
            )
        try:
            tensor = _read_tensor(stream, size, position)
        except _CutError as cut:
            raise ModelError(
                f"{label} is cut short in {which}: it has {size:,} bytes and "
                f"at least {cut.needed:,} are needed; copy or export it again"
            ) from None
        except _DamagedError as damaged:
            raise ModelError(
                f"{label} does not hold this model's parameters: at byte {position:,}, where {which} "
                f"should start, {damaged}"
            ) from None
        if not _fits(tensor, info):
            raise ModelError(
                f"{label} belongs to another model: {which} should be {info}, "
                f"but the file has {tensor.dtype} {list(tensor.shape)}; pass the file exported with the model"
            )
        stored.append(tensor)
        position = tensor.end
    if position != size:
        raise ModelError(
            f"{label} has {size - position:,} bytes more than the model's {total} parameters need "
            f"({position:,}): it belongs to another model; pass the file exported with the model"
        )
    return stored


def _fits(tensor: StoredTensor, info: TensorInfo) -> bool:
    if not info.dtype:
        return True  # the program does not say
    if info.dtype != tensor.dtype:
        return False
    return len(info.shape) == len(tensor.shape) and all(
        want in (-1, have) for want, have in zip(info.shape, tensor.shape, strict=True)
    )


def _read_tensor(stream: BinaryIO, size: int, start: int) -> StoredTensor:
    version, levels = struct.unpack("<IQ", _take(stream, size, start, 12))
    if version:
        raise _DamagedError(f"there is version {version} instead of 0")
    if levels > _MAX_LOD_LEVELS:
        raise _DamagedError(f"there are {levels} LoD levels")
    position = start + 12
    for _ in range(levels):
        (length,) = struct.unpack("<Q", _take(stream, size, position, 8))
        position += 8 + length
    version, length = struct.unpack("<Ii", _take(stream, size, position, 8))
    if version:
        raise _DamagedError(f"there is tensor version {version} instead of 0")
    if not 0 < length <= _MAX_DESC:
        raise _DamagedError(f"there is a tensor description of {length} bytes")
    code, shape = _parse_desc(_take(stream, size, position + 8, length))
    if code not in _DTYPES:
        raise _DamagedError(f"there is the unknown data type {code}")
    name, itemsize, _ = _DTYPES[code]
    offset = position + 8 + length
    nbytes = itemsize
    for dimension in shape:
        if dimension < 0:
            raise _DamagedError(f"there is a tensor of shape {list(shape)}")
        nbytes *= dimension
    if offset + nbytes > size:
        raise _CutError(offset + nbytes)
    return StoredTensor(name, shape, start, offset, nbytes)


def _take(stream: BinaryIO, size: int, position: int, count: int) -> bytes:
    if position + count > size:
        raise _CutError(position + count)
    stream.seek(position)
    data = stream.read(count)
    if len(data) != count:
        raise _CutError(position + count)
    return data


def _parse_desc(desc: bytes) -> tuple[int, tuple[int, ...]]:
    code = -1
    shape: list[int] = []
    position = 0
    while position < len(desc):
        tag, position = _number(desc, position)
        if tag == 0x08:
            code, position = _number(desc, position)
        elif tag == 0x10:
            dimension, position = _number(desc, position)
            shape.append(_signed(dimension))
        elif tag == 0x12:
            # The packed form of dims: Paddle does not write it, another protobuf writer may.
            length, position = _number(desc, position)
            end = position + length
            if end > len(desc):
                raise _DamagedError("the tensor description is damaged")
            while position < end:
                dimension, position = _number(desc, position)
                shape.append(_signed(dimension))
        else:
            raise _DamagedError("the tensor description is damaged")
    return code, tuple(shape)


def _number(desc: bytes, position: int) -> tuple[int, int]:
    value, position = read_varint(desc, position)
    if value is None:
        raise _DamagedError("the tensor description is damaged")
    return value, position


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _header(dtype: str, shape: Sequence[int]) -> bytes:
    desc = b"\x08" + write_varint(_CODES[dtype])
    for dimension in shape:
        desc += b"\x10" + write_varint(dimension)
    return struct.pack("<IQIi", 0, 0, 0, len(desc)) + desc


def _open(stack: ExitStack, source: Source, label: str) -> tuple[BinaryIO, int]:
    if isinstance(source, bytes):
        return io.BytesIO(source), len(source)
    try:
        stream = stack.enter_context(source.open("rb"))
    except OSError as error:
        raise ModelError(
            f"{label} cannot be read ({error.strerror}): check the path and its permissions"
        ) from None
    return stream, os.fstat(stream.fileno()).st_size


def _copy(stream: BinaryIO, start: int, end: int | None, out: BinaryIO) -> None:
    stream.seek(start)
    left = end - start if end is not None else -1
    while left:
        block = stream.read(1 << 20 if left < 0 else min(left, 1 << 20))
        if not block:
            break
        out.write(block)
        if left > 0:
            left -= len(block)
