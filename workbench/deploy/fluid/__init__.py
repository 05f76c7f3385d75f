"""The 1.x API: a script written for Paddle 1.x runs on today's Paddle and on the native execution core.

`install` makes ``import paddle.fluid`` and ``import fluid`` resolve to this package. Only what the
deployment documents of 1.x use is here; `names.NAMES` lists it all, with today's name for each. The inference
side runs in workers; the training side is Paddle's own, in this process, in static mode with Program IR as
1.x had it. It switches to that mode when first used, and `uninstall` switches back.
"""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid import compiler, core, io, layers, unique_name
from workbench.deploy.fluid._install import install, uninstall
from workbench.deploy.fluid._mode import paddle_1x
from workbench.deploy.fluid._places import cpu_place as CPUPlace  # noqa: N812
from workbench.deploy.fluid._places import cuda_place as CUDAPlace  # noqa: N812
from workbench.deploy.fluid._unknown import unknown
from workbench.deploy.fluid.io import load

# Paddle's own, found when first used, so that importing this package does not import Paddle.
_FROM_PADDLE = {
    "DataFeeder": "base.DataFeeder",
    "Executor": "static.Executor",
    "Program": "static.Program",
    "default_main_program": "static.default_main_program",
    "default_startup_program": "static.default_startup_program",
    "data": "static.data",
    "program_guard": "static.program_guard",
}

__all__ = [
    "CPUPlace",
    "CUDAPlace",
    "DataFeeder",
    "Executor",
    "Program",
    "compiler",
    "core",
    "data",
    "default_main_program",
    "default_startup_program",
    "install",
    "io",
    "layers",
    "load",
    "program_guard",
    "uninstall",
    "unique_name",
]


def __getattr__(name: str) -> Any:
    if name not in _FROM_PADDLE:
        raise unknown(name)
    found: Any = paddle_1x()
    for part in _FROM_PADDLE[name].split("."):
        found = getattr(found, part)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
