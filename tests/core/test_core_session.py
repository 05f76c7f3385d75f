"""Running models: any dtype and shape, through shared memory and not, from several threads."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.core import sessions, warm
from workbench.errors import InputError, WorkbenchError


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool"])
def test_every_dtype_and_size_comes_back_as_it_went(identities: Path, dtype: str) -> None:
    with wb.Session(identities / f"{dtype}.json") as session:

        @settings(max_examples=25, deadline=None)
        @given(st.integers(1, 40), st.one_of(st.integers(1, 40), st.integers(8190, 8194), st.just(70_000)))
        def round_trip(rows: int, columns: int) -> None:
            sent = (np.random.default_rng(rows).random((rows, columns)) * 2).astype(dtype)
            (got,) = session.run({"x": sent}).values()
            assert got.dtype == sent.dtype
            np.testing.assert_array_equal(got, sent)

        round_trip()


def test_a_scalar_output_is_a_scalar(identities: Path) -> None:
    with wb.Session(identities / "sum.json") as session:
        (total,) = session.run({"x": np.arange(4, dtype="float32")}).values()
    assert total.shape == ()
    assert total == 6


def test_a_program_without_parameters_is_one_file(identities: Path) -> None:
    with wb.Session(identities / "alone.pdmodel") as session:
        (found,) = session.run({"x": np.array([-1, 2], "float32")}).values()
    assert found.tolist() == [0, 2]


def test_outputs_stay_what_they_were_after_later_runs_and_after_the_end(identities: Path) -> None:
    session = wb.Session(identities / "vector.json")
    kept = [
        next(iter(session.run({"x": np.full(1 << 20, number, "float32")}).values())) for number in range(8)
    ]
    session.close()
    gc.collect()
    for number, array in enumerate(kept):
        assert (array == number).all()


def test_shared_memory_is_given_back(identities: Path) -> None:
    with wb.Session(identities / "vector.json") as session:
        big = {"x": np.ones(4 << 20, "float32")}
        for _ in range(3):
            session.run(big)
        mappings = sum(
            1 for part in psutil.Process().memory_maps(grouped=False) if "workbench-tensors" in part.path
        )
        for _ in range(20):
            session.run(big)
        after = sum(
            1 for part in psutil.Process().memory_maps(grouped=False) if "workbench-tensors" in part.path
        )
        assert after <= mappings
        assert not list(Path("/dev/shm").glob("*workbench*"))


def test_lists_take_the_dtype_of_the_input(identities: Path) -> None:
    with wb.Session(identities / "int64.json") as session:
        (got,) = session.run({"x": [[1, 2], [3, 4]]}).values()
        assert got.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"imag": 0}, "unknown input 'imag': did you mean 'image'?"),
        ({}, "input 'image' is missing"),
        (
            {"image": np.zeros((1, 1, 8, 8))},
            "is float64, the model wants float32: convert it with array.astype",
        ),
        ({"image": np.zeros((1, 1, 8, 9), "float32")}, "has shape 1×1×8×9, the model wants any×1×8×8"),
        ({"image": np.zeros((8, 8), "float32")}, "has shape 8×8"),
        ({"image": "cat"}, "cannot be made an array"),
        ({"image": np.array([["a"]], dtype=object)}, "is object"),
        ([1], "inputs are list; give a dict"),
    ],
)
def test_a_wrong_input_is_one_line_that_says_what_to_do(
    digits: Path, picture: dict[str, np.ndarray], inputs: object, says: str
) -> None:
    with wb.Session(digits) as session:
        with pytest.raises(InputError) as caught:
            session.run(inputs)  # type: ignore[arg-type]
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert session.run(picture)


def test_sessions_share_one_warm_process(digits: Path) -> None:
    with wb.Session(digits) as one, wb.Session(digits) as two:
        one.start()
        two.start()
        parents = {psutil.Process(session.pid).ppid() for session in (one, two)}
        assert parents == {warm().about["pid"]}
        assert {one, two} <= set(sessions())


def test_paddle_is_never_imported_where_the_session_is(digits: Path) -> None:
    code = """
import sys
import workbench as wb
with wb.Session(sys.argv[1]) as session:
    session.run(wb.sample_inputs(sys.argv[1]))
assert "paddle" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(digits)], check=True)


def test_a_session_nobody_holds_any_more_ends_its_worker(digits: Path) -> None:
    session = wb.Session(digits)
    session.load()
    worker = psutil.Process(session.pid)
    del session
    gc.collect()
    worker.wait(30)


def test_several_threads_may_use_one_session(digits: Path) -> None:
    inputs = wb.sample_inputs(digits)["image"]
    with wb.Session(digits) as session:
        expected = [next(iter(session.run({"image": inputs[i : i + 1]}).values())) for i in range(8)]
        wrong: list[int] = []

        def work(number: int) -> None:
            for _ in range(20):
                (got,) = session.run({"image": inputs[number : number + 1]}).values()
                if not np.array_equal(got, expected[number]):
                    wrong.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_fork_of_the_kernel_leaves_the_session_alone(digits: Path, picture: dict[str, np.ndarray]) -> None:
    with wb.Session(digits) as session:
        before = session.run(picture)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        after = session.run(picture)
        for name, array in before.items():
            np.testing.assert_array_equal(array, after[name])


def test_a_model_from_memory_runs_like_the_one_from_files(
    digits: Path, picture: dict[str, np.ndarray]
) -> None:
    program = wb.sample("digits", "program")
    for model in (wb.load(digits), wb.load(program)):
        assert model.model_file is not None
        assert model.params_file is not None
        copy = wb.from_bytes(model.model_file.read_bytes(), model.params_file.read_bytes())
        with wb.Session(model) as one, wb.Session(copy) as two:
            for name, array in one.run(picture).items():
                np.testing.assert_array_equal(array, two.run(picture)[name])


def test_the_memory_of_a_worker_is_what_the_system_says(digits: Path) -> None:
    with wb.Session(digits) as session:
        told = session.memory()
        seen = psutil.Process(session.pid).memory_info().rss
        assert abs(told["rss"] - seen) < 0.1 * seen
        assert told["peak_rss"] >= told["rss"]


def test_timed_runs_are_samples_of_single_runs(digits: Path, picture: dict[str, np.ndarray]) -> None:
    with wb.Session(digits) as session:
        taken = session.time(picture, count=50, seconds=60)
        assert taken.samples_ns.shape == (50,)
        assert (taken.samples_ns > 0).all()
        with pytest.raises(WorkbenchError, match="give a whole number above 0"):
            session.time(picture, count=0)


def test_what_was_given_is_said(digits: Path) -> None:
    config = wb.InferenceConfig(device="gpu", ir_optim=False, threads=2, onednn=False)
    with wb.Session(digits, config) as session:
        assert session.asked["device"] == "gpu"
        assert session.given["device"] == "cpu"
        assert session.given["threads"] == 2
        assert session.given["onednn"] is False
        said = " ".join(session.notices)
        assert "runs on the CPU" in said
        assert f"Paddle runs {len(session.given['passes'])} passes all the same" in said


def test_a_shell_that_silences_paddle_hides_no_match(sample_folder: Callable[..., Path]) -> None:
    code = (
        "import sys, workbench as wb; "
        "print(sum(run.matches is not None for run in wb.Session(sys.argv[1]).load().passes))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code, str(sample_folder("digits", "pir"))],
            env={**os.environ, "GLOG_minloglevel": level},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for level in ("0", "3")
    ]
    assert int(said[0]) > 0
    assert said[0] == said[1]
