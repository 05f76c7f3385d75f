"""The native execution core: the only room that runs inference, and the only one that speaks Paddle's API."""

from __future__ import annotations

from workbench.core.creation import Loaded, native_files
from workbench.core.log import Matches, PassRun, read_pass_log
from workbench.core.measured import ConcurrentRuns, OpOutput, OutputMoments, OutputPart, TimedRuns
from workbench.core.runtimes import interpreter, register, registered, warm
from workbench.core.session import Session, sessions
from workbench.core.spool import Spool

__all__ = [
    "ConcurrentRuns",
    "Loaded",
    "Matches",
    "OpOutput",
    "OutputMoments",
    "OutputPart",
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
