"""`sweep` on a real cluster of several processes, on pools and here: retries, tags, turns, history."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from distributed import Client, Nanny, Scheduler, SpecCluster

import workbench
from workbench import models
from workbench.bench import Benchmark, History
from workbench.bench.samples import Launch, Round, Run
from workbench.bench.sweep import Attempt, Outcome, Sweep, attempt, cluster, content, machine, sweep
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, InputError, WorkbenchError

PLAIN, THREADS = InferenceConfig(), InferenceConfig(threads=2)
UNKNOWN = InferenceConfig(disabled_passes=("no_such_pass",))
SHORT: dict[str, Any] = {"seconds": 0.05, "launches": 1}
MARK = "WORKBENCH_TEST_SWEEP"

pytestmark = pytest.mark.usefixtures("no_session_left")


@pytest.fixture(scope="module", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lock lies in a temp directory of these tests, so that no sweep of others is waited for."""
    folder = tmp_path_factory.mktemp("lock")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield folder
    tempfile.tempdir = None


@pytest.fixture(scope="module")
def elsewhere(digits: models.Model) -> models.Model:
    """A model that no worker finds under a path."""
    found = models.from_bytes(*content.content_of(digits))
    return replace(found, name="elsewhere")


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


def test_a_mistake_is_not_tried_again_and_costs_only_its_own_config(digits: models.Model) -> None:
    alone = sweep(digits, UNKNOWN, retries=3, **SHORT)
    assert len(alone.outcomes[0].attempts) == 1
    assert "no_such_pass" in str(alone.outcomes[0].error)
    # Configs that have one label are told apart, those that run and those that do not.
    pairs = [InferenceConfig(disabled_passes=("no_such_pass", other)) for other in ("a_pass", "b_pass")]
    beside = sweep(digits, [PLAIN, *pairs], **SHORT)
    assert [row["config"] for row in beside.table()] == ["default"]
    labels, words = zip(*beside.outcomes[0].refused, strict=True)
    assert labels == (pairs[0].label, f"{pairs[1].label} #2")
    assert all("_pass" in one for one in words)
    assert [one["label"] for one in beside.facts()["outcomes"][0]["refused"]] == list(labels)
    assert beside.failures == beside.outcomes


def test_a_history_that_is_damaged_meanwhile_costs_no_result(
    digits: models.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "history.sqlite"
    monkeypatch.setenv("WORKBENCH_HISTORY", str(file))

    def progress(share: float, text: str) -> None:
        file.write_bytes(b"no history " * 500)

    with pytest.warns(workbench.errors.HistoryWarning, match="digits is not recorded: .* is damaged"):
        found = sweep(digits, progress=progress, **SHORT)
    assert [one.error for one in found.outcomes] == [None]
    with pytest.raises(WorkbenchError, match="damaged"):
        sweep(digits, **SHORT)


def test_who_has_no_cluster_needs_no_distributed() -> None:
    program = "import sys, workbench; workbench.sweep; sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_cancel_keeps_what_is_finished(digits: models.Model) -> None:
    cancel = threading.Event()
    before = len(History().entries(digits))

    def progress(share: float, text: str) -> None:
        if text.startswith("1 of 3 done"):
            cancel.set()

    with pytest.raises(CancelledError, match="of 3 units") as caught:
        sweep([digits] * 3, cancel=cancel, progress=progress, **SHORT)
    # The unit under way may come to its end before it hears of the cancel.
    done = len(History().entries(digits)) - before
    assert done in (1, 2)
    assert f"{done} of 3 units" in str(caught.value)


def test_inputs_may_be_given_for_each_model(digits: models.Model) -> None:
    batch = models.sample_inputs(str(digits.path))
    [name] = batch
    four = {name: batch[name][:4]}
    found = sweep(digits, inputs={"digits": four}, **SHORT)
    assert found.outcomes[0].benchmark is not None
    assert History().entries(digits, limit=1)[0].inputs == {name: list(four[name].shape)}
    with pytest.raises(InputError, match="has none for digits"):
        sweep(digits, inputs={"bert": four})
    with pytest.raises(InputError):
        sweep(digits, inputs={"no input": four[name]})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": []}, "at least one model"),
        ({"configs": []}, "at least one config"),
        ({"configs": ["fast"]}, "'fast' is no config"),
        ({"executor": 3}, "3 is no executor"),
        ({"retries": -1}, "retries is -1"),
        ({"seconds": 0}, "seconds is 0"),
        ({"launches": 0}, "launches is 0"),
        ({"within": 2}, "within is 2"),
        ({"tags": {"tpu": "TPU"}}, "tags has 'tpu'"),
        ({"tags": {"gpu": ""}}, "the tag ''"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_runs(
    digits: models.Model, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(WorkbenchError, match=words):
        sweep(**{"models": digits, **given})


def test_a_dead_holder_does_not_block_the_machine(own_lock: Path) -> None:
    program = (
        "import threading, time\n"
        "from workbench.bench.sweep.machine import machine_to_itself\n"
        "with machine_to_itself('a model', threading.Event()):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said: list[str] = []

        def waits(text: str) -> None:
            said.append(text)
            holder.kill()

        with machine.machine_to_itself("the test", threading.Event(), waits) as waited_s:
            assert waited_s > 0
    assert said[0].startswith(f"waits for process {holder.pid} of ")
    assert said[0].endswith("which measures a model")


def test_a_model_is_taken_from_its_path_only_where_its_content_is_the_same(
    sample_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    separate = models.load(sample_folder("digits", "separate"))
    facts, sent = content.facts_of(separate), content.content_of(separate)
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    there = content.arrived(facts)
    assert there is not None
    assert there.path == separate.path

    away = {**facts, "path": str(tmp_path / "not there")}
    assert content.arrived(away) is None
    kept = content.arrived(away, sent)
    assert kept is not None
    assert kept.name == separate.name
    assert kept.fingerprint == separate.fingerprint
    assert kept.model_file is not None
    # Again without the content; and where the path holds another model.
    assert content.arrived(away) is not None
    damaged = shutil.copytree(kept.model_file.parent, tmp_path / "other")
    program = damaged / kept.model_file.name
    program.write_bytes(program.read_bytes() + b" ")
    found = content.arrived({**facts, "path": str(program)})
    assert found is not None
    assert found.fingerprint == separate.fingerprint
    # What is damaged is not taken, and comes anew.
    assert kept.params_file is not None
    kept.params_file.write_bytes(b"damaged")
    assert content.arrived(away) is None
    assert content.arrived(away, sent) is not None


def test_models_from_elsewhere_take_no_more_room_than_they_may(
    digits: models.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    facts = {**content.facts_of(digits), "path": None}
    kept = content.arrived(facts, content.content_of(digits))
    assert kept is not None
    assert kept.model_file is not None
    folder = kept.model_file.parent
    copies = [shutil.copytree(folder, folder.parent / f"copy{number}") for number in range(3)]
    for age, copy in enumerate(copies):
        os.utime(copy, (1e9 - age, 1e9 - age))
    # Another worker writes one that comes, for which it has no lock; another died while it did.
    fresh, dead = (shutil.copytree(folder, folder.parent / name) for name in (".fresh", ".dead"))
    os.utime(fresh)
    os.utime(dead, (1e9, 1e9))
    content.make_room(facts, most=int(2.5 * digits.bytes))
    assert [copy.exists() for copy in copies] == [True, False, False]
    content.make_room(facts, most=0)
    assert not copies[0].exists()
    assert (fresh.exists(), dead.exists()) == (True, False)
    assert folder.exists()  # it is being measured


def made(label: str, ms: float, seed: int) -> Run:
    rng = np.random.default_rng(seed)
    rounds = tuple(Round(ms * rng.lognormal(0, 0.02, 50), float(number)) for number in range(6))
    return Run(label, PLAIN, (), tuple(Launch(1.0, 2.0, np.ones(3), rounds, 1000) for _ in range(4)))


@pytest.fixture
def hand_made() -> Sweep:
    def outcome(model: str, host: str, *runs: Run) -> Outcome:
        when = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
        done = Attempt("worker", host, when, when, 0.0, None)
        return Outcome(model, "0" * 64, (PLAIN, THREADS), None, (done,), Benchmark(model, runs))

    failed = Attempt("", "", None, None, 0.0, "no <worker> was left")
    return Sweep(
        (
            outcome("a<b>", "one", made("default", 2.0, 1), made("2 threads", 1.0, 2)),
            outcome("a<b>", "two", made("default", 1.0, 3), made("2 threads", 1.5, 4)),
            Outcome("c", "1" * 64, (PLAIN,), None, (failed, failed), None),
        )
    )


def test_a_table_compares_only_what_was_measured_together(hand_made: Sweep) -> None:
    rows = hand_made.table()
    assert [(row["machine"], row["config"]) for row in rows] == [
        ("one", "default"),
        ("one", "2 threads"),
        ("two", "default"),
        ("two", "2 threads"),
    ]
    runs = [run for one in hand_made.results if one.benchmark for run in one.benchmark.runs]
    for row, run in zip(rows, runs, strict=True):
        assert row["p50_ms"] == pytest.approx(np.median(run.samples_ms))
        assert row["p90_ms"] == pytest.approx(np.percentile(run.samples_ms, 90))
    # Each against the first of its own machine: 1 of 2, and 1.5 of 1.
    assert [row["ratio"] for row in rows] == [None, pytest.approx(0.5, 0.02), None, pytest.approx(1.5, 0.02)]
    assert [row["verdict"] for row in rows] == [None, "faster", None, "slower"]
    assert [(row["machine"], row["config"]) for row in hand_made.best()] == [
        ("one", "2 threads"),
        ("two", "default"),
    ]
    assert [one.model for one in hand_made.failures] == ["c"]


def test_a_sweep_as_text_page_and_json(hand_made: Sweep) -> None:
    import json

    page = hand_made._repr_html_()
    assert "a&lt;b&gt;" in page
    assert "c: no &lt;worker&gt; was left" in page
    assert "<b>" not in page
    assert repr(hand_made).startswith("2 of 3 units measured\nmodel")
    facts = json.loads(json.dumps(hand_made.facts()))
    assert [one["error"] for one in facts["outcomes"]] == [None, None, "no <worker> was left"]
    assert len(facts["table"]) == 4


def test_a_chart_has_a_group_for_every_model_and_machine(hand_made: Sweep) -> None:
    figure = hand_made.chart("dark")
    assert list(figure.layout.yaxis.ticktext) == [
        "<b>a&#60;b&#62; on one</b>",
        "default",
        "2 threads",
        "<b>a&#60;b&#62; on two</b>",
        "default",
        "2 threads",
    ]
    points = [trace for trace in figure.data if trace.mode == "markers"]
    drawn = {trace.y[0]: trace.x[0] for trace in points}
    assert list(drawn) == [1, 2, 4, 5]
    assert list(drawn.values()) == pytest.approx([row["p50_ms"] for row in hand_made.table()])
    assert "1 unit without numbers is not shown" in figure.layout.title.subtitle.text
    # The same config has the same colour on every machine.
    assert points[0].marker.color == points[2].marker.color != points[1].marker.color
    assert "Nothing was measured" in Sweep(hand_made.outcomes[2:]).chart().layout.annotations[0].text


def test_a_measurement_from_elsewhere_is_in_the_history_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.bench.history import record

    history = History(tmp_path / "history.sqlite")
    facts = {"name": "m", "hash": "0" * 64, "ir": "pir"}
    when = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    runs = (made("default", 2.0, 1), made("2 threads", 1.0, 2))
    number = history.add("benchmark", facts, {"cpu_model": "x"}, runs, began=when, inputs={"x": [1, 2]})
    [entry] = history.entries()
    assert (entry.id, entry.began, entry.state, entry.cpu) == (number, when, "finished", "x")
    for kept, run, seen in zip(history.runs(entry), runs, entry.runs, strict=True):
        assert kept.samples_ms.tolist() == run.samples_ms.tolist()
        assert seen.p50_ms == pytest.approx(np.median(run.samples_ms))
        assert seen.ci95 is not None

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "_round_values", full)
    with pytest.warns(workbench.errors.HistoryWarning, match="No space left"):
        assert history.add("benchmark", facts, {}, runs, began=when) is None
    assert len(history.entries()) == 1
