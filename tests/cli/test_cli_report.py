"""``workbench report`` as a user has it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def facts_of(file: Path) -> dict[str, Any]:
    page = file.read_text(encoding="utf-8")
    (facts,) = re.findall(r'<script id="facts" type="application/json">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(facts)
    return found


def test_a_report_of_two_configs(workbench: Callable[..., Any], digits: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    said = workbench(
        *("report", digits, "-o", file, "--vs", "onednn=off", "--seconds", 0.2),
        *("--batch", "1,2", "--predictors", "1,2", "--history", "--json"),
        WORKBENCH_HISTORY=str(tmp_path / "history.sqlite"),
    ).json
    assert said["file"] == str(file) and said["bytes"] == file.stat().st_size and said["failed"] == []
    facts = facts_of(file)
    (latency,) = facts["benchmarks"]
    assert [run["label"] for run in latency["runs"]] == ["default", "onednn=off"]
    assert [point["size"] for point in facts["scans"][0]["runs"]] == [1, 2]
    assert [point["predictors"] for point in facts["throughputs"][0]["points"]] == [1, 2]
    assert facts["profiles"][0]["ops"] and facts["ablations"] == []
    assert [run["label"] for run in facts["history"][0]["runs"]] == ["default", "onednn=off"]
    page = file.read_text(encoding="utf-8")
    assert "Milliseconds on the final graph" in page
    # The same keys, in the report as on standard output.
    bench = workbench("bench", digits, "--vs", "onednn=off", "--seconds", 0.2, "--no-history", "--json").json
    assert latency.keys() == bench.keys()
    assert latency["runs"][0].keys() == bench["runs"][0].keys()


def test_what_cannot_be_measured_is_said_in_the_report(
    workbench: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    # An ablation keeps what is finished in the cache.
    said = workbench(
        *("report", digits, "-o", file, "--seconds", 0.1, "--ablate", "--no-history"),
        WORKBENCH_CACHE_DIR="/proc/nowhere",
        WORKBENCH_HISTORY=str(tmp_path / "history.sqlite"),
    )
    assert not (tmp_path / "history.sqlite").exists()
    assert said.code == 0, said.err
    assert said.err.startswith("notice: no ablation: ") and said.err.count("\n") == 1
    assert said.out.startswith(f"report written to {file} (")
    (failed,) = facts_of(file)["failed"]
    assert failed["what"] == "ablation" and failed["reason"] in said.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Missing option '-o'"),
        (["-o", "nowhere/report.html"], "cannot write nowhere/report.html: No such file or directory"),
        (["-o", "."], "is a directory"),
        (["-o", "a.html", "--seconds", "0"], "seconds above 0"),
        (["-o", "a.html", "--batch", "1,1"], "no list of different numbers"),
        (["-o", "a.html", "--vs", "colour=red"], "colour"),
    ],
)
def test_mistakes_are_one_line(
    workbench: Callable[..., Any], digits: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    said = workbench("report", digits, *arguments, cwd=tmp_path)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert reason in said.err
    assert list(tmp_path.iterdir()) == []
