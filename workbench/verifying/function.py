"""A function of the user's own as a check, the same for all that takes one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from workbench.core import Session
from workbench.errors import ConfigError

# It takes a session, whose predictor is created, and the arrays that the model runs on, by name; it returns
# something true if all is well.
Function = Callable[[Session, Mapping[str, npt.NDArray[Any]]], object]


def check_function(function: Callable[..., object]) -> None:
    """Refuse a function that cannot be called so: every config would fail by that alone.

    Raises:
        ConfigError: if it cannot be.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # of some that are not written in Python it is not known
    try:
        signature.bind(None, None)
    except TypeError:
        name = getattr(function, "__name__", type(function).__name__)
        raise ConfigError(
            f"the check {name}{signature} does not take two arguments: give one of the session and inputs, "
            "such as lambda session, inputs: …"
        ) from None
