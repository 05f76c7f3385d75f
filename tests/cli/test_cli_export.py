"""``workbench export`` as a user runs it: layers, persistables, models; and what it says of mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from oracle import FILES, native

Command = Callable[..., Any]
FLAG = "FLAGS_enable_pir_api"

# A user's file, which prints as such files do, and imports what lies beside it.
NET = """
import os
import paddle
from parts import head

print("made with love")
os.system("echo by a shell")


class Net(paddle.nn.Layer):
    def __init__(self, classes=3, scale=1.0):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 5)
        self.norm = paddle.nn.BatchNorm2D(4)
        self.head = head(classes)
        self.scale = scale

    def forward(self, image):
        seen = paddle.nn.functional.sigmoid(self.norm(self.conv(image)))
        return self.head(seen.mean(axis=[2, 3])) * self.scale


class Dice(paddle.nn.Layer):
    def forward(self, x):
        return x + paddle.rand([3])


def broken():
    raise ValueError("no backbone")


def three():
    return 3


value = 3

if __name__ == "__main__":
    raise SystemExit("run as a script")
"""
PARTS = "import paddle\n\ndef head(classes):\n    return paddle.nn.Linear(4, classes)\n"
OLD = """
from paddle import fluid

def net():
    image = fluid.data(name="image", shape=[None, 28, 28], dtype="float32")
    return image, fluid.layers.fc(input=image, size=10, act="softmax")
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "net.py").write_text(NET)
    (folder / "parts.py").write_text(PARTS)
    (folder / "old.py").write_text(OLD)
    (folder / "exits.py").write_text("raise SystemExit(1)")
    (folder / "lacks.py").write_text("import nothing_of_that_name")
    np.savez(folder / "small.npz", image=np.zeros((1, 3, 8, 8), "float32"))
    (folder / "no.npz").write_text("none")
    return folder


def plain(script: str, cwd: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]


def test_a_layer_with_weights_and_softmax(workbench: Command, here: Path, tmp_path: Path) -> None:
    plain(
        f"""
import sys
sys.path.insert(0, {str(here)!r})
import numpy as np, paddle
from net import Net
layer = Net(classes=6, scale=2)
paddle.save(layer.state_dict(), "trained.pdparams")
layer.eval()
image = np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype("float32")
np.savez("answer.npz", image=image, out=paddle.nn.functional.softmax(layer(paddle.to_tensor(image))).numpy())
""",
        tmp_path,
    )
    said = workbench(
        *("export", here / "net.py:Net", "--save_inference_dir=out", "--layout", "program", "--json"),
        *("--input", "image:float32:None,3,8,8", "--softmax", "--weights", "trained.pdparams"),
        *("--arg", "classes=6", "--arg", "scale=2"),
        cwd=tmp_path,
    )
    facts = said.json  # nothing else is on standard output
    assert "made with love" in said.err
    assert "by a shell" in said.err
    assert (facts["layout"], facts["directory"]) == ("program", "out")
    assert facts["files"] == ["inference.pdiparams", "inference.pdiparams.info", "inference.pdmodel"]
    assert facts["inputs"] == [{"name": "image", "dtype": "float32", "shape": [-1, 3, 8, 8]}]
    assert facts["acceptance"]["passed"] is True
    assert facts["acceptance"]["outputs"][0]["shape"] == [2, 6]
    with np.load(tmp_path / "answer.npz") as arrays:
        image, wanted = arrays["image"], arrays["out"]
    found = native([tmp_path / "out" / name for name in FILES["program"]], inputs={"image": image})
    np.testing.assert_allclose(next(iter(found.outputs.values())), wanted, rtol=1e-5, atol=1e-6)


def test_a_network_of_1x_with_its_persistables(workbench: Command, here: Path, tmp_path: Path) -> None:
    """The options as the fifth document has them."""
    plain(
        """
import numpy as np, paddle
paddle.enable_static()
with paddle.pir_utils.OldIrGuard():
    image = paddle.static.data("image", [None, 28, 28], "float32")
    out = paddle.static.nn.fc(image, 10, activation="softmax")
    executor = paddle.static.Executor()
    executor.run(paddle.static.default_startup_program())
    main = paddle.static.default_main_program()
    paddle.static.save_vars(executor, "kept", main, predicate=lambda variable: variable.persistable)
    data = np.random.default_rng(0).random((2, 28, 28), "float32")
    np.savez("answer.npz", image=data, out=executor.run(main, feed={"image": data}, fetch_list=[out])[0])
""",
        tmp_path,
    )
    said = workbench("export", f"--m={here}/old.py:net", "--p=kept", "--o=out", cwd=tmp_path)
    assert said.code == 0, said.err
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"model", "params"}
    lines = said.out.splitlines()
    assert re.match(r"combined written to out \(\d+ ops, 7,850 parameters\)", lines[0])
    assert lines[1] == "files: model, params"
    assert lines[2].startswith("acceptance passed: 2 files are there, and the outputs ")
    with np.load(tmp_path / "answer.npz") as arrays:
        image, wanted = arrays["image"], arrays["out"]
    found = native([tmp_path / "out" / name for name in FILES["combined"]], inputs={"image": image})
    np.testing.assert_allclose(next(iter(found.outputs.values())), wanted, rtol=1e-5, atol=1e-7)


def test_a_model_in_another_layout(
    workbench: Command, sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    source = sample_folder("digits", "separate")
    said = workbench("export", source, "-o", "out", "--layout", "pir", "--name", "net", cwd=tmp_path)
    assert said.code == 0, said.err
    assert said.out.splitlines()[1] == "files: net.json, net.pdiparams"
    assert "acceptance passed: 2 files are there" in said.out
    again = workbench("export", "out", "-o", "back", "--layout", "program", cwd=tmp_path)
    assert (again.code, again.out) == (2, "")
    assert "there is no way" not in again.err
    assert re.match("error: .*net.json is PIR, and Paddle has no way from PIR to program: export", again.err)
    assert not (tmp_path / "back").exists()


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The command in this process, where Paddle is imported once and stays in its mode."""
    from workbench.cli import main

    before = paddle.in_dynamic_mode(), paddle.get_flags(FLAG)
    try:
        main([str(argument) for argument in arguments])
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capfd.readouterr()
    assert (paddle.in_dynamic_mode(), paddle.get_flags(FLAG)) == before
    return code, said.out, said.err


def test_an_export_that_answers_otherwise(
    here: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1: the model is written, and is not accepted."""
    arguments = ("export", here / "net.py:Dice", "-o", tmp_path / "out", "--input", "x:float32:None,3")
    code, out, _ = run(capfd, *arguments)
    assert code == 1
    assert "acceptance failed: output 'output_0' differs by" in out
    assert (tmp_path / "out" / "inference.json").is_file()
    assert run(capfd, *arguments, "--overwrite", "--no-check")[0] == 0


def test_inputs_to_check_with(here: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("export", here / "net.py:Net", "-o", tmp_path / "out", "--input", "image:float32:?x3x?x?")
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert re.match("error: .*out is written and could not be checked .*give .*--check-inputs FILE.npz", last)
    code, out, _ = run(capfd, *arguments, "--overwrite", "--check-inputs", here / "small.npz")
    assert code == 0
    assert "float32 1×3" in out


TO = ("-o", "out")
X = ("--input", "image:float32:None,3,8,8")
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "no source": (TO, "Give SOURCE once.*--help"),
    "two sources": (("net.py:Net", "-m", "net.py:Net", *TO), "Give SOURCE once"),
    "no output": (("net.py:Net", *X), "[Mm]issing option.*--output.*--help"),
    "no inputs": (("net.py:Net", *TO), "needs an --input NAME:DTYPE:SHAPE for each"),
    "no such file": (("none.py:Net", *TO, *X), "none.py does not exist: give"),
    "no such module": (("nothing_at_all:Net", *TO, *X), "there is no module nothing_at_all: give"),
    "no such part of a module": (("json.nothing:Net", *TO, *X), "there is no module json.nothing: give"),
    "no such name": (("net.py:Nett", *TO, *X), "net.py has no Nett: it has Net"),
    "not to be called": (("net.py:value", *TO, *X), "value is int: name a function"),
    "a function that raises": (
        ("net.py:broken", *TO, *X),
        r"broken could not make .*\(ValueError: no backbone\)",
    ),
    "no layer": (("net.py:three", *TO, *X), "int is no layer: give"),
    "an argument nobody has": (("net.py:Net", *TO, *X, "--arg", "clases=2"), "'clases'"),
    "an argument without value": (
        ("net.py:Net", *TO, *X, "--arg", "classes"),
        "'classes' is not NAME=VALUE",
    ),
    "a file that exits": (("exits.py:Net", *TO, *X), r"exits.py cannot be imported \(SystemExit: 1\): mend"),
    "a file that lacks a module": (
        ("lacks.py:Net", *TO, *X),
        "'nothing_of_that_name'.*: install what it needs",
    ),
    "an input of no form": (
        ("net.py:Net", *TO, "--input", "image"),
        "'image' is not NAME:DTYPE:SHAPE: write",
    ),
    "an input too many": (
        ("net.py:Net", *TO, *X, "--input", "y:int64:3"),
        r"takes 1 \(image\) and 2 inputs",
    ),
    "an input that does not fit": (
        ("net.py:Net", *TO, "--input", "image:float32:None,3"),
        "Net cannot be turned static .*or the inputs",
    ),
    "no weights": (("net.py:Net", *TO, *X, "--weights", "no.npz"), "no.npz is .*damaged"),
    "no network": (("net.py:three", *TO, "-p", "."), r"three returned int: return \(inputs, outputs\)"),
    "no persistables": (("old.py:net", *TO, "-p", "nowhere"), "nowhere does not exist: give the folder"),
    "persistables of none": (("old.py:net", *TO, "-p", "."), "holds no file of a variable: give"),
    "a network with inputs": (
        ("old.py:net", *TO, "-p", ".", *X),
        "--input goes with a layer, not with --pers",
    ),
    "a model with softmax": (
        ("small.npz", *TO, "--softmax"),
        "--softmax goes with a layer, not with a model",
    ),
    "a model and no layout": (("small.npz", *TO), "Give the --layout to write the model in"),
    "no model": (("small.npz", *TO, "--layout", "pir"), "small.npz is a .*numpy .npz archive: "),
    "no inputs to check with": (
        ("net.py:Net", *TO, *X, "--check-inputs", "no.npz"),
        "no.npz is not an .npz",
    ),
    "inputs that are nowhere": (
        ("net.py:Net", *TO, *X, "--check-inputs", "x.npz"),
        "cannot read x.npz: .*give",
    ),
    "a file as output": (("net.py:Net", "-o", "old.py", *X), "old.py.* is a file"),
    "no file name": (("net.py:Net", *TO, *X, "--name", "a/b"), "'a/b' is no file name: give"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(
    mistake: str, here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [*sys.path])
    arguments, message = MISTAKES[mistake]
    code, out, err = run(capfd, "export", *arguments)
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (code, out) == (2, "")
    assert len(lines) == 1
    assert re.search(message, lines[0])
    assert "Traceback" not in err
    assert not (here / "out").exists()
    assert not [file for file in here.iterdir() if file.name.startswith(".")]
