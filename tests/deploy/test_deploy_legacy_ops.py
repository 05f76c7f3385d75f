"""Every function that Paddle 3.3 lost for Program IR, exported as .pdmodel and run by plain Paddle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from plain_predictors import Arrays, predict

from workbench.deploy.training.export import export_layer

F = paddle.nn.functional

_PLAIN = [
    *("abs", "ceil", "cos", "cosh", "exp", "expm1", "floor", "isfinite", "isinf", "isnan", "round"),
    *("sigmoid", "sign", "sin", "sinh", "tanh"),
]
_REDUCTIONS = ["amax", "amin", "argmax", "argmin", "logsumexp", "sum"]

FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    **{name: lambda x, y, name=name: getattr(paddle, name)(x) for name in _PLAIN},
    **{f"method {name}": lambda x, y, name=name: getattr(x, name)() for name in _PLAIN},
    # Within their domains.
    **{name: lambda x, y, name=name: getattr(paddle, name)(x * 0.1) for name in ("acos", "asin", "atanh")},
    **{
        name: lambda x, y, name=name: getattr(paddle, name)(x * x + 1.5)
        for name in ("acosh", "log", "log10", "log1p", "log2", "rsqrt", "sqrt")
    },
    **{
        name: lambda x, y, name=name: getattr(paddle, name)(x, y)
        for name in ("greater_than", "isclose", "maximum", "minimum", "multiply")
    },
    **{
        name: lambda x, y, name=name: getattr(paddle, name)(x > 0, y > 0)
        for name in ("logical_and", "logical_or", "logical_xor")
    },
    "logical_not": lambda x, y: paddle.logical_not(x > 0),
    **{name: lambda x, y, name=name: getattr(paddle, name)(x) for name in _REDUCTIONS},
    **{f"{name} of rows": lambda x, y, name=name: getattr(paddle, name)(x, axis=1) for name in _REDUCTIONS},
    **{
        f"{name} kept": lambda x, y, name=name: getattr(x, name)(axis=-1, keepdim=True)
        for name in _REDUCTIONS
    },
    **{name: lambda x, y, name=name: getattr(paddle, name)(x > 0, axis=[1, 2]) for name in ("all", "any")},
    "sum of two axes, as float64": lambda x, y: paddle.sum(x, axis=[0, 2], dtype="float64"),
    "sum of int32": lambda x, y: paddle.sum((x > 0).astype("int32"), axis=1),
    "sum of bool": lambda x, y: paddle.sum(x > 0, axis=1),
    "sum by other names": lambda x, y: paddle.sum(input=x, dim=1),
    "argmax as int32": lambda x, y: paddle.argmax(x, axis=1, dtype="int32"),
    "matmul": lambda x, y: paddle.matmul(x, y, transpose_y=True),
    "method matmul": lambda x, y: x.matmul(y.transpose([0, 2, 1])),
    "bmm": lambda x, y: paddle.bmm(x, y.transpose([0, 2, 1])),
    "dot": lambda x, y: paddle.dot(x[:, 0], y[:, 0]),
    "tril": lambda x, y: paddle.tril(x, 1),
    "triu": lambda x, y: paddle.triu(x),
    "roll": lambda x, y: paddle.roll(x, 1),
    "roll along axes": lambda x, y: paddle.roll(x, [1, 2], axis=[1, 2]),
    "expand_as": lambda x, y: paddle.expand_as(x[:, :1], y),
    "diagonal": lambda x, y: paddle.diagonal(x, offset=1, axis1=1, axis2=2),
    "index_put": lambda x, y: paddle.index_put(x, [(y[0, :2, 0] > 9).astype("int64")], y[0]),
    "gelu": lambda x, y: F.gelu(x),
    "gelu by tanh": lambda x, y: F.gelu(x, approximate=True),
    "softplus": lambda x, y: F.softplus(x, beta=2, threshold=3),
    "grid_sample": lambda x, y: F.grid_sample(x.unsqueeze(1), paddle.tanh(y).reshape([-1, 4, 4, 2])),
    # What Paddle itself builds from them.
    "einsum": lambda x, y: paddle.einsum("bij,bkj->bik", x, y),
    "std": lambda x, y: x.std(axis=1),
    "cosine_similarity": lambda x, y: F.cosine_similarity(x, y, axis=-1),
    "Sigmoid": lambda x, y: paddle.nn.Sigmoid(name="named")(x),
}


class All(paddle.nn.Layer):
    """Every function, an output each."""

    def forward(self, x: Any, y: Any) -> Any:
        return [function(x, y) for function in FUNCTIONS.values()]


@pytest.fixture(scope="module")
def inputs() -> Arrays:
    random = np.random.default_rng(0)
    return {name: random.standard_normal((3, 4, 8)).astype("float32") for name in "xy"}


@pytest.fixture(scope="module")
def both(inputs: Arrays, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Any]]:
    """By function, what the layer gives in dynamic mode and plain Paddle with the exported model.

    Without oneDNN, whose softplus knows no threshold.
    """
    folder: Path = tmp_path_factory.mktemp("all") / "model"
    layer = All()
    wanted = [output.numpy() for output in layer(*map(paddle.to_tensor, inputs.values()))]
    specs = [(name, "float32", [None, 4, 8]) for name in inputs]
    (found,) = predict([(export_layer(layer, folder, specs, layout="program"), inputs)], plain=True)
    return dict(zip(FUNCTIONS, zip(wanted, found, strict=True), strict=True))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_program_ir_computes_what_the_function_does(name: str, both: dict[str, tuple[Any, Any]]) -> None:
    wanted, found = both[name]
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_every_lost_function_is_among_them() -> None:
    """Those that the native module binds straight to C++, by Paddle's own list."""
    from paddle.base.dygraph import generated_tensor_methods_patch as patch

    lost = {name for name, _ in (*patch.methods_map, *patch.nn_funcs_map)}
    # In place: a static graph has nothing to change in place.
    assert lost - set(FUNCTIONS) == {"index_put_"}


def test_paddle_is_as_it_was_afterwards(tmp_path: Path) -> None:
    import paddle._C_ops as native
    from paddle.base.framework import Variable

    def bound() -> list[int]:
        held = [native, paddle, paddle.tensor, F, paddle.tensor.math, Variable, paddle.Tensor]
        return [id(value) for holder in held for value in vars(holder).values()]

    before = bound()
    export_layer(paddle.nn.Sigmoid(), tmp_path / "model", ["x:float32:None,4"], layout="program")
    assert bound() == before
