"""`ablate`: planted worths are found, nothing finished is lost, and plain Paddle agrees on the outputs."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import workbench as wb
from workbench.bench import Benchmark, Launch, Round, Run, random_inputs
from workbench.bench.ablation import Ablation, ablate, leaveout
from workbench.bench.ablation.kept import Deed, Look
from workbench.bench.ablation.looking import effect, interactions
from workbench.bench.ablation.results import LESS, MORE, SAME, against_product, difference
from workbench.errors import CancelledError, ConfigError, NativeError, WorkbenchError, WorkerDiedError
from workbench.models import Model

Off = frozenset[str]

FUSE, FOLD, PLACE, CLEAN, SPARE = "fuse_pass", "fold_pass", "place_pass", "clean_pass", "spare_pass"


class World:
    """A predictor that does not exist, with four passes that change something and one that may.

    Attributes:
        latency_ms: of a predictor without these passes.
        looks, measured: what was asked for, in order.
        breaks: passes without which the predictor is not created.
        kills: passes without which the worker dies when it is timed.
        cancel_at: the call to measure that is cancelled.
    """

    def __init__(self) -> None:
        self.latency_ms: Callable[[Off], float] = lambda off: 10.0
        self.deeds: Callable[[Off], dict[str, Deed]] = self._same_deeds
        self.looks: list[Off] = []
        self.measured: list[list[Off]] = []
        self.breaks: Off = frozenset()
        self.kills: Off = frozenset()
        self.cancel_at: int | None = None
        self.chained: tuple[tuple[str, str], ...] = ()
        self._rng = np.random.default_rng(0)

    @staticmethod
    def _same_deeds(off: Off) -> dict[str, Deed]:
        all_ = {
            FUSE: Deed((3,), ("20",)),
            FOLD: Deed((5, 9), ("(1, 2)", "4")),
            PLACE: Deed((7,), ("8",)),
            CLEAN: Deed((11,), ("2",)),
        }
        return {name: deed for name, deed in all_.items() if name not in off}

    def look(
        self,
        model: Model,
        config: wb.InferenceConfig,
        off: Sequence[str],
        *given: Any,
        traced: bool,
        **more: Any,
    ) -> tuple[Look, Mapping[str, Any]]:
        gone = frozenset(config.without(*off).disabled_passes)
        self.looks.append(gone)
        if gone & self.breaks:
            raise NativeError("Paddle refused: a variable is missing")
        deeds = self.deeds(gone) if traced else None
        outputs = {"y": np.full(3, 2.0 + 0.5 * len(gone))}
        return Look(tuple(off), deeds, () if off else self.chained), outputs

    def measure(self, model: Model, cases: Sequence[Any], **more: Any) -> Benchmark:
        offs = [frozenset(case.config.disabled_passes) for case in cases]
        if self.cancel_at == len(self.measured):
            raise CancelledError("the benchmark was cancelled")
        self.measured.append(offs)
        if any(off & self.kills for off in offs):
            raise WorkerDiedError("the worker died", signal="SIGSEGV")
        more["progress"](1.0, "done")
        return Benchmark("digits", tuple(self._run(case, off) for case, off in zip(cases, offs, strict=True)))

    def _run(self, case: Any, off: Off) -> Run:
        launches = tuple(
            Launch(
                1.0,
                1.0,
                np.empty(0),
                tuple(
                    Round(self.latency_ms(off) * (1 + 0.0005 * self._rng.standard_normal(20)))
                    for _ in range(6)
                ),
            )
            for _ in range(4)
        )
        return Run(case.label, case.config, (), launches)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(leaveout, "look", made.look)
    monkeypatch.setattr(leaveout, "measure", made.measure)
    return made


@pytest.fixture
def run(digits: Model, tmp_path: Path) -> Callable[..., Ablation]:
    def call(**given: Any) -> Ablation:
        return ablate(digits, **{"folder": tmp_path / "kept", **given})

    return call


def times(**factors: float) -> Callable[[Off], float]:
    """10 ms, times a factor for each pass that is off; for one of two names with __ in it, if both are."""

    def latency_ms(off: Off) -> float:
        return 10.0 * math.prod(factor for names, factor in factors.items() if set(names.split("__")) <= off)

    return latency_ms


def test_a_planted_worth_is_found(world: World, run: Callable[..., Ablation]) -> None:
    world.latency_ms = times(fuse_pass=1.5, fold_pass=0.8)
    found = run()
    assert [one.name for one in found.passes] == [FUSE, FOLD, PLACE, CLEAN]
    assert [one.stages for one in found.passes] == [(3,), (5, 9), (7,), (11,)]
    assert [one.ratio for one in found.passes] == pytest.approx([1.5, 0.8, 1.0, 1.0], rel=2e-3)
    assert [one.verdict for one in found.passes] == ["slower", "faster", *["no difference seen"] * 2]
    assert [one.ms for one in found.passes] == pytest.approx([5.0, -2.0, 0.0, 0.0], abs=0.05)
    assert found.base_ms == pytest.approx(10, rel=1e-3)
    for one in found.passes:
        assert one.ci95 is not None
        assert one.ci95[0] <= one.ratio <= one.ci95[1]
    assert all(off[0] == frozenset() for off in world.measured), "the baseline takes turns in every batch"
    assert all(len(offs) <= leaveout.BATCH + 1 for offs in world.measured)


def test_the_order_goes_from_none_to_all(world: World, run: Callable[..., Ablation]) -> None:
    # Folding is worth much alone, and nothing after the fusion: which one ran first is paid for.
    world.latency_ms = times(fuse_pass=1.5, fold_pass=1.0, fuse_pass__fold_pass=1.2, clean_pass=1.1)
    found = run()
    assert [step.names for step in found.steps] == [(FUSE,), (FOLD,), (PLACE,), (CLEAN,)]
    expected = [11.0 - 19.8, 0.0, 0.0, 10.0 - 11.0]
    assert [step.ms for step in found.steps] == pytest.approx(expected, abs=0.1)
    for step in found.steps:
        assert step.low is not None
        assert step.high is not None
        assert step.low <= step.ms <= step.high
    ends = [found.steps[0].from_ms, *(step.to_ms for step in found.steps)]
    assert np.diff(ends) == pytest.approx([step.ms for step in found.steps])
    assert ends[-1] == found.base_ms
    labels = str(found.chart("dark").to_json())
    assert all(step.name in labels for step in found.steps)


def test_pairs_that_interact_and_only_those_are_measured(world: World, run: Callable[..., Ablation]) -> None:
    def deeds(off: Off) -> dict[str, Deed]:
        found = World._same_deeds(off)
        if FUSE in off and SPARE not in off:
            found[SPARE] = Deed((4,), ("20",))
        if FOLD in off:
            found.pop(PLACE, None)
        return found

    world.deeds = deeds
    world.chained = ((FUSE, CLEAN),)
    world.latency_ms = times(
        fuse_pass=1.02,
        fuse_pass__spare_pass=1.4,
        fold_pass=1.5,
        place_pass=1.5,
        fold_pass__place_pass=1 / 1.5,
        clean_pass=1.2,
    )
    found = {one.names: one for one in run().pairs}
    assert set(found) == {(FUSE, CLEAN), (FUSE, SPARE), (FOLD, PLACE)}
    assert found[FUSE, SPARE].verdict == MORE  # the spare one steps in
    assert found[FUSE, SPARE].together == pytest.approx(1.4, rel=3e-3)
    assert found[FOLD, PLACE].verdict == LESS  # one is of no use without the other
    assert found[FOLD, PLACE].product == pytest.approx(2.25, rel=3e-3)
    assert found[FUSE, CLEAN].verdict == SAME
    assert found[FUSE, CLEAN].ratio == pytest.approx(1.02 * 1.2, rel=3e-3)
    measured = {off for offs in world.measured for off in offs if len(off) == 2 and FOLD in off}
    assert measured == {frozenset((FOLD, PLACE))}


def test_without_pairs_none_is_measured(world: World, run: Callable[..., Ablation]) -> None:
    world.chained = ((FUSE, FOLD),)
    assert run(pairs=False).pairs == ()
    assert frozenset((FUSE, FOLD)) not in {off for offs in world.measured for off in offs}


def test_only_the_passes_asked_for_are_left_out(world: World, run: Callable[..., Ablation]) -> None:
    found = run(passes=[CLEAN, FUSE])
    assert [one.name for one in found.passes] == [FUSE, CLEAN]
    assert [step.names for step in found.steps] == [(FUSE,), (CLEAN,)]
    assert not any(off & {FOLD, PLACE} for off in world.looks)


def test_a_pass_that_changes_nothing_cannot_be_asked_for(world: World, run: Callable[..., Ablation]) -> None:
    with pytest.raises(ConfigError, match=r"'spare_pass' changes nothing here: give some of fuse_pass, "):
        run(passes=[SPARE])
    with pytest.raises(ConfigError, match="give a list of pass names"):
        run(passes=SPARE)


def test_what_fails_is_kept_with_its_words_and_the_others_go_on(
    world: World, run: Callable[..., Ablation]
) -> None:
    world.breaks, world.kills = frozenset({PLACE}), frozenset({FOLD})
    world.latency_ms = times(fuse_pass=1.5, clean_pass=1.2)
    world.chained = ((FUSE, PLACE),)
    found = run()
    fuse, fold, place, clean = found.passes
    assert (fold.error, fold.ratio) == ("the worker died", None)
    assert (place.error, place.ratio) == ("Paddle refused: a variable is missing", None)
    assert [fuse.ratio, clean.ratio] == pytest.approx([1.5, 1.2], rel=2e-3)
    assert [step.names for step in found.steps] == [(FUSE,), (CLEAN,)]
    assert [text.split()[0] for text in found.notices if "stays on" in text] == [FOLD, PLACE]
    [pair] = found.pairs
    assert pair.error is not None
    assert PLACE in pair.error
    json.dumps(found.facts(), allow_nan=False)
    assert "the worker died" in repr(found)


def test_a_step_that_does_not_run_is_taken_with_the_next(
    world: World, run: Callable[..., Ablation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(model: Model, config: wb.InferenceConfig, off: Sequence[str], *given: Any, **more: Any) -> Any:
        if set(off) == {PLACE, CLEAN}:
            raise NativeError("Paddle refused: place and clean")
        return world.look(model, config, off, *given, **more)

    monkeypatch.setattr(leaveout, "look", look)
    world.latency_ms = times(fuse_pass=1.1, fold_pass=1.2, place_pass=1.3)
    found = run()
    assert [step.names for step in found.steps] == [(FUSE,), (FOLD, PLACE), (CLEAN,)]
    assert found.steps[1].ms == pytest.approx(10 - 15.6, abs=0.1)
    assert any("up to fold_pass, the model does not run: Paddle refused" in text for text in found.notices)


def test_after_a_cancel_only_what_is_missing_is_measured(world: World, run: Callable[..., Ablation]) -> None:
    world.latency_ms = times(fuse_pass=1.5)
    world.cancel_at = 1
    with pytest.raises(CancelledError):
        run()
    before, looked = list(world.measured), list(world.looks)
    assert len(before) == 1
    world.cancel_at = None
    found = run()
    again = [off for offs in world.measured[1:] for off in offs if off]
    assert not set(again) & set(before[0])
    assert set(again) == {
        frozenset((FUSE, FOLD, PLACE, CLEAN)),
        frozenset((FOLD, PLACE, CLEAN)),
        frozenset((PLACE, CLEAN)),
    }
    # The baseline alone is looked at again: the outputs of the others are set beside its.
    assert {off for off in world.looks[len(looked) :] if off} & set(looked) == set()
    assert found.passes[0].ratio == pytest.approx(1.5, rel=2e-3)


def test_what_is_finished_is_not_measured_again(world: World, run: Callable[..., Ablation]) -> None:
    first = run()
    count = len(world.measured), len(world.looks)
    second = run()
    assert (len(world.measured), len(world.looks)) == count
    assert second.facts() | {"notices": []} == first.facts() | {"notices": []}
    assert "nothing was measured anew" in second.notices[-1]
    # What goes into a report names no path; that is here.
    assert str(second.folder) not in str(second.notices)


def test_a_cancel_before_it_begins_looks_at_nothing(world: World, run: Callable[..., Ablation]) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError):
        run(cancel=cancel)
    assert not world.looks


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"seconds": 3.0}, "seconds"),
        ({"config": wb.InferenceConfig(threads=2)}, "config"),
        ({"inputs": {"image": np.zeros((1, 1, 8, 8), np.float32)}}, "inputs"),
        ({"passes": [FUSE]}, "passes"),
        ({"pairs": False}, "pairs"),
    ],
)
def test_other_arguments_need_another_folder(
    world: World, run: Callable[..., Ablation], tmp_path: Path, changed: dict[str, Any], name: str
) -> None:
    run()
    count = len(world.measured)
    with pytest.raises(WorkbenchError, match=rf"another {name}: .*give another folder"):
        run(**changed)
    assert len(world.measured) == count
    run(folder=tmp_path / "other", **changed)


def test_by_default_other_arguments_have_another_folder(
    world: World, run: Callable[..., Ablation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    folders = {run(folder=None, seconds=seconds).folder for seconds in (1, 1.0, 2)}
    assert len(folders) == 2
    assert all(folder is not None and tmp_path in folder.parents for folder in folders)


def test_a_folder_that_cannot_be_used_is_said(
    world: World, run: Callable[..., Ablation], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(WorkbenchError, match="holds other files: give an empty folder"):
        run(folder=other)
    with pytest.raises(WorkbenchError, match="cannot keep results in"):
        run(folder=other / "letter.txt")
    assert not world.looks


def test_a_damaged_piece_is_named_and_measured_again_without_it(
    world: World, run: Callable[..., Ablation], tmp_path: Path
) -> None:
    run()
    pieces = sorted((tmp_path / "kept").glob("batch-*.json"))
    pieces[0].write_bytes(pieces[0].read_bytes()[:20])
    with pytest.raises(WorkbenchError, match=rf"{pieces[0].name} is damaged: remove it"):
        run()
    pieces[0].unlink()
    count = len(world.measured)
    run()
    assert len(world.measured) == count + 1
    # Whose pieces the others are, only this file says.
    (tmp_path / "kept" / "about.json").write_bytes(b"{")
    with pytest.raises(
        WorkbenchError, match=r"about\.json is damaged: remove .*kept, or give another folder"
    ):
        run()


def test_a_full_disk_ends_it_and_loses_nothing_finished(
    world: World, run: Callable[..., Ablation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace
    left = [7]

    def full(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(WorkbenchError, match="No space left on device; make room there"):
            run()
    # About, five looks and a batch; no draft stays behind.
    assert len(list((tmp_path / "kept").iterdir())) == 7
    first = set(world.measured[0])
    run()
    assert not {off for offs in world.measured[2:] for off in offs if off} & first


def test_the_share_done_never_falls(world: World, run: Callable[..., Ablation]) -> None:
    told: list[float] = []
    world.chained = ((FUSE, FOLD), (FOLD, PLACE))
    run(progress=lambda share, text: told.append(share))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_a_pass_that_acts_otherwise_interacts() -> None:
    base = {"a": Deed((1,), ("2",)), "b": Deed((2,), ("3",)), "c": Deed((3,), ("1",))}
    without = {
        "a": {"b": Deed((2,), ("4",)), "c": Deed((9,), ("1",)), "new": Deed((4,), ("1",))},
        "b": {"a": Deed((1,), ("2",))},
        "c": None,
    }
    assert interactions(base, [("a", "c"), ("a", "b"), ("c", "other")], without) == {
        ("a", "b"): "without a, b changes 4, not 3",
        ("a", "c"): "c takes in what a makes",
        ("a", "new"): "only without a, new changes something",
        ("b", "c"): "without b, c changes nothing",
    }


FLOATS = hnp.arrays(np.float32, hnp.array_shapes(max_side=4), elements=st.floats(width=32))


@given(FLOATS)
def test_outputs_do_not_differ_from_themselves(values: Any) -> None:
    found = effect({"y": values}, {"y": values.copy()})
    assert (found.max_abs, found.max_rel, found.words) == (0, 0, "")


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6)), st.floats(1e-3, 1e3))
def test_the_largest_difference_is_told(values: Any, apart: float) -> None:
    other = values.copy()
    other[1, 2] = values[1, 2] + apart
    found = effect({"y": values, "z": values}, {"y": other, "z": values})
    assert found.max_abs == pytest.approx(apart, rel=1e-5)
    assert found.max_rel is not None
    assert 0 < found.max_rel <= 2


def test_what_is_no_number_is_said_in_words() -> None:
    nan, inf = np.nan, np.inf
    same = np.array([nan, inf, 1.0])
    assert effect({"y": np.array([nan, inf, 1.5])}, {"y": same}).max_abs == 0.5
    for ours, theirs in ((nan, 1.0), (1.0, nan), (inf, 1.0), (inf, -inf)):
        found = effect({"y": np.array([ours])}, {"y": np.array([theirs])})
        assert found.max_abs is None
        assert "1 values of y are NaN or infinite" in found.words
    assert "shape (2,), not (3,)" in effect({"y": np.zeros(2)}, {"y": np.zeros(3)}).words
    assert "2 outputs, not 1" in effect({"y": same, "z": same}, {"y": same}).words


def test_the_interval_of_a_difference_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(5, 0.3, 4000), rng.normal(3, 0.4, 4000)
    held = 0
    for one, other in zip(a, b, strict=True):
        reach = 1.959964
        _, interval = difference(
            one, (one - reach * 0.3, one + reach * 0.3), other, (other - reach * 0.4, other + reach * 0.4)
        )
        assert interval is not None
        held += interval[0] <= 2 <= interval[1]
    assert held / 4000 == pytest.approx(0.95, abs=0.012)
    assert difference(2.0, None, 1.0, (1.0, 1.0)) == (1.0, None)


def test_a_pair_is_set_against_the_product() -> None:
    ratio, interval = against_product((3.0, (2.7, 3.3)), (1.5, (1.4, 1.6)), (1.6, (1.6, 1.6)))
    assert ratio == pytest.approx(3 / 2.4)
    assert interval is not None
    assert interval[0] < ratio < interval[1]
    assert against_product((3.0, None), (1.5, (1.4, 1.6)), (1.6, (1.6, 1.6)))[1] is None


# On the real core


@pytest.mark.parametrize(
    ("layout", "name"), [("pir", "conv2d_bn_onednn_fuse_pass"), ("program", "fc_fuse_pass")]
)
def test_plain_paddle_agrees_on_the_outputs(
    sample_folder: Callable[..., Path], tmp_path: Path, layout: str, name: str
) -> None:
    folder = sample_folder("digits", layout)
    model = wb.load(folder)
    inputs = random_inputs(model, seed=3)
    found = ablate(model, None, inputs, passes=[name], seconds=0.05, pairs=False, folder=tmp_path / layout)
    [one] = found.passes
    assert (one.name, one.error) == (name, None)
    assert one.ratio is not None
    assert one.ratio > 0
    assert one.effect is not None
    files = oracle.model_arguments(folder, layout)
    on, off = (oracle.native(files, setup, inputs) for setup in ((), (f"config.delete_pass({name!r})",)))
    assert name in on.passes
    assert name not in off.passes
    apart = max(
        float(np.abs(a - b).max()) for a, b in zip(on.outputs.values(), off.outputs.values(), strict=True)
    )
    assert apart > 0
    assert one.effect.max_abs == pytest.approx(apart, rel=1e-6)


def test_a_pass_is_left_out_under_the_name_it_is_registered_under(
    digits: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: dict[Off, Sequence[str]] = {}
    real = wb.Session.run

    def run(session: wb.Session, *given: Any, **more: Any) -> Any:
        ran[frozenset(session.config.disabled_passes)] = session.given["passes"]
        return real(session, *given, **more)

    monkeypatch.setattr(wb.Session, "run", run)
    logged, name = "conv_activation_mkldnn_fuse_pass", "conv_activation_onednn_fuse_pass"
    found = ablate(digits, passes=[logged], seconds=0.05, pairs=False, folder=tmp_path / "kept")
    assert [(one.name, one.error) for one in found.passes] == [(name, None)]
    assert logged in ran[frozenset()]
    assert not {logged, name} & set(ran[frozenset([name])])
