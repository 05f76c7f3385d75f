"""What each command gives, as a table and as one JSON document."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from oracle import model_arguments, native

from workbench.cli.main import app
from workbench.models import sample_inputs

Command = Callable[..., Any]
COMMANDS = tuple(app.commands)
TENSOR = {"name": str, "dtype": str, "shape": list}


def check(facts: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Every promised key is there and of its type; a list may say what each entry holds."""
    for key, kind in wanted.items():
        assert key in facts, key
        if isinstance(kind, dict):
            assert isinstance(facts[key], list) and facts[key], key
            for entry in facts[key]:
                check(entry, kind)
        else:
            assert isinstance(facts[key], kind) and not (kind is int and isinstance(facts[key], bool)), key


def test_nothing_asked_prints_the_help(workbench: Command) -> None:
    bare, asked = workbench(), workbench("--help")
    assert (bare.code, bare.err) == (0, "")
    assert bare.out == asked.out
    for command in COMMANDS:
        assert re.search(rf"^  {command}  +\S", bare.out, re.MULTILINE)
    assert "..." not in bare.out.replace("[ARGS]...", "")  # no summary is cut short


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_help_text(workbench: Command, command: str) -> None:
    said = workbench(command, "--help", COLUMNS="80")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 80
    for option in app.commands[command].params:
        assert isinstance(option, click.Argument) or option.help, option.name


def test_the_version(workbench: Command) -> None:
    import workbench as package

    assert workbench("--version").out == f"workbench, version {package.__version__}\n"


@pytest.mark.parametrize(("layout", "ir"), [("pir", "pir"), ("separate", "program")])
def test_samples_and_info(workbench: Command, tmp_path: Path, layout: str, ir: str) -> None:
    folder = tmp_path / "made" / "here"
    said = workbench("samples", "digits", folder, "--layout", layout, "--json")
    written = said.json
    assert (written["name"], written["directory"]) == ("digits", str(folder))
    assert (folder / "inputs.npz").is_file()
    again = workbench("info", folder, "--json")
    assert again.err == ""
    facts = again.json
    integers = {"ops": int, "parameters": int, "bytes": int}
    check(facts, {"ir": str, "layout": str, "inputs": TENSOR, "outputs": TENSOR, **integers})
    assert (facts["ir"], facts["layout"]) == (ir, layout)
    assert [(one["name"], one["dtype"], one["shape"]) for one in facts["inputs"]] == [
        ("image", "float32", [-1, 1, 8, 8])
    ]
    assert facts["outputs"][0]["shape"] == [-1, 10]
    models = [file for file in folder.iterdir() if file.name not in ("inputs.npz", "labels.npy")]
    assert facts["bytes"] == sum(file.stat().st_size for file in models)
    table = workbench("info", folder)
    assert table.err == ""
    assert f"{facts['ops']:,} ops, {facts['parameters']:,} parameters, {facts['bytes']:,} bytes" in table.out
    assert re.search(r"^input +image +float32 +any×1×8×8$", table.out, re.MULTILINE)
    assert workbench("samples", "digits", folder, "--layout", layout).code == 0  # the same again does no harm


STAGE: dict[str, Any] = {
    "index": int,
    "changed": bool,
    "ops": int,
    "added": int,
    "removed": int,
    "dot": (str, type(None)),
    "matches": (int, list, type(None)),
    "pass": (str, type(None)),
}


@pytest.mark.parametrize("ir", ["pir", "program"])
def test_trace_writes_a_dot_per_stage(
    workbench: Command, sample_folder: Callable[..., Path], tmp_path: Path, ir: str
) -> None:
    folder = sample_folder("digits", ir)
    dots = tmp_path / "new" / "dots"
    facts = workbench("trace", folder, "-o", dots, "--json").json
    check(facts, {"ir": str, "runtime": str, "paddle": str, "stages": STAGE})
    plain = native(model_arguments(folder, ir))
    stages = facts["stages"]
    assert facts["ir"] == ir
    assert [stage["pass"] for stage in stages] == [None, *plain.passes]
    assert [stage["index"] for stage in stages] == list(range(len(plain.passes) + 1))
    assert all(stage["matches"] is None for stage in stages[:1])
    for stage, counts in zip(stages[1:], plain.matches, strict=True):
        flat = [sum(column) for column in zip(*counts, strict=True)] if counts else None
        assert stage["matches"] == (flat[0] if flat is not None and len(flat) == 1 else flat), stage["pass"]
    assert not stages[0]["changed"]
    assert any(stage["changed"] for stage in stages)
    assert sorted(Path(stage["dot"]) for stage in stages) == sorted(dots.iterdir())
    ran = subprocess.run(["dot", "-Tcanon", "-O", *sorted(dots.iterdir())], capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_trace_writes_a_page_that_needs_nothing_else(
    workbench: Command, digits: Path, tmp_path: Path
) -> None:
    page = tmp_path / "digits.html"
    workbench("trace", digits, "--html", page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert not re.findall(r"(?:src|href)=.https?:", text)
    said = workbench("trace", digits, "--html", tmp_path / "no" / "such" / "folder.html")
    assert said.code == 2
    assert said.err.startswith("error: cannot write")


def test_trace_as_a_table(workbench: Command, digits: Path) -> None:
    short, long = workbench("trace", digits), workbench("trace", digits, "--all")
    assert (short.code, short.err) == (0, "")
    rows = [line for line in short.out.splitlines() if re.match(r" *\d+  \S", line)]
    every = [line for line in long.out.splitlines() if re.match(r" *\d+  \S", line)]
    hidden = re.search(r"^(\d+) passes changed nothing \(--all shows them\)$", short.out, re.MULTILINE)
    assert hidden
    assert len(every) == len(rows) + int(hidden.group(1))
    assert "(--all" not in long.out
    assert all(line == line.rstrip() for line in short.out.splitlines())


def test_a_pass_switched_off_is_gone_and_a_switch_without_effect_is_noticed(
    workbench: Command, digits: Path
) -> None:
    off = ("--disable-pass", "conv2d_bn_onednn_fuse_pass", "--disable-pass", "conv_bn_fuse_pass")
    said = workbench("trace", digits, *off, "--json")
    names = [stage["pass"] for stage in said.json["stages"]]
    assert "conv2d_bn_onednn_fuse_pass" not in names
    assert said.err.splitlines() == [f"notice: {text}" for text in said.json["notices"]]
    assert "conv_bn_fuse_pass changed nothing" in said.err


@pytest.mark.parametrize(
    ("options", "setup"),
    [
        ((), ()),
        (
            ("--no-onednn", "--threads", "2"),
            ("config.disable_mkldnn()", "config.set_cpu_math_library_num_threads(2)"),
        ),
    ],
)
@pytest.mark.parametrize("ir", ["pir", "program"])
def test_run_is_plain_paddle_bit_for_bit(
    workbench: Command,
    sample_folder: Callable[..., Path],
    tmp_path: Path,
    ir: str,
    options: tuple[str, ...],
    setup: tuple[str, ...],
) -> None:
    folder = sample_folder("digits", ir)
    image = sample_inputs(folder)["image"][:5]
    np.save(tmp_path / "image.npy", image)
    out = tmp_path / "out.npz"
    arguments = ("--input", f"image={tmp_path / 'image.npy'}", "-o", out, "--json", *options)
    said = workbench("run", folder, *arguments)
    facts = said.json
    check(facts, {"outputs": TENSOR, "asked": dict, "given": dict})
    plain = native(model_arguments(folder, ir), setup, {"image": image})
    with np.load(out) as arrays:
        assert sorted(arrays.files) == sorted(plain.outputs)
        for name, array in plain.outputs.items():
            assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
            assert arrays[name].tobytes() == array.tobytes()
    assert [(one["name"], one["shape"]) for one in facts["outputs"]] == [
        (name, list(array.shape)) for name, array in plain.outputs.items()
    ]
    assert facts["given"]["threads"] == plain.given["threads"] == facts["asked"]["threads"]
    assert facts["given"]["onednn"] == plain.given["onednn"]
    assert facts["given"]["passes"] == plain.passes


def test_run_without_inputs_takes_the_samples_own_and_writes_the_very_file_named(
    workbench: Command, digits: Path, tmp_path: Path
) -> None:
    said = workbench("run", digits, "-o", tmp_path / "no_suffix")
    assert (said.code, said.err) == (0, "")
    assert [file.name for file in tmp_path.iterdir()] == ["no_suffix"]
    plain = native(model_arguments(digits, "pir"), (), {"image": sample_inputs(digits)["image"][:1]})
    (expected,) = plain.outputs.values()
    with np.load(tmp_path / "no_suffix") as arrays:
        (array,) = (arrays[name] for name in arrays.files)
        assert array.tobytes() == expected.tobytes()
    assert re.search(r"^\S+ +float32 +1×10 +", said.out, re.MULTILINE)
    assert ", ".join(f"{value:.5g}" for value in expected.reshape(-1)[:6]) in said.out


def test_a_gpu_asked_of_a_cpu_build_is_noticed_on_stderr_only(workbench: Command, digits: Path) -> None:
    said = workbench("run", digits, "--device", "gpu", "--json")
    facts = said.json
    assert (facts["asked"]["device"], facts["given"]["device"]) == ("gpu", "cpu")
    assert "notice: a GPU was asked for" in said.err
    assert all(line.startswith("notice: ") for line in said.err.splitlines())


RUN = {
    "label": str,
    "cold_ms": float,
    "p50_ms": float,
    "p90_ms": float,
    "p99_ms": float,
    "ci95": list,
    "samples": list,
    "remarks": list,
}
COMPARISON = {"a": str, "b": str, "ratio": float, "ci95": list, "verdict": str}


def test_bench_compares(workbench: Command, digits: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.html"
    arguments = ("--vs", "onednn=off", "--vs", "", "--threads", "2", "--seconds", "0.3", "--chart", chart)
    said = workbench("bench", digits, *arguments, "--json")
    assert said.err == ""
    facts = said.json
    check(facts, {"runs": RUN, "comparisons": COMPARISON})
    assert [one["label"] for one in facts["runs"]] == ["2 threads", "onednn=off", "2 threads #2"]
    assert [one["asked"]["onednn"] for one in facts["runs"]] == [None, False, None]
    assert [one["asked"]["threads"] for one in facts["runs"]] == [2, 2, 2]
    assert [(one["a"], one["b"]) for one in facts["comparisons"]] == [
        ("2 threads", "onednn=off"),
        ("2 threads", "2 threads #2"),
    ]
    for one in facts["comparisons"]:
        assert one["verdict"] in ("faster", "slower", "no difference seen")
    page = chart.read_text()
    assert "2 threads #2" in page and "plotly" in page


def test_bench_as_a_table_says_what_may_not_hold(
    workbench: Command, sample_folder: Callable[..., Path]
) -> None:
    said = workbench("bench", sample_folder("digits", "program"), "--seconds", "0.02", "--vs", "onednn=off")
    assert (said.code, said.err) == (0, "")
    heads = [
        "config",
        "cold ms",
        "p50 ms",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "mean",
        "std",
        "p50 95 %",
        "peak MB",
    ]
    assert re.search(rf"^{' +'.join(heads)} +samples / launches$", said.out, re.MULTILINE)
    assert re.search(
        r"^onednn=off against default: (faster|slower|no difference seen), latency ratio \S+ \[.+, .+\]$",
        said.out,
        re.MULTILINE,
    )
    counts = {
        label: (int(samples), int(launches))
        for label, samples, launches in re.findall(
            r"^(default|onednn=off) .* (\d+) / (\d+)$", said.out, re.MULTILINE
        )
    }
    assert len(counts) == 2
    for label, (samples, launches) in counts.items():
        assert (f"of {samples} samples" in said.out) == (samples < 10_000)
        assert (f"{label}: one launch" in said.out) == (launches == 1)


def test_tables_fit_a_terminal_of_80_columns(digits: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "info", str(digits)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:  # how a terminal says that its last user is gone
        pass
    os.close(ours)
    assert process.wait(60) == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.decode()).splitlines()
    assert any("any×1×8×8" in line for line in lines)
    assert max(map(len, lines)) <= 80
