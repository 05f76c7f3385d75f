from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from pir_printer import DTYPES, modules, plain_count, random_modules

from workbench.errors import TraceError
from workbench.ir import Kernel, count_ops, read_pir_text
from workbench.ir.pir_text import UNREADABLE


def module(*lines: str) -> str:
    return "{\n" + "\n".join(f"    {line}" for line in lines) + "\n}\n"


def only_op(line: str):
    graph = read_pir_text(module(line))
    assert len(graph.ops) == 1
    return graph.ops[0]


@settings(max_examples=150, deadline=None)
@given(random_modules())
def test_what_is_printed_is_read_back(made):
    graph = read_pir_text(made.text)
    assert [op.index for op in graph.ops] == list(range(len(made.ops)))
    for op, wanted in zip(graph.ops, made.ops, strict=True):
        assert (op.type, op.inputs, op.outputs) == (wanted["type"], wanted["inputs"], wanted["outputs"])
        assert op.parent == wanted["parent"]
        assert op.attrs == wanted["attrs"]
        assert list(map(type, op.attrs.values())) == [type(wanted["attrs"][name]) for name in op.attrs]
    for parent in {op.parent for op in graph.ops} - {None}:
        # Each branch that is drawn holds one op.
        assert [op.region for op in graph.ops if op.parent == parent] == [0, 1]
    assert {name: (value.dtype, value.shape) for name, value in graph.values.items()} == {
        name: (DTYPES[dtype], shape) for name, (dtype, shape) in made.values.items()
    }
    assert [value.id for value in graph.parameters] == made.parameters


def test_parameters_constants_inputs_and_outputs_have_names():
    graph = read_pir_text(
        module(
            '(%0) = "builtin.parameter" () {parameter_name:"fc.w_0"} : () -> tensor<4x2xf32>',
            '(%1) = "builtin.constant" () {value:"folded@_1"} : () -> cpu_tensor<1xi32>',
            '(%2) = "pd_op.data" () {dtype:float32,name:"x",shape:[-1,4]} : () -> tensor<-1x4xf32>',
            '(%3) = "pd_op.matmul" (%2, %0) {} : (tensor<-1x4xf32>, tensor<4x2xf32>) -> tensor<-1x2xf32>',
            '(%4) = "pd_op.fetch" (%3) {col:0,name:"fetch_name_0"} : (tensor<-1x2xf32>) -> tensor<-1x2xf32>',
            '() = "builtin.shadow_output" (%3) {output_name:"out_0"} : (tensor<-1x2xf32>) -> ',
        )
    )
    assert {value.id: value.name for value in graph.values.values()} == {
        "%0": "fc.w_0",
        "%1": "folded@_1",
        "%2": "x",
        "%3": "out_0",
        "%4": "fetch_name_0",
    }
    assert [value.id for value in graph.parameters] == ["%0", "%1"]
    assert [op.type for op in graph.ops] == [
        "pd_op.data",
        "pd_op.matmul",
        "pd_op.fetch",
        "builtin.shadow_output",
    ]
    assert graph.values["%3"].shape == (-1, 2)


@pytest.mark.parametrize(
    "wrapper", ["onednn_kernel.phi_kernel", "onednn_kernel.phi_mixed_kernel", "fc(phi_kernel)"]
)
def test_a_lowered_op_is_the_op_that_was_lowered(wrapper):
    op = only_op(
        f'(%1) = "{wrapper}" (%0, <<NULL VALUE>>) {{kernel_key:<backend:ONEDNN|layout:Undefined(AnyLayout)'
        '|dtype:float32>,kernel_name:"fc",op_name:"onednn_op.fc",origin_id:7,'
        'struct_name:"/Net/Linear/"} : (cpu_tensor<2xf32>, <<NULL TYPE>>) -> cpu_tensor<2xf32>'
    )
    assert op.type == "onednn_op.fc"
    assert op.kernel == Kernel("fc", "ONEDNN", "Undefined(AnyLayout)", "float32")
    assert op.layer == "/Net/Linear"
    assert op.inputs == ("%0",)
    assert op.attrs["origin_id"] == 7


@pytest.mark.parametrize(
    ("printed", "dtype", "shape"),
    [
        ("tensor<f32>", "float32", ()),
        ("tensor<0xi64>", "int64", (0,)),
        ("undefined_tensor<-1x3xb>", "bool", (-1, 3)),
        ("pd_op.tensor<2x3xbf16>", "bfloat16", (2, 3)),
        ("gpu_tensor<2xf8e4m3fn>", "float8_e4m3fn", (2,)),
        ("tensor<2xc128>", "complex128", (2,)),
        ("vec[tensor<2xf32>,tensor<3xf32>]", "float32", None),
        ("vec[tensor<2xf32>,vec[tensor<3xi32>]]", None, None),
        ("vec[]", None, None),
        ("pd_op.tensor_array<f32>", "float32", None),
        ("pd_op.selectedrows<4x2xf32>", "float32", (4, 2)),
        ("<<NULL TYPE>>", None, None),
        ("cf.stack", None, None),
    ],
)
def test_types(printed, dtype, shape):
    graph = read_pir_text(module(f'(%0, %1) = "pd_op.x" () {{}} : () -> {printed}, tensor<7xf32>'))
    assert (graph.values["%0"].dtype, graph.values["%0"].shape) == (dtype, shape)
    assert graph.values["%1"].shape == (7,)


def test_attributes_of_every_kind():
    op = only_op(
        '(%0) = "pd_op.x" () {a:[1,2],b:[[1],["x,y:z","q\\"]"]],c:"br{ac}es : (x) -> y",d:Place(gpu:0),'
        "e:1e-05,f:nan,g:<#AttrNull>,h:[],i:-3,j:false,k:(1,2),l:(Int32)3,m:(pd_op.IntArray)[1,2]}"
        " : () -> tensor<1xf32>"
    )
    assert op.attrs.pop("f") != op.attrs.get("f")
    assert op.attrs == {
        "a": [1, 2],
        "b": [[1], ["x,y:z", 'q"]']],
        "c": "br{ac}es : (x) -> y",
        "d": "Place(gpu:0)",
        "e": 1e-05,
        "g": None,
        "h": [],
        "i": -3,
        "j": False,
        "k": "(1,2)",
        "l": 3,
        "m": [1, 2],
    }


@pytest.mark.parametrize("printed", ['{a:"x\\",b:1}', '{a:"x\\"}', '{a:["x\\"],b:1}'])
def test_a_string_that_ends_in_a_backslash_keeps_the_op(printed):
    op = only_op(f'(%0) = "pd_op.x" () {printed} : () -> tensor<1xf32>')
    assert op.type == "pd_op.x"
    assert op.attrs


def test_attributes_that_cannot_be_read_are_kept_as_text():
    op = only_op('(%0) = "pd_op.x" () {what is this} : () -> tensor<1xf32>')
    assert op.attrs == {UNREADABLE: "what is this"}


def test_control_flow_and_block_arguments():
    graph = read_pir_text(
        module(
            '(%0) = "pd_op.data" () {name:"x"} : () -> tensor<2xf32>',
            '(%1) = "pd_op.data" () {name:"c"} : () -> tensor<1xb>',
            '(%2) = "pd_op.while" (cond=%1, inputs=%0) { ',
            "^%arg_0 {stop_gradient:true}",
            '    (%3) = "pd_op.relu" (%arg_0) {} : (tensor<2xf32>) -> tensor<2xf32>',
            '    () = "cf.yield" (%1, %3) {} : (tensor<1xb>, tensor<2xf32>) -> ',
            "}",
            '(%4) = "cinn_op.group" () {} -> tensor<2xf32> {',
            '    (%5) = "pd_op.exp" (%2) {} : (tensor<2xf32>) -> tensor<2xf32>',
            "}",
            '(%6) = "pd_op.other" (%4) {} : (tensor<2xf32>) -> tensor<2xf32>',
            "{",
            '    (%7) = "pd_op.abs" (%arg_1 {a:1}) {} : (tensor<5xi32>) -> tensor<5xi32>',
            "}",
            "",
        )
    )
    assert [(op.type, op.parent) for op in graph.ops] == [
        ("pd_op.data", None),
        ("pd_op.data", None),
        ("pd_op.while", None),
        ("pd_op.relu", 2),
        ("cf.yield", 2),
        ("cinn_op.group", None),
        ("pd_op.exp", 5),
        ("pd_op.other", None),
        ("pd_op.abs", 7),
    ]
    assert not any(op.region for op in graph.ops)
    assert graph.ops[2].inputs == ("%1", "%0")
    assert graph.values["%2"].shape == (2,)
    assert graph.values["%arg_0"].shape == (2,)
    assert (graph.values["%arg_1"].dtype, graph.values["%arg_1"].shape) == ("int32", (5,))


def test_the_branches_of_an_if_are_regions():
    graph = read_pir_text(
        module(
            '(%0) = "pd_op.data" () {name:"c"} : () -> tensor<1xb>',
            '(%1) = "pd_op.if" (%0) {} -> tensor<1xb> {',
            '    (%2) = "pd_op.if" (%0) {} -> tensor<1xb> {',
            '        () = "cf.yield" (%0) {} : (tensor<1xb>) -> ',
            "    } else {",
            '        () = "cf.tuple_push" (%0) {} : (tensor<1xb>) -> ',
            "    }",
            '    () = "cf.yield" (%2) {} : (tensor<1xb>) -> ',
            "} else {",
            '    () = "cf.yield" (%0) {} : (tensor<1xb>) -> ',
            "}",
            '(%3) = "pd_op.abs" (%1) {} : (tensor<1xb>) -> tensor<1xb>',
        )
    )
    assert [(op.type, op.parent, op.region) for op in graph.ops] == [
        ("pd_op.data", None, 0),
        ("pd_op.if", None, 0),
        ("pd_op.if", 1, 0),
        ("cf.yield", 2, 0),
        ("cf.tuple_push", 2, 1),
        ("cf.yield", 1, 0),
        ("cf.yield", 1, 1),
        ("pd_op.abs", None, 0),
    ]


OP = '(%0) = "pd_op.x" () {} : () -> tensor<1xf32>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no module"),
        ("some words", "no module"),
        (module(OP)[:-3], "cut short"),
        (module(OP[:-30]), "line 2"),
        (module(OP, "an op of a new kind"), "line 3"),
        (OP, "line 1"),
        (module(OP) + OP, "line 4"),
        (module(OP) + module(OP), "second module"),
        (module('(%0, %1) = "pd_op.x" () {} : () -> tensor<1xf32>'), "2 results, 1 types"),
    ],
)
def test_what_is_not_understood_is_an_error(text, said):
    with pytest.raises(TraceError, match=re.escape(said)):
        read_pir_text(text)


def test_text_after_the_module_is_not_part_of_it():
    assert len(read_pir_text(module(OP) + "\n\na line of the model's own print op\n").ops) == 1


@pytest.mark.parametrize("name", ["conv", "attention", "control"])
@pytest.mark.parametrize("how", ["plain", "onednn"])
def test_native_text(pir_models: Path, name: str, how: str):
    printed = (pir_models / f"{name}.{how}.out").read_text()
    log = (pir_models / f"{name}.{how}.err").read_text()
    stages = modules(printed)
    ran = re.findall(r"Running PIR pass \[(\S+?)\]", log)
    # A pass runs, and is logged and printed, again for every op that holds blocks.
    assert ran == [stage[2] for stage in stages if stage[1] == "before"]
    for _, _, _, text in stages:
        graph = read_pir_text(text)
        assert len(graph.ops) == count_ops(text) == plain_count(text) > 0
        assert not any(UNREADABLE in op.attrs for op in graph.ops)
        read = {value for op in graph.ops for value in op.inputs}
        assert read <= graph.values.keys()
        assert all(graph.values[value].dtype is not None for value in read)
        assert not any("phi_kernel" in op.type or "phi_mixed_kernel" in op.type for op in graph.ops)
        assert {value.name for value in graph.parameters} == set(
            re.findall(r'= "builtin\.(?:parameter|constant)".*?(?:parameter_name|value):"(.*?)"', text)
        )
    inputs, outputs = (pir_models / f"{name}.names").read_text().split("\n--\n")
    named = {value.name for value in graph.values.values()}
    assert named >= {*inputs.split("\n"), *outputs.split("\n")}
    lowered = [op for op in graph.ops if op.kernel is not None]
    assert len(lowered) == len(re.findall(r"kernel_key:", text)) > 0
    assert any(op.kernel.backend == "ONEDNN" for op in lowered) == (how == "onednn")
    first = read_pir_text(stages[0][3])
    if name == "conv":
        assert {op.layer for op in first.ops} > {"/Sequential/Conv2D", "/Linear"}
    if name == "control":
        assert {first.ops[op.parent].type for op in first.ops if op.parent is not None} == {
            "pd_op.while",
            "pd_op.if",
        }
        held = {(first.ops[op.parent].type, op.region) for op in first.ops if op.parent is not None}
        assert held == {("pd_op.while", 0), ("pd_op.if", 0), ("pd_op.if", 1)}
        # One layer is called in the true branch, the other in the false one.
        assert [op.region for op in first.ops if op.type == "pd_op.matmul"] == [0, 1]
