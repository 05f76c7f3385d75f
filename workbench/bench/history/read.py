"""Reading back: which measurements there are, what they have measured, and its percentiles."""

from __future__ import annotations

import os
import re
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bench.history.entries import Entry, Kind, Summary
from workbench.bench.history.identity import model_hash
from workbench.bench.history.processes import gone
from workbench.bench.history.values import Moment, floats, from_json, moment, stamp
from workbench.bench.samples import Floats, Launch, Round, Run
from workbench.config import InferenceConfig
from workbench.models import Model, load

DIED = "its process ended before the measurement did; what it had recorded is kept"


def entries(
    db: sqlite3.Connection,
    model: Model | str | os.PathLike[str] | None,
    kind: Kind | None,
    label: str | None,
    since: Moment | None,
    limit: int | None,
) -> list[Entry]:
    """The measurements, the newest first; see `History.entries`."""
    where: list[tuple[str, tuple[Any, ...]]] = []
    if kind is not None:
        where.append(("kind = ?", (kind,)))
    if label is not None:
        where.append(("id IN (SELECT measurement FROM run WHERE label = ?)", (label,)))
    if since is not None:
        where.append(("began >= ?", (stamp(moment(since)),)))
    if model is not None:
        where.append(_of_model(db, model))
    condition = " AND ".join(text for text, _ in where) or "1"
    chosen = db.execute(
        f"SELECT * FROM measurement WHERE {condition} ORDER BY began DESC, id DESC LIMIT ?",
        (*(value for _, values in where for value in values), -1 if limit is None else limit),
    ).fetchall()
    return [_entry(db, row) for row in chosen]


def runs(db: sqlite3.Connection, number: int) -> tuple[Run, ...] | None:
    """What a measurement has measured; None where there is no such measurement."""
    if not db.execute("SELECT 1 FROM measurement WHERE id = ?", (number,)).fetchone():
        return None
    query = "SELECT * FROM run WHERE measurement = ? ORDER BY position"
    return tuple(_run(db, row) for row in db.execute(query, (number,)))


def samples_of(db: sqlite3.Connection, measurement: int, position: int) -> list[list[Floats]]:
    """The samples of a config, by launch and round; what has none is left out."""
    launches: dict[int, list[Floats]] = {}
    for launch, blob in db.execute(
        "SELECT launch, samples_ms FROM round WHERE measurement = ? AND position = ? ORDER BY launch, number",
        (measurement, position),
    ):
        if blob:
            launches.setdefault(launch, []).append(floats(blob))
    return list(launches.values())


def percentiles(launches: list[list[Floats]]) -> list[Any]:
    """The number of samples, and their percentiles 50, 90 and 99."""
    if not launches:
        return [0, None, None, None]
    samples = np.concatenate([one for rounds in launches for one in rounds])
    return [len(samples), *np.percentile(samples, [50, 90, 99]).tolist()]


def _of_model(db: sqlite3.Connection, model: Model | str | os.PathLike[str]) -> tuple[str, tuple[str, ...]]:
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
    if state == "running" and gone(row["host"], row["pid"], row["pid_began_s"]):
        state, error = "died", DIED
    runs = db.execute("SELECT * FROM run WHERE measurement = ? ORDER BY position", (row["id"],))
    return Entry(
        id=row["id"],
        began=datetime.fromisoformat(row["began"]),
        kind=row["kind"],
        model=row["model"],
        model_hash=row["model_hash"],
        ir=row["ir"],
        inputs=from_json(row["inputs"]),
        environment=from_json(row["environment"]),
        seconds=row["seconds"],
        state=state,
        error=error,
        result=from_json(row["result"]),
        runs=tuple(_summary(db, run) for run in runs),
    )


def _summary(db: sqlite3.Connection, row: sqlite3.Row) -> Summary:
    numbers = [row[name] for name in ("samples", "p50_ms", "p90_ms", "p99_ms")]
    if numbers[0] is None:
        numbers = percentiles(samples_of(db, row["measurement"], row["position"]))
    low, high = row["p50_low_ms"], row["p50_high_ms"]
    numbers.append(None if low is None or high is None else (low, high))
    # A field that there was not yet has the value that was meant then: two that asked for the same are equal.
    config = {**InferenceConfig().to_dict(), **from_json(row["config"])}
    return Summary(row["position"], row["label"], config, tuple(from_json(row["notices"])), *numbers)


def _run(db: sqlite3.Connection, row: sqlite3.Row) -> Run:
    key = (row["measurement"], row["position"])
    rounds: dict[int, list[Round]] = {}
    for one in db.execute("SELECT * FROM round WHERE measurement = ? AND position = ? ORDER BY number", key):
        rounds.setdefault(one["launch"], []).append(
            Round(floats(one["samples_ms"]), one["began_s"], one["others"], one["mhz"])
        )
    launches = tuple(
        Launch(
            one["create_ms"],
            one["first_ms"],
            floats(one["warmup_ms"]),
            tuple(rounds.get(one["number"], ())),
            one["peak_bytes"],
        )
        for one in db.execute(
            "SELECT * FROM launch WHERE measurement = ? AND position = ? ORDER BY number", key
        )
    )
    config = InferenceConfig.from_json(row["config"])
    return Run(row["label"], config, tuple(from_json(row["notices"])), launches)
