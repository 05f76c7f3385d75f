"""The report as a file: what it says, what it holds, what it does not tell, and how it is written."""

from __future__ import annotations

import errno
import json
import re
import socket
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from made_results import (
    ENVIRONMENT,
    made_ablation,
    made_benchmark,
    made_profile,
    made_run,
    made_scan,
    made_throughput,
)

import workbench as wb
from workbench.bench import Benchmark, Comparison, Profile, Scan, Throughput
from workbench.bench.ablation import Ablation
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError
from workbench.reporting import Failed
from workbench.reporting.words import answer


def text_of(file: Path) -> str:
    """What a person reads, without the embedded code and data."""
    page = file.read_text(encoding="utf-8")
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


def facts_of(file: Path) -> dict[str, Any]:
    page = file.read_text(encoding="utf-8")
    (facts,) = re.findall(r'<script id="facts" type="application/json">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(facts)
    return found


def titles_of(file: Path) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("ratio", "ci95", "verdict", "words"),
    [
        (0.5, (0.4, 0.625), "faster", "B is 2.00 times as fast as A (95 % interval 1.60 to 2.50)."),
        (1.25, (1.2, 1.3), "slower", "B takes 1.25 times as long as A (95 % interval 1.20 to 1.30)."),
        (1.002, (0.99, 1.01), "no difference seen", "No difference was seen between B and A"),
        (
            0.5,
            None,
            "no difference seen",
            "Whether B differs from A cannot be said: too little was measured.",
        ),
    ],
)
def test_the_answer_in_words(ratio: float, ci95: Any, verdict: Any, words: str) -> None:
    assert answer(Comparison("A", "B", ratio, ci95, verdict)).startswith(words)


def test_every_kind_of_result_has_its_page(tmp_path: Path) -> None:
    results = [made_benchmark(), made_scan(), made_throughput(), made_profile(), made_ablation()]
    file = wb.report(tmp_path / "all.html", results)
    assert titles_of(file) == [
        "Summary",
        "Latency",
        "Scans and throughput",
        "Ops",
        "Passes",
        "Environment and raw data",
    ]
    said = text_of(file)
    assert re.search(r"other takes (1\.9|2\.0)\d times as long as default \(95 % interval", said)
    assert "without it a run takes 1.50 times as long" in said
    assert "Measured on A Processor, 2 of 4 cores, 8 GiB of memory, An OS, Paddle 3.3.1." in said
    assert "failed: died of a_pass" in said
    # 1 ms of 4 ms, in 100 runs of each kind.
    assert "4.000 ms in the median without the profiler and 5.000 ms with it: +1.000 ms (+25.0%)" in said


def test_only_what_was_given_has_a_page(tmp_path: Path) -> None:
    file = wb.report(tmp_path / "one.html", made_profile())
    assert titles_of(file) == ["Summary", "Ops", "Environment and raw data"]
    assert "No environment was recorded" in text_of(file)


def test_the_facts_are_those_of_the_results(tmp_path: Path) -> None:
    one, other = made_benchmark(("</script>", '"quoted"')), made_throughput()
    file = wb.report(tmp_path / "facts.html", [one, other])
    facts = facts_of(file)
    assert facts["benchmarks"] == json.loads(json.dumps([one.facts()]))
    assert facts["throughputs"] == json.loads(json.dumps([other.facts()]))
    assert facts["profiles"] == facts["ablations"] == facts["history"] == facts["failed"] == []


def test_what_is_empty_or_failed_is_said(tmp_path: Path) -> None:
    some = Benchmark("made", (made_run("full"), made_run("empty", launches=0)), ENVIRONMENT)
    results = [
        some,
        Benchmark("made", (), ENVIRONMENT),
        Scan("batch", Benchmark("made", ()), ()),
        Throughput("made", InferenceConfig(), True, (), (), {}),
        Profile("made", InferenceConfig(), (), 4.0, 5.0, 1.0, None, 0, 1, ("only 1 run",)),
        Ablation("made", InferenceConfig(), None, (), notices=("no pass changed anything",)),
        Failed("history", "the disk is full"),
    ]
    file = wb.report(tmp_path / "empty.html", results)
    said = text_of(file)
    for words in (
        "No latency of empty: There are no samples of it.",
        "full: one inference takes",
        "No op was seen to run.",
        "No pass changed anything.",
        "No history: The disk is full.",
    ):
        assert words in said, words
    assert said.count("Nothing was measured: there are no samples.") == 3
    assert [run["label"] for run in facts_of(file)["benchmarks"][0]["runs"]] == ["full"]


def test_the_history_of_a_model_that_has_none(
    tmp_path: Path, sample_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = wb.load(sample_folder())
    kept = wb.History(tmp_path / "history.sqlite")
    file = wb.report(tmp_path / "new.html", made_benchmark(), model=model, history=kept)
    assert "No history: No benchmark of this model was recorded." in text_of(file)
    monkeypatch.setenv("WORKBENCH_HISTORY", "off")
    file = wb.report(tmp_path / "off.html", made_benchmark(), model=model, history=True)
    assert "No history: No history is kept on this machine." in text_of(file)


def test_this_model_over_time(tmp_path: Path, sample_folder: Callable[..., Path]) -> None:
    from workbench.bench.history import model_hash

    model = wb.load(sample_folder())
    kept = wb.History(tmp_path / "history.sqlite")
    known = {"name": model.name, "hash": model_hash(model), "ir": model.ir}
    run = made_run("last week")
    recorder = kept.begin("benchmark", known, ENVIRONMENT, inputs={"image": [1, 1, 8, 8]})
    recorder.run(0, run.label, run.config, run.notices)
    for at, launch in enumerate(run.launches):
        recorder.launch(0, at, launch.create_ms, launch.first_ms, launch.warmup_ms)
        for turn, one in enumerate(launch.rounds):
            recorder.round(0, at, turn, one)
    recorder.end("finished")
    file = wb.report(tmp_path / "time.html", made_benchmark(), model=model, history=kept)
    assert "last week image 1×1×8×8" in text_of(file)
    assert [one["runs"][0]["label"] for one in facts_of(file)["history"]] == ["last week"]


def test_nothing_of_this_machine_but_its_kind_is_told(
    tmp_path: Path, sample_folder: Callable[..., Path]
) -> None:
    model = wb.load(sample_folder())
    worth = Ablation("made", InferenceConfig(), 4.0, (), folder=tmp_path / "kept")
    file = wb.report(tmp_path / "quiet.html", [made_benchmark(), worth], model=model)
    page = file.read_text(encoding="utf-8")
    assert str(tmp_path) not in page and str(sample_folder()) not in page
    assert socket.gethostname() not in text_of(file) + json.dumps(facts_of(file))


def test_a_title_of_ones_own(tmp_path: Path) -> None:
    file = wb.report(tmp_path / "a.html", made_benchmark(), title="<b>Bold</b> \ud800 & co")
    assert "<h1>&lt;b&gt;Bold&lt;/b&gt;" in file.read_text(encoding="utf-8")


# How it is written


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nowhere/a.html", "No such file or directory; choose another place"),
        ("file/a.html", "Not a directory; choose another place"),
        ("folder", "it is a folder; give the name of a file"),
        ("x" * 300, "File name too long; choose another place"),
        ("nul\0.html", "null byte; choose another place"),
    ],
)
def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WorkbenchError, match=f"^cannot write .*{re.escape(reason)}"):
        wb.report(tmp_path / place, made_benchmark())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"^cannot write /proc/a.html: .*; choose another place$"):
        wb.report("/proc/a.html", made_benchmark())


def test_a_full_disk_leaves_the_report_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.html"
    file.write_text("the one before")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WorkbenchError, match="No space left on device; choose another place"):
        wb.report(file, made_benchmark())
    assert file.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    wb.report(tmp_path / "link.html", made_profile())
    assert (tmp_path / "link.html").is_symlink() and (tmp_path / "real.html").stat().st_size > 1e6


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([], "there is nothing to report"),
        (3, "a int cannot be reported: give what benchmark"),
        ([made_profile(), {"p50_ms": 3}], "a dict cannot be reported"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, results: Any, reason: str) -> None:
    with pytest.raises(WorkbenchError, match=reason):
        wb.report(tmp_path / "a.html", results)
    with pytest.raises(WorkbenchError, match="the history of which model"):
        wb.report(tmp_path / "a.html", made_profile(), history=True)
    assert list(tmp_path.iterdir()) == []
