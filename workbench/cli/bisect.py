"""``workbench bisect``: the passes that make a check fail, and the config that avoids it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from workbench.cli import output
from workbench.cli.options import (
    Tolerances,
    as_json,
    check_folder,
    config_options,
    folder_option,
    input_option,
    model_argument,
    read_inputs,
    seconds_option,
    time_limit_option,
    tolerance_option,
)
from workbench.cli.tune import options_of
from workbench.config import InferenceConfig

if TYPE_CHECKING:
    from workbench.verifying.bisection import Bisection

# Characters of what a check says, in the table.
SHOWN = 100
_FIELDS = {"fp32_ops": "fp32_op", "disabled_passes": "disable_pass", "enabled_passes": "enable_pass"}


@click.command()
@model_argument
@click.option(
    "--check",
    type=click.Choice(["output", "crash", "latency"]),
    default="output",
    show_default=True,
    help="What fails: outputs differ from those with every pass and oneDNN off; the predictor is refused, "
    "dies or hangs; it is slower than with all passes off.",
)
@click.option(
    "--factor",
    type=click.FloatRange(min=1),
    default=1.1,
    show_default=True,
    metavar="X",
    help="For --check latency: so much slower is too slow.",
)
@tolerance_option
@seconds_option(2.0, "For --check latency: steady-state measurement per config, at most.")
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Runs of one config at most, where the fault is flaky.",
)
@folder_option
@input_option
@config_options
@time_limit_option
@as_json
def bisect(
    model: str,
    check: Literal["output", "crash", "latency"],
    factor: float,
    tolerance: Tolerances | None,
    seconds: float,
    repeats: int,
    folder: str | None,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Find the passes that make a check fail.

    Passes are switched off by delta debugging until the smallest set is left that makes the check fail, each
    config in a process of its own. --time-limit is for a whole probe: by default 60 seconds, or five times
    what CONFIG took. What was tried is kept: the same command continues after an interruption.
    """
    from workbench.models import load
    from workbench.verifying.bisection import bisect as take

    loaded = load(model)
    check_folder(folder)
    with output.progress() as tell:
        found = take(
            loaded,
            config,
            check,
            read_inputs(loaded, inputs),
            tolerance=tolerance,
            factor=factor,
            seconds=seconds,
            repeats=repeats,
            folder=folder,
            progress=tell,
            time_limit=time_limit,
        )
    output.notices(found.notices)
    if json_:
        avoid = None if found.avoid is None else as_text(found.avoid)
        output.print_json({**found.facts(), "avoid": avoid, "command": _command(found, model)})
        return
    _print(found, model)


def as_text(config: InferenceConfig) -> str:
    """A config as ``--vs`` takes it, such as ``onednn=off,disable_pass=NAME``; "" for the default config."""
    parts = []
    for name, (_, value) in InferenceConfig().differences(config).items():
        if name in _FIELDS:
            parts += [f"{_FIELDS[name]}={one}" for one in value]
        elif isinstance(value, bool):
            parts.append(f"{name}={'on' if value else 'off'}")
        else:
            parts.append(f"{name}={value}")
    return ",".join(parts)


def _command(found: Bisection, model: str) -> str | None:
    """The command line that runs the model with the config that avoids the fault."""
    if found.avoid is None:
        return None
    return f"workbench run {shlex.join([model, *options_of(found.avoid)])}"


def _print(found: Bisection, model: str) -> None:
    output.print_table(
        "",
        ("probe", "passes on", "runs", "", "what the check says"),
        [
            (
                probe["probe"],
                f"{probe['on']} of {len(found.probes[0].on)}",
                probe["runs"],
                probe["verdict"] + (f" {probe['failed']} times" if probe["failed"] > 1 else ""),
                _short(probe["words"]),
            )
            for probe in found.facts()["probes"]
        ],
        numbers=(0, 1, 2),
    )
    click.echo("")
    click.echo(str(found))
    command = _command(found, model)
    if command is not None:
        click.echo(f"to run it: {command}")


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
