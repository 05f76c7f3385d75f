"""Conversions between the four layouts: the same bytes, or the same bits by plain Paddle."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from plain_predictors import predict

from workbench import models
from workbench.deploy.training.conversion import convert
from workbench.errors import ModelError, RuntimeMissingError

LAYOUTS = ("pir", "program", "combined", "separate")


@pytest.fixture
def digits_pir(sample_folder: Callable[..., Path]) -> Path:
    return sample_folder("digits", "pir")


@pytest.mark.parametrize("name", ["digits", "bert_tiny"])
@pytest.mark.parametrize("source", ["program", "combined", "separate"])
@pytest.mark.parametrize("layout", ["program", "combined", "separate"])
def test_rearranged_files_hold_the_same_bytes(
    name: str, source: str, layout: str, sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    model = convert(sample_folder(name, source), tmp_path / "out", layout)
    wanted = models.load(sample_folder(name, layout))
    files = {
        str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file()
    }
    assert files == {str(file.relative_to(wanted.path.parent)) for file in wanted.files}
    assert model.layout == layout
    for file in wanted.files:
        assert (tmp_path / "out" / file.relative_to(wanted.path.parent)).read_bytes() == file.read_bytes()


def test_from_memory(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    source = models.load(sample_folder("digits", "program"))
    held = models.from_bytes(source.model_file.read_bytes(), source.params_file.read_bytes())
    for layout in LAYOUTS:
        model = convert(held, tmp_path / layout, layout, name="net")
        assert model.layout == layout
        if layout != "pir":
            assert model.fingerprint == source.fingerprint
    pir = models.load(tmp_path / "pir" / "net.json")
    again = convert(
        models.from_bytes(pir.path.read_bytes(), pir.params_file.read_bytes()), tmp_path / "a", "pir"
    )
    assert again.fingerprint == pir.fingerprint


def test_translated_to_pir_it_gives_the_same_bits(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    """Without oneDNN and graph optimization, by plain Paddle; the parameters are the same bytes."""
    jobs = []
    for name, layout in (("digits", "program"), ("bert_tiny", "separate")):
        inputs = models.sample_inputs(sample_folder(name, "pir"))
        source = models.load(sample_folder(name, "program"))
        jobs.append((source, inputs))
        model = convert(sample_folder(name, layout), tmp_path / name, "pir")
        assert [info.name for info in model.inputs] == [info.name for info in source.inputs]
        assert model.params_file.read_bytes() == source.params_file.read_bytes()
        jobs.append((model, inputs))
    found = predict(jobs, plain=True)
    for first, other in (found[:2], found[2:]):
        assert [array.tobytes() for array in other] == [array.tobytes() for array in first]


@pytest.mark.parametrize("layout", ["program", "combined", "separate"])
def test_there_is_no_way_from_pir(layout: str, digits_pir: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"no way from PIR to {layout}: export the layer again as .pdmodel"):
        convert(digits_pir, tmp_path / "out", layout)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_of_pir(digits_pir: Path, tmp_path: Path) -> None:
    assert convert(digits_pir, tmp_path / "out", "pir").fingerprint == models.load(digits_pir).fingerprint


def test_parameters_that_nothing_uses_go(tmp_path: Path) -> None:
    """Paddle's translation drops them from the program, so they cannot stay in the file."""
    script = """
import paddle
paddle.enable_static()
with paddle.pir_utils.OldIrGuard():
    x = paddle.static.data("x", [None, 4], "float32")
    paddle.static.create_parameter([2, 2], "float32", name="aside")
    y = paddle.static.nn.fc(x, 3)
    executor = paddle.static.Executor()
    executor.run(paddle.static.default_startup_program())
    paddle.static.save_inference_model("model/m", [x], [y], executor, skip_prune_program=True)
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True)
    source = models.load(tmp_path / "model")
    assert "aside" in {info.name for info in source.weights}
    model = convert(source, tmp_path / "pir", "pir")
    used = {name: array for name, array in models.read_params(source).items() if name != "aside"}
    found = models.read_params(model)
    assert set(found) == set(used)
    assert all(np.array_equal(found[name], used[name]) for name in used)


def test_a_model_that_cannot_be_converted(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(sample_folder("digits", "program"), source)
    program = source / "inference.pdmodel"
    # An op that no Paddle knows: the file is whole, and the translation fails.
    program.write_bytes(program.read_bytes().replace(b"\x1a\x04relu", b"\x1a\x04rexu"))
    with pytest.raises(
        ModelError, match=r"cannot be translated to PIR, Paddle .*: keep it as Program IR"
    ) as said:
        convert(source, tmp_path / "out", "pir")
    assert "\n" not in str(said.value)
    with pytest.raises(RuntimeMissingError, match="unknown runtime 'none': give one of"):
        convert(source, tmp_path / "out", "pir", runtime="none")
    program.write_bytes(program.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cut short"):
        convert(source, tmp_path / "out", "combined")
    with pytest.raises(ModelError, match="nowhere does not exist"):
        convert(tmp_path / "nowhere", tmp_path / "out", "pir")
    assert {file.name for file in tmp_path.iterdir()} == {"source"}
