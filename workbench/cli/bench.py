"""`workbench bench`: latency of configs, latency against size, throughput against latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from workbench.cli import output
from workbench.cli.options import (
    as_json,
    chart_option,
    check_file,
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
from workbench.errors import HistoryWarning, WorkbenchError


@click.command()
@model_argument
@vs_option
@click.option(
    "--batch", "batches", metavar="N,N,…", callback=sizes, help="Latency against batch: these instead."
)
@click.option(
    "--length", "lengths", metavar="N,N,…", callback=sizes, help="Latency against sequence length instead."
)
@click.option(
    "--predictors",
    metavar="N,N,…",
    callback=sizes,
    help="Throughput instead: so many predictors at once, each in a thread as of a C++ program.",
)
@click.option(
    "--python-threads",
    is_flag=True,
    help="With --predictors: threads as of a Python program, which take turns.",
)
@seconds_option(5.0, "Steady-state measurement per config, size or number of predictors, at most.")
@click.option(
    "--within",
    type=float,
    default=0.01,
    show_default=True,
    metavar="SHARE",
    help="Stop earlier once every ratio is known to within this share; 0 to use all of the time.",
)
@click.option(
    "--launches",
    type=int,
    metavar="N",
    help="Predictors to create one after the other, each in a process of its own; by default up to ten.",
)
@chart_option("the chart")
@no_history_option
@input_option
@config_options
@time_limit_option
@as_json
def bench(
    model: str,
    vs: Sequence[str],
    batches: tuple[int, ...] | None,
    lengths: tuple[int, ...] | None,
    predictors: tuple[int, ...] | None,
    python_threads: bool,
    seconds: float,
    within: float,
    launches: int | None,
    chart: str | None,
    no_history: bool,
    inputs: Sequence[str],
    config: InferenceConfig,
    time_limit: float | None,
    json_: bool,
) -> None:
    """Measure latency and compare configs.

    Several configs take turns in one run, so that load and clock meet all alike, and each is launched several
    times, since no two launches are alike. Warm-up is apart. A ratio below 1 is faster; where its 95 %
    interval is not more than 1 % away from 1, no difference was seen.
    """
    from workbench import bench as measuring
    from workbench.models import load

    loaded = load(model)
    check_file(chart)
    given = {"--vs": vs, "--batch": batches, "--length": lengths, "--predictors": predictors}
    several = [name for name, value in given.items() if value]
    if len(several) > 1:
        raise WorkbenchError(f"{several[0]} and {several[1]} are two measurements: give one of them")
    if (batches or lengths) and inputs:
        raise WorkbenchError(f"{several[0]} makes its own inputs: leave out --input")
    with output.progress() as tell, output.warnings_as_notices(HistoryWarning):
        result: Any
        if batches or lengths:
            result = measuring.scan(
                loaded,
                batches or lengths or (),
                config,
                over="batch" if batches else "length",
                seconds=seconds,
                progress=tell,
                time_limit=time_limit,
                record=not no_history,
            )
        elif predictors:
            result = measuring.throughput(
                loaded,
                predictors,
                config,
                read_inputs(loaded, inputs),
                seconds=seconds,
                native=not python_threads,
                progress=tell,
                time_limit=time_limit,
                record=not no_history,
            )
        else:
            configs, labels = configs_of(config, vs)
            result = measuring.benchmark(
                loaded,
                configs,
                read_inputs(loaded, inputs),
                seconds=seconds,
                within=within,
                launches=launches,
                labels=labels,
                progress=tell,
                time_limit=time_limit,
                record=not no_history,
            )
    facts = result.facts()
    for one in facts.get("runs", [facts]):
        prefix = f"{one['label']}: " if "label" in one else ""
        output.notices(f"{prefix}{text}" for text in one["notices"])
    if chart:
        from workbench.bench.charts import save_chart

        save_chart(result.chart(), chart)
    if json_:
        output.print_json(facts)
        return
    if predictors:
        _print_throughput(facts)
    else:
        _print_runs(facts)
    if chart:
        click.echo(f"chart written to {chart}")


def _print_runs(facts: Mapping[str, Any]) -> None:
    names = ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "p99_9_ms", "mean_ms", "std_ms")
    rows = [
        (
            one["label"],
            f"{one['cold_ms']:.1f}",
            *(f"{one[name]:.3f}" for name in names),
            _interval(one["ci95"]),
            "" if one["peak_bytes"] is None else f"{one['peak_bytes'] / 1e6:.0f}",
            f"{len(one['samples'])} / {one['launches']}",
        )
        for one in facts["runs"]
    ]
    head = ("config", "cold ms", "p50 ms", "p90", "p95", "p99", "p99.9", "mean", "std", "p50 95 %", "peak MB")
    output.print_table("", (*head, "samples / launches"), rows, numbers=range(1, 12))
    for one in facts["comparisons"] if "over" not in facts else ():
        ratio = f"latency ratio {one['ratio']:.3f} {_interval(one['ci95'])}"
        click.echo(f"{one['b']} against {one['a']}: {one['verdict']}, {ratio}")
    for one in facts["runs"]:
        for remark in one["remarks"]:
            click.echo(f"{one['label']}: {remark}")


def _print_throughput(facts: Mapping[str, Any]) -> None:
    rows = [
        (
            one["predictors"],
            f"{one['per_second']:.1f}",
            _interval(one["ci95"], 1),
            f"{one['p50_ms']:.3f}",
            f"{one['p99_ms']:.3f}",
            one["samples"],
        )
        for one in facts["points"]
    ]
    head = ("predictors", "inferences/s", "95 %", "p50 ms", "p99 ms", "samples")
    output.print_table("", head, rows, numbers=range(6))
    click.echo(
        "threads as of a C++ program"
        if facts["native"]
        else "threads of a Python program: Paddle holds the interpreter lock during a run, so they take turns"
    )


def _interval(interval: Sequence[float] | None, digits: int = 3) -> str:
    return "" if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
