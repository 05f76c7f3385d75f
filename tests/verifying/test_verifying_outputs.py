"""Outputs side by side: what is expected from where, planted faults found, batches streamed."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench import models
from workbench.bench import random_inputs
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import (
    CancelledError,
    ConfigError,
    InputError,
    ModelError,
    NativeError,
    RuntimeMissingError,
    TimeLimitError,
    WorkbenchError,
    WorkerDiedError,
)
from workbench.models import params
from workbench.verifying.batches import Batches
from workbench.verifying.outputs import verify
from workbench.verifying.sources import Running
from workbench.verifying.tolerance import Tolerance

Arrays = dict[str, Any]
PLAIN = InferenceConfig(onednn=False)
OUT = "fetch_name_0"  # the one output of the sample


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> models.Model:
    return models.load(sample_folder("digits"))


@pytest.fixture(scope="module")
def pictures(digits: models.Model) -> list[Arrays]:
    """Four batches."""
    return [random_inputs(digits, batch=3, seed=seed) for seed in range(4)]


# By Paddle itself and nothing of ours: a model with an output in bfloat16, and what digits gives.
NATIVE = """
import sys, numpy, paddle, paddle.inference as engine
class Net(paddle.nn.Layer):
    def forward(self, x):
        return (x * 3).astype("bfloat16"), x * 3
net = Net(); net.eval()
spec = [paddle.static.InputSpec([None, 5], "float32", "x")]
paddle.jit.save(paddle.jit.to_static(net, input_spec=spec, full_graph=True), "net")
config = engine.Config(sys.argv[1], sys.argv[2]); config.disable_glog_info(); config.disable_onednn()
predictor = engine.create_predictor(config)
found = []
for pictures in numpy.load("pictures.npy"):
    predictor.get_input_handle("image").copy_from_cpu(pictures); predictor.run()
    found.append(predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu())
numpy.save("outputs.npy", found)
"""


@pytest.fixture(scope="module")
def native(digits: models.Model, pictures: list[Arrays], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `NATIVE` wrote to."""
    folder = tmp_path_factory.mktemp("native")
    np.save(folder / "pictures.npy", [one["image"] for one in pictures])
    (folder / "native.py").write_text(NATIVE)
    command = [sys.executable, "native.py", str(digits.model_file), str(digits.params_file)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def outputs(native: Path) -> list[Arrays]:
    """What digits gives on the pictures, without oneDNN."""
    return [{OUT: one} for one in np.load(native / "outputs.npy")]


def with_fault(model: models.Model, name: str, change: Callable[[Any], Any]) -> models.Model:
    """A copy of a model with one parameter changed."""
    arrays = {key: np.array(array) for key, array in models.read_params(model).items()}
    arrays[name] = change(arrays[name]).astype(arrays[name].dtype)
    assert model.model_file is not None
    return models.from_bytes(model.model_file.read_bytes(), params.dump(arrays))


# What is expected


def test_the_training_engine_gives_the_same(digits: models.Model) -> None:
    found = verify(digits, top_k=(1,), batches=2)
    assert found.passed
    assert (found.batches, found.expected) == (2, "training engine")
    (one,) = found.outputs
    assert (one.name, one.dtype, one.values, one.unmatched) == (OUT, "float32", 20, 0)
    assert one.max_abs_diff is not None and one.max_abs_diff < 1e-3
    assert one.top_k == {1: 1.0}
    facts = found.facts()
    assert {"max_abs_diff", "max_rel_diff", "cosine", "passed"} <= set(facts["outputs"][0])
    assert facts["first_divergence"] is None
    json.dumps(facts, allow_nan=False)


def test_another_config_and_a_text_of_one_are_the_same_thing(digits: models.Model) -> None:
    found = [verify(digits, None, against, seed=3) for against in (PLAIN, "onednn=off")]
    assert [one.expected for one in found] == ["inference engine, oneDNN off"] * 2
    assert found[0].facts() == found[1].facts()
    assert found[0].passed


def test_saved_arrays_of_several_batches(
    digits: models.Model, pictures: list[Arrays], outputs: list[Arrays], tmp_path: Path
) -> None:
    same = verify(digits, PLAIN, outputs, pictures, tolerance=0)
    assert (same.passed, same.batches, same.outputs[0].max_abs_diff) == (True, 4, 0.0)
    for number, (given, found) in enumerate(zip(pictures, outputs, strict=True)):
        for folder, arrays in (("in", given), ("out", found)):
            (tmp_path / folder).mkdir(exist_ok=True)
            np.savez(tmp_path / folder / f"{number}.npz", **arrays)
    files = verify(digits, PLAIN, str(tmp_path / "out"), tmp_path / "in", tolerance=0)
    assert files.outputs == same.outputs
    first = verify(digits, PLAIN, tmp_path / "out", tmp_path / "in" / "0.npz", tolerance=0)
    assert first.passed
    assert first.notices == ("out: only 1 of 4 batches were compared",)
    with pytest.raises(InputError, match="outputs of 1 batch, and there are more inputs"):
        verify(digits, PLAIN, outputs[0], pictures)


def test_the_same_model_of_the_other_ir_is_matched_by_place(
    digits: models.Model, sample_folder: Callable[..., Path]
) -> None:
    other = sample_folder("digits", "program")
    found = verify(digits, None, other)
    assert found.passed
    name = models.load(other).outputs[0].name
    assert found.notices == (f"names differ, so these were compared by their place: {OUT} with {name}",)
    assert found.outputs[0].name == OUT


def test_anything_that_runs(digits: models.Model, pictures: list[Arrays], outputs: list[Arrays]) -> None:
    class Mine:
        name = "my engine"
        left = iter(outputs)

        def run(self, inputs: Arrays) -> Arrays:
            assert list(inputs) == ["image"]
            return next(self.left)

    assert verify(digits, PLAIN, Mine(), pictures, tolerance=0).passed
    with Session(digits, PLAIN) as session:
        assert verify(digits, PLAIN, session, pictures[0], tolerance=0).passed
        assert session.pid is not None  # the caller's, and not closed


def test_an_engine_is_given_what_it_takes_by_the_names_it_has() -> None:
    class Mine:
        inputs = (models.TensorInfo("picture", "float32", (1,)),)

        def run(self, inputs: Arrays) -> Arrays:
            return dict(inputs)

    source = Running(Mine(), "mine")
    # Another name, and an input that this engine has lost because nothing used it.
    assert source.run({"image": np.ones(1)}) == {"picture": np.ones(1)}
    assert source.run({"mask": np.zeros(1), "picture": np.ones(1)}) == {"picture": np.ones(1)}


def test_outputs_that_one_side_lacks(
    digits: models.Model, pictures: list[Arrays], outputs: list[Arrays]
) -> None:
    more = {**outputs[0], "other": outputs[0][OUT]}
    found = verify(digits, PLAIN, more, pictures[0], tolerance=0)
    assert [(one.name, one.passed) for one in found.outputs] == [(OUT, True), ("other", False)]
    assert "has no output of this name" in found.outputs[1].remark
    assert not found.passed


# Faults


def test_a_changed_number_is_found_with_its_batch_and_place(
    digits: models.Model, pictures: list[Arrays], outputs: list[Arrays]
) -> None:
    wrong = [{OUT: one[OUT].copy()} for one in outputs]
    wrong[2][OUT][1, 7] += 1
    found = verify(digits, PLAIN, wrong, pictures)
    (one,) = found.outputs
    assert (one.passed, one.exceeding, one.failing, one.worst_batch) == (False, 1, 1, 2)
    assert one.worst is not None and one.worst.index == (1, 7)
    assert one.max_abs_diff == pytest.approx(1, abs=1e-5)
    assert "worst is batch 2, counted from 0" in str(found)
    assert "1 element beyond the tolerance; worst at [1, 7]" in str(found)
    wrong[1][OUT][0, 3] = np.nan
    (one,) = verify(digits, PLAIN, wrong, pictures).outputs
    assert (one.unmatched, one.worst_batch, one.positions[0].index) == (1, 1, (0, 3))


def test_a_changed_weight_fails_and_a_tolerance_for_the_output_lets_it_pass(digits: models.Model) -> None:
    name = digits.weights[-1].name
    wrong = with_fault(digits, name, lambda weights: weights * 1.01)
    found = verify(digits, PLAIN, wrong)
    assert not found.passed
    assert verify(digits, PLAIN, wrong, tolerance={OUT: (1.0, 0.1)}).passed
    assert verify(digits, PLAIN, with_fault(digits, name, lambda weights: weights), tolerance=0).passed


def test_nan_weights_are_positions_and_no_number(digits: models.Model) -> None:
    wrong = with_fault(digits, digits.weights[-1].name, lambda weights: np.full_like(weights, np.nan))
    found = verify(wrong, PLAIN, digits)
    assert found.outputs[0].unmatched > 0
    assert "NaN or infinity in" in str(found)
    json.dumps(found.facts(), allow_nan=False)
    # Where NaN is what is expected, it is right.
    assert verify(wrong, PLAIN, wrong).passed


def test_bfloat16_of_both_engines(native: Path) -> None:
    """numpy has none: both give its bits."""
    model = models.load(native / "net.json")
    x = np.array([[1.0, 2.5, -1e-3, 1 / 3, 7e5], [0.1, 0.2, 0.3, np.inf, np.nan]], "float32")
    found = verify(model, PLAIN, "training", {"x": x}, tolerance=0)
    assert [one.dtype for one in found.outputs] == ["bfloat16", "float32"]
    assert found.passed, str(found)
    assert found.outputs[0].values == 10
    # Against a rounding that is written out: the nearest float32 with a lower half of 0.
    bits = np.array([[0x4040, 0x40F0, 0xBB45, 0x3F80, 0x4A00]], np.uint16)
    saved = {found.outputs[0].name: bits, found.outputs[1].name: x[:1] * np.float32(3)}
    near = verify(model, PLAIN, saved, {"x": x[:1]}, tolerance={found.outputs[0].name: (0, 2**-8)})
    assert near.passed, str(near)
    assert near.outputs[0].max_ulps is not None and near.outputs[0].max_ulps <= 1


# Batches


def test_random_batches_differ_and_begin_with_those_of_other_commands(digits: models.Model) -> None:
    first, second, third = (one["image"] for one in Batches(digits, None, 3, 7))
    assert np.array_equal(first, random_inputs(digits, seed=7)["image"])
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)
    again = [one["image"] for one in Batches(digits, None, 3, 7)]
    assert np.array_equal(again[2], third)
    # Seeds beside each other share nothing.
    other = [one["image"] for one in Batches(digits, None, 3, 8)]
    assert not any(np.array_equal(a, b) for a in again for b in other)


class Tracked(np.ndarray):
    """An array that can be watched."""


def test_a_loader_is_streamed_and_asked_for_no_more_than_is_wanted(digits: models.Model) -> None:
    alive: list[weakref.ref[Any]] = []
    most = asked = 0

    def loader() -> Iterator[Arrays]:
        nonlocal most, asked
        while True:
            gc.collect()
            most = max(most, sum(one() is not None for one in alive))
            asked += 1
            batch = random_inputs(digits, batch=2, seed=asked)
            batch["image"] = batch["image"].view(Tracked)
            alive.append(weakref.ref(batch["image"]))
            yield batch
            del batch

    found = verify(digits, PLAIN, "onednn=on", loader(), batches=5)
    assert (found.batches, asked, most) == (5, 5, 0)
    assert found.passed


def test_every_kind_of_inputs(digits: models.Model, pictures: list[Arrays], tmp_path: Path) -> None:
    image = pictures[0]["image"]
    np.save(tmp_path / "any.npy", image)
    np.savez(tmp_path / "image.npz", image=image)
    for given in (pictures[0], [pictures[0]], tmp_path / "any.npy", str(tmp_path / "image.npz")):
        (one,) = Batches(digits, given)
        assert np.array_equal(one["image"], image)
    assert [Batches(digits, given, 2).count for given in (None, pictures, pictures[0], iter(pictures))] == [
        2,
        2,
        1,
        None,
    ]
    (tmp_path / "text.npz").write_text("words")
    (tmp_path / "empty").mkdir()
    for wrong, words in (
        (image, "give a dict of name to array"),
        (3, "give a dict of name to array"),
        ([image], "batch 0 is ndarray"),
        (tmp_path / "nothing.npz", "does not exist"),
        (tmp_path / "text.npz", "no .npz or .npy"),
        (tmp_path / "empty", "holds no .npz"),
    ):
        with pytest.raises(InputError, match=words):
            list(Batches(digits, wrong))
    for count in (0, True, 1.5):
        with pytest.raises(InputError, match="whole number"):
            Batches(digits, None, count)  # type: ignore[arg-type]


# Failures


def test_a_crash_says_which_of_both(digits: models.Model, tmp_path: Path) -> None:
    # The check of the files would refuse this model, so it is made without.
    junk = tmp_path / "junk.pdmodel"
    junk.write_bytes(np.random.default_rng(0).bytes(4096))
    (tmp_path / "junk.pdiparams").write_bytes(b"")
    unchecked = models.Model("program", "program", "junk", junk, tmp_path / "junk.pdiparams")
    vars(unchecked)["_feeds"] = (digits.inputs, digits.outputs)
    with pytest.raises(WorkerDiedError, match=r"^model junk, inference engine, default: ") as caught:
        verify(digits, None, unchecked)
    assert caught.value.signal == "SIGSEGV"
    with pytest.raises(RuntimeMissingError, match=r"^inference engine, /nowhere: "):
        verify(digits, InferenceConfig(runtime="/nowhere"))
    with pytest.raises(ConfigError, match=r"^inference engine, − no_such_pass: "):
        verify(digits, None, "disable_pass=no_such_pass")


def test_an_engine_of_the_users_that_fails_is_named(digits: models.Model) -> None:
    class Mine:
        def run(self, inputs: Arrays) -> Any:
            return self.then()

        def then(self) -> Any:
            raise ZeroDivisionError("by\nnought")

    class Other(Mine):
        def then(self) -> Any:
            return [1]

    with pytest.raises(WorkbenchError, match=r"Mine cannot run .ZeroDivisionError: by nought"):
        verify(digits, None, Mine())
    with pytest.raises(WorkbenchError, match="Other gave list"):
        verify(digits, None, Other())


def test_a_worker_that_is_killed_says_which_of_both(digits: models.Model, pictures: list[Arrays]) -> None:
    session = Session(digits, PLAIN)
    session.load()
    source = Running(session, "the one")

    def kill() -> Iterator[Arrays]:
        assert session.pid is not None
        os.kill(session.pid, signal.SIGSTOP)
        threading.Timer(0.3, os.kill, (session.pid, signal.SIGKILL)).start()
        yield pictures[0]

    with session, pytest.raises(WorkerDiedError, match=r"^the one: ") as caught:
        source.run(next(kill()))
    assert caught.value.signal == "SIGKILL"


def test_a_time_limit_says_which_of_both(digits: models.Model) -> None:
    with pytest.raises(TimeLimitError, match=r"^inference engine, oneDNN on: "):
        verify(digits, PLAIN, "onednn=on", time_limit=1e-6)


def test_cancel(digits: models.Model, pictures: list[Arrays]) -> None:
    cancel = threading.Event()

    def forever() -> Iterator[Arrays]:
        yield pictures[0]
        cancel.set()
        while True:
            yield pictures[1]

    with pytest.raises(CancelledError):
        verify(digits, PLAIN, "onednn=on", forever(), cancel=cancel)
    with pytest.raises(CancelledError):
        verify(digits, cancel=cancel)


def test_progress_is_a_share_of_the_batches(digits: models.Model, pictures: list[Arrays]) -> None:
    told: list[float] = []
    verify(digits, PLAIN, "threads=2", pictures, progress=lambda share, text: told.append(share))
    assert told == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"config": "onednn=off"}, ConfigError, "give an InferenceConfig"),
        ({"against": 7}, ConfigError, "give 'training'"),
        ({"against": []}, ConfigError, "give 'training'"),
        ({"against": "no_such_file"}, ModelError, "nothing to compare with"),
        ({"inputs": {"image": [1.0]}}, InputError, "^input 'image' has shape"),
        ({"inputs": []}, InputError, "there are no inputs"),
        ({"inputs": {"picture": 1}}, InputError, "unknown input"),
        ({"top_k": (0,)}, InputError, "top_k"),
        ({"seed": -1}, InputError, "seed"),
        ({"tolerance": {"nothing": 1}}, InputError, "no output"),
    ],
)
def test_mistakes_are_said_in_one_line(
    digits: models.Model, arguments: dict[str, Any], kind: type[WorkbenchError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        verify(digits, **{"against": PLAIN, **arguments})
    assert "\n" not in str(caught.value)


def test_the_tolerance_stated_is_that_of_dtype_and_magnitude(
    digits: models.Model, pictures: list[Arrays], outputs: list[Arrays]
) -> None:
    found = verify(digits, PLAIN, outputs[:1], pictures[0]).outputs[0].tolerance
    scale = float(np.sqrt(np.mean(outputs[0][OUT].astype("float64") ** 2)))
    assert found is not None
    assert (found.atol, found.rtol) == (pytest.approx(1e-4 * scale), 1e-4)
    assert verify(digits, PLAIN, outputs[:1], pictures[0], tolerance=0.5).outputs[0].tolerance == Tolerance(
        0.5, 0
    )


def test_what_paddle_refuses_is_an_error_that_names_the_engine(digits: models.Model) -> None:
    with pytest.raises(NativeError, match=r"^inference engine, "):
        verify(digits, None, PLAIN, {"image": np.zeros((0, 1, 8, 8), "float32")})
