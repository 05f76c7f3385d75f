"""The history as CSV and JSON."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from workbench.bench.history.entries import Entry
from workbench.bench.history.values import json_of, plain
from workbench.bench.samples import Run
from workbench.errors import WorkbenchError

_COLUMNS = (
    *("id", "began", "kind", "model", "model_hash", "ir", "inputs", "seconds", "state", "error"),
    *("label", "samples", "p50_ms", "p90_ms", "p99_ms", "ci95", "notices"),
)


def write_csv(file: str | os.PathLike[str], entries: Iterable[Entry]) -> int:
    """A row for every config of every measurement; returns how many. See `History.to_csv`."""
    rows = [row for entry in entries for row in _csv_rows(entry)]
    rest = {name for row in rows for name in row} - set(_COLUMNS)
    with _writing(file), Path(file).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*_COLUMNS, *sorted(rest)])
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def write_json(
    file: str | os.PathLike[str], entries: Iterable[Entry], runs_of: Callable[[Entry], tuple[Run, ...]]
) -> int:
    """Everything as one object; returns the number of measurements. See `History.to_json`."""
    count = 0
    with _writing(file), Path(file).open("wb") as stream:
        stream.write(b'{"measurements": [')
        # One at a time: all samples of a long history need not fit into memory.
        for entry in entries:
            stream.write(b",\n" if count else b"\n")
            stream.write(msgspec.json.encode(_with_samples(entry, runs_of(entry)), enc_hook=plain))
            count += 1
        stream.write(b"\n]}\n")
    return count


def _with_samples(entry: Entry, runs: tuple[Run, ...]) -> dict[str, Any]:
    facts = entry.facts()
    for facts_of_run, run in zip(facts["runs"], runs, strict=True):
        facts_of_run["launches"] = run.launches
    return facts


@contextmanager
def _writing(file: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkbenchError(
            f"cannot write {os.fspath(file)}: {error.strerror}; choose another place"
        ) from None


def _csv_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    for run in entry.runs:
        facts = {**entry.facts(), **msgspec.to_builtins(run)}
        for name in ("runs", "position", "result"):
            del facts[name]
        for name in ("config", "environment"):
            facts.update({f"{name}.{key}": value for key, value in _flat(facts.pop(name))})
        yield {
            name: json_of(value) if isinstance(value, (list, dict)) else value
            for name, value in facts.items()
        }


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
