"""``workbench tune``: the fastest config for a model on this machine, in bounded time."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from workbench.cli import output
from workbench.cli.options import (
    as_json,
    chart_option,
    check_file,
    check_folder,
    config_options,
    folder_option,
    input_option,
    model_argument,
    no_history_option,
    read_inputs,
    seconds_option,
    time_limit_option,
)
from workbench.config import InferenceConfig
from workbench.errors import ConfigError, HistoryWarning

if TYPE_CHECKING:
    from workbench.bench.tuning import Tuning

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


def _bytes(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    number, unit = value.strip(), 1
    if number[-1:].upper() in _UNITS:
        number, unit = number[:-1], _UNITS[number[-1].upper()]
    try:
        found = float(number) * unit
    except ValueError:
        found = 0.0
    if not 0 < found < 1 << 50:
        raise click.BadParameter(f"{value} is no size: write for example 500M, 2G or a number of bytes.")
    return int(found)


@click.command()
@model_argument
@click.option(
    "--goal",
    type=click.Choice(["latency", "throughput"]),
    default="latency",
    show_default=True,
    help="What is to be fast: one inference, or samples per second, with the batch as a knob.",
)
@seconds_option(120.0, "The bound on the whole tuning.")
@click.option(
    "--memory-limit",
    metavar="SIZE",
    callback=_bytes,
    help="Choose nothing that takes more memory, such as 500M.",
)
@click.option(
    "--max-abs-diff",
    type=click.FloatRange(min=0),
    metavar="X",
    help="Choose nothing whose outputs differ by more from those of CONFIG.",
)
@click.option(
    "--space",
    multiple=True,
    metavar="KNOB=V,V,…",
    help="Try these values only, such as threads=1,2 or onednn=on,off; passes=NAME,… may be switched off. "
    "May be repeated. Default: all that can differ here.",
)
@click.option("--batch", metavar="N,N,…", help="The same as --space batch=N,N,…")
@click.option("--at-most", type=click.IntRange(min=1), metavar="N", help="Try so many configs at most.")
@folder_option
@chart_option("the trials")
@no_history_option
@input_option
@config_options
@time_limit_option
@as_json
def tune(
    model: str,
    goal: Literal["latency", "throughput"],
    seconds: float,
    memory_limit: int | None,
    max_abs_diff: float | None,
    space: Sequence[str],
    batch: str | None,
    at_most: int | None,
    folder: str | None,
    chart: str | None,
    no_history: bool,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Find the fastest config.

    Many configs are measured briefly, each in turns with CONFIG, and the best third for longer, until a few
    are left; these are measured launch after launch. A ratio below 1 is faster than CONFIG, which is the
    answer where none is so beyond doubt. What is finished is kept: the same command continues after an
    interruption.
    """
    from workbench.bench.tuning import tune as take
    from workbench.models import load

    loaded = load(model)
    check_folder(folder)
    check_file(chart)
    texts = [*space, *([] if batch is None else [f"batch={batch}"])]
    with output.progress() as tell, output.warnings_as_notices(HistoryWarning):
        found = take(
            loaded,
            read_inputs(loaded, inputs),
            goal=goal,
            base=config,
            space=_space(texts) if texts else None,
            seconds=seconds,
            memory_limit=memory_limit,
            max_abs_diff=max_abs_diff,
            at_most=at_most,
            folder=folder,
            progress=tell,
            time_limit=time_limit,
            record=not no_history,
        )
    output.notices(found.notices)
    if chart:
        from workbench.bench.charts import save_chart

        save_chart(found.chart(), chart)
    if json_:
        output.print_json(found.facts())
        return
    _print(found, model)
    if chart:
        click.echo(f"chart written to {chart}")
    if found.folder is not None:
        click.echo(f"kept in {found.folder}")


def _space(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Values by knob, of ``threads=1,2`` and the like."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        knob, equals, values = (part.strip() for part in text.partition("="))
        knob = knob.replace("-", "_")
        some = [value for value in (one.strip() for one in values.split(",")) if value]
        if not equals or not some:
            raise ConfigError(f"{text!r} is not KNOB=V,V: write for example --space threads=1,2")
        if knob in found:
            raise ConfigError(f"{knob} is given twice: give all its values at once")
        found[knob] = [_value(knob, value) for value in some]
    return found


def _value(knob: str, text: str) -> Any:
    if knob == "passes":
        return text
    if knob == "batch":
        if not text.isdecimal():
            raise ConfigError(f"batch is {text!r}; give whole numbers above 0, such as batch=1,8")
        return int(text)
    from workbench.bench.tuning.space import KNOBS

    config = InferenceConfig.parse(f"{knob}={text}")
    # A config has keys for passes, which are no knobs.
    if knob not in KNOBS:
        raise ConfigError(f"unknown knob {knob!r} in the space: give some of {', '.join(KNOBS)}")
    return getattr(config, knob)


def _print(found: Tuning, model: str) -> None:
    from workbench.bench.tuning.results import HEAD, SHOWN, row_of

    ranked = found.ranked()
    output.print_table("", HEAD, [row_of(one) for one in ranked[:SHOWN]], numbers=(1, 4, 5))
    if len(ranked) > SHOWN:
        click.echo(f"and {len(ranked) - SHOWN} more (--json has all)")
    for one in ranked[:SHOWN]:
        if one.error:
            click.echo(f"{one.label}: {one.error}")
    click.echo(found.answer)
    click.echo(f"to run it: workbench run {shlex.join([model, *options_of(found.best)])}")
    if found.best_batch != found.base_batch:
        click.echo(f"with inputs of {found.best_batch} rows")


_LISTS = {"fp32_ops": "--fp32-op", "disabled_passes": "--disable-pass", "enabled_passes": "--enable-pass"}


def options_of(config: InferenceConfig) -> list[str]:
    """The options of CONFIG that ask for a config."""
    found: list[str] = []
    for name, (_, value) in InferenceConfig().differences(config).items():
        if name in _LISTS:
            found += [text for one in value for text in (_LISTS[name], one)]
        elif name == "onednn":
            found.append("--onednn" if value else "--no-onednn")
        elif name == "ir_optim":
            found.append("--no-ir-optim")
        elif name == "trt_use_calib_mode":
            found.append("--no-trt-calib-mode")
        elif isinstance(value, bool):
            found.append(f"--{name.replace('_', '-')}")
        else:
            found += [f"--{name.replace('_', '-')}", str(value)]
    return found
