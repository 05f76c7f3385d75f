"""`tune`: what breaks a limit or fails is kept with the reason, not chosen, and costs none of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tuning_world import BASE, SessionDouble, World, two_threads_are_best

import workbench as wb
from workbench.bench import History
from workbench.bench.tuning import Tuning, finals
from workbench.bench.tuning.kept import FINAL
from workbench.errors import CancelledError, ConfigError, NativeError, TimeLimitError, WorkerDiedError


def test_what_breaks_a_limit_is_kept_with_the_reason_and_not_chosen(
    world: World, run: Callable[..., Tuning]
) -> None:
    world.latency_ms = two_threads_are_best
    world.peak = lambda config: (
        500_000_000 if config.threads == 2 and not config.memory_optim else 200_000_000
    )
    world.outputs = lambda config: 1.0 if config.threads < 4 else 1.01
    found = run(memory_limit=400_000_000, max_abs_diff=1e-3)
    assert found.best == wb.InferenceConfig(threads=2, memory_optim=True)
    errors = {one.config: one.error for one in found.trials if one.error}
    assert "500 MB of memory, over the limit of 400 MB" in str(errors[wb.InferenceConfig(threads=2)])
    assert not any(one.won for one in found.trials if one.error)


@pytest.mark.parametrize("wrong", [1.5, np.nan])
def test_outputs_that_differ_too_much_are_not_chosen(
    world: World, run: Callable[..., Tuning], wrong: float
) -> None:
    world.latency_ms = two_threads_are_best
    world.outputs = lambda config: wrong if config.threads == 2 else 1.0
    found = run(max_abs_diff=0.1)
    assert found.best == BASE
    reasons = {one.error for one in found.trials if one.error}
    assert reasons
    assert all("outputs" in str(one) for one in reasons)


def test_a_base_over_the_limit_is_not_the_answer(world: World, run: Callable[..., Tuning]) -> None:
    world.peak = lambda config: 100_000_000 if config.memory_optim else 200_000_000
    found = run(memory_limit=150_000_000)
    assert found.best.memory_optim
    assert any("the base itself takes 200 MB" in text for text in found.notices)


@pytest.mark.parametrize(
    "error",
    [
        NativeError("Paddle refused"),
        WorkerDiedError("it died"),
        TimeLimitError("too long"),
        ConfigError("no"),
    ],
)
def test_what_fails_is_kept_with_its_words_and_the_others_go_on(
    world: World, run: Callable[..., Tuning], error: Exception
) -> None:
    world.latency_ms = two_threads_are_best
    world.fails = lambda config: error if config.threads == 3 else None
    found = run()
    failed = [one for one in found.trials if one.config.threads == 3]
    assert len(failed) == 4
    assert {one.error for one in failed} == {str(error)}
    assert found.best == wb.InferenceConfig(threads=2)
    json.dumps(found.facts(), allow_nan=False)
    page = found._repr_html_()
    assert "<table>" in page
    for theme in ("light", "dark"):
        assert "threads" in str(found.chart(theme).to_json())


def failing(world: World, fault: Callable[[str, wb.InferenceConfig], bool]) -> Callable[..., None]:
    """Let configs crash by what is measured; the progress that tells the world of it."""
    now = ""

    def progress(share: float, text: str) -> None:
        nonlocal now
        now = text

    world.fails = lambda config: WorkerDiedError("it died") if fault(now, config) else None
    return progress


def test_a_crash_in_a_late_launch_costs_none_of_the_others(world: World, run: Callable[..., Tuning]) -> None:
    world.latency_ms = two_threads_are_best
    fault = failing(world, lambda now, config: now.startswith("final, launch 5") and config.threads == 2)
    found = run(progress=fault)
    assert found.best == wb.InferenceConfig(threads=2)
    assert found.comparison is not None
    assert found.comparison.verdict == "faster"
    assert any("launch 5 of the finals failed: it died" in text for text in found.notices)
    again = run(progress=fault)
    assert again.facts() | {"notices": []} == found.facts() | {"notices": []}


@pytest.mark.parametrize("cut", [False, True])
def test_after_a_crash_in_the_finals_every_finalist_is_measured(
    world: World,
    run: Callable[..., Tuning],
    history: History,
    monkeypatch: pytest.MonkeyPatch,
    cut: bool,
) -> None:
    monkeypatch.setenv("WORKBENCH_HISTORY", str(history.path))
    halves: list[str] = []
    order = {2: 0.7, 3: 0.705, 4: 0.71, 1: 1.0}

    def latency(config: wb.InferenceConfig, batch: int) -> float:
        # In the finals, the second is the fastest.
        return 10.0 * (0.5 if halves and config.threads == 3 else order[config.threads])

    def fault(now: str, config: wb.InferenceConfig) -> bool:
        if now.startswith("final, launch 1 ") and config == BASE:
            halves.append(now)
        return now.startswith("final") and config.threads == 4

    world.latency_ms = latency
    asked: dict[str, Any] = {"space": {"threads": [1, 2, 3, 4]}, "seconds": 90, "record": True}
    asked["progress"] = failing(world, fault)
    if cut:
        before = 0
        real = finals._measure

        def measure(bench: Any, best: Any, *more: Any) -> None:
            nonlocal before
            before += 1
            if before == 3:
                raise CancelledError("the measurement was cancelled")
            real(bench, best, *more)

        with monkeypatch.context() as patch:
            patch.setattr(finals, "_measure", measure)
            with pytest.raises(CancelledError):
                run(**asked)
    count = len(world.measured)
    found = run(**asked)
    if cut:
        # What was measured to its end is not measured again.
        again = {one for group in world.measured[count:] for one in group[1:]}
        assert not again & set(world.measured[count - 1][1:])
        assert again
    assert found.best == wb.InferenceConfig(threads=3)
    assert {one.config.threads: one.last.rung for one in found.trials} == dict.fromkeys((2, 3, 4), FINAL)
    assert [one.config.threads for one in found.trials if one.error] == [4]
    assert found.entry is not None
    assert 3 in [one.config.threads for one in history.runs(found.entry)]
    count = len(world.measured)
    assert run(**asked).best == found.best
    assert len(world.measured) == count


def test_a_base_that_fails_is_an_error(
    world: World, run: Callable[..., Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: Any, inputs: Any) -> Any:
        raise NativeError("Paddle refused")

    monkeypatch.setattr(SessionDouble, "run", refuse)
    with pytest.raises(NativeError, match="Paddle refused"):
        run()
