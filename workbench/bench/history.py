"""The history: every measurement in one SQLite file, written as it goes: a killed process loses no round."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import platform
import re
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.bench.samples import Floats, Launch, Round, Run
from workbench.config import InferenceConfig
from workbench.errors import ModelError, WorkbenchError

if TYPE_CHECKING:
    from workbench.models import Model

Kind = Literal["benchmark", "profile", "ablation", "tuning", "throughput", "scan"]
End = Literal["finished", "cancelled", "failed"]
State = Literal["running", "finished", "cancelled", "failed", "died"]
Moment = str | date | datetime

KINDS: tuple[str, ...] = get_args(Kind)
VARIABLE = "WORKBENCH_HISTORY"
OFF = ("", "off")
BUSY_S = 30.0
DIED = "its process ended before the measurement did; what it had recorded is kept"
_ELSEWHERE = f"or set {VARIABLE} to another file, or to off"
# Says whose file it is, in the header of the file: another program's database is left alone.
_APPLICATION = int.from_bytes(b"PWbH", "big")
# Step n takes a file from schema version n to n + 1; what has been released is never changed.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        # AUTOINCREMENT: the id of what was forgotten is not given again.
        """CREATE TABLE measurement (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            began TEXT NOT NULL,
            kind TEXT NOT NULL,
            model TEXT NOT NULL,
            model_hash TEXT NOT NULL,
            ir TEXT NOT NULL,
            inputs TEXT NOT NULL,
            environment TEXT NOT NULL,
            seconds REAL,
            state TEXT NOT NULL DEFAULT 'running',
            error TEXT NOT NULL DEFAULT '',
            result TEXT NOT NULL DEFAULT 'null',
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            pid_began_s REAL
        )""",
        "CREATE INDEX measurement_began ON measurement (began)",
        # samples and percentiles are those of all rounds, written at the end of the measurement.
        """CREATE TABLE run (
            measurement INTEGER NOT NULL REFERENCES measurement (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            label TEXT NOT NULL,
            config TEXT NOT NULL,
            notices TEXT NOT NULL,
            samples INTEGER,
            p50_ms REAL,
            p90_ms REAL,
            p99_ms REAL,
            PRIMARY KEY (measurement, position)
        )""",
        """CREATE TABLE launch (
            measurement INTEGER NOT NULL,
            position INTEGER NOT NULL,
            number INTEGER NOT NULL,
            create_ms REAL NOT NULL,
            first_ms REAL NOT NULL,
            warmup_ms BLOB NOT NULL,
            peak_bytes INTEGER,
            PRIMARY KEY (measurement, position, number),
            FOREIGN KEY (measurement, position) REFERENCES run (measurement, position) ON DELETE CASCADE
        )""",
        """CREATE TABLE round (
            measurement INTEGER NOT NULL,
            position INTEGER NOT NULL,
            launch INTEGER NOT NULL,
            number INTEGER NOT NULL,
            began_s REAL NOT NULL,
            samples_ms BLOB NOT NULL,
            others REAL,
            mhz REAL,
            PRIMARY KEY (measurement, position, launch, number),
            FOREIGN KEY (measurement, position, launch) REFERENCES launch (measurement, position, number)
                ON DELETE CASCADE
        )""",
    ),
)


@dataclass(frozen=True)
class Summary:
    """One config of a measurement, without its samples.

    Attributes:
        position: its place among the configs of the measurement, from 0.
        label: its name in charts and tables.
        config: what was asked for, as plain values by field.
        notices: where asked and given differ, in words.
        samples: the number of samples in steady state.
        p50_ms: their median; None, as the two others, where there are no samples.
        p90_ms: their 90th percentile.
        p99_ms: their 99th percentile.
    """

    position: int
    label: str
    config: Mapping[str, Any]
    notices: tuple[str, ...]
    samples: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Entry:
    """One measurement, without its samples, which `History.runs` reads.

    Attributes:
        id: its number in this history; never given again.
        began: when it began, in UTC.
        kind: what was done.
        model: the model's name.
        model_hash: the SHA-256 of its content, by `model_hash`.
        ir: "pir" or "program".
        inputs: the shapes of the inputs by name.
        environment: the machine and its software, as the measurement described them.
        seconds: how long was asked for, None where nothing was.
        state: "died" where the process was gone before the measurement ended.
        error: what went wrong, or "".
        result: the result as plain values, for kinds that have no runs.
        runs: its configs, in order.
    """

    id: int
    began: datetime
    kind: Kind
    model: str
    model_hash: str
    ir: str
    inputs: Mapping[str, list[int]]
    environment: Mapping[str, Any]
    seconds: float | None
    state: State
    error: str
    result: Any
    runs: tuple[Summary, ...]

    @property
    def cpu(self) -> str:
        """The CPU's model, "" where the environment does not say."""
        return _said(self.environment, ("cpu_model",), ("cpu", "model"), ("cpu",))

    @property
    def paddle(self) -> str:
        """The version of Paddle, "" where the environment does not say."""
        return _said(self.environment, ("runtime", "paddle"), ("paddle", "version"), ("paddle",))

    def facts(self) -> dict[str, Any]:
        """Plain values: id, began (ISO text in UTC), kind, model, …, state and runs, without samples."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["began"] = self.began.isoformat()
        return plain


@dataclass(frozen=True)
class Point:
    """One config of one benchmark, as a point in time.

    Attributes:
        began: when the measurement began, in UTC.
        label: the config's name.
        config: what was asked for, as plain values by field.
        samples: the number of samples; all percentiles are of these.
        p50_ms: their median.
        p90_ms: their 90th percentile.
        p99_ms: their 99th percentile.
        cpu: the CPU's model, "" where unknown.
        paddle: the version of Paddle, "" where unknown.
        entry: the measurement it is from.
    """

    began: datetime
    label: str
    config: Mapping[str, Any]
    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    cpu: str
    paddle: str
    entry: Entry


class Recorder:
    """Writes one measurement as it goes; made by `History.begin`.

    Each call is one transaction: when it has returned, what it wrote outlives this process, however that
    ends. Where the file cannot be written any more, one warning says so and all later calls do nothing. It
    may be called from several threads.

    Attributes:
        id: the measurement's number in the history, or None where it is not recorded.
    """

    def __init__(self, path: Path | None) -> None:
        self.id: int | None = None
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._stopped = ""

    def _begin(self, columns: Mapping[str, Any]) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open_to_write(self._path)
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            made = self._connection.execute(
                f"INSERT INTO measurement ({names}) VALUES ({marks})", tuple(columns.values())
            )
            self.id = made.lastrowid
        except (sqlite3.OperationalError, OSError) as error:
            self._stop(error)
        finally:
            if self.id is None and self._connection is not None:
                self._connection.close()
                self._connection = None

    def run(self, position: int, label: str, config: InferenceConfig, notices: Iterable[str] = ()) -> None:
        """A config that is to be measured, at this place among the configs of the measurement, from 0."""
        self._write(
            "INSERT INTO run (measurement, position, label, config, notices) VALUES (?, ?, ?, ?, ?)",
            position,
            _text(label),
            config.to_json(),
            _json([_text(notice) for notice in notices]),
        )

    def launch(
        self, position: int, number: int, create_ms: float, first_ms: float, warmup_ms: npt.ArrayLike
    ) -> None:
        """A predictor of the config at ``position`` that has been created, run once and warmed up."""
        self._write(
            "INSERT INTO launch (measurement, position, number, create_ms, first_ms, warmup_ms) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            position,
            number,
            float(create_ms),
            float(first_ms),
            _blob(warmup_ms),
        )

    def round(self, position: int, launch_number: int, number: int, round: Round) -> None:  # noqa: A002
        """A round that is over, with its samples."""
        self._write(
            "INSERT INTO round (measurement, position, launch, number, began_s, samples_ms, others, mhz) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            position,
            launch_number,
            number,
            float(round.began_s),
            _blob(round.samples_ms),
            None if round.others is None else float(round.others),
            None if round.mhz is None else float(round.mhz),
        )

    def peak(self, position: int, launch_number: int, peak_bytes: int | None) -> None:
        """The most memory that a launch's process held."""
        self._write(
            "UPDATE launch SET peak_bytes = ?4 WHERE measurement = ?1 AND position = ?2 AND number = ?3",
            position,
            launch_number,
            None if peak_bytes is None else int(peak_bytes),
        )

    def end(self, state: End, error: str = "", result: Any = None) -> None:
        """The measurement is over; percentiles are computed, and the file is closed.

        Args:
            state: how it ended.
            error: what went wrong, in words.
            result: plain values, for a kind of measurement that is no benchmark.
        """
        with self._lock:
            if self._connection is None:
                return
            if self._stopped:
                error = f"{error}; " * bool(error) + f"recorded in part only: {self._stopped}"
            try:
                if self.id is not None:
                    with _transaction(self._connection) as db:
                        _summarise(db, self.id)
                        db.execute(
                            "UPDATE measurement SET state = ?, error = ?, result = ? WHERE id = ?",
                            (state, _text(error), _json(result), self.id),
                        )
            except sqlite3.Error as broken:
                self._stop(broken)
            finally:
                self._connection.close()
                self._connection = None

    def _write(self, statement: str, *values: Any) -> None:
        with self._lock:
            if self._connection is None or self._stopped:
                return
            try:
                self._connection.execute(statement, (self.id, *values))
            except sqlite3.Error as error:
                self._stop(error)

    def _stop(self, error: Exception) -> None:
        if self._stopped:
            return
        self._stopped = _reason(error)
        warnings.warn(
            f"the history {self._path} cannot be written ({self._stopped}), so this measurement goes on "
            f"unrecorded: mend that, {_ELSEWHERE}",
            stacklevel=4,
        )


class History:
    """The measurements of this user on this machine, or those in any other history file.

    Args:
        path: the file; by default what the environment variable ``WORKBENCH_HISTORY`` says (empty or "off":
            none is kept), else ``history.sqlite`` in this user's data folder.

    Several processes and threads may write to it at the same time. Reading raises `WorkbenchError` where the
    file is damaged, is no history or was written by a newer release; it is left as it is.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path is None:
            said = os.environ.get(VARIABLE)
            path = _default_path() if said is None else said if said.strip().lower() not in OFF else None
        self.path = None if path is None else Path(path).expanduser().absolute()

    def begin(
        self,
        kind: Kind,
        model_facts: Mapping[str, Any],
        environment: Mapping[str, Any],
        *,
        seconds: float | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> Recorder:
        """Record a measurement that begins now.

        Args:
            kind: what is done.
            model_facts: ``name``, ``hash`` (from `model_hash`) and ``ir`` of the model.
            environment: the machine and its software, as plain values; tables and charts show its
                ``cpu_model`` and, of its ``runtime``, ``paddle``.
            seconds: how long was asked for.
            inputs: the arrays that are fed, or their shapes, by name.

        Returns:
            Where to write to; it writes nothing, and a warning says why, where the file cannot be written.

        Raises:
            WorkbenchError: the file is damaged, is no history, or was written by a newer release.
        """
        if kind not in KINDS:
            raise WorkbenchError(f"kind is {kind!r}: give one of {', '.join(KINDS)}")
        recorder = Recorder(self.path)
        shapes = {name: [int(n) for n in getattr(one, "shape", one)] for name, one in (inputs or {}).items()}
        with _explained(self.path):
            recorder._begin(
                {
                    "began": _stamp(datetime.now(timezone.utc)),
                    "kind": kind,
                    "model": _text(model_facts["name"]),
                    "model_hash": model_facts["hash"],
                    "ir": model_facts["ir"],
                    "inputs": _json(shapes),
                    "environment": _json(environment),
                    "seconds": seconds,
                    "host": _machine(),
                    "pid": os.getpid(),
                    "pid_began_s": _process_began_s(os.getpid()),
                }
            )
        return recorder

    def entries(
        self,
        model: Model | str | os.PathLike[str] | None = None,
        kind: Kind | None = None,
        label: str | None = None,
        since: Moment | None = None,
        limit: int | None = None,
    ) -> list[Entry]:
        """The measurements, the newest first.

        Args:
            model: a model, its path, its name, or the first characters (six or more) of its hash.
            kind: only of this kind.
            label: only those with a config of this label; other configs of theirs are there too.
            since: only those that began then or later; a date, a time or its ISO text, local unless it
                says its zone.
            limit: only so many of the newest.
        """
        if kind is not None and kind not in KINDS:
            raise WorkbenchError(f"kind is {kind!r}: give one of {', '.join(KINDS)}")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise WorkbenchError(f"limit is {limit!r}: give a whole number above 0")
        where: list[tuple[str, tuple[Any, ...]]] = []
        if kind is not None:
            where.append(("kind = ?", (kind,)))
        if label is not None:
            where.append(("id IN (SELECT measurement FROM run WHERE label = ?)", (label,)))
        if since is not None:
            where.append(("began >= ?", (_stamp(_moment(since)),)))
        with self._reading() as db:
            if db is None:
                return []
            if model is not None:
                where.append(_of_model(db, model))
            condition = " AND ".join(text for text, _ in where) or "1"
            chosen = db.execute(
                f"SELECT * FROM measurement WHERE {condition} ORDER BY began DESC, id DESC LIMIT ?",
                (*(value for _, values in where for value in values), -1 if limit is None else limit),
            ).fetchall()
            return [_entry(db, row) for row in chosen]

    def runs(self, entry: Entry | int) -> tuple[Run, ...]:
        """What a measurement has measured, with every sample, bit for bit as it was written.

        Args:
            entry: a measurement or its id.
        """
        number = entry.id if isinstance(entry, Entry) else entry
        with self._reading() as db:
            if db is None or not db.execute("SELECT 1 FROM measurement WHERE id = ?", (number,)).fetchone():
                raise _unknown(number)
            return tuple(
                _run(db, row)
                for row in db.execute("SELECT * FROM run WHERE measurement = ? ORDER BY position", (number,))
            )

    def over_time(
        self, model: Model | str | os.PathLike[str] | None, label: str | None = None
    ) -> list[Point]:
        """The benchmarks of a model, the oldest first: a point for every config that has samples.

        Args:
            model: as for `entries`.
            label: only configs of this label.
        """
        return [
            Point(
                entry.began,
                run.label,
                run.config,
                run.samples,
                run.p50_ms,
                run.p90_ms,
                run.p99_ms,
                entry.cpu,
                entry.paddle,
                entry,
            )
            for entry in reversed(self.entries(model, kind="benchmark", label=label))
            for run in entry.runs
            if label in (None, run.label)
            if run.p50_ms is not None and run.p90_ms is not None and run.p99_ms is not None
        ]

    def to_csv(self, file: str | os.PathLike[str], entries: Iterable[Entry] | None = None) -> int:
        """Write a row for every config of every measurement.

        Its columns are those of the measurement and of its config, then ``config.`` and ``environment.`` with
        the name of each of their values; lists are JSON.

        Args:
            file: where to.
            entries: which measurements; by default all.

        Returns:
            The number of rows.
        """
        chosen = self.entries() if entries is None else entries
        rows = [row for entry in chosen for row in _csv_rows(entry)]
        rest = {name for row in rows for name in row} - set(_COLUMNS)
        with _writing(file), Path(file).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, [*_COLUMNS, *sorted(rest)])
            writer.writeheader()
            writer.writerows(rows)
        return len(rows)

    def to_json(self, file: str | os.PathLike[str], entries: Iterable[Entry] | None = None) -> int:
        """Write everything, samples included, as one object: ``{"measurements": [...]}``.

        Args:
            file: where to.
            entries: which measurements; by default all.

        Returns:
            The number of measurements.
        """
        count = 0
        chosen = self.entries() if entries is None else entries
        with _writing(file), Path(file).open("wb") as stream:
            stream.write(b'{"measurements": [')
            # One at a time: all samples of a long history need not fit into memory.
            for entry in chosen:
                stream.write(b",\n" if count else b"\n")
                stream.write(msgspec.json.encode(self._with_samples(entry), enc_hook=_plain))
                count += 1
            stream.write(b"\n]}\n")
        return count

    def forget(self, ids: int | Iterable[int] | None = None, *, before: Moment | None = None) -> int:
        """Remove measurements with all their samples.

        Args:
            ids: which ones, or
            before: all that began before that.

        Returns:
            How many were removed.

        Raises:
            WorkbenchError: if an id is unknown; then nothing is removed.
        """
        if (ids is None) == (before is None):
            raise WorkbenchError("say what to forget: give either ids or before")
        numbers = sorted({ids} if isinstance(ids, int) else set(ids or ()))
        with self._reading() as db:
            if db is None:
                if numbers:
                    raise _unknown(numbers[0])
                return 0
        assert self.path is not None
        try:
            with _explained(self.path), closing(_open_to_write(self.path)) as db, _transaction(db):
                if before is not None:
                    stamp = _stamp(_moment(before))
                    return db.execute("DELETE FROM measurement WHERE began < ?", (stamp,)).rowcount
                for number in numbers:
                    if not db.execute("DELETE FROM measurement WHERE id = ?", (number,)).rowcount:
                        raise _unknown(number)
                return len(numbers)
        except sqlite3.OperationalError as error:
            raise WorkbenchError(
                f"nothing was forgotten: {self.path} cannot be written ({_reason(error)}); mend that first"
            ) from None

    def chart(
        self,
        model: Model | str | os.PathLike[str],
        theme: Literal["light", "dark"] = "light",
        label: str | None = None,
    ) -> Any:
        """This model over time, as a plotly figure.

        For every config a line through p50, with a band up to p90; dotted lines where the version of Paddle,
        the CPU or the content of the model changed.

        Args:
            model: as for `entries`.
            theme: the page it is for.
            label: only configs of this label.

        Raises:
            WorkbenchError: if there is nothing to show.
        """
        points = self.over_time(model, label)
        if not points:
            name = getattr(model, "name", model)
            raise WorkbenchError(f"the history has no benchmark of {name}: run workbench bench first")
        return _figure(points, theme)

    def _with_samples(self, entry: Entry) -> dict[str, Any]:
        facts = entry.facts()
        for facts_of_run, run in zip(facts["runs"], self.runs(entry), strict=True):
            facts_of_run["launches"] = run.launches
        return facts

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """One view of the file for all that is read meanwhile; None where there is no history yet."""
        try:
            if self.path is None or not self.path.exists() or self.path.stat().st_size == 0:
                yield None
                return
            with _explained(self.path), closing(_open_to_read(self.path)) as db, _transaction(db, "DEFERRED"):
                yield db
        except (sqlite3.OperationalError, OSError) as error:
            raise WorkbenchError(
                f"the history {self.path} cannot be read ({_reason(error)}): mend that, {_ELSEWHERE}"
            ) from None


_COLUMNS = (
    *("id", "began", "kind", "model", "model_hash", "ir", "inputs", "seconds", "state", "error"),
    *("label", "samples", "p50_ms", "p90_ms", "p99_ms", "notices"),
)
_hashes: dict[tuple[tuple[str, int, int], ...], str] = {}


def model_hash(model: Model) -> str:
    """SHA-256 (hex) of the content of a model's program and parameters, wherever they are and however named.

    Computed again only when the path, size or time of change of one of its files is another.

    Raises:
        ModelError: if its files cannot be read any more.
    """
    if not model.files:
        return model.fingerprint
    try:
        stats = [(str(file.absolute()), file.stat()) for file in model.files]
        key = tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)
        if key not in _hashes:
            # A fresh value: this one may have read its files before they changed.
            _hashes[key] = replace(model).fingerprint
        return _hashes[key]
    except OSError as error:
        raise ModelError(
            f"{error.filename} cannot be read ({error.strerror}): load the model again from where it is now"
        ) from None


def _default_path() -> Path:
    from platformdirs import user_data_path

    return user_data_path("workbench") / "history.sqlite"


def _open_to_write(path: Path) -> sqlite3.Connection:
    """A connection to a file of this release's schema, made or brought up to date if it is not yet."""
    # Every statement is a transaction of its own unless one is begun.
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA foreign_keys = ON")
        # What a killed process wrote is in the system's hands and not lost; only a power cut can take the
        # last rounds, and waiting for the disk after each one would disturb what is measured.
        db.execute("PRAGMA synchronous = NORMAL")
        if _version(db, path) < len(_STEPS):
            db.execute("PRAGMA auto_vacuum = FULL")  # what was forgotten gives its room back
            with _transaction(db):
                # Again: another process may have done it while this one waited.
                for step in _STEPS[_version(db, path) :]:
                    for statement in step:
                        db.execute(statement)
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
                db.execute(f"PRAGMA user_version = {len(_STEPS)}")
        _use_wal(db)
        return db
    except BaseException:
        db.close()
        raise


def _use_wal(db: sqlite3.Connection) -> None:
    end = time.monotonic() + BUSY_S
    while db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            # Refused on some network file systems, where the file then stays as it is.
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            # Two that switch at once are told so without waiting for each other.
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _open_to_read(path: Path) -> sqlite3.Connection:
    db = _connect_to_read(path)
    try:
        if _version(db, path) == len(_STEPS):
            return db
    except BaseException:
        db.close()
        raise
    db.close()
    _open_to_write(path).close()
    return _connect_to_read(path)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    def connect(options: str) -> sqlite3.Connection:
        uri = f"{path.as_uri()}?{options}"
        db = sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, uri=True)
        db.row_factory = sqlite3.Row
        try:
            db.execute("PRAGMA user_version")
        except BaseException:
            db.close()
            raise
        return db

    try:
        return connect("mode=ro")
    except sqlite3.OperationalError:
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # In a folder nobody may write to, the files that readers and writers share cannot be made.
        return connect("mode=ro&immutable=1")


def _version(db: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for an empty file."""
    version, application, tables = (
        int(db.execute(query).fetchone()[0])
        for query in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
    )
    if application != _APPLICATION and (version or application or tables):
        raise WorkbenchError(
            f"{path} is another program's database: set {VARIABLE} to another file, or to off"
        )
    if version > len(_STEPS):
        raise WorkbenchError(
            f"the history {path} was written by a newer release (its schema is {version}, this one knows "
            f"{len(_STEPS)}): update the workbench, {_ELSEWHERE}"
        )
    return version


@contextmanager
def _transaction(db: sqlite3.Connection, how: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    db.execute(f"BEGIN {how}")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        # A full disk has rolled it back by itself.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """What SQLite says of a file that is none of its own, or is damaged, as an error that says what to do."""
    try:
        yield
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise WorkbenchError(
            f"the history {path} is damaged or is none ({error}): move it away to begin a new one, "
            f"{_ELSEWHERE}"
        ) from None


@contextmanager
def _writing(file: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkbenchError(
            f"cannot write {os.fspath(file)}: {error.strerror}; choose another place"
        ) from None


def _reason(error: Exception) -> str:
    return f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)


def _unknown(number: object) -> WorkbenchError:
    return WorkbenchError(f"the history has no measurement {number}: workbench history lists them")


def _of_model(db: sqlite3.Connection, model: Model | str | os.PathLike[str]) -> tuple[str, tuple[str, ...]]:
    from workbench.models import Model, load

    if isinstance(model, Model):
        return "model_hash = ?", (model_hash(model),)
    if isinstance(model, str) and os.sep not in model:
        condition, values = "model = ?", [model]
        if re.fullmatch("[0-9a-fA-F]{6,64}", model):
            condition, values = "(model = ? OR model_hash GLOB ?)", [model, f"{model.lower()}*"]
        known = db.execute(f"SELECT 1 FROM measurement WHERE {condition} LIMIT 1", values).fetchone()
        if known or not Path(model).exists():
            return condition, tuple(values)
    return "model_hash = ?", (model_hash(load(model)),)


def _entry(db: sqlite3.Connection, row: sqlite3.Row) -> Entry:
    state, error = row["state"], row["error"]
    if state == "running" and _gone(row["host"], row["pid"], row["pid_began_s"]):
        state, error = "died", DIED
    runs = db.execute("SELECT * FROM run WHERE measurement = ? ORDER BY position", (row["id"],))
    return Entry(
        id=row["id"],
        began=datetime.fromisoformat(row["began"]),
        kind=row["kind"],
        model=row["model"],
        model_hash=row["model_hash"],
        ir=row["ir"],
        inputs=_read(row["inputs"]),
        environment=_read(row["environment"]),
        seconds=row["seconds"],
        state=state,
        error=error,
        result=_read(row["result"]),
        runs=tuple(_summary(db, run) for run in runs),
    )


def _summary(db: sqlite3.Connection, row: sqlite3.Row) -> Summary:
    numbers = [row[name] for name in ("samples", "p50_ms", "p90_ms", "p99_ms")]
    if numbers[0] is None:
        numbers = _numbers(db, row["measurement"], row["position"])
    return Summary(
        row["position"], row["label"], _read(row["config"]), tuple(_read(row["notices"])), *numbers
    )


def _summarise(db: sqlite3.Connection, measurement: int) -> None:
    query = "SELECT position FROM run WHERE measurement = ?"
    for (position,) in db.execute(query, (measurement,)).fetchall():
        db.execute(
            "UPDATE run SET samples = ?, p50_ms = ?, p90_ms = ?, p99_ms = ? "
            "WHERE measurement = ? AND position = ?",
            (*_numbers(db, measurement, position), measurement, position),
        )


def _numbers(db: sqlite3.Connection, measurement: int, position: int) -> list[Any]:
    """The number of samples of a run, and their percentiles 50, 90 and 99."""
    query = "SELECT samples_ms FROM round WHERE measurement = ? AND position = ?"
    blobs = [blob for (blob,) in db.execute(query, (measurement, position))]
    samples = _floats(b"".join(blobs))
    if not len(samples):
        return [0, None, None, None]
    return [len(samples), *(float(one) for one in np.percentile(samples, [50, 90, 99]))]


def _run(db: sqlite3.Connection, row: sqlite3.Row) -> Run:
    key = (row["measurement"], row["position"])
    rounds: dict[int, list[Round]] = {}
    for one in db.execute("SELECT * FROM round WHERE measurement = ? AND position = ? ORDER BY number", key):
        rounds.setdefault(one["launch"], []).append(
            Round(_floats(one["samples_ms"]), one["began_s"], one["others"], one["mhz"])
        )
    launches = tuple(
        Launch(
            one["create_ms"],
            one["first_ms"],
            _floats(one["warmup_ms"]),
            tuple(rounds.get(one["number"], ())),
            one["peak_bytes"],
        )
        for one in db.execute(
            "SELECT * FROM launch WHERE measurement = ? AND position = ? ORDER BY number", key
        )
    )
    config = InferenceConfig.from_json(row["config"])
    return Run(row["label"], config, tuple(_read(row["notices"])), launches)


def _gone(host: str, pid: int, began_s: float | None) -> bool:
    """Whether a process has ended; of one on another machine nothing is known."""
    if host != _machine():
        return False
    now = _process_began_s(pid)
    # The same number may be another process by now. The system's clock ticks a hundred times a second.
    return now is None or (began_s is not None and abs(now - began_s) > 0.02)


def _machine() -> str:
    """Tells this machine from others, in a file that several share or that is passed on, without its name."""
    return hashlib.sha256(os.fsencode(platform.node())).hexdigest()[:16]


def _process_began_s(pid: int) -> float | None:
    """When a process began, in seconds since the system did, which no change of the clock alters."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        booted = psutil.boot_time()
        return float(process.create_time() - booted)
    except psutil.NoSuchProcess:
        return None


def _moment(given: Moment) -> datetime:
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", given.strip()))
        except ValueError:
            raise WorkbenchError(
                f"{given!r} is no date or time: write it as 2026-01-31 or 2026-01-31T18:00"
            ) from None
    if not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day)
    try:
        return given.astimezone(timezone.utc)  # one without a zone is local
    except (OverflowError, ValueError):
        raise WorkbenchError(f"{given} is out of range: give a date in this century") from None


def _stamp(moment: datetime) -> str:
    # All of the same length and zone, so that as texts they are in the order of time.
    return moment.isoformat(timespec="microseconds")


def _text(text: str) -> str:
    # The name of a file may hold bytes that are no text.
    return text.encode("utf-8", "backslashreplace").decode()


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def _read(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise sqlite3.DatabaseError(str(error)) from None


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def _blob(values: npt.ArrayLike) -> bytes:
    return np.ascontiguousarray(values, dtype="<f8").tobytes()


def _floats(blob: bytes) -> Floats:
    return np.frombuffer(blob, dtype="<f8").astype(np.float64)


def _said(environment: Mapping[str, Any], *places: Sequence[str]) -> str:
    """The first of these places in nested plain values that holds a text."""
    for place in places:
        value: Any = environment
        for name in place:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            return value
    return ""


def _csv_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    for run in entry.runs:
        facts = {**entry.facts(), **msgspec.to_builtins(run)}
        for name in ("runs", "position", "result"):
            del facts[name]
        for name in ("config", "environment"):
            facts.update({f"{name}.{key}": value for key, value in _flat(facts.pop(name))})
        yield {
            name: _json(value) if isinstance(value, (list, dict)) else value for name, value in facts.items()
        }


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _figure(points: Sequence[Point], theme: str) -> Any:
    import plotly.graph_objects as go

    from workbench.bench.charts.dress import COLOURS

    lines: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        lines.setdefault((point.label, _json(point.config)), []).append(point)
    labels = [label for label, _ in lines]
    figure = go.Figure()
    for index, ((label, config), line) in enumerate(lines.items()):
        # Two configs may have been given the same label at different times.
        name = label if labels.count(label) == 1 else f"{label} ({_config_label(config)})"
        colour = COLOURS[index % len(COLOURS)]
        whens = [point.began.astimezone().replace(tzinfo=None) for point in line]
        common = {"x": whens, "legendgroup": str(index), "name": _escaped(name)}
        figure.add_trace(
            go.Scatter(
                **common,
                y=[point.p90_ms for point in line],
                mode="lines",
                line={"width": 0, "color": colour},
                hoverinfo="skip",
                showlegend=False,
            )
        )
        figure.add_trace(
            go.Scatter(
                **common,
                y=[point.p50_ms for point in line],
                mode="lines+markers",
                # The colours begin again after six.
                line={
                    "width": 2,
                    "color": colour,
                    "dash": ("solid", "dash", "dot")[index // len(COLOURS) % 3],
                },
                marker={"size": 7},
                fill="tonexty",
                fillcolor=_faint(colour),
                # A line alone cannot show the p90 of a single measurement.
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [point.p90_ms - point.p50_ms for point in line],
                    "arrayminus": [0.0] * len(line),
                    "thickness": 1,
                    "width": 3,
                },
                text=[_hover(point) for point in line],
                hovertemplate="%{text}<extra>%{fullData.name}</extra>",
                showlegend=True,
            )
        )
    middle = points[0].began + (points[-1].began - points[0].began) / 2
    for number, (when, texts) in enumerate(_changes(points)):
        at = when.astimezone().replace(tzinfo=None)
        figure.add_shape(
            type="line",
            x0=at,
            x1=at,
            y0=0,
            y1=1,
            yref="paper",
            line={"dash": "dot", "width": 1, "color": "#888888"},
        )
        figure.add_annotation(
            # Neighbours are put on two heights, so that their words do not meet.
            x=at,
            y=1.0 if number % 2 else 1.08,
            yref="paper",
            yanchor="bottom",
            xanchor="left" if when < middle else "right",
            text="<br>".join(map(_escaped, texts)),
            showarrow=False,
            align="left" if when < middle else "right",
            font={"size": 11},
        )
    figure.update_xaxes(title="measured at")
    figure.update_yaxes(title="latency of one run, ms: p50, and up to p90", rangemode="tozero")
    figure.update_layout(
        template="plotly_dark" if theme == "dark" else "plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=440,
        margin={"l": 20, "r": 20, "t": 80, "b": 50},
        legend={"orientation": "h", "y": -0.2},
    )
    return figure


def _hover(point: Point) -> str:
    entry = point.entry
    lines = [
        f"p50 {point.p50_ms:.3f} ms, p90 {point.p90_ms:.3f} ms, p99 {point.p99_ms:.3f} ms",
        f"{point.samples:,} samples, {point.began.astimezone():%Y-%m-%d %H:%M:%S}",
        f"measurement {entry.id}, {entry.state}",
        f"{point.cpu or 'CPU unknown'}, Paddle {point.paddle or 'unknown'}",
        f"model {entry.model} {entry.model_hash[:12]}",
    ]
    return "<br>".join(map(_escaped, lines))


def _changes(points: Sequence[Point]) -> Iterator[tuple[datetime, list[str]]]:
    """When what a latency depends on was another than the time before, and what."""
    before: Point | None = None
    for point in points:
        if before is not None and before.entry.id != point.entry.id:
            texts = []
            if point.paddle != before.paddle:
                texts.append(f"Paddle {point.paddle or 'unknown'}")
            if point.cpu != before.cpu:
                texts.append(point.cpu or "CPU unknown")
            if point.entry.model_hash != before.entry.model_hash:
                texts.append("model changed")
            if texts:
                yield point.began, texts
        before = point


def _config_label(config: str) -> str:
    with contextlib.suppress(WorkbenchError):
        return InferenceConfig.from_json(config).label
    return "config of another release"


def _escaped(text: str) -> str:
    # plotly reads a few HTML tags in texts, $…$ as TeX and %{…} as a value.
    return text.translate({ord(letter): f"&#{ord(letter)};" for letter in "&<>$%"})


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
