"""What a bisection says: that nothing fails, that no pass does it, how far it is, and what is a mistake."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planting_passes import GIVEN, Fault, World, names

import workbench as wb
from workbench.errors import InputError
from workbench.verifying.bisection import Bisection, Outcome, native
from workbench.verifying.bisection.checks import CrashCheck


def test_a_check_that_does_not_fail_is_said(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(8)
    found = run()
    assert (found.state, found.guilty, found.sets, found.avoid) == ("does not fail", (), (), None)
    assert "does not fail" in str(found)
    assert (len(found.probes), found.runs) == (1, 12)


def test_a_fault_without_passes_is_said(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(8)
    world.faults = [Fault(frozenset(), "wrong")]
    found = run()
    assert (found.state, found.guilty, found.avoid) == ("no pass does it", (), None)
    assert "no pass does it" in str(found)


def test_what_the_check_cannot_judge_is_said(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(6)
    world.faults = [Fault(frozenset(["pass_02"]), "dies")]
    with pytest.raises(wb.WorkbenchError, match=r"cannot judge this config: .*check crash"):
        run(check="output")


def test_the_progress_says_how_many_are_on(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(8)
    world.faults = [Fault(frozenset(["pass_05"]), "wrong")]
    told: list[tuple[float, str]] = []
    run(progress=lambda share, text: told.append((share, text)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    texts = [text for _, text in told]
    assert "probe 1: 8 of 8 passes on" in texts
    assert "probe 1: 8 of 8 passes on, run 3" in texts
    assert "probe 2: 0 of 8 passes on" in texts


def test_a_time_limit_grows_with_the_full_config(
    world: World, model: wb.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit(time_limit: float | None, full_s: float | None) -> float:
        prober = native.Prober(
            model,
            wb.InferenceConfig(),
            (),
            CrashCheck({}),
            time_limit=time_limit,
            cancel=threading.Event(),
            full_s=full_s,
        )
        return prober.limit_s

    assert [limit(None, None), limit(None, 3.0), limit(None, 30.0), limit(2.0, 30.0)] == [60, 60, 150, 2]
    # A hang says nothing of how long others take.
    hang = Outcome("fails", "", "running: time limit", None, 60.0)
    assert native.took([hang]) is None
    assert native.took([hang, Outcome("fails", "", "running: died", None, 3.0)]) == 3.0


def test_wrong_arguments_are_said(world: World, run: Callable[..., Bisection]) -> None:
    for wrong, words in (
        ({"check": "speed"}, "give one of output, crash, latency, or a function"),
        ({"repeats": 0}, "repeats is 0"),
        ({"factor": 0.9}, "factor is 0.9: give a number from 1"),
        ({"tolerance": -1}, "atol of a tolerance is -1"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"check": lambda session: True}, r"<lambda>\(session\) does not take two arguments: give one of"),
        ({"config": {"threads": 1}}, "give an InferenceConfig"),
        ({"inputs": {"picture": GIVEN}}, "unknown input 'picture'"),
    ):
        with pytest.raises(wb.WorkbenchError, match=words):
            run(**wrong)
    assert not world.tried


def test_what_a_check_raises_ends_it_where_it_says_nothing_of_the_config(
    world: World, run: Callable[..., Bisection]
) -> None:
    world.names = names(4)

    def wrong_input(session: Any, inputs: Any) -> bool:
        raise InputError("unknown input 'picture'")

    with pytest.raises(InputError):
        run(check=wrong_input, folder=None)
    assert world.open == 0

    def asserts(session: Any, inputs: Any) -> bool:
        assert "pass_02" in session.config.disabled_passes, "pass 2 is on"
        return True

    assert run(check=asserts, folder=None).guilty == ("pass_02",)


def test_a_function_is_given_what_the_model_runs_on(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(4)
    image = np.full((2, 1, 8, 8), 7, np.float32)
    seen: list[Any] = []

    def check(session: Any, inputs: Any) -> bool:
        seen.append(inputs)
        return True

    run(check=check, folder=None, inputs={"image": image.tolist()})
    assert seen
    for given in seen:
        # Lists have become arrays, as the session takes them.
        assert given.keys() == {"image"} and given["image"].dtype == np.float32
        np.testing.assert_array_equal(given["image"], image)
