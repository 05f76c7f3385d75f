"""From a config to the calls on ``paddle.inference.Config`` that ask for it.

The worker makes these calls, and `to_code` prints the same ones: what runs and what is shown cannot differ.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from workbench.config.config import InferenceConfig
from workbench.config.fp32 import bfloat16_on_cpu, kept_on_gpu

# Passes whose log name is not the name they are registered, and deleted, under: measured on 3.3.1.
REGISTERED_AS = {
    "conv_activation_mkldnn_fuse_pass": "conv_activation_onednn_fuse_pass",
    "conv_concat_activation_mkldnn_fuse_pass": "conv_concat_activation_onednn_fuse_pass",
}


class Call(NamedTuple):
    """One method call on ``target``: the Config itself, or what its ``pass_builder()`` returns."""

    target: Literal["config", "pass_builder"]
    method: str
    args: tuple[Any, ...] = ()


class NativePrecision(NamedTuple):
    """A member of ``paddle.inference.PrecisionType``, by name: this room does not import Paddle."""

    precision: str

    def __repr__(self) -> str:
        return f"PrecisionType.{self.precision}"


class NativeSet(NamedTuple):
    """A set of names, as the calls that take a list in C++'s ``unordered_set`` want it from Python.

    Its order is kept, so that what is printed is always the same.
    """

    names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self.names))}}}"


def _native(precision: str) -> NativePrecision:
    return NativePrecision({"fp32": "Float32", "fp16": "Half", "bf16": "Bfloat16", "int8": "Int8"}[precision])


class ModelFiles(NamedTuple):
    """Where the model lies, as ``paddle.inference.Config`` takes it: two files, or one folder."""

    ir: Literal["pir", "program"]
    model: str
    params: str | None = None


def native_calls(
    config: InferenceConfig, files: ModelFiles, release: tuple[int, ...] = (3, 3, 1)
) -> list[Call]:
    """The calls, in order, for one model on one release of Paddle.

    ``release`` matters where the releases differ: names that 2.x does not have, and defects that have a
    known way round.
    """
    pir = files.ir == "pir"
    calls: list[Call] = []

    def ask(method: str, *args: Any) -> None:
        calls.append(Call("config", method, args))

    if config.device == "gpu":
        low = config.precision in ("fp16", "bf16") and not config.trt
        ask(
            "enable_use_gpu",
            config.gpu_memory_mb,
            config.device_id,
            *([_native(config.precision)] if low else []),
        )
        if low and config.fp32_ops:
            # Without a dialect they are kernels' names, by which PIR's auto_mixed_precision_pass looks, too.
            ask("exp_disable_mixed_precision_ops", NativeSet(kept_on_gpu(config.fp32_ops)))
    if config.trt:
        ask(
            "enable_tensorrt_engine",
            config.trt_workspace_size,
            config.trt_max_batch_size,
            config.trt_min_subgraph_size,
            _native(config.precision),
            config.trt_use_static,
            config.trt_use_calib_mode,
        )
        if config.fp32_ops and config.precision != "fp32":
            ask("exp_disable_tensorrt_ops", list(kept_on_gpu(config.fp32_ops)))
    if config.onednn is not None:
        ask("enable_mkldnn" if config.onednn else "disable_mkldnn")
    ask("set_cpu_math_library_num_threads", config.threads)
    if config.device == "cpu" and config.precision == "bf16":
        # PIR knows no list, see workbench.core.defects.
        chosen = bool(config.fp32_ops) and not pir
        lower = bfloat16_on_cpu(config.fp32_ops if chosen else ())
        # An empty list means all of them to Paddle.
        if lower:
            ask("enable_mkldnn_bfloat16")
        if lower and chosen:
            ask("set_bfloat16_op", NativeSet(lower))
    if config.device == "cpu" and config.precision == "int8":
        ask("enable_mkldnn_int8")
    if not config.ir_optim:
        # PIR ignores switch_ir_optim(False); level 0 is the least it can be brought to.
        if pir:
            ask("set_optimization_level", 0)
        else:
            ask("switch_ir_optim", False)
    if config.memory_optim:
        if pir:
            # Without it creation fails from 3.0.0 to 3.3.1: "Not find predictor_id … memory_optimize_pass".
            ask("enable_new_executor")
        ask("enable_memory_optim")
    for name in config.disabled_passes:
        for known in dict.fromkeys((name, REGISTERED_AS.get(name, name))):
            ask("delete_pass", known) if pir else calls.append(Call("pass_builder", "delete_pass", (known,)))
    if config.enabled_passes:
        if pir:
            ask("enable_custom_passes", list(config.enabled_passes), False)
        else:
            calls += [Call("pass_builder", "append_pass", (name,)) for name in config.enabled_passes]
    return calls


def to_code(config: InferenceConfig, files: ModelFiles, release: tuple[int, ...] = (3, 3, 1)) -> str:
    """The plain Paddle program that creates the same predictor."""
    where = ", ".join(repr(part) for part in (files.model, files.params) if part is not None)
    calls = native_calls(config, files, release)
    precise = any(isinstance(arg, NativePrecision) for call in calls for arg in call.args)
    names = "Config, PrecisionType, create_predictor" if precise else "Config, create_predictor"
    lines = [f"from paddle.inference import {names}", "", f"config = Config({where})"]
    for call in calls:
        target = "config" if call.target == "config" else "config.pass_builder()"
        lines.append(f"{target}.{call.method}({', '.join(map(repr, call.args))})")
    lines.append("predictor = create_predictor(config)")
    return "\n".join(lines) + "\n"
