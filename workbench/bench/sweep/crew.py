"""Who does the work: any ``concurrent.futures`` executor, or a thread of this process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from workbench.bench.sweep.attempt import Job, attempt
from workbench.bench.sweep.content import Content
from workbench.bench.sweep.signals import STOP, Line, Said, heard

# Tokens of submissions that have ended.
Ended = SimpleQueue[str]


class Crew(Protocol):
    """What the driver needs of an executor or a cluster.

    Attributes:
        line: how its workers talk to the caller.
        notices: what the user is to know of it, a sentence each.
    """

    @property
    def line(self) -> Line: ...  # noqa: D102
    @property
    def notices(self) -> list[str]: ...  # noqa: D102

    def send(
        self, job: Job, content: Content | None, tag: str | None, near: str, avoid: frozenset[str]
    ) -> Any:
        """Submit a unit; its future has ``result`` and ``cancel``.

        Args:
            job: the unit; its token is put into the queue once the future has ended.
            content: the model's, if it is to be sent along.
            tag: what the worker must have.
            near: the worker that asked for the content, or "".
            avoid: workers on which it failed before, where there are others.
        """

    def listen(self) -> list[tuple[str, Said]]:
        """What the units have said since the last call, by token."""

    def replaced(self) -> bool:
        """Whether, after its executor broke, there is another that goes on."""

    def without(self, tag: str | None) -> bool:
        """Whether no worker that has the tag is there now."""

    def stop(self) -> None:
        """Tell the units that run to stop."""

    def close(self, left: bool) -> None:
        """Let go of what was taken up for the sweep; ``left``: whether units may still run."""


class PoolCrew:
    """A ``concurrent.futures`` executor, or, if None, a thread of this process.

    Args:
        executor: the executor, which stays the caller's, or None.
        tags: what some units ask of their workers.
        ended: where the tokens of ended submissions go.
    """

    def __init__(self, executor: Executor | None, tags: Iterable[str], ended: Ended) -> None:
        self.notices: list[str] = []
        wanted = sorted(set(tags))
        if wanted and executor is not None:
            self.notices.append(
                f"{type(executor).__name__} has no tags: units that need {' or '.join(wanted)} go to any of "
                "its workers, and fail on one without; give a distributed.Client to choose workers"
            )
        self._own: ThreadPoolExecutor | None = None
        self._executor = self._here() if executor is None else executor
        self._ended = ended
        self._folder = Path(tempfile.mkdtemp(prefix="workbench-sweep-"))
        self._heard: dict[str, Said] = {}
        self.line: Line = ("folder", str(self._folder))

    def _here(self) -> ThreadPoolExecutor:
        self._own = ThreadPoolExecutor(1, thread_name_prefix="workbench-sweep")
        return self._own

    def send(
        self, job: Job, content: Content | None, tag: str | None, near: str, avoid: frozenset[str]
    ) -> Any:
        """See `Crew`; which worker takes it is the executor's choice."""
        try:
            future = self._executor.submit(attempt, job, content)
        except BrokenExecutor:
            if not self.replaced():
                raise
            future = self._executor.submit(attempt, job, content)
        token = job["token"]
        future.add_done_callback(lambda _: self._ended.put(token))
        return future

    def listen(self) -> list[tuple[str, Said]]:
        """See `Crew`."""
        now = heard(self._folder)
        news = [(token, said) for token, said in now.items() if said != self._heard.get(token)]
        self._heard = now
        return news

    def replaced(self) -> bool:
        """See `Crew`: the workers of a process pool were on this machine, so this process can stand in."""
        if self._own is None and isinstance(self._executor, ProcessPoolExecutor):
            self._executor = self._here()
            self.notices.append(
                "a worker of the process pool was killed, after which no pool can be used again: the units "
                "that were left ran in this process, one after the other"
            )
        return self._own is not None

    def without(self, tag: str | None) -> bool:
        """See `Crew`: nothing is known of its workers."""
        return False

    def stop(self) -> None:
        """See `Crew`."""
        (self._folder / STOP).touch()

    def close(self, left: bool) -> None:
        """See `Crew`: that the folder is gone stops a unit, too."""
        if self._own is not None:
            self._own.shutdown(wait=not left, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)
