"""`report`: results in, one HTML file out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench._version import __version__
from workbench.bench import History
from workbench.errors import WorkbenchError
from workbench.models import Model, load
from workbench.reporting.blocks import Page
from workbench.reporting.pages import (
    environment_page,
    history_page,
    latency_page,
    ops_page,
    passes_page,
    sizes_page,
    summary_page,
)
from workbench.reporting.results import Result, Results, by_kind
from workbench.reporting.write import check_place, html_of, write_whole

# Of the embedded facts: another number where a key is gone or means something else.
FORMAT = 1


def report(
    path: str | os.PathLike[str],
    results: Result | Sequence[Result],
    *,
    model: Model | str | os.PathLike[str] | None = None,
    history: History | bool = False,
    title: str | None = None,
) -> Path:
    """Write what was measured as one HTML file, which needs no server, no kernel and no network.

    The facts of every result are in it as JSON, with the samples. Paths of this machine and its name are not,
    except in what names them itself: a config whose runtime is a path, or the words of what failed.

    Args:
        path: where to write it; a file of that name is replaced once the new one is whole.
        results: from `benchmark`, `scan`, `throughput`, `profile` and `ablate`, one or several. With the
            trace that was profiled among them, the times are shown on its graph.
        model: the model or its path, for what it is; by default that of a trace among the results.
        history: True to show this model over time, from this user's history; or a history.
        title: of the report; the model's name by default.

    Returns:
        The file.

    Raises:
        WorkbenchError: if a result is none, if there is nothing to report, if a history is asked for without
            a model, or if the file cannot be written.
    """
    place = Path(path)
    check_place(place)
    found = by_kind(results)
    known = _model(model, found)
    if history is not False and known is None:
        raise WorkbenchError("the history of which model? give model=, or history=False")
    pages = [
        summary_page(known, found),
        latency_page(found),
        sizes_page(found),
        ops_page(found),
        passes_page(found),
    ]
    facts = _facts(known, found)
    if history is not False and known is not None:
        kept = History() if history is True else history
        page, facts["history"] = history_page(known, kept)
        pages.append(page)
    name = title or (known.name if known is not None else _name(found))
    pages.append(environment_page(found, f"{place.stem}.json"))
    now = datetime.now().astimezone()
    footer = f"Written {now:%Y-%m-%d %H:%M} by Paddle Inference Workbench {__version__}."
    shown: list[Page] = [page for page in pages if page is not None]
    write_whole(place, html_of(name, shown, facts, footer))
    return place


def _model(model: Model | str | os.PathLike[str] | None, found: Results) -> Model | None:
    if model is None:
        return found.traces[0].session.model if found.traces else None
    return model if isinstance(model, Model) else load(model)


def _name(found: Results) -> str:
    named: list[Any] = [*found.benchmarks, *(one.benchmark for one in found.scans)]
    named += [*found.throughputs, *found.profiles, *found.ablations]
    return str(named[0].model) if named else "report"


def _facts(model: Model | None, found: Results) -> dict[str, Any]:
    """Plain values of everything, as the commands give them with ``--json``."""
    return {
        "format": FORMAT,
        "workbench": __version__,
        "model": None if model is None else _without(model.facts(), "path"),
        "benchmarks": [one.facts() for one in found.benchmarks],
        "scans": [one.facts() for one in found.scans],
        "throughputs": [one.facts() for one in found.throughputs],
        "profiles": [one.facts() for one in found.profiles],
        "ablations": [_without(one.facts(), "folder") for one in found.ablations],
        "history": [],
        "failed": [{"what": one.what, "reason": one.reason} for one in found.failed],
    }


def _without(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key != name}
