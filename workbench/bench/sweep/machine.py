"""The machine a unit runs on: its name, and the lock that lets one benchmark run on it at a time."""

from __future__ import annotations

import getpass
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.bench.benchmark import go_on
from workbench.errors import WorkbenchError

POLL_S = 0.1
# One name for all users: two of them disturb each other as much as two workers of one.
LOCK_NAME = "workbench-benchmark.lock"
# All users open the files.
EVERYBODY = 0o666


def machine_name() -> str:
    """The name people know this machine by."""
    return platform.node() or "this machine"


@contextmanager
def machine_to_itself(
    what: str, cancel: threading.Event, waits: Callable[[str], object] = lambda text: None
) -> Iterator[float]:
    """Hold this machine's lock, once nobody else does.

    It lies in the temp directory. The system lets go of it with the process that holds it, however that ends.

    Args:
        what: what is going to be measured, which those that wait are told.
        cancel: set it to stop waiting.
        waits: called, while another has it, with who that is.

    Yields:
        The seconds waited.

    Raises:
        CancelledError: after ``cancel`` was set.
        WorkbenchError: if the lock's file cannot be opened.
    """
    from filelock import FileLock, Timeout

    file = Path(tempfile.gettempdir()) / LOCK_NAME
    said = file.with_suffix(".holder")
    lock = FileLock(file, mode=EVERYBODY)
    began = time.monotonic()
    told = None
    while True:
        go_on(cancel)
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            holder = _read(said)
            if holder != told:
                told = holder
                waits(f"waits for {holder}")
            time.sleep(POLL_S)
        except OSError as error:
            raise WorkbenchError(
                f"cannot lock {file} ({error.strerror}): let every user write to it, or set TMPDIR"
            ) from None
    try:
        _write(said, f"process {os.getpid()} of {_user()}, which measures {what}")
        yield time.monotonic() - began
    finally:
        lock.release()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return f"user {os.getuid()}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")[:200] or "another benchmark"
    except OSError:
        return "another benchmark"


def _write(file: Path, text: str) -> None:
    # Words only: where they cannot be written, the lock holds all the same. Without O_CREAT first: Linux
    # refuses that for a file of another user in a folder such as /tmp (fs.protected_regular).
    with suppress(OSError):
        flags = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW
        try:
            number = os.open(file, flags)
        except FileNotFoundError:
            number = os.open(file, flags | os.O_CREAT, EVERYBODY)
            os.fchmod(number, EVERYBODY)
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(text)
