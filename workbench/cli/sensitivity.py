"""``workbench sensitivity``: the ops that a lower precision harms, and the config that keeps them in fp32."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Literal

import click

from workbench.cli import output
from workbench.cli.options import (
    Tolerances,
    as_json,
    chart_option,
    check_file,
    config_options,
    input_option,
    model_argument,
    read_inputs,
    time_limit_option,
    tolerance_option,
)
from workbench.cli.tune import options_of
from workbench.config import InferenceConfig

DEFAULT = "bf16"


@click.command()
@model_argument
@click.option(
    "--method",
    type=click.Choice(["auto", "native", "simulated"]),
    default="auto",
    show_default=True,
    help="Ask Paddle for the precision; or run in fp32 and round what ops read and give; auto simulates "
    "where this machine does not have the precision.",
)
@click.option(
    "--by",
    type=click.Choice(["type", "op"]),
    default="type",
    show_default=True,
    help="Try all ops of a type together, or each op alone, which can only be simulated.",
)
@tolerance_option
@chart_option("the ranking")
@input_option
@config_options
@time_limit_option
@as_json
def sensitivity(
    model: str,
    method: Literal["auto", "native", "simulated"],
    by: Literal["type", "op"],
    tolerance: Tolerances | None,
    chart: str | None,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Find the ops that need fp32.

    The rest may run in a lower precision. --precision is the lower one: bf16, unless fp16 is asked for. Each
    type of op is tried alone in it, which is the ranking; then the smallest sets are searched that are too
    much for the tolerance, and what has to stay in fp32. --fp32-op names types that stay there anyway.
    """
    from workbench.models import load
    from workbench.verifying.sensitivity import sensitivity as take

    loaded = load(model)
    check_file(chart)
    with output.progress() as tell:
        found = take(
            loaded,
            config,
            DEFAULT if config.precision == "fp32" else config.precision,
            read_inputs(loaded, inputs),
            method=method,
            by=by,
            tolerance=tolerance,
            progress=tell,
            time_limit=time_limit,
        )
    output.notices(found.notices)
    if chart:
        from workbench.bench.charts import save_chart

        save_chart(found.chart(), chart)
    command = None
    if found.avoid is not None:
        command = f"workbench run {shlex.join([model, *options_of(found.avoid)])}"
    if json_:
        output.print_json({**found.facts(), "command": command})
        return
    click.echo(found.answer)
    head, rows = found.table()
    output.print_table("", head, rows, numbers=(1, 2, 3))
    for line in found.tail():
        click.echo(line)
    if command is not None:
        click.echo(f"to run it: {command}")
    if chart:
        click.echo(f"chart written to {chart}")
