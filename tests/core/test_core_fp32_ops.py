"""Op types that stay in fp32 under a lower precision: what Paddle's own passes mark for bf16.

They do so on any machine once Paddle believes that the CPU has bf16; running it takes one that has.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.config.fp32 import BFLOAT16_OPS
from workbench.core.defects import Situation, check, unknown_op_types
from workbench.errors import ConfigError

BF16 = wb.InferenceConfig(precision="bf16")
# Paddle asks this when bf16 is asked for.
HAS_BF16 = """
namespace phi { namespace backends { namespace cpu {
enum cpu_isa_t : int {};
bool MayIUse(const cpu_isa_t) { return true; }
}}}
"""


@pytest.fixture(scope="module")
def program(sample_folder: Callable[..., Path]) -> wb.Model:
    return wb.load(sample_folder("digits", "program"))


@pytest.fixture(scope="module")
def believing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A runtime whose Paddle believes that the CPU has bf16."""
    folder = tmp_path_factory.mktemp("believing")
    (folder / "has.cc").write_text(HAS_BF16)
    subprocess.run(
        ["g++", "-shared", "-fPIC", str(folder / "has.cc"), "-o", str(folder / "has.so")], check=True
    )
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nLD_PRELOAD="{folder / "has.so"}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)


@pytest.fixture(scope="module")
def in_fp32(program: wb.Model, picture: dict[str, np.ndarray]) -> dict[str, bytes]:
    """What the outputs hold in fp32."""
    with wb.Session(program) as session:
        return {name: array.tobytes() for name, array in session.run(picture).items()}


@pytest.fixture(scope="module")
def lower(program: wb.Model, believing: str) -> Callable[..., set[str]]:
    """``lower(*kept)``: the types of ops that are marked for bf16 when these stay in fp32."""

    def marked(*kept: str) -> set[str]:
        found = wb.trace(program, BF16.replace(fp32_ops=kept, runtime=believing))
        (stage,) = (one for one in found if one.pass_name == "cpu_bfloat16_placement_pass")
        ops = stage.graph.ops
        types = {op.type for op in ops if op.attrs.get("mkldnn_data_type") == "bfloat16"}
        assert not types & {op.type for op in ops if op.attrs.get("mkldnn_data_type") == "float32"}
        found.close()
        return types

    return marked


def test_the_types_named_stay_in_fp32_and_so_does_what_passes_make_of_them(
    lower: Callable[..., set[str]],
) -> None:
    every = {"conv2d", "fused_conv2d", "elementwise_add", "fc"}
    assert lower() == every
    # A type without bf16: the list that is given must be the one that Paddle takes without any.
    assert lower("batch_norm") == every
    # An op in bf16 between two in fp32 is given back to fp32: here the addition.
    assert lower("conv2d") == {"fc"}
    assert lower("pd_op.elementwise_add") == {"conv2d", "fused_conv2d", "fc"}
    assert lower("matmul_v2") == {"conv2d", "fused_conv2d", "elementwise_add"}


@pytest.mark.parametrize("kept", [BFLOAT16_OPS, ("conv2d", "elementwise_add", "matmul_v2")])
def test_where_nothing_is_lower_that_is_said_and_the_outputs_are_those_of_fp32(
    kept: tuple[str, ...],
    program: wb.Model,
    believing: str,
    picture: dict[str, np.ndarray],
    in_fp32: dict[str, bytes],
) -> None:
    with wb.Session(program, BF16.replace(fp32_ops=kept, runtime=believing)) as session:
        got = session.run(picture)
        assert session.given["precision"] == "fp32"
        assert session.notices[-1] == "bf16 was asked for and no op runs in it: all of it runs in fp32"
    assert {name: array.tobytes() for name, array in got.items()} == in_fp32


@pytest.mark.parametrize(
    ("layout", "precision", "says"),
    [
        ("pir", "bf16", r"PIR's bf16 on the CPU knows no list of op types: for fp32_ops use .*Program IR"),
        ("pir", "int8", "int8 on the CPU takes no fp32_ops: leave them out"),
        ("program", "int8", "int8 on the CPU takes no fp32_ops: leave them out"),
    ],
)
def test_what_paddle_has_no_list_for_is_refused(
    layout: str, precision: str, says: str, sample_folder: Callable[..., Path], no_session_left: None
) -> None:
    config = wb.InferenceConfig(precision=precision, fp32_ops=("relu",))  # type: ignore[arg-type]
    with wb.Session(sample_folder("digits", layout), config) as session:
        with pytest.raises(ConfigError, match=says) as caught:
            session.load()
        assert "\n" not in str(caught.value)


def test_in_fp32_it_means_nothing_and_that_is_said(
    program: wb.Model, picture: dict[str, np.ndarray], in_fp32: dict[str, bytes]
) -> None:
    with wb.Session(program, wb.InferenceConfig(fp32_ops=("conv2d", "nothing"))) as session:
        got = session.run(picture)
        assert session.notices == (
            "fp32_ops means nothing in fp32: choose a lower precision, or leave fp32_ops out",
        )
    assert {name: array.tobytes() for name, array in got.items()} == in_fp32


def test_a_gpu_has_a_list_for_both_irs() -> None:
    config = wb.InferenceConfig(device="gpu", precision="fp16", fp32_ops=("softmax",))
    for ir in ("pir", "program"):
        assert check(Situation(config, ir, (3, 3, 1), gpu_build=True)) == []  # type: ignore[arg-type]


def test_a_type_that_the_model_has_no_op_of_is_said() -> None:
    def said(*kept: str) -> list[str]:
        return unknown_op_types(BF16.replace(fp32_ops=kept), {"pd_op.softmax", "pd_op.conv2d", "pd_op.add"})

    assert said("softmax", "pd_op.conv2d", "fused_conv2d", "fc") == []
    start = "the model has no op of these types, which fp32_ops names: "
    assert said("add", "sofmax", "zz") == [f"{start}sofmax (did you mean softmax?), zz"]
    assert said(*(f"z{number}" for number in range(7))) == [f"{start}z0, z1, z2, z3, z4 and 2 more"]


def test_a_mistyped_one_is_said_by_a_session(program: wb.Model) -> None:
    with wb.Session(program, BF16.replace(fp32_ops=("conv2", "relu"))) as session:
        assert session.notices[0].endswith("names: conv2 (did you mean conv2d?)")
