"""Statistics of latencies: percentiles, intervals that count rounds not runs, a verdict on two configs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Verdict = Literal["faster", "slower", "no difference seen"]
Floats = npt.NDArray[np.float64]

# From fewer, no two of the measured values hold the median with 95 % confidence: 2 × 0.5⁵ is above 5 %.
ROUNDS_LEAST = 6


def percentiles(samples_ms: Floats) -> dict[str, float]:
    """p50, p90 and p99 of latencies, in the unit they come in."""
    p50, p90, p99 = np.percentile(samples_ms, [50, 90, 99])
    return {"p50_ms": float(p50), "p90_ms": float(p90), "p99_ms": float(p99)}


def median_interval(rounds: Sequence[Floats]) -> tuple[float, float] | None:
    """95 % interval of the median of all samples; None from fewer than `ROUNDS_LEAST` rounds.

    Runs that follow each other are alike, so rounds are counted and not runs: how far the share of samples
    below the median differs from round to round says between which percentiles it may lie (Woodruff's
    interval, for samples in clusters).
    """
    count = len(rounds)
    if count < ROUNDS_LEAST:
        return None
    from scipy.special import stdtrit

    samples = np.concatenate(rounds)
    middle = np.median(samples)
    excess = np.array([np.sum(np.sign(middle - one)) / 2 for one in rounds])
    deviation = math.sqrt(count / (count - 1) * float(np.sum(excess**2))) / len(samples)
    reach = float(stdtrit(count - 1, 0.975)) * deviation
    low, high = np.quantile(samples, [max(0.0, 0.5 - reach), min(1.0, 0.5 + reach)])
    return float(low), float(high)


def compare(a: Sequence[Floats], b: Sequence[Floats]) -> tuple[float, tuple[float, float] | None, Verdict]:
    """How ``b`` compares with ``a``, measured in the same rounds.

    Returns:
        The ratio of latencies b/a (the median over rounds, each of which had its own load and clock), its
        95 % interval (None from fewer than `ROUNDS_LEAST` rounds), and whether b is faster, slower or not
        seen to differ.
    """
    ratios = np.array([np.median(two) / np.median(one) for one, two in zip(a, b, strict=True)])
    interval = _between_ranks(ratios)
    verdict: Verdict = "no difference seen"
    if interval is not None and interval[1] < 1:
        verdict = "faster"
    elif interval is not None and interval[0] > 1:
        verdict = "slower"
    return float(np.median(ratios)), interval, verdict


def _between_ranks(values: Floats) -> tuple[float, float] | None:
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
