"""Two failures are the same fault or not, whatever the numbers and names in their words."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import NativeError, TimeLimitError, WorkerDiedError
from workbench.ir import Graph, Op, Value
from workbench.verifying.cutting.selection import Wiring
from workbench.verifying.reduction.checks import compare, failure_of, without_paths
from workbench.verifying.reduction.items import Items
from workbench.verifying.reduction.text import graph_text


def refused(text: str) -> NativeError:
    return NativeError(f"Paddle refused while running the model: {text}")


def test_the_same_refusal_of_another_part_is_the_same_fault() -> None:
    one, same, other = (
        failure_of(refused(text), "running the model")
        for text in (
            "(InvalidArgument) The input 'tmp_3' has shape [1, 16, 8, 8] at 0x7f00aa",
            "(InvalidArgument) The input 'relu_0.tmp_0' has shape [2, 32, 4, 4] at 0x55ee",
            "(InvalidArgument) The output 'tmp_3' has shape [1, 16, 8, 8] at 0x7f00aa",
        )
    )
    assert one.like(same) and not one.like(other)
    assert not one.like(failure_of(refused(one.text), "creating the predictor"))


def test_our_own_advice_is_no_part_of_what_paddle_said() -> None:
    text = "(Unimplemented) ConvertPirAttribute2RuntimeAttribute not support [X]"
    told = NativeError(
        f"Paddle refused while running the model: {text}; a defect of Paddle 3.3.0 and 3.3.1 with oneDNN "
        "(for one, interpolate with a scale factor): switch off onednn_placement_pass, or oneDNN"
    )
    assert failure_of(told, "running the model").text == text


def test_how_and_where_a_process_died_tells_faults_apart() -> None:
    def died(signal: str, name: str | None, line: str) -> WorkerDiedError:
        return WorkerDiedError("the worker died", signal=signal, pass_name=name, log=(line,))

    first = failure_of(died("SIGSEGV", "a_pass", "at /root/one.cc"), "creating the predictor")
    assert first.like(failure_of(died("SIGSEGV", "a_pass", "elsewhere"), "creating the predictor"))
    assert not first.like(failure_of(died("SIGABRT", "a_pass", "at"), "creating the predictor"))
    assert not first.like(failure_of(died("SIGSEGV", "b_pass", "at"), "creating the predictor"))
    assert "in pass a_pass" in first.text and "/root" not in first.text
    hang = failure_of(TimeLimitError("too long"), "running the model")
    assert hang.kind == "hangs" and not hang.like(first)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot open /tmp/a-b/model.json: no", "cannot open model.json: no"),
        ("'/home/me/x/y.pdmodel' is bad", "'y.pdmodel' is bad"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("1/2 of a/b", "1/2 of a/b"),
    ],
)
def test_paths_are_left_out(text: str, left: str) -> None:
    assert without_paths(text) == left


def arrays(*values: float, dtype: str = "float32") -> dict[str, np.ndarray]:
    return {"out": np.array(values, dtype)}


@pytest.mark.parametrize(
    ("given", "expected", "differs"),
    [
        (arrays(1, 2), arrays(1, 2), False),
        (arrays(1, 2.0001), arrays(1, 2), False),
        (arrays(1, 2.01), arrays(1, 2), True),
        (arrays(np.nan, np.inf), arrays(np.nan, np.inf), False),
        (arrays(np.nan), arrays(1), True),
        (arrays(1), arrays(np.nan), True),
        (arrays(-np.inf), arrays(np.inf), True),
        (arrays(np.inf), arrays(3e38), True),
        (arrays(1, 2, dtype="int64"), arrays(1, 2, dtype="int64"), False),
        (arrays(1, 3, dtype="int64"), arrays(1, 2, dtype="int64"), True),
        (arrays(1, dtype="float64"), arrays(1), True),
        (arrays(1, 2), arrays(1), True),
        ({}, arrays(1), True),
    ],
)
def test_outputs_differ_beyond_tolerance(given, expected, differs: bool) -> None:
    assert (compare(given, expected, None, "fp32") is not None) == differs


def test_a_tolerance_of_ones_own() -> None:
    assert compare(arrays(1.5), arrays(1), (0.5, 0), "fp32") is None
    assert compare(arrays(1.5), arrays(1), {"*": (0.4, 0)}, "fp32") is not None
    # What was computed in bfloat16 has its error.
    assert compare(arrays(1.05), arrays(1), None, "bf16") is None


def graph() -> Graph:
    ops = (
        Op(0, "pd_op.data", (), ("%1",), {"name": "x"}),
        Op(1, "pd_op.full", (), ("%2",), {"value": 2.0}),
        Op(2, "pd_op.relu", ("%1",), ("%3",)),
        Op(3, "pd_op.split", ("%3",), ("%4",)),
        Op(4, "pd_op.abs", ("%3",), ("%5",)),
        Op(5, "builtin.split", ("%4",), ("%6", "%7")),
        Op(6, "pd_op.scale", ("%6", "%2"), ("%8",), {"bias": 0.5, "struct_name": "/Layer/"}),
        Op(7, "pd_op.fetch", ("%8",), ("%9",)),
    )
    values = {f"%{number}": Value(f"%{number}", "float32", (-1, 4)) for number in range(1, 10)}
    # A list of tensors.
    values["%4"] = Value("%4", "float32", None)
    return Graph("pir", ops, values)


def test_ops_that_share_a_list_are_one_item_and_constants_come_along() -> None:
    items = Items(Wiring(graph()))
    assert items.items == ((2,), (3, 5), (4,), (6,))
    assert items.ops([(6,)]) == (1, 6)
    assert items.ops([(3, 5), (2,)]) == (2, 3, 5)


def test_a_graph_is_read_line_by_line() -> None:
    lines = graph_text(graph()).splitlines()
    assert lines[0] == "%1 = pd_op.data() {name='x'} : float32[?, 4]"
    assert lines[6] == "%8 = pd_op.scale(%6, %2) {bias=0.5} : float32[?, 4]"
