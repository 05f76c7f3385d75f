"""How a unit says what it does, and is told to stop, while it runs: through a folder, or dask's scheduler."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Protocol

import msgspec

from workbench.bench.sweep.machine import machine_name

# What crosses to the worker: "folder" and its path, or "dask" and a topic.
Line = tuple[str, str]
Said = dict[str, Any]

STOP = "stop"


class Signals(Protocol):
    """The worker's side of the line.

    Attributes:
        address: which worker this is, in words.
    """

    @property
    def address(self) -> str: ...  # noqa: D102
    def say(self, token: str, said: Said) -> None: ...  # noqa: D102
    def stopped(self) -> bool: ...  # noqa: D102


class FolderSignals:
    """Through files of the caller's: on a machine that does not share them, nothing is said or heard."""

    def __init__(self, folder: str) -> None:
        self.address = f"{machine_name()}:{os.getpid()}"
        self._folder = Path(folder)
        self._shared = self._folder.exists()

    def say(self, token: str, said: Said) -> None:
        """Replace what was said before under this token."""
        draft = self._folder / f".{token}.{os.getpid()}.{threading.get_ident()}"
        try:
            draft.write_bytes(msgspec.json.encode(said))
            draft.replace(self._folder / f"{token}.json")
        except OSError:
            return

    def stopped(self) -> bool:
        """Whether the caller wants it to stop."""
        # The folder goes when the sweep is over for its caller.
        return self._shared and ((self._folder / STOP).exists() or not self._folder.exists())


class DaskSignals:
    """Through the scheduler; made in the thread of a task."""

    def __init__(self, topic: str) -> None:
        from distributed import Event, get_client, get_worker

        self._worker = get_worker()
        self.address: str = self._worker.address
        self._topic = topic
        self._stop = Event(topic, client=get_client())

    def say(self, token: str, said: Said) -> None:
        """Say it to whoever listens to the topic."""
        self._worker.log_event(self._topic, {"token": token, **said})

    def stopped(self) -> bool:
        """Whether the caller wants it to stop."""
        return bool(self._stop.is_set())


def signals_of(line: Line) -> Signals:
    """The worker's side of a line."""
    kind, where = line
    return DaskSignals(where) if kind == "dask" else FolderSignals(where)


def heard(folder: Path) -> dict[str, Said]:
    """The caller's side of `FolderSignals`: what was last said, by token."""
    found = {}
    for file in folder.glob("[!.]*.json"):
        try:
            found[file.stem] = msgspec.json.decode(file.read_bytes())
        except (OSError, msgspec.DecodeError):
            continue
    return found
