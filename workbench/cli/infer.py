"""``workbench infer``: the inference program of the deployment documents, with the options of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli import output
from workbench.cli.options import (
    Command,
    as_json,
    check_file,
    config_options,
    time_limit_option,
)
from workbench.config import InferenceConfig

if TYPE_CHECKING:
    from workbench.deploy.pipeline.classifier import Prediction
    from workbench.models import Model


class DocumentedCommand(click.Command):
    """A command that takes its options as the documents spell them too.

    ``--use_gpu`` for ``--use-gpu``; and for the short ones ``-i=x.jpg`` and ``--i=x.jpg`` for ``-i x.jpg``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite the names of options; what is no option's name stays as it is."""
        known = {name for option in self.params for name in (*option.opts, *option.secondary_opts)}
        end = args.index("--") if "--" in args else len(args)
        spelled = [part for arg in args[:end] for part in _spelled(arg, known)]
        return super().parse_args(ctx, spelled + args[end:])


def _spelled(argument: str, known: set[str]) -> list[str]:
    name, equals, value = argument.partition("=")
    if name in known and name.startswith("--"):
        return [argument]
    dashed = name.replace("_", "-")
    short = f"-{name.lstrip('-')}"
    if name.startswith("--") and dashed in known:
        return [f"{dashed}{equals}{value}"]
    if name.startswith("-") and short in known:
        return [short, value] if equals else [short]
    return [argument]


def _numbers(context: click.Context, option: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """``0.485,0.456,0.406`` to numbers."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not numbers with commas between them, such as 0.485,0.456,0.406."
        ) from None


def _switch(*names: str, help_: str) -> Callable[[Command], Command]:
    """A switch as the documents use them: ``--use-gpu``, ``--use-gpu True`` and ``--use_gpu=1``."""
    return click.option(
        *names, type=click.BOOL, is_flag=False, flag_value="true", default=None, metavar="[BOOL]", help=help_
    )


_COUNT = click.IntRange(min=1)


@click.command(cls=DocumentedCommand)
@click.option("--model-dir", "-d", metavar="DIR", help="Folder of the model.")
@click.option("--model-file", "-m", metavar="FILE", help="The program, where it is not in --model-dir alone.")
@click.option("--params-file", "-p", metavar="FILE", help="The parameters that belong to --model-file.")
@click.option(
    "--img-path",
    "--image-file",
    "-i",
    "images",
    multiple=True,
    required=True,
    metavar="PATH",
    help="A picture, or a folder of them; may be repeated.",
)
@click.option(
    "--batch-size", "-b", type=_COUNT, default=1, show_default=True, metavar="N", help="Pictures at once."
)
@click.option(
    "--resize-size",
    type=_COUNT,
    metavar="N",
    help="Pixels of the shorter side before the crop; by default 256 for a crop of 224, in that proportion.",
)
@click.option(
    "--crop-size", type=_COUNT, metavar="N", help="Pixels of a side after it; by default the model's."
)
@click.option(
    "--mean",
    callback=_numbers,
    metavar="R,G,B",
    help="Subtracted, on the scale of 0 to 1; by default ImageNet's.",
)
@click.option("--std", callback=_numbers, metavar="R,G,B", help="Divided by, likewise.")
@click.option("--softmax", is_flag=True, help="Turn scores into probabilities.")
@click.option(
    "--top-k", type=_COUNT, default=1, show_default=True, metavar="N", help="Classes to give for a picture."
)
@click.option("--label-file", metavar="FILE", help="Names of the classes, one per line, or `ID NAME` lines.")
@click.option("--strict", is_flag=True, help="Stop where not all that is asked for is given.")
@_switch("--benchmark", "--enable-benchmark", help_="Print the inference log too.")
@click.option(
    "--warmup",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Run the first batch this many times before, which the log leaves out.",
)
@click.option("--log-file", type=click.Path(dir_okay=False), help="Write the log to this file too.")
@click.option("--model-name", metavar="NAME", help="What the log calls the model.")
@_switch("--use-gpu", help_="Run on a GPU; the same as --device gpu.")
@click.option("--gpu-mem", type=int, metavar="MB", help="The same as --gpu-memory-mb.")
@_switch("--use-tensorrt", help_="The same as --trt.")
@_switch("--use-mkldnn", help_="The same as --onednn.")
@click.option("--cpu-threads", type=int, metavar="N", help="The same as --threads.")
@_switch("--ir-optim", help_="Graph optimization on or off.")
@config_options
@time_limit_option
@as_json
def infer(
    config: InferenceConfig,
    images: Sequence[str],
    model_dir: str | None,
    model_file: str | None,
    params_file: str | None,
    batch_size: int,
    resize_size: int | None,
    crop_size: int | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    softmax: bool,
    top_k: int,
    label_file: str | None,
    strict: bool,
    benchmark: bool | None,
    warmup: int,
    log_file: str | None,
    model_name: str | None,
    time_limit: float | None,
    json_: bool,
    **documented: Any,
) -> None:
    """Say what pictures show.

    Every picture is resized, cropped in the middle, normalized and run. Options are understood with
    underscores too, and switches as --use-gpu, --use-gpu True and --use_gpu=1.
    """
    from workbench.deploy.pipeline.classifier import ImageClassifier
    from workbench.deploy.pipeline.images import find_images
    from workbench.deploy.runlog import AutoLogger

    if not benchmark and (warmup or log_file):
        raise click.UsageError(f"{'--warmup' if warmup else '--log-file'} needs --benchmark.")
    model = _load(model_dir, model_file, params_file)
    if log_file is not None:
        check_file(log_file)
    with ImageClassifier(
        model,
        _config(config, documented, batch_size),
        resize_size=resize_size,
        crop_size=crop_size,
        mean=mean,
        std=std,
        softmax=softmax,
        strict=strict,
        time_limit=time_limit,
    ) as classifier:
        pictures = find_images(images)
        # A model with a batch of its own has the last one filled up; otherwise that may be smaller.
        open_batch = classifier.model.inputs[0].shape[0] == -1
        if open_batch:
            batch_size = min(batch_size, len(pictures))
        log = None
        if benchmark:
            log = AutoLogger(
                model_name or model.name,
                batch_size=batch_size,
                data_shape="dynamic"
                if open_batch and len(pictures) % batch_size
                else [batch_size, *classifier.data_shape],
                save_path=log_file,
                inference_config=classifier,
                gpu_ids="auto",
                warmup=warmup,
            )
        predictions = classifier.classify(images, top_k, batch_size, label_file, log=log, warmup=warmup)
        output.notices(classifier.notices)
        if json_:
            output.print_json(
                {
                    "predictions": [_facts(prediction) for prediction in predictions],
                    "asked": classifier.session.asked,
                    "given": dict(classifier.session.given),
                    "notices": list(classifier.notices),
                    "log": None if log is None else log.facts(),
                }
            )
        else:
            _print(predictions)
        if log is not None:
            log.report(echo=not json_)


def _load(model_dir: str | None, model_file: str | None, params_file: str | None) -> Model:
    from workbench.models import load

    if model_file is not None:
        return load(_inside(model_dir, model_file), params_file and _inside(model_dir, params_file))
    if params_file is not None:
        raise click.UsageError("--params-file needs --model-file, the program it belongs to.")
    if model_dir is None:
        raise click.UsageError("No model: give --model-dir DIR, or --model-file FILE.")
    return load(model_dir)


def _inside(folder: str | None, file: str) -> str:
    """A file as it is given, or else its name in the folder that is given too."""
    if folder is None or Path(file).exists():
        return file
    return str(Path(folder) / file)


def _config(config: InferenceConfig, documented: dict[str, Any], batch_size: int) -> InferenceConfig:
    """The config with what the documents' options, where they are given, say in its place."""
    use_gpu = documented["use_gpu"]
    named = {
        "device": None if use_gpu is None else "gpu" if use_gpu else "cpu",
        "gpu_memory_mb": documented["gpu_mem"],
        "trt": documented["use_tensorrt"],
        "onednn": documented["use_mkldnn"],
        "threads": documented["cpu_threads"],
        "ir_optim": documented["ir_optim"],
        # An engine built for fewer would refuse the batch.
        "trt_max_batch_size": max(batch_size, config.trt_max_batch_size),
    }
    return config.replace(**{name: value for name, value in named.items() if value is not None})


def _facts(prediction: Prediction) -> dict[str, Any]:
    classes = [{"class_id": one.class_id, "prob": one.prob, "label": one.label} for one in prediction.classes]
    return {"image_name": prediction.image_name, **classes[0], "top": classes}


def _print(predictions: Sequence[Prediction]) -> None:
    for prediction in predictions:
        for one in prediction.classes:
            label = "" if one.label is None else f", label: {one.label}"
            click.echo(
                f"image_name: {prediction.image_name}, class_id: {one.class_id}, prob: {one.prob}{label}"
            )
