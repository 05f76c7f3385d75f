"""Making, keeping and copying the sample models."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench import models
from workbench.errors import ModelError, RuntimeMissingError, WorkbenchError
from workbench.models import samples


def fake_python(folder: Path, body: str) -> Path:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def fresh(cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, but for the weights of digits."""
    models.sample("digits")
    home = samples._home().relative_to(cache_folder)
    folder = tmp_path / "cache"
    shutil.copytree(cache_folder / home / "weights", folder / home / "weights")
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(folder))
    return folder


def test_names() -> None:
    assert models.names() == ("digits", "resnet18", "mobilenet_v3_small", "bert_tiny", "deep")


def test_unknown_names_and_layouts(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no sample 'vgg': choose one of digits, resnet18"):
        models.sample("vgg")
    with pytest.raises(ModelError, match="there is no layout 'onnx': choose one of pir, program, combined"):
        models.write_sample("digits", tmp_path, "onnx")
    for layout in ("program", "combined", "separate"):
        with pytest.raises(ModelError, match=f"deep exists only in the layout pir, not {layout}"):
            models.sample("deep", layout)


@pytest.mark.parametrize(
    ("layout", "expected"),
    (
        ("pir", {"inference.json", "inference.pdiparams"}),
        ("program", {"inference.pdmodel", "inference.pdiparams"}),
        ("combined", {"model", "params"}),
    ),
)
def test_files_and_inputs(layout: str, expected: set[str]) -> None:
    folder = models.sample("digits", layout)
    assert {file.name for file in folder.iterdir()} == expected | {"inputs.npz", "labels.npy"}
    inputs = models.sample_inputs(folder)
    assert (inputs["image"].shape[1:], inputs["image"].dtype) == ((1, 8, 8), np.float32)
    assert models.sample_inputs(folder / "inputs.npz").keys() == inputs.keys()
    assert models.sample_labels(folder).dtype == np.int64
    assert models.sample("digits", layout) == folder
    assert models.load(folder).name == "digits"


def test_writing_a_sample(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deeper"
    for _ in range(2):
        assert models.write_sample("digits", folder, "separate") == folder
        assert models.load(folder).layout == "separate"
    with pytest.raises(
        ModelError, match=r"already holds another model \(__model__\): choose an empty folder"
    ):
        models.write_sample("digits", folder, "pir")
    with pytest.raises(ModelError, match="__model__ is a file: pass a folder"):
        models.write_sample("digits", folder / "__model__")
    busy = tmp_path / "busy"
    busy.mkdir()
    (busy / "notes.txt").write_text("keep me")
    models.write_sample("digits", busy)
    assert (busy / "notes.txt").read_text() == "keep me"
    (busy / "inference.json").unlink()
    (busy / "inputs.npz").write_bytes(b"mine")
    with pytest.raises(ModelError, match=r"inputs.npz exists and is something else: choose an empty folder"):
        models.write_sample("digits", busy)
    assert (busy / "inputs.npz").read_bytes() == b"mine"
    with pytest.raises(ModelError, match=r"cannot be written|is a file"):
        models.write_sample("digits", busy / "notes.txt" / "below")


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no inputs\.npz: pass the folder of a sample"):
        models.sample_inputs(tmp_path)
    (tmp_path / "inputs.npz").write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match=r"inputs.npz cannot be read"):
        models.sample_inputs(tmp_path)
    with pytest.raises(ModelError, match=r"has no labels\.npy"):
        models.sample_labels(models.sample("bert_tiny"))


def test_progress_and_repair_of_a_damaged_cache(fresh: Path) -> None:
    lines: list[str] = []
    folder = models.sample("digits", progress=lines.append)
    assert lines == ["exporting digits as pir"]
    assert folder.is_relative_to(fresh)
    (folder / "inference.pdiparams").write_bytes(b"")
    assert models.sample("digits") == folder
    assert models.load(folder).parameters == 38458
    assert [file.name for file in folder.parent.iterdir()] == ["digits"]


def test_two_processes_at_once(fresh: Path) -> None:
    code = "from workbench import models; print(models.sample('digits', 'combined'))"
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [process.communicate()[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1]
    assert models.load(outputs[0]).layout == "combined"
    assert not list(fresh.rglob(".*"))


def test_weights_of_the_faster_process_stay(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = samples._home() / "weights" / "digits.npz"
    first = weights.read_bytes()
    weights.unlink()

    def slower(interpreter: str, arguments: list[str], report: samples.Progress) -> None:
        Path(arguments[2]).write_bytes(b"late")
        weights.write_bytes(first)

    monkeypatch.setattr(samples, "_run", slower)
    assert samples._state("digits", sys.executable, print) == weights
    assert weights.read_bytes() == first


def test_interpreters_without_paddle(fresh: Path, tmp_path: Path) -> None:
    bare = fake_python(tmp_path, f'exec {sys.executable} -S "$@"')
    with pytest.raises(RuntimeMissingError, match=r'has no Paddle: pip install "paddle-workbench\[cpu\]"'):
        models.sample("digits", python=bare)
    with pytest.raises(
        RuntimeMissingError, match=r"nothing.* cannot be started \(No such file or directory\)"
    ):
        models.sample("digits", python=tmp_path / "nothing")
    with pytest.raises(RuntimeMissingError, match="has no Paddle"):
        models.reference_outputs("digits", python=bare)


def test_a_kept_sample_needs_no_paddle(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = models.sample("digits")
    monkeypatch.setattr(samples, "paddle_version", lambda interpreter: None)
    assert models.sample("digits") == folder
    with pytest.raises(RuntimeMissingError):
        models.sample("digits", "program")


def test_failures_show_the_last_line_of_the_log(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "paddle_version", lambda interpreter: "9.9.9")
    cases = (
        ("echo first; echo boom >&2; exit 7", WorkbenchError, "digits failed: .* ended with code 7: boom$"),
        ("kill -SEGV $$", WorkbenchError, "was killed by signal 11: no log$"),
        ("echo no module; exit 3", RuntimeMissingError, r"has no Paddle \(no module\)"),
    )
    for body, kind, text in cases:
        with pytest.raises(kind, match=text):
            models.sample("digits", python=fake_python(tmp_path, body))
    assert not list(fresh.rglob(".digits*"))


def test_a_cache_that_cannot_be_written(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(WorkbenchError, match=r"cannot be written .*: set WORKBENCH_CACHE_DIR"):
        models.sample("digits")


def test_the_cache_has_a_default_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_CACHE_DIR")
    assert samples.cache_dir().name == "paddle-workbench"


def test_version_is_read_without_import() -> None:
    code = """
import sys
from importlib.metadata import version
from workbench.models import samples
assert samples.paddle_version(sys.executable) == version("paddlepaddle")
assert "paddle" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
