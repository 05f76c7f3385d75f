"""Throughput against latency: what several predictors do at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.bench.benchmark import Progress, cancels, check_seconds, go_on
from workbench.bench.history import Recorder
from workbench.bench.inputs import random_inputs
from workbench.bench.recording import described, recording, shapes_of
from workbench.bench.samples import Floats, Round
from workbench.bench.stats import student
from workbench.config import InferenceConfig
from workbench.core import ConcurrentRuns, Session
from workbench.core.tensors import check_inputs
from workbench.errors import WorkbenchError, WorkerDiedError
from workbench.models import Model, load

ROUNDS = 6
# The first of this share of a round is thrown away: threads and caches fill up in it.
WARM_UP_SHARE = 0.2
# So many crashes are taken for an accident of threads that meet, which is rare; more are an error.
MAX_CRASHES = 2
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")


@dataclass(frozen=True, eq=False)
class ThroughputPoint:
    """So many predictors at once.

    Attributes:
        predictors: how many, each in a thread of its own.
        per_second: inferences that ended, by second; one inference is a run, whatever its batch.
        ci95: 95 % interval of that, over rounds.
        samples_ms: the latency of every run, in milliseconds.
    """

    predictors: int
    per_second: float
    ci95: tuple[float, float]
    samples_ms: Floats

    @property
    def p50_ms(self) -> float:
        """The median latency."""
        return float(np.median(self.samples_ms))

    @property
    def p99_ms(self) -> float:
        """The latency that one run in a hundred exceeds."""
        return float(np.percentile(self.samples_ms, 99))

    def facts(self) -> dict[str, Any]:
        """Plain values: predictors, per_second, ci95, p50_ms, p99_ms, samples."""
        return {
            "predictors": self.predictors,
            "per_second": self.per_second,
            "ci95": self.ci95,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "samples": len(self.samples_ms),
        }


@dataclass(frozen=True, eq=False)
class Throughput:
    """Throughput for several numbers of predictors.

    Attributes:
        model: the model's name.
        config: what was asked for.
        native: whether they ran as threads of a C++ program; else as threads of a Python program.
        notices: where asked and given differ, and what crash a round was taken again after, in words.
        points: one per number of predictors.
        environment: where it ran.
        entry: its id in the history, None where it was not recorded.
    """

    model: str
    config: InferenceConfig
    native: bool
    notices: tuple[str, ...]
    points: tuple[ThroughputPoint, ...]
    environment: Mapping[str, Any]
    entry: int | None = None

    def facts(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "model": self.model,
            "asked": self.config.to_dict(),
            "native": self.native,
            "notices": list(self.notices),
            "points": [point.facts() for point in self.points],
            "environment": dict(self.environment),
            "entry": self.entry,
        }

    def chart(self, theme: str = "light") -> Any:
        """Throughput against latency as a plotly figure."""
        from workbench.bench.charts import throughput_chart

        return throughput_chart(self.points, theme=theme)


def throughput(
    model: Model | str | os.PathLike[str],
    predictors: Sequence[int] = (1, 2, 4),
    config: InferenceConfig | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    seconds: float = 3.0,
    native: bool = True,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    record: bool = True,
) -> Throughput:
    """Measure what several predictors give at once: one and its clones, which share the weights.

    Args:
        model: a model or its path.
        predictors: how many at once, such as ``(1, 2, 4)``; they take turns in random order.
        config: what to ask for; ``threads`` are those of each predictor.
        inputs: arrays by name; random ones if None.
        seconds: measurement per number of predictors.
        native: as threads of a C++ program; else as threads of a Python program, where Paddle's binding holds
            the interpreter lock during a run and more predictors give no more.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take.
        seed: of the random inputs and of the order.
        record: as in `benchmark`; its kind in the history is "throughput", its rounds are there as they end,
            a config for each number of predictors, and its facts are its result.

    Raises:
        CancelledError: after ``cancel`` was set.
        WorkerDiedError: if Paddle crashed more than twice; before that, a round is taken again in a fresh
            process, and a notice tells of it.
        WorkbenchError: for numbers that are none, and as `benchmark`.
    """
    model = model if isinstance(model, Model) else load(model)
    if not predictors or len(set(predictors)) < len(predictors):
        raise WorkbenchError(f"predictors are {list(predictors)}: give different numbers, such as (1, 2, 4)")
    check_seconds(seconds)
    config = InferenceConfig() if config is None else config
    tell = progress or (lambda share, text: None)
    cancel = cancel or threading.Event()
    arrays = check_inputs(random_inputs(model, seed=seed) if inputs is None else inputs, model.inputs)
    where = described([config])
    with recording("throughput", model, where, shapes_of([arrays]), seconds, record=record) as recorder:
        with Session(model, config, time_limit=time_limit) as session, cancels(cancel, [session]):
            tell(0.0, "loading")
            create_ms = session.load().create_s * 1e3
            begin = time.perf_counter()
            session.run(arrays)
            starts = create_ms, (time.perf_counter() - begin) * 1e3
            notices = session.notices
            for position, count in enumerate(predictors):
                recorder.run(position, _label(count), config, notices)
            together = _Together(session, arrays, native)
            taken = _in_turns(together, predictors, seconds / ROUNDS, tell, cancel, seed, starts, recorder)
            notices += together.notices
        points = tuple(_point(count, rounds) for count, rounds in zip(predictors, taken, strict=True))
        ran_native = all(one.native for rounds in taken for one in rounds)
        found = Throughput(model.name, config, ran_native, notices, points, where, recorder.id)
        recorder.end("finished", result=found.facts())
    tell(1.0, "done")
    return found


class _Together:
    """Rounds of several predictors at once, taken again where Paddle crashed, as threads of it may."""

    def __init__(self, session: Session, arrays: Mapping[str, Any], native: bool) -> None:
        self._session, self._arrays, self._native = session, arrays, native
        self._crashes: list[tuple[int, str]] = []

    def time(self, count: int, seconds: float) -> tuple[ConcurrentRuns, float]:
        """`Session.time_at_once` of so many predictors, and when it began, by `time.perf_counter`."""
        is_cold = False
        while True:
            try:
                if is_cold:
                    self._time(count, seconds * WARM_UP_SHARE)
                began = time.perf_counter()
                return self._time(count, seconds), began
            except WorkerDiedError as error:
                if error.signal not in _CRASHES or len(self._crashes) == MAX_CRASHES:
                    raise
                self._crashes.append((count, error.signal))
                is_cold = True

    def _time(self, count: int, seconds: float) -> ConcurrentRuns:
        return self._session.time_at_once(
            self._arrays, predictors=count, seconds=seconds, native=self._native
        )

    @property
    def notices(self) -> tuple[str, ...]:
        return tuple(
            f"Paddle crashed ({signal}) in a round of {_label(count)}, which was taken again in a new "
            "process: expect it of a server with threads, too"
            for count, signal in self._crashes
        )


def _in_turns(
    together: _Together,
    predictors: Sequence[int],
    block_s: float,
    tell: Progress,
    cancel: threading.Event,
    seed: int,
    starts: tuple[float, float],
    recorder: Recorder,
) -> list[list[ConcurrentRuns]]:
    """The rounds of each number of predictors; ``starts``: creation and the first run, in milliseconds."""
    for position, count in enumerate(predictors):
        warm, _ = together.time(count, block_s * WARM_UP_SHARE)
        recorder.launch(position, 0, *starts, _samples_ms(warm))
    begin = time.perf_counter()
    rng = np.random.default_rng(seed)
    taken: list[list[ConcurrentRuns]] = [[] for _ in predictors]
    for turn in range(ROUNDS):
        for place, index in enumerate(rng.permutation(len(predictors))):
            count = predictors[index]
            share = (turn + place / len(predictors)) / ROUNDS
            tell(share, f"round {turn + 1} of {ROUNDS}: {_label(count)}")
            go_on(cancel)
            one, began = together.time(count, block_s)
            taken[index].append(one)
            recorder.round(int(index), 0, turn, Round(_samples_ms(one), began - begin))
    return taken


def _label(count: int) -> str:
    return f"{count} predictor{'' if count == 1 else 's'}"


def _samples_ms(runs: ConcurrentRuns) -> Floats:
    """The latencies of all predictors, in the order in which the runs ended."""
    order = np.argsort(np.concatenate(runs.ended_ns), kind="stable")
    return np.concatenate(runs.samples_ns)[order] / 1e6


def _point(count: int, rounds: Sequence[ConcurrentRuns]) -> ThroughputPoint:
    rates = np.array([one.per_second for one in rounds])
    mean, interval = student(rates)
    samples = np.concatenate([_samples_ms(one) for one in rounds])
    return ThroughputPoint(count, mean, (max(0.0, interval[0]), interval[1]), samples)
