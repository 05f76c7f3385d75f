"""Where the training side runs."""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid._mode import paddle_1x
from workbench.deploy.inference import Config
from workbench.deploy.notices import say_once
from workbench.errors import ConfigError


def cpu_place() -> Any:
    """The CPU."""
    return paddle_1x().CPUPlace()


def cuda_place(device_id: int = 0) -> Any:
    """A GPU; on a CPU build the CPU, which is said once.

    Raises:
        ConfigError: on a CPU build, after ``install(strict=True)``.
    """
    paddle = paddle_1x()
    if paddle.is_compiled_with_cuda():
        return paddle.CUDAPlace(device_id)
    text = "CUDAPlace was asked for, but Paddle here is a CPU build"
    if Config.default_strict:
        raise ConfigError(f"{text}: install paddlepaddle-gpu on a machine with a GPU, or use CPUPlace")
    say_once(f"{text}: it runs on the CPU")
    return paddle.CPUPlace()
