"""``workbench tune``: the best config as a table, JSON and a page, with the options that ask for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from workbench.bench import Comparison, tuning
from workbench.bench.ablation.kept import Effect
from workbench.bench.tuning import Trial, Tuning
from workbench.bench.tuning.kept import Score
from workbench.cli.main import app
from workbench.cli.options import config_options
from workbench.cli.tune import options_of
from workbench.config import InferenceConfig

Command = Callable[..., Any]

BASE = InferenceConfig()
BEST = InferenceConfig(threads=2, onednn=False, disabled_passes=("fc_fuse_pass",))
FOUND = Tuning(
    "digits",
    "latency",
    BASE,
    BEST,
    1,
    1,
    Comparison("default", BEST.label, 0.5, (0.45, 0.55), "faster"),
    (
        Trial(
            InferenceConfig(precision="bf16"),
            1,
            "bf16",
            (Score("settings 1", error="Paddle refused"),),
            error="Paddle refused",
        ),
        Trial(
            BEST,
            1,
            BEST.label,
            (
                Score("settings 1", 0.6, (0.3, 0.9), "faster", 1.2, 180_000_000),
                Score("final", 0.5, (0.45, 0.55), "faster", 1.0, 190_000_000),
            ),
            Effect(2e-6, 1e-6),
            None,
            True,
        ),
        Trial(
            InferenceConfig(threads=4),
            1,
            "4 threads",
            (Score("settings 1", 1.4, None, "no difference seen", 2.8, None),),
        ),
    ),
    ("something is to be said",),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks of the library, which measures nothing here."""
    calls: list[dict[str, Any]] = []

    def tune(model: Any, inputs: Any, **given: Any) -> Tuning:
        calls.append(given)
        return FOUND

    monkeypatch.setattr(tuning, "tune", tune)
    return calls


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["tune", *map(str, arguments)], catch_exceptions=False)


def test_the_options_reach_the_library(digits: Path, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    run(digits)
    run(
        *(digits, "--goal", "throughput", "--seconds", 9, "--memory-limit", "500M", "--max-abs-diff", 1e-3),
        *("--space", "threads=1,2", "--space", "onednn=on,off", "--space", "passes=a,b", "--batch", "1,8"),
        *("--at-most", 7, "--folder", tmp_path / "kept", "--no-history", "--memory-optim"),
    )
    bare, full = asked
    assert (bare["goal"], bare["seconds"], bare["space"], bare["base"]) == ("latency", 120.0, None, BASE)
    assert (bare["memory_limit"], bare["max_abs_diff"], bare["at_most"], bare["record"]) == (
        *[None] * 3,
        True,
    )
    assert (full["goal"], full["seconds"], full["memory_limit"]) == ("throughput", 9.0, 500_000_000)
    assert (full["max_abs_diff"], full["at_most"], full["record"]) == (1e-3, 7, False)
    assert full["space"] == {
        "threads": [1, 2],
        "onednn": [True, False],
        "passes": ["a", "b"],
        "batch": [1, 8],
    }
    assert full["base"] == InferenceConfig(memory_optim=True)


def test_the_table_has_the_best_first_and_what_to_type(digits: Path, asked: list[dict[str, Any]]) -> None:
    said = run(digits)
    lines = said.stdout.splitlines()
    assert lines[1].startswith(BEST.label)
    assert "[0.450, 0.550]" in lines[1]
    assert "the answer" in lines[1]
    assert "bf16: Paddle refused" in lines
    assert any(line.startswith(f"use {BEST.label}: faster than default") for line in lines)
    typed = "--threads 2 --no-onednn --disable-pass fc_fuse_pass"
    assert f"to run it: workbench run {digits} {typed}" in lines
    assert "something is to be said" in said.stderr


def test_the_json_has_every_trial(digits: Path, asked: list[dict[str, Any]]) -> None:
    facts = json.loads(run(digits, "--json").stdout)
    assert facts["best"] == json.loads(BEST.to_json())
    assert facts["comparison"]["verdict"] == "faster"
    assert [one["label"] for one in facts["trials"]] == ["bf16", BEST.label, "4 threads"]
    assert [one["rung"] for one in facts["trials"][1]["rungs"]] == ["settings 1", "final"]
    assert facts["trials"][0]["error"] == "Paddle refused"
    assert facts["trials"][1]["peak_bytes"] == 190_000_000


def test_the_chart_is_a_page_of_its_own(digits: Path, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    page = tmp_path / "chart.html"
    assert f"chart written to {page}" in run(digits, "--chart", page).stdout
    assert "4 threads" in page.read_text()


@given(
    st.builds(
        InferenceConfig,
        threads=st.integers(1, 8),
        onednn=st.sampled_from([None, True, False]),
        ir_optim=st.booleans(),
        memory_optim=st.booleans(),
        precision=st.sampled_from(["fp32", "bf16", "int8"]),
        disabled_passes=st.lists(st.sampled_from(["a_pass", "b_pass"])),
        enabled_passes=st.lists(st.sampled_from(["c_pass"])),
        fp32_ops=st.lists(st.sampled_from(["conv2d", "softmax"])),
        device=st.sampled_from(["cpu", "gpu"]),
        trt=st.booleans(),
        trt_use_calib_mode=st.booleans(),
        trt_min_subgraph_size=st.integers(1, 5),
        runtime=st.sampled_from(["default", "other"]),
    )
)
def test_the_options_ask_for_the_config(config: InferenceConfig) -> None:
    seen: list[InferenceConfig] = []

    @click.command()
    @config_options
    def take(config: InferenceConfig) -> None:
        seen.append(config)

    assert CliRunner().invoke(take, options_of(config), catch_exceptions=False).exit_code == 0
    assert seen == [config]


def test_mistakes_are_said_before_anything_is_measured(digits: Path, workbench: Command) -> None:
    for arguments, words in (
        (["--space", "threads"], "is not KNOB=V,V"),
        (["--space", "thread=1"], "unknown config key 'thread'"),
        (["--space", "threads=many"], "give a whole number"),
        (["--space", "disable-pass=foo"], "unknown knob 'disable_pass' in the space: give some of device, "),
        (["--batch", "8"], "batch is a knob for the goal 'throughput' only"),
        (["--memory-limit", "much"], "is no size"),
    ):
        said = workbench("tune", digits, *arguments)
        assert said.code == 2
        assert words in said.err
        assert said.err.count("\n") == 1


def test_the_real_thing_is_continued(workbench: Command, digits: Path, tmp_path: Path) -> None:
    arguments = ("tune", digits, "--space", "onednn=on,off", "--seconds", 12, "--folder", tmp_path / "kept")
    first = workbench(*arguments, "--json").json
    [one] = first["trials"]
    assert one["config"]["onednn"] is False
    assert one["ratio"] > 0
    again = workbench(*arguments)
    assert "to run it: workbench run" in again.out
    assert again.code == 0
