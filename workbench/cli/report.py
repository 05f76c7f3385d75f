"""``workbench report``: what was measured, as one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from workbench.cli import output
from workbench.cli.options import (
    as_json,
    config_options,
    configs_of,
    input_option,
    model_argument,
    no_history_option,
    read_inputs,
    seconds_option,
    sizes,
    time_limit_option,
    vs_option,
)
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, HistoryWarning, WorkbenchError

Tell = Callable[[float | None, str], object]


@click.command()
@model_argument
@click.option(
    "-o",
    "--output",
    "file",
    required=True,
    type=click.Path(dir_okay=False),
    metavar="FILE.html",
    help="Where to write it.",
)
@vs_option
@click.option(
    "--batch", "batches", metavar="N,N,…", callback=sizes, help="Latency against batch, too, at these."
)
@click.option(
    "--predictors",
    metavar="N,N,…",
    callback=sizes,
    help="Throughput, too, with so many predictors at once.",
)
@seconds_option(5.0, "Steady-state measurement per config, size, profile or pass, at most.")
@click.option(
    "--ablate/--no-ablate",
    default=False,
    help="Measure what each pass is worth, too, which may take long; by default it is not.",
)
@click.option("--history", is_flag=True, help="Show this model over time, too.")
@no_history_option
@input_option
@config_options
@time_limit_option
@as_json
def report(
    model: str,
    file: str,
    vs: Sequence[str],
    batches: tuple[int, ...] | None,
    predictors: tuple[int, ...] | None,
    seconds: float,
    ablate: bool,
    history: bool,
    no_history: bool,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Measure a model and write one HTML file for a colleague.

    Latency of the configs in turns and what each op takes, in a file that needs no network: a double click
    opens it. What else cannot be measured is said in it; without a latency there is no report.
    """
    from workbench import bench as measuring
    from workbench.bench.ablation import ablate as leave_out
    from workbench.models import load
    from workbench.reporting import report as write
    from workbench.reporting.results import Failed, Result
    from workbench.reporting.write import check_place
    from workbench.tracing import PassTrace, trace

    loaded = load(model)
    check_place(Path(file))
    configs, labels = configs_of(config, vs)
    arrays = read_inputs(loaded, inputs)
    results: list[Result] = []

    def attempt(what: str, measure: Callable[[], Result]) -> None:
        try:
            results.append(measure())
        except CancelledError:
            raise
        except WorkbenchError as error:
            output.notices([f"no {what}: {error}"])
            results.append(Failed(what, str(error)))

    with output.progress() as bar, output.warnings_as_notices(HistoryWarning):
        common: dict[str, Any] = {"seconds": seconds, "time_limit": time_limit, "record": not no_history}
        results.append(
            measuring.benchmark(
                loaded, configs, arrays, labels=labels, progress=_said(bar, "latency"), **common
            )
        )
        if batches:
            attempt(
                "scan",
                lambda: measuring.scan(loaded, batches, config, progress=_said(bar, "batch"), **common),
            )
        if predictors:
            attempt(
                "throughput",
                lambda: measuring.throughput(
                    loaded, predictors, config, arrays, progress=_said(bar, "throughput"), **common
                ),
            )
        if ablate:
            attempt(
                "ablation",
                lambda: leave_out(loaded, config, arrays, progress=_said(bar, "passes"), **common),
            )
        # The report shows the graph of the very predictor that was profiled, so its trace is open until then.
        attempt("graph", lambda: trace(loaded, config, time_limit=time_limit))
        taken = results[-1]
        try:
            if isinstance(taken, PassTrace):
                attempt(
                    "profile",
                    lambda: measuring.profile(taken, None, arrays, progress=_said(bar, "ops"), **common),
                )
            bar(None, "writing")
            place = write(file, results, model=loaded, history=history)
        finally:
            if isinstance(taken, PassTrace):
                taken.close()
                taken.session.close()
    failed = [one for one in results if isinstance(one, Failed)]
    if json_:
        facts = [{"what": one.what, "reason": one.reason} for one in failed]
        output.print_json({"file": str(place.absolute()), "bytes": place.stat().st_size, "failed": facts})
        return
    click.echo(f"report written to {file} ({place.stat().st_size / 1e6:.1f} MB)")


def _said(tell: Tell, what: str) -> Tell:
    """Progress of one measurement, under its name."""
    return lambda share, text: tell(share, f"{what}: {text}")
