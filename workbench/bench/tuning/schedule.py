"""How the time goes: rungs of fewer and fewer candidates with longer and longer measurement.

Successive halving (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016), a third staying at each rung with three times the measurement, so that every
rung takes as long (Li et al., "Hyperband", JMLR 18, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from workbench.bench.stats import ROUNDS_LEAST

ETA = 3
# So few are measured with the base to the end.
FINALISTS = 3
# Steady-state measurement of one candidate at the first rung, in seconds: the least gives six rounds.
SECONDS_LEAST, SECONDS_MOST = 0.12, 0.6
# A launch has some runs beside those of its rounds: the first, and the warm-up.
RUNS_BESIDE = 3


class Cost(msgspec.Struct, frozen=True):
    """What measuring takes, in seconds: a launch until the predictor has run once, and a run."""

    start_s: float
    run_s: float

    def of(self, seconds: float, launches: int = 1) -> float:
        """One candidate with so much measurement in so many launches."""
        steady = max(seconds / launches, ROUNDS_LEAST * self.run_s)
        return launches * (self.start_s + RUNS_BESIDE * self.run_s + seconds / launches / 4 + steady)


class Rungs(msgspec.Struct, frozen=True):
    """How many candidates each rung has, and the seconds of measurement of each at the first one."""

    sizes: tuple[int, ...]
    seconds: float


def sizes(count: int) -> tuple[int, ...]:
    """How many candidates each rung has before the finalists: a third stays."""
    found = []
    while count > FINALISTS:
        found.append(count)
        count = math.ceil(count / ETA)
    return tuple(found)


def rungs(count: int, cost: Cost, seconds: float, group: int) -> Rungs:
    """The rungs for at most ``count`` candidates that fit into a time.

    Args:
        count: how many there are.
        cost: what one takes, as far as is known.
        seconds: the time for all rungs.
        group: how many take turns with the base, which each group measures, too.

    Returns:
        Rungs of as many candidates as fit with the least measurement; then as much of it as fits. A single
        one, where they are so few that all of them are finalists.
    """

    def takes(found: Sequence[int], first: float) -> float:
        return sum(
            (size + math.ceil(size / group)) * cost.of(first * ETA**rung) for rung, size in enumerate(found)
        )

    # More than would fit into the first rung alone need not be looked at, and a space may have millions.
    count = min(count, max(FINALISTS, int(seconds / cost.of(SECONDS_LEAST)) + 1))
    while count > FINALISTS and takes(sizes(count), SECONDS_LEAST) > seconds:
        count -= 1
    found = sizes(count)
    first = SECONDS_LEAST
    while found and first * 1.1 <= SECONDS_MOST and takes(found, first * 1.1) <= seconds:
        first *= 1.1
    return Rungs(found or (count,), first)


def survivors(
    scores: Sequence[tuple[float, tuple[float, float] | None]], keep: int, spare: int = 0
) -> list[int]:
    """Which candidates go on, the best first.

    Args:
        scores: their ratios to the base with 95 % intervals, None where there is too little to say.
        keep: how many go on.
        spare: how many more may, whose intervals reach below the ratio of the last one kept: noise alone does
            not drop them.

    Returns:
        Places in ``scores``; fewer than ``keep`` where the others are slower beyond doubt than the best.
    """
    order = sorted(range(len(scores)), key=lambda place: scores[place][0])
    if not order:
        return []
    best = scores[order[0]][1]
    ceiling = math.inf if best is None else best[1]
    lows = [score[1][0] if score[1] is not None else 0.0 for score in scores]
    kept = [place for place in order[:keep] if lows[place] <= ceiling]
    if len(kept) < keep:
        return kept
    cut = scores[kept[-1]][0]
    return kept + [place for place in order[keep:] if lows[place] <= cut][:spare]


def final_launches(
    costs: Sequence[Cost], seconds: float, each_most: float, launches_most: int = 10
) -> tuple[int, float]:
    """Launches and seconds of measurement per candidate that fit into a time, the base included.

    As many launches as leave each six rounds, since no two launches are alike; 1 where not even that fits.
    """
    for launches in range(launches_most, 0, -1):
        least = launches * ROUNDS_LEAST * 0.02
        if sum(cost.of(least, launches) for cost in costs) <= seconds:
            each = least
            while each * 1.1 <= each_most and sum(cost.of(each * 1.1, launches) for cost in costs) <= seconds:
                each *= 1.1
            return launches, each
    return 1, SECONDS_LEAST
