"""The calls a config stands for: the code it prints is run against the real Paddle."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from oracle import Native, model_arguments, native

from workbench.config import InferenceConfig, ModelFiles, native_calls, to_code
from workbench.config.fp32 import BFLOAT16_OPS
from workbench.models import sample_inputs

# By the name the log shows; PIR registers its one under another name, and Program IR runs its one twice.
FUSES = {"pir": "conv_activation_mkldnn_fuse_pass", "program": "conv_bn_fuse_pass"}
# Runs on digits without doing harm, and is part of no CPU pipeline.
EXTRA = {"pir": "identity_op_clean_pass", "program": "delete_dropout_op_pass"}


@pytest.fixture(scope="module")
def run_code(sample_folder: Callable[..., Path]) -> Callable[[InferenceConfig, str], Native]:
    def run(config: InferenceConfig, ir: str) -> Native:
        folder = sample_folder("digits", ir)
        files = ModelFiles(ir, *model_arguments(folder, ir))  # type: ignore[arg-type]
        code = to_code(config, files)
        ast.parse(code)
        return native([], inputs=sample_inputs(folder), code=code)

    return run


@pytest.fixture(scope="module")
def plain(run_code: Callable[[InferenceConfig, str], Native]) -> dict[str, Native]:
    return {ir: run_code(InferenceConfig(), ir) for ir in ("pir", "program")}


@pytest.mark.parametrize("ir", ["pir", "program"])
def test_the_default_config_asks_for_nothing_but_threads(
    ir: str, plain: dict[str, Native], sample_folder: Callable[..., Path]
) -> None:
    folder = sample_folder("digits", ir)
    bare = native(model_arguments(folder, ir), [], sample_inputs(folder))
    assert plain[ir].passes == bare.passes
    assert plain[ir].given == bare.given
    for name, array in bare.outputs.items():
        assert array.tobytes() == plain[ir].outputs[name].tobytes()


@pytest.mark.parametrize("ir", ["pir", "program"])
def test_threads_onednn_and_memory_are_given(
    ir: str, plain: dict[str, Native], run_code: Callable[[InferenceConfig, str], Native]
) -> None:
    config = InferenceConfig(threads=2, onednn=False, memory_optim=True)
    got = run_code(config, ir)
    assert (got.given["threads"], got.given["onednn"]) == (2, False)
    assert (plain[ir].given["threads"], plain[ir].given["onednn"]) == (1, True)
    assert not any("onednn" in name or "mkldnn" in name for name in got.passes)
    assert any("onednn" in name or "mkldnn" in name for name in plain[ir].passes)
    for name, array in plain[ir].outputs.items():
        np.testing.assert_allclose(got.outputs[name], array, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("ir", ["pir", "program"])
def test_a_pass_is_off_under_the_name_its_log_shows(
    ir: str, plain: dict[str, Native], run_code: Callable[[InferenceConfig, str], Native]
) -> None:
    name = FUSES[ir]
    assert name in plain[ir].passes
    got = run_code(InferenceConfig().without(name), ir)
    assert got.passes == [one for one in plain[ir].passes if one != name]


@pytest.mark.parametrize(("ir", "left"), [("pir", 5), ("program", 0)])
def test_optimization_off_leaves_the_least_paddle_allows(
    ir: str, left: int, run_code: Callable[[InferenceConfig, str], Native]
) -> None:
    assert len(run_code(InferenceConfig(ir_optim=False), ir).passes) == left


@pytest.mark.parametrize("ir", ["pir", "program"])
def test_a_pass_is_added(
    ir: str, plain: dict[str, Native], run_code: Callable[[InferenceConfig, str], Native]
) -> None:
    name = EXTRA[ir]
    got = run_code(InferenceConfig(enabled_passes=(name,)), ir)
    assert got.passes.count(name) == plain[ir].passes.count(name) + 1


def test_gpu_tensorrt_and_precision_are_printed_as_paddle_takes_them() -> None:
    files = ModelFiles("pir", "m.json", "m.pdiparams")
    code = to_code(InferenceConfig(device="gpu", device_id=1, gpu_memory_mb=7, precision="fp16"), files)
    assert "from paddle.inference import Config, PrecisionType, create_predictor" in code
    assert "config.enable_use_gpu(7, 1, PrecisionType.Half)" in code
    code = to_code(InferenceConfig(device="gpu", precision="fp16", trt=True), files)
    assert "config.enable_use_gpu(100, 0)\n" in code
    assert "config.enable_tensorrt_engine(1073741824, 1, 3, PrecisionType.Half, False, True)" in code
    methods = [call.method for call in native_calls(InferenceConfig(precision="int8"), files)]
    assert "enable_mkldnn_int8" in methods


def test_a_folder_is_one_argument() -> None:
    code = to_code(InferenceConfig(), ModelFiles("program", "some/folder"))
    assert "config = Config('some/folder')\n" in code


def test_op_types_in_fp32_are_printed_as_paddle_takes_them() -> None:
    def lines(config: InferenceConfig, ir: str) -> list[str]:
        return to_code(config, ModelFiles(ir, "m", "p")).splitlines()  # type: ignore[arg-type]

    low = InferenceConfig(device="gpu", precision="fp16", fp32_ops=("softmax", "matmul"))
    names = ("fc", "gemm_epilogue", "matmul", "matrix_multiply", "mul", "softmax")
    for ir in ("pir", "program"):
        found = [line for line in lines(low, ir) if "mixed_precision" in line]
        assert found == [f"config.exp_disable_mixed_precision_ops({{{', '.join(map(repr, names))}}})"]
        found = [line for line in lines(low.replace(trt=True), ir) if "_ops(" in line]
        assert found == [f"config.exp_disable_tensorrt_ops({list(names)})"]
    bf16 = InferenceConfig(precision="bf16", fp32_ops=("depthwise_conv2d", "matmul_v2", "softmax"))
    (line,) = (line for line in lines(bf16, "program") if "bfloat16_op" in line)
    given = ast.literal_eval(line.removeprefix("config.set_bfloat16_op(").removesuffix(")"))
    kept = {"conv2d", "fused_conv2d", "matmul", "matmul_v2", "fused_matmul", "fc", "softmax"}
    assert set(BFLOAT16_OPS) - given == kept
    assert given < set(BFLOAT16_OPS)


@pytest.mark.parametrize(
    "config",
    [
        InferenceConfig(fp32_ops=("softmax",)),
        InferenceConfig(device="gpu", fp32_ops=("softmax",)),
        InferenceConfig(device="gpu", trt=True, fp32_ops=("softmax",)),
        InferenceConfig(precision="bf16", fp32_ops=BFLOAT16_OPS),
    ],
)
def test_where_nothing_is_lower_no_list_is_given(config: InferenceConfig) -> None:
    # An empty list means every op type to Paddle.
    plain = config.replace(fp32_ops=(), precision="fp32")
    files = ModelFiles("program", "m", "p")
    assert to_code(config, files) == to_code(plain, files)


def test_paddle_takes_the_list_for_a_gpu(run_code: Callable[[InferenceConfig, str], Native]) -> None:
    # Without a GPU the call means nothing, but its name and its argument are those of this Paddle.
    config = InferenceConfig(device="gpu", precision="fp16", fp32_ops=("conv2d", "relu"))
    assert run_code(config, "pir").given["gpu"] is False
