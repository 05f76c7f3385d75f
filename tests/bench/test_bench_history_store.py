"""The file: damaged, of others, of another release, full, in a place nobody may write to, or none."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import histories
import numpy as np
import pytest
from histories import CONFIG, begin, measure, medians, start_writer

from workbench.bench.history import History, store
from workbench.bench.samples import Round
from workbench.errors import WorkbenchError


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
def one_warning(said: str, file: str = __file__) -> Iterator[None]:
    """Of ``file``, since who measures is told and not a line of the library."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    (warning,) = caught
    assert said in str(warning.message)
    assert "so this measurement goes unrecorded" in str(warning.message)
    assert warning.filename == file


def test_a_place_that_cannot_be_written_gives_one_notice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for path, said in (
        (tmp_path / "file" / "history.sqlite", "File exists: "),
        (Path("/proc/self/history.sqlite"), "unable to open database file"),
    ):
        with one_warning(said, histories.__file__):
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
    assert warned.count("so this measurement goes unrecorded") == 1
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
                with one_warning("attempt to write a readonly database", histories.__file__):
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
