"""What we read off the files is what Paddle says of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench import models

Native = Callable[..., dict[str, Any]]
Answer = Callable[[str, str], dict[str, Any]]
NAMES = ("digits", "resnet18", "mobilenet_v3_small", "bert_tiny")
PROGRAM_DTYPES = {"fp32": "float32"}


def as_list(infos: tuple[models.TensorInfo, ...]) -> list[list[Any]]:
    return [[info.name, info.dtype, list(info.shape)] for info in infos]


@cache
def reference(name: str) -> np.ndarray:
    (array,) = models.reference_outputs(name)
    return array


@pytest.mark.parametrize("layout", models.LAYOUTS)
@pytest.mark.parametrize("name", NAMES)
def test_facts_and_outputs_are_paddles(name: str, layout: str, answer: Answer) -> None:
    folder = models.sample(name, layout)
    model = models.load(folder)
    inputs = models.sample_inputs(folder)
    said = answer(name, layout)
    assert model.layout == layout
    assert model.ops == said["ops"]
    for ours, theirs in ((model.inputs, said["inputs"]), (model.outputs, said["outputs"])):
        expected = [[tensor, PROGRAM_DTYPES.get(dtype, dtype), shape] for tensor, dtype, shape in theirs]
        assert [[info.name, info.dtype, list(info.shape)] for info in ours] == expected
    assert [[info.name, list(info.shape)] for info in model.weights] == said["weights"]
    assert [info.name for info in model.inputs] == list(inputs)
    assert len(said["arrays"]) == len(model.outputs) == 1
    for info, array in zip(model.outputs, said["arrays"], strict=True):
        assert str(array.dtype) == info.dtype
        assert np.isfinite(array).all()
        assert array.shape == (len(next(iter(inputs.values()))), *info.shape[1:])
    np.testing.assert_allclose(said["arrays"][0], reference(name), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_separate_computes_what_combined_does(name: str, answer: Answer) -> None:
    combined, separate = (answer(name, layout)["arrays"] for layout in ("combined", "separate"))
    for one, other in zip(combined, separate, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("layout", models.LAYOUTS)
def test_digits_are_recognised(layout: str, answer: Answer) -> None:
    (scores,) = answer("digits", layout)["arrays"]
    labels = models.sample_labels(models.sample("digits", layout))
    assert len(labels) == len(scores) >= 400
    assert (scores.argmax(axis=1) == labels).mean() >= 0.97


@pytest.mark.parametrize("name", ("resnet18", "mobilenet_v3_small"))
def test_image_models_tell_images_apart(name: str, native: Native) -> None:
    model = models.load(models.sample(name))
    image = models.sample_inputs(models.sample(name))["image"]
    (scores,) = native(model, {"image": np.concatenate([image, image[:, :, ::-1], -image])})["arrays"]
    assert 0.5 < scores.std() < 20
    for other in (1, 2):
        assert np.abs(scores[0] - scores[other]).max() > 0.5


def test_bert_obeys_its_mask(answer: Answer, native: Native) -> None:
    folder = models.sample("bert_tiny", "program")
    inputs = models.sample_inputs(folder)
    hidden = inputs["attention_mask"] == 0
    assert hidden.any()
    changed = dict(inputs, input_ids=np.where(hidden, 5, inputs["input_ids"]))
    seen = dict(inputs, input_ids=np.where(hidden, inputs["input_ids"], 5))
    model = models.load(folder)
    (first,) = answer("bert_tiny", "program")["arrays"]
    (second,), (third,) = (native(model, each)["arrays"] for each in (changed, seen))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.abs(first - third).max() > 1e-3
    short = {key: value[:, :20] for key, value in inputs.items()}
    assert native(model, short)["arrays"][0].shape == (2, 2)


@pytest.mark.parametrize("name", NAMES)
def test_layouts_share_their_weights(name: str) -> None:
    loaded = {layout: models.load(models.sample(name, layout)) for layout in models.LAYOUTS}
    contents = {
        layout: model.params_file.read_bytes() for layout, model in loaded.items() if model.params_file
    }
    assert set(contents) == {"pir", "program", "combined"}
    assert len(set(contents.values())) == 1
    weights = {layout: models.read_params(model) for layout, model in loaded.items()}
    for other in weights.values():
        assert list(other) == list(weights["pir"])
        for key, array in other.items():
            np.testing.assert_array_equal(array, weights["pir"][key])
    assert loaded["program"].fingerprint == loaded["combined"].fingerprint == loaded["separate"].fingerprint
    assert loaded["pir"].fingerprint != loaded["program"].fingerprint
    assert len({model.parameters for model in loaded.values()}) == 1


EXPORT = """
import sys, paddle
from paddle.static import InputSpec

class Two(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.first = paddle.nn.LayerList([paddle.nn.Linear(4, 4) for _ in range(12)])
        self.unused = paddle.nn.Linear(3, 3)
        self.register_buffer("scalar", paddle.to_tensor(2.0))

    def forward(self, z, a):
        for layer in self.first:
            a = layer(a)
        outputs = [a - z * self.scalar] + [a * k for k in range(11)]
        return outputs

class Bare(paddle.nn.Layer):
    def forward(self, x):
        return paddle.nn.functional.relu(x)

shape = [-1, 4]
for layer, names in ((Two(), ["z", "a"]), (Bare(), ["x"])):
    layer.eval()
    specs = [InputSpec(shape, "float32", name) for name in names]
    static = paddle.jit.to_static(layer, input_spec=specs, full_graph=True)
    paddle.jit.save(static, sys.argv[1] + "/" + type(layer).__name__ + "/inference")
"""


@pytest.fixture(scope="module", params=("pir", "program"))
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    script = folder / "export.py"
    script.write_text(EXPORT)
    environment = dict(os.environ, FLAGS_enable_pir_api="1" if request.param == "pir" else "0")
    subprocess.run(
        [sys.executable, str(script), str(folder)], env=environment, check=True, capture_output=True
    )
    return folder


def test_many_outputs_scalar_and_unused_parameters(odd: Path, native: Native) -> None:
    model = models.load(odd / "Two")
    arrays = {"z": np.ones((2, 4), "float32"), "a": np.ones((2, 4), "float32")}
    said = native(model, arrays)
    assert [info.name for info in model.inputs] == [name for name, _, _ in said["inputs"]] == ["z", "a"]
    assert [info.name for info in model.outputs] == [name for name, _, _ in said["outputs"]]
    assert len(model.outputs) == 12
    assert model.parameter_tensors == 25
    assert () in [info.shape for info in model.weights]
    assert model.parameters == 12 * 20 + 1


def test_a_model_without_parameters_needs_no_file(odd: Path, native: Native) -> None:
    model = models.load(odd / "Bare")
    assert (model.params_file, model.parameters, model.weights) == (None, 0, ())
    assert models.read_params(model) == {}
    said = native(model, {"x": np.array([[-1, 2, -3, 4]], "float32")})
    np.testing.assert_array_equal(said["arrays"][0], [[0, 2, 0, 4]])
    data = model.model_file.read_bytes() if model.model_file else b""
    assert models.from_bytes(data).fingerprint == model.fingerprint
    (odd / "Bare" / "inference.pdiparams").touch()
    assert models.load(odd / "Bare").parameters == 0
