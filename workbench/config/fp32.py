"""Op types that stay in fp32: what Paddle's passes make of them, and which lists Paddle takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# What runs in bf16 on a CPU where Program IR is given no list: read off the libraries of 2.6.2 and 3.3.1
# (patterns::Bfloat16Placement), which hold the same.
BFLOAT16_OPS = (
    "bilinear_interp_v2",
    "cast",
    "clip",
    "concat",
    "conv2d",
    "conv2d_transpose",
    "elementwise_add",
    "elementwise_mul",
    "expand_v2",
    "fc",
    "fused_conv2d",
    "fused_matmul",
    "fusion_gru",
    "fusion_lstm",
    "gelu",
    "layer_norm",
    "matmul",
    "matmul_v2",
    "pool2d",
    "prelu",
    "relu",
    "reshape2",
    "scale",
    "sigmoid",
    "slice",
    "softmax",
    "split",
    "squeeze",
    "squeeze2",
    "sum",
    "transpose2",
)

# Paddle chooses the precision of an op after its fusing passes, by the type that they gave it. Per such type
# the types it is made of in the first place; bias, activation and residual do not count. After the passes'
# sources.
_MATMULS = ("matmul", "matmul_v2", "mul")
_MADE_ON_CPU: Mapping[str, Sequence[str]] = {
    "conv2d": ("depthwise_conv2d",),
    "fc": _MATMULS,
    "fused_conv2d": ("conv2d", "depthwise_conv2d"),
    "fused_matmul": _MATMULS,
    "fusion_gru": ("gru",),
    "fusion_lstm": ("lstm",),
    "matmul": ("matmul_v2",),
}
_MADE_ON_GPU: Mapping[str, Sequence[str]] = {
    "fc": _MATMULS,
    "fused_conv2d_add_act": ("conv2d",),
    "gemm_epilogue": _MATMULS,
    "matmul": ("matmul_v2",),
    "matrix_multiply": _MATMULS,
    "mul": ("matmul", "matmul_v2"),
}
MADE = frozenset({*_MADE_ON_CPU, *_MADE_ON_GPU})


def kept_on_gpu(op_types: Sequence[str]) -> tuple[str, ...]:
    """These op types and those that the passes for a GPU and for TensorRT make of them, sorted."""
    return tuple(sorted(_with_made(op_types, _MADE_ON_GPU)))


def bfloat16_on_cpu(op_types: Sequence[str]) -> tuple[str, ...]:
    """What Program IR may run in bf16 on a CPU when these op types stay in fp32, sorted."""
    kept = _with_made(op_types, _MADE_ON_CPU)
    return tuple(name for name in BFLOAT16_OPS if name not in kept)


def _with_made(op_types: Sequence[str], made: Mapping[str, Sequence[str]]) -> set[str]:
    return {*op_types, *(name for name, of in made.items() if not set(of).isdisjoint(op_types))}
