"""``fluid.compiler``."""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid._mode import paddle_1x


def __getattr__(name: str) -> Any:
    if name != "CompiledProgram":
        raise AttributeError(f"fluid.compiler.{name} is not one of the 1.x names kept here")
    return paddle_1x().static.CompiledProgram
