"""Layers exported in every layout, conversions between layouts, and what is refused."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn
from plain_predictors import Arrays, predict

from workbench.deploy.training.conversion import convert
from workbench.deploy.training.engines import LayerEngine
from workbench.deploy.training.export import check_export, export_layer
from workbench.errors import InputError, ModelError

LAYOUTS = ("pir", "program", "combined", "separate")


class Residual(nn.Layer):
    """A layer of the user's own within another; BatchNorm and dropout differ in training."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2D(4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        return x + self.dropout(nn.functional.relu(self.norm(self.conv(x))))


class Convolutional(nn.Layer):
    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 4, 3)
        self.block = Residual()
        self.gate = nn.Linear(4, 4)
        self.head = nn.Linear(4, classes)

    def forward(self, image: Any) -> Any:
        # Kept from call to call, as layers for debugging do.
        self.seen = self.block(self.stem(image)).mean(axis=[2, 3])
        return self.head(self.seen * nn.functional.sigmoid(self.gate(self.seen)))


class Attention(nn.Layer):
    """Two inputs and two outputs, with the functions that Paddle 3.3 lost for Program IR."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu")
        self.pooler = nn.Linear(8, 3)

    def forward(self, x: Any, mask: Any) -> Any:
        encoded = self.encoder(x, mask.unsqueeze([1, 2]))
        return paddle.tanh(self.pooler(encoded[:, 0])), paddle.sum(encoded.abs(), axis=-1)


class Recurrent(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 4)

    def forward(self, x: Any) -> Any:
        return self.lstm(x)[0]


class Branching(nn.Layer):
    """An integer input, a scalar one, and one that may be left out."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.linear = nn.Linear(4, 2)

    def forward(self, ids: Any, weight: Any, bias: Any = None) -> Any:
        y = self.linear(self.table(ids).sum(axis=1)) * weight
        return y if bias is None else y + bias


def random(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).standard_normal(shape).astype("float32")


# Layer, its inputs as a user says them, and arrays for them.
LAYERS: dict[str, tuple[type[Any], list[Any], Arrays]] = {
    "convolutional": (Convolutional, ["image:float32:None,3,8,8"], {"image": random(4, 3, 8, 8)}),
    "attention": (
        Attention,
        [("x", "float32", [None, None, 8]), "mask:float32:?x?"],
        {"x": random(2, 5, 8), "mask": random(2, 5)},
    ),
    "recurrent": (Recurrent, [paddle.static.InputSpec([None, None, 6])], {"x": random(3, 7, 6)}),
    "branching": (
        Branching,
        ["ids:int64:batch,3", "weight:float32:[]"],
        {"ids": np.array([[1, 2, 3], [4, 5, 9]]), "weight": random()},
    ),
}
EXPORTS = [
    *(("convolutional", layout, softmax) for layout in LAYOUTS for softmax in (False, True)),
    *(("attention", layout, False) for layout in ("pir", "program", "separate")),
    *(("recurrent", layout, False) for layout in ("pir", "program", "combined")),
    *(("branching", layout, True) for layout in ("pir", "program")),
]


def make(name: str) -> Any:
    """A layer in training mode, with BatchNorm statistics that are not the initial ones."""
    paddle.seed(7)
    layer = LAYERS[name][0]()
    for part in layer.sublayers():
        if isinstance(part, nn.BatchNorm2D):
            part._mean.set_value(paddle.rand([4]))
            part._variance.set_value(paddle.rand([4]) + 0.5)
    return layer


def answer(layer: Any, inputs: Arrays, softmax: bool = False) -> list[np.ndarray[Any, Any]]:
    """What a layer gives in plain dynamic mode, for inference."""
    layer.eval()
    with paddle.no_grad():
        given = layer(*[paddle.to_tensor(array) for array in inputs.values()])
    layer.train()
    outputs = list(given) if isinstance(given, (tuple, list)) else [given]
    return [(nn.functional.softmax(output) if softmax else output).numpy() for output in outputs]


def close(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> None:
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.fixture(autouse=True)
def paddle_stays_as_it_was() -> Iterator[None]:
    flag = "FLAGS_enable_pir_api"
    before = paddle.in_dynamic_mode(), paddle.get_flags(flag), paddle.static.Program
    yield
    assert (paddle.in_dynamic_mode(), paddle.get_flags(flag), paddle.static.Program) == before


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, bool], Any]:
    """By export: the model, what the layer gives and what plain Paddle gives."""
    jobs, wanted = [], []
    for name, layout, softmax in EXPORTS:
        layer, (_, specs, inputs) = make(name), LAYERS[name]
        folder = tmp_path_factory.mktemp(name) / "out"
        jobs.append((export_layer(layer, folder, specs, layout=layout, softmax=softmax), inputs))
        wanted.append(answer(layer, inputs, softmax))
    found = predict(jobs)
    return {
        export: (model, *both) for export, (model, _), *both in zip(EXPORTS, jobs, wanted, found, strict=True)
    }


@pytest.mark.parametrize("export", EXPORTS)
def test_plain_paddle_gives_with_the_export_what_the_layer_gives(
    export: tuple[str, str, bool], exported: dict[tuple[str, str, bool], Any]
) -> None:
    name, layout, _ = export
    model, wanted, found = exported[export]
    assert (model.layout, model.ir) == (layout, "pir" if layout == "pir" else "program")
    assert [info.name for info in model.inputs] == list(LAYERS[name][2])
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        close(one, other)


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("pir", {"inference.json", "inference.pdiparams"}),
        ("program", {"inference.pdmodel", "inference.pdiparams", "inference.pdiparams.info"}),
        ("combined", {"model", "params"}),
    ],
)
def test_the_files_are_those_of_the_documents(
    layout: str, names: set[str], exported: dict[tuple[str, str, bool], Any]
) -> None:
    model = exported["convolutional", layout, False][0]
    assert {file.name for file in model.path.parent.iterdir()} == names


def test_the_separate_layout_has_a_file_per_parameter(exported: dict[tuple[str, str, bool], Any]) -> None:
    model = exported["convolutional", "separate", False][0]
    names = {file.name for file in model.path.parent.iterdir()}
    assert "__model__" in names
    assert len(names) == 1 + len(make("convolutional").state_dict())


def test_an_open_batch_is_open_and_a_closed_size_closed(exported: dict[tuple[str, str, bool], Any]) -> None:
    model = exported["attention", "program", False][0]
    assert [info.shape for info in model.inputs] == [(-1, -1, 8), (-1, -1)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["convolutional", "attention"])
def test_the_layer_is_left_as_it_was(name: str, layout: str, tmp_path: Path) -> None:
    layer, (_, specs, inputs) = make(name), LAYERS[name]
    first = next(iter(layer.children()))
    first.eval()  # a layer frozen in part
    state = {key: value.numpy().copy() for key, value in layer.state_dict().items()}

    def look() -> list[tuple[Any, ...]]:
        return [
            (part, part.training, "forward" in vars(part), set(vars(part)), set(part._buffers))
            for part in layer.sublayers(include_self=True)
        ]

    before = look()
    model = export_layer(layer, tmp_path / "out", specs, layout=layout)
    assert look() == before
    check_export(model, layer, inputs)
    assert look() == before
    assert all(np.array_equal(value.numpy(), state[key]) for key, value in layer.state_dict().items())
    loss = sum(
        output.mean() for output in paddle.utils.flatten(layer(*map(paddle.to_tensor, inputs.values())))
    )
    loss.backward()  # it can be trained on
    assert all(part.weight.grad is not None for part in layer.sublayers() if isinstance(part, nn.Linear))


def test_from_static_mode_and_back(tmp_path: Path) -> None:
    layer = make("convolutional")
    wanted = answer(layer, LAYERS["convolutional"][2])
    paddle.enable_static()
    try:
        model = export_layer(layer, tmp_path / "out", LAYERS["convolutional"][1], layout="program")
        verdict = check_export(model, layer, LAYERS["convolutional"][2])
        assert not paddle.in_dynamic_mode()
    finally:
        paddle.disable_static()
    assert verdict.passed
    close(verdict.comparison.outputs[0]["output_0"], wanted[0])


def test_a_layer_from_its_class_with_weights_from_a_file(tmp_path: Path) -> None:
    trained, (kind, specs, inputs) = make("convolutional"), LAYERS["convolutional"]
    paddle.save(trained.state_dict(), str(tmp_path / "trained.pdparams"))
    model = export_layer(kind, tmp_path / "out", specs, weights=tmp_path / "trained.pdparams", name="net")
    assert model.path == tmp_path / "out" / "net.json"
    verdict = check_export(model, trained, inputs)
    assert verdict.passed
    close(verdict.comparison.outputs[1]["fetch_name_0"], answer(trained, inputs)[0])


def test_a_layer_that_is_static_already(tmp_path: Path) -> None:
    layer = paddle.jit.to_static(make("convolutional"))
    forward = layer.forward
    model = export_layer(layer, tmp_path / "out", LAYERS["convolutional"][1])
    assert layer.forward is forward
    assert check_export(model, make("convolutional"), LAYERS["convolutional"][2]).passed


@pytest.mark.parametrize("layout", ["pir", "program", "separate"])
def test_a_layer_without_parameters(layout: str, tmp_path: Path) -> None:
    model = export_layer(nn.Sigmoid(), tmp_path / "out", ["x:float32:None,4"], layout=layout)
    x = random(2, 4)
    verdict = check_export(model, nn.Sigmoid(), {"x": x})
    assert verdict.passed
    np.testing.assert_allclose(next(iter(verdict.comparison.outputs[1].values())), 1 / (1 + np.exp(-x)), 1e-6)


class Failing(nn.Layer):
    def forward(self, x: Any) -> Any:
        raise ValueError("the wheels came off")


class Unused(nn.Layer):
    def forward(self, x: Any, y: Any) -> Any:
        return x * 2.0


class InPlace(nn.Layer):
    """Uses the one lost function that a static graph has nothing for."""

    def forward(self, x: Any) -> Any:
        return x.index_put_([paddle.zeros([1], "int64")], paddle.ones([1, 4]))


class Once(nn.Layer):
    """Keeps a tensor from call to call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        self.kept = self.linear(x)
        return self.kept + 1.0


def used(layer: Any) -> Any:
    layer(paddle.ones([1, 4]))
    return layer


X = ["x:float32:None,4"]
REFUSED: dict[str, tuple[Callable[[], Any], list[Any], dict[str, Any], str]] = {
    "no layer": (
        lambda: 3,
        X,
        {},
        "int is no layer: give a paddle.nn.Layer, its class",
    ),
    "a function that makes none": (lambda: dict, X, {}, "dict is no layer: give"),
    "a class with arguments": (
        lambda: nn.Linear,
        X,
        {},
        r"Linear could not make a layer \(TypeError: .*\): give",
    ),
    "forward raises": (
        Failing,
        X,
        {},
        r"Failing cannot be turned static .*wheels came off\): mend its forward",
    ),
    "forward raises, Program IR": (
        Failing,
        X,
        {"layout": "separate"},
        r"Failing cannot be turned into Program IR .*wheels came off\): export it in the layout pir",
    ),
    "not in Program IR": (
        InPlace,
        X,
        {"layout": "program"},
        r"cannot be turned into Program IR .*layout pir",
    ),
    "an input nobody uses": (
        Unused,
        [*X, "y:float32:None,4"],
        {"layout": "program"},
        "Unused does not use its input 'y': export it without",
    ),
    "an input nobody uses, PIR": (
        Unused,
        [*X, "y:float32:None,4"],
        {},
        "Unused does not use one of its inputs",
    ),
    "a tensor kept": (lambda: used(Once()), X, {}, "keeps a tensor of an earlier call in an attribute: "),
    "softmax of two": (
        lambda: make("attention"),
        LAYERS["attention"][1],
        {"softmax": True},
        "the layer has 2 outputs: give a layer with one",
    ),
    "too few inputs": (Unused, X, {}, r"Unused takes 2 \(x, y\) and 1 inputs are given: give one for each"),
    "wrong rank": (lambda: nn.Conv2D(3, 4, 3), X, {}, "4-D or 5-D Tensor.*or the inputs"),
    "no inputs": (nn.Sigmoid, [], {}, "no inputs are given: give one per input"),
    "inputs as one text": (nn.Sigmoid, "x:float32:4", {}, "inputs are 'x:float32:4': give a list"),
    "input without dtype": (nn.Sigmoid, ["x:4"], {}, "'x:4' is not NAME:DTYPE:SHAPE: write"),
    "input of no dtype": (nn.Sigmoid, ["x:float:4"], {}, "has the dtype 'float': give one of bool"),
    "input of no size": (
        nn.Sigmoid,
        ["x:float32:4,-2"],
        {},
        "has the size '-2': give a whole number from 1 to",
    ),
    "input of a huge size": (
        nn.Sigmoid,
        [f"x:float32:{1 << 31}"],
        {},
        "has the size '2147483648': give a whole number from 1 to 2,147,483,647",
    ),
    "input of no name": (nn.Sigmoid, [":float32:4"], {}, "has no name: give one"),
    "input twice": (Unused, X * 2, {}, "'x' is given twice: give every input"),
    "input of nothing": (nn.Sigmoid, [3], {}, "3 says no input: give its name"),
    "no such layout": (nn.Sigmoid, X, {"layout": "onnx"}, "no layout 'onnx': choose one of pir"),
    "no file name": (nn.Sigmoid, X, {"name": "a/b"}, "'a/b' is no file name: give"),
    "no weights file": (
        nn.Sigmoid,
        X,
        {"weights": "none.pdparams"},
        "none.pdparams cannot be read .*: check",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_nothing_behind(case: str, tmp_path: Path) -> None:
    layer, inputs, options, message = REFUSED[case]
    with pytest.raises((ModelError, InputError), match=message) as said:
        export_layer(layer(), tmp_path / "out", inputs, **options)
    assert "\n" not in str(said.value)
    assert list(tmp_path.iterdir()) == []


class Runs:
    """Unpickled by a careless reader, this writes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def _state(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        state = dict(nn.Linear(4, 2).state_dict())
        paddle.save(change(state), str(file))

    return write


WEIGHTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "of another shape": (
        _state(lambda state: {**state, "weight": paddle.ones([4, 3])}),
        r"'weight' should be float32 \[4, 2\], but the file has float32 \[4, 3\]; give",
    ),
    "of another dtype": (
        _state(lambda state: {**state, "bias": paddle.ones([2], "float64")}),
        r"'bias' should be float32 \[2\], but the file has float64 \[2\]; give",
    ),
    "one missing": (
        _state(lambda state: {"weight": state["weight"]}),
        "lacks 'bias' of the layer's 2 weights: give",
    ),
    "one too many": (
        _state(lambda state: {**state, "gate": paddle.ones([1])}),
        "holds 'gate', which the layer does not have: give",
    ),
    "of another layer": (
        lambda file: paddle.save(nn.BatchNorm1D(2).state_dict(), str(file)),
        r"has '_mean' and 1 more|lacks|holds '_mean' and 1 more",
    ),
    "a checkpoint of more": (
        lambda file: paddle.save({"model": nn.Linear(4, 2).state_dict(), "epoch": 3}, str(file)),
        "holds .* under 'model', not weights by name: save layer.state_dict",
    ),
    "a list": (
        lambda file: file.write_bytes(pickle.dumps([1, 2])),
        "holds a list, not weights by name: save",
    ),
    "cut short": (
        lambda file: (_state(dict.copy)(file), file.write_bytes(file.read_bytes()[:-40])),
        "damaged .*: (copy|save)",
    ),
    "text": (lambda file: file.write_text("weights"), "damaged .*: (copy|save)"),
    "empty": (lambda file: file.touch(), "damaged .*: (copy|save)"),
    "code": (
        lambda file: file.write_bytes(pickle.dumps(Runs())),
        r"holds more than weights \(pathlib.*\): save",
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_are_not_the_layers(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write, message = WEIGHTS[case]
    write(Path("w.pdparams"))
    layer = nn.Linear(4, 2)
    before = layer.weight.numpy().copy()
    with pytest.raises(ModelError, match=message) as said:
        export_layer(layer, "out", X, weights="w.pdparams")
    assert "\n" not in str(said.value)
    assert [file.name for file in tmp_path.iterdir()] == ["w.pdparams"]
    assert np.array_equal(layer.weight.numpy(), before)


def test_a_folder_that_is_not_free(tmp_path: Path) -> None:
    layer = nn.Linear(4, 2)
    folder = tmp_path / "out"
    export_layer(layer, folder, X, layout="program")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for options, message in (
        (
            {"layout": "program"},
            "already holds inference.pdmodel: choose another folder, or overwrite it",
        ),
        ({"layout": "pir"}, r"already holds another model \(inference.pdmodel\): choose another folder"),
        ({"layout": "program", "name": "other", "overwrite": True}, r"another model \(inference.pdmodel\)"),
    ):
        with pytest.raises(ModelError, match=message):
            export_layer(layer, folder, X, **options)
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="file is a file: give a folder"):
        export_layer(layer, tmp_path / "file", X)
    with pytest.raises(ModelError, match=r"cannot be written .*: choose another folder"):
        export_layer(layer, tmp_path / "file" / "out", X)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    layer.bias.set_value(paddle.ones([2]))
    assert check_export(
        export_layer(layer, folder, X, layout="program", overwrite=True), layer, ones(4)
    ).passed
    # The new model has no third file, and no parameters: those of the old one must not stay.
    convert(
        export_layer(nn.Sigmoid(), tmp_path / "new", X, layout="program"), folder, "program", overwrite=True
    )
    assert {file.name for file in folder.iterdir()} == {"inference.pdmodel", "inference.pdiparams"}


def ones(size: int) -> Arrays:
    return {"x": np.ones((2, size), "float32")}


# Acceptance


def test_exporting_again_and_again_after_a_refusal(tmp_path: Path) -> None:
    """Paddle crashes over parameters it remembers of freed programs, so this has a process of its own."""
    script = tmp_path / "again.py"  # A file: Paddle reads the sources of what it turns static.
    lines = textwrap.dedent(
        """
        import gc, sys
        from paddle import nn
        from workbench.deploy import export_layer
        from workbench.errors import ModelError
        from workbench.models import read_params

        class Unfinished(nn.Layer):
            def __init__(self):
                super().__init__()
                self.part = nn.Linear(4, 2)

            def forward(self, x):
                self.part(x)
                raise ValueError("not yet")

        refused = 0
        for turn in range(20):
            try:
                export_layer(Unfinished(), f"{sys.argv[1]}/{turn}", ["x:float32:None,4"])
            except ModelError:
                refused += 1
            gc.collect()
            layer = nn.Linear(4, 2)
            model = export_layer(layer, f"{sys.argv[1]}/{turn}", ["x:float32:None,4"])
            assert set(read_params(model)) == {layer.weight.name, layer.bias.name}
        assert refused == 20
        """
    )
    script.write_text(lines)
    command = [sys.executable, str(script), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_acceptance_says_why(tmp_path: Path) -> None:
    layer = nn.Linear(4, 2)
    model = export_layer(layer, tmp_path / "out", X, layout="program")
    verdict = check_export(model, layer, ones(4))
    assert verdict.passed
    assert verdict.files == ("inference.pdiparams", "inference.pdiparams.info", "inference.pdmodel")
    assert re.match("passed: 3 files are there, and the outputs ", str(verdict))
    layer.bias.set_value(layer.bias + 0.5)
    after = check_export(model, layer, ones(4))
    largest = np.abs(answer(layer, ones(4))[0]).max()
    assert not after.passed
    assert after.comparison.differences[0].max_abs == pytest.approx(0.5, rel=1e-5)
    assert after.comparison.differences[0].max_rel == pytest.approx(0.5 / largest, rel=1e-5)
    assert re.search(
        "output 'output_0' differs by .* of its largest magnitude, allowed is 1e-05", after.reason
    )
    assert check_export(model, layer, ones(4), tolerance=1.01 * 0.5 / largest).passed
    (tmp_path / "out" / "inference.pdiparams.info").unlink()
    assert "inference.pdiparams.info is not there" in check_export(model, layer, ones(4)).reason
    (tmp_path / "out" / "inference.pdiparams").unlink()
    missing = check_export(tmp_path / "out", layer, ones(4))
    assert not missing.passed
    assert "inference.pdiparams does not exist" in missing.reason


def test_acceptance_of_a_model_with_another_number_of_outputs(tmp_path: Path) -> None:
    model = export_layer(nn.Linear(4, 2), tmp_path / "out", X)

    class Both(nn.Layer):
        def forward(self, x: Any) -> Any:
            return x, x

    verdict = check_export(model, Both(), ones(4))
    assert not verdict.passed
    assert re.match("the engines give different numbers of outputs .*: 2, .*: 1", verdict.reason)


def test_acceptance_of_outputs_that_cannot_be_compared(tmp_path: Path) -> None:
    class Zeros(nn.Layer):
        def forward(self, x: Any) -> Any:
            return paddle.zeros_like(x)

    model = export_layer(nn.Linear(4, 4), tmp_path / "out", X)
    wider = check_export(model, nn.Linear(4, 5), ones(4))
    said = "output 'output_0' cannot be compared (float32 [2, 4] where there is float32 [2, 5])"
    assert wider.reason.startswith(said)
    zeros = check_export(model, Zeros(), ones(4))
    assert re.match("output 'output_0' differs by .* where there are zeros alone, allowed is", zeros.reason)


def test_acceptance_of_a_softmax_that_was_added_or_not(tmp_path: Path) -> None:
    layer = nn.Linear(4, 2)
    model = export_layer(layer, tmp_path / "out", X, softmax=True)
    assert check_export(model, layer, ones(4), softmax=True).passed
    assert not check_export(model, layer, ones(4)).passed
    with LayerEngine(layer, X, softmax=True) as engine:
        assert check_export(model, engine, ones(4)).passed
