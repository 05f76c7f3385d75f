"""``fluid.compiler``."""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid._mode import paddle_1x
from workbench.deploy.fluid._unknown import unknown


def __getattr__(name: str) -> Any:
    if name != "CompiledProgram":
        raise unknown(f"compiler.{name}")
    return paddle_1x().static.CompiledProgram
