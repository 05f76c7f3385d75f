"""The benchmark: several configs in turns, launch after launch, until the answer is narrow enough."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from workbench.bench.cores import on_the_same_cores
from workbench.bench.environment import Load, clock_mhz
from workbench.bench.history import Kind, Recorder
from workbench.bench.inputs import random_inputs
from workbench.bench.recording import described, recording, shapes_of
from workbench.bench.results import Benchmark
from workbench.bench.samples import Floats, Launch, Round, Run
from workbench.bench.stats import LAUNCHES_LEAST, ROUNDS_LEAST, compare, narrow, warm_from
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.tensors import check_inputs
from workbench.errors import CancelledError, WorkbenchError
from workbench.models import Model, load

# From so many, how launches differ is known well enough.
LAUNCHES_MOST = 10
# Of one config, how much longer than its measurement its launches may take: creating a large model is slow.
LAUNCHING_MOST = 3.0
# Before fewer launches, an interval that looks narrow may be so by chance.
LAUNCHES_TO_STOP = 4
ROUNDS_PER_LAUNCH = 6
ROUNDS_ALONE = 20
BLOCK_MIN_S = 0.02
# What counts of a turn takes so long, or one run: what disturbs a machine lasts longer and meets all configs.
TURN_S = 0.004
# For so long, runs are slower after another config had its turn; of a run this long, it is a small part.
LEAD_IN_S = 0.001
LONG_RUN_S = 0.01
# A turn ends with its last run, and not with the time.
LONGEST_S = 3600.0
RUNS_MOST = 100_000
WARM_UP_SHARE = 0.25
WARM_UP_MOST_S = 3.0
# The system counts processor time in hundredths of a second.
LOAD_LAP_S = 0.1

Progress = Callable[[float, str], object]


def benchmark(
    model: Model | str | os.PathLike[str],
    configs: Sequence[InferenceConfig] | InferenceConfig | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    seconds: float = 5.0,
    within: float = 0.01,
    launches: int | None = None,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    record: bool = True,
) -> Benchmark:
    """Measure the latency of a model under one or more configs.

    Each launch creates a predictor for every config, in processes of their own, warms them up until they are
    steady, and lets them take turns in random order, each time for a few milliseconds or one run and on the
    same cores, so that load and clock changes meet all alike. Runs that only refill the caches after the turn
    of another config do not count.

    Args:
        model: a model or its path.
        configs: what to compare; the first is the one the others are compared with.
        inputs: arrays by name; random ones of the model's shapes (1 for an open dimension) if None.
        seconds: steady-state measurement per config, at most.
        within: stop earlier once every ratio (of one config alone, its trimmed geometric mean) is known to
            within this share, 0.01 for ±1 %; 0 to use all of the time.
        launches: how many; by default ten, down to three where creating the predictor takes long.
        labels: names for the configs; by default what differs from the defaults.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take.
        seed: of the random inputs and of the order.
        record: write it into the history as it goes: see `workbench.History`.

    Raises:
        CancelledError: after ``cancel`` was set.
        WorkbenchError: as `Session.run`, and as `History.begin`, before anything is measured.
    """
    model = model if isinstance(model, Model) else load(model)
    asked = [InferenceConfig()] if configs is None else configs
    asked = [asked] if isinstance(asked, InferenceConfig) else list(asked)
    for config in asked:
        if not isinstance(config, InferenceConfig):
            raise WorkbenchError(
                f"{config!r} is no config: give an InferenceConfig, such as InferenceConfig(threads=2)"
            )
    arrays = random_inputs(model, seed=seed) if inputs is None else inputs
    if labels is not None and len(labels) != len(asked):
        raise WorkbenchError(f"{len(labels)} labels for {len(asked)} configs: give one for each")
    names = unique_labels([config.label for config in asked] if labels is None else labels)
    cases = [Case(name, config, arrays) for name, config in zip(names, asked, strict=True)]
    return measure(
        model,
        cases,
        seconds=seconds,
        within=within,
        launches=launches,
        progress=progress,
        cancel=cancel,
        time_limit=time_limit,
        seed=seed,
        record=record,
    )


@dataclass(frozen=True)
class Case:
    """What is measured as one run: a config and the inputs it runs on, under a name.

    ``model`` is another model than that of the measurement, to compare the two.
    """

    label: str
    config: InferenceConfig
    inputs: Mapping[str, Any]
    model: Model | None = None


def measure(
    model: Model,
    cases: Sequence[Case],
    *,
    seconds: float = 5.0,
    within: float = 0.01,
    launches: int | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    record: bool = True,
    kind: Kind = "benchmark",
    turn: int = 0,
) -> Benchmark:
    """`benchmark` for cases that may differ in their inputs, too.

    Args:
        model: as `benchmark`, like all that is not named here.
        cases: what to compare; the first is the one the others are compared with.
        seconds: see there.
        within: see there.
        launches: see there.
        progress: see there.
        cancel: see there.
        time_limit: see there.
        seed: of the order.
        record: see there.
        kind: what the history calls it.
        turn: of the first launch, which chooses its cores; for who measures launch by launch.

    Raises:
        CancelledError: after ``cancel`` was set.
        WorkbenchError: as `benchmark`.
    """
    check_asked(seconds, within, launches)
    if not cases:
        raise WorkbenchError("there is nothing to measure: give at least one config, or None for the default")
    cases = [replace(case, inputs=check_inputs(case.inputs, model.inputs)) for case in cases]
    where = described(case.config for case in cases)
    shapes = shapes_of([case.inputs for case in cases])
    with recording(kind, model, where, shapes, seconds, record=record) as recorder:
        plan = _Plan(
            model,
            cases,
            seconds,
            launches,
            time_limit,
            progress or (lambda share, text: None),
            cancel or threading.Event(),
            np.random.default_rng(seed),
            recorder,
            turn,
        )
        done: list[list[Launch]] = [[] for _ in cases]
        while len(done[0]) < plan.launches and not _narrow(done, within):
            for taken, launch in zip(done, _launch(plan, len(done[0])), strict=True):
                taken.append(launch)
        recorder.end("finished")
    plan.tell(1.0, "done")
    runs = tuple(
        Run(case.label, case.config, notices, tuple(taken))
        for case, notices, taken in zip(cases, plan.notices, done, strict=True)
    )
    return Benchmark(model.name, runs, where, recorder.id)


def check_seconds(seconds: float) -> None:
    """Whether a measurement can take so long.

    Raises:
        WorkbenchError: if not.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise WorkbenchError(f"seconds is {seconds!r}: give a number above 0")


def check_asked(seconds: float, within: float, launches: int | None) -> None:
    """Whether a measurement can be asked for so.

    Raises:
        WorkbenchError: if not.
    """
    check_seconds(seconds)
    if not isinstance(within, (int, float)) or not 0 <= within < 1:
        raise WorkbenchError(f"within is {within!r}: give a share from 0 to 1, such as 0.01 for ±1 %")
    if launches is not None and (isinstance(launches, bool) or not isinstance(launches, int) or launches < 1):
        raise WorkbenchError(f"launches is {launches!r}: give a whole number above 0, or None")


@dataclass
class _Plan:
    """What is to be measured, and how it is going."""

    model: Model
    cases: Sequence[Case]
    seconds: float
    launches_asked: int | None
    time_limit: float | None
    progress: Progress
    cancel: threading.Event
    rng: np.random.Generator
    recorder: Recorder
    turn: int
    began: float = field(default_factory=time.perf_counter)
    steady_s: float = 0.0
    launches: int = LAUNCHES_MOST
    notices: list[tuple[str, ...]] = field(default_factory=list)

    def tell(self, share: float, text: str) -> None:
        self.progress(share, text)

    def fix_launches(self, starting_s: float) -> None:
        """How many launches there will be, now that it is known how long one takes to start."""
        self.launches = self.launches_asked or max(
            LAUNCHES_LEAST, min(LAUNCHES_MOST, int(LAUNCHING_MOST * self.seconds / starting_s))
        )

    @property
    def rounds(self) -> int:
        return ROUNDS_PER_LAUNCH if self.launches >= LAUNCHES_LEAST else ROUNDS_ALONE

    @property
    def block_s(self) -> float:
        return max(BLOCK_MIN_S, self.seconds / self.launches / self.rounds)

    @property
    def cores(self) -> int:
        """How many the config with most threads keeps busy."""
        return max(case.config.threads for case in self.cases)

    def warm_up_s(self, number: int) -> float:
        """How long a launch may warm up: the first one shows how it goes, the others share as much again."""
        share = WARM_UP_SHARE if number == 0 else WARM_UP_SHARE / self.launches
        return min(WARM_UP_MOST_S, max(self.seconds * share, BLOCK_MIN_S))

    @property
    def time_is_up(self) -> bool:
        return self.steady_s > self.seconds * len(self.cases)


def _narrow(done: Sequence[Sequence[Launch]], within: float) -> bool:
    """Whether the ratios, or the middle of the one, are known well enough to stop."""
    if not within or len(done[0]) < LAUNCHES_TO_STOP:
        return False
    taken = [_samples(launches) for launches in done]
    # One config alone is as well known as its ratio to what does not vary.
    pairs = [(taken[0], other) for other in taken[1:]] or [
        ([[np.ones(1)] * len(rounds) for rounds in taken[0]], taken[0])
    ]
    return narrow([compare(*pair)[1] for pair in pairs], within)


def _samples(launches: Sequence[Launch]) -> list[list[Floats]]:
    return [[one.samples_ms for one in launch.rounds] for launch in launches]


def _launch(plan: _Plan, number: int) -> list[Launch]:
    """Create a predictor for every config, warm it up, and measure all of them in turns."""
    sessions = [
        Session(case.model or plan.model, case.config, time_limit=plan.time_limit) for case in plan.cases
    ]
    with ExitStack() as stack:
        for session in sessions:
            stack.callback(session.close)
        stack.enter_context(cancels(plan.cancel, sessions))
        starts: dict[int, tuple[float, float, Floats]] = {}
        begin = time.perf_counter()
        for place, index in enumerate(plan.rng.permutation(len(sessions))):
            go_on(plan.cancel)
            share = (number + 0.2 * place / len(sessions)) / plan.launches
            case = plan.cases[index]
            plan.tell(share, f"loading: {case.label}")
            starts[index] = _start(sessions[index], case.inputs, plan.warm_up_s(number))
            if number == 0:
                plan.recorder.run(int(index), case.label, case.config, sessions[index].notices)
            plan.recorder.launch(int(index), number, *starts[index])
        if number == 0:
            plan.notices = [session.notices for session in sessions]
            plan.fix_launches((time.perf_counter() - begin) / len(sessions))
        turns = _turns([starts[index][2] for index in range(len(sessions))])
        pids = [session.pid for session in sessions if session.pid is not None]
        # Before they are kept to some cores: what others do on the rest of them is felt, too.
        load = Load(pids)
        with on_the_same_cores(pids, plan.cores, plan.turn + number) if len(sessions) > 1 else nullcontext():
            rounds = _in_turns(plan, number, sessions, turns, load)
        peaks = [session.memory()["peak_rss"] or None for session in sessions]
        for index, peak in enumerate(peaks):
            plan.recorder.peak(index, number, peak)
    return [Launch(*starts[index], tuple(rounds[index]), peaks[index]) for index in range(len(sessions))]


def _start(session: Session, inputs: Mapping[str, Any], longest: float) -> tuple[float, float, Floats]:
    """Create, run once, then warm up until it is steady: milliseconds of each."""
    create_ms = session.load().create_s * 1e3
    begin = time.perf_counter()
    session.run(inputs)
    first_ms = (time.perf_counter() - begin) * 1e3
    warm = np.empty(0)
    end = time.perf_counter() + longest
    while not len(warm) or (time.perf_counter() < end and warm_from(warm) > len(warm) / 2):
        warm = np.append(warm, _block(session, inputs, longest / 8))
    return create_ms, first_ms, warm


def _block(session: Session, inputs: Mapping[str, Any], seconds: float, count: int = RUNS_MOST) -> Floats:
    return session.time(inputs, count=count, seconds=seconds).samples_ns / 1e6


class _Turn(NamedTuple):
    """How many runs a turn has, and how many of them count: the first ones refill the caches."""

    lead_in: int
    counted: int


def _turns(warm: Sequence[Floats]) -> list[_Turn] | None:
    """A turn of each config; None for one config alone.

    The number of runs is fixed: turns of a fixed time would have more of the fast runs and fewer of the slow
    ones. Configs that may be equally fast have the same number.
    """
    if len(warm) == 1:
        return None
    latencies = [float(np.median(samples)) / 1e3 for samples in warm]
    least = min(latencies)
    alike = [least if one < 2 * least else one for one in latencies]
    return [
        _Turn(math.ceil(LEAD_IN_S / one) if one < LONG_RUN_S else 0, max(1, round(TURN_S / one)))
        for one in alike
    ]


def _in_turns(
    plan: _Plan, number: int, sessions: Sequence[Session], turns: Sequence[_Turn] | None, load: Load
) -> list[list[Round]]:
    taken: list[list[Round]] = [[] for _ in sessions]
    since, lap_began = 0, time.perf_counter()
    for number_of_round in range(plan.rounds):
        if number_of_round >= ROUNDS_LEAST and plan.time_is_up:
            break  # a turn is at least one run, so a slow model's rounds take longer than was asked for
        share = (number + 0.2 + 0.8 * number_of_round / plan.rounds) / plan.launches
        plan.tell(
            share, f"launch {number + 1} of {plan.launches}, round {number_of_round + 1} of {plan.rounds}"
        )
        for index, one in enumerate(_round(plan, sessions, turns)):
            taken[index].append(one)
            plan.recorder.round(index, number, number_of_round, one)
        if time.perf_counter() - lap_began >= LOAD_LAP_S:
            others = load.lap()
            plan.recorder.others(number, range(since, number_of_round + 1), others)
            for rounds in taken:
                rounds[since:] = [replace(one, others=others) for one in rounds[since:]]
            since, lap_began = number_of_round + 1, time.perf_counter()
    return taken


def _round(plan: _Plan, sessions: Sequence[Session], turns: Sequence[_Turn] | None) -> list[Round]:
    """All configs in turns, in another random order each time, until their share of the time is over."""
    began = time.perf_counter()
    samples: list[list[Floats]] = [[] for _ in sessions]
    while not samples[0] or time.perf_counter() - began < plan.block_s * len(sessions):
        for index in plan.rng.permutation(len(sessions)):
            go_on(plan.cancel)
            session, inputs = sessions[index], plan.cases[index].inputs
            if turns is None:
                samples[index].append(_block(session, inputs, plan.block_s))
            else:
                lead_in, counted = turns[index]
                samples[index].append(_block(session, inputs, LONGEST_S, lead_in + counted)[lead_in:])
    plan.steady_s += time.perf_counter() - began
    mhz = clock_mhz()
    return [Round(np.concatenate(taken), began - plan.began, None, mhz) for taken in samples]


def unique_labels(labels: Iterable[str]) -> list[str]:
    """The labels; one that was there before has a number, such as "− 2 passes #2"."""
    names: list[str] = []
    for name in labels:
        free = (f"{name} #{number}" for number in itertools.count(2))
        names.append(name if name not in names else next(one for one in free if one not in names))
    return names


def go_on(cancel: threading.Event) -> None:
    """Raise `CancelledError` once ``cancel`` is set."""
    if cancel.is_set():
        raise CancelledError("the measurement was cancelled")


@contextmanager
def cancels(cancel: threading.Event, sessions: Sequence[Session]) -> Iterator[None]:
    """While this lasts, ``cancel`` also ends the native call that is under way."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            # Again and again: a session forgets a cancel that comes between two of its calls.
            if cancel.wait(0.1):
                for session in sessions:
                    if session.pid is not None:
                        session.cancel()
                over.wait(0.1)

    watcher = threading.Thread(target=watch, name="workbench-cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
