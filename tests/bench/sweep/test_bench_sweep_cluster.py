"""`sweep` on a real cluster of several processes: a worker that is killed, tags, turns, and the history."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, Nanny, Scheduler, SpecCluster
from sweep_asked import PLAIN, SHORT, THREADS

import workbench
from workbench import models
from workbench.bench import History
from workbench.bench.sweep import Sweep, cluster, machine, sweep
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, WorkbenchError

MARK = "WORKBENCH_TEST_SWEEP"

pytestmark = pytest.mark.usefixtures("no_session_left")


def options(mark: str, **resources: float) -> dict[str, Any]:
    return {
        "cls": Nanny,
        "options": {
            "nthreads": 1,
            "resources": resources,
            "silence_logs": 60,
            "dashboard_address": None,
            "env": {MARK: mark},
        },
    }


@pytest.fixture(scope="module")
def client(own_lock: Path) -> Iterator[Client]:
    """Two worker processes, of which one has the resource BIG."""
    mark = uuid.uuid4().hex
    with (
        SpecCluster(
            scheduler={"cls": Scheduler, "options": {"dashboard": False, "port": 0}},
            workers={"plain": options(mark), "big": options(mark, BIG=1)},
            silence_logs=60,
        ) as machines,
        Client(machines, set_as_default=False) as found,
    ):
        found.wait_for_workers(2)
        yield found
    assert multiprocessing.active_children() == []
    assert marked(mark) == []


def marked(mark: str) -> list[str]:
    """Processes that were started below the cluster and are left, whoever their parent is now."""
    until = time.monotonic() + 5
    while True:
        left = []
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
                if process.environ().get(MARK) == mark and command:
                    left.append(command)
            except psutil.Error:
                continue
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


@dataclass
class Swept:
    found: Sweep
    killed: str
    big: str
    told: list[tuple[float, str]]


@pytest.fixture(scope="module")
def swept(client: Client, digits: models.Model, elsewhere: models.Model) -> Swept:
    """Four units, of which two need BIG; the other worker is killed while it has one of them."""
    pids = client.run(os.getpid)
    big = next(
        address for address, has in client.run(cluster.about_worker).items() if "BIG" in has["resources"]
    )
    plain = next(address for address in pids if address != big)
    told: list[tuple[float, str]] = []
    with ExitStack() as held:
        held.enter_context(machine.machine_to_itself("the test", threading.Event()))

        def progress(share: float, text: str) -> None:
            told.append((share, text))
            # A thread each: two that wait are on two workers.
            if sum("waits for" in one for _, one in told) == 2 and "waits for" in text:
                os.kill(pids[plain], signal.SIGKILL)
                held.close()

        found = sweep(
            [digits, elsewhere],
            [PLAIN, THREADS],
            executor=client,
            tags={THREADS: "BIG"},
            progress=progress,
            **SHORT,
        )
    return Swept(found, plain, big, told)


def test_a_unit_whose_worker_is_killed_is_measured_again_and_says_so(swept: Swept) -> None:
    assert [outcome.error for outcome in swept.found.outcomes] == [None] * 4
    lost = [one for outcome in swept.found.outcomes for one in outcome.attempts if one.error]
    assert [one.worker for one in lost] == [swept.killed]
    assert "killed" in str(lost[0].error)
    again = next(outcome for outcome in swept.found.outcomes if len(outcome.attempts) == 2)
    assert again.worker != swept.killed
    assert again.benchmark is not None


def test_a_tagged_config_runs_where_the_tag_is(swept: Swept) -> None:
    assert [(one.model, one.configs, one.tag) for one in swept.found.outcomes] == [
        ("digits", (PLAIN,), None),
        ("digits", (THREADS,), "BIG"),
        ("elsewhere", (PLAIN,), None),
        ("elsewhere", (THREADS,), "BIG"),
    ]
    assert {one.worker for one in swept.found.outcomes if one.tag} == {swept.big}


def test_no_two_units_run_at_once_on_a_machine(swept: Swept) -> None:
    last = [outcome.attempts[-1] for outcome in swept.found.outcomes]
    assert {one.machine for one in last} == {machine.machine_name()}
    spans = sorted((one.began, one.ended) for one in last if one.began and one.ended)
    assert len(spans) == 4
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def test_what_workers_measure_is_in_the_history_of_who_asked(swept: Swept, digits: models.Model) -> None:
    for outcome in swept.found.outcomes:
        assert outcome.benchmark is not None
        [entry] = [one for one in History().entries(digits) if one.id == outcome.benchmark.entry]
        assert (entry.kind, entry.state, entry.model) == ("benchmark", "finished", outcome.model)
        assert entry.began == outcome.attempts[-1].began
        assert entry.environment["workbench"] == workbench.__version__
        [kept], [run] = History().runs(entry), outcome.benchmark.runs
        assert kept.samples_ms.tolist() == run.samples_ms.tolist()
        assert kept.launches[0].peak_bytes == run.launches[0].peak_bytes


def test_progress_goes_forward_and_says_where(swept: Swept) -> None:
    shares = [share for share, _ in swept.told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert swept.told[-1][1].startswith("4 of 4 done; ")
    assert any(f"on {machine.machine_name()}" in text and "loading" in text for _, text in swept.told)


def test_a_cancel_stops_a_cluster(swept: Swept, client: Client, digits: models.Model) -> None:
    cancel = threading.Event()

    def progress(share: float, text: str) -> None:
        if "waits for process" in text:
            cancel.set()

    with (
        machine.machine_to_itself("the test", threading.Event()),
        pytest.raises(CancelledError, match="0 of 3 units"),
    ):
        sweep([digits] * 3, executor=client.get_executor(), cancel=cancel, progress=progress, **SHORT)
    until = time.monotonic() + 5
    while any(client.processing().values()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(client.processing().values())


def test_a_resource_that_no_worker_has_is_an_error_at_once(client: Client, digits: models.Model) -> None:
    with pytest.raises(WorkbenchError, match="has the resource GPU: start one"):
        sweep(digits, InferenceConfig(device="gpu"), executor=client)
    with pytest.raises(WorkbenchError, match="has the resource A100"):
        sweep(digits, InferenceConfig(device="gpu"), executor=client, tags={"gpu": "A100"})


def test_another_workbench_on_a_worker_is_an_error_that_names_both(
    client: Client, digits: models.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "__version__", "0.0.1")
    with pytest.raises(WorkbenchError, match=rf"has workbench {workbench.__version__}, this is 0\.0\.1"):
        sweep(digits, executor=client)


def test_a_worker_that_comes_later_with_another_workbench_is_left_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = set(client.nthreads())
    crew = cluster.DaskCrew(client, {}, [], queue.SimpleQueue())
    try:
        answers: dict[str, Any] = {"tcp://old:1": {"workbench": "0.0.1"}, "tcp://bare:1": ImportError("none")}
        with monkeypatch.context() as patch:
            patch.setattr(client, "nthreads", lambda: dict.fromkeys([*there, *answers], 1))
            patch.setattr(client, "run", lambda ask, workers, **more: {one: answers[one] for one in workers})
            for _ in range(2):
                assert not crew.without(None)
                assert crew.without("GPU")
            assert len(crew.notices) == 2
            assert "worker tcp://old:1 has workbench 0.0.1" in " ".join(crew.notices)
            assert "worker tcp://bare:1 cannot run this workbench" in " ".join(crew.notices)

            sent: list[dict[str, Any]] = []
            patch.setattr(client, "submit", lambda *given, **more: sent.append(more) or Future())
            crew.send({"token": "a", "inputs": None}, None, None, "", frozenset())
            assert set(sent[0]["workers"]) == there

            def gone(*given: Any, **more: Any) -> Any:
                raise OSError("Timed out trying to connect")

            # The scheduler does not answer: for as long as that lasts, there is nobody.
            patch.setattr(client, "nthreads", gone)
            assert crew.without(None)
            with pytest.raises(WorkbenchError, match=r"the cluster does not answer .*Timed out"):
                cluster.DaskCrew(client, {}, [], queue.SimpleQueue())
        assert not crew.without(None)
    finally:
        crew.close(left=False)
