"""Latency against size, and throughput against latency, on real samples."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench import models
from workbench.bench import Scan, Throughput, random_inputs, scan, throughput
from workbench.core import Session
from workbench.errors import CancelledError, WorkbenchError, WorkerDiedError

Folder = Callable[..., Path]


@pytest.fixture(scope="module")
def bert(sample_folder: Folder) -> models.Model:
    return models.load(sample_folder("bert_tiny"))


@pytest.fixture(scope="module")
def batches(digits: models.Model) -> Scan:
    return scan(digits, (1, 2048), seconds=0.2)


def test_every_size_has_a_run_on_inputs_of_that_size(batches: Scan) -> None:
    assert batches.over == "batch"
    assert [point.size for point in batches.points] == [1, 2048]
    assert [point.run.label for point in batches.points] == ["batch 1", "batch 2048"]
    one, many = (float(np.median(point.run.samples_ms)) for point in batches.points)
    assert many > 10 * one  # two thousand pictures and not one
    facts = json.loads(json.dumps(batches.facts(), allow_nan=False))
    assert [run["size"] for run in facts["runs"]] == [1, 2048]
    assert facts["over"] == "batch"


def test_a_length_is_that_of_the_open_dimensions_but_the_first(bert: models.Model) -> None:
    assert {array.shape for array in random_inputs(bert, batch=2, length=7).values()} == {(2, 7)}
    assert {array.shape for array in random_inputs(bert, batch=3).values()} == {(3, 3)}
    found = scan(bert, (4, 256), over="length", seconds=0.1)
    assert [point.run.label for point in found.points] == ["length 4", "length 256"]
    short, long = (float(np.median(point.run.samples_ms)) for point in found.points)
    assert long > short


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sizes": ()}, r"sizes are \[\]: give different numbers"),
        ({"sizes": (2, 2)}, r"sizes are \[2, 2\]: give different numbers"),
        ({"sizes": (0,)}, "batch is 0: give a whole number above 0"),
        ({"sizes": (1,), "over": "width"}, "over is 'width': give 'batch' or 'length'"),
        ({"sizes": (1,), "over": "length"}, "no input of digits has an open length: export it with None"),
    ],
)
def test_what_is_no_scan(digits: models.Model, given: dict[str, Any], said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        scan(digits, **given)


@pytest.fixture(scope="module", params=[True, False])
def loaded(request: pytest.FixtureRequest, digits: models.Model) -> Throughput:
    return throughput(digits, (1, 2), seconds=0.3, native=request.param)


def test_throughput_is_what_the_latencies_of_the_threads_give(loaded: Throughput) -> None:
    assert [point.predictors for point in loaded.points] == [1, 2]
    for point in loaded.points:
        low, high = point.ci95
        assert low <= point.per_second <= high
        assert point.p50_ms == np.median(point.samples_ms)
        assert point.p99_ms == np.percentile(point.samples_ms, 99)
        # A thread that always runs gives one run in the time of one.
        busy = point.predictors / (point.samples_ms.mean() / 1e3)
        assert 0.5 * busy < point.per_second < 1.2 * busy
    facts = json.loads(json.dumps(loaded.facts(), allow_nan=False))
    assert facts["native"] is loaded.native
    assert [set(point) for point in facts["points"]] == [
        {"predictors", "per_second", "ci95", "p50_ms", "p99_ms", "samples"}
    ] * 2


def test_both_are_drawn(batches: Scan, loaded: Throughput) -> None:
    assert batches.chart().layout.title.text != loaded.chart("dark").layout.title.text
    assert len(batches.chart().data) > 0
    assert len(loaded.chart().data) > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"predictors": ()}, r"predictors are \[\]: give different numbers"),
        ({"predictors": (1, 1)}, r"predictors are \[1, 1\]: give different numbers"),
        ({"predictors": (0,)}, "predictors is 0: give a whole number above 0"),
        ({"seconds": 0}, "seconds is 0: give a number above 0"),
    ],
)
def test_what_is_no_throughput(digits: models.Model, given: dict[str, Any], said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        throughput(digits, **given)


@pytest.mark.usefixtures("no_session_left")
def test_throughput_can_be_cancelled(digits: models.Model) -> None:
    cancel = threading.Event()

    def stop(share: float, text: str) -> None:
        if text.startswith("round 2"):
            cancel.set()

    with pytest.raises(CancelledError):
        throughput(digits, (1,), seconds=1, progress=stop, cancel=cancel)


@pytest.mark.parametrize(
    ("signals", "ends"),
    [
        ([signal.SIGSEGV], None),
        ([signal.SIGSEGV, signal.SIGABRT], None),
        ([signal.SIGSEGV] * 3, "SIGSEGV"),
        ([signal.SIGKILL], "SIGKILL"),
    ],
)
def test_a_crash_is_told_of_and_its_round_taken_again(
    digits: models.Model, signals: list[signal.Signals], ends: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[Session] = []
    load = Session.load

    def noted(session: Session) -> Any:
        sessions.append(session)
        return load(session)

    spans: list[tuple[int | None, float]] = []
    at_once = Session.time_at_once

    def timed(session: Session, *given: Any, **more: Any) -> Any:
        found = at_once(session, *given, **more)
        spans.append((session.pid, more["seconds"]))
        return found

    monkeypatch.setattr(Session, "load", noted)
    monkeypatch.setattr(Session, "time_at_once", timed)
    left = list(signals)

    def crash(share: float, text: str) -> None:
        if text.endswith(": 2 predictors") and left:
            assert sessions[-1].pid is not None
            os.kill(sessions[-1].pid, left.pop())

    if ends:
        with pytest.raises(WorkerDiedError) as caught:
            throughput(digits, (1, 2), seconds=0.2, progress=crash)
        assert caught.value.signal == ends
        return
    found = throughput(digits, (1, 2), seconds=0.2, progress=crash)
    assert [text.split(", which")[0] for text in found.notices] == [
        f"Paddle crashed ({one.name}) in a round of 2 predictors" for one in reversed(signals)
    ]
    assert all(len(point.samples_ms) > 0 for point in found.points)
    # What a process measures first is its warm-up, after a crash, too.
    begins = [at for at, (pid, _) in enumerate(spans) if pid not in [one for one, _ in spans[:at]]]
    assert len(begins) == len(signals) + 1
    longest = max(seconds for _, seconds in spans)
    assert [spans[at][1] for at in begins] == pytest.approx([longest / 5] * len(begins))
