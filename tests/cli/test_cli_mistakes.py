"""A mistake is one line on stderr that says what to do, exit code 2, and nothing on stdout."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., Any]

MODEL = "the model of the test"
HERE = "a folder of the test"
# name: arguments and what the line must say.
MISTAKES: dict[str, tuple[list[str], str]] = {
    "no such command": (["benhc"], r"[Nn]o such command 'benhc'.*--help"),
    "no such option": (["run", MODEL, "--thread", "2"], "[Nn]o such option.*--thread.*--help"),
    "no model given": (["info"], "[Mm]issing argument 'MODEL'.*workbench info --help"),
    "option without its value": (["trace", MODEL, "--threads"], "--threads"),
    "not a number": (["run", MODEL, "--threads", "two"], "--threads.*two"),
    "threads out of range": (["run", MODEL, "--threads", "0"], "threads is 0; give a whole number from 1"),
    "unknown device": (["run", MODEL, "--device", "tpu"], "--device.*tpu.*cpu.*gpu"),
    "missing model": (["info", f"{HERE}/nowhere"], "nowhere does not exist: "),
    "missing model, trace": (["trace", f"{HERE}/nowhere", "--json"], "nowhere does not exist: "),
    "missing model, run": (["run", f"{HERE}/nowhere", "--json"], "nowhere does not exist: "),
    "missing model, bench": (["bench", f"{HERE}/nowhere", "--json"], "nowhere does not exist: "),
    "no model": (["info", f"{HERE}/text.npy"], "text.npy is .*: "),
    "empty folder": (["info", f"{HERE}/empty"], "empty"),
    "bad config key": (
        ["bench", MODEL, "--vs", "thread=2"],
        r"unknown config key 'thread': did you mean 'threads'\?",
    ),
    "bad config value": (["bench", MODEL, "--vs", "onednn=perhaps"], "onednn is 'perhaps'; give on or off"),
    "no pair": (["bench", MODEL, "--vs", "onednn"], "'onednn' is not key=value; write"),
    "no time": (["bench", MODEL, "--seconds", "0"], "--seconds.*above 0"),
    "never ending": (["bench", MODEL, "--seconds", "nan"], "--seconds.*above 0"),
    "negative limit": (["run", MODEL, "--time-limit", "-1"], "--time-limit.*above 0"),
    "input without file": (["run", MODEL, "--input", "image"], "'image' is not NAME=FILE.npy: write"),
    "wrong name": (
        ["run", MODEL, "--input", f"imag={HERE}/right.npy"],
        "unknown input 'imag': did you mean 'image'",
    ),
    "wrong shape": (
        ["run", MODEL, "--input", f"image={HERE}/shape.npy"],
        "has shape 1×8×8, the model wants any×1×8×8",
    ),
    "wrong dtype": (
        ["run", MODEL, "--input", f"image={HERE}/dtype.npy"],
        "is float64, the model wants float32: conv",
    ),
    "wrong shape, bench": (
        ["bench", MODEL, "--input", f"image={HERE}/shape.npy"],
        "has shape 1×8×8, the model wants",
    ),
    "input twice": (
        ["run", MODEL, "--input", f"image={HERE}/right.npy", "--input", f"image={HERE}/right.npy"],
        "twice",
    ),
    "missing npy": (
        ["run", MODEL, "--input", f"image={HERE}/none.npy"],
        "cannot read .*none.npy: .*; give an .npy",
    ),
    "text as npy": (
        ["run", MODEL, "--input", f"image={HERE}/text.npy"],
        "text.npy is not an .npy file .*: write it",
    ),
    "empty npy": (
        ["run", MODEL, "--input", f"image={HERE}/zero.npy"],
        "zero.npy is not an .npy file .*: write it",
    ),
    "cut npy": (
        ["run", MODEL, "--input", f"image={HERE}/cut.npy"],
        "cut.npy is not an .npy file .*: write it",
    ),
    "cut npz": (
        ["run", MODEL, "--input", f"image={HERE}/cut.npz"],
        "cut.npz is not an .npy file .*: write it",
    ),
    "objects as npy": (
        ["run", MODEL, "--input", f"image={HERE}/object.npy"],
        "object.npy is not .* numbers: write it",
    ),
    "npz as npy": (
        ["run", MODEL, "--input", f"image={HERE}/many.npz"],
        "many.npz holds several arrays: give one",
    ),
    "output not writable": (
        ["run", MODEL, "-o", f"{HERE}/right.npy/out.npz"],
        "cannot write .*; choose another place",
    ),
    "no folder for output": (
        ["run", MODEL, "-o", f"{HERE}/none/out.npz"],
        "cannot write .*; choose another place",
    ),
    "dots not writable": (
        ["trace", MODEL, "-o", f"{HERE}/right.npy/dots"],
        "cannot write to .*; choose a folder",
    ),
    "dots in a file": (["trace", MODEL, "-o", f"{HERE}/right.npy"], "right.npy"),
    "chart not writable": (
        ["bench", MODEL, "--chart", f"{HERE}/none/c.html"],
        "cannot write .*c.html: .*; choose another place",
    ),
    "unknown sample": (
        ["samples", "digit", f"{HERE}/new"],
        "there is no sample 'digit': choose one of digits",
    ),
    "unknown layout": (["samples", "digits", f"{HERE}/new", "--layout", "onnx"], "--layout.*onnx.*pir"),
    "another model there": (
        ["samples", "digits", f"{HERE}/taken"],
        "already holds another model.*: choose an empty",
    ),
    "sample to a file": (["samples", "digits", f"{HERE}/right.npy"], "right.npy"),
    "unknown pass": (
        ["trace", MODEL, "--disable-pass", "conv2d_bn_fuse_pas"],
        r"unknown pass .*: did you mean '.*'\?",
    ),
    "strange pass": (["trace", MODEL, "--disable-pass", "zzz", "--json"], "unknown pass 'zzz': see the list"),
    "unknown pass to add": (["run", MODEL, "--enable-pass", "zzz_pass"], "cannot add the pass 'zzz_pass'"),
    "off and on": (["run", MODEL, "--enable-pass", "a", "--disable-pass", "a"], "'a' is both .*; choose one"),
    "unknown runtime": (
        ["run", MODEL, "--runtime", "paddle9"],
        "unknown runtime 'paddle9': give one of default",
    ),
    "runtime no program": (
        ["run", MODEL, "--runtime", f"{HERE}/right.npy"],
        "is not an interpreter .*: give the path",
    ),
    "TensorRT on a CPU build": (
        ["run", MODEL, "--trt", "--device", "gpu", "--json"],
        r"TensorRT was asked for.*CPU build: install the extra .*\[gpu,trt\]",
    ),
    "fp16 on the CPU": (["run", MODEL, "--precision", "fp16"], "fp16 runs on a GPU only: use"),
    "too slow": (["run", MODEL, "--time-limit", "0.000001"], "longer than its time limit .*: allow more"),
    "notebooks not writable": (
        ["lab", "--no-browser", "--dir", f"{HERE}/right.npy/nb"],
        "cannot write to .*; choose",
    ),
    "no such port": (["lab", "--no-browser", "--port", "70000"], "--port.*70000"),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    np.save(folder / "right.npy", np.zeros((1, 1, 8, 8), np.float32))
    np.save(folder / "shape.npy", np.zeros((1, 8, 8), np.float32))
    np.save(folder / "dtype.npy", np.zeros((1, 1, 8, 8), np.float64))
    np.save(folder / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(folder / "many.npz", a=np.zeros(2), b=np.zeros(2))
    (folder / "text.npy").write_text("1, 2, 3\n")
    (folder / "zero.npy").write_bytes(b"")
    (folder / "cut.npy").write_bytes((folder / "right.npy").read_bytes()[:200])
    (folder / "cut.npz").write_bytes((folder / "many.npz").read_bytes()[:200])
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake(
    name: str, workbench: Command, digits: Path, here: Path, sample_folder: Callable[..., Path]
) -> None:
    arguments, says = MISTAKES[name]
    taken = here / "taken"
    if name == "another model there" and not taken.exists():
        taken.mkdir()
        (taken / "inference.pdmodel").write_bytes(
            (sample_folder("digits", "program") / "inference.pdmodel").read_bytes()
        )
    before = {path: path.stat().st_size for path in here.rglob("*")}
    said = workbench(*(text.replace(MODEL, str(digits)).replace(HERE, str(here)) for text in arguments))
    assert (said.code, said.out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", said.err)
    assert re.search(says, said.err)
    assert "Traceback" not in said.err
    assert {path: path.stat().st_size for path in here.rglob("*")} == before


def test_an_output_that_existed_is_kept_when_the_run_fails(
    workbench: Command, digits: Path, here: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.npz"
    out.write_bytes(b"from yesterday")
    said = workbench("run", digits, "--input", f"image={here / 'shape.npy'}", "-o", out)
    assert said.code == 2
    assert out.read_bytes() == b"from yesterday"
