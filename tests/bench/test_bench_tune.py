"""`tune`: the best of a planted table is found in time, limits hold, and nothing finished is lost."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.bench import Benchmark, History, Launch, Round, Run, keeping
from workbench.bench.ablation.kept import Deed, Look
from workbench.bench.tuning import Tuning, finals, measuring, schedule, search
from workbench.bench.tuning.kept import FINAL, Score
from workbench.bench.tuning.propose import Listed, Sampled
from workbench.bench.tuning.results import Trial
from workbench.bench.tuning.schedule import ETA, FINALISTS, Cost, rungs, sizes, survivors
from workbench.bench.tuning.space import Candidate, batch_of, given_space, repeated
from workbench.errors import (
    CancelledError,
    ConfigError,
    HistoryWarning,
    NativeError,
    TimeLimitError,
    WorkbenchError,
    WorkerDiedError,
)
from workbench.models import Model

BASE = wb.InferenceConfig()
SPACE = {
    "threads": [1, 2, 3, 4],
    "onednn": [True, False],
    "memory_optim": [False, True],
}
INPUTS = {"image": np.zeros((1, 1, 8, 8), np.float32)}


class World:
    """A machine that does not exist, with a clock that runs as measuring would take.

    Attributes:
        latency_ms: of a config at a batch.
        now: seconds on its clock.
        noise: of a round, and of a launch, relative.
        launch_s: what creating a predictor takes.
        measured: the configs of every measurement, the base first.
        fails: what a config raises when it is measured.
        peak: the memory of a config.
        outputs: what a config gives.
        deeds: what passes change.
        cancel_at: the measurement that is cancelled.
        turns: of every measurement.
    """

    def __init__(self, seed: int = 0) -> None:
        self.latency_ms: Callable[[wb.InferenceConfig, int], float] = lambda config, batch: 10.0 * batch
        self.now = 1000.0
        self.noise = (0.03, 0.01)
        self.launch_s = 0.4
        self.measured: list[list[Candidate]] = []
        self.looked: list[wb.InferenceConfig] = []
        self.fails: Callable[[wb.InferenceConfig], Exception | None] = lambda config: None
        self.peak: Callable[[wb.InferenceConfig], int] = lambda config: 200_000_000
        self.outputs: Callable[[wb.InferenceConfig], float] = lambda config: 1.0
        self.deeds: dict[str, Deed] = {}
        self.cancel_at: int | None = None
        self.turns: list[int] = []
        self._rng = np.random.default_rng(seed)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(measuring, "measure", self.measure)
        patch.setattr(measuring, "Session", self._session)
        patch.setattr(measuring.time, "monotonic", lambda: self.now)
        patch.setattr(search, "look", self.look)

    def look(self, model: Model, config: Any, off: Any, inputs: Any, **more: Any) -> tuple[Look, Any]:
        self.now += self.launch_s
        return Look((), self.deeds), {}

    def _session(self, model: Model, config: wb.InferenceConfig, **more: Any) -> Any:
        return _Session(self, config)

    def measure(self, model: Model, cases: Sequence[Any], **more: Any) -> Benchmark:
        more["progress"](0.0, "loading")
        if self.cancel_at == len(self.measured):
            raise CancelledError("the measurement was cancelled")
        candidates = [Candidate(case.config, len(case.inputs["image"])) for case in cases]
        self.measured.append(candidates)
        self.turns.append(more["turn"])
        assert more["launches"] == 1
        runs = []
        seconds = more["seconds"]
        blocks = [max(0.02, seconds / 20, self.latency_ms(*one) / 1e3) for one in candidates]
        rounds = max(6, min(20, int(seconds * len(cases) / sum(blocks))))
        for case, candidate, block in zip(cases, candidates, blocks, strict=True):
            error = self.fails(case.config)
            if error is not None:
                raise error
            ms = self.latency_ms(*candidate)
            # A round is a block of at least 20 ms and one run.
            self.now += self.launch_s + 3 * ms / 1e3 + seconds / 4 + rounds * block
            launch = ms * (1 + self.noise[1] * self._rng.standard_normal())
            taken = tuple(
                Round(launch * (1 + self.noise[0] * self._rng.standard_normal(5))) for _ in range(rounds)
            )
            done = Launch(self.launch_s * 1e3, ms, np.empty(0), taken, self.peak(case.config))
            runs.append(Run(case.label, case.config, (), (done,)))
        more["progress"](1.0, "done")
        return Benchmark("digits", tuple(runs), {"cpu_model": "none"})


class _Session:
    """Enough of a session to be looked at."""

    pid = None

    def __init__(self, world: World, config: wb.InferenceConfig) -> None:
        self.world, self.config = world, config

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.world.now += self.world.launch_s
        self.world.looked.append(self.config)
        return {"y": np.full(3, self.world.outputs(self.config))}

    def time(self, inputs: Mapping[str, Any], **more: Any) -> Any:
        ms = self.world.latency_ms(self.config, len(inputs["image"]))
        return type("Timed", (), {"samples_ns": np.full(5, ms * 1e6)})

    def memory(self) -> dict[str, int]:
        return {"peak_rss": self.world.peak(self.config)}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.install(monkeypatch)
    return made


@pytest.fixture
def run(digits: Model, tmp_path: Path) -> Callable[..., Tuning]:
    def call(**given: Any) -> Tuning:
        asked = {"folder": tmp_path / "kept", "space": SPACE, "seconds": 60, "record": False}
        return wb.tune(digits, given.pop("inputs", INPUTS), **{**asked, **given})

    return call


def two_threads_are_best(config: wb.InferenceConfig, batch: int) -> float:
    return 10.0 * (0.7 if config.threads == 2 else 1.0) * (1.5 if config.onednn is False else 1.0) * batch


# The answer


def test_the_best_is_found_and_changes_nothing_that_is_of_no_use(
    world: World, run: Callable[..., Tuning]
) -> None:
    world.latency_ms = two_threads_are_best
    found = run()
    # Reuse of memory makes no difference here, so it stays off.
    assert found.best == wb.InferenceConfig(threads=2)
    assert found.comparison is not None
    assert found.comparison.verdict == "faster"
    assert found.comparison.ratio == pytest.approx(0.7, rel=0.03)
    low, high = found.comparison.ci95 or (0, 0)
    assert low < found.comparison.ratio < high
    assert all(one[0].config == BASE for one in world.measured), "the base takes turns in every group"
    [won] = [one for one in found.trials if one.won]
    assert (won.config, won.last.rung) == (found.best, FINAL)
    assert "enable" in found.code() or "set_cpu_math_library_num_threads(2)" in found.code()


@pytest.mark.parametrize("noise", [(0.0, 0.0), (0.05, 0.004)])
def test_where_nothing_is_faster_the_base_stays(
    world: World, run: Callable[..., Tuning], noise: tuple[float, float]
) -> None:
    world.noise = noise
    found = run()
    assert found.best == BASE
    assert found.comparison is not None
    assert found.comparison.verdict == "no difference seen"
    assert any("keep the base" in text for text in found.notices)
    assert found.answer == "keep the base: default"


def test_in_nearly_all_searches_the_best_is_found_in_time(
    digits: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a random table over 24 configs: the best or one within 3 % of it in at least 95 % of the seeds."""
    good, times, seconds = 0, 20, 60
    # What is the same for all of them, and waiting for the disk.
    monkeypatch.setattr(keeping, "subject", lambda *given: {})
    monkeypatch.setattr(keeping.os, "fsync", lambda file: None)
    knobs = {**SPACE, "threads": [1, 2, 3, 4, 5, 6]}
    for seed in range(times):
        rng = np.random.default_rng(seed)
        table = {
            Candidate(config, 1): 5.0 * float(np.exp(rng.normal(0, 0.4)))
            for config in (
                BASE.replace(threads=threads, onednn=onednn, memory_optim=memory)
                for threads, onednn, memory in itertools.product(range(1, 7), (None, False), (False, True))
            )
        }
        world = World(seed)
        world.latency_ms = lambda config, batch, table=table: table[Candidate(config, 1)]
        with monkeypatch.context() as patch:
            world.install(patch)
            began = world.now
            found = wb.tune(
                digits,
                INPUTS,
                space=knobs,
                seconds=seconds,
                seed=seed,
                folder=tmp_path / str(seed),
                record=False,
            )
        # The clock of this world jumps: the stop that comes within a measurement comes after it here.
        assert world.now - began <= seconds * 1.1
        good += table[Candidate(found.best, 1)] <= 1.03 * min(table.values())
    assert good >= 0.95 * times


def test_no_measurement_hangs_on_one_core(world: World, run: Callable[..., Tuning]) -> None:
    stages: dict[int, str] = {}
    # The last that is told before a measurement is which one it is.
    run(progress=lambda share, text: stages.update({len(world.measured): text}))
    finals = [turn for at, turn in enumerate(world.turns) if stages[at].startswith("final, launch")]
    assert finals == list(range(len(finals)))
    assert len(finals) > 3
    assert world.turns[: -len(finals)] == list(range(len(world.turns) - len(finals)))


def test_a_space_too_large_to_be_listed_is_sampled(world: World, run: Callable[..., Tuning]) -> None:
    world.latency_ms = lambda config, batch: 2.0 + abs(config.threads - 40) / 10
    found = run(space={"threads": list(range(1, 65)), **{k: SPACE[k] for k in ("onednn", "memory_optim")}})
    assert len(found.trials) < 100
    tried = [(one.config, one.batch) for one in found.trials]
    assert len(set(tried)) == len(tried)
    assert abs(found.best.threads - 40) <= 8
    assert any("the time is enough for" in text for text in found.notices)


def test_a_space_of_any_size_is_begun_at_once() -> None:
    began = time.process_time()
    found = rungs(10**9, Cost(0.4, 0.01), 60, 8)
    assert time.process_time() - began < 1
    # Twice as many as that would take twice as long.
    assert found == rungs(1000, Cost(0.4, 0.01), 60, 8)


def test_at_most_so_many_are_tried(world: World, run: Callable[..., Tuning]) -> None:
    assert len(run(at_most=5).trials) == 5


# Throughput


def test_throughput_is_per_sample(world: World, run: Callable[..., Tuning]) -> None:
    # Each sample of eight takes half as long as one alone; of sixteen no less.
    per_sample = {1: 10.0, 2: 9.0, 8: 5.0, 16: 5.5}
    world.latency_ms = lambda config, batch: per_sample[batch] * batch
    found = run(goal="throughput", space={"batch": [1, 2, 8, 16], "threads": [1]})
    assert (found.best, found.best_batch, found.base_batch) == (BASE, 8, 1)
    assert found.comparison is not None
    assert found.comparison.ratio == pytest.approx(0.5, rel=0.05)
    assert found.comparison.verdict == "faster"
    assert "batch 8" in found.answer


def test_batches_are_left_out_only_where_nobody_asked_for_them(
    world: World, run: Callable[..., Tuning]
) -> None:
    world.deeds = {"a_pass": Deed((1,), ("1",))}
    world.latency_ms = lambda config, batch: 10.0 * batch
    found = run(goal="throughput", space={"batch": [1, 64], "passes": ["a_pass"]})
    assert 64 in {one.batch for one in found.trials}
    assert not any("left out" in text for text in found.notices)
    mine = run(goal="throughput", space=None, folder=None if found.folder is None else found.folder / "own")
    assert max(one.batch for one in mine.trials) < 32
    assert any("batch 32 is left out" in text for text in mine.notices)


def test_inputs_are_repeated_in_their_order(digits: Model) -> None:
    rows = np.arange(3 * 64, dtype=np.float32).reshape(3, 1, 8, 8)
    assert batch_of(digits, {"image": rows}) == 3
    more = repeated(digits, {"image": rows}, 7)["image"]
    assert more.shape == (7, 1, 8, 8)
    assert [float(one.flat[0]) for one in more] == [0, 64, 128, 0, 64, 128, 0]


# Limits


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


# Failures


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

    monkeypatch.setattr(_Session, "run", refuse)
    with pytest.raises(NativeError, match="Paddle refused"):
        run()


# Passes


def test_passes_of_the_best_setting_are_switched_off(world: World, run: Callable[..., Tuning]) -> None:
    world.deeds = {name: Deed((1,), ("1",)) for name in ("good_pass", "bad_pass", "idle_pass")}

    def latency(config: wb.InferenceConfig, batch: int) -> float:
        off = config.disabled_passes
        return (
            two_threads_are_best(config, batch)
            * (0.8 if "bad_pass" in off else 1.0)
            * (1.4 if "good_pass" in off else 1.0)
        )

    world.latency_ms = latency
    found = run(space={**SPACE, "passes": ["good_pass", "bad_pass", "other_pass"]}, seconds=90)
    assert found.best == wb.InferenceConfig(threads=2).without("bad_pass")
    assert any("other_pass: changes nothing here" in text for text in found.notices)
    assert not any("idle_pass" in one.config.disabled_passes for one in found.trials)


# Going on


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


def test_too_little_time_is_said(world: World, run: Callable[..., Tuning]) -> None:
    world.launch_s = 5.0
    found = run(seconds=6)
    assert found.best == BASE
    assert any("call it again, and it continues" in text for text in found.notices)


def test_the_share_done_never_falls(world: World, run: Callable[..., Tuning]) -> None:
    told: list[float] = []
    run(progress=lambda share, text: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1.0


# The history


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


# What is asked


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"space": {"thread": [1]}}, "unknown knob 'thread' in the space: give some of device, "),
        ({"space": {"threads": [0]}}, "threads is 0; give a whole number"),
        ({"space": {"threads": 2}}, "threads is 2 in the space: give a list of values"),
        ({"space": {"batch": [2]}}, "batch is a knob for the goal 'throughput' only"),
        ({"space": {"batch": [0]}, "goal": "throughput"}, "batch is 0 in the space"),
        ({"space": {"passes": ["a pass"]}}, "which is not a pass name"),
        ({"seconds": 0}, "seconds is 0: give a number above 0"),
        ({"goal": "speed"}, "goal is 'speed': give 'latency' or 'throughput'"),
        ({"memory_limit": -1}, "memory_limit is -1: give a number from 0"),
        ({"at_most": 0}, "at_most is 0: give a whole number above 0"),
        ({"base": "fast"}, "base is 'fast'; give an InferenceConfig"),
    ],
)
def test_mistakes_are_said_in_a_line(
    world: World, run: Callable[..., Tuning], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(WorkbenchError) as error:
        run(**given)
    assert words in str(error.value)
    assert not world.measured


def test_combinations_that_are_equal_or_mean_nothing_are_tried_once(digits: Model) -> None:
    asked = {"precision": ["fp32", "bf16"], "onednn": [True, False], "ir_optim": [True, False]}
    found = list(given_space(digits, Candidate(BASE, 1), "latency", asked, onednn=True).all())
    assert {one.config for one in found} == {
        wb.InferenceConfig(onednn=False),
        wb.InferenceConfig(precision="bf16"),
        wb.InferenceConfig(ir_optim=False),
    }
    assert len(found) == 3


# The schedule


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


def test_no_two_trials_have_one_name(world: World, run: Callable[..., Tuning], history: History) -> None:
    world.deeds = {name: Deed((1,), ("1",)) for name in ("a_pass", "b_pass", "c_pass")}
    world.latency_ms = lambda config, batch: 10.0 * 0.9 ** len(config.disabled_passes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HISTORY", str(history.path))
        found = run(space={"passes": list(world.deeds)}, seconds=90, record=True)
    labels = [one.label for one in found.trials]
    assert len(labels) == len(set(labels))
    assert "− 2 passes #2" in labels
    assert found.comparison is not None
    [won] = [one for one in found.trials if one.won]
    assert found.comparison.b == won.label
    assert f"use {won.label}: " in found.answer
    # The history has the same names.
    assert found.entry is not None
    for run_ in history.runs(found.entry)[1:]:
        [trial] = [one for one in found.trials if one.label == run_.label]
        assert trial.config == run_.config


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


# On the real core


def test_a_real_tuning_keeps_what_paddle_refuses(digits: Model, tmp_path: Path) -> None:
    asked = {"onednn": [True, False], "precision": ["fp32", "fp16"]}
    found = wb.tune(digits, space=asked, seconds=8, folder=tmp_path / "kept")
    assert found.trials
    refused = [one for one in found.trials if one.config.precision == "fp16"]
    assert refused
    assert all("fp16 runs on a GPU only" in str(one.error) for one in refused)
    assert found.best.precision == "fp32"
    [other] = [one for one in found.trials if not one.error]
    assert other.last.ratio is not None
    assert other.peak_bytes is not None
    assert "create_predictor" in found.code()
    again = wb.tune(digits, space=asked, seconds=8, folder=tmp_path / "kept")
    # Whether or not the time was enough, what was finished stays.
    for one, more in zip(found.trials, again.trials, strict=False):
        assert more.scores[: len(one.scores)] == one.scores
    if found.entry is not None:
        [entry] = [one for one in wb.History().entries() if one.id == found.entry]
        assert entry.kind == "tuning"
