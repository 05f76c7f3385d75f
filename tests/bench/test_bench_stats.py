"""Statistics against numpy, scipy and planted truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from workbench.bench.stats import compare, median_interval, percentiles

TRIES = 400
ROUNDS = 20


def rounds_of(rng: np.random.Generator, scale: float = 1.0, count: int = ROUNDS) -> list[Any]:
    """Latencies whose true median is ``scale``: each round has a load and a number of runs of its own."""
    return [
        scale * np.exp(rng.normal(0, 0.05) + rng.normal(0, 0.1, rng.integers(20, 60))) for _ in range(count)
    ]


def test_percentiles_are_numpys() -> None:
    assert percentiles(np.arange(101.0)) == {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0}
    samples = np.random.default_rng(1).gamma(2, 3, 997)
    for name, share in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)):
        assert percentiles(samples)[name] == pytest.approx(np.quantile(samples, share))
    assert percentiles(np.array([4.0])) == {"p50_ms": 4.0, "p90_ms": 4.0, "p99_ms": 4.0}


def test_the_interval_of_a_median_covers_it_and_holds_p50() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(TRIES):
        rounds = rounds_of(rng)
        found = median_interval(rounds)
        assert found is not None
        low, high = found
        assert low <= np.median(np.concatenate(rounds)) <= high
        covered += low <= 1.0 <= high
    # 95 % of 400 is 380; below 366 has a chance of one in 1000 if the interval is what it says.
    assert covered >= scipy_stats.binom.ppf(0.001, TRIES, 0.95)


def test_rounds_are_counted_and_not_runs() -> None:
    rng = np.random.default_rng(3)
    few = rounds_of(rng)
    # The same rounds with every run a hundred times over know nothing more of the machine.
    many = [np.repeat(one, 100) for one in few]
    assert median_interval(many) == pytest.approx(median_interval(few), rel=0.01)


def test_one_run_per_round_is_an_interval_of_ranks() -> None:
    found = median_interval([np.array([value]) for value in np.arange(1.0, 21.0)])
    assert found is not None
    # The sign test's ranks for 20 values are 6 and 15.
    assert found == pytest.approx((6, 15), abs=0.5)


@pytest.mark.parametrize("count", [6, 7, 20, 51])
def test_the_interval_of_a_ratio_is_the_sign_tests(count: int) -> None:
    rng = np.random.default_rng(count)
    ratios = rng.gamma(5, 0.2, count)
    _, interval, _ = compare([np.array([1.0])] * count, [np.array([ratio]) for ratio in ratios])
    assert interval is not None
    for low_side, edge in ((True, interval[0]), (False, interval[1])):
        inside = np.sum(ratios < edge) if low_side else np.sum(ratios > edge)
        # The edge itself is not refused at 2.5 % on its side, and the next value out would not be needed.
        assert scipy_stats.binom.cdf(inside, count, 0.5) <= 0.025
        assert scipy_stats.binom.cdf(inside + 1, count, 0.5) > 0.025


def test_too_few_rounds_give_no_interval_and_no_verdict() -> None:
    slow, fast = [np.array([9.0])] * 5, [np.array([1.0])] * 5
    assert median_interval(slow) is None
    ratio, interval, verdict = compare(slow, fast)
    assert (ratio, interval, verdict) == (pytest.approx(1 / 9), None, "no difference seen")


def test_identical_distributions_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(4)
    for count in (6, ROUNDS):
        seen = sum(
            compare(rounds_of(rng, count=count), rounds_of(rng, count=count))[2] != "no difference seen"
            for _ in range(TRIES)
        )
        assert seen <= scipy_stats.binom.ppf(0.999, TRIES, 0.05)


@pytest.mark.parametrize(("factor", "verdict"), [(0.8, "faster"), (1.25, "slower")])
def test_a_planted_shift_is_found(factor: float, verdict: str) -> None:
    rng = np.random.default_rng(5)
    found, covered = 0, 0
    for _ in range(TRIES):
        ratio, interval, said = compare(rounds_of(rng), rounds_of(rng, factor))
        assert interval is not None
        assert interval[0] <= ratio <= interval[1]
        found += said == verdict
        covered += interval[0] <= factor <= interval[1]
    assert found == TRIES
    assert covered >= scipy_stats.binom.ppf(0.001, TRIES, 0.95)


def test_load_that_meets_both_alike_does_not_hide_a_difference() -> None:
    rng = np.random.default_rng(6)
    load = np.exp(rng.normal(0, 0.5, ROUNDS))
    a = [scale * np.exp(rng.normal(0, 0.02, 30)) for scale in load]
    b = [scale * 0.95 * np.exp(rng.normal(0, 0.02, 30)) for scale in load]
    ratio, _, verdict = compare(a, b)
    assert verdict == "faster"
    assert ratio == pytest.approx(0.95, abs=0.01)
