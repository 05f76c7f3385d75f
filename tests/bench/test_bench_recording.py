"""What is measured is recorded as it goes: however a measurement ends, what was over is in the history."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import workbench
from workbench import models
from workbench.bench import History, Run, benchmark, profile, random_inputs
from workbench.bench.ablation import ablate
from workbench.bench.recording import described, shapes_of
from workbench.bench.scan import scan
from workbench.bench.throughput import throughput
from workbench.cli.main import app
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, ConfigError, HistoryWarning, WorkbenchError
from workbench.tracing import trace

PLAIN, NO_ONEDNN = InferenceConfig(), InferenceConfig(onednn=False)

# Says what it does now, so that whoever kills it knows what was over.
MEASURING = """
import sys
from workbench.bench import benchmark
from workbench.config import InferenceConfig

benchmark(
    sys.argv[1], [InferenceConfig(), InferenceConfig(onednn=False)], seconds=1, within=0, launches=3,
    progress=lambda share, text: print(text, flush=True),
)
"""


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """A history of its own for each test, in the place where measurements look for it."""
    monkeypatch.setenv("WORKBENCH_HISTORY", str(tmp_path / "history.sqlite"))
    return History()


def every_number(run: Run) -> list[Any]:
    """All that a run holds, as values that can be compared bit for bit."""
    return [
        (run.label, run.config, run.notices),
        *(
            (
                (launch.create_ms, launch.first_ms, launch.warmup_ms.tobytes(), launch.peak_bytes),
                [(one.samples_ms.tobytes(), one.began_s, one.others, one.mhz) for one in launch.rounds],
            )
            for launch in run.launches
        ),
    ]


def test_the_history_has_what_the_benchmark_gave(digits: models.Model, history: History) -> None:
    result = benchmark(digits, [PLAIN, NO_ONEDNN], seconds=0.7, launches=2, labels=["a", "b"])
    (entry,) = history.entries(digits)
    assert entry.id == result.entry == result.facts()["entry"]
    assert (entry.kind, entry.state, entry.seconds, entry.error) == ("benchmark", "finished", 0.7, "")
    assert (entry.model, entry.model_hash, entry.ir) == ("digits", digits.fingerprint, "pir")
    assert entry.inputs == {"image": [1, 1, 8, 8]}
    assert entry.environment == result.environment
    assert [every_number(run) for run in history.runs(entry)] == [every_number(run) for run in result.runs]
    # A lap of other programs' load is over several rounds, and known only after them.
    assert any(one.others is not None for run in result.runs for one in run.rounds)
    for point, found in zip(history.over_time(digits), result.summaries, strict=True):
        assert (point.p50_ms, point.ci95) == found["p50_ms"]
        assert point.ci95 is not None


def test_the_environment_says_which_paddle_ran(digits: models.Model, history: History) -> None:
    benchmark(digits, seconds=0.02, launches=1)
    (entry,) = history.entries()
    assert entry.paddle == importlib.metadata.version("paddlepaddle")
    assert entry.environment["runtime"]["python"] == platform.python_version()
    assert sys.executable not in str(entry.environment)


def test_every_config_has_the_paddle_of_its_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    class Warm:
        def __init__(self, name: str) -> None:
            self.about = {"paddle": {"default": "3.3.1", "/old/bin/python": "2.6.2"}[name], "pid": 1}

    monkeypatch.setattr("workbench.bench.recording.warm", Warm)
    old = InferenceConfig(runtime="/old/bin/python")
    where = described([PLAIN, old, NO_ONEDNN])
    assert where["runtime"]["paddle"] == "3.3.1"
    assert "runtimes" not in described([old])
    recorder = History().begin("benchmark", {"name": "m", "hash": "", "ir": "pir"}, where)
    for position, config in enumerate([PLAIN, old, NO_ONEDNN]):
        recorder.run(position, str(position), config)
    recorder.end("finished")
    (entry,) = History().entries()
    assert [entry.paddle_of(run) for run in entry.runs] == ["3.3.1", "2.6.2", "3.3.1"]


def test_nothing_is_recorded_where_that_is_asked(
    digits: models.Model, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert history.path is not None
    assert benchmark(digits, seconds=0.02, launches=1, record=False).entry is None
    assert scan(digits, [1], seconds=0.02, record=False).benchmark.entry is None
    assert throughput(digits, [1], seconds=0.05, record=False).entry is None
    monkeypatch.setenv("WORKBENCH_HISTORY", "off")
    assert benchmark(digits, seconds=0.02, launches=1).entry is None
    assert not history.path.exists()


@pytest.mark.usefixtures("no_session_left")
def test_a_cancelled_benchmark_keeps_its_rounds(digits: models.Model, history: History) -> None:
    cancel = threading.Event()

    def stop(share: float, text: str) -> None:
        if "round 4" in text:
            cancel.set()

    with pytest.raises(CancelledError):
        benchmark(digits, seconds=4, launches=4, progress=stop, cancel=cancel)
    (entry,) = history.entries()
    assert entry.state == "cancelled" and "cancelled" in entry.error
    (run,) = history.runs(entry)
    # The fourth may have ended before its cancellation came.
    assert len(run.rounds) in (3, 4)
    assert (entry.runs[0].samples, entry.runs[0].ci95) == (len(run.samples_ms), None)


@pytest.mark.parametrize(
    ("raised", "state", "said"),
    [
        (KeyboardInterrupt(), "cancelled", ""),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
        (WorkbenchError("out of memory"), "failed", "out of memory"),
    ],
)
def test_how_a_measurement_ended_is_recorded(
    digits: models.Model, history: History, raised: BaseException, state: str, said: str
) -> None:
    def stop(share: float, text: str) -> None:
        raise raised

    for measure in (benchmark, lambda model, **more: throughput(model, [1], **more)):
        with pytest.raises(type(raised)):
            measure(digits, progress=stop)  # type: ignore[operator]
        assert (history.entries()[0].state, history.entries()[0].error) == (state, said)


def test_a_damaged_history_is_said_before_anything_is_measured(
    digits: models.Model, history: History
) -> None:
    assert history.path is not None
    history.path.write_bytes(b"this is no database " * 300)
    told: list[str] = []
    for measure in (benchmark, lambda model, **more: throughput(model, [1], **more)):
        with pytest.raises(WorkbenchError, match=r"is damaged or is none .*: move it away"):
            measure(digits, progress=lambda share, text: told.append(text))  # type: ignore[operator]
    assert told == []
    assert history.path.read_bytes() == b"this is no database " * 300


def test_a_history_that_cannot_be_written_does_not_stop_the_benchmark(
    digits: models.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HISTORY", "/proc/nowhere/history.sqlite")
    with pytest.warns(HistoryWarning, match="goes unrecorded") as said:
        result = benchmark(digits, seconds=0.02, launches=2)
    assert len(said) == 1
    assert (result.entry, len(result.runs[0].launches)) == (None, 2)


def test_a_mistake_is_no_measurement(digits: models.Model, history: History) -> None:
    with pytest.raises(WorkbenchError, match="unknown input 'imag'"):
        benchmark(digits, inputs={"imag": np.zeros((1, 1, 8, 8), np.float32)})
    with pytest.raises(ConfigError, match="'fast' is no config"):
        throughput(digits, [1], config="fast")  # type: ignore[arg-type]
    assert history.entries() == []


def test_inputs_may_be_lists(digits: models.Model, history: History) -> None:
    benchmark(digits, inputs={"image": np.zeros((2, 1, 8, 8)).tolist()}, seconds=0.02, launches=1)
    assert history.entries()[0].inputs == {"image": [2, 1, 8, 8]}


def test_a_scan_is_recorded_with_its_sizes(digits: models.Model, history: History) -> None:
    found = scan(digits, [1, 3], seconds=0.02)
    (entry,) = history.entries(kind="scan")
    assert entry.id == found.benchmark.entry
    assert [run.label for run in entry.runs] == ["batch 1", "batch 3"]
    assert entry.inputs == {"image": [-1, 1, 8, 8]}
    # Another batch is another workload: it does not belong to the latency over time.
    assert history.over_time(digits) == []


def test_shapes_are_open_where_they_differ() -> None:
    cases = [{"x": np.zeros((2, 5, 3)), "y": np.zeros(())}, {"x": np.zeros((2, 6, 3)), "y": np.zeros(())}]
    assert shapes_of(cases) == {"x": [2, -1, 3], "y": []}
    assert shapes_of(cases[:1]) == {"x": [2, 5, 3], "y": []}


def test_throughput_is_recorded_as_its_result(digits: models.Model, history: History) -> None:
    found = throughput(digits, [1, 2], seconds=0.2, native=False)
    (entry,) = history.entries(kind="throughput")
    assert (entry.id, entry.state) == (found.entry, "finished")
    assert [one["predictors"] for one in entry.result["points"]] == [1, 2]
    assert [one["per_second"] for one in entry.result["points"]] == [one.per_second for one in found.points]
    assert [run.label for run in entry.runs] == ["1 predictor", "2 predictors"]
    for run, point in zip(history.runs(entry), found.points, strict=True):
        assert np.concatenate([one.samples_ms for one in run.rounds]).tolist() == point.samples_ms.tolist()
    # What several do at once is no latency over time.
    assert history.over_time(digits) == []


def test_what_of_throughput_was_over_is_kept(digits: models.Model, history: History) -> None:
    cancel = threading.Event()

    def tell(share: float, text: str) -> None:
        if text.startswith("round 3 of"):
            cancel.set()

    with pytest.raises(CancelledError):
        throughput(digits, [1, 2], seconds=0.3, native=False, progress=tell, cancel=cancel)
    (entry,) = history.entries(kind="throughput")
    assert entry.state == "cancelled"
    assert [len(run.rounds) for run in history.runs(entry)] == [2, 2]
    assert all(run.p50_ms is not None for run in entry.runs)


def test_a_profile_is_recorded_with_its_ops_and_its_latency(digits: models.Model, history: History) -> None:
    found = profile(digits, seconds=0.2)
    (entry,) = history.entries(kind="profile")
    assert (entry.id, entry.state, entry.inputs) == (found.entry, "finished", {"image": [1, 1, 8, 8]})
    (run,) = entry.runs
    assert (run.label, run.samples, run.p50_ms) == ("default", found.runs, found.plain_ms)
    assert [one["ms"] for one in entry.result["ops"]] == [one.ms for one in found.ops]
    assert history.over_time(digits) == []
    assert profile(digits, seconds=0.02, record=False).entry is None


def test_the_cold_start_of_a_profile_is_that_of_a_predictor_without_dumps(
    digits: models.Model, history: History
) -> None:
    taken = trace(digits)
    try:
        # It has run before, as a trace that the user has may have.
        taken.session.run(random_inputs(digits))
        found = profile(taken, seconds=0.1)
    finally:
        taken.close()
        taken.session.close()
    assert found.entry is not None
    [run] = history.runs(found.entry)
    [launch] = run.launches
    assert launch.create_ms != taken.loaded.create_s * 1e3
    # The first run of a predictor chooses kernels and allocates.
    assert launch.first_ms > 2 * float(np.median(run.samples_ms))
    assert len(history.entries()) == 1


def test_an_ablation_is_recorded_beside_its_batches(
    digits: models.Model, history: History, tmp_path: Path
) -> None:
    def take(**given: Any) -> Any:
        return ablate(digits, passes=["conv2d_bn_onednn_fuse_pass"], seconds=0.02, pairs=False, **given)

    take(folder=tmp_path / "unrecorded", record=False)
    assert history.entries() == []
    found = take(folder=tmp_path / "kept")
    whole, *batches = history.entries(kind="ablation")
    assert [one["pass"] for one in whole.result["passes"]] == [one.name for one in found.passes]
    assert (whole.runs, whole.state) == ((), "finished")
    assert batches and all(one.runs for one in batches)
    shown = CliRunner().invoke(app, ["history"], catch_exceptions=False).output.splitlines()
    assert any("ablation" in line and "1 pass" in line for line in shown)
    # What was kept is no new measurement.
    take(folder=tmp_path / "kept")
    assert len(history.entries()) == 1 + len(batches)


def test_a_killed_process_loses_no_round_that_was_reported_as_over(
    digits: models.Model, history: History
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MEASURING, str(digits.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(workbench.__file__).parents[1])},
    ) as measuring:
        assert measuring.stdout is not None
        said: list[str] = []
        while not said or not said[-1].startswith("launch 2 of 3, round 4"):
            line = measuring.stdout.readline()
            assert line, said
            said.append(line)
        measuring.send_signal(signal.SIGKILL)
        said += measuring.stdout.readlines()
    begun = [
        (int(match[1]), int(match[2]))
        for line in said
        if (match := re.fullmatch(r"launch (\d+) of 3, round (\d+) of \d+\n", line))
    ]
    assert len(begun) > 6
    (entry,) = history.entries(digits)
    assert entry.state == "died"
    found = {
        (run.label, launch, turn)
        for run in history.runs(entry)
        for launch, one in enumerate(run.launches, 1)
        for turn, taken in enumerate(one.rounds, 1)
        if len(taken.samples_ms) and (taken.samples_ms > 0).all()
    }
    # What was under way when the process was killed may have been over, of one config or of both.
    labels = {label for label, _, _ in found}
    over = {(label, *moment) for label in labels for moment in begun[:-1]}
    assert len(labels) == 2
    assert over <= found <= over | {(label, *begun[-1]) for label in labels}
    shown = subprocess.run(
        [sys.executable, "-m", "workbench", "history"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line for line in shown.splitlines() if line.endswith("died")]
    assert len(rows) == 2 and "default" in rows[0] and "oneDNN off" in rows[1]
    # The file takes what is measured next.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        benchmark(digits, seconds=0.02, launches=1)
    assert [one.state for one in history.entries()] == ["finished", "died"]
