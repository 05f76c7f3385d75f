"""`sweep` on pools of processes and threads, and on any executor: lost workers, turns and versions."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from sweep_asked import PLAIN, SHORT, THREADS

import workbench
from workbench import models
from workbench.bench.sweep import attempt, machine, sweep

pytestmark = pytest.mark.usefixtures("no_session_left")


def test_a_worker_says_that_it_has_another_workbench(tmp_path: Path) -> None:
    job = {"workbench": "0.0.1", "token": "a", "signals": ("folder", str(tmp_path))}
    reply = attempt.attempt(job)
    assert reply["state"] == "failed"
    assert f"has workbench {workbench.__version__}, the caller 0.0.1" in reply["error"]


def test_a_process_pool_that_starts_afresh(digits: models.Model) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = sweep(digits, executor=pool, **SHORT)
        assert [one.error for one in found.outcomes] == [None]
        [worker] = {one.worker for one in found.outcomes}
        assert worker == f"{machine.machine_name()}:{pool.submit(os.getpid).result()}"


def test_a_process_pool_of_which_a_worker_is_killed_is_no_end(digits: models.Model) -> None:
    with ExitStack() as held:
        held.enter_context(machine.machine_to_itself("the test", threading.Event()))
        # A forked one begins sooner.
        pool = held.enter_context(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")))
        pid = pool.submit(os.getpid).result()
        lock = held.pop_all()

        def progress(share: float, text: str) -> None:
            if "waits for" in text and psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
                lock.close()

        found = sweep([digits, digits], executor=pool, progress=progress, **SHORT)
    assert [one.error for one in found.outcomes] == [None, None]
    first, second = found.outcomes
    assert [one.worker for one in first.attempts] == [
        f"{machine.machine_name()}:{number}" for number in (pid, os.getpid())
    ]
    assert "killed" in str(first.attempts[0].error)
    assert len(second.attempts) == 1  # it had not begun
    assert "process pool was killed" in found.notices[0]


def test_threads_take_turns_and_have_no_tags(digits: models.Model, elsewhere: models.Model) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = sweep([digits, elsewhere], [PLAIN, THREADS], executor=pool, tags={"cpu": "BIG"}, **SHORT)
    assert [len(one.rows()) for one in found.results] == [2, 2]
    first, second = sorted((one.attempts[-1] for one in found.outcomes), key=lambda one: str(one.began))
    assert first.ended is not None
    assert second.began is not None
    assert first.ended <= second.began
    assert second.waited_s > 0
    assert "ThreadPoolExecutor has no tags" in found.notices[0]


class Flaky(Executor):
    """Any other executor: it runs what it is given at once, but loses its node the first time."""

    def __init__(self) -> None:
        self.calls = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls += 1
        future: Future[Any] = Future()
        if self.calls == 1:
            future.set_exception(RuntimeError("node 7 is gone"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_any_executor_will_do_and_what_it_raises_is_a_failed_attempt(digits: models.Model) -> None:
    found = sweep(digits, executor=Flaky(), **SHORT)
    assert [one.error for one in found.outcomes[0].attempts] == ["node 7 is gone", None]
    found = sweep(digits, executor=Flaky(), retries=0, **SHORT)
    assert found.results == ()
    assert found.failures[0].error == "node 7 is gone"
    assert "digits: node 7 is gone" in repr(found)
