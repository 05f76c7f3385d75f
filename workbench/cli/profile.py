"""``workbench profile``: what each op of the final graph takes."""

from __future__ import annotations

from collections.abc import Sequence

import click

from workbench.cli import output
from workbench.cli.options import (
    as_json,
    config_options,
    input_option,
    model_argument,
    no_history_option,
    read_inputs,
    seconds_option,
    time_limit_option,
)
from workbench.config import InferenceConfig
from workbench.errors import HistoryWarning


@click.command()
@model_argument
@seconds_option(3.0, "How long to measure.")
@click.option(
    "--by",
    type=click.Choice(["op", "type", "layer"]),
    default="op",
    show_default=True,
    help="What to add up.",
)
@no_history_option
@input_option
@config_options
@time_limit_option
@as_json
def profile(
    model: str,
    seconds: float,
    by: str,
    no_history: bool,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Measure what each op of the final graph takes.

    Runs with and without the profiler take turns: what it adds to a run is taken off, and the sum over ops is
    set against the latency without it. Shares are of that latency. With --json, ops are always given; what
    --by adds up is given as groups.
    """
    from workbench.bench import profile as measure
    from workbench.models import load

    loaded = load(model)
    with output.progress() as tell, output.warnings_as_notices(HistoryWarning):
        found = measure(
            loaded,
            config,
            read_inputs(loaded, inputs),
            seconds=seconds,
            progress=tell,
            time_limit=time_limit,
            record=not no_history,
        )
    groups = None if by == "op" else found.by_type() if by == "type" else found.by_layer()
    output.notices(found.notices)
    if json_:
        facts = found.facts()
        if groups is not None:
            facts["groups"] = [group.facts() for group in groups]
        output.print_json(facts)
        return
    if groups is None:
        head: tuple[str, ...] = ("op", "type", "calls", "ms", "share", "layer")
        rows: list[tuple[object, ...]] = [
            (one.text, one.type, one.calls, f"{one.ms:.4f}", f"{one.share:.1%}", one.layer)
            for one in found.ops
        ]
        numbers: tuple[int, ...] = (2, 3, 4)
    else:
        head = (by, "ops", "calls", "ms", "share")
        rows = [
            (group.name or "(unknown)", group.ops, group.calls, f"{group.ms:.4f}", f"{group.share:.1%}")
            for group in groups
        ]
        numbers = (1, 2, 3, 4)
    output.print_table("", head, rows, numbers=numbers)
    for remark in found.remarks:
        click.echo(remark)
