"""Traces of every sample against the native dumps and the native log, counted here without our code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.models import LAYOUTS

SAMPLES = ("digits", "resnet18", "mobilenet_v3_small", "bert_tiny")
TRACED = [
    (name, layout, onednn) for name in SAMPLES for layout in ("pir", "program") for onednn in (True, False)
]


def files(folder: Path) -> list[str]:
    """What `paddle.inference.Config` takes for a layout."""
    for model, params in (
        ("inference.json", "inference.pdiparams"),
        ("inference.pdmodel", "inference.pdiparams"),
    ):
        if (folder / model).exists():
            return [str(folder / model), str(folder / params)]
    return [str(folder / "model"), str(folder / "params")] if (folder / "model").exists() else [str(folder)]


def inputs(name: str) -> dict[str, np.ndarray]:
    return {key: array[:2] for key, array in wb.sample_inputs(wb.sample(name)).items()}


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process of plain Paddle over all samples, layouts and settings."""
    folder = tmp_path_factory.mktemp("native")
    jobs = []
    for name in SAMPLES:
        np.savez(folder / f"{name}.npz", **inputs(name))
        for layout in LAYOUTS:
            for onednn in (True, False):
                jobs.append(
                    {
                        "files": files(wb.sample(name, layout)),
                        "onednn": onednn,
                        "inputs": str(folder / f"{name}.npz"),
                        "out": str(folder / f"{name}-{layout}-{onednn}"),
                        "debug": layout in ("pir", "program"),
                    }
                )
    (folder / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).with_name("native_dumps.py")
    subprocess.run([sys.executable, str(script), str(folder / "jobs.json")], check=True, capture_output=True)
    return folder


def logged(text: str) -> list[tuple[str, list[list[int]]]]:
    """Passes in order, with the numbers of every line of the log that says "detected"."""
    found: list[tuple[str, list[list[int]]]] = []
    for line in text.splitlines():
        if running := re.search(r"Running (?:IR|PIR) pass \[(\w+)\]", line):
            found.append((running.group(1), []))
        elif "Running analysis" in line:
            found.append(("", []))
        elif (detected := re.search(r"detected \[?([\d, ]+)\]? subgraphs", line)) and found:
            found[-1][1].append([int(number) for number in detected.group(1).split(",")])
    return [(name, lines) for name, lines in found if name]


def printed(text: str) -> list[tuple[str, str, int]]:
    """Of each module that PIR printed: when, pass, and the ops it lists."""
    found = []
    for part in text.split("IRPrinting on ")[1:]:
        words = part.split("\n", 1)[0].split()
        ops = re.findall(r'^ *\(.*?\) = "([^"]+)"', part, re.MULTILINE)
        kept = [op for op in ops if op not in ("builtin.parameter", "builtin.constant")]
        found.append((words[1], words[2], len(kept)))
    return found


def drawn(folder: Path) -> list[tuple[str, int]]:
    """Of each dot that Program IR wrote: pass, and its op nodes, which alone have this colour."""
    dots = sorted(folder.glob("*_ir_*.dot"), key=lambda path: int(path.name.split("_")[0]))
    return [(path.stem.split("_ir_")[1], path.read_text().count('color="#303A3A"')) for path in dots]


@pytest.mark.parametrize(("name", "layout", "onednn"), TRACED)
def test_stages_are_those_of_the_native_dumps(native: Path, name: str, layout: str, onednn: bool) -> None:
    seen = native / f"{name}-{layout}-{onednn}"
    trace = wb.trace(wb.sample(name, layout), wb.InferenceConfig(onednn=onednn))
    log = logged((seen / "stderr.txt").read_text(errors="replace"))
    assert [stage.pass_name for stage in trace] == [None, *(run for run, _ in log)]
    for stage, (_, lines) in zip(trace.stages[1:], log, strict=True):
        # A pass that searches several times logs several lines, which a stage gives added up.
        total = [sum(column) for column in zip(*lines, strict=True)]
        ours = stage.matches
        assert (list(ours) if isinstance(ours, tuple) else [] if ours is None else [ours]) == total, stage
    if layout == "pir":
        modules = printed((seen / "stdout.txt").read_text())
        assert [trace[0].ops] == [count for when, _, count in modules if when == "before"][:1]
        after = [(run, count) for when, run, count in modules if when == "after"]
        assert [stage.ops_before for stage in trace.stages[1:]] == [
            count for when, _, count in modules if when == "before"
        ]
    else:
        assert trace[0].ops == int((seen / "ops.txt").read_text())
        after = drawn(seen / "dumps")
    assert [(stage.pass_name, stage.ops) for stage in trace.stages[1:]] == after
    for stage in trace:
        assert len(stage.graph.ops) == stage.ops
        assert stage.ops == stage.ops_before + stage.added - stage.removed
    # The predictor that was traced is the one that runs.
    outputs = trace.session.run(inputs(name))
    with np.load(seen / "outputs.npz") as expected:
        assert list(outputs) == expected.files
        for key, array in outputs.items():
            np.testing.assert_array_equal(array, expected[key], strict=True)
    trace.close()
    trace.session.close()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SAMPLES)
def test_outputs_are_those_of_plain_paddle_bit_for_bit(native: Path, name: str, layout: str) -> None:
    for onednn in (True, False):
        with (
            wb.Session(wb.sample(name, layout), wb.InferenceConfig(onednn=onednn)) as session,
            np.load(native / f"{name}-{layout}-{onednn}" / "outputs.npz") as expected,
        ):
            outputs = session.run(inputs(name))
            assert list(outputs) == expected.files
            for key, array in outputs.items():
                np.testing.assert_array_equal(array, expected[key], strict=True)
