"""``fluid.unique_name``."""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid._mode import paddle_1x


def guard(new_generator: Any = None) -> Any:
    """Within it names are counted from the beginning, so that a net built twice has the same ones."""
    return paddle_1x().utils.unique_name.guard(new_generator)
