from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pir_printer import modules

from workbench.errors import WorkbenchError
from workbench.ir import Graph, Kernel, Op, Value, diff, read_native_dot, read_pir_text, to_dot


def canonical(text: str, form: str = "canon") -> str:
    done = subprocess.run(["dot", f"-T{form}"], input=text.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return done.stdout.decode()


GRAPH = Graph(
    "pir",
    (
        Op(0, "pd_op.data", (), ("%0",)),
        Op(
            1,
            "pd_op.conv2d",
            ("%0", "%1"),
            ("%2",),
            {"groups": 1},
            "/Net/Conv2D",
            Kernel("conv2d", "ONEDNN", "", ""),
        ),
        Op(2, "pd_op.while", ("%2",), ("%3",)),
        Op(3, "pd_op.relu", ("%arg_0",), ("%4",), parent=2),
        Op(4, "pd_op.if", ("%4",), (), parent=2),
        Op(5, "cf.yield", ("%4",), (), parent=4),
        Op(6, "pd_op.add", ("%3", "%3"), ("%5",)),
    ),
    {
        "%0": Value("%0", "float32", (-1, 3), "x"),
        "%1": Value("%1", "float32", (64, 3, 7, 7), "conv2d_0.w_0", True),
        "%2": Value("%2", "bfloat16", (-1, 64)),
    },
)


def test_what_a_node_says():
    text = to_dot(GRAPH, marks={1: "altered", 3: "added", 6: "removed"}, title='stage "1"')
    shown = canonical(text)
    assert 'label="~ conv2d\\nConv2D\\nONEDNN\\nparams: conv2d_0.w_0 [64x3x7x7]"' in text
    assert "id=op1, class" not in text and 'id="op1", class="op altered"' in text
    assert 'class="op added"' in text and 'class="op removed"' in text and 'class="op"' in text
    assert 'label="+ relu"' in text and 'label="− add"' in text
    assert "op1 -> op2" in shown and "bfloat16[-1x64]" in shown
    assert shown.count("op2 -> op6") == 2
    assert "op2 -> op3" in shown
    assert "subgraph cluster_op2" in shown and "subgraph cluster_op4" in shown
    assert "param0" not in shown


def test_parameters_as_nodes():
    text = to_dot(GRAPH, parameters=True)
    assert "param0 -> op1" in canonical(text)
    assert "params:" not in text


def test_the_svg_can_be_scripted():
    shown = canonical(to_dot(GRAPH, marks={1: "added"}), "svg")
    assert re.search(r'<g id="op1" class="node op added">', shown)
    assert len(re.findall(r'<g id="op\d+" class="node op', shown)) == len(GRAPH.ops)


@pytest.mark.parametrize("marks", [{7: "added"}, {-1: "added"}, {0: "new"}])
def test_marks_must_fit(marks):
    with pytest.raises(WorkbenchError):
        to_dot(GRAPH, marks=marks)


def test_everything_long_is_shortened():
    long = "n" * 100_000
    values = {long: Value(long, "float32", tuple(range(9000)), long, True)}
    values.update({f"w{n}": Value(f"w{n}", "float32", (2,), f"w{n}" + long, True) for n in range(20)})
    op = Op(
        0,
        f"pd_op.{long}",
        tuple(values),
        (long,),
        {long: [long] * 3},
        f"/{long}",
        Kernel(long, long, long, long),
    )
    text = to_dot(Graph("pir", (op, Op(1, "x", (long,), (), parent=0)), values), title=long, parameters=True)
    canonical(text)
    assert max(len(label) for label in re.findall(r'label="(.*?)"', text)) <= 220
    assert len(max(text.splitlines(), key=len)) < 16_384


def test_deep_nesting_and_odd_parents():
    deep = tuple(Op(n, "pd_op.if", (), (), parent=n - 1 if n else None) for n in range(400))
    text = to_dot(Graph("pir", deep, {}))
    assert text.count("subgraph") == 399
    odd = (Op(0, "x", (), (), parent=1), Op(1, "y", (), (), parent=1), Op(2, "z", (), (), parent=77))
    assert canonical(to_dot(Graph("pir", odd, {}))).count("class=op") == 3


hostile = st.one_of(
    st.text(max_size=30),
    st.text(alphabet='"\\\n\r\t<>&;{}|[]NGElr\0é😀', max_size=12),
    st.sampled_from(
        [
            "<b>x</b>",
            "&lt;",
            "&#0;",
            "\\N",
            "a\\",
            '\\"',
            "node",
            "\ud800",
            "<<table>>",
            "//",
            "/*",
            "\u202etxt\u202c",
            "\u2066x",
        ]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(hostile, min_size=8, max_size=8), st.booleans(), st.sampled_from(["added", "removed", "altered"])
)
def test_hostile_names(names, parameters, mark):
    kind, layer, one, two, attr, title, dtype, kernel = names
    values = {
        one: Value(one, dtype, (1,), two, True),
        two + "'": Value(two + "'", dtype, None, one),
    }
    ops = (
        Op(0, kind, (one,), (two + "'",), {attr: [attr]}, layer, Kernel(kernel, kernel, kernel, kernel)),
        Op(1, kind, (two + "'", one), ("out",), parent=0),
    )
    shown = canonical(
        to_dot(Graph("program", ops, values), marks={0: mark}, title=title, parameters=parameters)
    )
    assert len(re.findall(r"\bop0 -> op1\b", shown)) == 1


def test_a_label_shows_the_name_as_it_is():
    names = ["a\\nb", 'q"q', "a&lt;b", "<i>x</i>", "back\\", "\\N"]
    for name in names:
        shown = canonical(to_dot(Graph("program", (Op(0, name),), {})), "plain")
        node = next(line for line in shown.splitlines() if line.startswith("node"))
        svg = canonical(to_dot(Graph("program", (Op(0, name),), {})), "svg")
        text = re.search(r"<text .*?>(.*?)</text>", svg)
        assert node and text
        plain = text[1].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&#45;", "-")
        assert plain.replace("&amp;", "&").replace("&#160;", " ") == name


@pytest.mark.parametrize("name", ["conv", "attention", "control"])
def test_native_graphs(pir_models: Path, name: str):
    stages = modules((pir_models / f"{name}.onednn.out").read_text())
    first, last = read_pir_text(stages[0][3]), read_pir_text(stages[-1][3])
    found = diff(first, last)
    for graph, marks in ((first, found.marks_before()), (last, found.marks_after())):
        shown = canonical(to_dot(graph, marks=marks))
        assert len(set(re.findall(r"\bid=op\d+\b", shown))) == len(graph.ops)
        assert shown.count('class="op ') == len(marks)


def test_native_program_graph(program_models: Path):
    files = sorted((program_models / "conv.onednn.dumps").glob("*.dot"))
    graph = read_native_dot(files[0].read_text())
    shown = canonical(to_dot(graph, parameters=True))
    assert len(set(re.findall(r"\bid=op\d+\b", shown))) == len(graph.ops)
    assert len(set(re.findall(r"\bid=param\d+\b", shown))) == len(graph.parameters)
