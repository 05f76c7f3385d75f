"""CONFIG: the same set of options for every command that runs a model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from workbench.config import InferenceConfig

Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True, help="Where to run."
    ),
    click.option("--device-id", type=int, default=0, show_default=True, metavar="N", help="Which GPU."),
    click.option(
        "--gpu-memory-mb",
        type=int,
        default=100,
        show_default=True,
        metavar="MB",
        help="Memory pool reserved at the start on a GPU.",
    ),
    click.option("--trt", is_flag=True, help="TensorRT subgraphs; needs --device gpu."),
    click.option(
        "--precision",
        type=click.Choice(["fp32", "fp16", "bf16", "int8"]),
        default="fp32",
        show_default=True,
        help="Arithmetic to run in.",
    ),
    click.option(
        "--threads",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Threads of the CPU math library.",
    ),
    click.option(
        "--onednn/--no-onednn",
        default=None,
        help="oneDNN on or off; by default as this release of Paddle has it.",
    ),
    click.option("--no-ir-optim", is_flag=True, help="Graph optimization off, as far as Paddle lets it."),
    click.option(
        "--disable-pass",
        "disabled",
        multiple=True,
        metavar="NAME",
        help="Switch this pass off, by the name `workbench trace` shows; may be repeated.",
    ),
    click.option(
        "--enable-pass",
        "enabled",
        multiple=True,
        metavar="NAME",
        help="Add this pass, by the name Paddle registers it under; may be repeated.",
    ),
    click.option("--memory-optim", is_flag=True, help="Reuse memory between tensors."),
    click.option(
        "--runtime",
        default="default",
        show_default=True,
        metavar="NAME",
        help="A runtime's name, or the path of a python that has Paddle.",
    ),
)


def config_options(command: Command) -> Command:
    """Give a command the options of CONFIG, and one argument ``config`` made of them."""

    @functools.wraps(command)
    def wrapped(**given: Any) -> Any:
        config = InferenceConfig(
            device=given.pop("device"),
            device_id=given.pop("device_id"),
            gpu_memory_mb=given.pop("gpu_memory_mb"),
            trt=given.pop("trt"),
            precision=given.pop("precision"),
            threads=given.pop("threads"),
            onednn=given.pop("onednn"),
            ir_optim=not given.pop("no_ir_optim"),
            disabled_passes=given.pop("disabled"),
            enabled_passes=given.pop("enabled"),
            memory_optim=given.pop("memory_optim"),
            runtime=given.pop("runtime"),
        )
        return command(config=config, **given)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
