"""The engines against plain Paddle and against each other, and how outputs are compared."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from workbench import InferenceConfig, models
from workbench.deploy.training.comparison import Comparison, compare, difference
from workbench.deploy.training.engines import Engine, LayerEngine, SessionEngine, TrainingEngine
from workbench.errors import ConfigError, InputError, ModelError, NativeError
from workbench.models import TensorInfo

LAYOUTS = ("pir", "program", "combined", "separate")
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def paddle_stays_as_it_was() -> Iterator[None]:
    flag = "FLAGS_enable_pir_api"
    before = paddle.in_dynamic_mode(), paddle.get_flags(flag), paddle.static.Program
    yield
    assert (paddle.in_dynamic_mode(), paddle.get_flags(flag), paddle.static.Program) == before


# A training run as plain Paddle does it: a network, a few steps, its variables in every form, and its answer.
NETWORK = """
import paddle

def network():
    image = paddle.static.data("image", [None, 1, 8, 8], "float32")
    x = paddle.static.nn.conv2d(image, 4, 3, padding=1)
    x = paddle.static.nn.batch_norm(x, act="relu")
    x = paddle.nn.functional.dropout(x, 0.5)
    scores = paddle.static.nn.fc(x, 10)
    return image, [paddle.nn.functional.softmax(scores), paddle.nn.functional.sigmoid(scores)]
"""
TRAINING = """
import numpy as np, paddle
from paddle import static
from network import network

paddle.enable_static()
with paddle.pir_utils.OldIrGuard():
    main, startup = static.Program(), static.Program()
    with static.program_guard(main, startup), paddle.utils.unique_name.guard():
        image = static.data("image", [None, 1, 8, 8], "float32")
        x = static.nn.conv2d(image, 4, 3, padding=1)
        x = static.nn.batch_norm(x, act="relu")
        x = paddle.nn.functional.dropout(x, 0.5)
        scores = static.nn.fc(x, 10)
        probabilities = paddle.nn.functional.softmax(scores)
        test = main.clone(for_test=True)
        loss = paddle.mean(probabilities[:, 0])
        paddle.optimizer.Adam(0.05).minimize(loss)
    executor = static.Executor()
    executor.run(startup)
    data = np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype("float32")
    for _ in range(3):
        executor.run(main, feed={"image": data}, fetch_list=[loss])
    wanted = executor.run(test, feed={"image": data}, fetch_list=[probabilities, scores])
    np.savez("answer.npz", image=data, probabilities=wanted[0], scores=wanted[1])
    kept = lambda variable: variable.persistable
    static.save_vars(executor, "variables", test, predicate=kept)
    static.save_vars(executor, "with_optimizer", main, predicate=kept)
    static.save_vars(executor, "combined", test, predicate=kept, filename="all")
    static.save(test, "saved/net")
"""


FORMS = ["variables", "with_optimizer", "combined/all", "saved/net", "saved/net.pdparams"]


def plain(*arguments: str, cwd: Path) -> None:
    """Run plain Paddle."""
    ran = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "network.py").write_text(NETWORK)
    (folder / "train.py").write_text(TRAINING)
    plain("train.py", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def network(trained: Path) -> Callable[[], Any]:
    held: dict[str, Any] = {}
    exec(NETWORK, held)
    return held["network"]


@pytest.mark.parametrize("form", FORMS)
def test_the_training_engine_with_a_persistable_model(
    form: str, trained: Path, network: Callable[[], Any]
) -> None:
    with np.load(trained / "answer.npz") as arrays:
        image, probabilities, scores = (arrays[name] for name in ("image", "probabilities", "scores"))
    with TrainingEngine.of_network(network, trained / form) as engine:
        assert engine.name == "training engine, persistable model"
        assert [str(info) for info in engine.inputs] == ["float32 [-1, 1, 8, 8]"]
        found = engine.run({"image": image})
    assert tuple(found) == engine.outputs
    first, second = found.values()
    np.testing.assert_allclose(first, probabilities, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(second, 1 / (1 + np.exp(-scores)), rtol=1e-5)


def test_two_engines_on_four_layouts(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    """Plain paddle.static is what the training engine must agree with, bit for bit."""
    script = """
import sys
import numpy as np, paddle
out, data = sys.argv[1:3]
paddle.enable_static()
image = np.load(data)["image"]
for layout, arguments in {
    "pir": {"path_prefix": "pir/digits/inference"},
    "program": {"path_prefix": "program/digits/inference"},
    "combined": {"path_prefix": "combined/digits", "model_filename": "model", "params_filename": "params"},
    "separate": {"path_prefix": "separate/digits", "model_filename": "__model__"},
}.items():
    guard = paddle.pir_utils.IrGuard() if layout == "pir" else paddle.pir_utils.OldIrGuard()
    with guard:
        executor = paddle.static.Executor(paddle.CPUPlace())
        program, names, fetches = paddle.static.load_inference_model(executor=executor, **arguments)
        np.save(f"{out}/{layout}.npy", executor.run(program, feed={names[0]: image}, fetch_list=fetches)[0])
"""
    folders = [sample_folder("digits", layout) for layout in LAYOUTS]
    inputs = models.sample_inputs(folders[0])
    plain("-c", script, str(tmp_path), str(folders[0] / "inputs.npz"), cwd=folders[0].parent.parent)
    (reference,) = models.reference_outputs("digits")
    config = InferenceConfig(onednn=False, ir_optim=False)
    engines: list[Engine] = [SessionEngine(folders[1], config)]
    engines += [TrainingEngine(folder) for folder in folders]
    engines += [SessionEngine(folder) for folder in folders]
    compared = compare(engines, inputs)
    for layout, outputs in zip(LAYOUTS, compared.outputs[1:5], strict=True):
        assert next(iter(outputs.values())).tobytes() == np.load(tmp_path / f"{layout}.npy").tobytes()
    for outputs in compared.outputs:
        (found,) = outputs.values()
        assert np.abs(found - reference).max() < 1e-5 * np.abs(reference).max()
    assert compared.engines[1] == "training engine, inference model (pir)"
    assert compared.engines[-1] == "inference engine, inference model (separate)"
    assert all(one.within(1e-5) for one in compared.differences)
    for engine in engines:
        engine.close()


def test_models_in_memory_and_apart_from_their_parameters(
    sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    for layout in ("pir", "program"):
        model = models.load(sample_folder("digits", layout))
        inputs = models.sample_inputs(model.path)
        held = models.from_bytes(model.path.read_bytes(), model.params_file.read_bytes())
        shutil.copyfile(model.params_file, tmp_path / f"{layout}.weights")
        apart = models.load(model.path, tmp_path / f"{layout}.weights")
        compared = compare([TrainingEngine(model), TrainingEngine(held), TrainingEngine(apart)], inputs)
        assert all(one.identical for one in compared.differences)


def test_a_layer_runs_as_it_would_for_inference(tmp_path: Path) -> None:
    def make() -> Any:
        return paddle.nn.Sequential(paddle.nn.Linear(4, 3), paddle.nn.Dropout(0.5), paddle.nn.BatchNorm1D(3))

    layer = make()
    x = np.random.default_rng(0).standard_normal((5, 4)).astype("float32")
    layer.eval()
    wanted = layer(paddle.to_tensor(x)).numpy()
    layer.train()
    engine = LayerEngine(layer, [paddle.static.InputSpec([None, 4], "float32", "rows")])
    assert engine.outputs == ()
    assert np.array_equal(engine.run({"rows": x})["output_0"], wanted)
    assert engine.outputs == ("output_0",)
    assert layer.training
    assert engine.inputs == (TensorInfo("rows", "float32", (-1, 4)),)
    paddle.save(layer.state_dict(), str(tmp_path / "w.pdparams"))
    again = LayerEngine(make, ["rows:float32:?,4"], tmp_path / "w.pdparams")
    assert np.array_equal(again.run({"rows": x})["output_0"], wanted)
    paddle.enable_static()
    try:
        assert np.array_equal(engine.run({"rows": x})["output_0"], wanted)
        assert not paddle.in_dynamic_mode()
    finally:
        paddle.disable_static()


def test_after_close_an_engine_starts_again(sample_folder: Callable[..., Path]) -> None:
    inputs = models.sample_inputs(sample_folder("digits"))
    for kind in (SessionEngine, TrainingEngine):
        with kind(sample_folder("digits")) as engine:
            before = engine.run(inputs)
        after = engine.run(inputs)
        engine.close()
        assert [array.tobytes() for array in after.values()] == [array.tobytes() for array in before.values()]


def test_from_several_threads(sample_folder: Callable[..., Path]) -> None:
    """Both IRs and both modes at once: each sets what belongs to the whole process."""
    x = {"x": np.ones((2, 4), "float32")}
    image = models.sample_inputs(sample_folder("digits"))
    tasks = [(TrainingEngine(sample_folder("digits", layout)), image) for layout in ("pir", "program")]
    tasks.append((LayerEngine(paddle.nn.Linear(4, 2), ["x:float32:None,4"]), x))
    wanted = [engine.run(inputs) for engine, inputs in tasks]
    wrong: list[object] = []

    def work(index: int) -> None:
        engine, inputs = tasks[index]
        for _ in range(5):
            try:
                found = engine.run(inputs)
                if any(not np.array_equal(found[name], wanted[index][name]) for name in wanted[index]):
                    wrong.append(engine)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# What is refused


@pytest.mark.parametrize("kind", [SessionEngine, TrainingEngine])
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"imag": np.zeros((1, 1, 8, 8), "float32")}, "unknown input 'imag': did you mean 'image'"),
        ({}, "input 'image' is missing: give"),
        ({"image": np.zeros((1, 1, 8, 8))}, "is float64, the model wants float32: convert"),
        ({"image": np.zeros((1, 8, 8), "float32")}, "has shape 1×8×8, the model wants any×1×8×8: reshape"),
    ],
)
def test_inputs_that_do_not_fit(
    kind: type[Any], inputs: dict[str, Array], message: str, sample_folder: Callable[..., Path]
) -> None:
    with kind(sample_folder("digits")) as engine, pytest.raises(InputError, match=message):
        engine.run(inputs)


def test_a_layer_that_fails_on_its_inputs() -> None:
    engine = LayerEngine(paddle.nn.Linear(4, 2), ["x:float32:None,None"])
    with pytest.raises(NativeError, match=r"the layer cannot run on these inputs: ValueError: .*") as said:
        engine.run({"x": np.zeros((2, 3), "float32")})
    assert "\n" not in str(said.value)


def test_a_gpu_on_a_cpu_build(sample_folder: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="asked to run on a GPU, and this Paddle is a CPU build: choose"):
        TrainingEngine(sample_folder("digits"), device="gpu")
    with pytest.raises(ConfigError, match="device is 'tpu'; give cpu or gpu"):
        TrainingEngine(sample_folder("digits"), device="tpu")  # type: ignore[arg-type]


def _remove(folder: Path) -> None:
    (folder / "fc_0.w_0").unlink()


def _cut(folder: Path) -> None:
    file = folder / "conv2d_0.w_0"
    file.write_bytes(file.read_bytes()[:-5])


def _swap(folder: Path) -> None:
    shutil.copyfile(folder / "fc_0.b_0", folder / "fc_0.w_0")


def _add(folder: Path) -> None:
    shutil.copyfile(folder / "fc_0.b_0", folder / "fc_1.b_0")


def _empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    (folder / "notes.txt").write_text("none")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove, "variables lacks 'fc_0.w_0' of the network's 8 weights: give"),
        (_cut, "conv2d_0.w_0 is cut short .*; copy"),
        (_swap, r"fc_0.w_0 belongs to another model: .*should be float32 \[256, 10\], .* \[10\]; pass"),
        (_add, "variables holds 'fc_1.b_0', which the network does not have: give"),
        (_empty, "variables holds no file of a variable: give the folder"),
    ],
)
def test_variables_that_are_not_the_networks(
    damage: Callable[[Path], None],
    message: str,
    trained: Path,
    network: Callable[[], Any],
    tmp_path: Path,
) -> None:
    shutil.copytree(trained / "variables", tmp_path / "variables")
    damage(tmp_path / "variables")
    with pytest.raises(ModelError, match=message) as said:
        TrainingEngine.of_network(network, tmp_path / "variables")
    assert "\n" not in str(said.value)


def test_files_of_other_forms_that_are_not_the_networks(
    trained: Path, network: Callable[[], Any], tmp_path: Path
) -> None:
    whole = (trained / "combined" / "all").read_bytes()
    (tmp_path / "long").write_bytes(whole + whole[:200])
    (tmp_path / "short").write_bytes(whole[:-7])
    paddle.save({"fc_0.w_0": paddle.ones([2])}, str(tmp_path / "other.pdparams"))
    for file, message in (
        ("long", "long has 200 bytes more than .*; pass"),
        ("short", "short is cut short .*; copy"),
        ("other", "other.pdparams lacks 'batch_norm_0.b_0' and 6 more of the network's 8 weights: give"),
        ("nowhere", "nowhere does not exist: give the folder of save_persistables"),
    ):
        with pytest.raises(ModelError, match=message):
            TrainingEngine.of_network(network, tmp_path / file)


def _nothing() -> None:
    return None


def _raises() -> None:
    raise KeyError("backbone")


def _no_path() -> Any:
    image = paddle.static.data("image", [None, 4], "float32")
    return image, paddle.static.nn.fc(paddle.static.data("other", [None, 4], "float32"), 2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_nothing, r"_nothing returned NoneType: return \(inputs, outputs\)"),
        (_raises, r"_raises could not build its static graph \(KeyError: 'backbone'\): give"),
        (_no_path, "_no_path gives outputs that do not come from its inputs .*: return only"),
    ],
)
def test_a_function_that_is_no_network(function: Callable[[], Any], message: str, trained: Path) -> None:
    with pytest.raises(ModelError, match=message):
        TrainingEngine.of_network(function, trained / "variables")


# Comparing


class Given(Engine):
    """Gives what it was made with."""

    def __init__(self, name: str, **outputs: Any) -> None:
        self.name = name
        self.given = {key: np.asarray(value) for key, value in outputs.items()}

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return (TensorInfo("x", "float32", (-1,)),)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.given)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return self.given

    def close(self) -> None: ...


def _compare(*engines: Engine) -> Comparison:
    return compare(engines, {"x": np.zeros(1, "float32")})


nan, inf = math.nan, math.inf


@pytest.mark.parametrize(
    ("first", "second", "max_abs", "max_rel", "identical"),
    [
        ([1.0, -4.0], [1.0, -4.0], 0.0, 0.0, True),
        ([1.0, -4.0], [1.5, -4.0], 0.5, 0.125, False),
        ([0.0], [-0.0], 0.0, 0.0, False),
        ([0.0, 0.0], [0.0, 0.25], 0.25, None, False),
        ([nan, 2.0], [nan, 3.0], 1.0, 0.5, False),
        ([inf, 2.0], [inf, 2.0], 0.0, 0.0, True),
        (np.float32(3.0), np.ones(1, "float32"), 2.0, 2 / 3, False),
        (np.array([1, 250], "uint8"), np.array([2, 249], "uint8"), 1.0, 1 / 250, False),
        (np.array([True, False]), np.array([True, True]), 1.0, 1.0, False),
        (np.empty((0, 3)), np.empty((0, 3)), 0.0, 0.0, True),
        ([3 + 4j], [3 + 3j], 1.0, 0.2, False),
    ],
)
def test_a_difference(
    first: Any, second: Any, max_abs: float, max_rel: float | None, identical: bool
) -> None:
    found = difference("out", "other", np.asarray(first), np.asarray(second))
    assert (found.max_abs, found.max_rel, found.identical) == (max_abs, max_rel, identical)
    assert found.within(0.0) == (max_abs == 0)
    assert not found.within(max_abs * 0.2 if max_rel is None else max_rel * 0.99) or max_abs == 0


@pytest.mark.parametrize(
    ("first", "second", "remark"),
    [
        ([1.0, 2.0], [1.0, nan], "NaN or infinity in 1 of 2 elements"),
        ([inf, 1.0], [-inf, nan], "NaN or infinity in 2 of 2 elements"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], r"float64 \[3\] where there is float64 \[2\]"),
        ([[1.0]], [1.0], r"float64 \[1\] where there is float64 \[1, 1\]"),
        ([1.0], np.ones(1, "float32"), r"float32 \[1\] where there is float64 \[1\]"),
    ],
)
def test_what_cannot_be_compared(first: Any, second: Any, remark: str) -> None:
    found = difference("out", "other", np.asarray(first), np.asarray(second))
    assert (found.max_abs, found.max_rel) == (None, None)
    assert not found.within(inf)
    assert re.match(remark, found.remark)


def test_facts_and_text() -> None:
    found = _compare(
        Given("a", scores=[1.0, 2.0], label=np.array([3])),
        Given("b", other=[1.0, 2.5], thing=np.array([3])),
        Given("b", other=[1.0, nan], thing=np.array([3])),
    )
    assert found.engines == ("a", "b (1)", "b (2)")
    facts = json.loads(json.dumps(found.facts(), allow_nan=False))
    assert [output["name"] for output in facts["outputs"]] == ["scores", "label"]
    assert facts["outputs"][0]["differences"][0] == {
        "engine": "b (1)",
        "max_abs_diff": 0.5,
        "max_rel_diff": 0.25,
        "identical": False,
        "remark": "",
    }
    assert facts["outputs"][0]["differences"][1]["max_abs_diff"] is None
    text = str(found).splitlines()
    assert text[0] == "scores, float64 2"
    assert re.fullmatch(r"  a +1 2 +compared with", text[1])
    assert re.fullmatch(r"  b \(1\) +1 2\.5 +max difference 0\.5, relative 0\.25", text[2])
    assert re.fullmatch(r"  b \(2\) +1 nan +NaN or infinity in 1 of 2 .*", text[3])
    assert re.fullmatch(r"  b \(1\) +3 +identical", text[6])


def test_too_few_engines_or_outputs() -> None:
    with pytest.raises(InputError, match="1 engine is nothing to compare: give two"):
        _compare(Given("a", out=1.0))
    found = _compare(Given("a", out=1.0, more=2.0), Given("b", out=1.0))
    assert found.remark == "the engines give different numbers of outputs (a: 2, b: 1)"
    assert len(found.differences) == 1
    assert "more" in str(found)
