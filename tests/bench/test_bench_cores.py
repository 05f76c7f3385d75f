"""Configs that are compared run on the same cores, and everything is as before afterwards."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from workbench import InferenceConfig, core, models
from workbench.bench import benchmark, random_inputs
from workbench.bench.benchmark import Case, measure
from workbench.bench.cores import on_the_same_cores

SLEEPING = (
    "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); print(); time.sleep(60)"
)


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process with two threads."""
    with subprocess.Popen([sys.executable, "-u", "-c", SLEEPING], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def cores_of(pid: int) -> list[set[int]]:
    """Of each thread, as the system says."""
    return [os.sched_getaffinity(int(one.name)) for one in Path(f"/proc/{pid}/task").iterdir()]


def test_all_threads_share_the_cores_and_get_theirs_back(sleeper: int) -> None:
    before = os.sched_getaffinity(0)
    chosen: list[int] = []
    for turn in range(len(before)):
        with on_the_same_cores([sleeper], 1, turn):
            own = os.sched_getaffinity(0)
            assert len(own) == 1
            assert cores_of(sleeper) == [own, own]
            chosen += own
        assert os.sched_getaffinity(0) == before
        assert cores_of(sleeper) == [before, before]
    assert set(chosen) == before


def test_nothing_changes_where_all_cores_are_needed(sleeper: int) -> None:
    before = os.sched_getaffinity(0)
    with on_the_same_cores([sleeper], len(before), 0):
        assert os.sched_getaffinity(0) == before
        assert cores_of(sleeper) == [before, before]


def test_an_error_or_a_process_that_ended_leaves_no_trace(sleeper: int) -> None:
    before = os.sched_getaffinity(0)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(KeyError), on_the_same_cores([sleeper, gone.pid], 1, 0):
        raise KeyError
    assert os.sched_getaffinity(0) == before
    assert cores_of(sleeper) == [before, before]


@pytest.mark.parametrize("allowed", ["nothing", "to see", "once"])
def test_where_the_system_forbids_it_nothing_happens(
    sleeper: int, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    before = os.sched_getaffinity(0)
    real, calls = os.sched_setaffinity, 0

    def refused(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if allowed != "once" or calls > 1:
            raise PermissionError(1, "Operation not permitted")
        return real(*given)

    own = threading.get_native_id()
    with monkeypatch.context() as patch:
        patch.setattr(os, "sched_setaffinity", refused)
        if allowed == "nothing":
            patch.setattr(os, "sched_getaffinity", refused)
        with on_the_same_cores([sleeper], 1, 0):
            ran = True
    assert ran
    real(own, before)
    assert cores_of(sleeper) == [before, before]


@pytest.mark.usefixtures("no_session_left")
def test_launches_that_are_measured_one_by_one_take_turns_on_the_cores(
    digits: models.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def chosen(pids: Sequence[int], count: int, turn: int) -> Any:
        seen.append(turn)
        return on_the_same_cores(pids, count, turn)

    # As an attribute of its package, this name is the function.
    module = importlib.import_module("workbench.bench.benchmark")
    monkeypatch.setattr(module, "on_the_same_cores", chosen)
    arrays = random_inputs(digits)
    cases = [Case(name, InferenceConfig(), arrays) for name in ("a", "b")]
    measure(digits, cases, seconds=0.05, launches=2, turn=3, record=False)
    assert seen == [3, 4]


@pytest.mark.usefixtures("no_session_left")
@pytest.mark.parametrize(("threads", "several"), [(1, True), (64, True), (1, False)])
def test_only_configs_that_are_compared_are_kept_to_as_many_cores_as_they_have_threads(
    digits: models.Model, monkeypatch: pytest.MonkeyPatch, threads: int, several: bool
) -> None:
    usable = os.sched_getaffinity(0)
    seen: list[set[int]] = []
    time = core.Session.time

    def timed(session: core.Session, *given: Any, **more: Any) -> Any:
        assert session.pid is not None
        seen.extend(cores_of(session.pid))
        return time(session, *given, **more)

    configs = [InferenceConfig(), InferenceConfig(threads=threads, onednn=False)]
    monkeypatch.setattr(core.Session, "time", timed)
    benchmark(digits, configs if several else configs[:1], seconds=0.05, launches=1, record=False)
    sizes = {len(one) for one in seen}
    # Warm-up has all of them.
    assert sizes == ({1, len(usable)} if threads == 1 and several else {len(usable)})
