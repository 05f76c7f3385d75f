"""The native calls of a config, as the inference API of each language has them, and what an API lacks.

Names and signatures were read off Paddle's headers and its Go package (as of May 2024, with what pull
requests 73629 and 75604 added and renamed up to 3.3), and for C++ off the library of release 3.3.1 itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench.config import Call
from workbench.config.calls import NativePrecision, NativeSet
from workbench.deploy.codegen import literals, statements

Release = tuple[int, ...]
Method = tuple[str, str]
"""What a call is made on, and its name in Python."""

_ENABLE_USE_GPU: Method = ("config", "enable_use_gpu")
_KEEP_IN_FP32: Method = ("config", "exp_disable_mixed_precision_ops")
_NEW_EXECUTOR: Method = ("config", "enable_new_executor")
_MEMORY_OPTIM: Method = ("config", "enable_memory_optim")

# What follows where an API lacks a call; {0} stands for the names that it takes.
_CONSEQUENCES: Mapping[Method, str] = {
    ("config", "disable_mkldnn"): "oneDNN stays as the release has it, on in 3.x",
    ("config", "enable_mkldnn_int8"): "it runs in fp32, not in int8",
    ("config", "set_optimization_level"): "every optimization pass runs",
    _KEEP_IN_FP32: "these op types run in the lower precision, too: {0}",
    _NEW_EXECUTOR: "enable_memory_optim, which fails without it on a .json model, is left out too",
    ("config", "delete_pass"): "the pass {0} stays on",
    ("config", "enable_custom_passes"): "these passes are not added: {0}",
}


@dataclass(frozen=True)
class Written:
    """The calls in one language.

    Attributes:
        lines: the statements, in order.
        missing: what was asked for and this API has no call for, a sentence each.
        precision: whether a statement names a precision.
    """

    lines: tuple[str, ...]
    missing: tuple[str, ...]
    precision: bool


@dataclass(frozen=True)
class Api:
    """How one language makes the calls.

    Attributes:
        name: what messages call it.
        methods: the calls it has in a release, by `Method`, with their names there; None where it has each
            one under the same name.
        statement: a statement from what the call is made on, the call's name and its arguments.
        literal: a text as a literal.
        list_of: a list of literals.
        set_of: a set of literals.
        booleans: how False and True are written.
        precisions: the precisions it has, by Paddle's name in Python.
        number: a whole number as a literal.
        gpu_precision: whether ``enable_use_gpu`` takes a precision.
    """

    name: str
    methods: Callable[[Release], Mapping[Method, str]] | None
    statement: Callable[[str, str, Sequence[str]], str]
    literal: Callable[[str], str]
    list_of: Callable[[Sequence[str]], str]
    set_of: Callable[[Sequence[str]], str]
    booleans: tuple[str, str]
    precisions: Mapping[str, str]
    number: Callable[[int], str] = str
    gpu_precision: Literal["optional", "always", "never"] = "optional"

    def write(self, calls: Sequence[Call], release: Release) -> Written:
        """Write the calls down, in order; none is dropped without a word."""
        known = None if self.methods is None else self.methods(release)
        lacking = set() if known is None else {call[:2] for call in calls} - set(known)
        lines: list[str] = []
        missing: list[str] = []
        precision = False
        for call in calls:
            method = call[:2]
            if method == _KEEP_IN_FP32 and not self._lowers(calls):
                continue  # all of it runs in fp32, which is said with the GPU
            if method in lacking:
                missing.append(self._lack(call))
                continue
            if method == _MEMORY_OPTIM and _NEW_EXECUTOR in lacking:
                continue  # said with the executor
            args, lost = self._fit(method, call.args)
            missing += lost
            precision = precision or any(isinstance(one, NativePrecision) for one in args)
            name = call.method if known is None else known[method]
            lines.append(self.statement(call.target, name, [self._argument(one) for one in args]))
        return Written(tuple(lines), tuple(missing), precision)

    def _lack(self, call: Call) -> str:
        first = call.args[0] if call.args else ""
        many = first.names if isinstance(first, NativeSet) else first
        names = ", ".join(many) if isinstance(many, (list, tuple)) else many
        what = _CONSEQUENCES.get(call[:2], "the program does without it")
        return f"{self.name} has no call for {call.method}: {what.format(names)}"

    def _lowers(self, calls: Sequence[Call]) -> bool:
        """Whether this API can ask for a lower precision on a GPU, and the calls do."""
        return self.gpu_precision != "never" and any(
            isinstance(one, NativePrecision) and one.precision in self.precisions
            for call in calls
            if call[:2] == _ENABLE_USE_GPU
            for one in call.args
        )

    def _fit(self, method: Method, args: tuple[Any, ...]) -> tuple[list[Any], list[str]]:
        """The arguments as this API takes them, and what is lost by that."""
        fitted = list(args)
        lost = []
        fp32 = NativePrecision("Float32")
        if method == _ENABLE_USE_GPU and self.gpu_precision == "never" and len(fitted) > 2:
            lost.append(
                f"{self.name} takes no precision for a GPU: it runs in fp32, not in {_word(fitted.pop())}"
            )
        if method == _ENABLE_USE_GPU and self.gpu_precision == "always" and len(fitted) == 2:
            fitted.append(fp32)
        for index, one in enumerate(fitted):
            if isinstance(one, NativePrecision) and one.precision not in self.precisions:
                lost.append(f"{self.name} has no {_word(one)} for {method[1]}: it runs in fp32")
                fitted[index] = fp32
        return fitted, lost

    def _argument(self, value: Any) -> str:
        if isinstance(value, bool):
            return self.booleans[value]
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, NativePrecision):
            return self.precisions[value.precision]
        if isinstance(value, NativeSet):
            return self.set_of([self.literal(one) for one in value.names])
        if isinstance(value, list):
            return self.list_of([self.literal(one) for one in value])
        return self.literal(value)


def _word(precision: NativePrecision) -> str:
    return {"Float32": "fp32", "Half": "fp16", "Bfloat16": "bf16", "Int8": "int8"}[precision.precision]


def _cpp_methods(release: Release) -> dict[Method, str]:
    onednn, one_dnn = ("ONEDNN", "Onednn") if release >= (3, 2) else ("MKLDNN", "Mkldnn")
    return {
        _ENABLE_USE_GPU: "EnableUseGpu",
        _KEEP_IN_FP32: "Exp_DisableMixedPrecisionOps",
        ("config", "enable_tensorrt_engine"): "EnableTensorRtEngine",
        ("config", "exp_disable_tensorrt_ops"): "Exp_DisableTensorRtOPs",
        ("config", "enable_mkldnn"): f"Enable{onednn}",
        ("config", "disable_mkldnn"): f"Disable{onednn}",
        ("config", "enable_mkldnn_bfloat16"): f"Enable{one_dnn}Bfloat16",
        ("config", "set_bfloat16_op"): "SetBfloat16Op",
        ("config", "enable_mkldnn_int8"): f"Enable{one_dnn}Int8",
        ("config", "set_cpu_math_library_num_threads"): "SetCpuMathLibraryNumThreads",
        ("config", "set_optimization_level"): "SetOptimizationLevel",
        ("config", "switch_ir_optim"): "SwitchIrOptim",
        _NEW_EXECUTOR: "EnableNewExecutor",
        _MEMORY_OPTIM: "EnableMemoryOptim",
        ("config", "delete_pass"): "DeletePass",
        ("config", "enable_custom_passes"): "EnableCustomPasses",
        ("pass_builder", "delete_pass"): "DeletePass",
        ("pass_builder", "append_pass"): "AppendPass",
    }


def _c_methods(release: Release) -> dict[Method, str]:
    found = {
        _ENABLE_USE_GPU: "EnableUseGpu",
        ("config", "enable_tensorrt_engine"): "EnableTensorRtEngine",
        ("config", "exp_disable_tensorrt_ops"): "DisableTensorRtOPs",
        ("config", "enable_mkldnn"): "EnableMKLDNN",
        ("config", "enable_mkldnn_bfloat16"): "EnableMkldnnBfloat16",
        ("config", "set_bfloat16_op"): "SetBfloat16Op",
        ("config", "enable_mkldnn_int8"): "EnableMkldnnInt8",
        ("config", "set_cpu_math_library_num_threads"): "SetCpuMathLibraryNumThreads",
        ("config", "switch_ir_optim"): "SwitchIrOptim",
        _MEMORY_OPTIM: "EnableMemoryOptim",
        # These two edit the pass builder's list, which a .json model does not use.
        ("pass_builder", "delete_pass"): "DeletePass",
        ("pass_builder", "append_pass"): "AppendPass",
    }
    if release >= (3, 2):
        found[_NEW_EXECUTOR] = "EnableNewExecutor"
    return found


def _go_methods(release: Release) -> dict[Method, str]:
    lacks = (_NEW_EXECUTOR, ("config", "enable_mkldnn_int8"))
    found = {method: name for method, name in _c_methods(release).items() if method not in lacks}
    if release >= (3, 3):
        found["config", "enable_mkldnn"] = "EnableONEDNN"
    return found


PYTHON = Api(
    name="Paddle's Python API",
    methods=None,
    statement=statements.python_statement,
    literal=literals.python,
    list_of=lambda items: f"[{', '.join(items)}]",
    set_of=statements.in_braces,
    booleans=("False", "True"),
    precisions={name: f"PrecisionType.{name}" for name in ("Float32", "Half", "Bfloat16", "Int8")},
)
CPP = Api(
    name="Paddle's C++ API",
    methods=_cpp_methods,
    statement=statements.cpp_statement,
    literal=literals.c,
    list_of=statements.in_braces,
    set_of=statements.in_braces,
    booleans=("false", "true"),
    precisions={
        "Float32": "PrecisionType::kFloat32",
        "Half": "PrecisionType::kHalf",
        "Bfloat16": "PrecisionType::kBf16",
        "Int8": "PrecisionType::kInt8",
    },
)
C = Api(
    name="Paddle's C API",
    methods=_c_methods,
    statement=statements.c_statement,
    literal=literals.c,
    list_of=statements.c_array,
    set_of=statements.c_array,
    booleans=("FALSE", "TRUE"),
    precisions={
        "Float32": "PD_PRECISION_FLOAT32",
        "Half": "PD_PRECISION_HALF",
        "Int8": "PD_PRECISION_INT8",
    },
    gpu_precision="always",
)
GO = Api(
    name="Paddle's Go API",
    methods=_go_methods,
    statement=statements.go_statement,
    literal=literals.go,
    list_of=statements.go_slice,
    set_of=statements.go_slice,
    booleans=("false", "true"),
    precisions={
        "Float32": "paddle.PrecisionFloat32",
        "Half": "paddle.PrecisionHalf",
        "Int8": "paddle.PrecisionInt8",
    },
    gpu_precision="never",
)
R = Api(
    name="Paddle's Python API from R",
    methods=None,
    statement=statements.r_statement,
    literal=literals.r,
    list_of=statements.r_list,
    set_of=statements.r_set,
    booleans=("FALSE", "TRUE"),
    precisions={name: f"inference$PrecisionType${name}" for name in ("Float32", "Half", "Bfloat16", "Int8")},
    number=statements.r_number,
)
