"""``workbench codegen``: deployment programs in other languages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli import output
from workbench.cli.options import as_json, check_file, config_options, model_argument
from workbench.config import InferenceConfig
from workbench.errors import InputError, WorkbenchError

if TYPE_CHECKING:
    from workbench.deploy.codegen import Program
    from workbench.models import Model

_LANGUAGES = ("python", "cpp", "c", "go", "r", "lite")


@click.command()
@model_argument
@click.option(
    "--lang", "language", type=click.Choice(_LANGUAGES), required=True, help="Language to write in."
)
@click.option(
    "-o", "--output", "file", type=click.Path(dir_okay=False), help="Write the program to this file."
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=1x3x224x224",
    help="Shape to feed an input, where nothing else is said when it runs; an open dimension is 1 without.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="What Paddle-Lite is to run on, such as arm, x86 or opencl; may be repeated. Default: arm.",
)
@config_options
@as_json
def codegen(
    model: str,
    language: str,
    file: str | None,
    shapes: Sequence[str],
    targets: Sequence[str],
    config: InferenceConfig,
    json_: bool,
) -> None:
    """Write a deployment program.

    It makes the same native calls as `workbench run` with these options: a whole program in Python, C++, C,
    Go or R for the inference API of the runtime's Paddle, or with `--lang lite` the command line of
    Paddle-Lite's converter. It is printed, unless -o names a file.
    """
    from workbench.deploy.codegen import CHECKED
    from workbench.models import load

    loaded = load(model)
    check_file(file)
    program = _write(loaded, language, shapes, targets, config)
    if file:
        try:
            Path(file).write_text(program.text, encoding="utf-8")
        except OSError as error:
            raise WorkbenchError(f"cannot write {file}: {error.strerror}; choose another place") from None
    output.notices((*program.missing, *program.notices))
    if json_:
        output.print_json(
            {
                "language": program.language,
                "file_name": program.file_name,
                "code": program.text,
                "missing": list(program.missing),
                "notices": list(program.notices),
                "checked": CHECKED[language],
            }
        )
    elif file:
        click.echo(f"{program.language} program written to {file}")
        click.echo(f"how far such programs are checked: {CHECKED[language]}")
    else:
        click.echo(program.text, nl=False)


def _write(
    model: Model, language: str, shapes: Sequence[str], targets: Sequence[str], config: InferenceConfig
) -> Program:
    from workbench.deploy.codegen import LITE, generate, lite_command

    if language == LITE:
        if shapes:
            raise InputError("--shape means nothing to Paddle-Lite's converter: leave it out")
        return lite_command(model, targets or ("arm",), config)
    if targets:
        raise InputError("--target is for Paddle-Lite alone: add --lang lite")
    given = dict(map(_shape, shapes))
    if len(given) < len(shapes):
        raise InputError("the shape of an input is given twice: give --shape once for each")
    return generate(model, config, language, release=_release(config.runtime), shapes=given)


def _shape(text: str) -> tuple[str, list[int]]:
    # The name of an input may hold an equals sign, its sizes cannot.
    name, _, sizes = text.rpartition("=")
    parts = sizes.split("x")
    if not name or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise InputError(f"{text!r} is not NAME=1x3x224x224: write for example --shape image=1x3x224x224")
    return name, [int(part) for part in parts]


def _release(runtime: str) -> tuple[int, ...] | None:
    """The release of Paddle that a runtime has; None where it has none, as writing a program needs none."""
    from workbench.core import interpreter
    from workbench.core.defects import release_of
    from workbench.models.samples import paddle_version

    version = paddle_version(sys.executable if runtime == "default" else interpreter(runtime))
    return None if version is None else release_of(version)
