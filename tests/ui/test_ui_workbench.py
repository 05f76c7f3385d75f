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


def test_a_profile_is_on_the_graph_until_the_graph_is_another(bench: Workbench) -> None:
    bench._seconds.value = 0.2
    bench.measure()
    bench.profile_ops()
    assert bench.wait(PATIENCE_S)
    assert bench.trace is not None and bench.profile is not None and bench.benchmark is not None
    assert (bench.graph.colour_by, bench.graph.stage) == ("overlay:latency", len(bench.trace) - 1)
    (numbers,) = bench.graph.overlays
    assert sum(numbers["values"]) == pytest.approx(bench.profile.ops_ms)
    assert "of a run without the profiler" in bench._run_status.value
    titles = []
    assert bench.chart_kind.value == "ops"
    for kind in bench.chart_kind.options:
        bench.chart_kind.value = kind
        (shown,) = bench.chart.outputs
        titles.append(shown["data"]["application/vnd.plotly.v1+json"]["layout"]["title"]["text"])
    assert len(set(titles)) == len(titles) == 7
    assert titles[-2:] == ["Latency per op", "Latency by layer"]

    bench.passes.disabled = [FOLDING]
    assert bench.profile is None
    assert bench.graph.overlays == [] and bench.graph.colour_by == "mark"
    assert bench.chart_kind.value == "latency" and "ops" not in bench.chart_kind.options
    assert bench._run_status.value == ""
    assert bench.wait(PATIENCE_S)

    bench.profile_ops()
    assert bench.wait(PATIENCE_S)
    assert bench.profile is not None and bench.profile.config == bench.trace.config
    bench._clear.click()
    assert bench.profile is None
    assert bench.graph.overlays == [] and bench.chart.outputs == () and bench._run_status.value == ""
    assert bench.chart_kind.layout.display == "none"


def test_a_profile_can_be_cancelled(bench: Workbench) -> None:
    bench._seconds.value = 60
    bench.profile_ops()
    while "profiling" not in bench._run_status.value and not bench.wait(0.05):
        pass
    bench.cancel()
    assert bench.wait(PATIENCE_S)
    assert "cancelled" in bench._run_status.value
    assert bench.profile is None and bench.graph.overlays == []


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
