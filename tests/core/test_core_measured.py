"""Several predictors at once, and the moments of each op, against plain Paddle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.bench import random_inputs
from workbench.core import ConcurrentRuns, Session
from workbench.errors import InputError, WorkbenchError

Folder = Callable[..., Path]


@pytest.fixture(scope="module", params=["pir", "program"])
def session(request: pytest.FixtureRequest, sample_folder: Folder) -> Any:
    with Session(sample_folder("digits", request.param)) as one:
        yield one


@pytest.mark.parametrize("native", [True, False])
def test_predictors_run_at_once_and_again_with_fewer_and_more(session: Session, native: bool) -> None:
    inputs = random_inputs(session.model)
    before = session.run(inputs)
    for count in (2, 1, 3, 3):
        runs = session.time_at_once(inputs, predictors=count, seconds=0.02, native=native)
        assert runs.native is native
        assert len(runs.samples_ns) == len(runs.ended_ns) == count
        for samples, ends in zip(runs.samples_ns, runs.ended_ns, strict=True):
            assert (samples > 0).all()
            # One after the other in its own thread, until the time is up.
            assert (np.diff(ends) >= samples[1:]).all()
            assert (ends[:-1] < 0.02e9).all()
            assert ends[-1] >= 0.02e9
    for name, array in session.run(inputs).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_thread_that_ran_a_predictor_never_ends(session: Session) -> None:
    # Its end would clear the oneDNN cache under the others.
    inputs = random_inputs(session.model)

    with Session(session.model) as own:

        def threads() -> set[str]:
            return {task.name for task in Path(f"/proc/{own.pid}/task").iterdir()}

        own.run(inputs)
        idle = threads()
        own.time_at_once(inputs, predictors=3, seconds=0.02)
        started = threads() - idle
        assert len(started) >= 3
        for count in (1, 2, 3):
            own.time_at_once(inputs, predictors=count, seconds=0.02)
            assert started <= threads()


def test_whole_runs_count() -> None:
    ended = (np.array([4, 8, 12]) * 10**8, np.array([5, 10]) * 10**8)
    runs = ConcurrentRuns((np.ones(3, np.int64), np.ones(2, np.int64)), ended, True)
    assert runs.per_second == pytest.approx(3 / 1.2 + 2)


HOOKED = """
import json, sys
import numpy as np, paddle.inference as inference
model, params, inputs, out = sys.argv[1:]
config = inference.Config(model, params)
predictor = inference.create_predictor(config)
for name, data in np.load(inputs).items():
    handle = predictor.get_input_handle(name)
    handle.reshape(list(data.shape))
    handle.copy_from_cpu(data)
seen = []
predictor.register_output_hook(lambda op, name, tensor: seen.append((op, name)))
predictor.run()
json.dump(seen, open(out, "w"))
"""


def test_ops_and_outputs_are_those_of_paddles_own_hook(session: Session, tmp_path: Path) -> None:
    inputs = random_inputs(session.model)
    file = tmp_path / "inputs.npz"
    save: Any = np.savez
    save(file, **inputs)
    model = session.model
    command = [sys.executable, "-c", HOOKED, model.model_file, model.params_file, file, tmp_path / "seen"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    seen = json.loads((tmp_path / "seen").read_text())
    found = session.time_ops(inputs, count=5, seconds=10)
    assert list(found.ops) == [op for op, _ in seen]
    if model.ir == "program":
        assert list(found.names) == [name for _, name in seen]
    assert found.moments_ns.shape == (5, len(seen))
    assert (np.diff(found.moments_ns, axis=1) > 0).all()
    assert (found.moments_ns[:, 0] > 0).all()
    assert (found.hooked_ns > found.moments_ns[:, -1]).all()
    assert len(found.plain_ns) == 5


def test_other_inputs_are_profiled_too(session: Session) -> None:
    one = session.time_ops(random_inputs(session.model), count=2)
    many = session.time_ops(random_inputs(session.model, batch=512), count=2)
    assert one.ops == many.ops
    assert np.median(many.plain_ns) > np.median(one.plain_ns)
    assert np.median(many.hooked_ns) > np.median(one.hooked_ns)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s, x: s.time_at_once(x, predictors=0), "predictors is 0: give a whole number above 0"),
        (lambda s, x: s.time_at_once(x, predictors=1.5), "predictors is 1.5: give a whole number above 0"),
        (lambda s, x: s.time_at_once(x, predictors=1, seconds=0), "seconds is 0: give a number above 0"),
        (lambda s, x: s.time_ops(x, count=-1), "count is -1: give a whole number above 0"),
        (lambda s, x: s.time_ops(x, seconds=float("nan")), "seconds is nan: give a number above 0"),
    ],
)
def test_what_makes_no_measurement(session: Session, call: Any, said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        call(session, random_inputs(session.model))
    with pytest.raises(InputError):
        session.time_ops({})


def test_the_peak_of_memory_begins_anew(session: Session) -> None:
    session.run(random_inputs(session.model, batch=4096))
    before = session.memory(reset=True)
    after = session.memory()
    assert before["peak_rss"] >= before["rss"]
    assert after["peak_rss"] <= before["peak_rss"]
