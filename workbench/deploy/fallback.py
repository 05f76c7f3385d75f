"""What can be had of what is asked for, where a script need not stop."""

from __future__ import annotations

from workbench.config import InferenceConfig
from workbench.core import warm


def has_gpu_build(config: InferenceConfig) -> bool:
    """Whether the Paddle of the config's runtime is built for GPUs."""
    return bool(warm(config.runtime).about["gpu_build"])


def without_tensorrt(config: InferenceConfig) -> tuple[InferenceConfig, tuple[str, ...]]:
    """The config without TensorRT where its runtime cannot have it, and what to say about that.

    Paddle itself refuses TensorRT on a CPU build, while it runs on the CPU for want of a GPU.
    """
    if not config.trt or has_gpu_build(config):
        return config, ()
    said = "TensorRT was asked for, but this runtime's Paddle is a CPU build: it runs without TensorRT"
    return config.replace(trt=False, precision="fp32"), (said,)
