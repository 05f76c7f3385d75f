"""Measurements as tests of the history make them."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bench.history import Entry, History, Recorder, Summary, store
from workbench.bench.samples import Round
from workbench.config import InferenceConfig

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


def steady(history: History, rounds: list[list[float]], state: Any = "finished") -> Summary:
    """What is said of one config after these rounds, of one launch."""
    recorder = begin(history)
    recorder.run(0, "default", CONFIG)
    recorder.launch(0, 0, 1.0, 2.0, [])
    for number, samples in enumerate(rounds):
        recorder.round(0, 0, number, Round(np.array(samples)))
    recorder.end(state)
    return history.entries(limit=1)[0].runs[0]
