"""Candidates measured in turns with the base, within a time, and what may not be chosen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np

from workbench.bench.ablation.looking import FAILURES, Outputs, effect
from workbench.bench.benchmark import Case, Progress, cancels, go_on, measure, unique_labels
from workbench.bench.results import Benchmark
from workbench.bench.samples import Run
from workbench.bench.stats import ROUNDS_LEAST, Verdict, verdict
from workbench.bench.tuning.kept import Group, Kept, Looked, Measured, Score
from workbench.bench.tuning.schedule import Cost
from workbench.bench.tuning.space import Candidate, Goal, batch_of, repeated
from workbench.core import Session
from workbench.errors import CancelledError
from workbench.models import Model

# A candidate whose start, or whose block of runs, takes so many times the base's hangs, or is of no use.
SLOWEST, SLOWEST_LEAST_S = 20.0, 10.0
# Forking a worker and ending it.
PROCESS_S = 0.1


class OutOfTimeError(Exception):
    """The time for the whole tuning is over."""


class Clock:
    """The time of the whole tuning: when it is over, or ``cancel`` is set, so is `stop`."""

    def __init__(self, seconds: float, cancel: threading.Event) -> None:
        self.seconds = seconds
        self.stop = threading.Event()
        self._cancel = cancel
        self._began = time.monotonic()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="workbench-tuning", daemon=True)

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until it is over."""
        return self.seconds - self.spent

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            if self._cancel.is_set() or self.left <= 0:
                self.stop.set()

    def check(self) -> None:
        """Raise `CancelledError` once it is cancelled, `OutOfTimeError` once the time is over."""
        go_on(self._cancel)
        if self.left <= 0:
            raise OutOfTimeError

    def __enter__(self) -> Clock:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watcher.join()


@dataclass
class Bench:
    """Where candidates are measured.

    Attributes:
        cost: what measuring the base takes, as far as is known.
        base_rss: the most memory that the base held when it was looked at, in bytes.
    """

    model: Model
    base: Candidate
    inputs: Mapping[str, Any]
    goal: Goal
    kept: Kept
    clock: Clock
    progress: Progress
    memory_limit: int | None
    max_abs_diff: float | None
    time_limit: float | None
    seed: int
    record: bool
    cost: Cost = field(default_factory=lambda: Cost(0.0, 0.0))
    base_rss: int = 0
    _outputs: Outputs | None = None
    _share: float = 0.0

    def tell(self, text: str) -> None:
        """Say what happens now."""
        # What was measured by an earlier call leaves time over: then the share jumps to the end.
        self._share = max(self._share, min(1.0, self.clock.spent / self.clock.seconds))
        self.progress(self._share, text)

    # Looking

    def glance(self) -> Cost:
        """What measuring the base takes; its outputs are kept.

        Raises:
            WorkbenchError: as `Session.run`.
        """
        self.tell("starting the base")
        begin = time.monotonic()

        def see(session: Session) -> tuple[Outputs, Cost]:
            outputs = session.run(self.inputs)
            start_s = time.monotonic() - begin
            ns = session.time(self.inputs, count=5, seconds=0.2).samples_ns
            self.base_rss = session.memory()["peak_rss"]
            return outputs, Cost(start_s + PROCESS_S, float(np.median(ns)) / 1e9)

        self._outputs, self.cost = self._with(self.base, see)
        return self.cost

    def _with(self, candidate: Candidate, see: Callable[[Session], Any]) -> Any:
        session = Session(self.model, candidate.config, time_limit=self.limit())
        try:
            with session, cancels(self.clock.stop, [session]):
                self.clock.check()
                return see(session)
        except CancelledError:
            self.clock.check()
            raise

    def limit(self, cases: Sequence[Case] = ()) -> float | None:
        """What one native call of a candidate may take; of the base, what the user says."""
        if not self.cost.start_s:
            return self.time_limit
        rows = max((batch_of(self.model, case.inputs) for case in cases), default=self.base.batch)
        base = self.cost.start_s + ROUNDS_LEAST * self.cost.run_s * rows / self.base.batch
        most = max(SLOWEST_LEAST_S, SLOWEST * base)
        return most if self.time_limit is None else min(most, self.time_limit)

    def look(self, candidate: Candidate) -> None:
        """Set the outputs of a candidate beside the base's, on the base's inputs."""
        if candidate.config in self.kept.looked or candidate.config == self.base.config:
            return
        self.tell(f"{candidate.label(self.base)}: outputs")
        if self._outputs is None:
            self.glance()
        assert self._outputs is not None
        try:
            outputs = self._with(candidate, lambda session: session.run(self.inputs))
        except FAILURES as error:
            found = Looked(candidate.config, None, str(error))
        else:
            found = Looked(candidate.config, effect(outputs, self._outputs))
        self.kept.add_look(found)

    # Measuring

    def rung(self, name: str, candidates: Sequence[Candidate], seconds: float, group: int) -> None:
        """Measure what this rung does not know yet, so many at a time, each group with the base.

        Raises:
            CancelledError: it was cancelled.
            OutOfTimeError: the time of the whole tuning is over.
        """
        missing = [one for one in candidates if self.kept.score(one, name) is None]
        for at in range(0, len(missing), group):
            self._group(name, missing[at : at + group], seconds)

    def _group(self, rung: str, candidates: Sequence[Candidate], seconds: float) -> None:
        try:
            found = self.measure(self.cases(candidates), seconds, rung, len(self.kept.groups))
        except FAILURES as error:
            if len(candidates) == 1:
                failed = Measured(*candidates[0], Score(rung, error=str(error)))
                self.kept.add_group(Group((failed,), None, {}))
                return
            # One of them fails: halves, so that few launches find it.
            half = len(candidates) // 2
            for some in (candidates[:half], candidates[half:]):
                self._group(rung, some, seconds)
            return
        self.kept.add_group(self.group_of(rung, candidates, found))

    def cases(self, candidates: Sequence[Candidate]) -> list[Case]:
        """The base and these, to be measured in turns."""
        labels = self.labels(candidates)
        return [
            Case(labels[one], one.config, repeated(self.model, self.inputs, one.batch))
            for one in (self.base, *candidates)
        ]

    def labels(self, more: Sequence[Candidate] = ()) -> dict[Candidate, str]:
        """A name for the base, all that was tried and these: the same ones until the end, each but once."""
        known = list(dict.fromkeys([self.base, *self.kept.scores, *more]))
        return dict(zip(known, unique_labels(one.label(self.base) for one in known), strict=True))

    def measure(self, cases: Sequence[Case], seconds: float, where: str, launch: int) -> Benchmark:
        """One launch of each; ``launch`` tells it from others, and chooses its cores.

        Raises:
            WorkbenchError: as `measure`.
            OutOfTimeError: the time of the whole tuning is over.
        """
        self.clock.check()
        try:
            return measure(
                self.model,
                cases,
                seconds=seconds,
                within=0,
                launches=1,
                progress=lambda share, text: self.tell(f"{where}: {text.split(': ')[-1]}"),
                cancel=self.clock.stop,
                time_limit=self.limit(cases),
                seed=self.seed + launch,
                record=False,
                turn=launch,
            )
        except CancelledError:
            self.clock.check()
            raise

    def group_of(self, rung: str, candidates: Sequence[Candidate], found: Benchmark, **more: Any) -> Group:
        """What a measurement of the base and these says; ``more`` is what else its `Group` holds."""
        base = _score(rung, found.runs[0], 1.0, None, None)
        if base.ms is not None:
            self.cost = Cost(base.start_s, base.ms / 1e3)
        scores = []
        for one, run, compared in zip(candidates, found.runs[1:], found.comparisons, strict=True):
            # Of a batch, each sample has its part.
            per = self.base.batch / one.batch if self.goal == "throughput" else 1.0
            interval = None if compared.ci95 is None else (compared.ci95[0] * per, compared.ci95[1] * per)
            said = compared.verdict if per == 1 else verdict(interval)
            scores.append(Measured(*one, _score(rung, run, compared.ratio * per, interval, said)))
        launches = len(found.runs[0].launches)
        return Group(tuple(scores), base, dict(found.environment), launches=launches, **more)

    def cost_of(self, candidate: Candidate) -> Cost:
        """What measuring a candidate takes, from what is known of it, else of the base."""
        last = self.kept.last(candidate)
        if last is None or last.ms is None:
            return Cost(self.cost.start_s, self.cost.run_s * candidate.batch / self.base.batch)
        return Cost(last.start_s, last.ms / 1e3)

    # What may be chosen

    def why_not(self, candidate: Candidate) -> str | None:
        """Why a candidate may not be chosen, in words; None if it may, as far as is known."""
        for one in self.kept.scores.get(candidate, {}).values():
            why_not = self._why_not(one)
            if why_not is not None:
                return why_not
        looked = self.kept.looked.get(candidate.config)
        if looked is None:
            return None
        if looked.error is not None:
            return looked.error
        assert looked.effect is not None
        apart = looked.effect.max_abs
        if apart is None:
            return f"outputs: {looked.effect.words}"
        if self.max_abs_diff is not None and apart > self.max_abs_diff:
            return f"outputs differ by {apart:.2g}, more than the {self.max_abs_diff:.2g} allowed"
        return None

    def ratio_at(self, rung: str, candidate: Candidate) -> float | None:
        """What one rung says of a candidate; None if it failed or broke a limit there, or was not tried."""
        score = self.kept.score(candidate, rung)
        return None if score is None or self._why_not(score) is not None else score.ratio

    def _why_not(self, score: Score) -> str | None:
        peak, limit = score.peak_bytes, self.memory_limit
        if score.error is None and peak is not None and limit is not None and peak > limit:
            return f"takes {peak / 1e6:.0f} MB of memory, over the limit of {limit / 1e6:.0f} MB"
        return score.error

    def base_peak(self) -> int | None:
        """The most memory that the base held in any group."""
        peaks = [group.base.peak_bytes for group in self.kept.groups if group.base is not None]
        return max((peak for peak in peaks if peak is not None), default=None)


def _score(
    rung: str,
    run: Run,
    ratio: float,
    ci95: tuple[float, float] | None,
    verdict: Verdict | None,
) -> Score:
    starts = [launch.cold_ms / 1e3 + PROCESS_S for launch in run.launches]
    ms = float(np.median(run.samples_ms))
    return Score(rung, ratio, ci95, verdict, ms, run.peak_bytes, float(np.median(starts)))


def group_size(base_peak: int, candidates: int, most: int = 8) -> int:
    """How many candidates take turns: each holds the model in memory, of which half stays free."""
    import psutil

    fit = int(psutil.virtual_memory().available / 2 / max(base_peak, 1)) - 1
    return max(1, min(most, fit, candidates))
