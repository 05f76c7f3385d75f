"""What a sweep gives: a table, a chart, a page, and what of it is in the history."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_asked import PLAIN, THREADS

import workbench
from workbench.bench import Benchmark, History
from workbench.bench.samples import Launch, Round, Run
from workbench.bench.sweep import Attempt, Outcome, Sweep


def made(label: str, ms: float, seed: int) -> Run:
    rng = np.random.default_rng(seed)
    rounds = tuple(Round(ms * rng.lognormal(0, 0.02, 50), float(number)) for number in range(6))
    return Run(label, PLAIN, (), tuple(Launch(1.0, 2.0, np.ones(3), rounds, 1000) for _ in range(4)))


@pytest.fixture
def hand_made() -> Sweep:
    def outcome(model: str, host: str, *runs: Run) -> Outcome:
        when = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
        done = Attempt("worker", host, when, when, 0.0, None)
        return Outcome(model, "0" * 64, (PLAIN, THREADS), None, (done,), Benchmark(model, runs))

    failed = Attempt("", "", None, None, 0.0, "no <worker> was left")
    return Sweep(
        (
            outcome("a<b>", "one", made("default", 2.0, 1), made("2 threads", 1.0, 2)),
            outcome("a<b>", "two", made("default", 1.0, 3), made("2 threads", 1.5, 4)),
            Outcome("c", "1" * 64, (PLAIN,), None, (failed, failed), None),
        )
    )


def test_a_table_compares_only_what_was_measured_together(hand_made: Sweep) -> None:
    rows = hand_made.table()
    assert [(row["machine"], row["config"]) for row in rows] == [
        ("one", "default"),
        ("one", "2 threads"),
        ("two", "default"),
        ("two", "2 threads"),
    ]
    runs = [run for one in hand_made.results if one.benchmark for run in one.benchmark.runs]
    for row, run in zip(rows, runs, strict=True):
        assert row["p50_ms"] == pytest.approx(np.median(run.samples_ms))
        assert row["p90_ms"] == pytest.approx(np.percentile(run.samples_ms, 90))
    # Each against the first of its own machine: 1 of 2, and 1.5 of 1.
    assert [row["ratio"] for row in rows] == [None, pytest.approx(0.5, 0.02), None, pytest.approx(1.5, 0.02)]
    assert [row["verdict"] for row in rows] == [None, "faster", None, "slower"]
    assert [(row["machine"], row["config"]) for row in hand_made.best()] == [
        ("one", "2 threads"),
        ("two", "default"),
    ]
    assert [one.model for one in hand_made.failures] == ["c"]


def test_a_sweep_as_text_page_and_json(hand_made: Sweep) -> None:
    import json

    page = hand_made._repr_html_()
    assert "a&lt;b&gt;" in page
    assert "c: no &lt;worker&gt; was left" in page
    assert "<b>" not in page
    assert repr(hand_made).startswith("2 of 3 units measured\nmodel")
    facts = json.loads(json.dumps(hand_made.facts()))
    assert [one["error"] for one in facts["outcomes"]] == [None, None, "no <worker> was left"]
    assert len(facts["table"]) == 4


def test_a_chart_has_a_group_for_every_model_and_machine(hand_made: Sweep) -> None:
    figure = hand_made.chart("dark")
    assert list(figure.layout.yaxis.ticktext) == [
        "<b>a&#60;b&#62; on one</b>",
        "default",
        "2 threads",
        "<b>a&#60;b&#62; on two</b>",
        "default",
        "2 threads",
    ]
    points = [trace for trace in figure.data if trace.mode == "markers"]
    drawn = {trace.y[0]: trace.x[0] for trace in points}
    assert list(drawn) == [1, 2, 4, 5]
    assert list(drawn.values()) == pytest.approx([row["p50_ms"] for row in hand_made.table()])
    assert "1 unit without numbers is not shown" in figure.layout.title.subtitle.text
    # The same config has the same colour on every machine.
    assert points[0].marker.color == points[2].marker.color != points[1].marker.color
    assert "Nothing was measured" in Sweep(hand_made.outcomes[2:]).chart().layout.annotations[0].text


def test_a_measurement_from_elsewhere_is_in_the_history_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.bench.history import record

    history = History(tmp_path / "history.sqlite")
    facts = {"name": "m", "hash": "0" * 64, "ir": "pir"}
    when = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    runs = (made("default", 2.0, 1), made("2 threads", 1.0, 2))
    number = history.add("benchmark", facts, {"cpu_model": "x"}, runs, began=when, inputs={"x": [1, 2]})
    [entry] = history.entries()
    assert (entry.id, entry.began, entry.state, entry.cpu) == (number, when, "finished", "x")
    for kept, run, seen in zip(history.runs(entry), runs, entry.runs, strict=True):
        assert kept.samples_ms.tolist() == run.samples_ms.tolist()
        assert seen.p50_ms == pytest.approx(np.median(run.samples_ms))
        assert seen.ci95 is not None

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "_round_values", full)
    with pytest.warns(workbench.errors.HistoryWarning, match="No space left"):
        assert history.add("benchmark", facts, {}, runs, began=when) is None
    assert len(history.entries()) == 1
