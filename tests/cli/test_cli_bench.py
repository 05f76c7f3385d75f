"""`workbench bench` over sizes and over predictors; over configs see test_cli_commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench.cli import main
from workbench.cli.main import app


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> str:
    return str(sample_folder("digits"))


def test_sizes(digits: str, tmp_path: Path) -> None:
    chart = tmp_path / "scan.html"
    arguments = ["bench", digits, "--batch", "1,4", "--seconds", "0.05", "--json", "--chart", str(chart)]
    said = CliRunner().invoke(app, arguments, catch_exceptions=False)
    facts = json.loads(said.stdout)
    assert [(run["label"], run["size"]) for run in facts["runs"]] == [("batch 1", 1), ("batch 4", 4)]
    assert "plotly" in chart.read_text()
    table = CliRunner().invoke(app, ["bench", digits, "--batch", "1,4", "--seconds", "0.05"]).stdout
    assert [line.split("  ")[0] for line in table.splitlines()[:3]] == ["config", "batch 1", "batch 4"]
    assert " against " not in table


@pytest.mark.parametrize("python", [False, True])
def test_predictors(digits: str, python: bool) -> None:
    arguments = ["bench", digits, "--predictors", "2,1", "--seconds", "0.1"]
    arguments += ["--python-threads"] if python else []
    facts = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert [point["predictors"] for point in facts["points"]] == [2, 1]
    assert facts["native"] is not python
    lines = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout.splitlines()
    assert lines[0].split() == ["predictors", "inferences/s", "95", "%", "p50", "ms", "p99", "ms", "samples"]
    assert [line.split()[0] for line in lines[1:3]] == ["2", "1"]
    assert ("take turns" in lines[3]) is python


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--batch", "1,x"), "1,x is no list of different numbers above 0, such as 1,2,4"),
        (("--length", "0"), "0 is no list of different numbers above 0"),
        (("--predictors", "2,2"), "2,2 is no list of different numbers above 0"),
        (("--batch", "1", "--vs", "onednn=off"), "--vs and --batch are two measurements: give one of them"),
        (("--batch", "1", "--input", "image=x.npy"), "--batch makes its own inputs: leave out --input"),
        (("--length", "1"), "no input of digits has an open length"),
    ],
)
def test_mistakes_are_one_line(
    digits: str, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", digits, *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1
