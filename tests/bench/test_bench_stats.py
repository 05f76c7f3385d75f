"""Statistics against numpy, scipy, published values and planted truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from workbench.bench.stats import PERCENTILES, SMALLEST, between_ranks, compare, summary, warm_from

TRIES = 200
ROUNDS = 20
Launches = list[list[Any]]


def launches_of(
    rng: np.random.Generator, scale: float = 1.0, count: int = 6, *, apart: float = 0.004
) -> Launches:
    """Latencies whose true median is ``scale``: launches differ by ``apart``, rounds by 2 %, runs by 10 %."""
    return [
        [
            scale * np.exp(launch + rng.normal(0, 0.02) + rng.normal(0, 0.1, rng.integers(20, 60)))
            for _ in range(6)
        ]
        for launch in rng.normal(0, apart, count)
    ]


def at_least(share: float, tries: int = TRIES) -> int:
    """What a true share of so many gives in all but one of a thousand tests."""
    return int(scipy_stats.binom.ppf(0.001, tries, share))


def test_values_are_numpys() -> None:
    launches = launches_of(np.random.default_rng(1))
    samples = np.concatenate([one for launch in launches for one in launch])
    found = summary(launches)
    for name, share in PERCENTILES.items():
        assert found[name].value == np.percentile(samples, share)
    assert found["mean_ms"].value == pytest.approx(np.mean(samples))
    assert found["std_ms"].value == pytest.approx(np.std(samples, ddof=1))
    for value, interval in found.values():
        assert interval is not None
        assert interval[0] <= value <= interval[1]


def test_intervals_are_those_of_scipys_bootstrap_but_for_the_widening() -> None:
    """Of single samples in one launch the resampling is the plain bootstrap."""
    rng = np.random.default_rng(2)
    samples = rng.gamma(3, 1, 60)
    rounds = [np.array([one]) for one in samples]
    # The widening for 60 draws, from the published formula with scipy's own distributions.
    tail = scipy_stats.norm.cdf(-np.sqrt(60 / 59) * scipy_stats.t.ppf(0.975, 59))
    statistics = {"mean_ms": np.mean, "p50_ms": np.median, "std_ms": lambda x, axis: np.std(x, axis, ddof=1)}
    for name, statistic in statistics.items():
        theirs = scipy_stats.bootstrap(
            (samples,),
            statistic,
            confidence_level=1 - 2 * tail,
            method="percentile",
            n_resamples=20_000,
            random_state=3,
        ).confidence_interval
        assert summary([rounds])[name].ci95 == pytest.approx((theirs.low, theirs.high), rel=0.04)


def test_intervals_cover_what_is_true() -> None:
    """Launches that differ as much as runs do: counted as runs, the intervals would be far too narrow."""
    rng = np.random.default_rng(4)
    many = np.concatenate([np.concatenate(one) for one in launches_of(rng, count=4000, apart=0.03)])
    truth = {"p50_ms": 1.0, "p90_ms": float(np.percentile(many, 90)), "mean_ms": float(many.mean())}
    covered = dict.fromkeys(truth, 0)
    for seed in range(30):
        found = summary(launches_of(rng, count=5, apart=0.03), seed)
        for name, value in truth.items():
            low, high = found[name].ci95 or (np.nan, np.nan)
            covered[name] += low <= value <= high
    # With so few launches the bootstrap promises no more than about 95 %.
    assert min(covered.values()) >= at_least(0.93, 30)


def test_runs_that_are_alike_are_not_counted_as_new_ones() -> None:
    few = launches_of(np.random.default_rng(5))
    many = [[np.repeat(one, 50) for one in launch] for launch in few]
    ours, theirs = summary(few), summary(many)
    for name in ("p50_ms", "p90_ms", "mean_ms"):
        assert theirs[name].ci95 == pytest.approx(ours[name].ci95, rel=0.01)


def test_too_little_gives_no_interval() -> None:
    slow, fast = [[np.array([9.0])] * 5], [[np.array([1.0])] * 5]
    assert all(interval is None for _, interval in summary(slow).values())
    assert compare(slow, fast) == (pytest.approx(1 / 9), None, "no difference seen")


# W. S. Gosset's data on two soporifics (Student, "The probable error of a mean", Biometrika 6, 1908): hours
# of sleep gained by ten patients with one and with the other. R's help of `t.test` has the interval of the
# paired difference, -2.4598858 to -0.7001142.
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def test_the_interval_of_a_ratio_is_students() -> None:
    a, b = ([[np.array([np.exp(hours)])] for hours in group] for group in reversed(SLEEP))
    ratio, interval, verdict = compare(a, b)
    assert interval is not None
    assert np.log(interval) == pytest.approx([-2.4598858, -0.7001142], abs=1e-6)
    assert np.log(ratio) == pytest.approx(-1.58)
    assert verdict == "faster"


def test_a_launch_counts_with_its_trimmed_geometric_mean() -> None:
    rng = np.random.default_rng(11)
    a, b = ([[rng.gamma(2, 1, 20) for _ in range(6)] for _ in range(4)] for _ in range(2))
    middles = [
        [scipy_stats.trim_mean(np.log(np.concatenate(launch)), 0.05) for launch in one] for one in (a, b)
    ]
    expected = scipy_stats.ttest_rel(*reversed(middles)).confidence_interval(0.95)
    _, interval, _ = compare(a, b)
    assert interval is not None
    assert np.log(interval) == pytest.approx([expected.low, expected.high])


@pytest.mark.parametrize("count", [6, 7, 20, 51])
def test_of_one_launch_the_interval_of_a_ratio_is_the_sign_tests(count: int) -> None:
    rng = np.random.default_rng(count)
    ratios = rng.gamma(5, 0.2, count)
    _, interval, _ = compare([[np.array([1.0])] * count], [[np.array([ratio]) for ratio in ratios]])
    assert interval is not None
    for edge, inside in ((0, ratios < interval[0] * (1 - 1e-9)), (1, ratios > interval[1] * (1 + 1e-9))):
        # The edge itself is not refused at 2.5 % on its side, and the next value out would not be needed.
        assert scipy_stats.binom.cdf(inside.sum(), count, 0.5) <= 0.025, edge
        assert scipy_stats.binom.cdf(inside.sum() + 1, count, 0.5) > 0.025, edge


def test_ranks_for_twenty_values_are_those_of_the_tables() -> None:
    # Conover, "Practical Nonparametric Statistics": of 20 values the 6th and the 15th hold the median.
    assert between_ranks(np.arange(1.0, 21.0)) == (6, 15)
    assert between_ranks(np.arange(5.0)) is None


def test_the_same_is_seldom_told_apart() -> None:
    rng = np.random.default_rng(6)
    for apart, tries in ((0.0, TRIES), (0.01, TRIES)):
        calls = sum(
            compare(launches_of(rng, apart=apart), launches_of(rng, apart=apart))[2] != "no difference seen"
            for _ in range(tries)
        )
        assert calls <= 0.05 * tries


@pytest.mark.parametrize(("factor", "verdict"), [(0.95, "faster"), (1.05, "slower")])
def test_a_planted_shift_is_found(factor: float, verdict: str) -> None:
    rng = np.random.default_rng(7)
    found, covered = 0, 0
    for _ in range(TRIES):
        ratio, interval, said = compare(launches_of(rng, count=10), launches_of(rng, factor, count=10))
        assert interval is not None
        assert interval[0] <= ratio <= interval[1]
        found += said == verdict
        covered += interval[0] <= factor <= interval[1]
    assert found >= 0.95 * TRIES
    assert covered >= at_least(0.95)


def test_what_is_smaller_than_two_builds_differ_by_is_not_called() -> None:
    exact = [[np.array([1.0])] * 6] * 6
    for factor, verdict in ((1 + SMALLEST * 0.9, "no difference seen"), (1 + SMALLEST * 1.1, "slower")):
        assert compare(exact, [[one * factor for one in launch] for launch in exact])[2] == verdict


def test_load_that_meets_both_alike_does_not_hide_a_difference() -> None:
    rng = np.random.default_rng(8)
    load = np.exp(rng.normal(0, 0.5, (5, 6)))
    a = [[scale * np.exp(rng.normal(0, 0.02, 30)) for scale in launch] for launch in load]
    b = [[scale * 0.95 * np.exp(rng.normal(0, 0.02, 30)) for scale in launch] for launch in load]
    ratio, _, verdict = compare(a, b)
    assert verdict == "faster"
    assert ratio == pytest.approx(0.95, abs=0.01)


def test_warm_up_ends_where_it_was_planted() -> None:
    rng = np.random.default_rng(9)
    for planted in (0, 20, 60):
        samples = rng.normal(10, 0.3, 300)
        samples[:planted] += np.linspace(12, 3, planted)
        assert planted <= warm_from(samples) <= planted + 40


def test_what_still_falls_is_all_warm_up() -> None:
    falling = np.linspace(20, 10, 200) + np.random.default_rng(10).normal(0, 0.1, 200)
    assert warm_from(falling) == 200
    assert warm_from(np.array([5.0, 1.0])) == 2


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60), st.integers(1, 4))
def test_any_latencies_have_a_summary(values: list[float], parts: int) -> None:
    launches = [[np.array(values)] * 2] * parts
    for value, interval in summary(launches).values():
        assert np.isfinite(value)
        assert interval is None or interval[0] <= value <= interval[1]
    assert 0 <= warm_from(np.array(values)) <= len(values)
    assert compare(launches, launches)[2] == "no difference seen"
