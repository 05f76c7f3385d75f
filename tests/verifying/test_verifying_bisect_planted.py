"""Planted faults, by a double around the native core: the smallest set is the one that trying all gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from planting_passes import Fault, World, names, plant, smallest

import workbench as wb
from workbench.verifying.bisection import Bisection

KINDS = ("one", "two together", "one hides another", "flaky", "hang", "crash")
CASES = 216


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_set_is_found_every_time(
    kind: str, world: World, run: Callable[..., Bisection], in_memory: None
) -> None:
    for seed in range(CASES // len(KINDS)):
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        world.rng, world.tried = rng, []
        plant(world, rng, kind)
        check = "output" if world.faults[0].shows == "wrong" else "crash"
        found = run(check=check)
        assert found.state == "found", seed
        expected = smallest(world)
        for part in map(frozenset, found.sets):
            assert world.shows(part) is not None, seed
            assert all(world.shows(part - {name}) != world.shows(part) for name in part), seed
        assert frozenset(found.guilty) in [
            part for part in expected if len(part) == len(min(expected, key=len))
        ], seed
        assert found.avoid is not None
        assert not world.fails(world.on(found.avoid)), seed
        # Nothing that is off there can be on again.
        for name in found.avoid.disabled_passes:
            assert world.fails(world.on(found.avoid) | {name}), seed
        assert world.open == 0


@pytest.mark.parametrize("count", [2, 9, 32])
def test_one_guilty_pass_takes_two_probes_per_halving(
    count: int, world: World, run: Callable[..., Bisection], in_memory: None
) -> None:
    world.names = names(count)
    for guilty in world.names:
        world.faults = [Fault(frozenset([guilty]), "wrong")]
        found = run()
        assert found.guilty == (guilty,)
        assert len(found.probes) <= 2 * np.log2(count) + 4


def test_repeats_of_one_config_are_one_probe(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(8)
    world.faults = [Fault(frozenset(["pass_03"]), "wrong", 0.6)]
    world.rng = np.random.default_rng(5)
    found = run()
    assert found.guilty == ("pass_03",)
    tries = Counter(on for on, _ in world.tried)
    assert {probe.on: len(probe.runs) for probe in found.probes} == tries
    assert found.runs == len(world.tried)
    assert found.failure_rate == pytest.approx(0.6, abs=0.25)
    assert any("flaky" in text for text in found.notices)
    rate = found.failure_rate
    assert rate is not None
    for probe in found.probes:
        if probe.verdict == "passes" and probe.number > 1:
            assert len(probe.runs) >= min(20, 5)
    assert max(tries.values()) <= 20


def test_a_crash_is_no_wrong_output(world: World, run: Callable[..., Bisection]) -> None:
    # One pass is refused without another, as constant folding is in PIR without dead code elimination.
    world.names = names(10)
    world.depends = {"pass_08": "pass_09"}
    for guilty in world.names[:8]:
        world.faults = [Fault(frozenset([guilty]), "wrong")]
        world.tried = []
        found = run(
            folder=None,
            check=lambda session, inputs: bool(session.run(inputs, time_limit=1)["y"][0] == 1),
        )
        assert (found.guilty, found.check) == ((guilty,), "function")
        assert found.folder is None
        assert found.avoid == wb.InferenceConfig().without(guilty)


def test_a_guilty_pass_that_another_needs_takes_it_along(world: World, run: Callable[..., Bisection]) -> None:
    # Without the guilty pass the other one is refused, so both must be off.
    world.names = names(8)
    world.depends = {"pass_02": "pass_06"}
    world.faults = [Fault(frozenset(["pass_06"]), "wrong")]
    found = run()
    assert found.guilty == ("pass_06",)
    assert found.avoid == wb.InferenceConfig().without("pass_02", "pass_06")


def test_a_pass_that_cannot_be_switched_off_is_told_once(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(9)
    world.stuck = frozenset(["pass_04", "pass_07"])
    world.faults = [Fault(frozenset(["pass_02", "pass_07"]), "wrong")]
    found = run()
    assert found.guilty == ("pass_02",)
    assert set(found.candidates) == set(world.names) - world.stuck
    told = [text for text in found.notices if "although it is switched off" in text]
    assert [text.split()[0] for text in told] == ["pass_04", "pass_07"]
    assert found.avoid == wb.InferenceConfig().without("pass_02")


def test_passes_that_are_off_stay_off(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(6)
    world.faults = [Fault(frozenset(["pass_01"]), "wrong")]
    found = run(config=wb.InferenceConfig(threads=2).without("spare_pass"))
    assert found.avoid == wb.InferenceConfig(threads=2).without("spare_pass", "pass_01")


def test_one_run_of_each_if_nothing_may_be_repeated(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(8)
    world.faults = [Fault(frozenset(["pass_01", "pass_06"]), "wrong")]
    found = run(repeats=1)
    assert found.guilty == ("pass_01", "pass_06")
    assert found.runs == len(found.probes) == len(world.tried)
