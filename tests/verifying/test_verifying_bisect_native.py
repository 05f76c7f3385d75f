"""Bisection on the real core: the defect of NATIVE.md, a hang, a death, and nothing left behind."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest

import workbench as wb
from workbench.verifying.bisection import bisect

EXPORT = """
import sys

import paddle

from workbench.deploy.training.export import export_layer

layer = paddle.nn.Sequential(
    paddle.nn.Conv2D(3, 4, 3), paddle.nn.ReLU(), paddle.nn.Upsample(scale_factor=2, mode="nearest")
)
export_layer(layer, sys.argv[1], [("image", "float32", [None, 3, 8, 8])])
"""
GUILTY = "onednn_placement_pass"
Inputs = Mapping[str, Any]


@pytest.fixture(scope="module")
def upscale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Conv, relu, interpolate by a factor, as PIR."""
    folder = tmp_path_factory.mktemp("upscale")
    subprocess.run([sys.executable, "-c", textwrap.dedent(EXPORT), str(folder)], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> Path:
    return sample_folder("digits")


def test_the_real_defect_is_found_without_a_hint(
    upscale: Path, tmp_path: Path, no_session_left: None
) -> None:
    found = bisect(upscale, check="crash", folder=tmp_path / "kept")
    assert found.guilty == (GUILTY,)
    assert found.sets == ((GUILTY,),)
    assert found.avoid == wb.InferenceConfig().without(GUILTY)
    assert GUILTY in found.candidates
    assert len(found.probes) <= 2 * math.log2(len(found.candidates)) + 4
    assert "ConvertPirAttribute2RuntimeAttribute not support" in found.words
    # What it changed: Paddle's ops became oneDNN's.
    told = "\n".join(found.changes[GUILTY])
    assert "removed" in told
    assert "pd_op.nearest_interp" in told
    assert "onednn_op.nearest_interp" in told
    assert GUILTY in str(found)
    # Plain Paddle agrees on what avoids it, and on the answer that the model gives then.
    image = {"image": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    files = oracle.model_arguments(upscale, "pir")
    mended = oracle.native(files, (f"config.delete_pass({GUILTY!r})",), image)
    plain = oracle.native(files, ("config.disable_mkldnn()",), image)
    with wb.Session(upscale, found.avoid) as session:
        ours = session.run(image)
    for given, same, other in zip(
        ours.values(), mended.outputs.values(), plain.outputs.values(), strict=True
    ):
        np.testing.assert_array_equal(given, same)
        np.testing.assert_allclose(given, other, atol=1e-5)


def test_one_real_fault_hides_another(upscale: Path, tmp_path: Path, no_session_left: None) -> None:
    # In 3.3.1 constant folding of PIR leaves a predictor that cannot be created without the pass that is off.
    config = wb.InferenceConfig().without("dead_code_elimination_pass")
    found = bisect(upscale, config, "crash", folder=tmp_path / "kept")
    assert found.sets == (("constant_folding_pass",), (GUILTY,))
    assert found.guilty == ("constant_folding_pass",)
    assert found.avoid == config.without("constant_folding_pass", GUILTY)
    # It cannot be traced, so what it was given is told.
    why, given = found.changes["constant_folding_pass"]
    assert "is not created with it" in why
    assert "pd_op.conv2d" in given


@pytest.mark.parametrize("layout", ["pir", "program"])
def test_nothing_is_wrong_with_digits(
    sample_folder: Callable[..., Path], tmp_path: Path, layout: str, no_session_left: None
) -> None:
    found = bisect(sample_folder("digits", layout), folder=tmp_path / "kept")
    assert (found.state, found.guilty, found.avoid) == ("does not fail", (), None)
    assert (len(found.probes), found.runs) == (1, 12)


@pytest.mark.parametrize(
    ("layout", "guilty"),
    [("pir", "conv2d_bn_onednn_fuse_pass"), ("program", "conv_onednn_placement_pass")],
)
def test_a_function_of_the_session_is_bisected(
    sample_folder: Callable[..., Path], layout: str, guilty: str, no_session_left: None
) -> None:
    """What counts as wrong here is that the pass ran: so it is known which one it is."""
    folder = sample_folder("digits", layout)
    with wb.Session(folder) as session:
        ran = session.given["passes"]
    guilty = guilty if guilty in ran else ran[len(ran) // 3]
    found = bisect(folder, check=lambda session, inputs: guilty not in session.given["passes"])
    assert found.guilty == (guilty,)
    assert found.changes[guilty]
    assert found.folder is None


def test_a_death_in_a_run_is_survived(digits: Path, no_session_left: None) -> None:
    def dies(session: wb.Session, inputs: Inputs) -> bool:
        if "inplace_pass" in session.given["passes"]:
            assert session.pid is not None
            os.kill(session.pid, signal.SIGKILL)
        session.run(inputs)
        return True

    found = bisect(digits, check=dies)
    assert found.guilty == ("inplace_pass",)
    assert "SIGKILL" in found.words


def test_a_hang_is_stopped_at_the_time_limit(digits: Path, no_session_left: None) -> None:
    def hangs(session: wb.Session, inputs: Inputs) -> bool:
        session.time_limit = None
        session.time(inputs, count=10**9, seconds=10**6)
        return True

    found = bisect(digits, check=hangs, time_limit=1.0, repeats=1)
    assert found.state == "no pass does it"
    assert "it took longer than 1 s" in found.words
