"""``workbench sensitivity``: the ranking, the config to use, the chart, and mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.config import InferenceConfig
from workbench.verifying import sensitivity
from workbench.verifying.bisection import Outcome, Probe
from workbench.verifying.sensitivity import Ranked, Sensitivity

Command = Callable[..., Any]
FOUND = Sensitivity(
    "digits",
    InferenceConfig(threads=2),
    "bf16",
    "simulated",
    "type",
    "output",
    "found",
    "output y: 3 of 10 values beyond the tolerance",
    ("softmax", "exp"),
    (("softmax",), ("exp",)),
    InferenceConfig(threads=2, precision="bf16", fp32_ops=("softmax", "exp")),
    (
        Ranked("softmax", (4, 9), ("/A/Softmax", "/B/Softmax"), 0.5, 3.0, False, "beyond"),
        Ranked("exp", (5,), (), float("inf"), float("inf"), False, "beyond"),
        Ranked("matmul", (2,), ("/A/Linear",), 0.01, 0.1, True, "within"),
    ),
    (Probe(1, frozenset(["softmax"]), ("exp", "matmul"), [Outcome("fails", "beyond", "output")]),),
    ("something is to be said",),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks of the library, which tries nothing here."""
    calls: list[dict[str, Any]] = []

    def take(model: Any, config: InferenceConfig, precision: str, inputs: Any, **given: Any) -> Sensitivity:
        calls.append({"config": config, "precision": precision, **given})
        return FOUND

    monkeypatch.setattr(sensitivity, "sensitivity", take)
    return calls


def test_digits_for_real(workbench: Command, digits: Path, tmp_path: Path) -> None:
    chart = tmp_path / "ranking.html"
    said = workbench(
        "sensitivity", digits, "--method", "simulated", "--tolerance", "1e-9", "--chart", chart, "--json"
    )
    facts = said.json
    assert facts["state"] == "found"
    assert {"conv2d", "matmul"} <= {one["name"] for one in facts["ranking"]}
    assert facts["avoid"]["fp32_ops"] == sorted(facts["keep"])
    assert facts["avoid"]["precision"] == "bf16"
    assert "plotly" in chart.read_text()[:100_000]


def test_the_json_has_the_command_that_runs_it(
    workbench: Command, digits: Path, asked: list[dict[str, Any]]
) -> None:
    said = workbench("sensitivity", digits, "--json")
    facts = said.json
    assert facts["keep"] == ["softmax", "exp"]
    assert facts["ranking"][1]["difference"] is None
    assert (
        facts["command"]
        == f"workbench run {digits} --precision bf16 --fp32-op exp --fp32-op softmax --threads 2"
    )
    assert "notice: something is to be said" in said.err


def test_people_see_the_ranking_and_the_way_out(
    workbench: Command, digits: Path, asked: list[dict[str, Any]]
) -> None:
    lines = workbench("sensitivity", digits).out.splitlines()
    assert lines[0] == (
        "digits in bf16, simulated: keep softmax, exp in fp32; without: "
        "output y: 3 of 10 values beyond the tolerance"
    )
    assert any(line.split()[:6] == ["softmax", "2", "0.5", "3", "FAILS", "keep"] for line in lines)
    assert any(line.split()[:5] == ["matmul", "1", "0.01", "0.1", "passes"] for line in lines)
    assert "fails in bf16 with all others in fp32: softmax; exp" in lines
    assert any(line.startswith(f"to run it: workbench run {digits} ") for line in lines)


def test_the_options_reach_the_library(workbench: Command, digits: Path, asked: list[dict[str, Any]]) -> None:
    workbench("sensitivity", digits)
    workbench(
        *("sensitivity", digits, "--precision", "fp16", "--method", "native", "--by", "type"),
        *("--tolerance", "0.25", "--time-limit", 9, "--threads", 2),
    )
    bare, full = asked
    assert (bare["precision"], bare["method"], bare["by"], bare["tolerance"]) == (
        "bf16",
        "auto",
        "type",
        None,
    )
    assert (full["precision"], full["method"], full["time_limit"]) == ("fp16", "native", 9.0)
    assert full["tolerance"] == {"*": (0.25, 0.0)}
    assert full["config"] == InferenceConfig(precision="fp16", threads=2)


def test_mistakes_are_one_line_and_code_2(workbench: Command, digits: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("--precision", "int8"), "int8 needs scales"),
        (("--by", "layer"), "'layer' is not one of"),
        (("--by", "op", "--method", "native"), "no single ops"),
        (("--tolerance", -1), "atol of a tolerance is -1.0"),
        (("--chart", tmp_path / "no" / "folder.html"), "cannot write"),
    ):
        said = workbench("sensitivity", digits, *arguments)
        assert said.code == 2
        assert words in said.err
        assert said.out == ""
