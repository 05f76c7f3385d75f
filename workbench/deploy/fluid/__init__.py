"""The 1.x API: a script written for Paddle 1.x runs on today's Paddle and on the native execution core.

`install` makes ``import paddle.fluid`` and ``import fluid`` resolve to this package. Only what the
deployment documents of 1.x use is here; `names.NAMES` lists it all, with today's name for each. The inference
side runs in workers; the training side is Paddle's own, in this process, in static mode with Program IR as
1.x had it. It switches to that mode when first used, and `uninstall` switches back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.deploy.fluid import compiler, core, io, layers, unique_name
from workbench.deploy.fluid._install import install, uninstall
from workbench.deploy.fluid._mode import paddle_1x
from workbench.deploy.fluid._places import cpu_place as CPUPlace  # noqa: N812
from workbench.deploy.fluid._places import cuda_place as CUDAPlace  # noqa: N812
from workbench.deploy.fluid._unknown import unknown
from workbench.deploy.fluid.io import load

# Paddle's own classes, found when first looked up, so that importing this package does not import Paddle.
_CLASSES = {"DataFeeder": "base", "Executor": "static", "Program": "static"}

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


def data(name: str, shape: Sequence[int | None], dtype: str = "float32", lod_level: int = 0) -> Any:
    """An input of the program; None is an open size."""
    return paddle_1x().static.data(name, list(shape), dtype, lod_level)


def program_guard(main_program: Any, startup_program: Any = None) -> Any:
    """Within it layers go into these programs."""
    return paddle_1x().static.program_guard(main_program, startup_program)


def default_main_program() -> Any:
    """The program that layers go into."""
    return paddle_1x().static.default_main_program()


def default_startup_program() -> Any:
    """The program that gives the parameters their first values."""
    return paddle_1x().static.default_startup_program()


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise unknown(name)
    return getattr(getattr(paddle_1x(), _CLASSES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
