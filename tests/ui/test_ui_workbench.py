"""The workbench without a page: what its widgets hold, driven as a person's clicks drive it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.errors import ModelError
from workbench.ui import Workbench
from workbench.ui.jobs import Jobs

PATIENCE_S = 60
FOLDING = "conv2d_bn_onednn_fuse_pass"


@pytest.fixture
def bench() -> Iterator[Workbench]:
    opened = wb.open(wb.sample("digits"))
    assert opened.wait(PATIENCE_S)
    yield opened
    opened.close()


def test_what_fails_to_open_fails_in_words_and_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        wb.open("no/such/model")
    gc.collect()
    assert capsys.readouterr().err == ""


def test_it_shows_the_trace_it_holds(bench: Workbench) -> None:
    assert bench.trace is not None
    assert [row["pass"] for row in bench.passes.stages] == [stage.pass_name for stage in bench.trace]
    first = bench.trace.changed[0]
    assert bench.passes.selected == first.index
    assert bench.graph.stage == first.index
    assert bench.graph.graph() is first.graph
    bench.passes.selected = 0
    assert bench.graph.stage == 0
    bench.graph.stage = first.index
    assert bench.passes.selected == first.index
    assert bench.graph.wait(PATIENCE_S)
    assert bench.graph.message == ""


def test_a_switch_is_a_config_and_a_config_is_a_switch(bench: Workbench) -> None:
    bench.passes.disabled = [FOLDING]
    assert bench.wait(PATIENCE_S)
    assert bench.trace is not None
    assert bench.trace.config == wb.InferenceConfig().without(FOLDING)
    assert [row["pass"] for row in bench.passes.off_passes] == [FOLDING]
    bench.set_config(wb.InferenceConfig(onednn=False))
    assert bench.wait(PATIENCE_S)
    assert bench.trace.config == wb.InferenceConfig(onednn=False)
    assert bench.passes.disabled == []
    assert bench.config_panel.onednn.value == "off"


def test_a_run_is_the_one_of_the_traced_predictor(bench: Workbench) -> None:
    bench.run()
    assert bench.wait(PATIENCE_S)
    assert bench.trace is not None
    assert bench.outputs is not None
    expected = bench.trace.session.run(bench.inputs.arrays())
    for name, array in bench.outputs.items():
        np.testing.assert_array_equal(array, expected[name])


def test_closing_twice_removes_the_dumps_once(bench: Workbench) -> None:
    assert bench.trace is not None
    folder: Path = bench.trace._store.folder
    assert folder.is_dir()
    bench.close()
    bench.close()
    assert not folder.exists()


def test_jobs_run_in_turn_and_the_last_of_a_kind_wins() -> None:
    done: list[str] = []
    failed: list[tuple[str, str]] = []
    jobs = Jobs(lambda busy: None, lambda kind, text: failed.append((kind, text)))

    def first() -> None:
        for name in ("b", "c"):
            jobs.start("trace", lambda name=name: done.append(name))
        jobs.start("run", lambda: 1 / 0)
        done.append("a")

    jobs.start("trace", first)
    assert jobs.wait(PATIENCE_S)
    assert done == ["a", "c"]
    assert failed == [("run", "unexpected ZeroDivisionError: division by zero")]


def test_after_a_cancel_the_page_says_what_it_still_shows(bench: Workbench) -> None:
    bench._seconds.value = 60
    bench.measure()
    bench.set_config(wb.InferenceConfig(onednn=False))
    bench.cancel()
    assert bench.wait(PATIENCE_S)
    assert bench.trace is not None
    assert bench.trace.config == wb.InferenceConfig()
    assert "still those of: default" in bench._notices.value
    bench.retrace()
    assert bench.wait(PATIENCE_S)
    assert bench.trace.config == bench.config == wb.InferenceConfig(onednn=False)
    assert bench._notices.value == ""
