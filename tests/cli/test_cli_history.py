"""``workbench history``: what was measured before, as a table, JSON, CSV and a page."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from workbench.bench.history import History
from workbench.bench.samples import Round
from workbench.cli.main import app
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError

Command = Callable[..., Any]
ENVIRONMENT = {"cpu_model": "Some CPU", "runtime": {"paddle": "3.3.1"}}


def measure(history: History, model: str, *labels: str, state: Any = "finished") -> None:
    recorder = history.begin(
        "benchmark", {"name": model, "hash": model[0].encode().hex() * 32, "ir": "pir"}, ENVIRONMENT
    )
    for position, label in enumerate(labels):
        recorder.run(position, label, InferenceConfig(), ())
        recorder.launch(position, 0, 1.0, 2.0, [])
        recorder.round(position, 0, 0, Round(np.arange(1.0, 102.0)))
    recorder.end(state)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Three measurements, in the file that the command finds by itself."""
    monkeypatch.setenv("WORKBENCH_HISTORY", str(tmp_path / "history.sqlite"))
    found = History()
    measure(found, "digits", "default", "no oneDNN")
    measure(found, "bert", "default")
    measure(found, "digits", state="cancelled")
    return found


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["history", *map(str, arguments)])


def listed(*arguments: object) -> list[list[str]]:
    """The cells of the table, which are two blanks or more apart."""
    said = run(*arguments)
    assert said.exit_code == 0, said.output
    return [re.split(r" {2,}", line.strip()) for line in said.output.splitlines()]


def test_the_table_has_a_line_per_config_the_newest_first(history: History) -> None:
    head, *rows = listed()
    assert head == ["id", "when", "kind", "model", "label", "p50 ms", "p99 ms", "samples", "Paddle", "state"]
    when = [f"{entry.began.astimezone():%Y-%m-%d %H:%M:%S}" for entry in history.entries()]
    numbers = ["51.000", "100.000", "101", "3.3.1", "finished"]
    assert rows == [
        ["3", when[0], "benchmark", "digits", "3.3.1", "cancelled"],
        ["2", when[1], "benchmark", "bert", "default", *numbers],
        ["1", when[2], "benchmark", "digits", "default", *numbers],
        ["1", when[2], "benchmark", "digits", "no oneDNN", *numbers],
    ]


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["digits"], [3, 1]),
        (["626262"], [2]),
        (["--limit", 2], [3, 2]),
        (["--label", "no oneDNN"], [1]),
        (["--kind", "benchmark", "bert"], [2]),
        (["--kind", "profile"], []),
        (["--since", "2020-01-01"], [3, 2, 1]),
        (["--since", "2999-01-01"], []),
    ],
)
def test_what_is_asked_is_listed(
    workbench: Command, history: History, arguments: Any, ids: list[int]
) -> None:
    assert history.path is not None
    said = workbench("history", *arguments, "--json", WORKBENCH_HISTORY=str(history.path))
    assert said.err == ""
    assert list(said.json) == ["measurements"]
    assert [one["id"] for one in said.json["measurements"]] == ids
    if not ids:
        assert run(*arguments).output == "no measurement is like this\n"


def test_the_document_has_config_and_environment(workbench: Command, history: History) -> None:
    assert history.path is not None
    said = workbench("history", "bert", "--json", WORKBENCH_HISTORY=str(history.path))
    (one,) = said.json["measurements"]
    assert one["environment"] == ENVIRONMENT
    assert datetime.fromisoformat(one["began"]).tzinfo == timezone.utc
    (found,) = one["runs"]
    assert (found["label"], found["samples"], found["p50_ms"], found["p99_ms"]) == ("default", 101, 51, 100)
    assert found["config"]["threads"] == 1


def test_only_the_label_that_is_asked_is_in_the_table(history: History) -> None:
    _, *rows = listed("--label", "no oneDNN")
    assert [row[4] for row in rows] == ["no oneDNN"]


def test_files_are_written(history: History, tmp_path: Path) -> None:
    *_, table, chart = listed("digits", "--csv", tmp_path / "out.csv", "--chart", tmp_path / "out.html")
    assert table == [f"2 rows written to {tmp_path / 'out.csv'}"]
    assert chart == [f"chart written to {tmp_path / 'out.html'}"]
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["id"], row["label"]) for row in rows] == [("1", "default"), ("1", "no oneDNN")]
    page = (tmp_path / "out.html").read_text()
    assert "no oneDNN" in page
    assert not re.search(r'<script[^>]+src="http', page)  # it opens offline


def test_what_is_forgotten_is_not_listed(history: History) -> None:
    _, *rows, said = listed("--forget", 1, "--forget", 3)
    assert [row[0] for row in rows] == ["2"]
    assert said == ["2 forgotten"]
    assert [entry.id for entry in history.entries()] == [2]


def test_what_is_older_than_a_date_is_forgotten(history: History) -> None:
    assert listed("--forget-before", "2020-01-01")[-1] == ["0 forgotten"]
    assert len(history.entries()) == 3
    assert run("--forget-before", "2999-01-01").output.splitlines()[-1] == "3 forgotten"
    assert history.entries() == []


def test_a_benchmark_is_in_the_history(workbench: Command, digits: Path, tmp_path: Path) -> None:
    where = {"WORKBENCH_HISTORY": str(tmp_path / "history.sqlite")}
    bench = ("bench", digits, "--seconds", 0.05, "--launches", 1, "--json")
    assert workbench(*bench, "--no-history", **where).json["entry"] is None
    assert list(tmp_path.iterdir()) == []
    said = workbench(*bench, "--vs", "onednn=off", **where)
    (one,) = workbench("history", "--json", **where).json["measurements"]
    assert (one["id"], one["state"], one["model"]) == (said.json["entry"], "finished", "digits")
    assert [found["p50_ms"] for found in one["runs"]] == [found["p50_ms"] for found in said.json["runs"]]


def test_a_history_that_cannot_be_written_is_a_notice(workbench: Command, digits: Path) -> None:
    said = workbench(
        *("bench", digits, "--seconds", 0.05, "--launches", 2, "--json"),
        WORKBENCH_HISTORY="/proc/nowhere/history.sqlite",
    )
    assert said.json["entry"] is None
    (line,) = [line for line in said.err.splitlines() if "history" in line]
    assert re.fullmatch("notice: the history /proc/nowhere/history.sqlite cannot be written .*", line)


def test_a_damaged_history_ends_the_command_at_once(workbench: Command, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").write_text("no database\n" * 400)
    # Nobody waits for an hour.
    said = workbench("bench", digits, "--seconds", 3600, WORKBENCH_HISTORY=str(tmp_path / "history.sqlite"))
    assert (said.code, said.out) == (2, "")
    assert re.fullmatch("error: .* is damaged or is none .*: move it away .*\n", said.err)


def test_nothing_was_measured_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_HISTORY", str(tmp_path / "none.sqlite"))
    assert run().output.startswith("nothing was measured yet")
    assert run("--json").output == '{\n  "measurements": []\n}\n'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--chart", "x.html"], "--chart needs MODEL"),
        (["--forget", 1, "--forget-before", "2999-01-01"], "either --forget or --forget-before"),
        (["--forget-before", "monday"], "'monday' is no date or time"),
        (["digits", "--chart", "x.txt"], r"give a name that ends in \.html, \.png or \.svg"),
        (["--forget", 1, "--forget", 99], "no measurement 99: workbench history lists them"),
        (["--since", "yesterday"], "'yesterday' is no date or time: write it as 2026-01-31"),
        (["--limit", 0], "0 is not in the range"),
        (["--kind", "speed"], "'speed' is not one of 'benchmark', 'profile'"),
        (["--csv", "/nowhere/x.csv"], "cannot write /nowhere/x.csv: .*; choose another place"),
        (["nobody", "--chart", "x.html"], "no benchmark of nobody: run workbench bench"),
        (["./nobody"], "nobody does not exist: "),
    ],
)
def test_mistakes_are_said(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((WorkbenchError, click.UsageError), match=said):
        app.main(["history", *map(str, arguments)], standalone_mode=False)
    assert len(history.entries()) == 3
    assert [file.name for file in tmp_path.glob("x.*")] == []


@pytest.mark.parametrize(
    ("content", "said"),
    [("no database\n" * 400, "is damaged or is none .*: move it away"), (None, "no history is kept: unset")],
)
def test_a_mistake_is_one_line(workbench: Command, tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "history.sqlite"
    if content is not None:
        file.write_text(content)
    ended = workbench("history", WORKBENCH_HISTORY="off" if content is None else str(file))
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(f"error: .*{said}.*\n", ended.err)


def test_the_help(workbench: Command) -> None:
    shown = workbench("history", "--help", COLUMNS="80")
    assert shown.code == 0 and max(map(len, shown.out.splitlines())) <= 80
    for option in app.commands["history"].params:  # type: ignore[attr-defined]
        assert isinstance(option, click.Argument) or getattr(option, "help", None), option.name
    summary = next(line for line in workbench().out.splitlines() if line.startswith("  history "))
    assert "..." not in summary
