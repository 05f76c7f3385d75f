"""`tune`: nothing finished is lost: by a cancel, by a crash of the caller, or by a damaged history."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from tuning_world import BASE, INPUTS, World, two_threads_are_best

import workbench as wb
from workbench.bench import Benchmark, History
from workbench.bench.tuning import Tuning, finals
from workbench.bench.tuning.space import Candidate
from workbench.errors import CancelledError, HistoryWarning, WorkbenchError


def test_after_a_cancel_only_what_is_missing_is_measured(world: World, run: Callable[..., Tuning]) -> None:
    world.latency_ms = two_threads_are_best
    world.cancel_at = 1
    with pytest.raises(CancelledError):
        run()
    before = set(world.measured[0][1:])
    count = len(before)
    assert count
    world.cancel_at = None
    found = run()
    first_rung = [one for group in world.measured[1:2] for one in group[1:]]
    assert not before & set(first_rung)
    assert before <= {Candidate(one.config, one.batch) for one in found.trials}
    assert found.best == wb.InferenceConfig(threads=2)


@pytest.mark.parametrize("stage", ["settings 1", "settings 2", "settings 3", "final"])
def test_who_continues_tries_the_same_configs(world: World, run: Callable[..., Tuning], stage: str) -> None:
    # None is slower beyond doubt: each rung has as many as it may.
    world.latency_ms = lambda config, batch: 2.0 + abs(config.threads - 40) / 1000
    world.noise = (0.2, 0.02)
    asked: dict[str, Any] = {
        "space": {"threads": list(range(1, 65)), "memory_optim": [False, True]},
        "at_most": 28,
        "seconds": 200,
    }

    def progress(share: float, text: str) -> None:
        if text.startswith(stage) and world.cancel_at is None:
            # Not the first of it: some of it is known when it goes on.
            world.cancel_at = len(world.measured) + 1

    with pytest.raises(CancelledError):
        run(**asked, progress=progress)
    at, world.cancel_at = len(world.measured), None
    tried = {one for group in world.measured for one in group}
    found = run(**asked)
    assert len(found.trials) == 28
    if stage != "settings 1":
        assert {one for group in world.measured[at:] for one in group} <= tried
    # A third goes on, and half as many to spare, whatever later rungs said of them before.
    second = [one for one in found.trials if any(score.rung == "settings 2" for score in one.scores)]
    assert len(second) == 15


def test_what_is_finished_is_not_measured_again(world: World, run: Callable[..., Tuning]) -> None:
    world.latency_ms = two_threads_are_best
    first = run()
    count = len(world.measured), len(world.looked)
    second = run()
    assert (len(world.measured), len(world.looked)) == count
    assert second.facts() | {"notices": []} == first.facts() | {"notices": []}
    assert any("nothing was measured anew" in text for text in second.notices)
    assert str(second.folder) not in str(second.notices)


def test_a_cancel_before_it_begins_measures_nothing(world: World, run: Callable[..., Tuning]) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError):
        run(cancel=cancel)
    assert not world.measured


def test_other_arguments_need_another_folder(world: World, run: Callable[..., Tuning]) -> None:
    run()
    for changed in (
        {"seconds": 61},
        {"goal": "throughput"},
        {"memory_limit": 10**9},
        {"base": BASE.replace(threads=2)},
    ):
        with pytest.raises(WorkbenchError, match=r"another .*give another folder"):
            run(**changed)


def test_the_share_done_never_falls(world: World, run: Callable[..., Tuning]) -> None:
    told: list[float] = []
    run(progress=lambda share, text: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_history_has_the_finals_from_when_they_began(
    world: World, run: Callable[..., Tuning], history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HISTORY", str(history.path))
    moments: list[datetime] = []

    def joined(*given: Any) -> Benchmark:
        moments.append(datetime.now(timezone.utc))
        return _joined(*given)

    _joined = finals._joined
    monkeypatch.setattr(finals, "_joined", joined)
    world.latency_ms = two_threads_are_best
    # As a list, which is as good as an array.
    found = run(inputs={"image": INPUTS["image"].tolist()}, record=True)
    [entry] = history.entries()
    assert (entry.id, entry.kind, entry.state) == (found.entry, "tuning", "finished")
    assert entry.inputs == {"image": [1, 1, 8, 8]}
    assert entry.began <= moments[0]
    launches = history.runs(entry)[0].launches
    assert len(launches) == len(moments) + 1
    # From when the finals began, and not each from when it did.
    begins = [one.rounds[0].began_s for one in launches]
    assert begins[0] == 0
    assert all(other - one > world.launch_s for one, other in itertools.pairwise(begins))


def test_a_history_that_is_damaged_costs_no_finals(
    world: World, run: Callable[..., Tuning], history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HISTORY", str(history.path))
    assert history.path is not None
    history.path.parent.mkdir()
    history.path.write_bytes(b"no history " * 500)
    with pytest.raises(WorkbenchError, match="damaged"):
        run(record=True)
    assert not world.measured
    history.path.unlink()

    def progress(share: float, text: str) -> None:
        if text.startswith("final") and history.path is not None:
            history.path.write_bytes(b"no history " * 500)

    with pytest.warns(HistoryWarning, match="digits is not recorded: .* is damaged"):
        found = run(record=True, progress=progress)
    assert found.comparison is not None
    count = len(world.measured)
    run()
    assert len(world.measured) == count
