"""`benchmark` on the real digits sample, its inputs, its words and its chart."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pytest

from workbench import core, models
from workbench.bench import Benchmark, benchmark, random_inputs
from workbench.bench.results import ChartKind
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, ConfigError, InputError, TimeLimitError, WorkbenchError
from workbench.models import TensorInfo

PLAIN, NO_ONEDNN = InferenceConfig(), InferenceConfig(onednn=False)


@pytest.fixture(scope="module")
def told() -> list[tuple[float, str]]:
    return []


@pytest.fixture(scope="module")
def result(digits: models.Model, told: list[tuple[float, str]]) -> Benchmark:
    return benchmark(
        digits,
        [PLAIN, NO_ONEDNN, PLAIN],
        seconds=0.5,
        within=0,
        launches=3,
        progress=lambda share, text: told.append((share, text)),
    )


def test_every_config_has_a_run_with_its_samples(result: Benchmark) -> None:
    assert [run.label for run in result.runs] == ["default", "oneDNN off", "default #2"]
    assert [run.config for run in result.runs] == [PLAIN, NO_ONEDNN, PLAIN]
    for run in result.runs:
        assert len(run.launches) == 3
        assert (run.samples_ms > 0).all()
        assert len(run.samples_ms) == sum(len(one.samples_ms) for one in run.rounds)
        began = [one.began_s for one in run.rounds]
        assert began == sorted(began)
        for launch in run.launches:
            assert len(launch.rounds) == 6
            assert all(len(one.samples_ms) for one in launch.rounds)
            assert len(launch.warmup_ms) > 0
            assert launch.create_ms > 0
            assert launch.first_ms > 0
            assert launch.cold_ms == pytest.approx(launch.create_ms + launch.first_ms)
            # Paddle alone, imported, is more than this.
            assert launch.peak_bytes is not None
            assert launch.peak_bytes > 50e6
    # In every round each config has its turns.
    began = [
        {one.began_s for one in rounds} for rounds in zip(*(run.rounds for run in result.runs), strict=True)
    ]
    assert all(len(moments) == 1 for moments in began)


def test_configs_change_over_many_times_within_a_round(
    digits: models.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int | None] = []
    time = core.Session.time

    def timed(session: core.Session, *given: Any, **more: Any) -> Any:
        runs = time(session, *given, **more)
        turns.append(session.pid)
        return runs

    monkeypatch.setattr(core.Session, "time", timed)
    taken = benchmark(digits, [PLAIN, NO_ONEDNN], seconds=0.6, launches=1, within=0, record=False)
    rounds = len(taken.runs[0].rounds)
    changes = sum(one != other for one, other in itertools.pairwise(turns))
    # In random order, they change over at every second turn or more often.
    assert changes > 2 * rounds


def test_every_launch_is_a_process_of_its_own(digits: models.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int | None] = []
    feed = core.Session.run

    def run(session: core.Session, *given: Any, **more: Any) -> Any:
        outputs = feed(session, *given, **more)
        pids.append(session.pid)
        return outputs

    monkeypatch.setattr(core.Session, "run", run)
    benchmark(digits, [PLAIN, NO_ONEDNN], seconds=0.1, launches=2)
    assert len(set(pids)) == 4


def test_the_facts_hold_what_is_promised(result: Benchmark) -> None:
    facts = json.loads(json.dumps(result.facts(), allow_nan=False))
    for one, run in zip(facts["runs"], result.runs, strict=True):
        shares = {"p50_ms": 50, "p90_ms": 90, "p95_ms": 95, "p99_ms": 99, "p99_9_ms": 99.9}
        for name, share in shares.items():
            assert one[name] == pytest.approx(np.percentile(one["samples"], share))
        for name in (*shares, "mean_ms", "std_ms"):
            assert one["intervals"][name][0] <= one[name] <= one["intervals"][name][1]
        assert one["ci95"] == one["intervals"]["p50_ms"]
        assert one["samples"] == [value for block in run.rounds for value in block.samples_ms.tolist()]
        assert one["warmup"] == [value for launch in run.launches for value in launch.warmup_ms]
        assert one["cold_ms"] == np.median([launch.cold_ms for launch in run.launches])
        assert one["launches"] == 3
        assert one["asked"] == json.loads(run.config.to_json())
        assert all(isinstance(text, str) for text in one["remarks"])
    assert [(one["a"], one["b"]) for one in facts["comparisons"]] == [
        ("default", "oneDNN off"),
        ("default", "default #2"),
    ]
    for one in facts["comparisons"]:
        low, high = one["ci95"]
        assert low <= one["ratio"] <= high
        expected = "faster" if high < 0.99 else "slower" if low > 1.01 else "no difference seen"
        assert one["verdict"] == expected


def test_progress_goes_from_0_to_1_and_names_the_configs(
    result: Benchmark, told: list[tuple[float, str]]
) -> None:
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    for run in result.runs:
        assert any(text.startswith("loading") and text.endswith(run.label) for _, text in told)
    assert any(text == "launch 2 of 3, round 4 of 6" for _, text in told)


@pytest.mark.usefixtures("no_session_left")
def test_one_config_alone_has_nothing_to_be_compared_with(digits: models.Model) -> None:
    alone = benchmark(digits.path, NO_ONEDNN, seconds=0.05, launches=1)  # type: ignore[arg-type]
    assert [run.config for run in alone.runs] == [NO_ONEDNN]
    assert alone.comparisons == ()
    assert 6 <= len(alone.runs[0].rounds) <= 20
    assert alone.facts()["runs"][0]["ci95"] is not None


def test_it_stops_when_the_answer_is_narrow_enough(digits: models.Model) -> None:
    rough = benchmark(digits, [PLAIN, NO_ONEDNN], seconds=1, within=0.9, launches=8)
    assert [len(run.launches) for run in rough.runs] == [4, 4]
    whole = benchmark(digits, PLAIN, seconds=0.3, within=0, launches=5)
    assert [len(run.launches) for run in whole.runs] == [5]


def test_what_takes_long_to_create_is_launched_less_often(
    digits: models.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = core.Session.load

    def slow(session: core.Session, *given: Any, **more: Any) -> core.Loaded:
        time.sleep(0.3)
        return start(session, *given, **more)

    monkeypatch.setattr(core.Session, "load", slow)
    once = benchmark(digits, PLAIN, seconds=0.05)
    # Of fewer nothing could be said of how launches differ.
    assert [len(run.launches) for run in once.runs] == [3]


@pytest.mark.parametrize("begins", ["loading", "launch 1 of 10, round 2"])
@pytest.mark.usefixtures("no_session_left")
def test_cancel_from_a_progress_callback(digits: models.Model, begins: str) -> None:
    cancel = threading.Event()
    seen: list[str] = []

    def stop(share: float, text: str) -> None:
        seen.append(text)
        if text.startswith(begins):
            cancel.set()

    with pytest.raises(CancelledError, match="cancelled"):
        benchmark(digits, [PLAIN, NO_ONEDNN], seconds=4, progress=stop, cancel=cancel)
    assert seen[-1].startswith(begins)


def test_cancel_ends_a_native_call_that_is_under_way(digits: models.Model) -> None:
    cancel = threading.Event()
    rounds = threading.Event()
    raised: list[BaseException] = []

    def measure() -> None:
        try:
            # Every block takes an hour, so an end in time can only come from inside one.
            benchmark(
                digits,
                seconds=72_000,
                cancel=cancel,
                progress=lambda share, text: rounds.set() if text.startswith("launch") else None,
            )
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=measure, daemon=True)
    thread.start()
    assert rounds.wait(60)
    cancel.set()
    thread.join(60)
    assert not thread.is_alive()
    assert isinstance(raised[0], CancelledError)


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["a", "b", "c"], ["a", "b", "c"]),
        (["a", "a", "a"], ["a", "a #2", "a #3"]),
        (["a #2", "a", "a"], ["a #2", "a", "a #3"]),
        (["a", "a #2", "a"], ["a", "a #2", "a #3"]),
    ],
)
def test_labels_are_told_apart(digits: models.Model, labels: list[str], shown: list[str]) -> None:
    class StopError(Exception):
        pass

    seen: list[str] = []

    def note(share: float, text: str) -> None:
        if text.startswith("loading: "):
            seen.append(text.removeprefix("loading: "))
            if len(seen) == len(labels):
                raise StopError

    with pytest.raises(StopError):
        benchmark(digits, [PLAIN] * len(labels), seconds=0.02, labels=labels, progress=note)
    assert sorted(seen) == sorted(shown)  # in which order they are launched is drawn


@pytest.mark.parametrize("seconds", [0, -1, True, float("nan"), float("inf")])
def test_seconds_must_be_a_span(digits: models.Model, seconds: float) -> None:
    with pytest.raises(WorkbenchError, match=r"seconds is .*: give a number above 0"):
        benchmark(digits, seconds=seconds)


@pytest.mark.usefixtures("no_session_left")
def test_mistakes_are_said(digits: models.Model) -> None:
    for given, said in (
        ({"within": 1}, r"within is 1: give a share from 0 to 1"),
        ({"within": float("nan")}, r"within is nan: give a share"),
        ({"launches": 0}, r"launches is 0: give a whole number above 0"),
        ({"launches": True}, r"launches is True: give a whole number above 0"),
    ):
        with pytest.raises(WorkbenchError, match=said):
            benchmark(digits, **given)
    with pytest.raises(WorkbenchError, match="1 labels for 2 configs"):
        benchmark(digits, [PLAIN, NO_ONEDNN], labels=["only"])
    with pytest.raises(InputError, match="unknown input 'imag': did you mean 'image'"):
        benchmark(digits, inputs={"imag": np.zeros((1, 1, 8, 8), np.float32)})
    with pytest.raises(ConfigError, match="unknown pass 'nonsense'"):
        benchmark(digits, InferenceConfig().without("nonsense"))
    with pytest.raises(TimeLimitError):
        benchmark(digits, seconds=60, time_limit=1e-6)


@dataclass
class Described:
    inputs: tuple[TensorInfo, ...]


def test_random_inputs_have_the_dtypes_and_shapes_of_the_model(digits: models.Model) -> None:
    made = random_inputs(digits, batch=3)
    assert {name: (array.dtype.name, array.shape) for name, array in made.items()} == {
        "image": ("float32", (3, 1, 8, 8))
    }
    kinds = {"float16": "f", "float64": "f", "int32": "i", "int64": "i", "uint8": "u", "bool": "b"}
    infos = tuple(TensorInfo(name, name, (-1, 2, 200)) for name in kinds)
    many: Any = Described((*infos, TensorInfo("one", "float32", ())))
    made = random_inputs(many, batch=4, seed=5)
    for name, kind in kinds.items():
        assert (made[name].dtype, made[name].shape) == (np.dtype(name), (4, 2, 200))
        if kind == "f":
            assert abs(made[name].astype(float).mean()) < 0.15
            assert 0.85 < made[name].astype(float).std() < 1.15
        else:
            assert set(np.unique(made[name])) == {0, 1}
    assert made["one"].shape == ()
    again, other = random_inputs(many, batch=4, seed=5), random_inputs(many, batch=4, seed=6)
    assert all(np.array_equal(made[name], again[name]) for name in made)
    assert not np.array_equal(made["float64"], other["float64"])


def test_random_bfloat16_is_normal_in_its_bits() -> None:
    model: Any = Described((TensorInfo("x", "bfloat16", (-1, 1000)),))
    bits = random_inputs(model)["x"]
    assert bits.dtype == np.uint16
    values = (bits.astype(np.uint32) << 16).view(np.float32)
    assert 0.85 < values.std() < 1.15


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_a_batch_is_a_whole_number_above_0(digits: models.Model, batch: Any) -> None:
    with pytest.raises(WorkbenchError, match=r"batch is .*: give a whole number above 0"):
        random_inputs(digits, batch=batch)


def test_it_is_drawn_in_several_ways(result: Benchmark) -> None:
    titles = {kind: result.chart(kind, "dark").layout.title.text for kind in get_args(ChartKind)}
    assert len(set(titles.values())) == 5
    with pytest.raises(
        WorkbenchError, match=r"no chart 'pie': choose latency, distribution, .*, comparison$"
    ):
        result.chart("pie")  # type: ignore[arg-type]
