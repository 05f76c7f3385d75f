"""``workbench bisect``: the real defect, a model with nothing wrong, mistakes, and an interruption."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.cli.bisect import as_text
from workbench.config import InferenceConfig
from workbench.verifying import bisection
from workbench.verifying.bisection import Bisection, Outcome, Probe

EXPORT = """
import sys
import paddle
from workbench.deploy.training.export import export_layer
layer = paddle.nn.Sequential(
    paddle.nn.Conv2D(3, 4, 3), paddle.nn.ReLU(), paddle.nn.Upsample(scale_factor=2, mode="nearest")
)
export_layer(layer, sys.argv[1], [("image", "float32", [None, 3, 8, 8])])
"""
# As a user has it: the signal as in a terminal, also where the shell around the tests ignores it.
COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from workbench.cli.main import main
main(sys.argv[1:])
"""
Command = Callable[..., Any]
GUILTY = "onednn_placement_pass"
PATIENCE_S = 120.0

BOTH = frozenset({"a_pass", "b_pass"})
FOUND = Bisection(
    "digits",
    InferenceConfig(threads=2),
    "output",
    "found",
    "3 of 10 values differ",
    ("b_pass",),
    (("b_pass",),),
    InferenceConfig(threads=2).without("b_pass"),
    ("a_pass", "b_pass"),
    (
        Probe(1, BOTH, (), [Outcome("fails", "3 of 10 values differ", "output")] * 3),
        Probe(2, frozenset(), ("a_pass", "b_pass"), [Outcome("passes", "the same")]),
    ),
    {"b_pass": ("stage 4: 9 → 8 ops", "removed pd_op.relu")},
    None,
    ("something is to be said",),
)


@pytest.fixture(scope="module")
def upscale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upscale")
    subprocess.run([sys.executable, "-c", EXPORT, str(folder)], check=True, timeout=PATIENCE_S)
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks of the library, which tries nothing here."""
    calls: list[dict[str, Any]] = []

    def take(model: Any, config: InferenceConfig, check: str, inputs: Any, **given: Any) -> Bisection:
        calls.append({"config": config, "check": check, **given})
        return FOUND

    monkeypatch.setattr(bisection, "bisect", take)
    return calls


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_json_has_what_is_promised(workbench: Command, digits: Path, asked: list[dict[str, Any]]) -> None:
    said = workbench("bisect", digits, "--json")
    facts = said.json
    assert facts["guilty"] == ["b_pass"]
    assert [one["verdict"] for one in facts["probes"]] == ["fails", "passes"]
    assert facts["probes"][0]["runs"] == 3
    assert (facts["probe_count"], facts["run_count"]) == (2, 4)
    assert InferenceConfig.parse(facts["avoid"]) == FOUND.avoid
    assert facts["command"] == f"workbench run {digits} --threads 2 --disable-pass b_pass"
    assert "notice: something is to be said" in said.err


def test_people_see_the_probes_the_answer_and_the_way_out(
    workbench: Command, digits: Path, asked: list[dict[str, Any]]
) -> None:
    lines = workbench("bisect", digits).out.splitlines()
    assert any("2 of 2" in line and "fails 3 times" in line for line in lines)
    assert "b_pass makes the check output fail: 3 of 10 values differ" in lines
    assert "  removed pd_op.relu" in lines
    assert "avoided by switching off: b_pass" in lines
    assert f"to run it: workbench run {digits} --threads 2 --disable-pass b_pass" in lines


def test_the_options_reach_the_library(
    workbench: Command, digits: Path, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    workbench("bisect", digits)
    workbench(
        *("bisect", digits, "--check", "latency", "--factor", 1.5, "--tolerance", 0.25),
        *("--folder", tmp_path / "kept"),
        *("--repeats", 5, "--time-limit", 9, "--seconds", 0.5, "--disable-pass", "a_pass"),
    )
    bare, full = asked
    assert (bare["check"], bare["factor"], bare["tolerance"], bare["repeats"]) == ("output", 1.1, None, 20)
    assert (full["check"], full["factor"], full["repeats"]) == ("latency", 1.5, 5)
    assert full["tolerance"] == {"*": (0.25, 0.0)}
    assert (full["time_limit"], full["seconds"]) == (9.0, 0.5)
    assert full["folder"] == str(tmp_path / "kept")
    assert full["config"] == InferenceConfig().without("a_pass")


@pytest.mark.parametrize(
    "config",
    [
        InferenceConfig(),
        InferenceConfig(onednn=False, threads=4, memory_optim=True).without("a_pass", "b_pass"),
        InferenceConfig(device="gpu", trt=True, precision="fp16", trt_use_calib_mode=False),
        InferenceConfig(precision="bf16", fp32_ops=("conv2d", "softmax")),
        InferenceConfig(ir_optim=False, enabled_passes=("c_pass",), onednn=True, trt_workspace_size=5),
    ],
)
def test_the_text_of_a_config_reads_back(config: InferenceConfig) -> None:
    assert InferenceConfig.parse(as_text(config)) == config


def test_mistakes_are_one_line_and_code_2(
    workbench: Command, digits: Path, upscale: Path, tmp_path: Path
) -> None:
    for arguments, words in (
        (("--check", "speed"), "'speed' is not one of"),
        (("--factor", 0.5), "0.5 is not in the range"),
        (("--tolerance", -1), "atol of a tolerance is -1.0: give a number from 0"),
        (("--repeats", 0), "--repeats"),
    ):
        said = workbench("bisect", digits, *arguments)
        assert said.code == 2
        assert words in said.err
    process = start("bisect", upscale, "--folder", tmp_path / "kept")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: the check output cannot judge this config: ")
    assert err.endswith("bisect that with the check crash\n")
    assert err.count("\n") == 1


def test_nothing_wrong_is_an_answer(workbench: Command, digits: Path, tmp_path: Path) -> None:
    said = workbench("bisect", digits, "--folder", tmp_path / "kept")
    assert said.code == 0
    assert "the check output does not fail: the outputs are those of the reference" in said.out


def test_an_interrupted_bisection_of_the_real_defect_continues(
    workbench: Command, upscale: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    arguments = ("bisect", upscale, "--check", "crash", "--folder", kept, "--json")
    process = start(*arguments)
    end = time.monotonic() + PATIENCE_S
    while len(list(kept.glob("probe-*.json"))) < 5:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "cancelled"
    before = {file.name: file.read_bytes() for file in kept.glob("probe-*.json")}

    process = start(*arguments)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    facts = json.loads(out)
    assert facts["guilty"] == [GUILTY]
    assert len(facts["probes"]) <= 2 * math.log2(len(facts["candidates"])) + 4
    assert facts["avoid"] == f"disable_pass={GUILTY}"
    after = {file.name: file.read_bytes() for file in kept.glob("probe-*.json")}
    assert before.items() <= after.items()
    assert len(before) < len(after) == len(facts["probes"])
    # The way out works as it is printed.
    assert facts["command"] == f"workbench run {upscale} --disable-pass {GUILTY}"
    ran = workbench(*shlex.split(facts["command"])[1:])
    assert ran.code == 0
