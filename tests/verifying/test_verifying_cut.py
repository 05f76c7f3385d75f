"""A model cut down to some of its ops computes what those ops compute in the whole model."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import models
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import ModelError
from workbench.verifying.cutting import Recorder, cut, select
from workbench.verifying.cutting.record import reference_config
from workbench.verifying.cutting.selection import Wiring

PLAIN = reference_config(InferenceConfig())
SAMPLES = [
    ("digits", "pir"),
    ("digits", "program"),
    ("resnet18", "pir"),
    ("resnet18", "program"),
    ("bert_tiny", "pir"),
]

# A loop, in PIR with a condition and parameters within it.
CONTROL = {
    "pir": """
import sys
import paddle
from paddle import nn
from paddle.static import InputSpec

class Control(nn.Layer):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.two = nn.Conv2D(1, 1, 1)

    def forward(self, x, n):
        x = nn.functional.relu(x + 1.0)
        i = paddle.zeros([1], "int64")
        while i < n:
            if x.mean() > 0.5:
                x = x * self.one.bias - 1.0
            else:
                x = self.two(x.reshape([1, 1, -1, 4])).reshape([-1, 4]) + 2.0
            i = i + 1
        left, right = paddle.split(nn.functional.sigmoid(x), 2, axis=1)
        return paddle.concat([right, left * 2.0, x], axis=1)

paddle.seed(1)
layer = Control()
layer.eval()
specs = [InputSpec([None, 4], "float32", name="x"), InputSpec([1], "int64", name="n")]
paddle.jit.save(paddle.jit.to_static(layer, input_spec=specs, full_graph=True), sys.argv[1])
""",
    "program": """
import os, sys
os.environ["FLAGS_enable_pir_api"] = "0"
import paddle
paddle.enable_static()
x = paddle.static.data("x", [-1, 4], "float32")
n = paddle.static.data("n", [1], "int64")
i = paddle.zeros([1], "int64")
y = paddle.nn.functional.relu(x + 1.0)
weight = paddle.static.create_parameter([4], "float32", name="weight")

def body(i, y):
    return [i + 1, y * weight - 1.0]

i, y = paddle.static.nn.while_loop(lambda i, y: paddle.less_than(i, n), body, [i, y])
left, right = paddle.split(paddle.nn.functional.relu(y), 2, axis=1)
out = paddle.concat([right, left * 2.0, y], axis=1)
exe = paddle.static.Executor()
exe.run(paddle.static.default_startup_program())
paddle.static.save_inference_model(sys.argv[1], [x, n], [out], exe)
""",
}
CONTROL_INPUTS = {"x": np.linspace(-1, 2, 12, dtype="float32").reshape(3, 4), "n": np.array([3])}


def run(model: models.Model, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with Session(model, PLAIN) as session:
        return {name: np.array(array) for name, array in session.run(inputs).items()}


def same(given: np.ndarray, expected: np.ndarray) -> bool:
    return given.dtype == expected.dtype and np.array_equal(
        given, expected, equal_nan=given.dtype.kind == "f"
    )


@pytest.fixture(scope="module")
def whole(
    sample_folder: Callable[..., Path],
) -> Callable[[str, str], tuple[models.Model, dict[str, np.ndarray]]]:
    def load(name: str, layout: str) -> tuple[models.Model, dict[str, np.ndarray]]:
        folder = sample_folder(name, layout)
        return models.load(folder), {key: value[:1] for key, value in models.sample_inputs(folder).items()}

    return load


@pytest.fixture(scope="module", params=["pir", "program"])
def control(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    """A model with a loop."""
    folder = tmp_path_factory.mktemp("control")
    # A file, since Paddle reads the source of what it turns static.
    script = folder / "script.py"
    script.write_text(CONTROL[request.param])
    prefix = folder / "model" / "inference"
    prefix.parent.mkdir()
    done = subprocess.run(
        [sys.executable, str(script), str(prefix)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return models.load(prefix.parent)


@pytest.mark.parametrize(("name", "layout"), SAMPLES)
def test_all_ops_are_the_model_again(whole, tmp_path: Path, name: str, layout: str) -> None:
    model, _ = whole(name, layout)
    again = cut(model, range(model.ops), tmp_path)
    assert again.params_file is not None and model.params_file is not None
    assert again.params_file.read_bytes() == model.params_file.read_bytes()
    assert (again.inputs, again.outputs) == (model.inputs, model.outputs)
    if layout == "pir":
        assert json.loads(again.model_file.read_bytes()) == json.loads(model.model_file.read_bytes())
        return
    graph = model.graph()
    used = {value for op in graph.ops for value in (*op.inputs, *op.outputs)}
    assert again.graph().values == {key: value for key, value in graph.values.items() if key in used}
    for one, other in zip(again.graph().ops, model.graph().ops, strict=True):
        attrs = {key: value for key, value in other.attrs.items() if key != "op_callstack"}
        assert one == replace(other, attrs=attrs) and dict(one.attrs) == attrs


@pytest.mark.parametrize(("name", "layout"), [SAMPLES[1], SAMPLES[2], SAMPLES[4]])
def test_two_halves_one_after_the_other_are_the_whole(whole, tmp_path: Path, name: str, layout: str) -> None:
    """Without any recorded value: what the first half gives is all that the second wants."""
    model, inputs = whole(name, layout)
    graph = model.graph()
    place = random.Random(name).randrange(len(graph.ops) // 4, 3 * len(graph.ops) // 4)
    second = select(graph, range(place, len(graph.ops)))
    made = {value for op in graph.ops[:place] for value in op.outputs}
    wanted = [value for value in second.feeds if value in made and value not in Wiring(graph).fed]
    front = cut(model, range(place), tmp_path / "front", outputs=wanted)
    back = cut(model, range(place, len(graph.ops)), tmp_path / "back")
    between = run(front, {info.name: inputs[info.name] for info in front.inputs})
    known = {**inputs, **between}
    given = run(back, {info.name: known[info.name] for info in back.inputs})
    expected = run(model, inputs)
    assert given.keys() == expected.keys()
    for key, array in expected.items():
        assert same(given[key], array)


@pytest.mark.parametrize(("name", "layout"), SAMPLES)
def test_any_ops_give_what_they_give_in_the_whole_model(
    whole, tmp_path: Path, name: str, layout: str
) -> None:
    model, inputs = whole(name, layout)
    graph = model.graph()
    with Recorder(model, inputs, PLAIN) as recorder:
        assert recorder.record_all()

        @settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def check(data: st.DataObject) -> None:
            ops = sorted(data.draw(st.sets(st.sampled_from(recorder.wiring.work), min_size=1)))
            selection = select(graph, ops)
            part = recorder.cut(selection, tmp_path / str(len(list(tmp_path.iterdir()))))
            assert {op.type for op in part.graph().ops} >= {graph.ops[index].type for index in ops}
            assert len(part.graph().ops) == len(ops) + len(selection.feeds) + len(selection.fetches)
            outputs = run(part, recorder.inputs_of(selection))
            expected = known(recorder, selection.fetches)
            for given_array, array in zip(outputs.values(), expected, strict=True):
                assert same(given_array, array)

        check()


def known(recorder: Recorder, values: tuple[str, ...]) -> list[np.ndarray]:
    """Recorded values, by way of a selection that feeds them."""
    recorder.record(values)
    return [np.load(recorder._files[value]) for value in values]


def test_what_passes_do_to_a_part_stays_within_tolerance(whole, tmp_path: Path) -> None:
    model, inputs = whole("resnet18", "pir")
    with Recorder(model, inputs, PLAIN) as recorder:
        selection = select(model.graph(), range(20, 40))
        part = recorder.cut(selection, tmp_path)
        with Session(part, InferenceConfig(onednn=True)) as session:
            given = list(session.run(recorder.inputs_of(selection)).values())
        for array, expected in zip(given, known(recorder, selection.fetches), strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-4)


def test_chunks_hold_the_memory_limit_and_give_the_same(whole) -> None:
    model, inputs = whole("digits", "pir")
    values = [op.outputs[0] for op in model.graph().ops[1:-1]]
    with (
        Recorder(model, inputs, PLAIN) as one,
        Recorder(model, inputs, PLAIN, memory_limit=20_000) as several,
    ):
        assert one.record_all() and not several.record_all()
        one.record(values)
        several.record(values)
        assert several.runs > one.runs
        for value in values:
            assert same(np.load(one._files[value]), np.load(several._files[value]))


def test_ops_that_hold_others_go_in_whole(control: models.Model, tmp_path: Path) -> None:
    graph = control.graph()
    inner = next(op for op in graph.ops if op.parent is not None)
    with Recorder(control, CONTROL_INPUTS, PLAIN) as recorder:
        top = recorder.wiring.top[inner.index]
        touching = [ops for ops in recorder.wiring.rewritten.values() if top in ops]
        ops = sorted({inner.index}.union(*touching))
        selection = select(graph, ops)
        assert top in selection.ops
        part = recorder.cut(selection, tmp_path / "part")
        kinds = [op.type for op in graph.ops if op.parent is not None]
        assert [op.type for op in part.graph().ops if op.parent is not None] == kinds
        outputs = run(part, recorder.inputs_of(selection))
        for given_array, array in zip(outputs.values(), known(recorder, selection.fetches), strict=True):
            assert same(given_array, array)
        without = select(graph, [index for index in recorder.wiring.work if index not in ops])
        rest = recorder.cut(without, tmp_path / "rest")
        assert all(op.parent is None for op in rest.graph().ops)
        assert run(rest, recorder.inputs_of(without))
    expected = run(control, CONTROL_INPUTS)
    given = run(cut(control, range(len(graph.ops)), tmp_path / "all"), CONTROL_INPUTS)
    assert all(same(given[key], array) for key, array in expected.items())


def test_a_changing_variable_is_not_torn_apart(control: models.Model) -> None:
    value, touching = next(iter(Wiring(control.graph()).rewritten.items()))
    with pytest.raises(ModelError, match=f"'{value}' changes while the model runs: cut all"):
        select(control.graph(), sorted(touching)[1:])


def test_a_list_of_tensors_is_no_input(control: models.Model) -> None:
    graph = control.graph()
    if control.ir == "program":
        return
    reader = next(op for op in graph.ops if op.type == "builtin.split")
    with pytest.raises(ModelError, match=r"is not one tensor: cut the op that makes it, \d+ \(pd_op.split"):
        select(graph, [reader.index])


def test_the_model_may_be_in_any_layout(whole, sample_folder, tmp_path: Path) -> None:
    model, _ = whole("digits", "program")
    ops = range(1, 6)
    expected = cut(model, ops, tmp_path / "program")
    memory = models.from_bytes(model.model_file.read_bytes(), model.params_file.read_bytes())
    for name, other in (
        ("separate", models.load(sample_folder("digits", "separate"))),
        ("combined", models.load(sample_folder("digits", "combined"))),
        ("memory", memory),
    ):
        assert cut(other, ops, tmp_path / name).fingerprint == expected.fingerprint


def test_nothing_of_the_exporting_machine_is_left(whole, tmp_path: Path) -> None:
    model, _ = whole("digits", "program")
    assert b".py" in model.model_file.read_bytes()
    part = cut(model, range(model.ops), tmp_path)
    assert b".py" not in part.model_file.read_bytes()


def test_chosen_outputs_and_shapes(whole, tmp_path: Path) -> None:
    for layout in ("pir", "program"):
        model, _ = whole("digits", layout)
        graph = model.graph()
        relu = [op for op in graph.ops if op.type.endswith("relu")]
        ops = range(relu[0].index + 1, relu[1].index + 1)
        bn = next(op for op in graph.ops[ops.start :] if "batch_norm" in op.type)
        fed = relu[0].outputs[0]
        result = next(value for value in bn.outputs if value in relu[1].inputs)
        part = cut(model, ops, tmp_path / layout, outputs=[result], shapes={fed: (2, 16, 8, 8)})
        assert [info.shape for info in part.inputs] == [(2, 16, 8, 8)]
        assert [info.name for info in part.outputs] == [
            result if layout == "program" else f"value_{result[1:]}"
        ]


@pytest.mark.parametrize(
    ("ops", "outputs", "words"),
    [
        ([99], None, "no op 99: give indices from 0 to 18"),
        ([0], None, "nothing that can be fetched"),
        ([5], ["%1000"], "no value '%1000'"),
        ([5], ["%16"], "'%16' is not made by the ops that are cut"),
    ],
)
def test_mistakes_are_said(whole, tmp_path: Path, ops, outputs, words: str) -> None:
    model, _ = whole("digits", "pir")
    with pytest.raises(ModelError, match=words):
        cut(model, ops, tmp_path, outputs=outputs)


def test_a_folder_that_cannot_be_written_is_said(whole, tmp_path: Path) -> None:
    model, _ = whole("digits", "pir")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="choose another folder"):
        cut(model, [1], tmp_path / "file")
