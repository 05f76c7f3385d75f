"""``fluid.layers``: the layers that the documents build their net from."""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid._mode import paddle_1x
from workbench.deploy.fluid._unknown import unknown
from workbench.errors import ConfigError


def fc(
    input: Any,  # noqa: A002
    size: int,
    num_flatten_dims: int = 1,
    param_attr: Any = None,
    bias_attr: Any = None,
    act: str | None = None,
    name: str | None = None,
) -> Any:
    """A fully connected layer of ``size`` units; dimensions from ``num_flatten_dims`` on are made one.

    Raises:
        ConfigError: for an unknown activation.
    """
    paddle = paddle_1x()
    if act is not None and not callable(getattr(paddle.nn.functional, str(act), None)):
        # Paddle adds an op of any name, and the program cannot run any more.
        raise ConfigError(f"act is {act!r}, which is no activation: give one such as 'relu' or 'softmax'")
    return paddle.static.nn.fc(
        input,
        size,
        num_flatten_dims=num_flatten_dims,
        weight_attr=param_attr,
        bias_attr=bias_attr,
        activation=act,
        name=name,
    )


def cross_entropy(input: Any, label: Any, soft_label: bool = False, ignore_index: int = -100) -> Any:  # noqa: A002
    """The cross entropy of probabilities (today's takes scores by default), one per row, of shape [N, 1]."""
    return paddle_1x().nn.functional.cross_entropy(
        input, label, soft_label=soft_label, ignore_index=ignore_index, reduction="none", use_softmax=False
    )


def mean(x: Any, name: str | None = None) -> Any:
    """The mean of all elements, of shape []; in 1.x it was [1]."""
    return paddle_1x().mean(x, name=name)


def __getattr__(name: str) -> Any:
    raise unknown(f"layers.{name}")
