"""`workbench codegen` as its user has it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.cli.main import main

Command = Callable[..., Any]


def test_the_program_it_prints_runs_as_the_model_does(
    workbench: Command, sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = sample_folder("digits", "combined")
    np.save(tmp_path / "image.npy", np.full((2, 1, 8, 8), 0.5, np.float32))
    options = ["--input", f"image={tmp_path / 'image.npy'}", "-o", tmp_path / "out.npz"]
    said = workbench("codegen", folder, "--lang", "python", "--no-onednn", "--threads", "2")
    assert (said.code, said.err) == (0, "")
    (tmp_path / "printed.py").write_text(said.out)
    subprocess.run([sys.executable, "-I", tmp_path / "printed.py", *options], cwd=tmp_path, check=True)
    with np.load(tmp_path / "out.npz") as arrays:
        (got,) = (arrays[name] for name in arrays.files)
    workbench("run", folder, *options, "--no-onednn", "--threads", "2", "--json")
    with np.load(tmp_path / "out.npz") as arrays:
        (expected,) = (arrays[name] for name in arrays.files)
    assert got.tobytes() == expected.tobytes()


def test_json_and_file_hold_the_same_program(workbench: Command, digits: Path, tmp_path: Path) -> None:
    file = tmp_path / "serve.c"
    said = workbench("codegen", digits, "--lang", "c", "--no-onednn", "--json", "-o", file)
    facts = said.json
    assert set(facts) == {"language", "file_name", "code", "missing", "notices", "checked"}
    assert (facts["language"], facts["file_name"], facts["notices"]) == ("c", "deploy.c", [])
    assert file.read_text() == facts["code"]
    assert facts["missing"] == [
        "Paddle's C API has no call for disable_mkldnn: oneDNN stays as the release has it, on in 3.x"
    ]
    assert said.err == f"notice: {facts['missing'][0]}\n"
    assert "not linked with Paddle's own C library" in facts["checked"]
    assert json.dumps(str(digits / "inference.json")) in facts["code"]


def test_a_file_is_said_with_how_far_it_is_checked(workbench: Command, digits: Path, tmp_path: Path) -> None:
    file = tmp_path / "main.go"
    said = workbench("codegen", digits, "--lang", "go", "--shape", "image=4x1x8x8", "-o", file)
    assert said.code == 0
    assert said.out.startswith(f"go program written to {file}\nhow far such programs are checked: built")
    assert "shape: []int32{4, 1, 8, 8}" in file.read_text()


def test_paddle_lite_is_marked_as_not_run(workbench: Command, sample_folder: Callable[..., Path]) -> None:
    folder = sample_folder("digits", "program")
    targets = ["--target", "opencl", "--target", "arm"]
    facts = workbench("codegen", folder, "--lang", "lite", *targets, "--threads", "4", "--json").json
    assert (facts["language"], facts["file_name"], facts["checked"]) == ("lite", "convert.sh", "not run")
    assert "--valid_targets=opencl,arm" in facts["code"]
    assert "not run by it" in facts["code"]
    assert facts["missing"] == ["Paddle-Lite's converter has no option for threads = 4: it is left out"]


MISTAKES = {
    "no language": ([], "Missing option '--lang'"),
    "unknown language": (["--lang", "rust"], "'rust' is not one of 'python', 'cpp'"),
    "no shape": (["--lang", "c", "--shape", "image=1,1,8,8"], "is not NAME=1x3x224x224: write"),
    "shape twice": (["--lang", "c", "--shape", "image=1x1x8x8", "--shape", "image=2x1x8x8"], "given twice"),
    "wrong shape": (["--lang", "c", "--shape", "image=2x1x9x8"], r"the model wants \[any, 1, 8, 8\]"),
    "target": (["--lang", "cpp", "--target", "arm"], "--target is for Paddle-Lite alone: add --lang lite"),
    "no converter": (["--lang", "lite"], r"is a \.json model, which .* does not read: export the layer"),
    "not writable": (["--lang", "r", "-o", "/nowhere/deploy.R"], "cannot write /nowhere.*; choose another"),
    "fp16 on the CPU": (["--lang", "go", "--precision", "fp16"], "fp16 runs on a GPU only: use"),
    "unknown runtime": (["--lang", "c", "--runtime", "paddle9"], "unknown runtime 'paddle9': give one of"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name: str, digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, says = MISTAKES[name]
    with pytest.raises(SystemExit) as end:
        main(["codegen", str(digits), *arguments])
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", said.err)
    assert re.search(says, said.err)
