"""Functions that Paddle 3.3 no longer builds Program IR with, given back for as long as a block lasts.

Paddle 3.3 binds some fifty functions (``matmul``, ``sum``, ``sigmoid``, …) straight to C++ code that knows
tensors and PIR values but not Program IR's variables, so that a layer which uses one cannot become a
``.pdmodel``: "matmul(): argument must be Value, but got Variable". The ops themselves are still there and
still run. `legacy_ops` appends them where such a function meets a variable, and passes every other call on.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Function = Callable[..., Any]

# Functions whose op has their name and whose result has the type of x.
_UNARY = [
    *("abs", "acos", "acosh", "asin", "atanh", "ceil", "cos", "cosh", "exp", "expm1", "floor", "log"),
    *("log10", "log1p", "log2", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tanh"),
]
# Function: op.
_UNARY_BOOL = {
    "isfinite": "isfinite_v2",
    "isinf": "isinf_v2",
    "isnan": "isnan_v2",
    "logical_not": "logical_not",
}
_BINARY = {
    "bmm": "bmm",
    "dot": "dot",
    "maximum": "elementwise_max",
    "minimum": "elementwise_min",
    "multiply": "elementwise_mul",
}
_BINARY_BOOL = ["greater_than", "logical_and", "logical_or", "logical_xor"]
_REDUCE = {"all": "reduce_all", "amax": "reduce_amax", "amin": "reduce_amin", "any": "reduce_any"}
# The second names that the functions take for the same arguments.
_ALIASES = {"input": "x", "other": "y", "dim": "axis"}


@contextlib.contextmanager
def legacy_ops(paddle: Any) -> Iterator[None]:
    """Let these functions build Program IR, in the whole process, for as long as the block lasts.

    Calls with tensors or PIR values go where they went before. In a release whose functions still know
    variables this changes nothing that a caller sees.
    """
    native = importlib.import_module("paddle._C_ops")
    variable = importlib.import_module("paddle.base.framework").Variable
    originals = {
        name: getattr(native, name) for name in _builders(paddle) if callable(getattr(native, name, None))
    }
    ours = {
        id(original): _either(paddle, original, _builders(paddle)[name], variable)
        for name, original in originals.items()
    }
    changed: list[tuple[Any, str, Any]] = []

    def change(holder: Any, key: str, value: Any) -> None:
        changed.append((holder, key, vars(holder)[key]))
        setattr(holder, key, value)

    # Some of Paddle's modules, and the class of variables, hold the bare C++ functions.
    holders = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("paddle") and "libpaddle" not in name
    ]
    try:
        for holder in [variable, *holders]:
            for key, value in list(getattr(holder, "__dict__", {}).items()):
                if id(value) in ours:
                    change(holder, key, ours[id(value)])
        if isinstance(vars(paddle.Tensor).get("device"), property):
            # Reading it fails for a tensor without data, such as the dropout state of an LSTM.
            device = paddle.Tensor.device
            known = property(lambda tensor: device.fget(tensor) if tensor._is_initialized() else None)
            change(paddle.Tensor, "device", known)
        yield
    finally:
        for holder, key, value in reversed(changed):
            setattr(holder, key, value)


def _either(paddle: Any, original: Function, build: Function, variable: type) -> Function:
    def function(*args: Any, **kwargs: Any) -> Any:
        given = (*args, *kwargs.values())
        if not any(isinstance(value, variable) for value in given):
            return original(*args, **kwargs)
        named = {_ALIASES.get(key, key): value for key, value in kwargs.items()}
        if named.get("out", ...) is None:
            del named["out"]
        return build(*args, **named)

    # Paddle would otherwise rewrite its source as part of the layer's.
    marked: Function = paddle.jit.not_to_static(function)
    return marked


def _append(
    kind: str,
    inputs: dict[str, Any],
    attrs: dict[str, Any] | None = None,
    dtype: Any = None,
    out: str = "Out",
) -> Any:
    """One op with one output, which has the dtype of its first input unless another is given."""
    helper = importlib.import_module("paddle.base.layer_helper").LayerHelper(kind)
    result = helper.create_variable_for_type_inference(dtype=dtype or next(iter(inputs.values())).dtype)
    helper.append_op(type=kind, inputs=inputs, outputs={out: result}, attrs=attrs or {})
    return result


def _builders(paddle: Any) -> dict[str, Function]:
    """By name, a function that appends the op; its parameters are those of Paddle's function."""

    def unary(kind: str, dtype: Any = None) -> Function:
        return lambda x, name=None: _append(kind, {"X": x}, dtype=dtype)

    def binary(kind: str, dtype: Any = None) -> Function:
        return lambda x, y, name=None: _append(kind, {"X": x, "Y": y}, dtype=dtype)

    def axes(x: Any, axis: int | Sequence[int] | None) -> dict[str, Any]:
        whole = axis is None or (isinstance(axis, (list, tuple)) and not axis)
        # Not every op minds reduce_all.
        listed = list(range(len(x.shape))) if whole else [axis] if isinstance(axis, int) else list(axis or ())
        return {"dim": listed, "reduce_all": whole}

    def reduce(kind: str) -> Function:
        return lambda x, axis=None, keepdim=False, name=None: _append(
            kind, {"X": x}, {**axes(x, axis), "keep_dim": keepdim}
        )

    def total(x: Any, axis: Any = None, dtype: Any = None, keepdim: bool = False, name: Any = None) -> Any:
        small = x.dtype in (paddle.bool, paddle.int32)
        wanted = _dtype(paddle, dtype) if dtype is not None else paddle.int64 if small else x.dtype
        attrs = {**axes(x, axis), "keep_dim": keepdim, "in_dtype": int(x.dtype), "out_dtype": int(wanted)}
        return _append("reduce_sum", {"X": x}, attrs, wanted)

    def logsumexp(x: Any, axis: Any = None, keepdim: bool = False, name: Any = None) -> Any:
        found = axes(x, axis)
        attrs = {"axis": found["dim"], "reduce_all": found["reduce_all"], "keepdim": keepdim}
        return _append("logsumexp", {"X": x}, attrs)

    def arg(kind: str) -> Function:
        def build(
            x: Any, axis: int | None = None, keepdim: bool = False, dtype: Any = "int64", name: Any = None
        ) -> Any:
            wanted = _dtype(paddle, dtype)
            attrs = {"axis": axis or 0, "flatten": axis is None, "keepdims": keepdim, "dtype": int(wanted)}
            return _append(kind, {"X": x}, attrs, wanted)

        return build

    def matmul(x: Any, y: Any, transpose_x: bool = False, transpose_y: bool = False, name: Any = None) -> Any:
        return _append("matmul_v2", {"X": x, "Y": y}, {"trans_x": transpose_x, "trans_y": transpose_y})

    def roll(x: Any, shifts: Any, axis: Any = None, name: Any = None) -> Any:
        listed = [axis] if isinstance(axis, int) else list(axis or ())
        by = [shifts] if isinstance(shifts, int) else list(shifts)
        return _append("roll", {"X": x}, {"shifts": by, "axis": listed})

    def isclose(
        x: Any, y: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False, name: Any = None
    ) -> Any:
        attrs = {"rtol": str(rtol), "atol": str(atol), "equal_nan": equal_nan}
        return _append("isclose", {"Input": x, "Other": y}, attrs, paddle.bool)

    def grid_sample(
        x: Any,
        grid: Any,
        mode: str = "bilinear",
        padding_mode: str = "zeros",
        align_corners: bool = True,
        name: Any = None,
    ) -> Any:
        attrs = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
        return _append("grid_sampler", {"X": x, "Grid": grid}, attrs, out="Output")

    def triangle(lower: bool) -> Function:
        return lambda x, diagonal=0, name=None: _append(
            "tril_triu", {"X": x}, {"diagonal": diagonal, "lower": lower}
        )

    return {
        **{name: unary(name) for name in _UNARY},
        **{name: unary(kind, paddle.bool) for name, kind in _UNARY_BOOL.items()},
        **{name: binary(kind) for name, kind in _BINARY.items()},
        **{name: binary(name, paddle.bool) for name in _BINARY_BOOL},
        **{name: reduce(kind) for name, kind in _REDUCE.items()},
        "argmax": arg("arg_max"),
        "argmin": arg("arg_min"),
        "diagonal": lambda x, offset=0, axis1=0, axis2=1, name=None: _append(
            "diagonal", {"Input": x}, {"offset": offset, "axis1": axis1, "axis2": axis2}
        ),
        "expand_as": lambda x, y, name=None: _append(
            "expand_as_v2", {"X": x, "Y": y}, {"target_shape": list(y.shape)}
        ),
        "gelu": lambda x, approximate=False, name=None: _append(
            "gelu", {"X": x}, {"approximate": approximate in (True, "tanh")}
        ),
        "grid_sample": grid_sample,
        "index_put": lambda x, indices, value, accumulate=False, name=None: _append(
            "index_put",
            {"x": x, "indices": list(indices), "value": value},
            {"accumulate": accumulate},
            out="out",
        ),
        "isclose": isclose,
        "logsumexp": logsumexp,
        "matmul": matmul,
        "roll": roll,
        "round": lambda x, decimals=0, name=None: _append("round", {"X": x}, {"decimals": decimals}),
        "softplus": lambda x, beta=1, threshold=20, name=None: _append(
            "softplus", {"X": x}, {"beta": float(beta), "threshold": float(threshold)}
        ),
        "sum": total,
        "tril": triangle(lower=True),
        "triu": triangle(lower=False),
    }


def _dtype(paddle: Any, dtype: Any) -> Any:
    framework = importlib.import_module("paddle.base.framework")
    return framework.convert_np_dtype_to_dtype_(dtype) if isinstance(dtype, str) else dtype
