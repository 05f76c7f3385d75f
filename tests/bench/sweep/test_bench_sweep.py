"""`sweep` in this process: mistakes, a cancel, inputs, a history that is damaged, and the lock."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sweep_asked import PLAIN, SHORT

import workbench
from workbench import models
from workbench.bench import History
from workbench.bench.sweep import machine, sweep
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, InputError, WorkbenchError

UNKNOWN = InferenceConfig(disabled_passes=("no_such_pass",))

pytestmark = pytest.mark.usefixtures("no_session_left")


def test_a_mistake_is_not_tried_again_and_costs_only_its_own_config(digits: models.Model) -> None:
    alone = sweep(digits, UNKNOWN, retries=3, **SHORT)
    assert len(alone.outcomes[0].attempts) == 1
    assert "no_such_pass" in str(alone.outcomes[0].error)
    # Configs that have one label are told apart, those that run and those that do not.
    pairs = [InferenceConfig(disabled_passes=("no_such_pass", other)) for other in ("a_pass", "b_pass")]
    beside = sweep(digits, [PLAIN, *pairs], **SHORT)
    assert [row["config"] for row in beside.table()] == ["default"]
    labels, words = zip(*beside.outcomes[0].refused, strict=True)
    assert labels == (pairs[0].label, f"{pairs[1].label} #2")
    assert all("_pass" in one for one in words)
    assert [one["label"] for one in beside.facts()["outcomes"][0]["refused"]] == list(labels)
    assert beside.failures == beside.outcomes


def test_a_history_that_is_damaged_meanwhile_costs_no_result(
    digits: models.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "history.sqlite"
    monkeypatch.setenv("WORKBENCH_HISTORY", str(file))

    def progress(share: float, text: str) -> None:
        file.write_bytes(b"no history " * 500)

    with pytest.warns(workbench.errors.HistoryWarning, match="digits is not recorded: .* is damaged"):
        found = sweep(digits, progress=progress, **SHORT)
    assert [one.error for one in found.outcomes] == [None]
    with pytest.raises(WorkbenchError, match="damaged"):
        sweep(digits, **SHORT)


def test_who_has_no_cluster_needs_no_distributed() -> None:
    program = "import sys, workbench; workbench.sweep; sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_cancel_keeps_what_is_finished(digits: models.Model) -> None:
    cancel = threading.Event()
    before = len(History().entries(digits))

    def progress(share: float, text: str) -> None:
        if text.startswith("1 of 3 done"):
            cancel.set()

    with pytest.raises(CancelledError, match="of 3 units") as caught:
        sweep([digits] * 3, cancel=cancel, progress=progress, **SHORT)
    # The unit under way may come to its end before it hears of the cancel.
    done = len(History().entries(digits)) - before
    assert done in (1, 2)
    assert f"{done} of 3 units" in str(caught.value)


def test_inputs_may_be_given_for_each_model(digits: models.Model) -> None:
    batch = models.sample_inputs(str(digits.path))
    [name] = batch
    four = {name: batch[name][:4]}
    found = sweep(digits, inputs={"digits": four}, **SHORT)
    assert found.outcomes[0].benchmark is not None
    assert History().entries(digits, limit=1)[0].inputs == {name: list(four[name].shape)}
    with pytest.raises(InputError, match="has none for digits"):
        sweep(digits, inputs={"bert": four})
    with pytest.raises(InputError):
        sweep(digits, inputs={"no input": four[name]})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": []}, "at least one model"),
        ({"configs": []}, "at least one config"),
        ({"configs": ["fast"]}, "'fast' is no config"),
        ({"executor": 3}, "3 is no executor"),
        ({"retries": -1}, "retries is -1"),
        ({"seconds": 0}, "seconds is 0"),
        ({"launches": 0}, "launches is 0"),
        ({"within": 2}, "within is 2"),
        ({"tags": {"tpu": "TPU"}}, "tags has 'tpu'"),
        ({"tags": {"gpu": ""}}, "the tag ''"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_runs(
    digits: models.Model, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(WorkbenchError, match=words):
        sweep(**{"models": digits, **given})


def test_a_dead_holder_does_not_block_the_machine(own_lock: Path) -> None:
    program = (
        "import threading, time\n"
        "from workbench.bench.sweep.machine import machine_to_itself\n"
        "with machine_to_itself('a model', threading.Event()):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said: list[str] = []

        def waits(text: str) -> None:
            said.append(text)
            holder.kill()

        with machine.machine_to_itself("the test", threading.Event(), waits) as waited_s:
            assert waited_s > 0
    assert said[0].startswith(f"waits for process {holder.pid} of ")
    assert said[0].endswith("which measures a model")
