"""The benchmark: several configs interleaved in one run, warm-up apart, every sample kept."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.bench.stats import ROUNDS_LEAST, Floats, Verdict, compare, median_interval, percentiles
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import CancelledError, WorkbenchError
from workbench.models import Model, load

ROUNDS = 20
BLOCK_MIN_S = 0.02
WARM_UP_SHARE = 0.25
WARM_UP_MOST_S = 3.0
SAME = 0.03
# Rounds that differ by more than this share are remarked, and a p99 with fewer than ten samples beyond it.
UNSTEADY = 0.10
P99_LEAST = 1000

Progress = Callable[[float, str], object]


@dataclass(frozen=True, eq=False)
class Run:
    """The latencies of one config; all times in milliseconds.

    Attributes:
        label: its name in charts and tables.
        config: what was asked for.
        notices: where asked and given differ, in words.
        create_ms: creating the predictor.
        first_ms: the first run, with the transfer of its inputs and outputs.
        warmup_ms: the runs before steady state, in order.
        rounds_ms: the samples, one array per round.
    """

    label: str
    config: InferenceConfig
    notices: tuple[str, ...]
    create_ms: float
    first_ms: float
    warmup_ms: Floats
    rounds_ms: tuple[Floats, ...]

    @property
    def cold_ms(self) -> float:
        """From nothing to the first answer: creation and first run."""
        return self.create_ms + self.first_ms

    @property
    def samples_ms(self) -> Floats:
        """All samples of steady state, in the order they were taken."""
        return np.concatenate(self.rounds_ms)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Why these numbers may not hold, a sentence each; none if they look sound."""
        medians = np.array([np.median(one) for one in self.rounds_ms])
        said = []
        third = len(medians) // 3
        if third:
            change = float(np.median(medians[-third:]) / np.median(medians[:third])) - 1
            if abs(change) > UNSTEADY:
                said.append(
                    f"latency {'rose' if change > 0 else 'fell'} by {abs(change):.0%} from the first third "
                    "of the rounds to the last: load or clock changed meanwhile, so measure again, or longer"
                )
        spread = float(medians.std(ddof=1) / medians.mean()) if len(medians) > 1 else 0.0
        if spread > UNSTEADY:
            said.append(
                f"unstable: the medians of its rounds vary by {spread:.0%} (coefficient of variation), so "
                "end what else keeps this machine busy, or measure longer"
            )
        count = len(self.samples_ms)
        if count < P99_LEAST:
            slowest = math.ceil(count / 100)
            few = "the slowest" if slowest == 1 else f"the {slowest} slowest"
            said.append(f"p99 rests on {few} of {count} samples: measure longer for a p99 that holds")
        return tuple(said)

    def facts(self) -> dict[str, Any]:
        """Plain values: label, cold_ms, p50_ms, p90_ms, p99_ms, ci95 of p50, samples, remarks and more."""
        return {
            "label": self.label,
            "asked": self.config.to_dict(),
            "notices": list(self.notices),
            "remarks": list(self.remarks),
            "create_ms": self.create_ms,
            "first_ms": self.first_ms,
            "cold_ms": self.cold_ms,
            **percentiles(self.samples_ms),
            "ci95": median_interval(self.rounds_ms),
            "warmup": self.warmup_ms.tolist(),
            "samples": self.samples_ms.tolist(),
        }


@dataclass(frozen=True)
class Comparison:
    """How the run ``b`` compares with the run ``a``.

    Attributes:
        ratio: latency of b over latency of a; below 1 where b is faster.
        ci95: its 95 % interval, None from fewer than six rounds.
        verdict: what can be said of b.
    """

    a: str
    b: str
    ratio: float
    ci95: tuple[float, float] | None
    verdict: Verdict

    def facts(self) -> dict[str, Any]:
        """Plain values: a, b, ratio, ci95, verdict."""
        return {"a": self.a, "b": self.b, "ratio": self.ratio, "ci95": self.ci95, "verdict": self.verdict}


@dataclass(frozen=True)
class Benchmark:
    """The runs of one benchmark, and every later run compared with the first."""

    model: str
    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...] = field(default=())

    def facts(self) -> dict[str, Any]:
        """Plain values: model, runs and comparisons."""
        return {
            "model": self.model,
            "runs": [run.facts() for run in self.runs],
            "comparisons": [one.facts() for one in self.comparisons],
        }

    def chart(self, theme: str = "light") -> Any:
        """The latencies as a plotly figure."""
        from workbench.bench.charts import latency_chart

        return latency_chart(self.runs, theme)


def benchmark(
    model: Model | str | os.PathLike[str],
    configs: Sequence[InferenceConfig] | InferenceConfig | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    seconds: float = 5.0,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
) -> Benchmark:
    """Measure the latency of a model under one or more configs.

    Every round runs each config for a moment, in random order, so that load and clock changes meet all alike.

    Args:
        model: a model or its path.
        configs: what to compare; the first is the one the others are compared with.
        inputs: arrays by name; random ones of the model's shapes (1 for an open dimension) if None.
        seconds: steady-state measurement per config.
        labels: names for the configs; by default what differs from the defaults.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop; what has not been measured is lost.
        time_limit: seconds that any one native call may take.
        seed: of the random inputs and of the order.

    Raises:
        CancelledError: after ``cancel`` was set.
        WorkbenchError: as `Session.run`.
    """
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise WorkbenchError(f"seconds is {seconds!r}: give a number above 0")
    model = model if isinstance(model, Model) else load(model)
    asked = [InferenceConfig()] if configs is None else configs
    asked = [asked] if isinstance(asked, InferenceConfig) else list(asked)
    if not asked:
        raise WorkbenchError("there are no configs to measure: give at least one, or None for the default")
    for config in asked:
        if not isinstance(config, InferenceConfig):
            raise WorkbenchError(
                f"{config!r} is no config: give an InferenceConfig, such as InferenceConfig(threads=2)"
            )
    names = _labels(asked, labels)
    tell = progress or (lambda share, text: None)
    cancel = cancel or threading.Event()
    inputs = random_inputs(model, seed=seed) if inputs is None else inputs
    sessions = [Session(model, config, time_limit=time_limit) for config in asked]
    try:
        with _cancels(cancel, sessions):
            starts = []
            for index, (session, name) in enumerate(zip(sessions, names, strict=True)):
                _go_on(cancel)
                tell(0.2 * index / len(sessions), f"loading: {name}")
                starts.append(_start(session, inputs, seconds))
            rounds = _interleave(sessions, names, inputs, seconds, tell, cancel, np.random.default_rng(seed))
        runs = tuple(
            Run(name, session.config, session.notices, *start, tuple(taken))
            for name, session, start, taken in zip(names, sessions, starts, rounds, strict=True)
        )
    finally:
        for session in sessions:
            session.close()
    first = runs[0]
    comparisons = tuple(
        Comparison(first.label, run.label, *compare(first.rounds_ms, run.rounds_ms)) for run in runs[1:]
    )
    return Benchmark(model.name, runs, comparisons)


def _labels(configs: Sequence[InferenceConfig], labels: Sequence[str] | None) -> list[str]:
    if labels is not None and len(labels) != len(configs):
        raise WorkbenchError(f"{len(labels)} labels for {len(configs)} configs: give one for each")
    names: list[str] = []
    for name in labels or [config.label for config in configs]:
        free = (f"{name} #{number}" for number in itertools.count(2))
        names.append(name if name not in names else next(one for one in free if one not in names))
    return names


@contextmanager
def _cancels(cancel: threading.Event, sessions: Sequence[Session]) -> Iterator[None]:
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


def _go_on(cancel: threading.Event) -> None:
    if cancel.is_set():
        raise CancelledError("the benchmark was cancelled")


def _start(session: Session, inputs: Mapping[str, Any], seconds: float) -> tuple[float, float, Floats]:
    """Create, run once, then warm up until two blocks in a row have the same median."""
    create_ms = session.load().create_s * 1e3
    begin = time.perf_counter()
    session.run(inputs)
    first_ms = (time.perf_counter() - begin) * 1e3
    longest = min(WARM_UP_MOST_S, max(seconds * WARM_UP_SHARE, BLOCK_MIN_S))
    warm: list[Floats] = []
    end = time.perf_counter() + longest
    while time.perf_counter() < end:
        warm.append(_block(session, inputs, longest / 8))
        if len(warm) >= 3 and len(warm[-1]) > 1:
            before, last = np.median(warm[-2]), np.median(warm[-1])
            if abs(last - before) <= SAME * before:
                break
    return create_ms, first_ms, np.concatenate(warm) if warm else np.empty(0)


def _block(session: Session, inputs: Mapping[str, Any], seconds: float) -> Floats:
    return session.time(inputs, count=100_000, seconds=seconds).samples_ns / 1e6


def _interleave(
    sessions: Sequence[Session],
    names: Sequence[str],
    inputs: Mapping[str, Any],
    seconds: float,
    tell: Progress,
    cancel: threading.Event,
    rng: np.random.Generator,
) -> list[list[Floats]]:
    block_s = max(BLOCK_MIN_S, seconds / ROUNDS)
    taken: list[list[Floats]] = [[] for _ in sessions]
    rounds = max(ROUNDS_LEAST, round(seconds / block_s))
    end = time.perf_counter() + seconds * len(sessions)
    for number in range(rounds):
        # A block is at least one run, so a slow model's rounds would take longer than was asked for.
        if number >= ROUNDS_LEAST and time.perf_counter() > end:
            break
        for index in rng.permutation(len(sessions)):
            _go_on(cancel)
            tell(0.2 + 0.8 * number / rounds, f"round {number + 1} of {rounds}: {names[index]}")
            taken[index].append(_block(sessions[index], inputs, block_s))
    tell(1.0, "done")
    return taken


def random_inputs(model: Model, *, batch: int = 1, seed: int = 0) -> dict[str, Any]:
    """Inputs of the model's names, dtypes and shapes, with ``batch`` for every open dimension.

    Floats are standard normal, whole numbers 0 or 1 (always within a vocabulary, and a valid mask).

    Raises:
        WorkbenchError: if ``batch`` is not a whole number above 0.
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise WorkbenchError(f"batch is {batch!r}: give a whole number above 0")
    rng = np.random.default_rng(seed)
    made = {}
    for info in model.inputs:
        shape = tuple(batch if size == -1 else size for size in info.shape or ())
        if info.dtype == "bfloat16":
            # numpy has none; Paddle takes its bits, the upper half of a float32's, as uint16.
            bits = np.asarray(rng.standard_normal(shape), np.float32).view(np.uint32) >> 16
            made[info.name] = bits.astype(np.uint16)
            continue
        dtype = np.dtype(info.dtype or "float32")
        values = rng.standard_normal(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)
        made[info.name] = np.asarray(values).astype(dtype)
    return made
