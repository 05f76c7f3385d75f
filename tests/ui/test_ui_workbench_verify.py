"""What the workbench says of right and wrong, without a page: driven as a person's clicks drive it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from person import PATIENCE_S, opened, text

import workbench as wb
from workbench.ui import Workbench
from workbench.ui.panels.reference import ENGINE, FIRST, PLAIN

# In Paddle 3.3.1 it crashes a conv, a relu and an interpolation by a factor.
GUILTY = "onednn_placement_pass"
# Without it no predictor of PIR can be created.
NEEDED = "replace_fetch_with_shadow_output_pass"


@pytest.fixture
def bench() -> Iterator[Workbench]:
    with opened(wb.sample("digits")) as found:
        yield found


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[Workbench]:
    script = Path(__file__).parents[1] / "core" / "identity_models.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    with opened(tmp_path / "upscale.json") as found:
        yield found


@pytest.fixture
def refused() -> Iterator[Workbench]:
    """One whose config gives no predictor."""
    with opened(wb.sample("digits"), wb.InferenceConfig(disabled_passes=(NEEDED,))) as found:
        yield found


def outputs(bench: Workbench, config: wb.InferenceConfig) -> np.ndarray:
    with wb.Session(bench.model, config) as session:
        (found,) = session.run(bench.inputs.arrays()).values()
        return np.array(found)


def test_outputs_are_compared_with_what_was_chosen(bench: Workbench) -> None:
    panel = bench._verify.outputs
    assert bench._verify.reference.choice.value == PLAIN
    bench.compare_outputs()
    assert bench.wait(PATIENCE_S)
    assert bench.verification is not None and bench.verification.passed
    plain = outputs(bench, wb.InferenceConfig(onednn=False, ir_optim=False))
    apart = np.abs(outputs(bench, wb.InferenceConfig()) - plain).max()
    assert f"{apart:.3g}" in text(panel.shown.value)
    assert text(panel.status.value).startswith("✔") and "passed" in text(panel.status.value)

    bench._verify.reference.tolerance_text.value = "1e-9"
    bench.compare_outputs()
    assert bench.wait(PATIENCE_S)
    assert not bench.verification.passed
    # In words and with a mark: a colour is not seen by everybody.
    assert text(panel.status.value).startswith("✖") and "FAILED" in text(panel.status.value)
    assert "✖ FAILED" in text(panel.shown.value)


def test_outputs_are_compared_with_the_first_config_run_and_the_training_engine(bench: Workbench) -> None:
    reference, panel = bench._verify.reference, bench._verify.outputs
    reference.choice.value = FIRST
    bench.compare_outputs()
    assert bench.wait(PATIENCE_S)
    assert bench.verification is None
    assert text(panel.status.value).startswith("✖ there is no first config: press Run")
    bench.run()
    assert bench.wait(PATIENCE_S)
    bench.set_config(wb.InferenceConfig(onednn=False))
    bench.compare_outputs()
    assert bench.wait(PATIENCE_S)
    assert bench.verification is not None
    assert (bench.verification.given, bench.verification.expected) == (
        "inference engine, oneDNN off",
        "inference engine, default",
    )
    reference.choice.value = ENGINE
    bench.compare_outputs()
    assert bench.wait(PATIENCE_S)
    assert (bench.verification.expected, bench.verification.passed) == ("training engine", True)


def test_a_tolerance_that_is_none_is_said(bench: Workbench) -> None:
    status = bench._verify.outputs.status
    for wrong in ("a little", "-1", "nan", "inf"):
        bench._verify.reference.tolerance_text.value = wrong
        bench.compare_outputs()
        assert bench.wait(PATIENCE_S)
        assert text(status.value).startswith(f"✖ the tolerance is '{wrong}': give a number from 0")
    assert bench.verification is None


def test_the_differences_are_on_the_last_graph_until_it_is_another(bench: Workbench) -> None:
    bench.find_divergence()
    assert bench.wait(PATIENCE_S)
    found, trace = bench.divergence, bench.trace
    assert found is not None and trace is not None
    assert found.first is None and found.points
    assert "no op differs by more than its inputs explain" in bench._verify.divergence.status.value
    assert (bench.graph.colour_by, bench.graph.stage) == ("overlay:difference", len(trace) - 1)
    (numbers,) = bench.graph.overlays
    assert max(numbers["values"]) == max(one.difference for one in found.points)
    assert bench.graph.selection == []
    (chart,) = bench._verify.divergence.shown.outputs
    assert "application/vnd.plotly.v1+json" in chart["data"]
    for one in found.points:
        assert trace[-1].graph.ops[one.config.index].type == one.config.type

    bench.set_config(wb.InferenceConfig(onednn=False))
    assert bench.divergence is None
    assert bench.graph.overlays == [] and bench.graph.colour_by == "mark"
    assert bench._verify.divergence.status.value == "" and bench._verify.divergence.shown.outputs == ()


def test_a_crash_is_followed_to_its_pass_and_around_it(crashing: Workbench) -> None:
    panel = crashing._verify.bisection
    said: list[str] = []
    panel.status.observe(lambda change: said.append(text(change["new"])), "value")
    crashing.run()
    assert crashing.wait(PATIENCE_S)
    assert "“Find the pass” under Verify" in text(crashing._run_status.value)
    panel.check.value = "a crash or an error"
    assert panel._buttons.layout.display == "none"
    crashing.find_pass()
    assert crashing.wait(PATIENCE_S)
    found = crashing.bisection
    assert found is not None and found.guilty == (GUILTY,)
    assert any(re.fullmatch(r"probe 3: \d+ of \d+ passes on", line) for line in said)
    assert said[-1].startswith(f"✖ {GUILTY} makes the check crash fail: Paddle refused while running")
    assert "nearest_interp" in text(panel._details.value)
    # A row for every probe, and the words of Paddle in the first that fails alone.
    rows = [text(row) for row in panel._details.value.split("<tr>")[2:]]
    assert [row.split()[0] for row in rows] == [str(one.number) for one in found.probes]
    failing = [row for row, one in zip(rows, found.probes, strict=True) if one.verdict == "fails"]
    assert "Paddle refused while running" in failing[0]
    assert failing[1:] and all(row.endswith("as probe 1") for row in failing[1:])
    assert panel._buttons.layout.display is None

    panel.show_it.click()
    assert crashing.trace is not None
    assert crashing.trace[crashing.passes.selected].pass_name == GUILTY
    panel.use_it.click()
    assert crashing.wait(PATIENCE_S)
    assert crashing.config == crashing.trace.config == wb.InferenceConfig().without(GUILTY)
    crashing.run()
    assert crashing.wait(PATIENCE_S)
    assert crashing.outputs is not None
    # The answer stays, and says what it cannot show any more.
    assert crashing.bisection is found
    panel.show_it.click()
    assert f"{GUILTY} is in no trace that is shown" in text(panel._remark.value)


def test_a_config_that_gives_no_predictor_leads_to_the_search_for_the_pass(refused: Workbench) -> None:
    assert refused.trace is None
    assert "“Find the pass” under Verify" in text(refused._status.value)
    panel = refused._verify.bisection
    assert panel.check.value == "a crash or an error"
    refused.find_pass()
    assert refused.wait(PATIENCE_S)
    assert refused.bisection is not None
    # It is a pass that is missing which does it.
    assert refused.bisection.state == "no pass does it"
    assert "Paddle refused while creating the predictor" in text(panel.status.value)
    assert panel._buttons.layout.display == "none"
    refused.set_config(wb.InferenceConfig())
    assert refused.wait(PATIENCE_S)
    assert refused.trace is not None


def test_a_search_can_be_cancelled_where_it_was_begun(bench: Workbench) -> None:
    panel, cancel = bench._verify.bisection, bench._verify.reference.cancel
    assert cancel.disabled
    panel.check.value = "a crash or an error"
    bench.find_pass()
    while "reading" not in panel.status.value and not bench.wait(0.01):
        pass
    assert not cancel.disabled
    cancel.click()
    assert bench.wait(PATIENCE_S)
    assert text(panel.status.value) == "▲ cancelled"
    assert bench.bisection is None and cancel.disabled
