"""The finals: the finalists and the base in turns, launch after launch, as long as the time lasts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from workbench.bench.ablation.looking import FAILURES
from workbench.bench.benchmark import LAUNCHES_MOST, LAUNCHES_TO_STOP, Case
from workbench.bench.recording import model_facts, record_whole, shapes_of
from workbench.bench.results import Benchmark
from workbench.bench.samples import Launch
from workbench.bench.stats import LAUNCHES_LEAST, narrow
from workbench.bench.tuning.kept import FINAL, Group, Measured, Score
from workbench.bench.tuning.measuring import Bench, OutOfTimeError
from workbench.bench.tuning.schedule import Cost, final_launches
from workbench.bench.tuning.space import Candidate
from workbench.core.tensors import check_inputs

# The finals are planned with so much of the time that is left: the machine may be slower by then.
SHARE = 0.7
# Measurement of a finalist, at most, in seconds.
MOST_S = 5.0
WITHIN = 0.01


def finals(bench: Bench, best: Sequence[Candidate]) -> None:
    """Measure the finalists, or fewer of them if that gives each enough launches.

    Args:
        bench: where.
        best: the finalists, the best first; at least one.

    Raises:
        CancelledError: it was cancelled.
        OutOfTimeError: the time was over before the first launch was.
    """
    left = bench.clock.left * SHARE
    for count in range(len(best), 0, -1):
        costs: list[Cost] = [bench.cost, *(bench.cost_of(one) for one in best[:count])]
        launches, seconds = final_launches(costs, left, MOST_S, LAUNCHES_MOST)
        if launches >= LAUNCHES_LEAST or count == 1:
            _measure(bench, best[:count], launches, seconds / launches, tuple(best[:count]))
            return


def _measure(
    bench: Bench,
    best: Sequence[Candidate],
    launches: int,
    seconds: float,
    finalists: tuple[Candidate, ...],
) -> None:
    """One launch after the other, so that those there are count if one fails or the time is over.

    Args:
        bench: where.
        best: who takes turns.
        launches: how many of each.
        seconds: measurement of each in a launch.
        finalists: these and those that are measured apart from them.
    """
    cases = bench.cases(best)
    began = datetime.now(timezone.utc)
    found: Benchmark | None = None
    failed = None
    first = time.monotonic()
    try:
        for number in range(launches):
            begin = time.monotonic()
            one = bench.measure(cases, seconds, f"final, launch {number + 1} of {launches}", number)
            found = one if found is None else _joined(found, one, begin - first)
            if bench.clock.left < time.monotonic() - begin or _narrow(found):
                break
    except OutOfTimeError:
        if found is None:
            raise
    except FAILURES as error:
        if found is None or len(found.runs[0].launches) < LAUNCHES_LEAST:
            if len(best) == 1:
                score = Measured(*best[0], Score(FINAL, error=str(error)))
                bench.kept.add_group(Group((score,), None, {}, finalists=finalists))
                return
            # One of them fails: the others are measured without it.
            for some in (best[: len(best) // 2], best[len(best) // 2 :]):
                _measure(bench, some, launches, seconds, finalists)
            return
        failed = f"launch {number + 1} of the finals failed: {error}"
    assert found is not None
    entry = _recorded(bench, cases, found, seconds * launches, began)
    bench.kept.add_group(bench.group_of(FINAL, best, found, entry=entry, failed=failed, finalists=finalists))


def _joined(before: Benchmark, more: Benchmark, after_s: float) -> Benchmark:
    """Both as one, of which the second began so many seconds after the first."""
    runs = tuple(
        replace(one, launches=(*one.launches, *(_later(launch, after_s) for launch in other.launches)))
        for one, other in zip(before.runs, more.runs, strict=True)
    )
    return Benchmark(before.model, runs, before.environment)


def _later(launch: Launch, seconds: float) -> Launch:
    rounds = tuple(replace(one, began_s=one.began_s + seconds) for one in launch.rounds)
    return replace(launch, rounds=rounds)


def _narrow(found: Benchmark) -> bool:
    """Whether every ratio is known well enough to stop."""
    if len(found.runs[0].launches) < LAUNCHES_TO_STOP:
        return False
    return narrow([one.ci95 for one in found.comparisons], WITHIN)


def _recorded(
    bench: Bench, cases: Sequence[Case], found: Benchmark, seconds: float, began: datetime
) -> int | None:
    """Write it into the history, as one measurement; its id, or None."""
    if not bench.record:
        return None
    shapes = shapes_of([check_inputs(case.inputs, bench.model.inputs) for case in cases])
    return record_whole("tuning", model_facts(bench.model), found, shapes, seconds, began)
