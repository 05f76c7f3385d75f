"""The history as one object: a measurement begins in it, and is found, exported and forgotten."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timezone
from typing import Any, Literal

from workbench.bench.history import read
from workbench.bench.history.entries import KINDS, Entry, Kind, Point
from workbench.bench.history.export import write_csv, write_json
from workbench.bench.history.processes import began_s, machine
from workbench.bench.history.record import Recorder, write_whole
from workbench.bench.history.store import chosen_path, explained, open_to_write, reading, reason, transaction
from workbench.bench.history.values import Moment, json_of, moment, stamp, text_of
from workbench.bench.samples import Run
from workbench.errors import WorkbenchError
from workbench.models import Model


class History:
    """The measurements of this user on this machine, or those in any other history file.

    Args:
        path: the file; by default what the environment variable ``WORKBENCH_HISTORY`` says (empty or "off":
            none is kept), else ``history.sqlite`` in this user's data folder.

    Several processes and threads may write to it at the same time. Reading raises `WorkbenchError` where the
    file is damaged, is no history or was written by a newer release; it is left as it is.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = chosen_path(path)

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
        columns = _columns(kind, model_facts, environment, datetime.now(timezone.utc), seconds, inputs)
        with explained(self.path):
            return Recorder(self.path, columns)

    def add(
        self,
        kind: Kind,
        model_facts: Mapping[str, Any],
        environment: Mapping[str, Any],
        runs: Sequence[Run],
        *,
        began: datetime,
        seconds: float | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> int | None:
        """Record a measurement that is over, such as one that another machine made, as one transaction.

        Args:
            kind: as for `begin`, like all that is not named here.
            model_facts: the model.
            environment: the machine it was measured on.
            runs: what was measured.
            began: when.
            seconds: how long was asked for.
            inputs: the arrays or their shapes.

        Returns:
            Its id; None where no history is kept, or where the file cannot be written, which a warning says.

        Raises:
            WorkbenchError: as `begin`.
        """
        columns = _columns(kind, model_facts, environment, began.astimezone(timezone.utc), seconds, inputs)
        if self.path is None:
            return None
        with explained(self.path):
            return write_whole(self.path, columns, runs)

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
        with reading(self.path) as db:
            return [] if db is None else read.entries(db, model, kind, label, since, limit)

    def runs(self, entry: Entry | int) -> tuple[Run, ...]:
        """What a measurement has measured, with every sample, bit for bit as it was written.

        Args:
            entry: a measurement or its id.
        """
        number = entry.id if isinstance(entry, Entry) else entry
        with reading(self.path) as db:
            found = None if db is None else read.runs(db, number)
        if found is None:
            raise _unknown(number)
        return found

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
                run.ci95,
                entry.cpu,
                entry.paddle_of(run),
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
        return write_csv(file, self.entries() if entries is None else entries)

    def to_json(self, file: str | os.PathLike[str], entries: Iterable[Entry] | None = None) -> int:
        """Write everything, samples included, as one object: ``{"measurements": [...]}``.

        Args:
            file: where to.
            entries: which measurements; by default all.

        Returns:
            The number of measurements.
        """
        return write_json(file, self.entries() if entries is None else entries, self.runs)

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
        until = None if before is None else stamp(moment(before))
        with reading(self.path) as db:
            if db is None:
                if numbers:
                    raise _unknown(numbers[0])
                return 0
        assert self.path is not None
        try:
            with explained(self.path), closing(open_to_write(self.path)) as db, transaction(db):
                if until is not None:
                    return db.execute("DELETE FROM measurement WHERE began < ?", (until,)).rowcount
                for number in numbers:
                    if not db.execute("DELETE FROM measurement WHERE id = ?", (number,)).rowcount:
                        raise _unknown(number)
                return len(numbers)
        except sqlite3.OperationalError as error:
            raise WorkbenchError(
                f"nothing was forgotten: {self.path} cannot be written ({reason(error)}); mend that first"
            ) from None

    def chart(
        self,
        model: Model | str | os.PathLike[str],
        theme: Literal["light", "dark"] = "light",
        label: str | None = None,
    ) -> Any:
        """This model over time, as a plotly figure.

        For every config and every shape of the inputs a line through p50 with its 95 % interval, and a band
        up to p90; dotted lines where the version of Paddle, the CPU or the content of the model changed.

        Args:
            model: as for `entries`.
            theme: the page it is for.
            label: only configs of this label.

        Raises:
            WorkbenchError: if there is nothing to show.
        """
        from workbench.bench.charts.history import history_chart

        points = self.over_time(model, label)
        if not points:
            name = getattr(model, "name", model)
            raise WorkbenchError(f"the history has no benchmark of {name}: run workbench bench first")
        return history_chart(points, theme)


def _columns(
    kind: Kind,
    model_facts: Mapping[str, Any],
    environment: Mapping[str, Any],
    began: datetime,
    seconds: float | None,
    inputs: Mapping[str, Any] | None,
) -> dict[str, Any]:
    if kind not in KINDS:
        raise WorkbenchError(f"kind is {kind!r}: give one of {', '.join(KINDS)}")
    shapes = {name: [int(n) for n in getattr(one, "shape", one)] for name, one in (inputs or {}).items()}
    return {
        "began": stamp(began),
        "kind": kind,
        "model": text_of(model_facts["name"]),
        "model_hash": model_facts["hash"],
        "ir": model_facts["ir"],
        "inputs": json_of(shapes),
        "environment": json_of(environment),
        "seconds": seconds,
        "host": machine(),
        "pid": os.getpid(),
        "pid_began_s": began_s(os.getpid()),
    }


def _unknown(number: object) -> WorkbenchError:
    return WorkbenchError(f"the history has no measurement {number}: workbench history lists them")
