"""Options that several commands share; among them CONFIG, for every command that runs a model."""

from __future__ import annotations

import functools
import math
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from workbench.config import InferenceConfig
from workbench.errors import InputError, WorkbenchError

Command = Callable[..., Any]
Tolerances = dict[str, tuple[float, float]]

as_json = click.option("--json", "json_", is_flag=True, help="Print one JSON document and nothing else.")
model_argument = click.argument("model", metavar="MODEL")


def seconds(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """Check a number of seconds, as a callback of an option."""
    if value is not None and not 0 < value < math.inf:
        raise click.BadParameter(f"{value} is not a number of seconds above 0.")
    return value


def sizes(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Read a list of numbers, as a callback of an option."""
    if value is None:
        return None
    try:
        found = tuple(int(part) for part in value.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1 or len(set(found)) < len(found):
        raise click.BadParameter(f"{value} is no list of different numbers above 0, such as 1,2,4.")
    return found


def seconds_option(default: float, words: str) -> Callable[[Command], Command]:
    """The option ``--seconds`` of a command that measures.

    Args:
        default: in seconds.
        words: what takes this long, for the help text.
    """
    return click.option(
        "--seconds",
        type=float,
        default=default,
        show_default=True,
        metavar="SECONDS",
        callback=seconds,
        help=words,
    )


def _tolerances(context: click.Context, option: click.Parameter, given: Sequence[str]) -> Tolerances | None:
    if not given:
        return None
    found = dict(_tolerance(text) for text in given)
    if len(found) < len(given):
        raise InputError("a tolerance is given twice for the same: give --tolerance once for each output")
    return found


def _tolerance(text: str) -> tuple[str, tuple[float, float]]:
    from workbench.verifying.tolerance import ALL

    # A name may hold an equals sign, and a number does not.
    name, _, numbers = text.rpartition("=")
    try:
        atol, *rest = (float(part) for part in numbers.split(","))
        rtol = rest[0] if rest else 0.0
        if len(rest) > 1:
            raise ValueError
    except ValueError:
        raise InputError(
            f"--tolerance {text!r} is not [NAME=]ATOL[,RTOL]: write for example 1e-4 or logits=1e-3,1e-2"
        ) from None
    return name or ALL, (atol, rtol)


tolerance_option = click.option(
    "--tolerance",
    multiple=True,
    metavar="[NAME=]ATOL[,RTOL]",
    callback=_tolerances,
    help="What counts as the same: |given − expected| up to ATOL + RTOL · |expected|, for the output NAME or "
    "for all others; may be repeated. Default: by dtype and magnitude.",
)


def chart_option(words: str) -> Callable[[Command], Command]:
    """The option ``--chart``.

    Args:
        words: what is drawn, for the help text.
    """
    return click.option(
        "--chart",
        type=click.Path(dir_okay=False),
        metavar="FILE.html",
        help=f"Write {words} to this .html, .png or .svg.",
    )


folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Keep what is finished here, and continue from there; by default in a cache.",
)
vs_option = click.option(
    "--vs",
    multiple=True,
    metavar="CONFIG",
    help="Compare with this: changes to the options below, such as onednn=off,threads=2; may be repeated.",
)
no_history_option = click.option(
    "--no-history", is_flag=True, help="Do not record it for `workbench history`."
)
time_limit_option = click.option(
    "--time-limit",
    type=float,
    metavar="SECONDS",
    callback=seconds,
    help="Stop any one native call that takes longer.",
)
input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=FILE.npy",
    help="An array for an input; needed for all or none. Without, the first row of the inputs.npz beside a "
    "sample, else random ones.",
)

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
        "--trt-workspace-size",
        type=int,
        default=1 << 30,
        show_default=True,
        metavar="BYTES",
        help="Memory TensorRT may use.",
    ),
    click.option(
        "--trt-max-batch-size",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Largest batch of a TensorRT engine.",
    ),
    click.option(
        "--trt-min-subgraph-size",
        type=int,
        default=3,
        show_default=True,
        metavar="N",
        help="Subgraphs of fewer ops stay with Paddle.",
    ),
    click.option("--trt-use-static", is_flag=True, help="Keep the TensorRT engine on disk."),
    click.option("--no-trt-calib-mode", is_flag=True, help="No calibration for int8 in TensorRT."),
    click.option(
        "--precision",
        type=click.Choice(["fp32", "fp16", "bf16", "int8"]),
        default="fp32",
        show_default=True,
        help="Arithmetic to run in.",
    ),
    click.option(
        "--fp32-op",
        "fp32_ops",
        multiple=True,
        metavar="NAME",
        help="Keep ops of this type, such as softmax, in fp32 where --precision is lower; may be repeated.",
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
            trt_workspace_size=given.pop("trt_workspace_size"),
            trt_max_batch_size=given.pop("trt_max_batch_size"),
            trt_min_subgraph_size=given.pop("trt_min_subgraph_size"),
            trt_use_static=given.pop("trt_use_static"),
            trt_use_calib_mode=not given.pop("no_trt_calib_mode"),
            precision=given.pop("precision"),
            fp32_ops=given.pop("fp32_ops"),
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


def configs_of(config: InferenceConfig, vs: Sequence[str]) -> tuple[list[InferenceConfig], list[str]]:
    """CONFIG and those of ``--vs``, and their labels.

    Raises:
        ConfigError: as `InferenceConfig.parse`.
    """
    configs = [config, *(InferenceConfig.parse(text, config) for text in vs)]
    labels = [text if text.strip() else one.label for text, one in zip(["", *vs], configs, strict=True)]
    return configs, labels


def read_inputs(model: Any, given: Sequence[str]) -> dict[str, Any]:
    """Arrays from ``NAME=FILE.npy``, else the sample's own beside the model, else random ones."""
    from workbench.bench import random_inputs
    from workbench.models import sample_inputs

    if given:
        arrays = dict(_input(text) for text in given)
        if len(arrays) < len(given):
            raise InputError("an input is given twice: give --input once for each")
        return arrays
    folder = model.model_dir or (model.model_file.parent if model.model_file else None)
    if folder is not None and (folder / "inputs.npz").exists():
        return {name: array[:1] for name, array in sample_inputs(folder).items()}
    return random_inputs(model)


def _input(text: str) -> tuple[str, Any]:
    import numpy as np

    name, equals, file = text.partition("=")
    if not equals or not name or not file:
        raise InputError(f"{text!r} is not NAME=FILE.npy: write for example --input image=image.npy")
    try:
        data = np.load(file, allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}; give an .npy file") from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{file} is not an .npy file of numbers: write it with numpy.save") from None
    if not isinstance(data, np.ndarray):
        raise InputError(f"{file} holds several arrays: give one .npy per input")
    return name, data


def check_file(file: str | None) -> None:
    """A place that cannot be written to is said before the work, not after it."""
    if file is None:
        return
    existed = os.path.lexists(file)
    try:
        Path(file).open("ab").close()
        if not existed:
            Path(file).unlink()
    except OSError as error:
        raise WorkbenchError(f"cannot write {file}: {error.strerror}; choose another place") from None


def check_folder(folder: str | None) -> None:
    """The same for a folder, which is made."""
    if folder is None:
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {folder}: {error.strerror}; choose a folder you can write to"
        ) from None
