"""Names of element types in Paddle's formats, and the part all graph readers share."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workbench.ir.graph import Graph, IrKind, Op, Value

Shape = tuple[int, ...]
TensorType = tuple["str | None", "Shape | None"]

UNKNOWN: TensorType = (None, None)

# How PIR spells element types, in the text dump and (after "t_") in the model file.
PIR_DTYPES: dict[str, str | None] = {
    "b": "bool",
    "bool": "bool",
    "i8": "int8",
    "u8": "uint8",
    "ui8": "uint8",
    "i16": "int16",
    "u16": "uint16",
    "i32": "int32",
    "u32": "uint32",
    "i64": "int64",
    "u64": "uint64",
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "c64": "complex64",
    "c128": "complex128",
    "f8e4m3fn": "float8_e4m3fn",
    "f8e5m2": "float8_e5m2",
    "index": "int64",
    "undefined": None,
}

_TENSOR = re.compile(r"[\w.]*<((?:-?\d+x)*)(\w+)>\Z")
_ARRAY = re.compile(r"[\w.]*tensor_array<")


def parse_pir_type(text: str) -> TensorType:
    """Reads a type as PIR prints it, such as ``cpu_tensor<-1x64xf32>`` or ``vec[tensor<2xf32>]``.

    Args:
        text: one type.

    Returns:
        The element type and the shape, each None where the type does not have one: a ``vec`` has the
        element type its members share and no shape.
    """
    found = _TENSOR.match(text)
    if found:
        dims, dtype = found.groups()
        element = PIR_DTYPES.get(dtype, dtype)
        if _ARRAY.match(text):
            return element, None
        return element, tuple(int(dim) for dim in dims.split("x")[:-1])
    if text.startswith("vec[") and text.endswith("]"):
        members = {parse_pir_type(member)[0] for member in split_top(text[4:-1])}
        return (members.pop() if len(members) == 1 else None), None
    return UNKNOWN


def split_top(text: str) -> list[str]:
    """Splits a comma-separated list at the commas outside every bracket.

    Args:
        text: the list without its own brackets.

    Returns:
        The parts, stripped; an empty list for blank text.
    """
    parts: list[str] = []
    depth = start = 0
    for place, sign in enumerate(text):
        if sign in "<[({":
            depth += 1
        elif sign in ">])}":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    rest = text[start:].strip()
    if rest or parts:
        parts.append(rest)
    return parts


class GraphBuilder:
    """Collects ops and values and makes a Graph of them.

    Attributes:
        ops: the ops so far; the index of the next one is ``len(ops)``.
        types: value id to its element type and shape.
        names: value id to the name people know it by.
        parameters: ids of the weights and constants.
    """

    def __init__(self, ir: IrKind) -> None:
        self.ir: IrKind = ir
        self.ops: list[Op] = []
        self.types: dict[str, TensorType] = {}
        self.names: dict[str, str] = {}
        self.parameters: set[str] = set()

    def mention(self, ids: Iterable[str]) -> None:
        """Makes sure that every one of these values exists."""
        for name in ids:
            self.types.setdefault(name, UNKNOWN)

    def name(self, value: str, name: object) -> None:
        """Names a value, unless it has a name already."""
        if isinstance(name, str) and name:
            self.names.setdefault(value, name)

    def graph(self) -> Graph:
        """The finished graph."""
        values = {
            key: Value(key, dtype, shape, self.names.get(key), key in self.parameters)
            for key, (dtype, shape) in self.types.items()
        }
        return Graph(self.ir, tuple(self.ops), values)
