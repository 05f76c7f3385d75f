"""The calls that a config becomes in each language, and what a language's API lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codegen_cases import CASES, GPU
from hypothesis import given
from hypothesis import strategies as st

from workbench.config import InferenceConfig, ModelFiles, native_calls
from workbench.config.fp32 import BFLOAT16_OPS
from workbench.deploy.codegen import generate
from workbench.deploy.codegen.calls import CPP, GO, PYTHON, Api, C, R

_PIR = InferenceConfig(
    threads=3,
    onednn=True,
    precision="bf16",
    ir_optim=False,
    memory_optim=True,
    disabled_passes=("conv_activation_mkldnn_fuse_pass",),
    enabled_passes=("a_pass", "b_pass"),
)
_PROGRAM = InferenceConfig(
    onednn=True,
    precision="int8",
    ir_optim=False,
    memory_optim=True,
    disabled_passes=("a_pass",),
    enabled_passes=("b_pass",),
)


def _calls(api: Api, config: InferenceConfig, ir: str, release: tuple[int, ...] = (3, 3, 1)) -> Any:
    files = ModelFiles(ir, "m", "p")  # type: ignore[arg-type]
    return api.write(native_calls(config, files, release), release)


def test_the_calls_on_a_cpu() -> None:
    assert _calls(CPP, _PIR, "pir").lines == (
        "config.EnableONEDNN();",
        "config.SetCpuMathLibraryNumThreads(3);",
        "config.EnableOnednnBfloat16();",
        "config.SetOptimizationLevel(0);",
        "config.EnableNewExecutor();",
        "config.EnableMemoryOptim();",
        'config.DeletePass("conv_activation_mkldnn_fuse_pass");',
        'config.DeletePass("conv_activation_onednn_fuse_pass");',
        'config.EnableCustomPasses({"a_pass", "b_pass"}, false);',
    )
    assert _calls(C, _PIR, "pir").lines == (
        "PD_ConfigEnableMKLDNN(config);",
        "PD_ConfigSetCpuMathLibraryNumThreads(config, 3);",
        "PD_ConfigEnableMkldnnBfloat16(config);",
        "PD_ConfigEnableNewExecutor(config, TRUE);",
        "PD_ConfigEnableMemoryOptim(config, TRUE);",
    )
    assert _calls(GO, _PIR, "pir").lines == (
        "config.EnableONEDNN()",
        "config.SetCpuMathLibraryNumThreads(3)",
        "config.EnableMkldnnBfloat16()",
    )
    assert _calls(R, _PIR, "pir").lines[-1] == 'config$enable_custom_passes(list("a_pass", "b_pass"), FALSE)'
    assert _calls(CPP, _PROGRAM, "program").lines == (
        "config.EnableONEDNN();",
        "config.SetCpuMathLibraryNumThreads(1);",
        "config.EnableOnednnInt8();",
        "config.SwitchIrOptim(false);",
        "config.EnableMemoryOptim();",
        'config.pass_builder()->DeletePass("a_pass");',
        'config.pass_builder()->AppendPass("b_pass");',
    )
    assert _calls(C, _PROGRAM, "program").lines == (
        "PD_ConfigEnableMKLDNN(config);",
        "PD_ConfigSetCpuMathLibraryNumThreads(config, 1);",
        "PD_ConfigEnableMkldnnInt8(config);",
        "PD_ConfigSwitchIrOptim(config, FALSE);",
        "PD_ConfigEnableMemoryOptim(config, TRUE);",
        'PD_ConfigDeletePass(config, "a_pass");',
        'PD_ConfigAppendPass(config, "b_pass");',
    )
    assert _calls(GO, _PROGRAM, "program").lines == (
        "config.EnableONEDNN()",
        "config.SetCpuMathLibraryNumThreads(1)",
        "config.SwitchIrOptim(false)",
        "config.EnableMemoryOptim(true)",
        'config.DeletePass("a_pass")',
        'config.AppendPass("b_pass")',
    )


def test_the_calls_on_a_gpu() -> None:
    config = InferenceConfig(device="gpu", device_id=1, gpu_memory_mb=500, precision="fp16")
    assert [_calls(api, config, "pir").lines[0] for api in (PYTHON, CPP, C, GO, R)] == [
        "config.enable_use_gpu(500, 1, PrecisionType.Half)",
        "config.EnableUseGpu(500, 1, PrecisionType::kHalf);",
        "PD_ConfigEnableUseGpu(config, 500, 1, PD_PRECISION_HALF);",
        "config.EnableUseGpu(500, 1)",
        "config$enable_use_gpu(500L, 1L, inference$PrecisionType$Half)",
    ]
    config = GPU["TensorRT"]
    assert [_calls(api, config, "program").lines[1] for api in (PYTHON, CPP, C, GO, R)] == [
        "config.enable_tensorrt_engine(4294967296, 4, 5, PrecisionType.Int8, True, False)",
        "config.EnableTensorRtEngine(4294967296, 4, 5, PrecisionType::kInt8, true, false);",
        "PD_ConfigEnableTensorRtEngine(config, 4294967296, 4, 5, PD_PRECISION_INT8, TRUE, FALSE);",
        "config.EnableTensorRtEngine(4294967296, 4, 5, paddle.PrecisionInt8, true, false)",
        'config$enable_tensorrt_engine(py_eval("4294967296", convert = FALSE), 4L, 5L, '
        "inference$PrecisionType$Int8, TRUE, FALSE)",
    ]


def test_op_types_in_fp32_are_written_as_each_language_has_a_set_and_a_list() -> None:
    every = set(BFLOAT16_OPS)
    config = InferenceConfig(precision="bf16", fp32_ops=tuple(every - {"relu", "scale"}))
    assert [_calls(api, config, "program").lines[-1] for api in (PYTHON, CPP, C, GO, R)] == [
        'config.set_bfloat16_op({"relu", "scale"})',
        'config.SetBfloat16Op({"relu", "scale"});',
        'PD_ConfigSetBfloat16Op(config, 2, (const char*[]){"relu", "scale"});',
        'config.SetBfloat16Op([]string{"relu", "scale"})',
        'config$set_bfloat16_op(import_builtins(convert = FALSE)$set(list("relu", "scale")))',
    ]
    config = InferenceConfig(device="gpu", precision="fp16", fp32_ops=("softmax",))
    for api, line in (
        (PYTHON, 'config.exp_disable_mixed_precision_ops({"softmax"})'),
        (CPP, 'config.Exp_DisableMixedPrecisionOps({"softmax"});'),
        (R, 'config$exp_disable_mixed_precision_ops(import_builtins(convert = FALSE)$set(list("softmax")))'),
    ):
        assert _calls(api, config, "pir").lines[1] == line
    config = config.replace(trt=True)
    assert [_calls(api, config, "program").lines[2] for api in (PYTHON, CPP, C, GO, R)] == [
        'config.exp_disable_tensorrt_ops(["softmax"])',
        'config.Exp_DisableTensorRtOPs({"softmax"});',
        'PD_ConfigDisableTensorRtOPs(config, 1, (const char*[]){"softmax"});',
        'config.DisableTensorRtOPs([]string{"softmax"})',
        'config$exp_disable_tensorrt_ops(list("softmax"))',
    ]


@pytest.mark.parametrize(
    ("config", "ir", "in_c", "in_go"),
    [
        (InferenceConfig(onednn=False), "pir", ["disable_mkldnn: oneDNN stays"], ["disable_mkldnn: oneDNN"]),
        (InferenceConfig(precision="int8"), "pir", [], ["enable_mkldnn_int8: it runs in fp32"]),
        (
            InferenceConfig(ir_optim=False),
            "pir",
            ["set_optimization_level: every"],
            ["set_optimization_level"],
        ),
        (InferenceConfig(ir_optim=False), "program", [], []),
        (InferenceConfig(memory_optim=True), "pir", [], ["enable_new_executor: enable_memory_optim, which"]),
        (InferenceConfig(memory_optim=True), "program", [], []),
        (
            InferenceConfig(disabled_passes=("x_pass",)),
            "pir",
            ["delete_pass: the pass x_pass"],
            ["delete_pass"],
        ),
        (InferenceConfig(disabled_passes=("x_pass",)), "program", [], []),
        (InferenceConfig(enabled_passes=("a", "b")), "pir", ["are not added: a, b"], ["are not added: a, b"]),
        (InferenceConfig(enabled_passes=("a", "b")), "program", [], []),
        (
            InferenceConfig(device="gpu", precision="fp16"),
            "pir",
            [],
            ["takes no precision for a GPU: it runs in fp32, not in fp16"],
        ),
        (
            InferenceConfig(device="gpu", precision="fp16", fp32_ops=("a", "b")),
            "pir",
            ["exp_disable_mixed_precision_ops: these op types run in the lower precision, too: a, b"],
            ["takes no precision for a GPU: it runs in fp32, not in fp16"],
        ),
        (
            InferenceConfig(device="gpu", precision="bf16", fp32_ops=("a",)),
            "program",
            ["no bf16 for enable_use_gpu: it runs in fp32"],
            ["takes no precision for a GPU: it runs in fp32, not in bf16"],
        ),
        (
            InferenceConfig(device="gpu", trt=True, precision="bf16"),
            "program",
            ["no bf16 for enable_tensorrt_engine: it runs in fp32"],
            ["no bf16 for enable_tensorrt_engine: it runs in fp32"],
        ),
    ],
)
def test_what_an_api_lacks_is_said(
    config: InferenceConfig, ir: str, in_c: list[str], in_go: list[str]
) -> None:
    assert _calls(CPP, config, ir).missing == ()
    for api, expected in ((C, in_c), (GO, in_go)):
        written = _calls(api, config, ir)
        assert len(written.missing) == len(expected)
        for text, words in zip(written.missing, expected, strict=True):
            assert text.startswith(api.name)
            assert words in text
        assert not any("MemoryOptim" in line for line in written.lines) or config.memory_optim


def test_what_an_api_lacks_stands_in_the_program(sample_folder: Callable[..., Path]) -> None:
    case = CASES["passes"]
    program = generate(sample_folder(case.sample, case.layout), case.config, "go")
    assert len(program.missing) == 3
    words = " ".join(program.text.replace("// ", "").split())
    for text in program.missing:
        assert text in words


def test_names_change_with_the_release() -> None:
    config = InferenceConfig(onednn=True, memory_optim=True)
    assert "config.EnableONEDNN();" in _calls(CPP, config, "pir", (3, 2, 0)).lines
    assert "config.EnableMKLDNN();" in _calls(CPP, config, "pir", (3, 1, 0)).lines
    assert "config.EnableMKLDNN()" in _calls(GO, config, "pir", (3, 2, 0)).lines
    assert "config.DisableMKLDNN();" in _calls(CPP, InferenceConfig(onednn=False), "pir", (3, 1, 0)).lines
    assert "config.DisableONEDNN();" in _calls(CPP, InferenceConfig(onednn=False), "pir", (3, 2, 0)).lines
    older = _calls(C, config, "pir", (3, 1, 0))
    assert [text for text in older.missing if "enable_new_executor" in text] == list(older.missing)
    assert not any("MemoryOptim" in line for line in older.lines)


_NAMES = st.lists(st.sampled_from(["a_pass", "b_pass", "c_pass"]), max_size=2).map(tuple)


@given(
    st.builds(
        InferenceConfig,
        device=st.sampled_from(["cpu", "gpu"]),
        precision=st.sampled_from(["fp32", "fp16", "bf16", "int8"]),
        fp32_ops=st.sampled_from([(), ("softmax",), ("conv2d", "softmax")]),
        onednn=st.sampled_from([None, True, False]),
        ir_optim=st.booleans(),
        memory_optim=st.booleans(),
        trt=st.booleans(),
        disabled_passes=_NAMES,
        enabled_passes=st.just(("d_pass",)),
    ),
    st.sampled_from(["pir", "program"]),
    st.sampled_from([(2, 6, 2), (3, 0, 0), (3, 3, 1)]),
)
def test_no_call_is_dropped_without_a_word(
    config: InferenceConfig, ir: str, release: tuple[int, ...]
) -> None:
    calls = native_calls(config, ModelFiles(ir, "m", "p"), release)  # type: ignore[arg-type]
    for api in (PYTHON, CPP, R):
        assert len(_calls(api, config, ir, release).lines) == len(calls)
    for api in (C, GO):
        written = _calls(api, config, ir, release)
        left_out = [text for text in written.missing if "has no call" in text]
        with_executor = any("enable_memory_optim, which" in text for text in left_out)
        # Where the GPU runs in fp32 anyhow, that alone is said.
        listed = any(call.method == "exp_disable_mixed_precision_ops" for call in calls)
        all_fp32 = listed and any("runs in fp32" in text for text in written.missing)
        assert len(written.lines) + len(left_out) + with_executor + all_fp32 == len(calls)
