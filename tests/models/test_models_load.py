"""What `load` finds, and what it says when there is nothing to find."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from workbench import models
from workbench.errors import ModelError
from workbench.models import params

Copy = Callable[..., Path]
FILES = {
    "pir": ("inference.json", "inference.pdiparams"),
    "program": ("inference.pdmodel", "inference.pdiparams"),
    "combined": ("model", "params"),
}


def refuse(path: Any, pattern: str, **options: Any) -> None:
    """Loading fails with one line that says this."""
    with pytest.raises(ModelError, match=pattern) as caught:
        models.load(path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", list(FILES))
def test_every_way_to_name_a_model(layout: str, copy: Copy) -> None:
    folder = copy(layout)
    program, weights = (folder / name for name in FILES[layout])
    for path in (folder, str(folder), program, weights):
        model = models.load(path)
        assert (model.layout, model.model_file, model.params_file) == (layout, program, weights)
        assert (model.model_dir, model.model_bytes, model.params_bytes) == (None, None, None)
    moved = weights.rename(folder / "elsewhere.bin")
    refuse(program, r"needs its 15 parameters, but .*(params) does not exist")
    assert models.load(program, moved).params_file == moved
    assert models.load(folder, params=str(moved)).layout == layout


def test_the_common_start_of_both_files_is_enough(copy: Copy) -> None:
    folder = copy("pir")
    assert models.load(folder / "inference").layout == "pir"
    (folder / "inference.pdmodel").write_bytes(b"")
    refuse(folder / "inference", r"is not a file, and there are inference.json, inference.pdmodel: pass")


def test_separate_and_its_old_combined_form(copy: Copy) -> None:
    folder = copy("separate")
    for path in (folder, folder / "__model__", folder / "conv2d_0.w_0"):
        model = models.load(path)
        assert (model.layout, model.model_dir, model.params_file) == ("separate", folder, None)
    assert len(model.files) == 16
    params.join(folder, model.weights, folder / "__params__")
    for path in (folder, folder / "__model__", folder / "__params__"):
        again = models.load(path)
        assert (again.layout, again.params_file) == ("combined", folder / "__params__")
    assert again.fingerprint == model.fingerprint
    assert again.bytes == model.bytes


def test_separate_with_a_file_missing_or_damaged(copy: Copy) -> None:
    folder = copy("separate")
    weight = folder / "conv2d_0.w_0"
    data = weight.read_bytes()
    weight.write_bytes(data[:-4])
    refuse(folder, r"conv2d_0.w_0 is cut short in parameter 'conv2d_0.w_0' \(1 of 1\): it has \d+ bytes")
    weight.write_bytes((folder / "conv2d_1.w_0").read_bytes())
    refuse(folder, r"should be float32 \[16, 1, 3, 3\], but the file has float32 \[32, 16, 3, 3\]")
    weight.unlink()
    (folder / "linear_1.b_0").unlink()
    refuse(folder, r"lacks the parameter file 'conv2d_0.w_0' and 1 more \(15 are expected")
    for file in folder.iterdir():
        if file.name != "__model__":
            file.unlink()
    refuse(
        folder, r"__params__ does not exist.*or one file per parameter, the first named batch_norm2d_0.b_0"
    )


def test_in_memory(copy: Copy) -> None:
    for layout in ("pir", "program"):
        folder = copy(layout, to=layout)
        program, weights = (folder / name for name in FILES[layout])
        on_disk = models.load(program)
        model = models.from_bytes(program.read_bytes(), weights.read_bytes())
        assert (model.ir, model.layout, model.path, model.files) == (layout, layout, None, ())
        assert model.fingerprint == on_disk.fingerprint
        same = ("ir", "layout", "inputs", "outputs", "ops", "parameters", "bytes")
        assert {key: model.facts()[key] for key in same} == {key: on_disk.facts()[key] for key in same}
        ours, theirs = models.read_params(model), models.read_params(on_disk)
        assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)
        with pytest.raises(ModelError, match="the parameter data is empty"):
            models.from_bytes(program.read_bytes())
        with pytest.raises(ModelError, match="the model bytes are a Paddle parameter file: pass the program"):
            models.from_bytes(weights.read_bytes(), program.read_bytes())
    with pytest.raises(ModelError, match="the model bytes are an empty file"):
        models.from_bytes(b"")


def test_facts_are_plain_and_complete(copy: Copy) -> None:
    facts = models.load(copy("pir", to="tidy")).facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["name"] == "tidy"
    assert facts["inputs"] == [{"name": "image", "dtype": "float32", "shape": [-1, 1, 8, 8]}]
    assert facts["outputs"] == [{"name": "fetch_name_0", "dtype": "float32", "shape": [-1, 10]}]
    assert (facts["ir"], facts["layout"], facts["parameters"]) == ("pir", "pir", 38458)
    assert facts["bytes"] == sum(file.stat().st_size for file in (Path(facts["path"]).parent).iterdir())


def test_fingerprint_is_of_the_content(copy: Copy) -> None:
    folder = copy("pir")
    before = models.load(folder).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", before)
    data = bytearray((folder / "inference.pdiparams").read_bytes())
    data[-1] ^= 1
    (folder / "inference.pdiparams").write_bytes(data)
    assert models.load(folder).fingerprint != before
    (folder / "inference.json").rename(folder / "a.json")
    (folder / "inference.pdiparams").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (folder / "inference.pdiparams").rename(folder / "a.pdiparams")
    assert models.load(folder).fingerprint == before
    assert models.load(folder).name == "a"


def test_paths_that_lead_nowhere(copy: Copy, tmp_path: Path) -> None:
    folder = copy("pir")
    refuse(folder / "inferense.json", r"inferense.json does not exist: did you mean inference.json")
    refuse(folder / "inference.onnx", r"did you mean inference\.")
    refuse(
        folder / "zzz", r"zzz does not exist: check the path \(.* holds inference.json, inference.pdiparams\)"
    )
    refuse(tmp_path / "modle" / "inference.json", r"there is no modle in .*, did you mean model\?")
    refuse(tmp_path / "q" / "r" / "s", r"there is no q in .*: check the path")
    (folder / "link.json").symlink_to(folder / "gone.json")
    refuse(folder / "link.json", r"link.json is a link to .*gone.json, which does not exist")
    refuse(folder / "a\0b", r"cannot be read \(.*null.*\)|does not exist")
    refuse(folder / ("x" * 300), r"cannot be read \(File name too long\)|does not exist")
    refuse(Path("/"), r"holds no model")
    os.mkfifo(folder / "pipe.json")
    refuse(folder / "pipe.json", r"pipe.json is not a regular file")


def test_folders_without_one_model(copy: Copy, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    refuse(empty, r"empty is an empty folder: pass")
    folder = copy("pir")
    refuse(tmp_path, r"holds no model itself, but .*model does: pass that one")
    (folder / "other.pdmodel").write_bytes(b"")
    refuse(folder, r"holds 2 models \(inference.json, other.pdmodel\): pass the file you mean")
    (empty / "notes.txt").write_text("nothing")
    (empty / "sub").mkdir()
    refuse(empty, r"holds no model \(no PIR .json, .pdmodel, __model__ or model\) but notes.txt, sub/: pass")
    (empty / "weights.pdiparams").write_bytes((folder / "inference.pdiparams").read_bytes())
    refuse(empty, r"weights.pdiparams is a Paddle parameter file, no .json or .pdmodel beside it")
    refuse(
        empty / "weights.pdiparams", r"is a parameter file, and weights.json or weights.pdmodel is not beside"
    )
    (empty / "weights.json").write_text('{"a": 1}')
    refuse(empty, r'weights.json is a JSON file but not a Paddle program \(no "magic": "pir"')
    (empty / "weights.pdmodel").write_bytes(b"")
    refuse(empty / "weights.pdiparams", r"there are 2 models beside it \(weights.json, weights.pdmodel\)")


def test_a_folder_of_another_framework(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07\x12\x07pytorch" + bytes(50))
    refuse(tmp_path, r"holds no Paddle model: net.onnx is an ONNX model; convert it")


def test_params_passed_alone_name_the_model_to_pass(copy: Copy) -> None:
    folder = copy("pir")
    lost = (folder / "inference.pdiparams").rename(folder / "lost.pdiparams")
    refuse(
        lost, r"lost.json or lost.pdmodel is not beside it: the folder holds inference.json, pass that one"
    )
    refuse(
        folder,
        r"needs its 15 parameters, .*inference.pdiparams does not exist: the folder holds lost.pdiparams",
    )
    assert models.load(folder, lost).params_file == lost


def test_wrong_params_arguments(copy: Copy) -> None:
    folder = copy("pir")
    refuse(folder, r"the parameters .* are a folder: pass the file", params=folder)
    refuse(folder, r"parameter file .*nope.* does not exist", params=folder / "nope.pdiparams")
    refuse(folder, r"is a PIR program, not a parameter file", params=folder / "inference.json")
    (folder / "a.pdparams").write_bytes(pickle.dumps({"a": 1}))
    refuse(folder, r"a.pdparams is a pickle, most likely a training checkpoint", params=folder / "a.pdparams")


@pytest.mark.parametrize("layout", list(FILES))
def test_damaged_params(layout: str, copy: Copy) -> None:
    folder = copy(layout)
    weights = folder / FILES[layout][1]
    data = weights.read_bytes()
    weights.write_bytes(data[:-5])
    refuse(
        folder,
        rf"{weights.name} is cut short in parameter 'linear_1.w_0' \(15 of 15\): "
        rf"it has {len(data) - 5:,} bytes and at least {len(data):,} are needed",
    )
    weights.write_bytes(data[: 12 + 8 + 4 + 16 * 4])
    refuse(folder, r"ends after 1 of the model's 15 parameters.*'batch_norm2d_0.w_0' \(2 of 15\) is missing")
    weights.write_bytes(data + b"more")
    refuse(folder, rf"has 4 bytes more than the model's 15 parameters need \({len(data):,}\)")
    weights.write_bytes(b"")
    refuse(folder, r"is empty, but the model has 15 parameters: copy or export it again")
    weights.write_bytes(random.Random(0).randbytes(5000))
    refuse(folder, r"does not hold this model's parameters: at byte 0, where parameter 'batch_norm2d_0.b_0'")
    other = models.load(models.sample("bert_tiny", "pir")).params_file
    assert other is not None
    weights.write_bytes(other.read_bytes())
    refuse(
        folder,
        r"belongs to another model: parameter 'batch_norm2d_0.b_0' \(1 of 15\) should be float32 \[16\]",
    )


def test_damaged_programs(copy: Copy) -> None:
    pir = copy("pir", to="a") / "inference.json"
    data = pir.read_bytes()
    for size in (len(data) // 2, 300):
        pir.write_bytes(data[:size])
        refuse(pir.parent, r"inference.json is cut short: its JSON does not end within its [\d,]+ bytes")
    pir.write_bytes(data[:-1])
    refuse(pir, r"inference.json cannot be read: .*not valid JSON .*copy or export it again")
    pir.write_bytes(data.replace(b'"A":', b'"A";', 1))
    refuse(pir, r"inference.json cannot be read: .*not valid JSON")
    old = copy("program", to="b") / "inference.pdmodel"
    data = old.read_bytes()
    for size in (len(data) // 2, 100, 5):
        old.write_bytes(data[:size])
        refuse(old, rf"inference.pdmodel is cut short: it has {size:,} bytes and at least [\d,]+ are needed")
    old.write_bytes(data[:-1])
    refuse(old, r"inference.pdmodel is cut short|is damaged")
    old.write_bytes(data.replace(b"conv2d", b"\xff\xff\xff\xff\xff\xff"))
    refuse(old, r"inference.pdmodel (cannot be read|is damaged)")
    for seed in range(20):
        old.write_bytes(random.Random(seed).randbytes(3000))
        refuse(old, r"inference.pdmodel is")
    old.write_bytes(b"")
    refuse(old.parent, r"inference.pdmodel is an empty file: copy or export it again")


FOREIGN = {
    "net.onnx": (b"\x08\x07\x12\x07pytorch\x1a\x051.0.0", "an ONNX model: convert it to Paddle"),
    "renamed.pdmodel": (b"\x08\x08\x12\x07pytorch\x1a\x051.0.0:" + bytes(99), "an ONNX model"),
    "a.json": (b'{"hello": [1, 2]}', 'a JSON file but not a Paddle program (no "magic": "pir" at its start)'),
    "b.json": (b"[]", "a JSON file but not"),
    "c.pdmodel": (b"just some words\nand more", "a text file: pass a .json, .pdmodel"),
    "d.json": ("не модель".encode() * 2000, "a text file"),
    "e.pdmodel": (b"\n  <!DOCTYPE html><html>", "a web page, not a model: download it again"),
    "f.pdmodel": (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
    "g.pdparams": (pickle.dumps({"w": [1.0]}), "a pickle, most likely a training checkpoint"),
    "h.pt": (pickle.dumps({"w": [1.0]}, protocol=2), "a PyTorch file: export it to ONNX"),
    "i.tar.gz": (b"\x1f\x8b\x08\x00", "a gzip archive: unpack it first"),
    "j.h5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "k.npy": (b"\x93NUMPY\x01\x00", "a numpy array: pass the model file"),
    "l.safetensors": (b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"a":{"dtype"', "a safetensors file"),
    "m.bin": (b"\xde\xad\xbe\xef" * 40, "not a Paddle program: it may be damaged"),
}


@pytest.mark.parametrize("name", list(FOREIGN))
def test_files_that_are_something_else(name: str, tmp_path: Path) -> None:
    data, text = FOREIGN[name]
    (tmp_path / name).write_bytes(data)
    refuse(tmp_path / name, re.escape(f"{name} is {text}"))


@pytest.mark.parametrize(
    ("name", "member", "text"),
    (
        ("net.pt", "net/data.pkl", "a PyTorch file"),
        ("net.bin", "archive/data.pkl", "a PyTorch file"),
        ("data.npz", "a.npy", "a numpy .npz archive"),
        ("model.zip", "inference.json", "a zip archive: unpack it"),
    ),
)
def test_archives(name: str, member: str, text: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr(member, "content")
    refuse(tmp_path / name, re.escape(f"{name} is {text}"))


def test_names_that_paddle_would_misread(copy: Copy) -> None:
    pir, old = copy("pir", to="a"), copy("program", to="b")
    (pir / "inference.json").rename(pir / "inference.pdmodel")
    refuse(pir, r"is a PIR program under the name of something else.*rename it to inference.json")
    (old / "inference.pdmodel").rename(old / "inference.json")
    refuse(old, r"is a Program IR model under the name of a PIR one.*rename it to inference.pdmodel")
    (old / "inference.json").rename(old / "odd.bin")
    (old / "inference.pdiparams").unlink()
    refuse(old, r"odd.bin is a Paddle program, but not its usual name; pass the model file")


def test_an_optimized_model_is_a_model(copy: Copy) -> None:
    for layout in ("pir", "program"):
        folder = copy(layout, to=layout)
        for file in folder.iterdir():
            file.rename(folder / file.name.replace("inference", "_optimized"))
        assert models.load(folder).name == "_optimized"


def test_no_permission(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not with chmod: root may read everything.
    folder = copy("pir")
    real = Path.open

    def forbid(name: str) -> None:
        def locked(self: Path, *args: Any, **options: Any) -> Any:
            if self.name == name:
                raise PermissionError(13, "Permission denied")
            return real(self, *args, **options)

        monkeypatch.setattr(Path, "open", locked)

    for name in ("inference.json", "inference.pdiparams"):
        forbid(name)
        refuse(
            folder / "inference.json", rf"{name} cannot be read \(Permission denied\): check the path and its"
        )
    monkeypatch.setattr(Path, "iterdir", lambda self: iter_denied())
    refuse(folder, r"cannot be listed \(Permission denied\)")


def iter_denied() -> Any:
    raise PermissionError(13, "Permission denied")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), layout=st.sampled_from(["pir", "program"]))
def test_damage_is_only_ever_a_model_error(data: st.DataObject, layout: str, cache_folder: Path) -> None:
    folder = models.sample("digits", layout)
    program, weights = ((folder / name).read_bytes() for name in FILES[layout])
    changed = bytearray(program)
    start = data.draw(st.integers(0, len(program) - 1))
    count = data.draw(st.integers(0, 8))
    changed[start : start + count] = data.draw(st.binary(max_size=8))
    try:
        model = models.from_bytes(bytes(changed), weights)
        model.facts()
        models.read_params(model)
    except ModelError as error:
        assert "\n" not in str(error)


def test_importing_the_room_is_light() -> None:
    code = (
        "import sys, workbench.models as m; m.Model; "
        "heavy = {'sklearn', 'google.protobuf', 'paddle', 'scipy', 'platformdirs', 'numpy'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(models.__all__) <= {*dir(models), *dir(sys.modules["workbench.models.samples"])}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = models.nothing
