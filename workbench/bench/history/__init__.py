"""The history: every measurement in one SQLite file, written as it goes: a killed process loses no round.

`Recorder` writes one measurement, `History` begins, finds, exports and forgets them. The rooms: the file and
its schema (``store``), how values lie in it (``values``), who writes (``processes``), which model
(``identity``), what is given back (``entries``), writing (``record``), reading (``read``) and ``export``.
"""

from __future__ import annotations

from workbench.bench.history.entries import KINDS, End, Entry, Kind, Point, State, Summary
from workbench.bench.history.history import History
from workbench.bench.history.identity import model_hash
from workbench.bench.history.read import DIED
from workbench.bench.history.record import Recorder
from workbench.bench.history.store import VARIABLE
from workbench.bench.history.values import Moment

__all__ = [
    "DIED",
    "KINDS",
    "VARIABLE",
    "End",
    "Entry",
    "History",
    "Kind",
    "Moment",
    "Point",
    "Recorder",
    "State",
    "Summary",
    "model_hash",
]
