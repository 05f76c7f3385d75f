from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.errors import TraceError
from workbench.ir import (
    Graph,
    Value,
    count_native_ops,
    diff,
    enrich,
    main_block,
    read_native_dot,
    read_program,
    same_graph,
)

OP = 'style="rounded,filled,bold" shape="box" color="#303A3A" fontcolor="#ffffff" width="1.3"'
VAR = 'shape="box" style="rounded,filled,bold" fontname="Arial" fillcolor="#999999" color="#dddddd"'
PARAM = 'shape="box" style="rounded,filled,bold" fontname="Arial" color="#148b97" fontcolor="#ffffff"'


def native(nodes: dict[int, tuple[str, str]], edges: list[tuple[int, int]]) -> str:
    rows = [f'\tnode_{number}[label="{label}" {style}]' for number, (label, style) in nodes.items()]
    rows += [f"\tnode_{source}->node_{target}" for source, target in edges]
    return "digraph G {\n" + "\n".join(rows) + "\n} // end G"


NODES = {
    0: ("x(1)\n-1,4", VAR),
    1: ("/relu(2)", OP),
    2: ("x(3)\n-1,4", VAR),
    3: ("w_0(4)\n4,2", PARAM),
    4: ("/net/fc/mul(5)", OP),
    5: ("y(6)", VAR),
    6: ("feed(7)", PARAM),
    7: ("/feed(8)", OP),
}
EDGES = [(6, 7), (7, 0), (0, 1), (1, 2), (2, 4), (3, 4), (4, 5)]


def test_ops_variables_and_their_order():
    graph = read_native_dot(native(NODES, EDGES))
    assert [(op.type, op.identity, op.layer) for op in graph.ops] == [
        ("feed", "8", ""),
        ("relu", "2", ""),
        ("mul", "5", "/net/fc"),
    ]
    assert [(op.inputs, op.outputs) for op in graph.ops] == [
        (("feed",), ("x",)),
        (("x",), ("x(3)",)),
        (("x(3)", "w_0"), ("y",)),
    ]
    assert [value.id for value in graph.parameters] == ["w_0"]
    assert graph.values["x(3)"].name == "x"
    assert graph.values["x"].shape == (-1, 4)
    assert graph.values["y"].shape is None


def test_the_order_does_not_depend_on_the_file():
    wanted = read_native_dot(native(NODES, EDGES))
    rng = random.Random(3)
    for _ in range(20):
        numbers = list(NODES)
        rng.shuffle(numbers)
        new = dict(zip(NODES, numbers, strict=True))
        nodes = [(new[number], NODES[number]) for number in NODES]
        edges = [(new[source], new[target]) for source, target in EDGES]
        rng.shuffle(nodes)
        rng.shuffle(edges)
        graph = read_native_dot(native(dict(nodes), edges))
        assert graph.ops == wanted.ops
        assert graph.values == wanted.values


def test_a_cycle_is_read_too():
    graph = read_native_dot(native(NODES, [*EDGES, (5, 1)]))
    assert [op.type for op in graph.ops] == ["feed", "relu", "mul"]
    assert "y" in graph.ops[1].inputs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "digraph"),
        ("{}", "digraph"),
        (native(NODES, EDGES)[:-20], "cut short"),
        (native(NODES, [(0, 99)]), "no node"),
        (native(NODES, [(1, 4)]), "does not join"),
        (native({**NODES, 9: ("no number", VAR)}, []), "not understood"),
        (native(NODES, []).replace('(8)" ', "(8) "), "understood"),
    ],
)
def test_what_is_not_understood_is_an_error(text, said):
    with pytest.raises(TraceError, match=said):
        read_native_dot(text)


def dumps(folder: Path) -> list[tuple[str, str]]:
    """(pass, text) of every dump, in the order the passes ran."""
    files = sorted(folder.glob("*.dot"), key=lambda file: int(file.name.split("_")[0]))
    return [(re.sub(r"^\d+_ir_|\.dot$", "", file.name), file.read_text()) for file in files]


@pytest.mark.parametrize("how", ["plain", "onednn"])
def test_native_dumps(program_models: Path, how: str):
    stages = dumps(program_models / f"conv.{how}.dumps")
    log = (program_models / f"conv.{how}.err").read_text()
    assert [name for name, _ in stages] == re.findall(r"Running IR pass \[(\S+?)\]", log)
    model = main_block(read_program((program_models / "conv" / "inference.pdmodel").read_bytes()))
    types: dict[str | None, str] = {}
    before = model
    last = {name: number for number, (name, _) in enumerate(stages)}
    for number, (name, text) in enumerate(stages):
        drawn = read_native_dot(text)
        # Ops that a pass made have no namescope, not even "/".
        shown = re.findall(r'label="/?(\w+)\((\d+)\)" style', text)
        assert len(drawn.ops) == count_native_ops(text) == len(shown) > 0
        assert sorted((op.type, op.identity) for op in drawn.ops) == sorted(shown)
        # The number in parentheses names one op through the whole run.
        for op in drawn.ops:
            assert types.setdefault(op.identity, op.type) == op.type
        written = set()
        for op in drawn.ops:
            written.update(op.outputs)
            later = {value for other in drawn.ops[op.index + 1 :] for value in other.outputs}
            assert not later & set(op.inputs)
        assert {value.id for value in drawn.parameters} <= drawn.values.keys() - written
        if last[name] != number:
            # The program a pass wrote is of its last run.
            continue
        program = main_block(
            read_program((program_models / f"conv.{how}.dumps" / f"{name}.pdmodel").read_bytes())
        )
        graph = enrich(drawn, program, model)
        assert sorted(op.type for op in graph.ops) == sorted(op.type for op in program.ops)
        assert all(op.attrs for op in graph.ops)
        assert all(value.dtype for value in graph.values.values() if value.name != "feed" and value.shape)
        assert [op.identity for op in graph.ops] == [op.identity for op in drawn.ops]
        found = diff(before, graph)
        assert len(graph.ops) == len(before.ops) + len(found.added) - len(found.removed)
        # By variable names the stage is the program Paddle wrote.
        assert same_graph(program, graph)
        before = graph
    assert len(before.ops) < len(model.ops)
    if how == "onednn":
        assert "fused_conv2d" in {op.type for op in before.ops}


def test_the_first_dump_adds_and_removes_nothing(program_models: Path):
    model = main_block(read_program((program_models / "conv" / "inference.pdmodel").read_bytes()))
    _, text = dumps(program_models / "conv.plain.dumps")[0]
    found = diff(model, read_native_dot(text))
    assert not found.added
    assert not found.removed
    assert not found.altered


def test_enrich_takes_the_first_source_and_leaves_the_rest():
    graph = read_native_dot(native(NODES, EDGES))
    assert enrich(graph) == graph
    feed, relu, mul = graph.ops
    first = Graph(
        "program",
        (
            replace(feed, attrs={"n": 0}, layer="/l"),
            replace(relu, outputs=("x",), attrs={"n": 1}, layer="/l"),
        ),
        {"x": Value("x", "float32", (3,)), "y": Value("y", "float32", (3,))},
    )
    second = Graph("program", tuple(replace(op, attrs={"n": 9}) for op in (feed, relu, mul)), {})
    full = enrich(graph, first, second)
    assert [op.attrs for op in full.ops] == [{"n": 0}, {"n": 1}, {"n": 9}]
    assert [op.layer for op in full.ops] == ["/l", "/l", "/net/fc"]
    assert (full.values["x(3)"].dtype, full.values["x(3)"].shape) == ("float32", (-1, 4))
    assert (full.values["y"].dtype, full.values["y"].shape) == ("float32", (3,))
