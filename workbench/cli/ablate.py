"""``workbench ablate``: what each pass is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
from workbench.errors import HistoryWarning

if TYPE_CHECKING:
    from workbench.bench.ablation import Ablation


@click.command()
@model_argument
@seconds_option(2.0, "Steady-state measurement per config, at most.")
@click.option(
    "--pass",
    "passes",
    multiple=True,
    metavar="NAME",
    help="Leave out only this pass; may be repeated. Default: all that change something.",
)
@click.option("--no-pairs", is_flag=True, help="Do not measure pairs of passes that interact.")
@folder_option
@chart_option("the waterfall")
@no_history_option
@input_option
@config_options
@time_limit_option
@as_json
def ablate(
    model: str,
    seconds: float,
    passes: Sequence[str],
    no_pairs: bool,
    folder: str | None,
    chart: str | None,
    no_history: bool,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Measure what each pass is worth.

    Each pass that changes something is left out alone, pairs that interact together, and in the order they
    ran they are switched on one after the other. A ratio above 1 says that the model is slower without. What
    is finished is kept: the same command continues after an interruption.
    """
    from workbench.bench.ablation import ablate as take
    from workbench.models import load

    loaded = load(model)
    check_folder(folder)
    check_file(chart)
    with output.progress() as tell, output.warnings_as_notices(HistoryWarning):
        found = take(
            loaded,
            config,
            read_inputs(loaded, inputs),
            seconds=seconds,
            pairs=not no_pairs,
            passes=passes or None,
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
    _print(found)
    if chart:
        click.echo(f"chart written to {chart}")
    if found.folder is not None:
        click.echo(f"kept in {found.folder}")


def _print(found: Ablation) -> None:
    from workbench.bench.ablation.results import effect_words

    output.print_table(
        "",
        ("without", "ratio", "95 %", "", "ms", "outputs"),
        [
            (
                one.name,
                _number(one.ratio),
                _interval(one.ci95),
                "failed" if one.error else one.verdict,
                None if one.ms is None else f"{one.ms:+.3f}",
                effect_words(one.effect),
            )
            for one in found.passes
        ],
        numbers=(1, 2, 4),
    )
    for one in found.passes:
        if one.error:
            click.echo(f"without {one.name}: {one.error}")
    if found.pairs:
        output.print_table(
            "",
            ("without both", "ratio", "alone × alone", "together", "95 %", ""),
            [
                (
                    " + ".join(pair.names),
                    _number(pair.ratio),
                    _number(pair.product),
                    _number(pair.together),
                    _interval(pair.together_ci95),
                    "failed" if pair.error else pair.verdict,
                )
                for pair in found.pairs
            ],
            numbers=range(1, 5),
        )
    if found.steps:
        output.print_table(
            "",
            ("switched on, in the order they ran", "from ms", "change", "95 %", "to ms"),
            [
                (one.name, _number(one.from_ms), f"{one.ms:+.3f}", _interval(one.ci95), _number(one.to_ms))
                for one in found.steps
            ],
            numbers=range(1, 5),
        )


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
