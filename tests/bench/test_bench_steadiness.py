"""Remarks on made-up runs: each planted fault is said with its numbers, and sound runs have none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from workbench.bench.samples import Floats, Launch, Round, Run
from workbench.bench.steadiness import remarks
from workbench.config import InferenceConfig

# What is said of any small run, whatever its faults.
OF_SIZE = ("one launch only", "p99 rests", "p99.9 rests")


def run_of(*launches: Sequence[Round]) -> Run:
    made = tuple(Launch(100.0, 10.0, np.empty(0), tuple(rounds)) for rounds in launches)
    return Run("default", InferenceConfig(), (), made)


def made_run(
    *launches: Sequence[float],
    per_round: int = 50,
    others: Sequence[float] | None = None,
    mhz: Sequence[float] | None = None,
    spread: float = 0.1,
) -> Run:
    """Rounds of exactly the given medians, in milliseconds, whose samples are symmetric on a log scale."""
    shape = np.exp(spread * scipy_stats.norm.ppf((np.arange(per_round) + 0.5) / per_round))
    shape /= np.median(shape)
    rng = np.random.default_rng(0)
    made, number = [], 0
    for medians in launches:
        rounds = []
        for median in medians:
            rounds.append(
                Round(
                    median * rng.permutation(shape),
                    others=None if others is None else others[number],
                    mhz=None if mhz is None else mhz[number],
                )
            )
            number += 1
        made.append(rounds)
    return run_of(*made)


def faults(run: Run) -> list[str]:
    return [text for text in remarks(run) if not text.startswith(OF_SIZE)]


def noise(seed: int, count: int, spread: float) -> Floats:
    """Factors around 1."""
    return np.exp(np.random.default_rng(seed).normal(0, spread, count))


@pytest.mark.parametrize(
    ("launches", "rounds", "per_round", "sigma"),
    [(1, 20, 50, 0.1), (4, 4, 30, 0.3), (2, 6, 80, 0.5), (1, 12, 6, 0.3)],
)
def test_stationary_noise_is_sound(launches: int, rounds: int, per_round: int, sigma: float) -> None:
    """In at least 95 of 100 runs of lognormal latencies, whose rounds and launches differ by 2 % and 1 %."""
    flagged = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        run = run_of(
            *(
                [
                    Round(
                        5 * np.exp(place + rng.normal(0, 0.02) + rng.normal(0, sigma, per_round)),
                        others=rng.uniform(0, 0.08),
                        mhz=rng.normal(2500, 50),
                    )
                    for _ in range(rounds)
                ]
                for place in rng.normal(0, 0.01, launches)
            )
        )
        flagged += bool(faults(run))
    assert flagged <= 5


def test_a_sound_run_of_many_samples_in_several_launches_has_no_remark() -> None:
    assert remarks(made_run(*np.split(5 * noise(1, 100, 0.01), 5), per_round=100)) == ()


def test_gamma_latencies_are_sound() -> None:
    rng = np.random.default_rng(1)
    launches = [[Round(4 + rng.gamma(2, 0.2, 250)) for _ in range(10)] for _ in range(4)]
    assert remarks(run_of(*launches)) == ()


@pytest.mark.parametrize(("end", "word", "share"), [(6.0, "rose", 14), (4.0, "fell", 14)])
def test_drift(end: float, word: str, share: int) -> None:
    """In a line from 5 ms: the middles of the first and last seven of 21 rounds are 5.15 and 5.85 ms."""
    medians = np.linspace(5, end, 21)
    (text,) = faults(made_run(medians))
    assert text.startswith(f"latency {word} by {share}% from the first third of the rounds to the last: ")


def test_a_step_is_said_as_high_as_it_is() -> None:
    (text,) = faults(made_run([5.0] * 10 + [6.0] * 10))
    assert text.startswith("latency rose by 20% ")


def test_drift_below_5_percent_or_in_too_few_rounds_is_not_said() -> None:
    assert faults(made_run(np.linspace(5, 5.2, 100))) == []
    assert faults(made_run([5.0, 5.1, 5.5])) == []


def test_drift_over_several_launches() -> None:
    (text,) = faults(made_run(*np.split(np.linspace(5, 6.45, 30), 5)))
    # The middles of the first and last ten of 30 rounds are 5.225 and 6.225 ms.
    assert text.startswith("latency rose by 19% from the first third of the rounds to the last: ")


def test_drift_that_every_launch_repeats() -> None:
    (text,) = faults(made_run(*[np.linspace(6, 5, 9)] * 4))
    # 5.875 ms, the second of nine rounds, to 5.125 ms, the second last.
    assert text.startswith("latency fell by 13% from the first third of each launch's rounds to the last: ")
    assert "warm up for longer" in text


def test_the_trend_is_scipys_for_one_launch() -> None:
    """A run drifts if and only if Kendall's test has it below 1 % and the slope is steep enough."""
    said = expected = 0
    for seed in range(40):
        medians = np.linspace(5, 5.6, 12) * noise(seed, 12, 0.05)
        chance = scipy_stats.kendalltau(np.arange(12), medians, method="asymptotic").pvalue
        slope = scipy_stats.theilslopes(np.log(medians)).slope
        if 0.005 < chance < 0.02 or abs(slope * 11 - math.log(1.05)) < 0.01:
            # Scipy's has no correction for continuity, so the two differ beside the limit.
            continue
        expected += chance < 0.01 and abs(slope * 11) > math.log(1.05)
        said += any(text.startswith("latency ") for text in faults(made_run(medians)))
    assert said == expected > 5


def test_launches_that_differ() -> None:
    (text,) = faults(made_run([5.0, 5.05, 4.95] * 2, [5.6, 5.65, 5.55] * 2, [4.8, 4.85, 4.75] * 2))
    assert text.startswith(
        "its 3 launches differ by 17% (medians from 4.8 ms to 5.6 ms), more than the rounds"
    )
    assert "measure more launches" in text


def test_launches_whose_rounds_differ_as_much_are_not_said_to_differ() -> None:
    rng = np.random.default_rng(3)
    said = [faults(made_run(*(5 * np.exp(rng.normal(0, 0.06, (4, 5)))))) for _ in range(30)]
    assert sum(any("launches differ" in text for text in texts) for texts in said) <= 2


def test_instability() -> None:
    medians = 5 * noise(5, 40, 0.2)
    (text,) = faults(made_run(medians))
    expected = scipy_stats.variation(medians, ddof=1)
    assert text.startswith(
        f"unstable: the medians of its rounds vary by {expected:.0%} (coefficient of variation)"
    )


def test_two_levels() -> None:
    (text,) = faults(made_run([4.0, 6.0, 6.0] * 6))
    assert "two levels, 4 ms (6 rounds) and 6 ms (12 rounds)" in text


def test_one_level_is_not_said_to_be_two() -> None:
    """Neither of normal nor of evenly spread medians, the hardest shape with one level."""
    rng = np.random.default_rng(6)
    said = 0
    for count in (12, 20, 40):
        for _ in range(25):
            for medians in (5 * np.exp(rng.normal(0, 0.15, count)), rng.uniform(4, 6, count)):
                said += any("two levels" in text for text in faults(made_run(medians, per_round=5)))
    assert said <= 3


def test_load_from_others() -> None:
    (text,) = faults(made_run([5.0] * 20, others=[0.2, 0.23, 0.26, 0.23] * 5))
    assert text.startswith("other programs took 23% of the processor time (median of the rounds): end them")
    assert faults(made_run([5.0] * 20, others=[0.08] * 20)) == []


def test_latency_that_follows_the_load() -> None:
    """Even where it is small, and said once: the load is why the rounds are unstable."""
    others = np.tile([0.0, 0.02, 0.06, 0.08], 6) + np.random.default_rng(7).uniform(0, 0.005, 24)
    (text,) = faults(made_run(5 * (1 + 5 * others), others=list(others)))
    assert "other programs took 4% of the processor time" in text
    slower = np.median(1 + 5 * others[others > 0.04]) / np.median(1 + 5 * others[others < 0.04]) - 1
    assert f"are {slower:.0%} slower" in text
    known = made_run(5 * (1 + 5 * others[::-1]), others=list(others))
    assert not any("other programs" in text for text in faults(known))


def test_throttling_is_said_in_place_of_the_drift_it_causes() -> None:
    clock = np.linspace(3000, 2400, 21)
    (text,) = faults(made_run(5 * 3000 / clock, mhz=list(clock)))
    # The fourth of 21 rounds has 2910 MHz, the fourth last 2490.
    assert text.startswith("the clock fell by 14% (2910 to 2490 MHz) and latency rose by 17% ")
    assert faults(made_run([5.0] * 21, mhz=list(clock))) == []
    (drift,) = faults(made_run(np.linspace(6, 5, 21), mhz=list(clock)))
    assert drift.startswith("latency fell")


def test_outliers() -> None:
    rounds = [Round(one.samples_ms.copy()) for one in made_run([5.0] * 20, per_round=100).rounds]
    for one in rounds:
        one.samples_ms[[10, 50, 90]] = 100.0
    (text,) = faults(run_of(rounds))
    # Three of a hundred, 300 ms beside 97 samples of about 5 ms.
    assert text.startswith("3.0% of the samples are outliers")
    assert "take 38% of the time" in text


def test_few_or_near_outliers_are_not_said() -> None:
    rounds = [Round(one.samples_ms.copy()) for one in made_run([5.0] * 20, per_round=100).rounds]
    for one in rounds[:10]:
        one.samples_ms[10] = 100.0
    assert faults(run_of(rounds)) == []
    # A clock of coarse steps gives rounds without spread: what is 1 % above is beyond every fence.
    steps = [Round(np.array([5.0] * 95 + [5.05] * 5)) for _ in range(20)]
    assert faults(run_of(steps)) == []


@pytest.mark.parametrize("launches", [1, 3])
def test_a_warm_up_that_is_not_over(launches: int) -> None:
    first = made_run([5.0], per_round=100, spread=0.03).samples_ms.copy()
    first[:30] = np.median(first[30:]) * np.linspace(2.0, 1.3, 30)
    rest = made_run([5.0] * 9, per_round=100, spread=0.03).rounds
    (text,) = faults(run_of(*[[Round(first), *rest]] * launches))
    assert text.startswith("warm-up was not over: the first 30 samples of the first round are 65% slower")
    assert ("in 3 of 3 launches" in text) == (launches == 3)
    # One of three is something else that happened then.
    if launches == 3:
        assert faults(run_of([Round(first), *rest], rest, rest)) == []


@pytest.mark.parametrize(
    ("count", "says"),
    [
        (1, "p99 rests on the slowest of 1 sample: there is no percentile with at least 10 beyond it"),
        (19, "p99 rests on the slowest of 19 samples: there is no percentile"),
        (
            20,
            "p99 rests on the slowest of 20 samples: p50 is the highest percentile",
        ),
        (100, "p99 rests on the slowest of 100 samples: p90 is the highest"),
        (200, "p99 rests on the 2 slowest of 200 samples: p95 is the highest"),
        (999, "p99 rests on the 10 slowest of 999 samples: p95 is the highest"),
        (1000, "p99.9 rests on the slowest of 1000 samples: p99 is the highest"),
        (9999, "p99.9 rests on the 10 slowest of 9999 samples: p99 is the highest"),
        (10000, None),
    ],
)
def test_percentiles_that_rest_on_too_few_samples(count: int, says: str | None) -> None:
    texts = [text for text in remarks(made_run([5.0], per_round=count)) if "rests on" in text]
    assert len(texts) == (says is not None)
    assert says is None or texts[0].startswith(says)


def test_one_launch_is_said() -> None:
    assert remarks(made_run([5.0] * 10, per_round=1000))[-1].startswith("one launch only")
    assert not any("one launch" in text for text in remarks(made_run([5.0] * 5, [5.0] * 5)))


def test_a_run_without_samples_has_no_remarks() -> None:
    assert remarks(run_of()) == ()
    assert remarks(run_of([], [Round(np.empty(0)), Round(np.array([0.0, -1.0, math.nan, math.inf]))])) == ()


number = st.one_of(
    st.floats(1e-6, 1e9),
    st.sampled_from([5.0, 5.0, 5.1, 0.0, -1.0, math.nan, math.inf, 1e-300, 1e300]),
)
share = st.one_of(st.none(), st.floats(0, 1), st.just(math.nan))
clock = st.one_of(st.none(), st.floats(0, 1e5), st.just(2500.0))
one_round = st.builds(
    lambda samples, times, others, mhz: Round(
        np.repeat(np.array(samples, np.float64), times), 0.0, others, mhz
    ),
    st.lists(number, max_size=8),
    st.integers(1, 10),
    share,
    clock,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(one_round, max_size=12), max_size=4))
@pytest.mark.filterwarnings("error")
def test_anything_gives_plain_sentences(launches: list[list[Round]]) -> None:
    for text in remarks(run_of(*launches)):
        assert text == " ".join(text.split())
        assert not {"nan", "inf", "None"} & set(text.replace("%", " ").replace(",", " ").split())
        assert ": " in text
