"""Reads Program IR: the ``ProgramDesc`` protobuf in ``*.pdmodel`` and ``__model__`` files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workbench.errors import ModelError
from workbench.ir.graph import Graph, Op
from workbench.ir.types import UNKNOWN, GraphBuilder, Shape, TensorType

Variable = tuple[str, "str | None", "Shape | None"]

_DTYPES = {
    0: "bool",
    1: "int16",
    2: "int32",
    3: "int64",
    4: "float16",
    5: "float32",
    6: "float64",
    19: "uint64",
    20: "uint8",
    21: "int8",
    22: "bfloat16",
    23: "complex64",
    24: "complex128",
    32: "float8_e4m3fn",
    33: "float8_e5m2",
    36: "uint16",
    37: "uint32",
    38: "uint64",
}
_DENSE_TENSOR, _SELECTED_ROWS, _TENSOR_ARRAY, _SPARSE_COO, _SPARSE_CSR = 7, 8, 13, 30, 31
_FEED_MINIBATCH, _FETCH_LIST, _RAW, _FEED_LIST = 9, 10, 17, 28
_HOLDERS = frozenset({_FEED_MINIBATCH, _FETCH_LIST, _RAW, _FEED_LIST})

_ATTR_FIELDS = {
    0: "i",
    1: "f",
    2: "s",
    3: "ints",
    4: "floats",
    5: "strings",
    6: "b",
    7: "bools",
    8: "block_idx",
    9: "l",
    10: "blocks_idx",
    11: "longs",
    12: "float64s",
    13: "var_name",
    14: "vars_name",
    15: "float64",
    16: "scalar",
    17: "scalars",
}
_SCALAR_FIELDS = {1: "b", 2: "i", 3: "r"}
_BLOCK, _BLOCKS = 8, 10
# Paddle's name for an optional argument that is not there.
_EMPTY = "@EMPTY@"


def read_program(data: bytes) -> Graph:
    """Reads a program.

    Args:
        data: the bytes of a ``*.pdmodel`` or ``__model__`` file.

    Returns:
        The graph: the ops of the main block, then those of the other blocks in their order
        (``Op.parent`` is the op that runs the block). Value ids are variable names.

    Raises:
        ModelError: the bytes are not a Paddle program.
    """
    program = _parse(data)
    builder = GraphBuilder("program")
    # Block number to the op that runs it and the block's place among those the op runs.
    parents: dict[int, tuple[int, int]] = {}
    for block in program.blocks:
        for var in block.vars:
            if builder.types.get(var.name, UNKNOWN) == UNKNOWN:
                builder.types[var.name] = _tensor_type(var)
            if _is_parameter(var):
                builder.parameters.add(var.name)
                builder.name(var.name, var.name)
    for number, block in enumerate(program.blocks):
        for desc in block.ops:
            index = len(builder.ops)
            inputs, outputs = _arguments(desc.inputs), _arguments(desc.outputs)
            builder.mention((*inputs, *outputs))
            attrs = {attr.name: _attribute(attr) for attr in desc.attrs}
            held: list[int] = []
            for attr in desc.attrs:
                if attr.type in (_BLOCK, _BLOCKS):
                    held += [attr.block_idx] if attr.type == _BLOCK else attr.blocks_idx
            parents.update((inner, (index, place)) for place, inner in enumerate(held) if inner > number)
            if desc.type in ("feed", "fetch"):
                for value in outputs if desc.type == "feed" else inputs:
                    builder.name(value, value)
            layer = attrs.get("op_namescope")
            builder.ops.append(
                Op(
                    index,
                    desc.type,
                    inputs,
                    outputs,
                    attrs,
                    layer.rstrip("/") if isinstance(layer, str) else "",
                    None,
                    None,
                    *parents.get(number, (None, 0)),
                )
            )
    return builder.graph()


def program_inputs_outputs(data: bytes) -> tuple[list[Variable], list[Variable]]:
    """Lists what a program is fed and what is fetched from it.

    Args:
        data: the bytes of the program file.

    Returns:
        The inputs and the outputs, each as (name, dtype, shape) in column order; dtype and shape are
        None where the program does not say.

    Raises:
        ModelError: the bytes are not a Paddle program.
    """
    program = _parse(data)
    main = program.blocks[0]
    types = {var.name: _tensor_type(var) for var in main.vars}
    columns: dict[str, list[tuple[int, str]]] = {"feed": [], "fetch": []}
    for desc in main.ops:
        if desc.type in columns:
            names = _arguments(desc.outputs if desc.type == "feed" else desc.inputs)
            column = next((attr.i for attr in desc.attrs if attr.name == "col"), 0)
            columns[desc.type].extend((column, name) for name in names)
    inputs, outputs = (
        [(name, *types.get(name, UNKNOWN)) for _, name in sorted(found, key=lambda item: item[0])]
        for found in columns.values()
    )
    return inputs, outputs


def parameter_names(data: bytes) -> list[Variable]:
    """Lists the parameters of a program in the order in which a combined params file stores them.

    Args:
        data: the bytes of the program file.

    Returns:
        (name, dtype, shape) of every parameter of the main block, sorted by name.

    Raises:
        ModelError: the bytes are not a Paddle program.
    """
    found = {var.name: _tensor_type(var) for var in _parse(data).blocks[0].vars if _is_parameter(var)}
    return [(name, *found[name]) for name in sorted(found, key=str.encode)]


def _parse(data: bytes) -> Any:
    from google.protobuf.message import DecodeError, Error

    from workbench.ir._schema import program_class

    try:
        program = program_class().FromString(bytes(data))
        _check(program)
    except DecodeError:
        raise _not_a_program("protobuf cannot decode it (damaged, cut short or another format)") from None
    except (Error, ValueError) as error:
        raise _not_a_program(str(error)) from None
    return program


def _check(program: Any) -> None:
    """Finds the nonsense that protobuf lets through; raises ValueError."""
    if not program.blocks:
        raise ValueError("it has no blocks")
    if not any(block.ops for block in program.blocks):
        raise ValueError("it has no operations")
    for number, block in enumerate(program.blocks):
        if block.idx != number:
            raise ValueError(f"block {number} says it is block {block.idx}")
        for var in block.vars:
            _check_text(var.name, "a variable of the name")
        for desc in block.ops:
            _check_text(desc.type, "an operation of the type")
            for slot in (*desc.inputs, *desc.outputs):
                for name in slot.arguments:
                    _check_text(name or _EMPTY, "an argument of the name")
            for attr in desc.attrs:
                _check_text(attr.name, "an attribute of the name")
                held = [attr.block_idx] if attr.type == _BLOCK else attr.blocks_idx
                if any(not 0 <= inner < len(program.blocks) for inner in held):
                    raise ValueError(f"{desc.type} runs a block that is not there (cut short?)")


def _check_text(text: Any, what: str) -> None:
    # Protobuf gives bytes where a string is not UTF-8.
    if not isinstance(text, str) or not text or not text.isprintable():
        raise ValueError(f"it has {what} {text!r}")


def _not_a_program(reason: str) -> ModelError:
    return ModelError(f"the file is not a Paddle program: {reason}")


def _arguments(slots: Any) -> tuple[str, ...]:
    return tuple(name for slot in slots for name in slot.arguments if name and name != _EMPTY)


def _is_parameter(var: Any) -> bool:
    return bool(var.persistable) and var.type.type not in _HOLDERS


def _tensor_type(var: Any) -> TensorType:
    kind = var.type.type
    if kind == _DENSE_TENSOR and var.type.HasField("dense_tensor"):
        tensor = var.type.dense_tensor.tensor
    elif kind == _TENSOR_ARRAY and var.type.HasField("tensor_array"):
        return _DTYPES.get(var.type.tensor_array.tensor.data_type), None
    elif kind == _SELECTED_ROWS and var.type.HasField("selected_rows"):
        tensor = var.type.selected_rows
    elif kind == _SPARSE_COO and var.type.HasField("sparse_coo"):
        tensor = var.type.sparse_coo
    elif kind == _SPARSE_CSR and var.type.HasField("sparse_csr"):
        tensor = var.type.sparse_csr
    else:
        return UNKNOWN
    return _DTYPES.get(tensor.data_type), tuple(tensor.dims)


def _attribute(attr: Any) -> Any:
    field = _ATTR_FIELDS.get(attr.type)
    if field is None:
        return None
    value = getattr(attr, field)
    if field == "scalar":
        return _scalar(value)
    if field == "scalars":
        return [_scalar(member) for member in value]
    if isinstance(value, (bool, int, float, str, bytes)):
        return _readable(value)
    return [_readable(member) for member in value]


def _readable(value: Any) -> Any:
    # Serialised engines are strings that are not UTF-8, which protobuf gives as bytes.
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _scalar(scalar: Any) -> Any:
    field = _SCALAR_FIELDS.get(scalar.type)
    return [scalar.c.r, scalar.c.i] if field is None else getattr(scalar, field)


def main_block(graph: Graph) -> Graph:
    """Keeps the ops that no other op holds: what a Program IR ``.dot`` dump lists.

    Args:
        graph: any graph.

    Returns:
        The graph of the main block with the values its ops use; the same object if nothing is nested.
    """
    kept = [op for op in graph.ops if op.parent is None]
    if len(kept) == len(graph.ops):
        return graph
    used = {value for op in kept for value in (*op.inputs, *op.outputs)}
    # Parameters read in inner blocks only are inputs of the op that runs the block, so they stay.
    values = {key: value for key, value in graph.values.items() if key in used}
    return Graph(graph.ir, tuple(replace(op, index=place) for place, op in enumerate(kept)), values)
