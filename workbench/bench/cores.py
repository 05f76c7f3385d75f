"""Which cores of the processor a measurement runs on."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def on_the_same_cores(pids: Sequence[int], count: int, turn: int) -> Iterator[None]:
    """While this lasts, these processes and the calling thread share ``count`` cores and use no others.

    What slows a core down (another virtual machine on the same silicon, a neighbour in its cache, its clock)
    then meets all of them, and none waits for an idle core to wake. Does nothing where there are no more
    cores than that, or where the system cannot do it.

    Args:
        pids: the processes that take turns.
        count: how many cores they need.
        turn: chooses which, so that no measurement hangs on one core.
    """
    usable = _usable()
    cores = [usable[(turn * count + place) % len(usable)] for place in range(count)] if usable else []
    own = threading.get_native_id()
    # First this thread: what is refused to it, or known by now to be wrong, is so for the processes, too.
    if count >= len(usable) or not _keep(own, cores):
        yield
        return
    try:
        for pid in pids:
            _keep_all(pid, cores)
        yield
    finally:
        _keep(own, usable)
        for pid in pids:
            _keep_all(pid, usable)


def _usable() -> list[int]:
    """The cores that this thread may use, none where the system does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    try:
        return sorted(os.sched_getaffinity(0))
    except OSError:
        return []


def _keep(thread: int, cores: Sequence[int]) -> bool:
    """Whether the system allowed it: a sandbox may not, and a thread or a core may have gone meanwhile."""
    try:
        os.sched_setaffinity(thread, cores)
    except OSError:
        return False
    return True


def _keep_all(pid: int, cores: Sequence[int]) -> None:
    # Linux keeps this for each thread; a process that died needs it no more.
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            _keep(int(thread.name), cores)
