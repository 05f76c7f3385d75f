"""The history's file: its schema, how it is opened, and what is said where that cannot be done."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from workbench.errors import WorkbenchError

VARIABLE = "WORKBENCH_HISTORY"
OFF = ("", "off")
BUSY_S = 30.0
ELSEWHERE = f"or set {VARIABLE} to another file, or to off"
# Says whose file it is, in the header of the file: another program's database is left alone.
APPLICATION = int.from_bytes(b"PWbH", "big")
# Step n takes a file from schema version n to n + 1; what has been released is never changed.
STEPS: tuple[tuple[str, ...], ...] = (
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
    (
        # The 95 % interval of the median; unknown of what was measured before, and of what did not finish.
        "ALTER TABLE run ADD COLUMN p50_low_ms REAL",
        "ALTER TABLE run ADD COLUMN p50_high_ms REAL",
    ),
)


def chosen_path(path: str | os.PathLike[str] | None) -> Path | None:
    """The file, by default that of this user; None where none is to be kept."""
    if path is None:
        said = os.environ.get(VARIABLE)
        if said is None:
            from platformdirs import user_data_path

            return user_data_path("workbench") / "history.sqlite"
        if said.strip().lower() in OFF:
            return None
        path = said
    return Path(path).expanduser().absolute()


def open_to_write(path: Path) -> sqlite3.Connection:
    """A connection to a file of this release's schema, made or brought up to date if it is not yet."""
    # Every statement is a transaction of its own unless one is begun.
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA foreign_keys = ON")
        # What a killed process wrote is in the system's hands and not lost; only a power cut can take the
        # last rounds, and waiting for the disk after each one would disturb what is measured.
        db.execute("PRAGMA synchronous = NORMAL")
        if _version(db, path) < len(STEPS):
            db.execute("PRAGMA auto_vacuum = FULL")  # what was forgotten gives its room back
            with transaction(db):
                # Again: another process may have done it while this one waited.
                for step in STEPS[_version(db, path) :]:
                    for statement in step:
                        db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {len(STEPS)}")
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
        if _version(db, path) == len(STEPS):
            return db
    except BaseException:
        db.close()
        raise
    db.close()
    open_to_write(path).close()
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
    if application != APPLICATION and (version or application or tables):
        raise WorkbenchError(
            f"{path} is another program's database: set {VARIABLE} to another file, or to off"
        )
    if version > len(STEPS):
        raise WorkbenchError(
            f"the history {path} was written by a newer release (its schema is {version}, this one knows "
            f"{len(STEPS)}): update the workbench, {ELSEWHERE}"
        )
    return version


@contextmanager
def transaction(db: sqlite3.Connection, how: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """All that is written meanwhile, or nothing."""
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
def explained(path: Path | None) -> Iterator[None]:
    """What SQLite says of a file that is none of its own, or is damaged, as an error that says what to do."""
    try:
        yield
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise WorkbenchError(
            f"the history {path} is damaged or is none ({error}): move it away to begin a new one, "
            f"{ELSEWHERE}"
        ) from None


def reason(error: Exception) -> str:
    """What went wrong, with the file that the system names."""
    return f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)


@contextmanager
def reading(path: Path | None) -> Iterator[sqlite3.Connection | None]:
    """One view of the file for all that is read meanwhile; None where there is no history yet."""
    try:
        if path is None or not path.exists() or path.stat().st_size == 0:
            yield None
            return
        with explained(path), closing(_open_to_read(path)) as db, transaction(db, "DEFERRED"):
            yield db
    except (sqlite3.OperationalError, OSError) as error:
        raise WorkbenchError(
            f"the history {path} cannot be read ({reason(error)}): mend that, {ELSEWHERE}"
        ) from None
