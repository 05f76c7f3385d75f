"""The native execution core: the only room that runs inference, and the only one that speaks Paddle's API."""

from __future__ import annotations

from workbench.core.log import Matches, PassRun, read_pass_log
from workbench.core.measured import ConcurrentRuns, OutputMoments, TimedRuns
from workbench.core.runtimes import interpreter, register, registered, warm
from workbench.core.session import Loaded, Session, native_files, sessions
from workbench.core.spool import Spool

__all__ = [
    "ConcurrentRuns",
    "Loaded",
    "Matches",
    "OutputMoments",
    "PassRun",
    "Session",
    "Spool",
    "TimedRuns",
    "interpreter",
    "native_files",
    "read_pass_log",
    "register",
    "registered",
    "sessions",
    "warm",
]
