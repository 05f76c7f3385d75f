"""A measurement is written as it goes, and read back as it was, from several processes and threads."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sqlite3
import threading
from datetime import datetime, timezone

import numpy as np
import pytest
from histories import CONFIG, ENVIRONMENT, HASH, begin, measure, medians, start_writer, steady
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.bench.history import DIED, History
from workbench.bench.samples import Round
from workbench.config import InferenceConfig


def test_what_was_measured_is_read_back(history: History) -> None:
    before = datetime.now(timezone.utc)
    recorder = begin(history)
    recorder.run(0, "default", InferenceConfig(), ["asked bf16, given fp32"])
    recorder.run(1, "two", CONFIG, ())
    recorder.launch(0, 0, 10.5, 20.25, np.array([3.0, 2.0]))
    recorder.launch(1, 0, 11.0, 21.0, np.array([]))
    recorder.round(0, 0, 0, Round(np.array([1.0, 2.0]), 0.5, 0.25, 2400.0))
    recorder.round(1, 0, 0, Round(np.array([4.0]), 0.75))
    recorder.launch(0, 1, 12.0, 22.0, np.array([1.0]))
    recorder.round(0, 1, 0, Round(np.array([3.0]), 1.5, 0.0, np.float32(2000)))  # type: ignore[arg-type]
    recorder.peak(0, 1, 123456789)
    (running,) = history.entries()
    assert running.state == "running"
    assert [(one.samples, one.p50_ms) for one in running.runs] == [(3, 2.0), (1, 4.0)]
    recorder.end("finished")

    (entry,) = history.entries()
    assert before <= entry.began <= datetime.now(timezone.utc)
    assert (entry.kind, entry.model, entry.model_hash, entry.ir) == ("benchmark", "digits", HASH, "pir")
    assert entry.inputs == {"image": [1, 1, 8, 8]}
    assert (entry.environment, entry.cpu, entry.paddle) == (ENVIRONMENT, "Some CPU", "3.3.1")
    assert (entry.seconds, entry.state, entry.error, entry.result) == (5, "finished", "", None)
    assert [(one.label, one.config["threads"]) for one in entry.runs] == [("default", 1), ("two", 2)]
    assert entry.runs[1].config == json.loads(CONFIG.to_json())
    first, second = history.runs(entry)
    assert (first.label, first.config, first.notices) == (
        "default",
        InferenceConfig(),
        ("asked bf16, given fp32",),
    )
    assert second.config == CONFIG
    assert [(one.create_ms, one.first_ms, one.peak_bytes) for one in first.launches] == [
        (10.5, 20.25, None),
        (12.0, 22.0, 123456789),
    ]
    assert first.launches[0].warmup_ms.tolist() == [3.0, 2.0]
    assert [(one.began_s, one.others, one.mhz) for one in first.rounds] == [
        (0.5, 0.25, 2400.0),
        (1.5, 0.0, 2000.0),
    ]
    assert [len(launch.rounds) for launch in first.launches] == [1, 1]
    assert first.samples_ms.tolist() == [1.0, 2.0, 3.0]
    assert [(one.others, one.mhz) for one in second.rounds] == [(None, None)]


@settings(max_examples=40, deadline=None)
@given(
    bits=st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=5), max_size=4),
    scalars=st.tuples(*[st.floats(allow_nan=False)] * 3),
)
def test_samples_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, bits: list[list[int]], scalars: tuple[float, float, float]
) -> None:
    history = History(tmp_path_factory.getbasetemp() / "bits.sqlite")
    rounds = [np.array(one, np.uint64).view(np.float64) for one in bits]
    recorder = begin(history)
    recorder.run(0, "any", CONFIG, ())
    recorder.launch(0, 0, scalars[0], scalars[1], rounds[0] if rounds else [])
    for number, samples in enumerate(rounds):
        recorder.round(0, 0, number, Round(samples, scalars[2]))
    assert recorder.id is not None
    (run,) = history.runs(recorder.id)
    recorder.end("cancelled")
    (launch,) = run.launches
    assert (launch.create_ms, launch.first_ms) == scalars[:2]
    assert [one.samples_ms.view(np.uint64).tolist() for one in launch.rounds] == bits
    assert launch.warmup_ms.view(np.uint64).tolist() == (bits[0] if bits else [])
    assert all(one.began_s == scalars[2] and one.samples_ms.flags.writeable for one in launch.rounds)


def test_a_killed_process_loses_no_round_that_was_over(history: History) -> None:
    for killed in range(2):
        with start_writer(history) as writer:
            assert writer.stdout is not None
            for _ in range(20):
                last = int(writer.stdout.readline())
            (entry, *_) = history.entries()
            assert entry.state == "running"
            writer.send_signal(signal.SIGKILL)
            # What it said between the last line read and its end was recorded too.
            rest = writer.stdout.read().split("\n")[:-1]
        last = max([last, *map(int, rest)])
        (entry, *older) = history.entries()
        assert len(older) == killed
        assert (entry.state, entry.error) == ("died", DIED)
        found = medians(history, entry)
        # One more may have been written whose call had not returned.
        assert found in (list(range(last + 1)), list(range(last + 2)))
        assert entry.runs[0].samples == 2 * len(found)
    measure(history)
    assert [entry.state for entry in history.entries()] == ["finished", "died", "died"]


def test_a_process_that_has_the_number_of_a_dead_one_is_not_it(history: History) -> None:
    recorder = begin(history)
    assert history.path is not None
    assert history.entries()[0].state == "running"
    with contextlib.closing(sqlite3.connect(history.path)) as db, db:
        db.execute("UPDATE measurement SET pid_began_s = pid_began_s - 60")
    assert history.entries()[0].state == "died"
    with contextlib.closing(sqlite3.connect(history.path)) as db, db:
        db.execute("UPDATE measurement SET host = 'another machine'")
    assert history.entries()[0].state == "running"
    recorder.end("failed", "out of memory")
    assert (history.entries()[0].state, history.entries()[0].error) == ("failed", "out of memory")


def test_processes_and_threads_write_at_once(history: History) -> None:
    # The file is new to all of them: each may be the one that makes it.
    writers = [start_writer(history, f"process {number}", 100) for number in range(2)]

    def write(name: str) -> None:
        recorder = begin(history, name=name)
        recorder.run(0, "default", CONFIG, ())
        recorder.launch(0, 0, 1.0, 2.0, [])
        for number in range(100):
            recorder.round(0, 0, number, Round(np.array([number, number + 0.5])))
        recorder.end("finished")

    threads = [threading.Thread(target=write, args=(f"thread {number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for writer in writers:
        assert writer.communicate(timeout=60)[0].split() == [str(number) for number in range(100)]
        assert writer.returncode == 0
    entries = history.entries()
    names = ["process 0", "process 1", "thread 0", "thread 1"]
    assert sorted(entry.model for entry in entries) == names
    for entry in entries:
        assert entry.state == "finished"
        assert medians(history, entry) == list(range(100))


def test_one_recorder_takes_rounds_from_several_threads(history: History) -> None:
    recorder = begin(history)

    def write(position: int) -> None:
        recorder.run(position, f"config {position}", CONFIG, ())
        recorder.launch(position, 0, 1.0, 2.0, [])
        for number in range(50):
            recorder.round(position, 0, number, Round(np.array([float(number)])))

    threads = [threading.Thread(target=write, args=(position,)) for position in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    recorder.end("finished")
    (entry,) = history.entries()
    for run in history.runs(entry):
        assert run.samples_ms.tolist() == list(range(50))


def test_a_median_has_its_interval(history: History) -> None:
    # Rounds that are all alike leave nothing to be unsure of.
    assert steady(history, [[3.0] * 5] * 6).ci95 == (3.0, 3.0)
    rng = np.random.default_rng(1)
    few, many = (steady(history, rng.normal(100, 1, (count, 50)).tolist()).ci95 for count in (6, 200))
    assert few is not None and many is not None
    # The median of 10,000 normal samples has a standard error of 1.2533 / 100.
    assert many[0] < 100 < many[1]
    assert 0.03 < many[1] - many[0] < 0.08
    assert few[1] - few[0] > 3 * (many[1] - many[0])


def test_no_interval_is_better_than_a_wrong_one(history: History) -> None:
    assert steady(history, [[3.0] * 5] * 5).ci95 is None  # too few rounds
    assert steady(history, [[3.0] * 5] * 6, "cancelled").ci95 is None
    assert steady(history, [[3.0, math.nan]] * 6).ci95 is None
    empty = steady(history, [[]] * 6)
    assert (empty.samples, empty.p50_ms, empty.ci95) == (0, None, None)


def test_the_load_is_known_after_the_rounds(history: History) -> None:
    recorder = begin(history)
    for position in range(2):
        recorder.run(position, str(position), CONFIG)
        for launch in range(2):
            recorder.launch(position, launch, 1.0, 2.0, [])
            for number in range(4):
                recorder.round(position, launch, number, Round(np.array([1.0])))
    recorder.others(1, range(1, 3), 0.25)
    recorder.others(1, range(3, 4), None)
    recorder.end("finished")
    for run in history.runs(1):
        assert [one.others for one in run.rounds] == [*[None] * 5, 0.25, 0.25, None]
