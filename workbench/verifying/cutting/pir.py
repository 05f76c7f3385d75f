"""Cuts a PIR model: its JSON with fewer ops, and other data and fetch ops."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench.errors import ModelError
from workbench.ir import Graph
from workbench.verifying.cutting.selection import Selection

_Json = dict[str, Any]


def cut_pir(data: bytes, graph: Graph, selection: Selection, shapes: Mapping[str, Sequence[int]]) -> bytes:
    """The program with the selected ops only; values keep their numbers.

    Args:
        data: the program of the whole model.
        graph: its graph.
        selection: of the graph.
        shapes: value id to the shape it is declared with, where the program's own is wrong.
    """
    document = json.loads(data)
    block = _block(document)
    types = {result["%"]: result["TT"] for op in block["ops"] for result in _results(op)}
    chosen = set(selection.ops)
    parameters = {_number(value) for value in selection.parameters}
    feeds = dict.fromkeys(_number(value) for value in selection.feeds)
    fetches = dict.fromkeys(_number(value) for value in selection.fetches)
    free = max(types, default=0)
    constants: list[_Json] = []
    kept: list[_Json] = []
    own: dict[int, _Json] = {}
    ends: dict[int, _Json] = {}
    for index, op in _numbered(block["ops"]):
        if index is None:
            if any(result["%"] in parameters for result in _results(op)):
                constants.append(op)
        elif op["#"] == "1.fetch":
            ends.setdefault(op["I"][0]["%"], op)
        elif op["#"] in ("1.data", "1.feed"):
            own[_results(op)[0]["%"]] = op
        elif index in chosen:
            kept.append(op)
    inputs = [
        own.get(number) or _data(graph, number, types[number], shapes.get(_id(number))) for number in feeds
    ]
    outputs = []
    for column, number in enumerate(fetches):
        free += 1
        outputs.append(_fetch(ends.get(number), number, free, types[number], column))
    block["ops"] = [*constants, *inputs, *kept, *outputs]
    return json.dumps(document).encode()


def input_name(graph: Graph, value: str) -> str:
    """What the input or the output is called that a value becomes."""
    return graph.values[value].name or f"value_{value.removeprefix('%')}"


def _block(document: _Json) -> _Json:
    regions = document["program"]["regions"]
    if len(regions) != 1 or len(regions[0]["blocks"]) != 1:
        raise ModelError("the program has several blocks at the top, which cannot be cut")
    block: _Json = regions[0]["blocks"][0]
    return block


def _numbered(ops: Sequence[_Json]) -> Iterator[tuple[int | None, _Json]]:
    """Ops with their index in the graph, which counts those within others; None for a weight or constant."""
    index = 0
    for op in ops:
        if _stored(op):
            yield None, op
        else:
            yield index, op
            index += _size(op)


def _size(op: _Json) -> int:
    inner = (
        each for region in op.get("regions") or () for block in region["blocks"] for each in block["ops"]
    )
    return 1 + sum(_size(each) for each in inner if not _stored(each))


def _stored(op: _Json) -> bool:
    return op["#"] in ("p", "0.constant", "builtin.constant")


def _results(op: _Json) -> list[_Json]:
    results = op.get("O") or []
    return [results] if isinstance(results, dict) else results


def _number(value: str) -> int:
    return int(value.removeprefix("%")) + 1


def _id(number: int) -> str:
    return f"%{number - 1}"


def _attribute(name: str, kind: str, value: object) -> _Json:
    return {"AT": {"#": kind, "D": value}, "N": name}


def _flags(value: bool) -> _Json:
    return {"#": "0.a_array", "D": [{"#": "0.a_bool", "D": value}]}


def _data(graph: Graph, number: int, kind: _Json, shape: Sequence[int] | None) -> _Json:
    """An input in place of the op that made the value in the whole model."""
    value = graph.values[_id(number)]
    dims = list((value.shape or ()) if shape is None else shape)
    declared = {**kind, "D": [kind["D"][0], dims, *kind["D"][2:]]}
    return {
        "#": "1.data",
        "A": [
            _attribute("name", "0.a_str", input_name(graph, value.id)),
            _attribute("shape", "1.a_intarray", dims),
            _attribute("dtype", "1.a_dtype", value.dtype),
            _attribute("place", "1.a_place", [0, 0, ""]),
        ],
        "I": [],
        "O": [{"%": number, "TT": declared}],
        "OA": [{"AT": _flags(False), "N": "stop_gradient"}],
    }


def _fetch(known: _Json | None, number: int, free: int, kind: _Json, column: int) -> _Json:
    """An output: the model's own for this value, or a new one."""
    if known is not None:
        attrs = [attr if attr["N"] != "col" else _attribute("col", "0.a_i32", column) for attr in known["A"]]
        return {**known, "A": attrs}
    return {
        "#": "1.fetch",
        "A": [
            _attribute("name", "0.a_str", f"value_{number - 1}"),
            _attribute("col", "0.a_i32", column),
        ],
        "I": [{"%": number}],
        "O": [{"%": free, "TT": kind}],
        "OA": [
            {"AT": _flags(True), "N": "persistable"},
            {"AT": _flags(False), "N": "stop_gradient"},
        ],
    }
