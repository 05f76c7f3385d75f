"""`tune`: how many are tried, for how long, which of them next, and which of them are left."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tuning_world import BASE

import workbench as wb
from workbench.bench.tuning import Tuning, schedule
from workbench.bench.tuning.kept import FINAL, Score
from workbench.bench.tuning.propose import Listed, Sampled
from workbench.bench.tuning.results import Trial
from workbench.bench.tuning.schedule import ETA, FINALISTS, Cost, rungs, sizes, survivors
from workbench.bench.tuning.space import Candidate, batch_of, given_space, repeated
from workbench.models import Model


def test_a_space_of_any_size_is_begun_at_once() -> None:
    began = time.process_time()
    found = rungs(10**9, Cost(0.4, 0.01), 60, 8)
    assert time.process_time() - began < 1
    # Twice as many as that would take twice as long.
    assert found == rungs(1000, Cost(0.4, 0.01), 60, 8)


def test_inputs_are_repeated_in_their_order(digits: Model) -> None:
    rows = np.arange(3 * 64, dtype=np.float32).reshape(3, 1, 8, 8)
    assert batch_of(digits, {"image": rows}) == 3
    more = repeated(digits, {"image": rows}, 7)["image"]
    assert more.shape == (7, 1, 8, 8)
    assert [float(one.flat[0]) for one in more] == [0, 64, 128, 0, 64, 128, 0]


def test_combinations_that_are_equal_or_mean_nothing_are_tried_once(digits: Model) -> None:
    asked = {"precision": ["fp32", "bf16"], "onednn": [True, False], "ir_optim": [True, False]}
    found = list(given_space(digits, Candidate(BASE, 1), "latency", asked, onednn=True).all())
    assert {one.config for one in found} == {
        wb.InferenceConfig(onednn=False),
        wb.InferenceConfig(precision="bf16"),
        wb.InferenceConfig(ir_optim=False),
    }
    assert len(found) == 3


@given(st.integers(0, 200), st.floats(0.01, 5), st.floats(1e-4, 0.5), st.floats(1, 500), st.integers(1, 8))
def test_rungs_fit_into_the_time(
    count: int, start_s: float, run_s: float, seconds: float, group: int
) -> None:
    found = rungs(count, Cost(start_s, run_s), seconds, group)
    assert found.sizes[0] <= count
    assert all(-(-one // ETA) == other for one, other in itertools.pairwise(found.sizes))
    takes = sum(
        (size + -(-size // group)) * Cost(start_s, run_s).of(found.seconds * ETA**rung)
        for rung, size in enumerate(found.sizes)
    )
    assert takes <= seconds or found.sizes[0] <= FINALISTS
    assert schedule.SECONDS_LEAST <= found.seconds <= schedule.SECONDS_MOST


def test_a_third_stays_until_the_finalists() -> None:
    assert sizes(27) == (27, 9)
    assert sizes(16) == (16, 6)
    assert sizes(3) == ()


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30), st.integers(1, 10), st.integers(0, 5))
def test_the_best_survives(ratios: list[float], keep: int, spare: int) -> None:
    scores = [(ratio, (ratio * 0.9, ratio * 1.1)) for ratio in ratios]
    kept = survivors(scores, keep, spare)
    assert ratios[kept[0]] == min(ratios)
    assert len(kept) <= keep + spare
    assert all(ratios[one] <= ratios[other] for one, other in itertools.pairwise(kept))
    # What is slower beyond doubt goes, whatever the number.
    assert all(ratios[one] * 0.9 <= min(ratios) * 1.1 for one in kept[:keep])


def test_noise_alone_drops_nobody_where_there_is_room() -> None:
    scores = [(1.0, (0.9, 1.1)), (1.05, (0.95, 1.15)), (1.06, (0.96, 1.16)), (1.5, (1.4, 1.6))]
    assert survivors(scores, 2) == [0, 1]
    assert survivors(scores, 2, spare=2) == [0, 1, 2]


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_what_is_listed_is_given_once(seed: int) -> None:
    all_ = [Candidate(BASE.replace(threads=one), 1) for one in range(1, 20)]
    listed = Listed(all_, seed)
    given_ = [one for _ in range(8) for one in listed.ask(4)]
    assert sorted(one.config.threads for one in given_) == list(range(1, 20))


def test_a_sampler_leads_to_the_better_part() -> None:
    knobs = {f"k{number}": (0, 1) for number in range(10)}

    def make(values: Mapping[str, Any]) -> Candidate:
        return Candidate(BASE.replace(threads=1 + sum(values[f"k{n}"] << n for n in range(10))), 1)

    sampled = Sampled(knobs, make, {Candidate(BASE, 1): 1.0}, seed=3)
    seen: list[Candidate] = []
    for _ in range(10):
        for one in sampled.ask(8):
            seen.append(one)
            bits = bin(one.config.threads - 1).count("1")
            sampled.tell(one, None if bits == 5 else 2.0 - bits / 10)
    assert len(set(seen)) == len(seen)
    ones = [bin(one.config.threads - 1).count("1") for one in seen]
    assert np.mean(ones[-24:]) > np.mean(ones[:16]) + 0.5


def test_the_order_of_trials_puts_the_answer_first() -> None:
    def trial(ratio: float | None, rung: str, error: str | None = None, won: bool = False) -> Trial:
        return Trial(BASE, 1, f"{ratio}", (Score(rung, ratio),), None, error, won)

    trials = (
        trial(0.1, "settings 1", "over"),
        trial(0.6, FINAL),
        trial(0.5, "settings 1"),
        trial(0.7, FINAL, won=True),
    )
    found = Tuning("m", "latency", BASE, BASE, 1, 1, None, trials)
    assert [one.label for one in found.ranked()] == ["0.7", "0.6", "0.5", "0.1"]
