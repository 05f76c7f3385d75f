"""The per-op profile: which op gave which output, what was planted is found, and real models in both IRs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench.bench import random_inputs
from workbench.bench.profiling import Profile, find_calls, profile
from workbench.core import OutputMoments
from workbench.errors import CancelledError, NativeError, WorkbenchError
from workbench.ir import Graph, Kernel, Op, Value

Folder = Callable[..., Path]
KERNEL = Kernel("kernel", "CPU", "NCHW", "float32")


def chain(count: int) -> Graph:
    """A PIR graph of ops in a row, with what Paddle does not run at its ends."""
    middle = [
        Op(n, f"pd_op.op{n}", (), (f"%{n}",), layer=f"/Net/Block_{n % 2}/Op", kernel=KERNEL)
        for n in range(1, count + 1)
    ]
    ops = (Op(0, "pd_op.data", (), ("%0",), kernel=KERNEL), *middle, Op(count + 1, "builtin.shadow_output"))
    return Graph("pir", ops, {f"%{n}": Value(f"%{n}", "float32", (n, 4)) for n in range(count + 1)})


def told(graph: Graph) -> tuple[str, ...]:
    return tuple(f"{op.type}:{op.index - 1}" for op in graph.ops[1:-1])


def planted(
    ops: tuple[str, ...], ms: np.ndarray, plain_ms: np.ndarray, tail_ms: float, names: tuple[str, ...] = ()
) -> OutputMoments:
    """Moments of runs in which the outputs came ``ms`` apart; one row per run."""
    moments = np.cumsum(ms, axis=1)
    nanoseconds = [
        np.rint(one * 1e6).astype(np.int64) for one in (moments, moments[:, -1] + tail_ms, plain_ms)
    ]
    return OutputMoments(ops, names or tuple(f"v{place}" for place in range(len(ops))), *nanoseconds)


# What was planted is found


def test_times_planted_are_found_as_they_are() -> None:
    graph = chain(4)
    per_run = np.tile([1.0, 0.25, 2.0, 0.5], (21, 1))
    per_run[:, 2] += np.linspace(-0.1, 0.1, 21)
    found = Profile.from_moments(planted(told(graph), per_run, np.full(21, 4.0), 0.25), graph)
    assert [one.text for one in found.ops] == ["3 op3", "1 op1", "4 op4", "2 op2"]
    assert [one.ms for one in found.ops] == pytest.approx([2.0, 1.0, 0.5, 0.25])
    assert [one.raw_ms for one in found.ops] == [one.ms for one in found.ops]
    assert [one.share for one in found.ops] == pytest.approx([0.5, 0.25, 0.125, 0.0625])
    assert (found.plain_ms, found.profiled_ms) == (4.0, 4.0)
    assert (found.ops_ms, found.outside_ms) == pytest.approx((3.75, 0.25))
    # Of 21 values the 6th and the 16th hold the median with 97.3 % (a table of the sign test).
    assert found.ops[0].ci95 == pytest.approx((1.95, 2.05))
    assert found.ops[1].ci95 == pytest.approx((1.0, 1.0))
    assert found.ops[0].shape == (3, 4) and found.ops[0].dtype == "float32"
    assert found.remarks == (
        "the ops account for 3.750 ms of the 4.000 ms (93.8%) of a run without the profiler; "
        "0.250 ms are outside of them",
    )
    assert found.overlay() == pytest.approx({1: 1.0, 2: 0.25, 3: 2.0, 4: 0.5})


def test_overhead_planted_is_found_and_taken_off() -> None:
    graph = chain(4)
    true = np.array([1.0, 0.25, 2.0, 0.001])
    noise = np.random.default_rng(0).normal(0, 0.001, 50)
    per_run = np.tile(true + np.array([0.01, 0.01, 0.01, 0.005]), (50, 1)) + noise[:, None] / 4
    plain = np.full(50, true.sum()) + np.random.default_rng(1).normal(0, 0.001, 50)
    found = Profile.from_moments(planted(told(graph), per_run, plain, 0.005), graph)
    assert found.overhead_ms == pytest.approx(0.04, abs=0.001)
    assert found.overhead_per_output_ms == pytest.approx(0.01, abs=0.0003)
    assert found.overhead_share == pytest.approx(0.04 / true.sum(), abs=0.001)
    low, high = found.overhead_ci95 or (0, 0)
    assert 0.038 < low < found.overhead_ms < high < 0.042
    by_op = {one.index: one for one in found.ops}
    for place, ms in enumerate(true[:3], 1):
        assert by_op[place].ms == pytest.approx(ms, abs=0.002)
        assert by_op[place].raw_ms == pytest.approx(ms + 0.01, abs=0.002)
    # Shorter than the overhead itself: never below nothing.
    assert by_op[4].ms == 0


def test_overhead_that_is_noise_is_not_taken_off() -> None:
    graph = chain(4)
    rng = np.random.default_rng(0)
    per_run = np.tile([1.0, 0.25, 2.0, 0.001], (30, 1)) * rng.normal(1, 0.05, (30, 1))
    found = Profile.from_moments(planted(told(graph), per_run, rng.normal(3.2, 0.4, 30), 0.0), graph)
    assert found.overhead_ci95 is not None and found.overhead_ci95[0] < 0
    assert all(one.ms == one.raw_ms > 0 for one in found.ops)


@pytest.mark.parametrize(
    ("runs", "change", "plain", "said"),
    [
        (20, 1.0, np.full(20, 2.0), "the profiler adds 50% to a run"),
        (20, np.linspace(1, 1.3, 20)[:, None], np.full(20, 3.0), "slower than the first"),
        (20, np.tile([[0.8], [1.2]], (10, 1)), np.full(20, 3.0), "spreads by 40%"),
        (3, 1.0, np.full(3, 3.0), "there are only 3 runs"),
    ],
)
def test_what_speaks_against_a_profile_is_said(runs: int, change: Any, plain: Any, said: str) -> None:
    graph = chain(3)
    found = Profile.from_moments(planted(told(graph), np.ones((runs, 3)) * change, plain, 0.0), graph)
    doubts = [text for text in found.remarks if text.startswith("do not rely")]
    assert len(doubts) == 1
    assert said in doubts[0]


def test_an_overhead_that_is_not_well_known_is_said() -> None:
    graph = chain(3)
    # Every other run has three times the latency: the medians of a few runs may be of either.
    plain = np.tile([2.0, 6.0], 10)
    found = Profile.from_moments(planted(told(graph), np.ones((20, 3)), plain, 0.0), graph)
    (doubt,) = [text for text in found.remarks if text.startswith("do not rely")]
    assert "what the profiler adds to a run is only known to be from -75% to 25% of it" in doubt
    sure = Profile.from_moments(planted(told(graph), np.ones((20, 3)), np.full(20, 2.9), 0.0), graph)
    assert not any("only known to be" in text for text in sure.remarks)


def test_charts_show_the_ops_that_ran() -> None:
    stream = ("pd_op.mean:0", "pd_op.relu:0", "if_instruction:1", "pd_op.exp:2")
    graph = branches("pd_op.relu", "pd_op.tanh")
    found = Profile.from_moments(planted(stream, np.ones((8, 4)), np.full(8, 4.0), 0.0), graph)
    bars = [one for trace in found.chart().data for one in trace.x]
    assert bars == pytest.approx([1.0] * 4)
    (tree,) = found.chart("layers", "dark").data
    assert sorted(label for label, value in zip(tree.labels, tree.values, strict=True) if value) == [
        "0 mean",
        "1 if",
        "2 relu",
        "6 exp",
    ]
    with pytest.raises(WorkbenchError, match="no chart 'pie': choose ops, layers"):
        found.chart("pie")  # type: ignore[arg-type]


def test_the_function_stays_the_function_however_its_package_is_imported() -> None:
    script = (
        "import workbench.bench.profiling.take, workbench.bench.profiling, workbench as wb; "
        "from workbench.bench import Profile, profile; "
        "assert callable(profile) and profile is wb.profile is wb.bench.profile; "
        "assert Profile is workbench.bench.profiling.Profile"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_ops_that_add_up_to_more_than_the_latency() -> None:
    graph = chain(2)
    found = Profile.from_moments(planted(told(graph), np.ones((3, 2)), np.full(3, 1.6), 0.0), graph)
    assert found.outside_ms == pytest.approx(-0.4)
    assert "the ops add up to 2.000 ms, 25.0% more than the 1.600 ms" in found.remarks[0]


def test_ops_together_by_type_and_by_layer() -> None:
    graph = chain(4)
    per_run = np.tile([1.0, 0.25, 2.0, 0.5], (10, 1))
    found = Profile.from_moments(planted(told(graph), per_run, np.full(10, 4.0), 0.25), graph)
    layers = {group.name: (group.ops, group.calls, group.ms) for group in found.by_layer(2)}
    assert layers == {"/Net/Block_1": (2, 2, 3.0), "/Net/Block_0": (2, 2, 0.75)}
    assert [(group.name, group.share) for group in found.by_layer(1)] == [("/Net", 0.9375)]
    assert found.by_layer() == found.by_layer(3)
    assert sum(group.ms for group in found.by_type()) == pytest.approx(found.ops_ms)
    assert "3 op3" in repr(found).splitlines()[1]
    for depth in (0, True, 1.5):
        with pytest.raises(WorkbenchError, match="give a whole number above 0"):
            found.by_layer(depth)  # type: ignore[arg-type]


# Which op gave an output


def test_program_outputs_of_one_name_go_to_the_ops_that_write_it_in_turn() -> None:
    values = {
        "a": Value("a"),
        "b": Value("b"),
        "a(7)": Value("a(7)", name="a"),
        "c": Value("c"),
        "d": Value("d"),
    }
    ops = (
        Op(0, "feed", (), ("x",)),
        Op(1, "relu", ("x",), ("a",)),
        Op(2, "batch_norm", ("a",), ("b", "c")),
        Op(3, "relu", ("b",), ("a(7)",)),
        Op(4, "exp", ("a(7)",), ("d",)),
    )
    graph = Graph("program", ops, {"x": Value("x"), **values})
    stream = [
        ("relu", "a"),
        ("batch_norm", "c"),
        ("batch_norm", "b"),
        ("relu", "a"),
        ("relu", "a"),
        ("tanh", "z"),
    ]
    calls = find_calls(graph, *zip(*stream, strict=True))
    assert [(call.op, call.first, call.last) for call in calls] == [
        (1, 0, 0),
        (2, 1, 2),
        (3, 3, 3),
        (None, 4, 4),
        (None, 5, 5),
    ]
    kinds, names = zip(*stream, strict=True)
    found = Profile.from_moments(planted(kinds, np.ones((8, 6)), np.full(8, 6.0), 0.0, names), graph)
    assert sorted(one.text for one in found.ops) == [
        "1 relu",
        "2 batch_norm",
        "3 relu",
        "? relu a",
        "? tanh z",
    ]
    assert "2 outputs of a run could not be mapped to an op of the final graph (? relu a, ? tanh z)" in repr(
        found
    )
    assert "2.000 ms have rows of their own" in repr(found)


def branches(first: str, second: str) -> Graph:
    ops = (
        Op(0, "pd_op.mean", (), ("%0",), kernel=KERNEL),
        Op(1, "pd_op.if", ("%0",), ("%1",)),
        Op(2, first, (), ("%2",), kernel=KERNEL, parent=1, region=0),
        Op(3, "cf.yield", ("%2",), (), parent=1, region=0),
        Op(4, second, (), ("%4",), kernel=KERNEL, parent=1, region=1),
        Op(5, "cf.yield", ("%4",), (), parent=1, region=1),
        Op(6, "pd_op.exp", ("%1",), ("%6",), kernel=KERNEL),
    )
    return Graph("pir", ops, {f"%{n}": Value(f"%{n}") for n in (0, 1, 2, 4, 6)})


def test_a_branch_is_told_by_its_ops_and_not_guessed() -> None:
    stream = ("pd_op.mean:0", "pd_op.relu:0", "if_instruction:1", "pd_op.exp:2")
    for graph, expected in (
        (branches("pd_op.relu", "pd_op.tanh"), [0, 2, 1, 6]),
        (branches("pd_op.tanh", "pd_op.relu"), [0, 4, 1, 6]),
        (branches("pd_op.relu", "pd_op.relu"), [0, None, 1, 6]),
    ):
        assert [call.op for call in find_calls(graph, stream, "abcd")] == expected
    found = Profile.from_moments(planted(stream, np.ones((8, 4)), np.full(8, 4.0), 0.0), graph)
    assert "could not be mapped to an op of the final graph (? relu:0)" in repr(found)
    assert found.ops_ms == pytest.approx(4.0)
    found = Profile.from_moments(
        planted(stream, np.ones((8, 4)), np.full(8, 4.0), 0.0), branches("pd_op.relu", "pd_op.tanh")
    )
    assert {one.text: one.calls for one in found.ops}["4 tanh"] == 0


def test_outputs_of_ops_that_the_graph_does_not_have_lose_only_themselves() -> None:
    graph = chain(4)
    stream = ("pd_op.op1:0", "pd_op.other:1", "pd_op.op2:1", "strange", "pd_op.op3:2", "pd_op.op4:3")
    assert [call.op for call in find_calls(graph, stream, "abcdef")] == [1, None, 2, None, 3, 4]
    assert find_calls(graph, (), ()) == []


class Executor:
    """Runs a made-up program of nested blocks as PIR's executor does, and notes which op gave each output."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.ops: list[Op] = []
        self.bodies: dict[int, list[list[int]]] = {}
        self.main = self.make(None, 0, 0)
        self.graph = Graph("pir", tuple(self.ops), {f"%{op.index}": Value(f"%{op.index}") for op in self.ops})
        self.seen: list[tuple[str, str, int]] = []
        self.run(self.main)

    def name(self, index: int, output: int) -> str:
        op = self.ops[index]
        return f"0x{op.parent}.{op.region}_inner_var_{index}.{output}"

    def add(self, kind: str, parent: int | None, region: int) -> int:
        index = len(self.ops)
        kernel = KERNEL if kind.startswith("pd_op.op") else None
        self.ops.append(Op(index, kind, (), (f"%{index}",), kernel=kernel, parent=parent, region=region))
        return index

    def make(self, parent: int | None, region: int, depth: int) -> list[int]:
        block = []
        # An op that gives an output begins every block, of another type in each of two branches.
        kinds = ["pd_op.op_first" + "ab"[region]]
        kinds += self.draw(
            st.lists(
                st.sampled_from(
                    [
                        "pd_op.op1",
                        "pd_op.op2",
                        "pd_op.data",
                        "builtin.split",
                        "builtin.combine",
                        "if",
                        "while",
                    ]
                ),
                max_size=5,
            )
        )
        for kind in kinds:
            if kind in ("if", "while"):
                if depth == 3:
                    continue
                index = self.add(f"pd_op.{kind}", parent, region)
                self.bodies[index] = [
                    self.make(index, place, depth + 1) for place in range(2 if kind == "if" else 1)
                ]
            else:
                index = self.add(kind, parent, region)
            block.append(index)
        if parent is not None:
            block.append(self.add("cf.yield", parent, region))
        return block

    def run(self, block: list[int]) -> None:
        number = 0
        for index in block:
            kind = self.ops[index].type
            if kind in ("pd_op.data", "builtin.split"):
                continue
            if kind == "pd_op.if":
                self.run(self.bodies[index][self.draw(st.integers(0, 1))])
            elif kind == "pd_op.while":
                for _ in range(self.draw(st.integers(0, 2))):
                    self.run(self.bodies[index][0])
            if kind in ("pd_op.if", "pd_op.while"):
                self.seen.append((f"{kind[6:]}_instruction:{number}", self.name(index, 0), index))
            elif kind.startswith("pd_op"):
                for output in range(1 + index % 2):
                    self.seen.append((f"{kind}:{number}", self.name(index, output), index))
            number += 1


@given(st.data())
def test_every_output_goes_to_the_op_that_gave_it(data: st.DataObject) -> None:
    ran = Executor(data.draw)
    texts, names, expected = zip(*ran.seen, strict=True)
    calls = find_calls(ran.graph, texts, names)
    found = [call.op for call in calls for _ in range(call.first, call.last + 1)]
    assert found == list(expected)
    assert [place for call in calls for place in range(call.first, call.last + 1)] == list(range(len(texts)))


# Real models

HOOKED = """
import json, sys
import numpy as np, paddle.inference as inference
out, *jobs = sys.argv[1:]
found = []
for job in jobs:
    model, params, inputs = job.split("|")
    predictor = inference.create_predictor(inference.Config(model, params))
    for name, data in np.load(inputs).items():
        handle = predictor.get_input_handle(name)
        handle.reshape(list(data.shape))
        handle.copy_from_cpu(data)
    seen = []
    predictor.register_output_hook(lambda op, name, tensor: seen.append(op))
    predictor.run()
    found.append(seen)
json.dump(found, open(out, "w"))
"""
MODELS = [(name, ir) for name in ("digits", "bert_tiny", "mobilenet_v3_small") for ir in ("pir", "program")]


@pytest.fixture(scope="module")
def hooked(
    sample_folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], list[str]]:
    """What plain Paddle's own hook is told, in one process for all models."""
    folder = tmp_path_factory.mktemp("hooked")
    jobs = []
    for name, ir in MODELS:
        model = wb.load(sample_folder(name, ir))
        save: Any = np.savez
        save(folder / f"{name}-{ir}.npz", **random_inputs(model))
        jobs.append(f"{model.model_file}|{model.params_file}|{folder / f'{name}-{ir}.npz'}")
    subprocess.run([sys.executable, "-c", HOOKED, folder / "seen", *jobs], check=True, capture_output=True)
    return dict(zip(MODELS, json.loads((folder / "seen").read_text()), strict=True))


@pytest.mark.parametrize(("name", "ir"), MODELS)
def test_ops_are_those_that_paddle_ran(
    hooked: dict[tuple[str, str], list[str]], sample_folder: Folder, name: str, ir: str
) -> None:
    trace = wb.trace(sample_folder(name, ir))
    found = profile(trace, seconds=0.4, count=8)
    graph = trace[-1].graph
    assert 1 <= found.runs <= 8
    seen = hooked[name, ir]
    assert found.outputs == sum(one.outputs for one in found.ops) == len(seen)
    assert all(one.index is not None and one.type == graph.ops[one.index].type for one in found.ops)
    # In PIR a number tells two ops of a type apart; Program IR's graph says itself how many there are.
    ran = Counter(text.rpartition(":")[0] for text in dict.fromkeys(seen)) if ir == "pir" else None
    idle = {"feed", "fetch", "pd_op.data", "builtin.shadow_output"}
    listed = Counter(op.type for op in graph.ops if op.type not in idle)
    assert Counter(one.type for one in found.ops) == listed == (ran or listed)
    assert {one.type for one in found.ops} == {text.rpartition(":")[0] or text for text in seen}
    assert all(one.calls == 1 for one in found.ops)
    assert found.overlay().keys() == {op.index for op in graph.ops if op.type not in idle}
    layers = trace.lineage.layers_of(len(trace) - 1)
    assert all(one.layer == layers[one.index or 0] for one in found.ops)
    shown = wb.view(trace)
    shown.overlay("latency", found.overlay(), stage=len(trace) - 1, unit="ms")
    assert shown.overlays[0]["values"] == list(found.overlay().values())
    trace.session.close()
    trace.close()


CONTROL = """
import sys
import paddle
from paddle.static import InputSpec


class Control(paddle.nn.Layer):
    def forward(self, x, n):
        i = paddle.zeros([1], "int64")
        while i < n:
            if x.mean() > 0:
                x = paddle.exp(x) * 0.1
            else:
                x = paddle.tanh(x) - 1.0
            i = i + 1
        left, right = paddle.split(x, 2, axis=1)
        return paddle.concat([right, left], axis=1), i


layer = paddle.jit.to_static(
    Control(),
    input_spec=[InputSpec([None, 4], "float32", "x"), InputSpec([1], "int64", "n")],
    full_graph=True,
)
paddle.jit.save(layer, sys.argv[1])
"""


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop with a branch in it."""
    folder = tmp_path_factory.mktemp("control")
    script = folder / "script.py"  # Paddle reads the source of what it makes static
    script.write_text(CONTROL)
    subprocess.run([sys.executable, script, folder / "control"], check=True, capture_output=True)
    return folder / "control.json"


@pytest.mark.parametrize(("sign", "trips"), [(1, 3), (-1, 2), (1, 0)])
def test_ops_of_a_loop_are_called_as_often_as_it_turns(control: Path, sign: int, trips: int) -> None:
    inputs = {"x": np.full((1, 4), sign, np.float32), "n": np.array([trips])}
    found = profile(control, wb.InferenceConfig(onednn=False), inputs, seconds=0.2, count=8)
    calls = {one.type.partition(".")[2].rstrip("_"): one.calls for one in found.ops}
    assert calls["while"] == calls["concat"] == 1
    assert calls["mean"] == trips
    assert (calls["exp"], calls["tanh"]) == ((trips, 0) if sign > 0 else (0, trips))
    assert sum(one.outputs for one in found.ops) == found.outputs
    assert all(one.index is not None for one in found.ops)
    assert "1 op gives no output that the profiler sees" in repr(found)
    assert "split" in repr(found)


def test_inputs_of_another_trip_count_are_profiled_in_the_same_session(control: Path) -> None:
    with wb.Session(control, wb.InferenceConfig(onednn=False)) as session:
        trace = wb.trace(session)
        for trips in (1, 4, 2):
            inputs = {"x": np.ones((1, 4), np.float32), "n": np.array([trips])}
            found = profile(trace, None, inputs, seconds=0.1, count=4)
            calls = {one.type.partition(".")[2].rstrip("_"): one.calls for one in found.ops}
            assert (calls["exp"], calls["mean"], calls["while"]) == (trips, trips, 1)
            assert all(one.index is not None for one in found.ops)
        trace.close()


CHANCE = """
import sys
import paddle
from paddle.static import InputSpec


class Chance(paddle.nn.Layer):
    def forward(self, x):
        if paddle.rand([1]) > 0.5:
            x = paddle.exp(paddle.exp(x))
        else:
            x = paddle.tanh(x)
        return x + 1.0


layer = paddle.jit.to_static(Chance(), input_spec=[InputSpec([None, 4], "float32", "x")], full_graph=True)
paddle.jit.save(layer, sys.argv[1])
"""


def test_ops_that_differ_from_run_to_run_are_said(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(CHANCE)
    subprocess.run([sys.executable, script, tmp_path / "chance"], check=True, capture_output=True)
    with pytest.raises(NativeError, match=r"ops run differs from run to run; give inputs .* outputs came in"):
        profile(tmp_path / "chance.json", seconds=0.5)


def test_a_profile_is_cancelled_and_tells_how_far_it_is(sample_folder: Folder) -> None:
    cancel = threading.Event()
    shares: list[float] = []

    def tell(share: float, text: str) -> None:
        shares.append(share)
        if text.startswith("profiling"):
            cancel.set()

    with pytest.raises(CancelledError):
        profile(sample_folder("digits", "pir"), seconds=30, progress=tell, cancel=cancel)
    assert shares == sorted(shares)
    with pytest.raises(CancelledError):
        profile(sample_folder("digits", "pir"), cancel=cancel)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seconds": 0}, "seconds is 0: give a number above 0"),
        ({"seconds": float("nan")}, "seconds is nan: give a number above 0"),
        ({"count": 0}, "count is 0: give a whole number above 0"),
        ({"count": True}, "count is True: give a whole number above 0"),
        ({"config": "fast"}, "give an InferenceConfig"),
        ({"inputs": {"other": 1}}, "other"),
    ],
)
def test_mistakes(sample_folder: Folder, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        profile(sample_folder("digits", "pir"), **arguments)


def test_no_runs_make_no_profile() -> None:
    empty = OutputMoments((), (), np.empty((0, 0), np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
    with pytest.raises(WorkbenchError, match="there are no runs"):
        Profile.from_moments(empty, chain(1))
