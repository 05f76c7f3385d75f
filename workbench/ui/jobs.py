"""Long work beside the notebook's main thread: one job at a time, with progress, cancel and errors."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from workbench.errors import CancelledError, WorkbenchError


class Jobs:
    """Runs one job at a time in a thread; a later one of the same kind takes the place of one that waits.

    Args:
        changed: called when work begins and ends, with True and False.
        failed: called with the kind of job and the words for its error.
    """

    def __init__(self, changed: Callable[[bool], object], failed: Callable[[str, str], object]) -> None:
        self._changed = changed
        self._failed = failed
        self._lock = threading.Lock()
        self._waiting: dict[str, Callable[[], object]] = {}
        self._thread: threading.Thread | None = None
        self._idle = threading.Event()
        self._idle.set()

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return not self._idle.is_set()

    def start(self, kind: str, work: Callable[[], object]) -> None:
        """Have ``work`` done as soon as the job before it has ended."""
        with self._lock:
            self._waiting[kind] = work
            self._idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="workbench-job", daemon=True)
                self._thread.start()

    def drop_waiting(self) -> None:
        """Forget the jobs that have not begun."""
        with self._lock:
            self._waiting.clear()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing runs; False if that took longer than ``seconds``."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            self._changed(True)
            while self._do_next():
                pass
            # Told without the lock, since what follows from it may start a job.
            self._changed(False)
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    self._idle.set()
                    return

    def _do_next(self) -> bool:
        """Does the job that has waited longest; False if none waits."""
        with self._lock:
            kind = next(iter(self._waiting), None)
            if kind is None:
                return False
            work = self._waiting.pop(kind)
        try:
            work()
        except CancelledError:
            self._failed(kind, "cancelled")
        except WorkbenchError as error:
            self._failed(kind, str(error))
        except Exception as error:
            # A defect of ours: the widget says so and the kernel goes on; the log has the whole of it.
            traceback.print_exc()
            self._failed(kind, f"unexpected {type(error).__name__}: {error}")
        return True
