"""``fluid.unique_name``."""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid._mode import paddle_1x
from workbench.deploy.fluid._unknown import unknown


def guard(new_generator: Any = None) -> Any:
    """Within it names are counted from the beginning, so that a net built twice has the same ones."""
    return paddle_1x().utils.unique_name.guard(new_generator)


def __getattr__(name: str) -> Any:
    raise unknown(f"unique_name.{name}")
