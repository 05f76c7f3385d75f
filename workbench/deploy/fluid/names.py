"""The 1.x names that are kept, today's name for each, and what it does here: the table of docs/fluid.md."""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """One row.

    Attributes:
        name: the 1.x name, as a path from ``fluid``; ``predictor`` and ``tensor`` stand for what
            `create_paddle_predictor` and `get_input_tensor` give.
        today: what it is called in today's Paddle.
        here: what it does here.
    """

    name: str
    today: str
    here: str


_INFERENCE = "paddle.inference"
_CONFIG = f"{_INFERENCE}.Config"
_PREDICTOR = f"{_INFERENCE}.Predictor"
_TENSOR = f"{_INFERENCE}.Tensor"

NAMES = (
    Name(
        "core.AnalysisConfig",
        _CONFIG,
        "collects what is asked for; `config.inference_config` is the same as an `InferenceConfig`",
    ),
    Name(
        "core.AnalysisConfig.set_model",
        f"{_CONFIG}.set_model",
        "a folder, or the files of the program and of its parameters; any of the four layouts",
    ),
    Name(
        "core.AnalysisConfig.set_model_buffer",
        f"{_CONFIG}.set_model_buffer",
        "program and parameters from memory, PIR too; a buffer shorter than its size is an error",
    ),
    Name(
        "core.AnalysisConfig.switch_use_feed_fetch_ops",
        "none",
        "says once that it means nothing: tensors never go through feed and fetch ops",
    ),
    Name(
        "core.AnalysisConfig.switch_specify_input_names",
        "none",
        "says once that it means nothing: inputs are always given by name",
    ),
    Name(
        "core.AnalysisConfig.enable_use_gpu",
        f"{_CONFIG}.enable_use_gpu",
        "runs on the GPU; on a CPU build of Paddle it says so and runs on the CPU, or stops if strict",
    ),
    Name("core.AnalysisConfig.disable_gpu", f"{_CONFIG}.disable_gpu", "runs on the CPU"),
    Name(
        "core.AnalysisConfig.enable_mkldnn",
        f"{_CONFIG}.enable_onednn",
        "oneDNN on; from 3.0 it is by default",
    ),
    Name(
        "core.AnalysisConfig.set_cpu_math_library_num_threads",
        f"{_CONFIG}.set_cpu_math_library_num_threads",
        "threads of the CPU math library",
    ),
    Name(
        "core.AnalysisConfig.enable_tensorrt_engine",
        f"{_CONFIG}.enable_tensorrt_engine",
        "TensorRT subgraphs, all six parameters by place or keyword; on a CPU build as enable_use_gpu",
    ),
    Name(
        "core.AnalysisConfig.Precision",
        f"{_INFERENCE}.PrecisionType",
        "Float32, Half, Bfloat16, Int8",
    ),
    Name(
        "core.AnalysisConfig.enable_memory_optim",
        f"{_CONFIG}.enable_memory_optim",
        "memory shared between tensors; for PIR with the new executor, without which Paddle 3 fails",
    ),
    Name(
        "core.AnalysisConfig.switch_ir_optim",
        f"{_CONFIG}.switch_ir_optim",
        "graph optimization; for PIR, which ignores it, off is optimization level 0",
    ),
    Name(
        "core.AnalysisConfig.switch_ir_debug",
        f"{_CONFIG}.switch_ir_debug",
        "a .dot before any pass and after each one, for both IRs, in the current folder",
    ),
    Name(
        "core.AnalysisConfig.disable_glog_info",
        f"{_CONFIG}.disable_glog_info",
        "Paddle's log is not passed on to Python's logging; `predictor.log` has it in any case",
    ),
    Name(
        "core.create_paddle_predictor",
        f"{_INFERENCE}.create_predictor",
        "loads the model in a worker; says what is given otherwise than asked, or stops if strict",
    ),
    Name("predictor.get_input_names", f"{_PREDICTOR}.get_input_names", "in the model's order"),
    Name("predictor.get_input_tensor", f"{_PREDICTOR}.get_input_handle", "an input by name"),
    Name("predictor.get_output_names", f"{_PREDICTOR}.get_output_names", "in the model's order"),
    Name("predictor.get_output_tensor", f"{_PREDICTOR}.get_output_handle", "an output by name"),
    Name("predictor.zero_copy_run", f"{_PREDICTOR}.run", "one run in the worker"),
    Name("tensor.reshape", f"{_TENSOR}.reshape", "the shape to come; the data that follow decide"),
    Name("tensor.copy_from_cpu", f"{_TENSOR}.copy_from_cpu", "takes a copy of a numpy array"),
    Name("tensor.copy_to_cpu", f"{_TENSOR}.copy_to_cpu", "a numpy array of its own"),
    Name("data", "paddle.static.data", "an input of the default main program"),
    Name("layers.fc", "paddle.static.nn.fc", "a fully connected layer; `act` is today's `activation`"),
    Name(
        "layers.cross_entropy",
        "paddle.nn.functional.cross_entropy",
        "of probabilities, a row each, as in 1.x; today's takes scores and gives the mean by default",
    ),
    Name("layers.mean", "paddle.mean", "the mean of all elements, of shape [] (in 1.x [1])"),
    Name("CPUPlace", "paddle.CPUPlace", "the CPU"),
    Name(
        "CUDAPlace", "paddle.CUDAPlace", "a GPU; on a CPU build it says so and is the CPU, or stops if strict"
    ),
    Name("Executor", "paddle.static.Executor", "Paddle's own: the training engine, in this process"),
    Name("Program", "paddle.static.Program", "Paddle's own, Program IR"),
    Name("program_guard", "paddle.static.program_guard", "Paddle's own"),
    Name("unique_name.guard", "paddle.utils.unique_name.guard", "Paddle's own"),
    Name("default_startup_program", "paddle.static.default_startup_program", "Paddle's own"),
    Name("default_main_program", "paddle.static.default_main_program", "Paddle's own"),
    Name("DataFeeder", "paddle.base.DataFeeder", "Paddle's own: rows to the arrays of a feed"),
    Name(
        "io.save_inference_model",
        "paddle.static.save_inference_model",
        "with file names: combined; without: `__model__` and a file per parameter",
    ),
    Name(
        "io.load_inference_model",
        "paddle.static.load_inference_model",
        "a model of any Program IR layout, checked before Paddle reads it",
    ),
    Name(
        "io.save_persistables",
        "paddle.static.save",
        "a file per variable, or one for all with `filename`",
    ),
    Name(
        "load",
        "paddle.static.load",
        "parameters from a folder, a file or .pdparams, checked before Paddle reads them",
    ),
    Name("compiler.CompiledProgram", "paddle.static.CompiledProgram", "Paddle's own"),
    Name("core.Config", _CONFIG, "the 2.x name of AnalysisConfig"),
    Name(
        "core.create_predictor", f"{_INFERENCE}.create_predictor", "the 2.x name of create_paddle_predictor"
    ),
    Name("predictor.get_input_handle", f"{_PREDICTOR}.get_input_handle", "the 2.x name of get_input_tensor"),
    Name(
        "predictor.get_output_handle", f"{_PREDICTOR}.get_output_handle", "the 2.x name of get_output_tensor"
    ),
    Name("predictor.run", f"{_PREDICTOR}.run", "the 2.x name of zero_copy_run"),
)


def table() -> str:
    """All names as a Markdown table."""
    rows = [f"| `{row.name}` | {_code(row.today)} | {row.here} |" for row in NAMES]
    return "\n".join(["| 1.x, from `fluid` | today | here |", "| --- | --- | --- |", *rows]) + "\n"


def _code(today: str) -> str:
    return today if today == "none" else f"`{today}`"
