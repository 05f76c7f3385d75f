"""Faults that are really there, found in the workbench as a person finds them, without a page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from person import PATIENCE_S, opened, text

import workbench as wb
from workbench.models import params
from workbench.ui import Workbench
from workbench.ui.panels.bisection import CRASH
from workbench.ui.panels.reference import ENGINE, NAMED, PLAIN

# Paddle 3.3.1 does not create a predictor on the CPU with it.
REFUSED = "auto_mixed_precision_pass"
SPOILED = "linear_0.w_0"


@pytest.fixture
def digits(sample_folder: Callable[..., Path]) -> Path:
    return sample_folder("digits")


@pytest.fixture
def bench(digits: Path) -> Iterator[Workbench]:
    with opened(digits) as found:
        yield found


@pytest.fixture
def refused(digits: Path) -> Iterator[Workbench]:
    """One whose config gives no predictor, since it adds a pass."""
    with opened(digits, wb.InferenceConfig(enabled_passes=(REFUSED,))) as found:
        yield found


@pytest.fixture
def spoiled(digits: Path, tmp_path: Path) -> Path:
    """The sample after a conversion that went wrong: the weights of one layer are larger by half."""
    target = tmp_path / "spoiled"
    shutil.copytree(digits, target)
    model = wb.load(target)
    assert model.params_file is not None
    arrays = {name: np.array(array) for name, array in params.read(model.params_file, model.weights).items()}
    arrays[SPOILED] *= np.float32(1.5)
    model.params_file.unlink()
    model.params_file.write_bytes(params.dump(arrays, {info.name: info.dtype for info in model.weights}))
    return target


def reading(model: wb.Model, parameter: str) -> int:
    """The op of the model that reads a parameter, as its file says."""
    graph = model.graph()
    ids = {value.id for value in graph.parameters if value.name == parameter}
    (op,) = (op.index for op in graph.ops if ids & set(op.inputs))
    return op


def compare_with(bench: Workbench, named: object) -> None:
    reference = bench._verify.reference
    reference.choice.value = NAMED
    assert reference.named.layout.display is None
    reference.named.value = str(named)


def test_a_model_that_was_spoiled_is_followed_to_the_op_that_reads_its_weights(
    digits: Path, spoiled: Path
) -> None:
    with opened(spoiled) as bench:
        bench.compare_outputs()
        assert bench.wait(PATIENCE_S)
        # It agrees with itself without optimization: what is wrong is in the model.
        assert bench.verification is not None and bench.verification.passed
        compare_with(bench, digits)
        bench.compare_outputs()
        assert bench.wait(PATIENCE_S)
        assert not bench.verification.passed
        assert "1 of 1 output FAILED" in text(bench._verify.outputs.status.value)

        bench.find_divergence()
        assert bench.wait(PATIENCE_S)
        found, trace, status = bench.divergence, bench.trace, bench._verify.divergence.status
        assert found is not None and found.first is not None and trace is not None
        planted = reading(bench.model, SPOILED)
        assert planted in found.first.between
        assert text(status.value).startswith("✖") and "first divergence at op" in text(status.value)
        assert "(the other model)" in text(status.value)
        # The op on the graph is the one that took the planted one into it.
        assert bench.graph.stage == len(trace) - 1
        (op,) = bench.graph.selected_ops()
        assert (op.index, op.type) == (found.first.config.index, found.first.config.type)
        last = len(trace) - 1
        assert planted in trace.lineage.origins(trace.lineage.keys(last)[op.index], last)
        (chart,) = bench._verify.divergence.shown.outputs
        assert "first divergence" in str(chart["data"]["application/vnd.plotly.v1+json"])

        bench.find_pass()
        assert bench.wait(PATIENCE_S)
        assert bench.bisection is not None and bench.bisection.state == "no pass does it"
        assert text(bench._verify.bisection.status.value).startswith("✖ no pass does it: the check output")
        assert bench._verify.bisection._buttons.layout.display == "none"


def test_where_the_first_bit_differs_is_found_between_two_configs(bench: Workbench) -> None:
    compare_with(bench, "onednn=off")
    bench._verify.reference.tolerance_text.value = "0"
    bench.compare_outputs()
    bench.find_divergence()
    assert bench.wait(PATIENCE_S)
    found = bench.divergence
    assert bench.verification is not None and not bench.verification.passed
    assert bench.verification.expected == "inference engine, oneDNN off"
    assert found is not None and found.first is not None
    assert (found.config, found.against) == (wb.InferenceConfig(), wb.InferenceConfig(onednn=False))
    assert found.first.difference > 0
    assert all(one.difference == 0 for one in found.points if one.op < found.first.op)
    (op,) = bench.graph.selected_ops()
    assert op.index == found.first.config.index

    # Another question takes the answer with it, even if it comes to nothing.
    bench._verify.reference.tolerance_text.value = "a little"
    bench.compare_outputs()
    bench.find_divergence()
    assert bench.wait(PATIENCE_S)
    for panel in (bench._verify.outputs, bench._verify.divergence):
        assert text(panel.status.value).startswith("✖ the tolerance is")
    assert bench.verification is None and bench._verify.outputs.shown.value == ""
    assert bench.divergence is None and bench._verify.divergence.shown.outputs == ()
    assert bench.graph.overlays == []


def test_outputs_are_compared_with_those_in_a_file(bench: Workbench, tmp_path: Path) -> None:
    panel = bench._verify
    with wb.Session(bench.model, wb.InferenceConfig(onednn=False)) as session:
        right = {name: np.array(array) for name, array in session.run(bench.inputs.arrays()).items()}
    np.savez(tmp_path / "right.npz", **right)
    np.savez(tmp_path / "wrong.npz", **{name: array + 1 for name, array in right.items()})
    for name, passed in (("right.npz", True), ("wrong.npz", False)):
        compare_with(bench, tmp_path / name)
        bench.compare_outputs()
        assert bench.wait(PATIENCE_S)
        assert bench.verification is not None
        assert (bench.verification.expected, bench.verification.passed) == (name, passed)
    # What is in no file is said, and what there is instead is looked at.
    bench.find_divergence()
    assert bench.wait(PATIENCE_S)
    assert bench.divergence is not None and bench.divergence.first is None
    assert "▲ nothing is known of the ops of wrong.npz" in text(panel.divergence.status.value)
    bench.find_pass()
    assert bench.wait(PATIENCE_S)
    assert bench.bisection is not None and bench.bisection.state == "no pass does it"


def test_a_file_that_is_none_or_does_not_fit_is_said_in_a_line(bench: Workbench, tmp_path: Path) -> None:
    panel = bench._verify
    (tmp_path / "words.npz").write_text("meow")
    for named, said in (
        ("", "there is nothing to compare with: name a file of outputs"),
        (tmp_path / "gone.npz", f"{tmp_path / 'gone.npz'} does not exist: give an .npz or .npy file"),
        (tmp_path / "words.npz", f"{tmp_path / 'words.npz'} is no .npz or .npy file of numbers"),
        (tmp_path / "gone", "nothing to compare with: "),
        ("onednn=perhaps", "onednn is 'perhaps'"),
    ):
        compare_with(bench, named)
        bench.compare_outputs()
        bench.find_pass()
        assert bench.wait(PATIENCE_S)
        for place in (panel.outputs.status, panel.bisection.status):
            line = text(place.value)
            assert line.startswith(f"✖ {said}"), line
            assert place.value.count("<div") == 1
        assert bench.verification is None and bench.bisection is None

    np.savez(tmp_path / "narrow.npz", fetch_name_0=np.zeros((1, 9), np.float32))
    compare_with(bench, tmp_path / "narrow.npz")
    bench.compare_outputs()
    bench.find_pass()
    assert bench.wait(PATIENCE_S)
    misfit = "float32 [1, 10] where float32 [1, 9] is expected"
    assert f"✖ fetch_name_0: {misfit}" in text(panel.outputs.shown.value)
    assert misfit in text(panel.bisection.status.value)
    assert text(panel.bisection.status.value).startswith("✖ no pass does it")


def test_a_pass_that_no_predictor_comes_out_of_is_found_and_left_out(refused: Workbench) -> None:
    panel = refused._verify.bisection
    assert refused.trace is None
    assert "“Find the pass” under Verify" in text(refused._status.value)
    assert panel.check.value == CRASH
    refused.compare_outputs()
    assert refused.wait(PATIENCE_S)
    assert "“Find the pass” under Verify" in text(refused._verify.outputs.status.value)

    refused.find_pass()
    assert refused.wait(PATIENCE_S)
    found = refused.bisection
    assert found is not None and found.guilty == (REFUSED,)
    assert text(panel.status.value).startswith(
        f"✖ {REFUSED} makes the check crash fail: Paddle refused while creating the predictor"
    )
    assert "the predictor is not created with it" in text(panel._details.value)
    panel.show_it.click()
    assert f"{REFUSED} is in no trace that is shown" in text(panel._remark.value)

    panel.use_it.click()
    assert refused.wait(PATIENCE_S)
    # It was added, and so it is left out; there is nothing to switch off.
    assert refused.config == wb.InferenceConfig()
    assert refused.trace is not None and refused.trace.config == refused.config
    assert refused.passes.off_passes == []
    refused.run()
    assert refused.wait(PATIENCE_S)
    assert refused.outputs is not None


def test_a_search_that_was_cancelled_goes_on_where_it_was(
    refused: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What another test has tried is not known here.
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    panel = refused._verify.bisection
    said: list[str] = []
    panel.status.observe(lambda change: said.append(text(change["new"])), "value")

    def cancel_later(change: dict[str, str]) -> None:
        if "probe 3" in change["new"]:
            refused._verify.reference.cancel.click()

    panel.status.observe(cancel_later, "value")
    refused.find_pass()
    assert refused.wait(PATIENCE_S)
    assert said[-1] == "▲ cancelled" and any(line.startswith("probe 1:") for line in said)
    assert refused.bisection is None
    assert panel._buttons.layout.display == "none" and panel._details.value == ""

    panel.status.unobserve(cancel_later, "value")
    said.clear()
    refused.find_pass()
    assert refused.wait(PATIENCE_S)
    assert refused.bisection is not None and refused.bisection.guilty == (REFUSED,)
    # Nothing is tried a second time.
    assert [line for line in said if re.match(r"probe [12]:", line)] == []
    assert any(line.startswith("probe 3:") for line in said)


def test_the_choice_says_only_what_it_needs(bench: Workbench) -> None:
    reference = bench._verify.reference
    for choice in (PLAIN, ENGINE, NAMED, PLAIN):
        reference.choice.value = choice
        assert (reference.named.layout.display is None) == (choice == NAMED)
