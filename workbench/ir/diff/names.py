"""What computation an op is, by names that both IRs share."""

from __future__ import annotations

from collections.abc import Mapping

# Names of one computation: Program IR's to PIR's, and PIR's own for the same thing in another place. Those of
# the sample models are tested on both; the others follow the names of Paddle's operators.
_CANONICAL: Mapping[str, str] = {
    "arg_max": "argmax",
    "arg_min": "argmin",
    "c_softmax": "softmax",
    "conditional_block": "if",
    "elementwise_add": "add",
    "elementwise_div": "divide",
    "elementwise_floordiv": "floor_divide",
    "elementwise_max": "maximum",
    "elementwise_min": "minimum",
    "elementwise_mod": "remainder",
    "elementwise_mul": "multiply",
    "elementwise_sub": "subtract",
    "expand_v2": "expand",
    "feed": "data",
    "fill_any_like": "full_like",
    "fill_constant": "full",
    "flatten_contiguous_range": "flatten",
    "flatten2": "flatten",
    "hard_sigmoid": "hardsigmoid",
    "hard_swish": "hardswish",
    "lookup_table": "embedding",
    "lookup_table_v2": "embedding",
    "matmul_v2": "matmul",
    "mul": "matmul",
    "reduce_all": "all",
    "reduce_any": "any",
    "reduce_max": "max",
    "reduce_mean": "mean",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "reduce_sum": "sum",
    "reshape2": "reshape",
    "shadow_output": "fetch",
    "squeeze2": "squeeze",
    "top_k": "topk",
    "top_k_v2": "topk",
    "transpose2": "transpose",
    "unsqueeze2": "unsqueeze",
}


def canonical_type(name: str) -> str:
    """The name of an op's computation, whatever the IR: ``add`` for ``pd_op.add_`` and ``elementwise_add``.

    Args:
        name: an op type as a dump gives it.

    Returns:
        The name without dialect and in-place mark, and PIR's name where Program IR has another.
    """
    bare = name.rpartition(".")[2].rstrip("_")
    return _CANONICAL.get(bare, bare)
