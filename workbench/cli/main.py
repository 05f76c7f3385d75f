"""The commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from workbench._version import __version__
from workbench.cli import output
from workbench.cli.ablate import ablate
from workbench.cli.bench import bench
from workbench.cli.bisect import bisect
from workbench.cli.check import check
from workbench.cli.codegen import codegen
from workbench.cli.export import export
from workbench.cli.history import history
from workbench.cli.infer import infer
from workbench.cli.options import (
    as_json,
    check_file,
    check_folder,
    config_options,
    input_option,
    model_argument,
    read_inputs,
    time_limit_option,
)
from workbench.cli.profile import profile
from workbench.cli.reduce import reduce
from workbench.cli.report import report
from workbench.cli.sensitivity import sensitivity
from workbench.cli.tune import tune
from workbench.cli.verify import verify
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError

USER_MISTAKE = 2
_LAYOUTS = ("pir", "program", "combined", "separate")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="workbench")
@click.pass_context
def app(context: click.Context) -> None:
    """See what every graph-optimization pass of Paddle Inference does to a model, and what it is worth.

    MODEL is a file or a folder in any of Paddle's layouts: .json, .pdmodel, model + params, or __model__.
    Begin with `workbench lab`, or with `workbench samples digits digits` and `workbench trace digits`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@app.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help="Default: the first free one from 8888."
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option(
    "--dir", "directory", type=click.Path(file_okay=False), help="Where to copy the notebooks to, and work."
)
def lab(port: int | None, no_browser: bool, directory: str | None) -> None:
    """Open JupyterLab on the first notebook."""
    from workbench.cli.lab import start

    start(port=port, browser=not no_browser, directory=directory)


@app.command()
@click.argument("name")
@click.argument("directory", type=click.Path(file_okay=False))
@click.option(
    "--layout",
    type=click.Choice(_LAYOUTS),
    default="pir",
    show_default=True,
    help="Files to write: .json; .pdmodel; model and params; __model__ and a file per parameter.",
)
@click.option(
    "--runtime", default="default", show_default=True, metavar="NAME", help="Paddle to export it with."
)
@as_json
def samples(name: str, directory: str, layout: str, runtime: str, json_: bool) -> None:
    """Write a sample model and its inputs into a folder.

    NAME is digits, resnet18, mobilenet_v3_small, bert_tiny or deep. It is made on this machine when first
    asked for, which takes from seconds to minutes (deep), and then kept in a cache.
    """
    from workbench.core import interpreter
    from workbench.models import load, write_sample

    with output.progress() as tell:
        folder = write_sample(
            name, directory, layout, progress=lambda text: tell(None, text), python=interpreter(runtime)
        )
    facts = load(folder).facts()
    if json_:
        output.print_json({**facts, "name": name, "directory": str(folder)})
    else:
        click.echo(f"{name} written to {folder} ({facts['layout']}, {facts['ops']:,} ops)")


@app.command()
@model_argument
@as_json
def info(model: str, json_: bool) -> None:
    """Say what a model is.

    Its IR, layout, inputs, outputs and sizes, read without Paddle.
    """
    from workbench.models import load

    facts = load(model).facts()
    if json_:
        output.print_json(facts)
        return
    ir = {"pir": "PIR", "program": "Program IR"}[facts["ir"]]
    click.echo(f"{facts['name']}: {ir}, layout {facts['layout']}")
    click.echo(f"{facts['ops']:,} ops, {facts['parameters']:,} parameters, {facts['bytes']:,} bytes")
    rows = [
        (kind[:-1], info["name"], info["dtype"], _shape(info["shape"]))
        for kind in ("inputs", "outputs")
        for info in facts[kind]
    ]
    output.print_table("", ("", "name", "dtype", "shape"), rows)


@app.command()
@model_argument
@click.option(
    "-o", "--output", "directory", type=click.Path(file_okay=False), help="Folder for one .dot per stage."
)
@click.option(
    "--html", "page", type=click.Path(dir_okay=False), help="File for a page with the graph of every stage."
)
@click.option("--all", "all_", is_flag=True, help="Show the passes that changed nothing too.")
@config_options
@time_limit_option
@as_json
def trace(
    model: str,
    directory: str | None,
    page: str | None,
    all_: bool,
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Show what every pass does to the graph.

    The graph before any pass and after each one, from the predictor that really runs.
    """
    from workbench.models import load
    from workbench.tracing import trace as take

    loaded = load(model)
    check_folder(directory)
    check_file(page)
    with output.progress() as tell:
        found = take(
            loaded, config, progress=lambda name: tell(None, f"running {name}"), time_limit=time_limit
        )
        tell(None, "reading the graphs")
        facts = found.facts()
        files = found.write_dots(directory) if directory else [None] * len(found)
    for stage, file in zip(facts["stages"], files, strict=True):
        stage["dot"] = None if file is None else str(file.absolute())
    if page:
        from workbench.ui import view

        view(found).save_html(page)
    found.close()
    found.session.close()
    output.notices(facts["notices"])
    if json_:
        output.print_json(facts)
        return
    shown = [
        stage
        for stage in facts["stages"]
        if all_ or stage["changed"] or stage["index"] == 0 or stage["lowered"]
    ]
    rows = [
        (
            stage["index"],
            stage["pass"] or "(model as loaded)",
            _matches(stage["matches"]),
            f"{stage['ops_before']} → {stage['ops']}" if stage["changed"] else stage["ops"],
            _change(stage),
        )
        for stage in shown
    ]
    output.print_table("", ("", "pass", "matches", "ops", "change"), rows, numbers=(0, 2, 3))
    hidden = len(facts["stages"]) - len(shown)
    if hidden:
        click.echo(f"{hidden} passes changed nothing (--all shows them)")
    if directory:
        click.echo(f"{len(files)} .dot files in {directory}")


@app.command()
@model_argument
@input_option
@click.option(
    "-o", "--output", "file", type=click.Path(dir_okay=False), help="Write the outputs to this .npz."
)
@config_options
@time_limit_option
@as_json
def run(
    model: str,
    inputs: Sequence[str],
    file: str | None,
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Run a model once."""
    import numpy as np

    from workbench.core import Session
    from workbench.models import load

    loaded = load(model)
    check_file(file)
    with Session(loaded, config, time_limit=time_limit) as session:
        outputs = session.run(read_inputs(session.model, inputs))
        facts: dict[str, Any] = {
            "outputs": [
                {"name": name, "dtype": str(array.dtype), "shape": list(array.shape)}
                for name, array in outputs.items()
            ],
            "asked": session.asked,
            "given": dict(session.given),
            "notices": list(session.notices),
        }
        if file:
            try:
                save: Any = np.savez  # its stubs take a keyword for an option
                with Path(file).open("wb") as stream:  # given a name, numpy would add .npz to it
                    save(stream, **outputs)
            except OSError as error:
                raise WorkbenchError(f"cannot write {file}: {error.strerror}; choose another place") from None
    output.notices(facts["notices"])
    if json_:
        output.print_json(facts)
        return
    rows = [
        (name, array.dtype, _shape(array.shape), ", ".join(f"{value:.5g}" for value in array.reshape(-1)[:6]))
        for name, array in outputs.items()
    ]
    output.print_table("", ("output", "dtype", "shape", "first values"), rows)
    if file:
        click.echo(f"outputs written to {file}")


def _shape(shape: Sequence[int] | None) -> str:
    return (
        "?" if shape is None else "×".join("any" if size == -1 else str(size) for size in shape) or "scalar"
    )


def _matches(matches: int | Sequence[int] | None) -> str:
    return (
        "" if matches is None else str(matches) if isinstance(matches, int) else " + ".join(map(str, matches))
    )


def _change(stage: dict[str, Any]) -> str:
    if not stage["changed"]:
        return "lowered before" if stage["lowered"] else "="
    if not stage["added"] and not stage["removed"]:
        return "same ops"  # with other constants, attributes or types
    return f"+{stage['added']} −{stage['removed']}"


app.add_command(ablate)
app.add_command(bench)
app.add_command(infer)
app.add_command(bisect)
app.add_command(codegen)
app.add_command(export)
app.add_command(check)
app.add_command(history)
app.add_command(profile)
app.add_command(reduce)
app.add_command(report)
app.add_command(sensitivity)
app.add_command(tune)
app.add_command(verify)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command ``workbench``: a mistake of the user's is one line on stderr and exit code 2."""
    try:
        app.main(
            args=None if arguments is None else list(arguments), prog_name="workbench", standalone_mode=False
        )
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "workbench"
        _mistake(f"{error.format_message().rstrip('.')}; see {command} --help")
    except click.ClickException as error:
        _mistake(error.format_message())
    except click.Abort:
        click.echo("cancelled", err=True)
        sys.exit(130)
    except WorkbenchError as error:
        _mistake(str(error))
    except BrokenPipeError:
        # The reader of a pipe has enough; nothing more is to be said, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _mistake(text: str) -> None:
    click.echo(f"error: {' '.join(text.split())}", err=True)
    sys.exit(USER_MISTAKE)
