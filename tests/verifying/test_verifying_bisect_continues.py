"""A bisection that was killed or cancelled continues with what was tried, and only with its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planting_passes import GIVEN, Fault, World, names

import workbench as wb
from workbench.errors import CancelledError
from workbench.verifying.bisection import Bisection


def test_a_killed_bisection_continues(world: World, run: Callable[..., Bisection]) -> None:
    world.names = names(16)
    world.faults = [Fault(frozenset(["pass_03", "pass_12"]), "wrong")]

    class KilledError(BaseException):
        pass

    def kill(share: float, text: str) -> None:
        if text.startswith("probe 7:"):
            raise KilledError

    with pytest.raises(KilledError):
        run(progress=kill)
    first = Counter(on for on, _ in world.tried)
    assert len(first) == 6
    world.tried.clear()
    found = run()
    assert found.guilty == ("pass_03", "pass_12")
    again = {on for on, _ in world.tried}
    # What was tried is not tried anew, but where more runs are needed.
    assert all(len(probe.runs) > first[probe.on] for probe in found.probes if probe.on in again)
    assert not {frozenset(world.names), frozenset()} & again
    world.tried.clear()
    third = run()
    assert not world.tried
    assert third.facts() | {"notices": []} == found.facts() | {"notices": []}
    assert "nothing was tried anew" in third.notices[-1]


def test_a_cancel_stops_between_two_runs_and_loses_nothing(
    world: World, run: Callable[..., Bisection]
) -> None:
    world.names = names(12)
    world.faults = [Fault(frozenset(["pass_05"]), "dies")]
    cancel = threading.Event()

    def tell(share: float, text: str) -> None:
        if text.startswith("probe 4:"):
            cancel.set()

    with pytest.raises(CancelledError):
        run(check="crash", cancel=cancel, progress=tell)
    assert world.open == 0
    with pytest.raises(CancelledError):
        run(check="crash", cancel=cancel)
    before = len(world.tried)
    assert run(check="crash").guilty == ("pass_05",)
    assert frozenset(world.names) not in [on for on, _ in world.tried[before:]]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"tolerance": 0.5}, "tolerance"),
        ({"check": "crash"}, "check"),
        ({"config": wb.InferenceConfig(threads=2)}, "config"),
        ({"against": {"y": GIVEN * 2}}, "against"),
        ({"inputs": {"image": np.zeros((1, 1, 8, 8), np.float32)}}, "inputs"),
    ],
)
def test_other_arguments_need_another_folder(
    world: World, run: Callable[..., Bisection], changed: dict[str, Any], name: str
) -> None:
    world.names = names(4)
    run()
    with pytest.raises(wb.WorkbenchError, match=rf"a bisection with another .*{name}.*: continue it"):
        run(**changed)
