"""``workbench reduce``: the smallest part of a model that still fails, ready to be sent upstream."""

from __future__ import annotations

from collections.abc import Sequence

import click

from workbench.cli import output
from workbench.cli.options import (
    Tolerances,
    as_json,
    config_options,
    input_option,
    model_argument,
    read_inputs,
    time_limit_option,
    tolerance_option,
)
from workbench.config import InferenceConfig


@click.command()
@model_argument
@click.option(
    "--check",
    type=click.Choice(["output", "crash"]),
    default="output",
    show_default=True,
    help="What fails: outputs differ from those without optimization, or Paddle fails or dies.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write what is to be sent into this folder, new or empty; by default in a cache.",
)
@click.option(
    "--pass",
    "passes",
    multiple=True,
    metavar="NAME",
    help="A guilty pass, for the report; may be repeated. Switching it off should avoid the fault.",
)
@tolerance_option
@input_option
@config_options
@time_limit_option
@as_json
def reduce(
    model: str,
    check: str,
    folder: str | None,
    passes: Sequence[str],
    tolerance: Tolerances | None,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Cut a model down to the part that fails.

    It is the smallest that still fails in the same way.

    The folder then holds that part with its inputs and outputs, a script that reproduces the fault with plain
    Paddle, the text of an issue, and all of it as a zip. What was tried is kept until then: the same command
    continues after an interruption.
    """
    from workbench.models import load
    from workbench.verifying.reduction import reduce as take

    if tolerance is not None and check != "output":
        raise click.UsageError("--tolerance needs --check output.")
    loaded = load(model)
    with output.progress() as tell:
        found = take(
            loaded,
            config,
            "crash" if check == "crash" else "output",
            read_inputs(loaded, inputs),
            passes=passes,
            tolerance=tolerance,
            folder=folder,
            progress=tell,
            time_limit=time_limit,
        )
    output.notices(found.notices)
    if json_:
        output.print_json(found.facts())
        return
    click.echo(str(found))
    for name in found.files:
        click.echo(f"  {name}")
