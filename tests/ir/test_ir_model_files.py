from __future__ import annotations

import json
import random
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pir_printer import modules

from workbench.errors import ModelError
from workbench.ir import (
    diff,
    is_pir_json,
    main_block,
    parameter_names,
    program_inputs_outputs,
    read_pir_json,
    read_pir_text,
    read_program,
    same_graph,
)
from workbench.ir._schema import program_class

# ---------------------------------------------------------------- PIR


@pytest.mark.parametrize("name", ["conv", "attention", "control"])
def test_the_model_file_is_the_first_dump(pir_models: Path, name: str):
    data = (pir_models / name / "inference.json").read_bytes()
    assert is_pir_json(data[:200])
    graph = read_pir_json(data)
    printed = read_pir_text(modules((pir_models / f"{name}.plain.out").read_text())[0][3])
    assert len(graph.ops) == len(printed.ops)
    for op, wanted in zip(graph.ops, printed.ops, strict=True):
        assert (op.type, op.inputs, op.outputs) == (wanted.type, wanted.inputs, wanted.outputs)
        assert (op.layer, op.parent, op.region) == (wanted.layer, wanted.parent, wanted.region)
        # The text gives numbers with six digits, and leaves out what control flow ops have beside blocks.
        for key in op.attrs.keys() & wanted.attrs.keys() - {"dtype"}:
            same = op.attrs[key] == wanted.attrs[key]
            assert same or op.attrs[key] == pytest.approx(wanted.attrs[key], rel=1e-5)
        assert op.attrs.keys() == wanted.attrs.keys() or op.type == "pd_op.while"
    assert graph.values == printed.values


def pir_model(ops: list[dict], **base: object) -> bytes:
    block = {"#": "block_0", "args": [], "ops": ops}
    program = {"regions": [{"#": "region_0", "blocks": [block]}]}
    return json.dumps({"base_code": {"magic": "pir", "version": 4, **base}, "program": program}).encode()


DATA = {
    "#": "1.data",
    "A": [{"AT": {"#": "0.a_str", "D": "x"}, "N": "name"}],
    "I": [],
    "O": [{"%": 1, "TT": {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, [-1, 4], "NCHW", [], 0]}}],
}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not valid JSON"),
        (b"\xff\x00", "not valid JSON"),
        (b"[1, 2]", "base_code"),
        (b'{"base_code": 3}', "base_code"),
        (b'{"base_code": {"magic": "onnx"}}', "base_code"),
        (b'{"base_code": {"magic": "pir"}}', "damaged"),
        (pir_model([]), "no operations"),
        (pir_model([{"#": 3}]), "damaged"),
        (pir_model([{"#": "1.relu", "A": [], "I": [{"%": 99}], "O": []}]), "nothing writes"),
        (pir_model([{"#": "1.relu", "A": [], "I": [], "O": [{"%": "one"}]}]), "damaged"),
        (b'{"base_code": {"magic": "pir"}, "program": ' + b"[" * 100_000, "JSON"),
    ],
)
def test_what_is_not_a_pir_model_is_an_error(data, said):
    with pytest.raises(ModelError, match=said) as caught:
        read_pir_json(data)
    assert "\n" not in str(caught.value)


def test_unknown_dialects_and_types_stay_as_they_are():
    odd = {"#": "new_dialect.op", "A": [], "I": [{"%": 1}, {"%": 0}], "O": [{"%": 2, "TT": {"#": "NULL"}}]}
    graph = read_pir_json(pir_model([DATA, odd]))
    assert [op.type for op in graph.ops] == ["pd_op.data", "new_dialect.op"]
    assert graph.ops[1].inputs == ("%0",)
    assert graph.values["%0"].name == "x"
    assert (graph.values["%1"].dtype, graph.values["%1"].shape) == (None, None)


def test_is_pir_json():
    assert is_pir_json(b' {\n "base_code" : { "trainable": true,\n "magic": "pir", "version": 1}')
    assert not is_pir_json(b'{"cells": [], "magic": "pir"}')
    assert not is_pir_json(b"\x0a\x00")


def test_truncated_and_damaged_pir_models(pir_models: Path):
    data = (pir_models / "control" / "inference.json").read_bytes()
    for size in range(0, len(data) - 2, 97):
        with pytest.raises(ModelError):
            read_pir_json(data[:size])
    rng = random.Random(0)
    for _ in range(150):
        place = rng.randrange(len(data))
        damaged = data[:place] + bytes([rng.randrange(32, 127)]) + data[place + 1 :]
        try:
            read_pir_json(damaged)
        except ModelError:
            continue


# ---------------------------------------------------------------- Program IR


def test_the_schema_is_paddles(program_models: Path):
    theirs = descriptor_pb2.FileDescriptorProto.FromString(
        (program_models / "framework.descriptor").read_bytes()
    )
    ours = descriptor_pb2.FileDescriptorProto()
    program_class().DESCRIPTOR.file.CopyToProto(ours)

    def fields(message, prefix=""):
        name = prefix + message.name
        for field in message.field:
            kind = (
                "int32" if field.type_name.endswith("Type") and field.type == field.TYPE_ENUM else field.type
            )
            kind = field.TYPE_INT32 if kind == "int32" else kind
            target = field.type_name if field.type == field.TYPE_MESSAGE else ""
            yield name, field.name, field.number, field.label, kind, target
        for nested in message.nested_type:
            yield from fields(nested, name + ".")

    known = {entry for message in theirs.message_type for entry in fields(message)}
    mine = {entry for message in ours.message_type for entry in fields(message)}
    assert mine <= known
    assert {entry[0] for entry in known - mine} <= {"OpProto", "OpProto.Var", "OpProto.Attr"}


def test_paddles_own_reading_of_the_same_bytes(program_models: Path):
    data = (program_models / "conv" / "inference.pdmodel").read_bytes()
    text = (program_models / "program.txt").read_text()
    graph = read_program(data)
    assert [op.type for op in graph.ops] == re.findall(r'^    type: "(.*)"$', text, re.MULTILINE)
    persistable = re.findall(
        r"^  vars \{\n    name: \"(.*)\"\n(?:    .*\n)*?    persistable: true", text, re.MULTILINE
    )
    names = [name for name, _, _ in parameter_names(data)]
    assert names == sorted(set(persistable) - {"feed", "fetch"})
    assert {value.id for value in graph.parameters} == set(names)
    count = len(re.findall(r"^    attrs \{$", text, re.MULTILINE))
    assert sum(len(op.attrs) for op in graph.ops) == count
    assert {op.layer for op in graph.ops} == {""}
    parts = (program_models / "conv.names").read_text().split("\n--\n")
    inputs, outputs = program_inputs_outputs(data)
    assert inputs == [("image", "float32", (-1, 3, 8, 8))]
    assert [name for name, _, _ in outputs] == parts[1].split("\n")
    assert [shape for _, _, shape in outputs] == [(-1, 2), (-1, 4, 8, 8)]


def test_the_params_file_has_the_parameters_in_that_order(program_models: Path):
    names = parameter_names((program_models / "conv" / "inference.pdmodel").read_bytes())
    stored = (program_models / "conv" / "inference.pdiparams").read_bytes()
    place, shapes = 0, []
    while place < len(stored):
        # version, LoD levels, version, size of the description; the description; the numbers
        place += 4 + 8 + 4
        (size,) = struct.unpack_from("<i", stored, place)
        tensor_class = type(program_class()().blocks.add().vars.add().type.dense_tensor.tensor)
        tensor = tensor_class.FromString(stored[place + 4 : place + 4 + size])
        numbers = 1
        for dim in tensor.dims:
            numbers *= dim
        shapes.append(tuple(tensor.dims))
        place += 4 + size + 4 * numbers
    assert shapes == [shape for _, _, shape in names]
    assert {dtype for _, dtype, _ in names} == {"float32"}


def make_program(*blocks):
    """Builds a program's bytes from blocks of (type, inputs, outputs, attrs)."""
    program = program_class()()
    for number, ops in enumerate(blocks):
        block = program.blocks.add(idx=number, parent_idx=max(0, number - 1))
        names = {name for _, inputs, outputs, _ in ops for name in (*inputs, *outputs)}
        for name in sorted(names):
            var = block.vars.add(name=name, persistable=name.startswith("w"))
            var.type.type = 9 if name == "feed" else 7
            if name != "feed":
                var.type.dense_tensor.tensor.data_type = 5
                var.type.dense_tensor.tensor.dims.extend([-1, 2])
        for kind, inputs, outputs, attrs in ops:
            desc = block.ops.add(type=kind)
            desc.inputs.add(parameter="X").arguments.extend(inputs)
            desc.outputs.add(parameter="Out").arguments.extend(outputs)
            for name, (code, field, value) in attrs.items():
                attr = desc.attrs.add(name=name, type=code)
                if isinstance(value, list):
                    getattr(attr, field).extend(value)
                else:
                    setattr(attr, field, value)
    return program.SerializeToString()


LOOP = make_program(
    [
        ("feed", ["feed"], ["x"], {"col": (0, "i", 0)}),
        ("while", ["x", "c"], ["y"], {"sub_block": (8, "block_idx", 1)}),
        ("fetch", ["y"], ["fetch"], {"col": (0, "i", 0)}),
    ],
    [("conditional_block", ["x"], ["z"], {"blocks": (10, "blocks_idx", [2])})],
    [("relu", ["x", "@EMPTY@"], ["z"], {"op_namescope": (2, "s", "/net/act/")})],
)


def test_inner_blocks_and_attributes():
    graph = read_program(LOOP)
    assert [(op.type, op.parent) for op in graph.ops] == [
        ("feed", None),
        ("while", None),
        ("fetch", None),
        ("conditional_block", 1),
        ("relu", 3),
    ]
    assert graph.ops[4].inputs == ("x",)
    assert graph.ops[4].layer == "/net/act"
    main = main_block(graph)
    assert [op.type for op in main.ops] == ["feed", "while", "fetch"]
    assert main_block(main) is main
    assert same_graph(main, main_block(read_program(LOOP)))
    assert not diff(main, graph).removed


def test_the_blocks_an_op_runs_are_numbered():
    graph = read_program(
        make_program(
            [("pylayer", ["x"], ["y"], {"blocks": (10, "blocks_idx", [1, 2])}), ("relu", ["y"], ["z"], {})],
            [("exp", ["x"], ["y"], {})],
            [("conditional_block", ["y"], ["x"], {"sub_block": (8, "block_idx", 3)})],
            [("abs", ["y"], ["x"], {})],
        )
    )
    assert [(op.type, op.parent, op.region) for op in graph.ops] == [
        ("pylayer", None, 0),
        ("relu", None, 0),
        ("exp", 0, 0),
        ("conditional_block", 0, 1),
        ("abs", 3, 0),
    ]
    assert [op.type for op in main_block(graph).ops] == ["pylayer", "relu"]


def test_attributes_of_every_kind():
    program = program_class()()
    block = program.blocks.add(idx=0, parent_idx=-1)
    desc = block.ops.add(type="x")
    wanted = {
        "i": (0, -3),
        "f": (1, 0.5),
        "s": (2, "text"),
        "ints": (3, [1, 2]),
        "floats": (4, [0.5]),
        "strings": (5, ["a", ""]),
        "b": (6, True),
        "bools": (7, [True, False]),
        "block_idx": (8, 0),
        "l": (9, 2**40),
        "blocks_idx": (10, [0]),
        "longs": (11, [-(2**40)]),
        "float64s": (12, [0.1]),
        "var_name": (13, "v"),
        "vars_name": (14, ["v", "w"]),
        "float64": (15, 0.1),
    }
    for field, (code, value) in wanted.items():
        attr = desc.attrs.add(name=field, type=code)
        if isinstance(value, list):
            getattr(attr, field).extend(value)
        else:
            setattr(attr, field, value)
    scalar = desc.attrs.add(name="scalar", type=16)
    scalar.scalar.type, scalar.scalar.i = 2, 7
    several = desc.attrs.add(name="scalars", type=17)
    several.scalars.add(type=3, r=0.25)
    several.scalars.add(type=1, b=True)
    several.scalars.add(type=4).c.CopyFrom(type(several.scalars[0].c)(r=1.0, i=2.0))
    desc.attrs.add(name="of a newer release", type=99)
    attrs = read_program(program.SerializeToString()).ops[0].attrs
    assert attrs == {
        **{field: value for field, (_, value) in wanted.items()},
        "scalar": 7,
        "scalars": [0.25, True, [1.0, 2.0]],
        "of a newer release": None,
    }


def test_every_cut_of_a_program_is_an_error_or_leaves_the_graph_whole(program_models: Path):
    data = (program_models / "conv" / "inference.pdmodel").read_bytes()
    whole = read_program(data)
    for size in [*range(300), *range(300, 9000, 41), *range(9000, len(data), 7)]:
        try:
            graph = read_program(data[:size])
        except ModelError as error:
            assert "is not a Paddle program: " in str(error)
        else:
            # Only the versions, which stand at the end, are gone.
            assert same_graph(graph, whole)
            assert graph.values == whole.values
    for size in range(len(LOOP)):
        with pytest.raises(ModelError):
            read_program(LOOP[:size])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_no_program(data):
    with pytest.raises(ModelError):
        read_program(data)
    with pytest.raises(ModelError):
        read_pir_json(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_programs_do_not_crash(data):
    damaged = bytearray(LOOP)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(LOOP) - 1))] = data.draw(st.integers(0, 255))
    for read in (read_program, program_inputs_outputs, parameter_names):
        try:
            read(bytes(damaged))
        except ModelError as error:
            assert "\n" not in str(error)


def test_importing_the_room_does_not_import_protobuf():
    code = "import sys, workbench.ir; sys.exit('google.protobuf' in sys.modules or 'paddle' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
