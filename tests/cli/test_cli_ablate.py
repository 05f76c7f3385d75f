"""``workbench ablate``: what each pass is worth, as a table, JSON and a page; interrupted, it continues."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from workbench.bench import ablation
from workbench.bench.ablation import Ablation, PairWorth, PassWorth, Step
from workbench.bench.ablation.kept import Effect
from workbench.bench.ablation.results import MORE
from workbench.cli.main import app
from workbench.config import InferenceConfig

Command = Callable[..., Any]

FOUND = Ablation(
    "digits",
    InferenceConfig(),
    2.0,
    (
        PassWorth("fuse_pass", (3,), 1.5, (1.4, 1.6), "slower", 1.0, Effect(2e-6, 1e-6), None),
        PassWorth("keep_pass", (5,), None, None, None, None, None, "Paddle refused: not found"),
        PassWorth("nan_pass", (6,), 1.0, None, "no difference seen", 0.0, Effect(None, None, "3 NaN"), None),
    ),
    (
        PairWorth(
            ("fuse_pass", "nan_pass"),
            "one takes in the other",
            1.8,
            (1.7, 1.9),
            1.5,
            1.2,
            (1.1, 1.3),
            None,
            None,
        ),
    ),
    (Step(("fuse_pass",), -1.0, -1.2, -0.8, 3.0, 2.0, None),),
    ("something is to be said",),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks of the library, which measures nothing here."""
    calls: list[dict[str, Any]] = []

    def ablate(model: Any, config: InferenceConfig, inputs: Any, **given: Any) -> Ablation:
        calls.append({"config": config, **given})
        return FOUND

    monkeypatch.setattr(ablation, "ablate", ablate)
    return calls


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["ablate", *map(str, arguments)], catch_exceptions=False)


def test_the_json_has_what_is_promised_per_pass(digits: Path, asked: list[dict[str, Any]]) -> None:
    facts = json.loads(run(digits, "--json").stdout)
    assert {"pass", "ratio", "ci95", "max_abs_diff"} <= set(facts["passes"][0])
    assert [one["pass"] for one in facts["passes"]] == ["fuse_pass", "keep_pass", "nan_pass"]
    assert facts["passes"][0]["ci95"] == [1.4, 1.6]
    assert facts["passes"][1]["error"] == "Paddle refused: not found"
    assert (facts["passes"][2]["max_abs_diff"], facts["passes"][2]["outputs"]) == (None, "3 NaN")
    assert facts["pairs"][0]["verdict"] == MORE
    assert facts["waterfall"][0]["ci95"] == [-1.2, -0.8]
    assert facts["config"] == json.loads(InferenceConfig().to_json())
    assert facts["notices"] == ["something is to be said"]


def test_the_options_reach_the_library(digits: Path, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    run(digits)
    run(
        *(digits, "--seconds", 0.5, "--no-pairs", "--folder", tmp_path / "kept", "--threads", 2),
        *("--pass", "a", "--pass", "b", "--time-limit", 9),
    )
    bare, full = asked
    assert (bare["seconds"], bare["pairs"], bare["folder"], bare["passes"]) == (2.0, True, None, None)
    assert (full["seconds"], full["pairs"], full["time_limit"]) == (0.5, False, 9.0)
    assert full["passes"] == ("a", "b")
    assert full["folder"] == str(tmp_path / "kept")
    assert full["config"] == InferenceConfig(threads=2)


def test_the_table_has_a_line_per_pass_pair_and_step(digits: Path, asked: list[dict[str, Any]]) -> None:
    said = run(digits)
    lines = said.stdout.splitlines()
    assert any("fuse_pass" in line and "[1.400, 1.600]" in line and "slower" in line for line in lines)
    assert any(line.startswith("keep_pass") and line.rstrip().endswith("compared") for line in lines)
    assert "without keep_pass: Paddle refused: not found" in lines
    assert any("fuse_pass + nan_pass" in line and MORE in line for line in lines)
    assert any("3.000" in line and "-1.000" in line and "2.000" in line for line in lines)
    assert "something is to be said" in said.stderr


def test_the_chart_is_a_page_of_its_own(digits: Path, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    page = tmp_path / "chart.html"
    assert f"chart written to {page}" in run(digits, "--chart", page).stdout
    assert "fuse_pass" in page.read_text()


def test_mistakes_are_said_before_anything_is_measured(
    workbench: Command, digits: Path, tmp_path: Path
) -> None:
    for arguments, words in (
        (["--seconds", 0], "not a number of seconds above 0"),
        (["--chart", tmp_path / "no" / "chart.html"], "cannot write"),
        (["--pass", "no_such_pass", "--folder", tmp_path / "kept"], "changes nothing here"),
    ):
        said = workbench("ablate", digits, *arguments)
        assert said.code == 2
        assert said.err.startswith("error: ")
        assert words in said.err
        assert said.err.count("\n") == 1


def test_the_real_thing_is_continued(workbench: Command, digits: Path, tmp_path: Path) -> None:
    arguments = ("ablate", digits, "--pass", "constant_folding_pass", "--seconds", 0.05)
    arguments = (*arguments, "--folder", tmp_path / "kept", "--json")
    first = workbench(*arguments).json
    [one] = first["passes"]
    assert one["pass"] == "constant_folding_pass"
    assert one["ratio"] > 0
    assert one["max_abs_diff"] < 1e-4
    second = workbench(*arguments)
    assert second.json["passes"] == first["passes"]
    assert "nothing was measured anew" in second.err
    assert "remove the folder" in second.err
