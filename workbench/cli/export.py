"""``workbench export``: a layer, or a network and its persistables, or a model in another layout."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from workbench.cli import output
from workbench.cli.infer import DocumentedCommand
from workbench.cli.options import as_json
from workbench.errors import InputError, WorkbenchError

if TYPE_CHECKING:
    from workbench.deploy.training.engines import Engine
    from workbench.deploy.training.export import Acceptance
    from workbench.models import Layout, Model

_FAILED = 1


@click.command(cls=DocumentedCommand)
@click.argument("source", required=False)
@click.option("-m", "--model", metavar="SOURCE", help="The same as the argument, as a document has it.")
@click.option(
    "-o",
    "--output",
    "--save-inference-dir",
    "directory",
    required=True,
    type=click.Path(file_okay=False),
    help="Folder to write to; it must hold no other model.",
)
@click.option(
    "--layout",
    type=click.Choice(("pir", "program", "combined", "separate")),
    help="Files to write: .json; .pdmodel; model and params; __model__ and a file per parameter. "
    "Default: pir for a layer, combined for a network and its persistables.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME:DTYPE:SHAPE",
    help="What goes into a layer, in the order of its forward, such as image:float32:None,3,224,224; "
    "None is an open size. Needed for each.",
)
@click.option("--weights", metavar="FILE.pdparams", help="Weights to load into a layer.")
@click.option("-p", "--persistables", metavar="PATH", help="A folder with a file per variable, or one file.")
@click.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument for the function or class of SOURCE; may be repeated.",
)
@click.option("--softmax", is_flag=True, help="Add a softmax to the one output of a layer.")
@click.option(
    "--name", default="inference", show_default=True, help="What .json and .pdmodel files begin with."
)
@click.option("--overwrite", is_flag=True, help="Replace a model of the same file name.")
@click.option("--check/--no-check", default=True, show_default=True, help="Run both and compare the outputs.")
@click.option(
    "--check-inputs", metavar="FILE.npz", help="Inputs to compare with, by name; random ones without."
)
@click.option(
    "--runtime",
    default="default",
    show_default=True,
    metavar="NAME",
    help="Paddle to check with, and to translate.",
)
@as_json
def export(
    source: str | None,
    model: str | None,
    directory: str,
    layout: Layout | None,
    inputs: Sequence[str],
    weights: str | None,
    persistables: str | None,
    arguments: Sequence[str],
    softmax: bool,
    name: str,
    overwrite: bool,
    check: bool,
    check_inputs: str | None,
    runtime: str,
    json_: bool,
) -> None:
    """Make an inference model, and check that it answers as before.

    SOURCE is a layer with its --input (FILE.py:NAME or MODULE:NAME: the class, or a function that makes one),
    a network function with its --persistables, or a model to write in another --layout.
    """
    from workbench.deploy.fluid import install
    from workbench.deploy.training.sources import find_code, names_code
    from workbench.deploy.training.static import import_paddle

    if (source is None) == (model is None):
        raise click.UsageError("Give SOURCE once: a layer, a network function or a model.")
    given = str(source or model)
    made = _arguments(arguments)
    arrays = None if check_inputs is None else _arrays(check_inputs)
    code = persistables is not None or names_code(given)
    if not code:
        _refuse("a model", input=inputs, weights=weights, softmax=softmax, arg=arguments)
    elif persistables is not None:
        _refuse("--persistables", input=inputs, weights=weights, softmax=softmax)
    elif not inputs:
        raise click.UsageError("A layer needs an --input NAME:DTYPE:SHAPE for each of its inputs.")
    if not code and layout is None:
        raise click.UsageError("Give the --layout to write the model in.")
    engine: Engine
    with output.progress() as tell, _stdout_to_stderr():
        tell(None, "exporting")
        if code:
            import_paddle()  # before the user's code does, so that it is quiet
        if persistables is not None:
            target = _Target(directory, layout or "combined", name, overwrite, runtime)
            # Networks of 1.x import fluid.
            with install():
                found, engine = _persistable(find_code(given, made), persistables, target)
        elif code:
            target = _Target(directory, layout or "pir", name, overwrite, runtime)
            found, engine = _layer(find_code(given, made), inputs, weights, softmax, target)
        else:
            target = _Target(directory, layout or "pir", name, overwrite, runtime)
            found, engine = _model(given, target)
        tell(None, "checking")
        acceptance = _check(found, engine, arrays, target) if check else None
        engine.close()
    if code and persistables is None and weights is None:
        output.notices(["no --weights were given: the layer has those it was made with"])
    _tell(found, acceptance, json_)
    if acceptance is not None and not acceptance.passed:
        click.echo(
            f"the model stays in {directory}; a layer with random ops answers otherwise each time", err=True
        )
    if acceptance is not None and not acceptance.passed:
        sys.exit(_FAILED)


class _Target(NamedTuple):
    directory: str
    layout: Layout
    name: str
    overwrite: bool
    runtime: str

    def convert(self, model: Model) -> Model:
        from workbench.deploy.training.conversion import convert

        return convert(
            model,
            self.directory,
            self.layout,
            name=self.name,
            overwrite=self.overwrite,
            runtime=self.runtime,
        )


def _layer(
    code: Any, inputs: Sequence[str], weights: str | None, softmax: bool, target: _Target
) -> tuple[Model, Engine]:
    from workbench.deploy.training.engines import LayerEngine
    from workbench.deploy.training.export import export_layer

    engine = LayerEngine(code, inputs, weights, softmax=softmax)
    found = export_layer(
        engine.layer,
        target.directory,
        inputs,
        layout=target.layout,
        softmax=softmax,
        name=target.name,
        overwrite=target.overwrite,
    )
    return found, engine


def _persistable(network: Any, persistables: str, target: _Target) -> tuple[Model, Engine]:
    from workbench.deploy.training.engines import TrainingEngine

    engine = TrainingEngine.of_network(network, persistables)
    return target.convert(engine.model), engine


def _model(path: str, target: _Target) -> tuple[Model, Engine]:
    from workbench.config import InferenceConfig
    from workbench.deploy.training.engines import SessionEngine
    from workbench.models import load

    source = load(path)
    return target.convert(source), SessionEngine(source, InferenceConfig(runtime=target.runtime))


def _check(found: Model, engine: Engine, arrays: Mapping[str, Any] | None, target: _Target) -> Acceptance:
    from workbench.bench import random_inputs
    from workbench.config import InferenceConfig
    from workbench.deploy.training.export import check_export

    try:
        # Two rows, so that a batch which was fixed by mistake is noticed.
        used = random_inputs(engine, batch=2) if arrays is None else arrays  # type: ignore[arg-type]
        return check_export(found, engine, used, config=InferenceConfig(runtime=target.runtime))
    except WorkbenchError as error:
        raise WorkbenchError(
            f"{target.directory} is written and could not be checked ({error}): "
            "give inputs that fit with --check-inputs FILE.npz, or --no-check"
        ) from None


def _tell(found: Model, acceptance: Acceptance | None, json_: bool) -> None:
    from workbench.deploy.training.export import file_names

    folder, files = file_names(found)
    facts = {
        **found.facts(),
        "directory": str(folder),
        "files": list(files),
        "acceptance": None if acceptance is None else acceptance.facts(),
    }
    if json_:
        output.print_json(facts)
        return
    click.echo(
        f"{facts['layout']} written to {folder} ({facts['ops']:,} ops, {facts['parameters']:,} parameters)"
    )
    shown = ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
    click.echo(f"files: {shown}")
    if acceptance is not None:
        click.echo(f"acceptance {acceptance}")


def _refuse(what: str, **given: object) -> None:
    """Options that mean nothing for this kind of source."""
    for name, value in given.items():
        if value:
            hint = "; name the layer in a file as FILE.py:NAME" if what == "a model" else ""
            raise click.UsageError(f"--{name} goes with a layer, not with {what}{hint}.")


def _arguments(given: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.UsageError(f"{text!r} is not NAME=VALUE, such as --arg num_classes=10.")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def _arrays(file: str) -> dict[str, Any]:
    import numpy as np

    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}; give an .npz file") from None
    except (ValueError, EOFError, AttributeError, TypeError):
        raise InputError(f"{file} is not an .npz file of numbers: write it with numpy.savez") from None


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """The user's own code may print, and so may Paddle: standard output is for what was asked."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
