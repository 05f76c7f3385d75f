"""The history: nothing finished is lost, whatever becomes of the process, the file or the disk."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import itertools
import json
import math
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import plotly
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import models
from workbench.bench.charts import history_chart
from workbench.bench.history import DIED, Entry, History, Recorder, Summary, model_hash, store
from workbench.bench.samples import Round
from workbench.config import InferenceConfig
from workbench.errors import ModelError, WorkbenchError

HASH = "0123456789abcdef" * 4
FACTS = {"name": "digits", "hash": HASH, "ir": "pir"}
ENVIRONMENT = {"cpu_model": "Some CPU", "cores": 2, "runtime": {"paddle": "3.3.1"}, "flags": ["avx", "fma"]}
CONFIG = InferenceConfig(threads=2)

# Writes rounds of two samples each and says after every one that it is there, until it is killed.
WRITER = """
import itertools, resource, sys
import numpy as np
from workbench.bench.history import History
from workbench.bench.samples import Round
from workbench.config import InferenceConfig

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
recorder = History(sys.argv[1]).begin("benchmark", {"name": sys.argv[2], "hash": "", "ir": "pir"}, {})
recorder.run(0, "default", InferenceConfig(), ())
recorder.launch(0, 0, 1.0, 2.0, [3.0])
most = int(sys.argv[3])
for number in range(most) if most else itertools.count():
    recorder.round(0, 0, number, Round(np.array([number, number + 0.5])))
    print(number, flush=True)
recorder.end("finished")
"""


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "folder" / "history.sqlite")


def begin(history: History, environment: Any = ENVIRONMENT, **facts: str) -> Recorder:
    return history.begin(
        "benchmark", {**FACTS, **facts}, environment, seconds=5, inputs={"image": np.zeros((1, 1, 8, 8))}
    )


def measure(history: History, *labels: str, environment: Any = ENVIRONMENT, **facts: str) -> int:
    """A finished measurement of samples 1 to 100 ms for each config, in two rounds."""
    recorder = begin(history, environment, **facts)
    for position, label in enumerate(labels or ("default",)):
        recorder.run(position, label, CONFIG, ())
        recorder.launch(position, 0, 10.0, 20.0, [5.0])
        recorder.round(position, 0, 0, Round(np.arange(1.0, 51.0)))
        recorder.round(position, 0, 1, Round(np.arange(51.0, 101.0)))
    recorder.end("finished")
    assert recorder.id is not None
    return recorder.id


def set_began(history: History, number: int, began: datetime) -> None:
    assert history.path is not None
    text = began.astimezone(timezone.utc).isoformat(timespec="microseconds")
    with contextlib.closing(sqlite3.connect(history.path)) as db, db:
        db.execute("UPDATE measurement SET began = ? WHERE id = ?", (text, number))


def start_writer(
    history: History, name: str = "digits", most: int = 0, bytes_most: int = resource.RLIM_INFINITY
) -> subprocess.Popen[str]:
    assert history.path is not None
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(history.path), name, str(most), str(bytes_most)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[3])},
    )


def medians(history: History, entry: Entry) -> list[float]:
    (run,) = history.runs(entry)
    assert all(len(one.samples_ms) == 2 for one in run.rounds)
    return [float(one.samples_ms[0]) for one in run.rounds]


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


def other_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE theirs (a)")


def newer_version(path: Path) -> None:
    measure(History(path))
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def torn(path: Path) -> None:
    measure(History(path))
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda path: path.write_bytes(b"this is no database " * 300),
            "is damaged or is none .*: move it away",
        ),
        (torn, "is damaged or is none .*: move it away"),
        (other_database, "is another program's database: set WORKBENCH_HISTORY"),
        (newer_version, "written by a newer release .*99.*: update the workbench"),
    ],
    ids=["no database", "torn", "another program's", "newer"],
)
def test_a_file_that_is_no_history_is_said_and_left(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "history.sqlite"
    spoil(path)
    before = path.read_bytes()
    history = History(path)
    for call in (
        lambda: begin(history),
        history.entries,
        lambda: history.runs(1),
        lambda: history.over_time("digits"),
        lambda: history.forget(1),
        lambda: history.to_csv(tmp_path / "out.csv"),
        lambda: history.to_json(tmp_path / "out.json"),
    ):
        with pytest.raises(WorkbenchError, match=said) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert not (tmp_path / "out.csv").exists() and not (tmp_path / "out.json").exists()


def test_a_history_that_is_torn_while_it_is_written_does_not_stop_the_measurement(history: History) -> None:
    recorder = begin(history)
    assert history.path is not None
    with contextlib.closing(sqlite3.connect(history.path)) as db, db:
        db.execute("DROP TABLE round")
    recorder.run(0, "default", CONFIG, ())
    recorder.launch(0, 0, 1.0, 2.0, [])
    with pytest.warns(UserWarning, match=r"no such table: round.*unrecorded"):
        recorder.round(0, 0, 0, Round(np.array([1.0])))
    recorder.end("finished")


@contextlib.contextmanager
def one_warning(said: str) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    (warning,) = caught
    assert said in str(warning.message)
    assert "so this measurement goes on unrecorded" in str(warning.message)
    assert warning.filename == __file__


def test_a_place_that_cannot_be_written_gives_one_notice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for path, said in (
        (tmp_path / "file" / "history.sqlite", "File exists: "),
        (Path("/proc/self/history.sqlite"), "unable to open database file"),
    ):
        with one_warning(said):
            assert measure_unrecorded(History(path)) is None


def measure_unrecorded(history: History) -> int | None:
    recorder = begin(history)
    recorder.run(0, "default", CONFIG, ())
    recorder.launch(0, 0, 1.0, 2.0, [])
    recorder.round(0, 0, 0, Round(np.array([1.0])))
    recorder.peak(0, 0, 1)
    recorder.end("finished")
    return recorder.id


@pytest.mark.parametrize(
    ("pragma", "said"),
    [
        ("max_page_count = 60", "database or disk is full"),
        ("query_only = 1", "attempt to write a readonly database"),
    ],
)
def test_a_disk_that_fills_up_stops_the_recording_and_not_the_measurement(
    history: History, monkeypatch: pytest.MonkeyPatch, pragma: str, said: str
) -> None:
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def noted(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connections.append(connect(*args, **kwargs))
        return connections[-1]

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", noted)
        recorder = begin(history)
    recorder.run(0, "default", CONFIG, ())
    recorder.launch(0, 0, 1.0, 2.0, [])
    recorder.round(0, 0, 0, Round(np.arange(10.0)))
    (connection,) = connections
    connection.execute(f"PRAGMA {pragma}")
    with one_warning(said):
        for number in range(1, 20):
            recorder.round(0, 0, number, Round(np.full(4000, number)))
        recorder.end("finished")
    (entry,) = history.entries()
    (run,) = history.runs(entry)
    assert run.rounds[0].samples_ms.tolist() == list(range(10))
    assert 1 <= len(run.rounds) < 20
    for number, one in enumerate(run.rounds[1:], 1):
        assert one.samples_ms.tolist() == [number] * 4000
    if "full" in said:
        # Its end still found room: what is there is said to be a part.
        assert (entry.state, entry.error) == ("finished", f"recorded in part only: {said}")
    # The next measurement, once there is room, is recorded as ever.
    measure(history)
    assert history.entries()[0].state == "finished"


def test_a_file_that_may_not_grow_keeps_what_it_has(history: History) -> None:
    # The system's own limit, of which SQLite knows nothing.
    with start_writer(history, most=3000, bytes_most=1_000_000) as writer:
        said, warned = writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert len(said.split()) == 3000  # the measurement went on to its end
    assert warned.count("so this measurement goes on unrecorded") == 1
    (entry,) = history.entries()
    found = medians(history, entry)
    assert 50 < len(found) < 3000
    assert found == list(range(len(found)))
    measure(history)
    assert history.entries()[0].state == "finished"


def test_a_folder_nobody_may_write_to_can_be_read() -> None:
    # Not pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = History(folder / "history.sqlite")
        measure(history)
        (folder / "history.sqlite").chmod(0o444)
        folder.chmod(0o555)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.getuid() == 0:
                    os.setuid(65534)  # nobody: root may write anywhere
                assert not os.access(folder, os.W_OK)
                (entry,) = history.entries()
                assert len(history.runs(entry)[0].samples_ms) == 100
                with one_warning("attempt to write a readonly database"):
                    assert measure_unrecorded(history) is None
                with pytest.raises(WorkbenchError, match=r"nothing was forgotten: .* cannot be written"):
                    history.forget(entry.id)
                code = 0
            finally:
                os._exit(code)
        ended = os.waitpid(child, 0)[1]
        folder.chmod(0o755)
        assert os.waitstatus_to_exitcode(ended) == 0


def test_an_older_file_is_brought_up_to_date(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    number = measure(history)
    monkeypatch.setattr(
        store,
        "STEPS",
        (*store.STEPS, ("ALTER TABLE measurement ADD COLUMN note TEXT NOT NULL DEFAULT ''",)),
    )
    (entry,) = history.entries()
    assert (entry.id, entry.runs[0].samples) == (number, 100)
    measure(history)
    assert len(history.entries()) == 2
    assert history.path is not None
    with contextlib.closing(sqlite3.connect(history.path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        assert db.execute("SELECT note FROM measurement").fetchall() == [("",), ("",)]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_an_older_release_measured_has_no_interval(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(store, "STEPS", store.STEPS[:1])
        recorder = begin(history)
        recorder.run(0, "default", CONFIG)
        recorder.launch(0, 0, 1.0, 2.0, [])
        for number in range(6):
            recorder.round(0, 0, number, Round(np.array([1.0, 2.0, 3.0])))
    assert history.path is not None
    with contextlib.closing(sqlite3.connect(history.path)) as db, db:
        db.execute("UPDATE run SET samples = 18, p50_ms = 2, p90_ms = 3, p99_ms = 3")
        db.execute("UPDATE measurement SET state = 'finished'")
    (point,) = history.over_time("digits")
    assert (point.samples, point.p50_ms, point.ci95) == (18, 2.0, None)
    assert history.chart("digits").data[1].error_y.array == (0.0,)


def steady(history: History, rounds: list[list[float]], state: Any = "finished") -> Summary:
    """What is said of one config after these rounds, of one launch."""
    recorder = begin(history)
    recorder.run(0, "default", CONFIG)
    recorder.launch(0, 0, 1.0, 2.0, [])
    for number, samples in enumerate(rounds):
        recorder.round(0, 0, number, Round(np.array(samples)))
    recorder.end(state)
    return history.entries(limit=1)[0].runs[0]


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


def test_where_the_history_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("WORKBENCH_HISTORY", raising=False)
    assert History().path == tmp_path / "workbench" / "history.sqlite"
    monkeypatch.setenv("WORKBENCH_HISTORY", str(tmp_path / "mine.sqlite"))
    assert History().path == tmp_path / "mine.sqlite"
    assert History().entries() == []
    assert not (tmp_path / "mine.sqlite").exists()
    measure(History())
    assert len(History(tmp_path / "mine.sqlite").entries()) == 1


@pytest.mark.parametrize("said", ["", "off", "OFF"])
def test_no_history_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_HISTORY", said)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measure_unrecorded(History()) is None
    assert History().entries() == []
    assert list(tmp_path.iterdir()) == []


def test_entries_are_found_by_what_is_asked(history: History) -> None:
    one = measure(history, "default", "no oneDNN")
    two = measure(history, name="bert", hash="fedcba9876543210" * 4)
    recorder = history.begin("ablation", FACTS, {})
    recorder.end("finished", result={"passes": [np.float64(1.5), (1, None)]})
    three = recorder.id

    def found(*args: Any, **kwargs: Any) -> list[int]:
        return [entry.id for entry in history.entries(*args, **kwargs)]

    assert found() == [three, two, one]
    assert found("digits") == [three, one]
    assert found("fedcba") == found("FEDCBA98") == found("bert") == [two]
    assert found("fedc") == found("nobody") == found("fedcbb") == []
    assert found(kind="ablation") == [three]
    assert found(label="no oneDNN") == [one]
    assert found(label="default", model="bert") == [two]
    assert found(limit=2) == [three, two]
    assert history.entries(limit=1)[0].result == {"passes": [1.5, [1, None]]}

    set_began(history, one, datetime(2026, 1, 31, 18, 0, tzinfo=timezone.utc))
    set_began(history, two, datetime(2026, 2, 1, 12, 0).astimezone())
    assert found(since="2026-01-31T18:00:00Z") == found(since="2026-01-31T19:00+01:00") == [three, two, one]
    assert found(since="2026-01-31T18:00:00.000001Z") == [three, two]
    assert found(since=date(2026, 2, 1)) == found(since="2026-02-01") == [three, two]
    assert found(since=datetime(2026, 2, 1, 12, 0)) == [three, two]
    assert found(since=datetime(2026, 2, 1, 12, 1)) == [three]


def test_mistakes_are_said(history: History, tmp_path: Path) -> None:
    measure(history)
    empty = History(tmp_path / "none")
    calls: dict[str, Callable[[], object]] = {
        "'last week' is no date or time: write it as": lambda: history.entries(since="last week"),
        "is out of range: give a date": lambda: history.entries(since="0001-01-01T00:00+01:00"),
        "kind is 'speed': give one of benchmark": lambda: history.entries(kind="speed"),  # type: ignore[arg-type]
        "kind is 'bench': give one of": lambda: history.begin("bench", FACTS, {}),  # type: ignore[arg-type]
        "limit is 0: give a whole number": lambda: history.entries(limit=0),
        "no measurement 7": lambda: history.runs(7),
        "no measurement 1:": lambda: empty.forget([1]),
        "'monday' is no date": lambda: empty.forget(before="monday"),
        "either ids or before": history.forget,
        "no benchmark of bert": lambda: history.chart("bert"),
        "nowhere/inference.json does not exist": lambda: history.entries("nowhere/inference.json"),
        "cannot write /nowhere/x.csv": lambda: history.to_csv("/nowhere/x.csv"),
        "cannot write /nowhere/x.json": lambda: history.to_json("/nowhere/x.json"),
    }
    for said, call in calls.items():
        with pytest.raises(WorkbenchError, match=said):
            call()


def test_what_is_forgotten_is_gone_with_its_samples(history: History) -> None:
    numbers = [measure(history) for _ in range(4)]
    big = begin(history)
    big.run(0, "big", CONFIG, ())
    big.launch(0, 0, 1.0, 2.0, [])
    big.round(0, 0, 0, Round(np.zeros(200_000)))
    big.end("finished")
    assert big.id is not None and history.path is not None
    before = history.path.stat().st_size
    assert history.forget(big.id) == 1
    assert before - history.path.stat().st_size > 1_500_000
    with pytest.raises(WorkbenchError, match=f"no measurement {big.id}:"):
        history.forget([numbers[0], big.id])
    assert len(history.entries()) == 4
    assert history.forget(numbers[:2]) == 2
    set_began(history, numbers[2], datetime.now(timezone.utc) - timedelta(days=2))
    assert history.forget(before=datetime.now(timezone.utc) - timedelta(days=1)) == 1
    assert [entry.id for entry in history.entries()] == [numbers[3]]
    with contextlib.closing(sqlite3.connect(history.path)) as db:
        for table, count in (("run", 1), ("launch", 1), ("round", 2)):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
    assert history.forget([numbers[3]]) == 1
    assert measure(history) > big.id  # a number is never given again


def test_the_csv_has_a_row_per_config(history: History, tmp_path: Path) -> None:
    measure(history, "default", 'two, "quoted"\nand on two lines')
    measure(history, environment={"runtime": {"paddle": "3.2.0"}})
    assert history.to_csv(tmp_path / "out.csv") == 3
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["default", "default", 'two, "quoted"\nand on two lines']
    for row in rows:
        assert (row["model"], row["model_hash"], row["samples"], row["state"]) == (
            "digits",
            HASH,
            "100",
            "finished",
        )
        # Of 1 to 100, linearly interpolated: 1 + 99 × share.
        assert [float(row[name]) for name in ("p50_ms", "p90_ms", "p99_ms")] == pytest.approx(
            [50.5, 90.1, 99.01]
        )
        assert (row["config.threads"], row["config.disabled_passes"]) == ("2", "[]")
    assert (rows[0]["environment.runtime.paddle"], rows[0]["environment.cpu_model"]) == ("3.2.0", "")
    assert (rows[1]["environment.cores"], json.loads(rows[1]["environment.flags"])) == (
        "2",
        ["avx", "fma"],
    )
    assert history.to_csv(tmp_path / "some.csv", history.entries(limit=1)) == 1
    assert History(tmp_path / "none").to_csv(tmp_path / "empty.csv") == 0
    assert (tmp_path / "empty.csv").read_text().startswith("id,began,kind,model,")


def test_the_json_has_every_sample(history: History, tmp_path: Path) -> None:
    samples = [0.1, 1 / 3, 5e-324, math.pi * 1e300]
    recorder = begin(history)
    recorder.run(0, "default", CONFIG, ["a notice"])
    recorder.launch(0, 0, 1.5, 2.5, [9.0])
    recorder.round(0, 0, 0, Round(np.array(samples), 0.5, 0.25))
    recorder.peak(0, 0, 7)
    recorder.end("cancelled", "the benchmark was cancelled")
    measure(history, "a", "b")
    assert history.to_json(tmp_path / "out.json") == 2
    second, first = json.loads((tmp_path / "out.json").read_text())["measurements"]
    assert (first["state"], first["error"]) == ("cancelled", "the benchmark was cancelled")
    assert datetime.fromisoformat(first["began"]) == history.entries()[1].began
    assert first["environment"] == ENVIRONMENT
    (run,) = first["runs"]
    assert run["config"] == json.loads(CONFIG.to_json())
    assert run["notices"] == ["a notice"]
    assert run["launches"] == [
        {
            "create_ms": 1.5,
            "first_ms": 2.5,
            "warmup_ms": [9.0],
            "peak_bytes": 7,
            "rounds": [{"samples_ms": samples, "began_s": 0.5, "others": 0.25, "mhz": None}],
        }
    ]
    assert [one["label"] for one in second["runs"]] == ["a", "b"]
    History(tmp_path / "none").to_json(tmp_path / "empty.json")
    assert json.loads((tmp_path / "empty.json").read_text()) == {"measurements": []}


def timeline(history: History) -> None:
    """Four days: from the second another Paddle, from the third another CPU, on the fourth another model."""
    day = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
    for index, (cpu, paddle, digest) in enumerate(
        [("A", "3.2", "1"), ("A", "3.3", "1"), ("B<b>", "3.3", "1"), ("B<b>", "3.3", "2")]
    ):
        environment = {"cpu_model": cpu, "runtime": {"paddle": paddle}}
        labels = ("default", "two") if index else ("default",)
        number = measure(history, *labels, environment=environment, hash=digest * 64)
        set_began(history, number, day + timedelta(days=index))


def test_a_model_over_time(history: History) -> None:
    timeline(history)
    empty = begin(history)
    empty.run(0, "default", CONFIG, ())
    empty.end("failed", "nothing measured")
    points = history.over_time("digits")
    assert [(point.began.day, point.label, point.cpu, point.paddle) for point in points] == [
        (1, "default", "A", "3.2"),
        *[(2, label, "A", "3.3") for label in ("default", "two")],
        *[(3, label, "B<b>", "3.3") for label in ("default", "two")],
        *[(4, label, "B<b>", "3.3") for label in ("default", "two")],
    ]
    for point in points:
        assert point.samples == 100
        assert [point.p50_ms, point.p90_ms, point.p99_ms] == pytest.approx([50.5, 90.1, 99.01])
    assert [point.began.day for point in history.over_time("digits", "two")] == [2, 3, 4]
    assert [point.began.day for point in history.over_time("2" * 64, "two")] == [4]
    assert history.over_time("bert") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_shows_lines_bands_and_changes(history: History, theme: Any) -> None:
    timeline(history)
    chart = history.chart("digits", theme)
    figure = json.loads(plotly.io.to_json(chart))
    shown = [trace for trace in figure["data"] if trace["showlegend"]]
    assert [trace["name"] for trace in shown] == ["default", "two"]
    for trace, band in zip(shown, figure["data"][::2], strict=True):
        assert trace["fill"] == "tonexty" and band["x"] == trace["x"]
        assert list(chart.data[1].y) == [50.5] * 4
        assert list(chart.data[0].y) == pytest.approx([90.1] * 4)
    assert "Paddle 3.2" in shown[0]["text"][0] and "B&#60;b&#62;" in shown[0]["text"][2]
    marks = [(one["x"][:10], one["text"]) for one in figure["layout"]["annotations"]]
    assert [text for _, text in marks] == ["Paddle 3.3", "B&#60;b&#62;", "model changed"]
    assert [line["x0"][:10] for line in figure["layout"]["shapes"]] == [day for day, _ in marks]


def test_the_chart_has_the_interval_of_every_median(history: History) -> None:
    rng = np.random.default_rng(2)
    steady(history, rng.gamma(4, 1, (8, 20)).tolist())
    steady(history, rng.gamma(4, 1, (8, 20)).tolist(), "cancelled")
    known, unknown = history.over_time("digits")
    assert known.ci95 is not None and unknown.ci95 is None
    line = history.chart("digits").data[1]
    assert (line.y[0] - line.error_y.arrayminus[0], line.y[0] + line.error_y.array[0]) == pytest.approx(
        known.ci95
    )
    assert (line.error_y.arrayminus[1], line.error_y.array[1]) == (0, 0)
    assert "(95 &#37;: " in line.text[0] and "(95 &#37;: " not in line.text[1]


def test_words_of_changes_do_not_meet(history: History) -> None:
    day = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
    for number in range(12):
        cpu = f"A CPU of a long name, number {number}"
        set_began(
            history,
            measure(history, environment={"cpu_model": cpu, "runtime": {"paddle": "3.3"}}),
            day + timedelta(minutes=number),
        )
    figure = history.chart("digits")
    assert len(figure.layout.shapes) == 11
    shown = figure.layout.annotations
    assert 4 <= len(shown) < 11
    assert "hover says which" in figure.layout.title.subtitle.text
    assert max(one.yshift for one in shown) + 17 < figure.layout.margin.t
    first, last = figure.data[1].x[0], figure.data[1].x[-1]
    taken: dict[float, list[tuple[float, float]]] = {}
    for one in shown:
        # On a plot of 640 pixels; a letter of this size is 5.5 wide.
        at, width = 640 * ((one.x - first) / (last - first)), 5.5 * len(one.text)
        left = at if one.xanchor == "left" else at - width
        assert left >= 0 and left + width <= 640
        taken.setdefault(one.yshift, []).append((left, left + width))
    for line in taken.values():
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(sorted(line)))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_without_benchmarks_the_chart_says_so(theme: str) -> None:
    figure = history_chart([], theme)
    assert not figure.data
    assert "Nothing was measured yet" in figure.layout.annotations[0].text


def test_the_same_label_for_two_configs_is_two_lines(history: History) -> None:
    for config in (InferenceConfig(), CONFIG):
        recorder = begin(history)
        recorder.run(0, "mine", config, ())
        recorder.launch(0, 0, 1.0, 2.0, [])
        recorder.round(0, 0, 0, Round(np.array([1.0])))
        recorder.end("finished")
    names = [trace.name for trace in history.chart("digits").data if trace.showlegend]
    assert names == ["mine (default)", "mine (2 threads)"]


def test_another_batch_is_another_line(history: History) -> None:
    for batch in (1, 8, 1):
        recorder = history.begin("benchmark", FACTS, ENVIRONMENT, inputs={"x": [batch, 3], "y": []})
        recorder.run(0, "default", CONFIG, ())
        recorder.launch(0, 0, 1.0, 2.0, [])
        recorder.round(0, 0, 0, Round(np.array([float(batch)])))
        recorder.end("finished")
    shown = [trace for trace in history.chart("digits").data if trace.showlegend]
    assert [trace.name for trace in shown] == ["default (x 1×3, y scalar)", "default (x 8×3, y scalar)"]
    assert [list(trace.y) for trace in shown] == [[1.0, 1.0], [8.0]]


def files_model(
    folder: Path, program: bytes = b"a program", params: bytes = b"weights" * 1000
) -> models.Model:
    folder.mkdir(exist_ok=True)
    (folder / "m.pdmodel").write_bytes(program)
    (folder / "m.pdiparams").write_bytes(params)
    return models.Model("combined", "program", "m", folder / "m.pdmodel", folder / "m.pdiparams")


def rewrite(file: Path, data: bytes) -> None:
    """As an export does that takes longer than a tick of the file system's clock."""
    before = file.stat().st_mtime_ns
    file.write_bytes(data)
    os.utime(file, ns=(before, before + 1_000_000))


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    model = files_model(tmp_path / "a")
    assert model.model_file is not None and model.params_file is not None
    found = model_hash(model)
    # The length of the program is part of it: what moves from one file to the other is another model.
    wanted = hashlib.sha256(len(b"a program").to_bytes(8, "little") + b"a program" + b"weights" * 1000)
    assert found == wanted.hexdigest()
    assert model_hash(files_model(tmp_path / "moved")) == found
    assert model_hash(files_model(tmp_path / "other", program=b"a programw", params=b"")) != found
    memory = models.Model(
        "program", "program", "memory", model_bytes=b"a program", params_bytes=b"weights" * 1000
    )
    assert model_hash(memory) == found
    # Weights that change under a model that is loaded.
    rewrite(model.params_file, b"weights" * 999 + b"weighty")
    assert model_hash(model) != found
    rewrite(model.params_file, b"weights" * 1000)
    assert model_hash(model) == found
    model.params_file.unlink()
    with pytest.raises(ModelError, match=r"m\.pdiparams cannot be read .*: load the model again"):
        model_hash(model)


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    model = files_model(tmp_path / "a")
    found = model_hash(model)
    assert model.params_file is not None
    stat = model.params_file.stat()
    model.params_file.write_bytes(bytes(stat.st_size))
    os.utime(model.params_file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert model_hash(model) == found


def test_measurements_of_a_model_are_found_by_the_model_and_its_path(
    history: History, sample_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sample_folder("digits", "pir")
    model = models.load(folder)
    number = measure(history, name="some name", hash=model_hash(model))
    measure(history, name="other", hash="0" * 64)
    monkeypatch.chdir(folder.parent)
    for given_ in (model, folder, str(folder), folder.name, model_hash(model), "some name"):
        assert [entry.id for entry in history.entries(given_)] == [number], given_


def test_names_and_environments_of_any_kind_are_kept(history: History) -> None:
    name = os.fsdecode(b"caf\xe9")
    recorder = history.begin(
        "benchmark",
        {**FACTS, "name": name},
        {"load": np.float32(0.5), "cores": np.array([1, 2]), "at": Path("/x"), "nan": math.nan},
    )
    recorder.run(0, name, CONFIG, [name])
    recorder.end("failed", name)
    (entry,) = history.entries()
    assert entry.environment == {"load": 0.5, "cores": [1, 2], "at": "/x", "nan": None}
    assert entry.model == entry.runs[0].label == entry.error == "caf\\udce9"
    assert (entry.cpu, entry.paddle) == ("", "")
