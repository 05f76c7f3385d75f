"""``workbench history``: what was measured before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from workbench.cli import output
from workbench.cli.options import as_json, check_file
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.bench.history import Entry, History, Kind

# As in workbench.bench.history, which takes numpy to import.
_KINDS = ("benchmark", "profile", "ablation", "tuning", "throughput", "scan")


@click.command()
@click.argument("model", metavar="[MODEL]", required=False)
@click.option("--kind", type=click.Choice(_KINDS), help="Only measurements of this kind.")
@click.option("--label", metavar="LABEL", help="Only configs of this label.")
@click.option("--since", metavar="DATE", help="Only what began then or later, such as 2026-01-31T18:00.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N measurements.")
@click.option(
    "--csv",
    "table",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write a row per config to this .csv.",
)
@click.option(
    "--chart",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the latency of MODEL over time to this .html, .png or .svg.",
)
@click.option(
    "--forget", type=int, multiple=True, metavar="ID", help="Remove this measurement first; may be repeated."
)
@click.option("--forget-before", metavar="DATE", help="Remove first what began before that.")
@as_json
def history(
    model: str | None,
    kind: Kind | None,
    label: str | None,
    since: str | None,
    limit: int | None,
    table: str | None,
    chart: str | None,
    forget: Sequence[int],
    forget_before: str | None,
    json_: bool,
) -> None:
    """List what was measured before, the newest first.

    MODEL is a model, its name, or the first six or more characters of its hash, which --json shows. The
    history is one file, which the environment variable WORKBENCH_HISTORY names; "off" keeps none.
    """
    from workbench.bench.history import History

    if chart and model is None:
        raise click.UsageError("--chart needs MODEL, whose latency it shows.")
    if forget and forget_before is not None:
        raise click.UsageError("Give either --forget or --forget-before.")
    kept = History()
    if kept.path is None:
        raise WorkbenchError("no history is kept: unset WORKBENCH_HISTORY, or set it to a file")
    check_file(table)
    check_file(chart)
    said = []
    if forget:
        said.append(f"{kept.forget(forget)} forgotten")
    if forget_before is not None:
        said.append(f"{kept.forget(before=forget_before)} forgotten")
    found = kept.entries(model, kind=kind, label=label, since=since, limit=limit)
    if table:
        said.append(f"{kept.to_csv(table, found)} rows written to {table}")
    if chart:
        assert model is not None
        _write_chart(kept, model, label, chart)
        said.append(f"chart written to {chart}")
    if json_:
        output.print_json({"measurements": [entry.facts() for entry in found]})
        return
    if found:
        head = ("id", "when", "kind", "model", "label", "p50 ms", "p99 ms", "samples", "Paddle", "state")
        rows = [row for entry in found for row in _rows(entry, label)]
        output.print_table("", head, rows, numbers=(0, 5, 6, 7))
    elif kept.entries(limit=1):
        click.echo("no measurement is like this")
    else:
        click.echo(f"nothing was measured yet, or not recorded in {kept.path}")
    for line in said:
        click.echo(line)


def _rows(entry: Entry, label: str | None) -> list[tuple[object, ...]]:
    when = f"{entry.began.astimezone():%Y-%m-%d %H:%M:%S}"
    start = (entry.id, when, entry.kind, entry.model)
    rows: list[tuple[object, ...]] = [
        (
            *start,
            run.label,
            None if run.p50_ms is None else f"{run.p50_ms:.3f}",
            None if run.p99_ms is None else f"{run.p99_ms:.3f}",
            run.samples,
            entry.paddle_of(run),
            entry.state,
        )
        for run in entry.runs
        if label in (None, run.label)
    ]
    return rows or [(*start, _words(entry), None, None, None, entry.paddle, entry.state)]


def _words(entry: Entry) -> str | None:
    """What a measurement without configs of its own was of: those of an ablation are in its batches."""
    passes = entry.result.get("passes") if isinstance(entry.result, dict) else None
    return None if passes is None else f"{len(passes)} pass{'' if len(passes) == 1 else 'es'}"


def _write_chart(kept: History, model: str, label: str | None, file: str) -> None:
    from workbench.bench.charts import save_chart

    save_chart(kept.chart(model, label=label), file)
