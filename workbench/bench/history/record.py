"""Writing one measurement as it goes, a transaction for each thing that is over."""

from __future__ import annotations

import sqlite3
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.bench.history.entries import End
from workbench.bench.history.read import percentiles, samples_of
from workbench.bench.history.store import ELSEWHERE, open_to_write, reason, transaction
from workbench.bench.history.values import blob_of, json_of, text_of
from workbench.bench.samples import Floats, Launch, Round, Run
from workbench.bench.stats import summary
from workbench.config import InferenceConfig
from workbench.errors import HistoryWarning

# The first value of each is the measurement's number.
_RUN = "INSERT INTO run (measurement, position, label, config, notices) VALUES (?, ?, ?, ?, ?)"
_LAUNCH = (
    "INSERT INTO launch (measurement, position, number, create_ms, first_ms, warmup_ms) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_PEAK = "UPDATE launch SET peak_bytes = ?4 WHERE measurement = ?1 AND position = ?2 AND number = ?3"
_ROUND = (
    "INSERT INTO round (measurement, position, launch, number, began_s, samples_ms, others, mhz) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_NUMBERS = (
    "UPDATE run SET samples = ?, p50_ms = ?, p90_ms = ?, p99_ms = ?, p50_low_ms = ?, p50_high_ms = ? "
    "WHERE measurement = ? AND position = ?"
)


class Recorder:
    """Writes one measurement as it goes; made by `History.begin`.

    Each call is one transaction: when it has returned, what it wrote outlives this process, however that
    ends. Where the file cannot be written any more, one warning says so and all later calls do nothing. It
    may be called from several threads.

    Attributes:
        id: the measurement's number in the history, or None where it is not recorded.
    """

    def __init__(self, path: Path | None, columns: Mapping[str, Any]) -> None:
        self.id: int | None = None
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._stopped = ""
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = open_to_write(path)
            self.id = _insert(self._connection, columns)
        except (sqlite3.OperationalError, OSError) as error:
            self._stop(error)
        finally:
            if self.id is None and self._connection is not None:
                self._connection.close()
                self._connection = None

    def run(self, position: int, label: str, config: InferenceConfig, notices: Iterable[str] = ()) -> None:
        """A config that is to be measured, at this place among the configs of the measurement, from 0."""
        self._write(_RUN, *_run_values(position, label, config, notices))

    def launch(
        self, position: int, number: int, create_ms: float, first_ms: float, warmup_ms: npt.ArrayLike
    ) -> None:
        """A predictor of the config at ``position`` that has been created, run once and warmed up."""
        self._write(_LAUNCH, position, number, float(create_ms), float(first_ms), blob_of(warmup_ms))

    def round(self, position: int, launch_number: int, number: int, round: Round) -> None:  # noqa: A002
        """A round that is over, with its samples."""
        self._write(_ROUND, *_round_values(position, launch_number, number, round))

    def others(self, launch_number: int, numbers: range, share: float | None) -> None:
        """What share of the machine's processor time others took in these rounds of a launch, of all configs.

        It is known of several short rounds together, when they are over.
        """
        if share is None:
            return
        self._write(
            "UPDATE round SET others = ?5 "
            "WHERE measurement = ?1 AND launch = ?2 AND number >= ?3 AND number < ?4",
            launch_number,
            numbers.start,
            numbers.stop,
            float(share),
        )

    def peak(self, position: int, launch_number: int, peak_bytes: int | None) -> None:
        """The most memory that a launch's process held."""
        self._write(_PEAK, position, launch_number, None if peak_bytes is None else int(peak_bytes))

    def end(self, state: End, error: str = "", result: Any = None) -> None:
        """The measurement is over; percentiles are computed, and the file is closed.

        Args:
            state: how it ended.
            error: what went wrong, in words.
            result: plain values, for a kind of measurement that is no benchmark.
        """
        with self._lock:
            if self._connection is None or self.id is None:
                return
            if self._stopped:
                error = f"{error}; " * bool(error) + f"recorded in part only: {self._stopped}"
            try:
                # Before the transaction: others may write while this is computed.
                numbers = _numbers(self._connection, self.id, finished=state == "finished")
                with transaction(self._connection) as db:
                    db.executemany(_NUMBERS, numbers)
                    db.execute(
                        "UPDATE measurement SET state = ?, error = ?, result = ? WHERE id = ?",
                        (state, text_of(error), json_of(result), self.id),
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
        self._stopped = reason(error)
        _warn(self._path, self._stopped, stacklevel=5)


def write_whole(path: Path, columns: Mapping[str, Any], runs: Sequence[Run]) -> int | None:
    """A measurement that is over, such as one that was made on another machine: all of it, or nothing.

    Returns:
        Its number, or None, after a warning, where the file cannot be written.
    """
    # Before the transaction: others may write while this is computed.
    numbers = [_numbers_of(run) for run in runs]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(open_to_write(path)) as db, transaction(db):
            number = _insert(db, {**columns, "state": "finished"})
            for position, run in enumerate(runs):
                db.execute(_RUN, (number, *_run_values(position, run.label, run.config, run.notices)))
                for place, launch in enumerate(run.launches):
                    _write_launch(db, number, position, place, launch)
            db.executemany(_NUMBERS, [(*one, number, position) for position, one in enumerate(numbers)])
            return number
    except (sqlite3.OperationalError, OSError) as error:
        _warn(path, reason(error), stacklevel=4)
        return None


def _write_launch(db: sqlite3.Connection, measurement: int, position: int, number: int, one: Launch) -> None:
    times = float(one.create_ms), float(one.first_ms), blob_of(one.warmup_ms)
    db.execute(_LAUNCH, (measurement, position, number, *times))
    db.execute(_PEAK, (measurement, position, number, one.peak_bytes))
    db.executemany(
        _ROUND,
        [
            (measurement, *_round_values(position, number, place, round_))
            for place, round_ in enumerate(one.rounds)
        ],
    )


def _insert(db: sqlite3.Connection, columns: Mapping[str, Any]) -> int:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    made = db.execute(f"INSERT INTO measurement ({names}) VALUES ({marks})", tuple(columns.values()))
    assert made.lastrowid is not None
    return made.lastrowid


def _run_values(
    position: int, label: str, config: InferenceConfig, notices: Iterable[str]
) -> tuple[Any, ...]:
    return position, text_of(label), config.to_json(), json_of([text_of(notice) for notice in notices])


def _round_values(position: int, launch: int, number: int, one: Round) -> tuple[Any, ...]:
    return (
        position,
        launch,
        number,
        float(one.began_s),
        blob_of(one.samples_ms),
        None if one.others is None else float(one.others),
        None if one.mhz is None else float(one.mhz),
    )


def _warn(path: Path | None, why: str, stacklevel: int) -> None:
    warnings.warn(
        f"the history {path} cannot be written ({why}), so this measurement goes unrecorded: "
        f"mend that, {ELSEWHERE}",
        HistoryWarning,
        stacklevel=stacklevel,
    )


def _numbers(db: sqlite3.Connection, measurement: int, *, finished: bool) -> list[tuple[Any, ...]]:
    """For each config the number of samples, percentiles and the interval of the median, and which it is."""
    query = "SELECT position FROM run WHERE measurement = ?"
    found = []
    for (position,) in db.execute(query, (measurement,)).fetchall():
        launches = samples_of(db, measurement, position)
        low, high = (_interval(launches) if finished else None) or (None, None)
        found.append((*percentiles(launches), low, high, measurement, position))
    return found


def _numbers_of(run: Run) -> tuple[Any, ...]:
    """What `_numbers` gives of a config, before it is in the file."""
    taken = [[one.samples_ms for one in launch.rounds if len(one.samples_ms)] for launch in run.launches]
    launches = [rounds for rounds in taken if rounds]
    return (*percentiles(launches), *(_interval(launches) or (None, None)))


def _interval(launches: list[list[Floats]]) -> tuple[float, float] | None:
    rounds = [one for launch in launches for one in launch]
    # What is no number has no interval.
    if not rounds or not all(np.isfinite(one).all() for one in rounds):
        return None
    return summary(launches)["p50_ms"].ci95
