"""Everything that can end a worker, and what is left afterwards: nothing, and a kernel that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

import workbench as wb
from workbench.core import register, warm
from workbench.errors import (
    CancelledError,
    ConfigError,
    ModelError,
    NativeError,
    RuntimeMissingError,
    TimeLimitError,
    WorkerDiedError,
)
from workbench.models import Model

Picture = dict[str, np.ndarray]
PATIENCE_S = 30.0


def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in another process."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def busy(session: wb.Session, picture: Picture, then: Callable[[], object]) -> BaseException:
    """Start a run that would not end, do ``then`` to it, and give the exception it ended with."""
    ended: list[BaseException] = []

    def work() -> None:
        try:
            session.time(picture, count=10**9, seconds=10**6)
        except BaseException as error:
            ended.append(error)

    session.load()
    thread = threading.Thread(target=work)
    thread.start()
    process = psutil.Process(session.pid)
    idle = sum(process.cpu_times()[:2])
    until(lambda: sum(process.cpu_times()[:2]) > idle + 0.1)
    then()
    thread.join(PATIENCE_S)
    assert ended, "the run went on"
    return ended[0]


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_worker_killed_in_mid_run(digits: Path, picture: Picture) -> None:
    with wb.Session(digits) as session:
        expected = session.run(picture)
        first = session.pid
        assert first is not None
        error = busy(session, picture, lambda: os.kill(first, signal.SIGKILL))
        assert isinstance(error, WorkerDiedError)
        assert error.signal == "SIGKILL"
        assert "died of SIGKILL while timing the model" in str(error)
        assert gone(first)
        for name, array in session.run(picture).items():
            np.testing.assert_array_equal(array, expected[name])
        assert session.pid != first


def test_cancel_from_another_thread(digits: Path, picture: Picture) -> None:
    with wb.Session(digits) as session:
        session.load()
        first = session.pid
        assert first is not None
        assert isinstance(busy(session, picture, session.cancel), CancelledError)
        assert gone(first)
        assert session.run(picture)


def test_a_cancel_that_comes_too_late_stops_nothing(digits: Path, picture: Picture) -> None:
    with wb.Session(digits) as session:
        session.load()
        session.cancel()
        assert session.run(picture)


def test_cancel_twice_and_after_the_end(digits: Path, picture: Picture) -> None:
    with wb.Session(digits) as session:
        session.load()
        busy(session, picture, lambda: (session.cancel(), session.cancel()))
        session.cancel()
        assert session.run(picture)
    session.cancel()


def test_a_folder_given_back_and_a_worker_ended_in_one_breath(digits: Path) -> None:
    # Two messages that reach the warm process together are both answered.
    for _ in range(50):
        session = wb.Session(digits)
        session.start()
        spool = session.spool()
        spool.close()
        session.close()
        assert not spool.path.exists()


def test_the_time_limit(digits: Path, picture: Picture) -> None:
    with wb.Session(digits) as session:
        session.load()
        with pytest.raises(TimeLimitError, match="took longer than its time limit"):
            session.time(picture, count=10**9, seconds=10**6, time_limit=0.3)
        assert session.run(picture)


def test_the_warm_process_killed(digits: Path, picture: Picture) -> None:
    with wb.Session(digits) as session:
        session.run(picture)
        worker, parent = session.pid, warm().about["pid"]
        assert worker is not None
        os.kill(parent, signal.SIGKILL)
        until(lambda: gone(parent) and gone(worker))
        with pytest.raises(WorkerDiedError):
            session.run(picture)
        assert session.run(picture)
        assert warm().about["pid"] != parent


def test_random_bytes_as_a_model_die_in_the_worker_alone(
    tmp_path: Path, digits: Path, picture: Picture
) -> None:
    # The check of the files would refuse this model, so it is handed to the core without.
    junk = tmp_path / "junk.pdmodel"
    junk.write_bytes(np.random.default_rng(0).bytes(4096))
    (tmp_path / "junk.pdiparams").write_bytes(b"")
    unchecked = Model("program", "program", "junk", junk, tmp_path / "junk.pdiparams")
    with pytest.raises(ModelError, match=r"junk\.pdmodel"):
        wb.load(junk)
    session = wb.Session(unchecked)
    with pytest.raises(WorkerDiedError) as caught:
        session.load()
    assert caught.value.signal == "SIGSEGV"
    assert "while creating the predictor" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert session.pid is None
    with wb.Session(digits) as other:
        assert other.run(picture)


def test_truncated_parameters(tmp_path: Path, digits: Path) -> None:
    model = wb.load(digits)
    assert model.model_file is not None
    assert model.params_file is not None
    (tmp_path / "inference.json").write_bytes(model.model_file.read_bytes())
    (tmp_path / "inference.pdiparams").write_bytes(model.params_file.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"inference\.pdiparams"):
        wb.Session(tmp_path)


@pytest.mark.parametrize("layout", ["pir", "program"])
def test_an_unknown_pass(layout: str, picture: Picture) -> None:
    folder = wb.sample("digits", layout)
    with (
        wb.Session(folder, wb.InferenceConfig().without("constant_foldin_pass")) as session,
        pytest.raises(
            ConfigError, match="unknown pass 'constant_foldin_pass': did you mean 'constant_folding_pass'"
        ),
    ):
        session.run(picture)
    with (
        wb.Session(folder, wb.InferenceConfig(enabled_passes=("no_such_pass",))) as session,
        pytest.raises(ConfigError, match="'no_such_pass'"),
    ):
        session.run(picture)


def test_a_crash_in_a_pass_names_the_pass(digits: Path) -> None:
    with wb.Session(wb.sample("resnet18")) as session:
        session.start()
        worker = session.pid
        assert worker is not None
        seen: list[str] = []

        def crash(name: str) -> None:
            seen.append(name)
            os.kill(worker, signal.SIGSEGV)

        with pytest.raises(WorkerDiedError) as caught:
            session.load(progress=crash)
        assert caught.value.signal in ("SIGSEGV", "SIGABRT")
        assert caught.value.pass_name == seen[-1]
        assert f"in pass {seen[-1]}" in str(caught.value)


def test_a_known_defect_is_named_with_its_mend(identities: Path) -> None:
    image = {"image": np.zeros((1, 3, 8, 8), "float32")}
    with wb.Session(identities / "upscale.json") as session, pytest.raises(NativeError) as caught:
        session.run(image)
    assert "switch off onednn_placement_pass" in str(caught.value)
    with wb.Session(
        identities / "upscale.json", wb.InferenceConfig().without("onednn_placement_pass")
    ) as mended:
        assert mended.run(image)


def test_a_switch_that_changes_nothing_says_so(digits: Path) -> None:
    config = wb.InferenceConfig(onednn=False).without("conv2d_bn_onednn_fuse_pass")
    with wb.Session(digits, config) as session:
        assert any("changed nothing" in text for text in session.notices)


def test_tensorrt_on_a_cpu_build(digits: Path) -> None:
    with (
        wb.Session(digits, wb.InferenceConfig(device="gpu", trt=True)) as session,
        pytest.raises(ConfigError, match="CPU build"),
    ):
        session.load()


def test_a_runtime_that_is_none(tmp_path: Path, digits: Path) -> None:
    with pytest.raises(RuntimeMissingError, match="unknown runtime 'elsewhere'"):
        wb.Session(digits, wb.InferenceConfig(runtime="elsewhere")).load()
    with pytest.raises(RuntimeMissingError, match="not an interpreter"):
        register("broken", tmp_path / "python")
    empty = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True)
    with pytest.raises(RuntimeMissingError, match="paddle-workbench"):
        wb.Session(digits, wb.InferenceConfig(runtime=str(empty / "bin" / "python"))).load()


KERNEL = """
import signal, sys
import workbench as wb
# As a notebook's kernel has it, also where the shell around the tests ignores the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
folder, model = sys.argv[1:]
session = wb.Session(folder)
trace = wb.trace(session)
picture = {name: array[:1] for name, array in wb.sample_inputs(folder).items()}
files = [open(f"{folder}/inference.{end}", "rb").read() for end in ("json", "pdiparams")]
memory = wb.Session(wb.from_bytes(*files))
memory.run(picture)
from workbench.core import warm
print(warm().about["pid"], session.pid, memory.pid, trace._store.folder, flush=True)
try:
    session.time(picture, count=10**9, seconds=10**6)
except KeyboardInterrupt:
    print("interrupted", session.pid, flush=True)
    session.run(picture)
    print("ran again", flush=True)
"""


@pytest.fixture
def kernel(tmp_path: Path, digits: Path) -> subprocess.Popen[str]:
    """A process like a notebook's kernel, with two sessions and a trace, busy in native code."""
    script = tmp_path / "kernel.py"
    script.write_text(textwrap.dedent(KERNEL))
    environment = {**os.environ, "WORKBENCH_SPOOL_DIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, str(script), str(digits), ""], stdout=subprocess.PIPE, text=True, env=environment
    )


def first_words(kernel: subprocess.Popen[str]) -> tuple[list[int], Path]:
    assert kernel.stdout is not None
    words = kernel.stdout.readline().split()
    pids = [int(word) for word in words[:3]]
    worker = psutil.Process(pids[1])
    until(lambda: worker.cpu_percent(0.05) > 50)
    return pids, Path(words[3])


def test_a_killed_kernel_leaves_no_process_and_no_file(kernel: subprocess.Popen[str]) -> None:
    pids, spool = first_words(kernel)
    assert spool.is_dir()
    kernel.kill()
    kernel.wait()
    until(lambda: all(gone(pid) for pid in pids))
    until(lambda: not spool.exists())
    assert not list(spool.parent.glob("workbench-*"))


def test_an_interrupt_stops_native_code_and_the_kernel_goes_on(kernel: subprocess.Popen[str]) -> None:
    pids, spool = first_words(kernel)
    assert kernel.stdout is not None
    kernel.send_signal(signal.SIGINT)
    assert kernel.stdout.readline().split() == ["interrupted", "None"]
    assert gone(pids[1])
    assert kernel.stdout.readline() == "ran again\n"
    kernel.wait(PATIENCE_S)
    until(lambda: all(gone(pid) for pid in pids))
    assert not spool.exists()


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_precision_asked_of_a_gpu_that_is_not_there(digits: Path, precision: str) -> None:
    config = wb.InferenceConfig(device="gpu", precision=precision)  # type: ignore[arg-type]
    with wb.Session(digits, config) as session:
        assert session.given["precision"] == "fp32"
        assert f"{precision} was asked for on a GPU: without one it runs in fp32" in session.notices


def test_wrong_types_are_said_in_words(digits: Path) -> None:
    with pytest.raises(ConfigError, match="give an InferenceConfig"):
        wb.trace(digits, {"threads": 2})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="is no path"):
        wb.load(3)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="the path is empty"):
        wb.load("")
    with pytest.raises(ModelError, match="is not bytes"):
        wb.from_bytes("x", "y")  # type: ignore[arg-type]
    with pytest.raises(wb.WorkbenchError, match="at least one"):
        wb.benchmark(digits, [])


def test_an_empty_batch_is_named(digits: Path) -> None:
    with wb.Session(digits) as session, pytest.raises(NativeError, match="input 'image' is empty"):
        session.run({"image": np.zeros((0, 1, 8, 8), "float32")})
