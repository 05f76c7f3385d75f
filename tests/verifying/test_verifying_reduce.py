"""A model that fails is cut down to the smallest part that does, in a folder that runs without us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workbench import models
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import WorkbenchError
from workbench.verifying.reduction import Reduction, reduce

REASON = "ConvertPirAttribute2RuntimeAttribute not support"
# What NATIVE.md tells of Paddle 3.3.1, in the middle of a larger net.
LARGE = """
import sys
import paddle
from paddle import nn

class Block(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2D(8, 8, 3, padding=1), nn.BatchNorm2D(8)

    def forward(self, x):
        return nn.functional.relu(self.norm(self.conv(x))) + x

class Large(nn.Layer):
    def __init__(self):
        super().__init__()
        self.first, self.up = nn.Conv2D(3, 8, 3, padding=1), nn.Conv2D(8, 8, 3, padding=1)
        self.down, self.last = nn.Sequential(Block(), Block(), Block()), nn.Sequential(Block(), Block())
        self.head = nn.Linear(8, 4)

    def forward(self, image):
        x = nn.functional.relu(self.up(self.down(self.first(image))))
        x = nn.functional.interpolate(x, scale_factor=2)
        return self.head(self.last(x).mean([2, 3]))

layer = Large()
layer.eval()
specs = [paddle.static.InputSpec([None, 3, 16, 16], "float32", "image")]
paddle.jit.save(paddle.jit.to_static(layer, input_spec=specs, full_graph=True), sys.argv[1])
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    folder = tmp_path_factory.mktemp("large")
    script = folder / "script.py"
    script.write_text(LARGE)
    done = subprocess.run(
        [sys.executable, str(script), str(folder / "model" / "inference")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return models.load(folder / "model")


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> models.Model:
    return models.load(sample_folder("digits"))


@pytest.fixture(scope="module")
def found(large: models.Model, tmp_path_factory: pytest.TempPathFactory) -> Reduction:
    return reduce(
        large,
        check="crash",
        passes=["onednn_placement_pass"],
        folder=tmp_path_factory.mktemp("found") / "sent",
    )


def reproduce(folder: Path, copy: Path) -> subprocess.CompletedProcess[str]:
    """Run the script of a copy, as a person does who has Paddle and nothing of ours."""
    shutil.copytree(folder, copy)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "reproduce.py"],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def content(folder: Path) -> dict[str, bytes]:
    """Every file of the folder, and those inside its archives unpacked."""
    found = {}
    for file in folder.iterdir():
        if file.suffix in (".zip", ".npz"):
            with zipfile.ZipFile(file) as archive:
                found.update({f"{file.name}/{name}": archive.read(name) for name in archive.namelist()})
        else:
            found[file.name] = file.read_bytes()
    return found


def test_the_real_defect_is_cut_down_to_the_guilty_op(large: models.Model, found: Reduction) -> None:
    assert large.ops > 30 and found.ops_before == large.ops
    assert found.ops <= 5 and "pd_op.nearest_interp" in found.types
    assert found.failure.kind == "refused" and found.failure.phase == "running the model"
    assert REASON in found.failure.text and "switch off" not in found.failure.text
    assert found.avoid == InferenceConfig(disabled_passes=("onednn_placement_pass",))
    assert found.notices == () and found.runs == 1
    with np.load(found.folder / "inputs.npz") as sent:
        inputs = dict(sent)
    with Session(found.model) as session, pytest.raises(WorkbenchError, match=REASON):
        session.run(inputs)
    assert len(found.probes) <= 2 * np.ceil(np.log2(large.ops)) + 2
    assert found.model.ops == found.ops == json.loads(json.dumps(found.facts()))["ops"]


def test_what_is_sent_runs_anywhere(found: Reduction, tmp_path: Path) -> None:
    assert found.files == tuple(sorted(file.name for file in found.folder.iterdir()))
    assert {"model.json", "inputs.npz", "expected.npz", "reproduce.py", "issue.md", "issue.zip"} <= {
        *found.files
    }
    ran = reproduce(found.folder, tmp_path / "copy")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "failing: fails" in ran.stdout and REASON in ran.stdout
    assert "avoiding: runs" in ran.stdout and ran.stdout.endswith("The fault shows.\n")
    with zipfile.ZipFile(found.folder / "issue.zip") as archive:
        assert {*archive.namelist(), "issue.zip"} == {*found.files}


def test_the_issue_says_what_its_receiver_asks(found: Reduction) -> None:
    text = (found.folder / "issue.md").read_text()
    assert text.startswith("# [Paddle Inference] Error while running the model: nearest_interp")
    for words in (
        REASON,
        "- `onednn_placement_pass`",
        "config.delete_pass('onednn_placement_pass')",
        "python reproduce.py",
        "pd_op.nearest_interp(",
        "scale=[2.0, 2.0]",
        "| oneDNN | ",
        "| CPU | ",
        "oneDNN on, 1 thread",
    ):
        assert words in text
    version = subprocess.run(
        [sys.executable, "-c", "import paddle; print(paddle.__version__, paddle.version.commit)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert f"| Paddle | {version[0]} " in text and version[1] in text


def test_nothing_that_is_sent_names_the_machine(large: models.Model, found: Reduction) -> None:
    places = (
        str(Path.home()),
        sys.prefix,
        str(large.model_file.parent),
        str(found.folder),
        "/tmp/",
        "workbench",
    )
    for name, data in content(found.folder).items():
        assert [place for place in places if place.encode() in data] == [], name


def test_two_ops_that_fail_only_together_both_stay(digits: models.Model, tmp_path: Path) -> None:
    """A pass that fuses conv2d and add into an op that has no kernel on a CPU: while it is created."""
    config = InferenceConfig(enabled_passes=("conv2d_add_fuse_pass",))
    found = reduce(digits, config, "crash", folder=tmp_path / "sent")
    assert found.failure.phase == "creating the predictor" and "is not registered" in found.failure.text
    assert {"pd_op.conv2d", "pd_op.add"} <= {*found.types} and found.ops <= 6
    failed = {probe.ops for probe in found.probes if probe.failed}
    assert found.kept in failed
    for index in found.kept:
        if digits.graph().ops[index].type != "pd_op.full_int_array":
            rest = set(found.kept) - {index}
            assert any(set(probe.ops) <= rest | {4} for probe in found.probes if not probe.failed)
    assert reproduce(found.folder, tmp_path / "copy").returncode == 1


def test_wrong_outputs_are_kept_beside_right_ones(digits: models.Model, tmp_path: Path) -> None:
    """With no tolerance at all, the last bits of another convolution are wrong."""
    config = InferenceConfig(onednn=True)
    found = reduce(digits, config, "output", tolerance=(0, 0), folder=tmp_path / "sent")
    assert found.failure.kind == "differs" and len(found.kept) == 1
    with np.load(found.folder / "failing.npz") as given, np.load(found.folder / "expected.npz") as expected:
        assert given.files == expected.files == [info.name for info in found.model.outputs]
        assert not np.array_equal(given[given.files[0]], expected[given.files[0]])
    ran = reproduce(found.folder, tmp_path / "copy")
    assert ran.returncode == 1 and "values differ" in ran.stdout, ran.stdout + ran.stderr
    script = (tmp_path / "copy" / "reproduce.py").read_text()
    # Once the fault is gone, the script says so.
    (tmp_path / "copy" / "reproduce.py").write_text(
        script.replace("ATOL, RTOL = 0.0, 0.0", "ATOL, RTOL = 1e-3, 1e-3")
    )
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "copy" / "reproduce.py")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0 and ran.stdout.endswith("The fault does not show.\n")


def test_program_ir(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    """A pass that lacks what it needs: it refuses whatever the model is, so one op is left."""
    model = models.load(sample_folder("digits", "program"))
    config = InferenceConfig(enabled_passes=("cpu_quantize_pass",))
    found = reduce(model, config, "crash", passes=["cpu_quantize_pass"], folder=tmp_path / "sent")
    assert len(found.kept) == 1 and found.avoid == InferenceConfig()
    assert "model.pdmodel" in found.files
    ran = reproduce(found.folder, tmp_path / "copy")
    assert ran.returncode == 1 and "avoiding: runs" in ran.stdout, ran.stdout + ran.stderr
