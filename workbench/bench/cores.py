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
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    usable = sorted(os.sched_getaffinity(0))
    if count >= len(usable):
        yield
        return
    cores = [usable[(turn * count + place) % len(usable)] for place in range(count)]
    for pid in pids:
        _keep_on(pid, cores)
    own = threading.get_native_id()
    os.sched_setaffinity(own, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(own, usable)
        for pid in pids:
            _keep_on(pid, usable)


def _keep_on(pid: int, cores: Sequence[int]) -> None:
    # Linux keeps this for each thread; one that ends meanwhile, or a process that died, needs it no more.
    with suppress(FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)
