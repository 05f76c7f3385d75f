"""Reads the PIR model file (``inference.json``): the graph before any pass."""

from __future__ import annotations

import json
import re
from typing import Any

from workbench.errors import ModelError
from workbench.ir.graph import Graph, Op
from workbench.ir.types import PIR_DTYPES, UNKNOWN, GraphBuilder, TensorType

# The file abbreviates dialects; newer releases may add numbers, which then stay as they are.
_DIALECTS = {"0": "builtin", "1": "pd_op", "2": "cf", "3": "custom_op", "4": "pd_dist"}
_PLACES = {0: "undefined:0", 1: "cpu", 2: "gpu", 3: "gpu_pinned", 4: "xpu", 7: "ipu", 9: "custom"}
_PARAMETER_ATTRS = ("is_distributed", "is_parameter", "need_clip", "parameter_name")
_PARAMETER_RESULT_ATTRS = ("persistable", "stop_gradient", "trainable")
_HEAD = re.compile(rb'\s*\{\s*"base_code"\s*:\s*\{[^{}]*"magic"\s*:\s*"pir"')
# A damaged file must not exhaust Python's stack.
_DEEPEST = 200


def is_pir_json(head: bytes) -> bool:
    """Says whether a file that starts with these bytes is a PIR model.

    Args:
        head: the first bytes of the file; 200 are enough.

    Returns:
        True if the header of a PIR model is there.
    """
    return _HEAD.match(head) is not None


def read_pir_json(data: bytes) -> Graph:
    """Reads a PIR model file.

    Args:
        data: the bytes of the file.

    Returns:
        The graph, with value ids and types as Paddle prints them in its text dump.

    Raises:
        ModelError: the bytes are not a PIR model or the file is damaged.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"the file is not a PIR model or is damaged: it is not valid JSON ({error})"
        ) from None
    base = document.get("base_code") if isinstance(document, dict) else None
    if not isinstance(base, dict) or base.get("magic") != "pir":
        raise ModelError(
            'the file is not a PIR model: its "base_code" header with the magic "pir" is missing'
        )
    try:
        reader = _Reader()
        for region in document["program"]["regions"]:
            reader.blocks(region, None, 0, 0)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"the PIR model is damaged: its program cannot be read ({reason})") from None
    if not reader.builder.ops:
        raise ModelError("the PIR model is damaged: its program has no operations")
    return reader.builder.graph()


class _Reader:
    def __init__(self) -> None:
        self.builder = GraphBuilder("pir")

    def blocks(self, region: dict[str, Any], parent: int | None, number: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"regions are nested more than {_DEEPEST} deep")
        for block in region["blocks"]:
            for argument in [*block.get("args", ()), *block.get("kwargs", ())]:
                self.builder.types[_value_id(argument.get("%", argument.get("#")))] = _type(
                    argument.get("TT")
                )
            for op in block["ops"]:
                self.op(op, parent, number, depth)

    def op(self, op: dict[str, Any], parent: int | None, number: int, depth: int) -> None:
        kind = op["#"]
        if kind == "p":
            self.parameter(op)
            return
        if not isinstance(kind, str):
            raise ValueError(f"an operation has the type {kind!r}")
        kind = _expand(kind)
        builder = self.builder
        attrs = {
            item["N"]: _attribute(item["AT"]) for key in ("A", "OA", "QA", "DA") for item in op.get(key) or ()
        }
        ids = [result["%"] for result in op.get("O") or ()]
        outputs = tuple(_value_id(number) for number in ids)
        for result, value in zip(op.get("O") or (), outputs, strict=True):
            builder.types[value] = _type(result.get("TT"))
        if kind == "builtin.constant":
            builder.parameters.update(outputs)
            for value in outputs:
                builder.name(value, attrs.get("value"))
            return
        inputs = tuple(_value_id(item["%"]) for item in op.get("I") or () if item["%"] != 0)
        for value in inputs:
            if value not in builder.types:
                raise ValueError(f"{kind} reads a value that nothing writes")
        if kind == "builtin.shadow_output" and inputs:
            builder.name(inputs[0], attrs.get("output_name"))
        elif outputs and kind in ("pd_op.data", "pd_op.feed", "pd_op.fetch"):
            builder.name(outputs[0], attrs.get("name"))
        layer = attrs.get("struct_name")
        index = len(builder.ops)
        path = layer.rstrip("/") if isinstance(layer, str) else ""
        builder.ops.append(Op(index, kind, inputs, outputs, attrs, path, None, None, parent, number))
        for place, region in enumerate(op.get("regions") or ()):
            self.blocks(region, index, place, depth + 1)

    def parameter(self, op: dict[str, Any]) -> None:
        value = _value_id(op["O"]["%"])
        self.builder.types[value] = _type(op["O"].get("TT"))
        self.builder.parameters.add(value)
        self.builder.name(value, dict(zip(_PARAMETER_ATTRS, op["A"], strict=False)).get("parameter_name"))


def _value_id(number: Any) -> str:
    """The id the text dump gives the value: results count from 0, block arguments apart."""
    if not isinstance(number, int):
        raise ValueError(f"a value has the id {number!r}")
    return f"%{number - 1}" if number >= 0 else f"%arg_{-number - 1}"


def _expand(kind: str) -> str:
    dialect, dot, name = kind.partition(".")
    return _DIALECTS.get(dialect, dialect) + dot + name


def _type(tree: Any) -> TensorType:
    if not isinstance(tree, dict):
        return UNKNOWN
    kind = str(tree.get("#")).partition(".")[2]
    data = tree.get("D")
    if not isinstance(data, list):
        return UNKNOWN
    if kind == "t_vec":
        members = {_type(member)[0] for member in data}
        return (members.pop() if len(members) == 1 else None), None
    dtype = None
    if data and isinstance(data[0], dict):
        name = str(data[0].get("#")).partition(".t_")[2]
        dtype = PIR_DTYPES.get(name, name or None)
    if "array" in kind or len(data) < 2 or not isinstance(data[1], list):
        return dtype, None
    return dtype, tuple(int(dim) for dim in data[1])


def _attribute(tree: dict[str, Any]) -> Any:
    kind, data = str(tree.get("#")), tree.get("D")
    if kind.endswith(".a_array") and isinstance(data, list):
        return [_attribute(member) for member in data]
    if kind.endswith(".a_place") and isinstance(data, list) and len(data) == 3:
        name = data[2] or _PLACES.get(data[0], str(data[0]))
        return f"Place({name}:{data[1]})" if data[0] > 1 else f"Place({name})"
    if kind.endswith(".a_type"):
        return _type_name(data)
    if kind.endswith(".a_scalar") and isinstance(data, list) and len(data) == 2:
        return data[1]
    return data


def _type_name(tree: Any) -> str | None:
    dtype, shape = _type(tree)
    if dtype is None:
        return None
    return dtype if shape is None else f"{dtype}[{'x'.join(map(str, shape))}]"
