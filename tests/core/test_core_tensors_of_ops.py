"""The tensors between ops: what a session lists is what the ops give, and every element comes as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import workbench as wb
from workbench.core.measured import OpOutput, OutputPart
from workbench.errors import NativeError, WorkbenchError
from workbench.models import load, params

ON, OFF = wb.InferenceConfig(), wb.InferenceConfig(onednn=False)


def whole(outputs: tuple[OpOutput, ...]) -> list[OutputPart]:
    return [OutputPart(place, 0, one.size) for place, one in enumerate(outputs)]


def taken(session: wb.Session, inputs: dict[str, Any]) -> dict[str, Any]:
    """All outputs by the name of their variable, in their shape."""
    outputs = session.op_outputs(inputs)
    arrays = session.take_outputs(inputs, whole(outputs))
    return {one.name: array.reshape(one.shape) for one, array in zip(outputs, arrays, strict=True)}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool"])
def test_an_op_of_any_dtype_gives_what_it_gave(identities: Path, dtype: str) -> None:
    sent = (np.random.default_rng(1).random((7, 9000)) * 2).astype(dtype)
    with wb.Session(identities / f"{dtype}.json", OFF) as session:
        (output,) = session.op_outputs({"x": sent})
        assert (output.dtype, output.shape, output.nbytes) == (dtype, sent.shape, sent.nbytes)
        (array,) = session.take_outputs({"x": sent}, whole((output,)))
        assert array.dtype == sent.dtype
        np.testing.assert_array_equal(array, sent.ravel())


@pytest.mark.parametrize("layout", ["pir", "program"])
def test_the_last_op_gives_the_output_of_the_model(
    sample_folder: Callable[..., Path], picture: dict[str, Any], layout: str
) -> None:
    for config in (ON, OFF):
        with wb.Session(sample_folder("digits", layout), config) as session:
            before = session.run(picture)
            found = list(taken(session, picture).values())
            after = session.run(picture)
        (expected,) = before.values()
        np.testing.assert_array_equal(found[-1], expected)
        np.testing.assert_array_equal(expected, *after.values())


@pytest.mark.parametrize("config", [ON, OFF], ids=["oneDNN", "plain"])
def test_they_are_what_numpy_computes_from_each_other(
    sample_folder: Callable[..., Path], picture: dict[str, Any], config: wb.InferenceConfig
) -> None:
    model = load(sample_folder("digits", "program"))
    assert model.params_file is not None
    weights = params.read(model.params_file, model.weights)
    with wb.Session(model, config) as session:
        found = taken(session, picture)
    # A max pool of 2×2, of a convolution that oneDNN may keep in any order of its own.
    images, pooled = found["relu_1.tmp_0"], found["pool2d_0.tmp_0"]
    assert images.shape[1] == 32
    np.testing.assert_array_equal(pooled, _pooled(images))
    np.testing.assert_array_equal(found["flatten_0.tmp_0"], pooled.reshape(1, -1))
    expected = found["relu_2.tmp_0"] @ weights["linear_1.w_0"] + weights["linear_1.b_0"]
    np.testing.assert_allclose(found["linear_1.tmp_1"], expected, rtol=1e-4, atol=1e-5)


def _pooled(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    count, channels, height, width = images.shape
    return images.reshape(count, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def test_layouts_of_onednn_do_not_show(sample_folder: Callable[..., Path], picture: dict[str, Any]) -> None:
    found = []
    for config in (ON, OFF):
        with wb.Session(sample_folder("digits", "program"), config) as session:
            assert any(one.onednn for one in session.op_outputs(picture)) == (config is ON)
            found.append(taken(session, picture))
    both = found[0].keys() & found[1].keys()
    assert any(found[0][name].ndim == 4 and found[0][name].shape[1] > 1 for name in both)
    for name in both:
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-4, atol=1e-5)


def test_any_part_of_an_output_can_be_taken(digits: Path, picture: dict[str, Any]) -> None:
    with wb.Session(digits) as session:
        outputs = session.op_outputs(picture)
        arrays = session.take_outputs(picture, whole(outputs))
        rng = np.random.default_rng(2)
        for _ in range(10):
            parts = []
            for place in rng.integers(0, len(outputs), 4).tolist():
                start, stop = sorted(rng.integers(0, outputs[place].size + 1, 2).tolist())
                parts.append(OutputPart(place, start, stop))
            for part, array in zip(parts, session.take_outputs(picture, parts), strict=True):
                np.testing.assert_array_equal(array, arrays[part.output][part.start : part.stop])


def test_what_was_not_listed_cannot_be_taken(digits: Path, picture: dict[str, Any]) -> None:
    with wb.Session(digits) as session:
        with pytest.raises(WorkbenchError, match="call op_outputs first"):
            session.take_outputs(picture, [OutputPart(0, 0, 1)])
        first, *_ = session.op_outputs(picture)
        for part in (OutputPart(0, 0, first.size + 1), OutputPart(-1, 0, 1), OutputPart(0, 2, 1)):
            with pytest.raises(WorkbenchError, match="take parts of what it lists"):
                session.take_outputs(picture, [part])
        twice = {name: np.concatenate([array, array]) for name, array in picture.items()}
        with pytest.raises(NativeError, match="differs from run to run"):
            session.take_outputs(twice, [OutputPart(0, 0, 1)])
        assert len(session.take_outputs(picture, [OutputPart(0, 0, 1)])) == 1


def test_memory_and_descriptors_are_given_back(identities: Path) -> None:
    big = {"x": np.ones(4 << 20, "float32")}
    with wb.Session(identities / "vector.json", OFF) as session:
        outputs = session.op_outputs(big)
        session.take_outputs(big, whole(outputs))
        before, here = session.memory()["rss"], psutil.Process().memory_info().rss
        descriptors = psutil.Process().num_fds()
        for _ in range(8):
            (array,) = session.take_outputs(big, whole(outputs))
            assert array[-1] == 1
        assert session.memory()["rss"] - before < big["x"].nbytes
        assert psutil.Process().memory_info().rss - here < 2 * big["x"].nbytes
        # What was taken last is still looked into, and that takes one.
        assert psutil.Process().num_fds() <= descriptors + 1
    # What was taken lives on when the session has ended.
    assert (array == 1).all()
