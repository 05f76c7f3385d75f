"""Slow passes: judged by the verdict and the factor, found among real measurements, and no end of noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from planting_passes import World, names

import workbench as wb
from workbench.verifying.bisection import Bisection, bisect, checks


def test_the_latency_is_judged_by_the_verdict_and_the_factor(
    world: World, run: Callable[..., Bisection], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.names = names(8)

    def measure(model: Any, cases: Any, **more: Any) -> Any:
        base, this = (world.on(case.config) for case in cases)
        assert base == frozenset()
        world.tried.append((this, "pass_06" in this))
        ratio = 1.5 if "pass_06" in this else 1.15 if "pass_01" in this else 0.8
        verdict = "slower" if ratio > 1 else "faster"
        one = SimpleNamespace(ratio=ratio, ci95=(ratio - 0.06, ratio + 0.06), verdict=verdict)
        return SimpleNamespace(comparisons=[one])

    monkeypatch.setattr(checks, "measure", measure)
    found = run(check="latency", factor=1.1)
    # The other one may be worse by less.
    assert found.guilty == ("pass_06",)
    assert found.avoid == wb.InferenceConfig().without("pass_06")
    assert "1.500 [1.440, 1.560] times the latency with all off, slower" in found.words


def test_noise_that_looks_like_slow_passes_comes_to_an_end(
    world: World, run: Callable[..., Bisection], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.names = names(24)
    rng = np.random.default_rng(3)
    told: list[float] = []

    def measure(model: Any, cases: Any, **more: Any) -> Any:
        slow = rng.random() < 0.6
        one = SimpleNamespace(ratio=1.0, ci95=(1.2, 1.3) if slow else (0.9, 1.1), verdict="slower")
        return SimpleNamespace(comparisons=[one])

    monkeypatch.setattr(checks, "measure", measure)
    found = run(check="latency", factor=1.1, repeats=5, progress=lambda share, text: told.append(share))
    assert found.state == "found"
    assert len(found.sets) <= 4
    assert found.avoid is None
    assert any(text.startswith("after 4 sets no more were looked for") for text in found.notices)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_slow_pass_is_found_among_real_measurements(
    model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_session_left: None
) -> None:
    """Every config is measured, but where one pass is on, the clock is made to run ten times as fast."""
    config = wb.InferenceConfig(onednn=False)
    with wb.Session(model, config) as session:
        guilty = session.given["passes"][2]
    measured = checks.measure
    ratios: list[float] = []

    def measure(model: wb.Model, cases: Sequence[Any], **more: Any) -> Any:
        [one] = measured(model, cases, **more, launches=1).comparisons
        ratios.append(one.ratio)
        times = 1 if guilty in cases[1].config.disabled_passes else 10
        low, high = (times * end for end in one.ci95 or (one.ratio, one.ratio))
        verdict = "slower" if low > 1 else "faster" if high < 1 else "no difference seen"
        return SimpleNamespace(
            comparisons=[SimpleNamespace(ratio=times * one.ratio, ci95=(low, high), verdict=verdict)]
        )

    monkeypatch.setattr(checks, "measure", measure)
    folder = tmp_path / "kept"
    found = bisect(model, config, "latency", factor=4.0, seconds=0.1, repeats=1, folder=folder)
    assert found.guilty == (guilty,), ratios
    assert found.avoid == config.without(guilty)
    assert "times the latency with all off, slower" in found.words
    assert len(found.probes) <= 2 * np.log2(len(found.candidates)) + 4
    # What is measured is real: no two are alike.
    assert len(set(ratios)) == len(ratios) > 5
