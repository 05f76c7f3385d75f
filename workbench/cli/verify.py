"""``workbench verify``: does a config give what it should?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from workbench.cli import output
from workbench.cli.options import as_json, config_options, model_argument, read_inputs, time_limit_option
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
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="[NAME=]ATOL[,RTOL]",
    help="What counts as the same: |given − expected| up to ATOL + RTOL · |expected|, for the output NAME or "
    "for all others; may be repeated. Default: by dtype and magnitude.",
)
@click.option(
    "--top-k",
    "top_k",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="K",
    help="Count the rows in which both have the same K largest; may be repeated.",
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
    tolerances: Sequence[str],
    top_k: Sequence[int],
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
            tolerance=_tolerances(tolerances),
            top_k=tuple(dict.fromkeys(top_k)),
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


def _tolerances(given: Sequence[str]) -> dict[str, tuple[float, float]] | None:
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
