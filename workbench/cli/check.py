"""``workbench check``: the three checkpoints of a deployment."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from workbench.cli import output
from workbench.cli.options import (
    as_json,
    check_folder,
    config_options,
    input_option,
    model_argument,
    read_inputs,
)
from workbench.config import InferenceConfig

if TYPE_CHECKING:
    from workbench.deploy.checkpoints import Result

FAILED = 1


@click.command()
@model_argument
@input_option
@click.option(
    "--img-path", metavar="IMAGE", help="A picture in place of inputs: class and probability are compared."
)
@click.option("--softmax", is_flag=True, help="With --img-path: turn scores into probabilities.")
@click.option(
    "--training", metavar="FILE.npy", help="The training engine's result, in place of running it here."
)
@click.option(
    "--inference", metavar="FILE.npy", help="The inference engine's result, to be compared with --training."
)
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    default=1e-5,
    show_default=True,
    metavar="X",
    help="Largest mean difference of a result, relative to its magnitude where that is above 1.",
)
@click.option("--log", metavar="FILE", help="The inference log to check; without, one is made.")
@click.option(
    "-o",
    "--output",
    "directory",
    type=click.Path(file_okay=False),
    help="Write both results into this folder, as files of the reprod_log package.",
)
@config_options
@as_json
def check(
    model: str,
    inputs: Sequence[str],
    img_path: str | None,
    softmax: bool,
    training: str | None,
    inference: str | None,
    threshold: float,
    log: str | None,
    directory: str | None,
    config: InferenceConfig,
    json_: bool,
) -> None:
    """Check a deployment at its three points.

    The model is prepared: its files are there and fit together. The result is verified: the training engine
    and the inference engine give the same. The log is added: it has all its fields. Exit code 1 if one fails.
    """
    from workbench.deploy import checkpoints
    from workbench.models import Model

    if math.isnan(threshold):
        raise click.UsageError("--threshold is no number: give one from 0.")
    if img_path is not None and inputs:
        raise click.UsageError("--img-path and --input are two ways to say the same: give one.")
    if softmax and img_path is None:
        raise click.UsageError("--softmax needs --img-path.")
    if inference is not None and training is None:
        raise click.UsageError("--inference needs --training, what it is compared with.")
    check_folder(directory)
    result: Result | None = None

    def prepare(found: Model) -> Mapping[str, Any]:
        nonlocal result
        if img_path is None:
            return read_inputs(found, inputs)
        picture, result_of_picture = _picture(found, img_path, softmax)
        result = result_of_picture
        return picture

    def compared(outputs: dict[str, Any]) -> dict[str, Any]:
        return outputs if result is None else result(outputs)

    found = checkpoints.check(
        model,
        prepare,
        config,
        directory=directory,
        threshold=threshold,
        training=training,
        log=log,
        result=compared,
    )
    if inference is not None and training is not None:
        found = (found[0], checkpoints.check_results(training, inference, threshold), found[2])
    if json_:
        output.print_json({"model": model, "checkpoints": [one.facts() for one in found]})
    else:
        for number, one in enumerate(found, 1):
            click.echo(f"{'pass' if one.passed else 'FAIL'}  {number}. {one.name}: {one.reason}")
            for line in one.details:
                click.echo(f"         {line}")
    if not all(one.passed for one in found):
        sys.exit(FAILED)


def _picture(model: Any, path: str, softmax: bool) -> tuple[Mapping[str, Any], Result]:
    """The input that a picture becomes, and what makes a class and its probability of outputs."""
    import numpy as np

    from workbench.deploy.pipeline.classifier import ImageClassifier

    with ImageClassifier(model, softmax=softmax) as classifier:
        array = classifier.preprocess(path)

    def result(outputs: dict[str, Any]) -> dict[str, Any]:
        class_id, prob = classifier.postprocess(next(iter(outputs.values())))
        return {"class_id": np.array([class_id]), "prob": np.array([prob])}

    return {model.inputs[0].name: array}, result
