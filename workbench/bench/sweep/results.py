"""What a sweep gives: per unit a benchmark or why there is none, as tables, charts and plain values."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.bench.results import Benchmark
from workbench.config import InferenceConfig

# Columns of tables for people: name and key.
_COLUMNS = (
    ("model", "model"),
    ("config", "config"),
    ("machine", "machine"),
    ("p50, ms", "p50_ms"),
    ("95 % interval", "ci95"),
    ("p90, ms", "p90_ms"),
    ("ratio to first", "ratio"),
    ("verdict", "verdict"),
)


@dataclass(frozen=True)
class Attempt:
    """One time that a unit was begun.

    Attributes:
        worker: its address: dask's, else machine and process id; "" where that is not known.
        machine: the name of the machine; "" where it is not known.
        began: when it had the machine to itself, in UTC, by that machine's clock; when it came there, if it
            failed before; None where that is not known.
        ended: when that was over; None where it is not known.
        waited_s: how long it waited for other benchmarks on that machine.
        error: why it failed, None where it did not.
    """

    worker: str
    machine: str
    began: datetime | None
    ended: datetime | None
    waited_s: float
    error: str | None

    def facts(self) -> dict[str, Any]:
        """Plain values: worker, machine, began and ended (ISO text), waited_s, error."""
        return {
            "worker": self.worker,
            "machine": self.machine,
            "began": None if self.began is None else self.began.isoformat(),
            "ended": None if self.ended is None else self.ended.isoformat(),
            "waited_s": self.waited_s,
            "error": self.error,
        }


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one unit: a model with the configs that are measured together, on one machine.

    Attributes:
        model: the model's name.
        model_hash: the SHA-256 of its content.
        configs: what was asked for.
        tag: the resource that its worker had to have, or None.
        attempts: all of them, in order; only the last can have succeeded.
        benchmark: the numbers with all samples, None where the last attempt failed, too.
        refused: label and error of configs the model does not run under, where others were measured.
    """

    model: str
    model_hash: str
    configs: tuple[InferenceConfig, ...]
    tag: str | None
    attempts: tuple[Attempt, ...]
    benchmark: Benchmark | None
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def machine(self) -> str:
        """The machine of the last attempt, "" where it is not known."""
        return self.attempts[-1].machine

    @property
    def worker(self) -> str:
        """The worker of the last attempt, "" where it is not known."""
        return self.attempts[-1].worker

    @property
    def error(self) -> str | None:
        """Why there are no numbers, None where there are."""
        return self.attempts[-1].error

    def rows(self) -> list[dict[str, Any]]:
        """A row for each config that was measured; see `Sweep.table`."""
        found = self.benchmark
        if found is None:
            return []
        compared = [None, *found.comparisons]
        return [
            {
                "model": self.model,
                "config": run.label,
                "machine": self.machine,
                "p50_ms": numbers["p50_ms"].value,
                "ci95": numbers["p50_ms"].ci95,
                "p90_ms": numbers["p90_ms"].value,
                "ratio": None if one is None else one.ratio,
                "ratio_ci95": None if one is None else one.ci95,
                "verdict": None if one is None else one.verdict,
            }
            for run, numbers, one in zip(found.runs, found.summaries, compared, strict=True)
        ]

    def facts(self) -> dict[str, Any]:
        """Plain values: all attributes, with ``asked`` for the configs, and machine, worker and error."""
        return {
            "model": self.model,
            "model_hash": self.model_hash,
            "asked": [config.to_dict() for config in self.configs],
            "tag": self.tag,
            "machine": self.machine,
            "worker": self.worker,
            "error": self.error,
            "attempts": [one.facts() for one in self.attempts],
            "refused": [{"label": label, "error": error} for label, error in self.refused],
            "benchmark": None if self.benchmark is None else self.benchmark.facts(),
        }


@dataclass(frozen=True, eq=False)
class Sweep:
    """Models measured under configs, on one machine or several.

    Attributes:
        outcomes: one per unit, in the order of the models.
        notices: what is to be known of how it ran, a sentence each.
    """

    outcomes: tuple[Outcome, ...]
    notices: tuple[str, ...] = ()

    @property
    def results(self) -> tuple[Outcome, ...]:
        """The units that were measured."""
        return tuple(one for one in self.outcomes if one.benchmark is not None)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The units that were not, and those of which a config was refused."""
        return tuple(one for one in self.outcomes if one.benchmark is None or one.refused)

    def table(self) -> list[dict[str, Any]]:
        """A row for every model and config that was measured, which `pandas.DataFrame` takes as it is.

        Returns:
            model, config, machine, p50_ms with ci95, p90_ms, and ratio with ratio_ci95 and verdict: its
            latency over that of the first config of the unit that ran, None for that one. Rows are compared
            only where they were measured together: machines differ, and so does the load they met.
        """
        return [row for outcome in self.outcomes for row in outcome.rows()]

    def best(self) -> list[dict[str, Any]]:
        """Of every unit that was measured the row with the least p50."""
        return [min(one.rows(), key=lambda row: float(row["p50_ms"])) for one in self.results]

    def facts(self) -> dict[str, Any]:
        """Plain values: table, outcomes (see `Outcome.facts`) and notices."""
        return {
            "table": self.table(),
            "outcomes": [one.facts() for one in self.outcomes],
            "notices": list(self.notices),
        }

    def chart(self, theme: str = "light") -> Any:
        """The medians with their intervals as a plotly figure, a group for each model and machine."""
        from workbench.bench.charts import sweep_chart

        groups = [(f"{one.model} on {one.machine}", one.rows()) for one in self.results]
        return sweep_chart(groups, theme, failed=len(self.outcomes) - len(groups))

    def __repr__(self) -> str:
        rows = [
            [name for name, _ in _COLUMNS],
            *([_cell(row, key) for _, key in _COLUMNS] for row in self.table()),
        ]
        widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([self._head(), *(lines if len(rows) > 1 else ()), *self._remarks()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name, _ in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(row, key))}</td>" for _, key in _COLUMNS) + "</tr>"
            for row in self.table()
        )
        words = "".join(f"<li>{html.escape(one)}</li>" for one in self._remarks())
        return (
            f"<p>{html.escape(self._head())}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            + (f"<ul>{words}</ul>" if words else "")
        )

    def _head(self) -> str:
        return f"{len(self.results)} of {len(self.outcomes)} units measured"

    def _remarks(self) -> list[str]:
        failed = [f"{one.model}: {one.error}" for one in self.outcomes if one.benchmark is None]
        refused = [f"{one.model}, {label}: {words}" for one in self.outcomes for label, words in one.refused]
        return [*failed, *refused, *self.notices]


def _cell(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if value is None:
        return "–" if key == "ci95" else ""
    if key == "ci95":
        return f"{value[0]:.4g}–{value[1]:.4g}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
