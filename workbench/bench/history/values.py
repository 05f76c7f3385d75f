"""How values lie in the history's file: times and texts that sort, JSON, and samples bit for bit."""

from __future__ import annotations

import re
import sqlite3
from datetime import date, datetime, timezone
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.bench.samples import Floats
from workbench.errors import WorkbenchError

Moment = str | date | datetime


def moment(given: Moment) -> datetime:
    """A date, a time or its ISO text as a time in UTC."""
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


def stamp(moment: datetime) -> str:
    """A time in UTC as it is kept."""
    # All of the same length and zone, so that as texts they are in the order of time.
    return moment.isoformat(timespec="microseconds")


def text_of(text: str) -> str:
    """The text as UTF-8 can have it."""
    # The name of a file may hold bytes that are no text.
    return text.encode("utf-8", "backslashreplace").decode()


def json_of(value: Any) -> str:
    """Values as JSON; numpy's are numbers and lists, and what JSON has no word for is a text."""
    return msgspec.json.encode(value, enc_hook=plain).decode()


def from_json(text: str) -> Any:
    """What `json_of` wrote."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise sqlite3.DatabaseError(str(error)) from None


def plain(value: Any) -> Any:
    """What msgspec does not know, as what it does: its ``enc_hook``."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def blob_of(values: npt.ArrayLike) -> bytes:
    """Samples as bytes, alike on every machine."""
    return np.ascontiguousarray(values, dtype="<f8").tobytes()


def floats(blob: bytes) -> Floats:
    """What `blob_of` wrote."""
    return np.frombuffer(blob, dtype="<f8").astype(np.float64)
