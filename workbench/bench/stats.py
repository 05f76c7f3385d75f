"""Statistics of latencies: percentiles with intervals, where warm-up ends, a verdict on two configs.

Runs that follow each other are alike, and two launches of one config differ by more than their runs do, so an
interval that counts every run as a new one is far too narrow. All intervals here resample or count whole
launches and whole rounds (Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Verdict = Literal["faster", "slower", "no difference seen"]
Floats = npt.NDArray[np.float64]

PERCENTILES = {"p50_ms": 50.0, "p90_ms": 90.0, "p95_ms": 95.0, "p99_ms": 99.0, "p99_9_ms": 99.9}
# Smaller differences are not called: by so much two builds of one program differ, too.
SMALLEST = 0.01
# Of the samples, at either end: the rare run that something else interrupts says nothing of the config.
TRIMMED = 0.05
# From fewer launches nothing can be said of how launches differ; rounds are counted then.
LAUNCHES_LEAST = 3
# From fewer rounds, no two of their values hold the median with 95 % confidence: 2 × 0.5⁵ is above 5 %.
ROUNDS_LEAST = 6
RESAMPLES = 2000
_CHUNK = 250


class Estimate(NamedTuple):
    """A number with its 95 % interval; the interval is None where there is too little to say."""

    value: float
    ci95: tuple[float, float] | None


def summary(launches: Sequence[Sequence[Floats]], seed: int = 0) -> dict[str, Estimate]:
    """Percentiles, mean and standard deviation of all samples, each with a 95 % interval by bootstrap.

    Launches are drawn with replacement, and rounds within each; of one or two launches, rounds alone. The
    percentile intervals are widened for the few that are drawn from (Hesterberg, "What Teachers Should Know
    About the Bootstrap", The American Statistician 69, 2015: expanded percentile intervals).

    Args:
        launches: the samples, per launch and round.
        seed: of the resampling.

    Returns:
        `Estimate` by name: those of `PERCENTILES`, ``mean_ms`` and ``std_ms``, in the unit of the samples.
    """
    rounds = [one for launch in launches for one in launch]
    samples = np.concatenate(rounds)
    values = {name: float(np.percentile(samples, share)) for name, share in PERCENTILES.items()}
    values["mean_ms"] = float(samples.mean())
    values["std_ms"] = float(samples.std(ddof=1)) if len(samples) > 1 else 0.0
    by_launch = len(launches) >= LAUNCHES_LEAST
    drawn_from = len(launches) if by_launch else len(rounds)
    if drawn_from < (LAUNCHES_LEAST if by_launch else ROUNDS_LEAST):
        return {name: Estimate(value, None) for name, value in values.items()}
    sizes = [len(launch) for launch in launches] if by_launch else [len(rounds)]
    found = _resampled(rounds, sizes, np.random.default_rng(seed))
    tail = _expanded_tail(drawn_from)
    intervals = {name: tuple(np.quantile(found[name], [tail, 1 - tail]).tolist()) for name in values}
    return {
        # The grid of the resamples is a little coarser than the samples.
        name: Estimate(value, (min(intervals[name][0], value), max(intervals[name][1], value)))
        for name, value in values.items()
    }


def _expanded_tail(count: int) -> float:
    """What to leave out at either end of the resamples for a 95 % interval, drawn from so few."""
    from scipy.special import ndtr, stdtrit

    reach = math.sqrt(count / (count - 1)) * float(stdtrit(count - 1, 0.975))
    return float(ndtr(-reach))


def _resampled(rounds: Sequence[Floats], sizes: Sequence[int], rng: np.random.Generator) -> dict[str, Floats]:
    """Each statistic of every resample; ``sizes`` are the rounds of each group that is drawn as a whole."""
    samples = np.sort(np.concatenate(rounds))
    # Quantiles are read off counts between fixed edges, dense in the tail.
    tail = 1 - np.geomspace(0.01, 1 / len(samples), 400) if len(samples) > 100 else np.empty(0)
    edges = np.unique(np.quantile(samples, np.union1d(np.linspace(0, 1, 1001), tail)))
    counts = np.array([np.bincount(np.searchsorted(edges, one), minlength=len(edges)) for one in rounds])
    moments = np.array([(len(one), one.sum(), np.square(one).sum()) for one in rounds])
    table = np.hstack([counts, moments]).astype(float)
    found: dict[str, list[Floats]] = {}
    for _ in range(RESAMPLES // _CHUNK):
        weights = _draws(np.array(sizes), rng)
        sums = weights @ table
        below = np.cumsum(sums[:, : len(edges)], axis=1)
        total, first, second = sums[:, -3:].T
        for name, share in PERCENTILES.items():
            places = (below < (share / 100 * total)[:, None]).sum(axis=1)
            found.setdefault(name, []).append(edges[np.minimum(places, len(edges) - 1)])
        mean = first / total
        found.setdefault("mean_ms", []).append(mean)
        spread = np.maximum(second / total - mean**2, 0) * total / np.maximum(total - 1, 1)
        found.setdefault("std_ms", []).append(np.sqrt(spread))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _draws(sizes: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """How often each round is in each of `_CHUNK` resamples: groups are drawn, then rounds within them."""
    count, starts = int(sizes.sum()), np.cumsum(sizes) - sizes
    weights = np.zeros(_CHUNK * count)
    rows = np.arange(_CHUNK)[:, None] * count
    for _ in sizes:
        group = rng.integers(0, len(sizes), _CHUNK)[:, None]
        within = (rng.random((_CHUNK, int(sizes.max()))) * sizes[group]).astype(np.int64)
        drawn = np.arange(within.shape[1]) < sizes[group]
        places = rows + starts[group] + within
        weights += np.bincount(places[drawn], minlength=len(weights))
    return weights.reshape(_CHUNK, count)


def warm_from(samples: Floats, batch: int = 5) -> int:
    """Where steady state begins, as the number of samples before it.

    The rule MSER-5: of all places to cut, in batches of five, the one after which the mean is known best, so
    that both leaving warm-up in and throwing steady samples away are paid for (White, "An Effective
    Truncation Heuristic for Bias Reduction in Simulation Output", Simulation 69, 1997). A cut in the second
    half says that steady state was not reached: then all of them are warm-up.
    """
    batches = len(samples) // batch
    if batches < 4:
        return len(samples)
    means = samples[: batches * batch].reshape(batches, batch).mean(axis=1)
    scores = [float(np.var(means[cut:]) / (batches - cut)) for cut in range(batches - 1)]
    cut = int(np.argmin(scores[: max(1, batches - 5)]))
    return cut * batch if cut <= batches // 2 else len(samples)


def compare(
    a: Sequence[Sequence[Floats]], b: Sequence[Sequence[Floats]]
) -> tuple[float, tuple[float, float] | None, Verdict]:
    """How ``b`` compares with ``a``, measured in turns: launch by launch and round by round.

    What is compared are geometric means, without the `TRIMMED` share of the samples at either end. On a core
    that is shared, runs are either fast or slow, and a median jumps between the two. Each launch gives one
    logarithm of a ratio, and those make the interval (Student's); of fewer than `LAUNCHES_LEAST`, the ranks
    of the rounds do, and launches are taken to be alike.

    Returns:
        The ratio of latencies b/a, its 95 % interval (None where there is too little to say), and a verdict:
        "faster" or "slower" where the whole interval is more than `SMALLEST` away from 1.
    """
    by_launch = len(a) >= LAUNCHES_LEAST
    parts = [
        [(np.concatenate(one), np.concatenate(two))] if by_launch else list(zip(one, two, strict=True))
        for one, two in zip(a, b, strict=True)
    ]
    logs = np.array([_middle(two) - _middle(one) for part in parts for one, two in part])
    interval: tuple[float, float] | None
    if by_launch:
        ratio, interval = student(logs)
    else:
        ratio, interval = float(np.median(logs)), between_ranks(logs)
    span = None if interval is None else (math.exp(interval[0]), math.exp(interval[1]))
    return math.exp(ratio), span, verdict(span)


def verdict(interval: tuple[float, float] | None) -> Verdict:
    """What can be said of a ratio with such a 95 % interval; None for one that is not known."""
    if interval is not None and interval[1] < 1 - SMALLEST:
        return "faster"
    if interval is not None and interval[0] > 1 + SMALLEST:
        return "slower"
    return "no difference seen"


def narrow(intervals: Iterable[tuple[float, float] | None], within: float) -> bool:
    """Whether all these ratios are known to within this share, 0.01 for ±1 %."""
    return all(one is not None and math.log(one[1] / one[0]) / 2 <= within for one in intervals)


def _middle(samples: Floats) -> float:
    """The mean of the logarithms, without those at either end."""
    ordered = np.sort(np.log(samples))
    cut = int(TRIMMED * len(ordered))
    return float(ordered[cut : len(ordered) - cut].mean())


def student(values: Floats) -> tuple[float, tuple[float, float]]:
    """The mean and its 95 % interval."""
    from scipy.special import stdtrit

    mean = float(values.mean())
    reach = float(stdtrit(len(values) - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return mean, (mean - reach, mean + reach)


def between_ranks(values: Floats) -> tuple[float, float] | None:
    """The narrowest pair of ranks that holds the median with at least 95 %, whatever the distribution."""
    count = len(values)
    below, rank = 0.0, 0
    while rank < count and below + math.comb(count, rank) / 2**count <= 0.025:
        below += math.comb(count, rank) / 2**count
        rank += 1
    if rank == 0:
        return None
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[count - rank])
