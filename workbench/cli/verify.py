"""``workbench verify``: does a config give what it should?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from workbench.cli import output
from workbench.cli.options import (
    Tolerances,
    as_json,
    config_options,
    model_argument,
    read_inputs,
    time_limit_option,
    tolerance_option,
)
from workbench.config import InferenceConfig
from workbench.errors import InputError

FAILED = 1


@click.command()
@model_argument
@click.option(
    "--against",
    default="training",
    show_default=True,
    metavar="WHAT",
    help="What is expected: training, the training engine; KEY=VALUE,…, changes to the options below, such "
    "as onednn=off or runtime=NAME; another MODEL; or saved outputs, FILE.npz or a folder of those, one per "
    "batch.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=FILE.npy",
    help="An array for an input; needed for all or none. Or FILE.npz with all of them, or a folder of those, "
    "one per batch. Without, the first row of the inputs.npz beside a sample, else random ones.",
)
@click.option(
    "--batches",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many batches of random inputs; with --input, at most so many.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="Random inputs, of this seed. Default: 0."
)
@tolerance_option
@click.option(
    "--top-k",
    "top_k",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="K",
    help="Count the rows in which both have the same K largest; may be repeated.",
)
@click.option(
    "--first-divergence", is_flag=True, help="If they differ, look for the first op inside that does."
)
@config_options
@time_limit_option
@as_json
def verify(
    model: str,
    against: str,
    inputs: Sequence[str],
    batches: int | None,
    seed: int | None,
    tolerance: Tolerances | None,
    top_k: Sequence[int],
    first_divergence: bool,
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Compare outputs with what is expected.

    The model runs under CONFIG and in what --against names, on the same inputs. Exit code 1 if an output is
    not the same within its tolerance.
    """
    from workbench.models import load
    from workbench.verifying.outputs import verify as compare

    loaded = load(model)
    if inputs and seed is not None:
        raise InputError("--seed is for random inputs: leave it out, or --input")
    with output.progress() as tell:
        found = compare(
            loaded,
            config,
            against,
            _inputs(loaded, inputs, random=batches is not None or seed is not None),
            batches=batches,
            seed=seed or 0,
            tolerance=tolerance,
            top_k=tuple(dict.fromkeys(top_k)),
            where=first_divergence,
            progress=tell,
            time_limit=time_limit,
        )
    output.notices(found.notices)
    if json_:
        output.print_json(found.facts())
    else:
        head, rows = found.table()
        click.echo(found.summary)
        output.print_table("", head, rows, numbers=range(2, len(head) - 2))
        for line in found.remarks():
            click.echo(line)
        if found.first_divergence is not None:
            click.echo(str(found.first_divergence))
    if not found.passed:
        sys.exit(FAILED)


def _inputs(model: Any, given: Sequence[str], *, random: bool) -> Any:
    """What `Batches` takes, of the texts of --input."""
    paths = [text for text in given if "=" not in text or Path(text).exists()]
    if paths and len(given) > 1:
        raise InputError(
            f"--input {paths[0]} has every input of the model: give it alone, or NAME=FILE.npy for each"
        )
    if paths:
        return paths[0]
    return None if random and not given else read_inputs(model, given)
