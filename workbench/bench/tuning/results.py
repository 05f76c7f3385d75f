"""What a tuning gives: the best config, how it compares with the base, and every trial."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.bench.ablation.kept import Effect
from workbench.bench.ablation.results import effect_facts, effect_words
from workbench.bench.results import Comparison
from workbench.bench.tuning.kept import FINAL, Score
from workbench.bench.tuning.space import Goal
from workbench.config import InferenceConfig
from workbench.models import Model

# Of many trials, so many of the best are in a text.
SHOWN = 8


@dataclass(frozen=True)
class Trial:
    """A candidate and what was found out of it.

    Attributes:
        config: the config.
        batch: the batch it ran on.
        label: its name, which no other trial of the tuning has.
        scores: what each rung says, in order.
        effect: its outputs beside the base's; None where they were not compared.
        error: why it cannot be chosen: it failed, or breaks a limit.
        won: whether it is the answer.
    """

    config: InferenceConfig
    batch: int
    label: str
    scores: tuple[Score, ...]
    effect: Effect | None = None
    error: str | None = None
    won: bool = False

    @property
    def last(self) -> Score:
        """What the last rung says."""
        return self.scores[-1]

    @property
    def peak_bytes(self) -> int | None:
        """The most memory it held in any rung."""
        return max((one.peak_bytes for one in self.scores if one.peak_bytes is not None), default=None)

    def facts(self) -> dict[str, Any]:
        """Plain values: label, config, batch, rungs, ratio, ci95, ms, peak_bytes, …, error, won."""
        return {
            "label": self.label,
            "config": self.config.to_dict(),
            "batch": self.batch,
            "rungs": [
                {"rung": one.rung, "ratio": one.ratio, "ci95": one.ci95, "ms": one.ms} for one in self.scores
            ],
            "rung": self.last.rung,
            "ratio": self.last.ratio,
            "ci95": self.last.ci95,
            "verdict": self.last.verdict,
            "ms": self.last.ms,
            "peak_bytes": self.peak_bytes,
            **effect_facts(self.effect),
            "error": self.error,
            "won": self.won,
        }


@dataclass(frozen=True)
class Tuning:
    """The fastest config that was found.

    Attributes:
        model: the model's name.
        goal: what is fast: "latency" of an inference, or "throughput" in samples per second.
        base: the config it began from.
        best: the answer; the base where nothing was faster beyond doubt.
        base_batch: the batch of the inputs.
        best_batch: the batch to run the answer with; another one where the goal is throughput.
        comparison: the best of the finalists against the base: the ratio of latencies, per sample where the
            goal is throughput; None where none was measured to the end.
        trials: all candidates, in the order they were tried.
        notices: what else is to be known, a sentence each.
        environment: where it was measured; see `workbench.bench.environment.environment`.
        folder: where it is kept.
        entry: the id of the finalists' measurement in the history, None where it was not recorded; where one
            of them failed and they were measured apart, that of the best.
        source: the model itself, for `code`.
    """

    model: str
    goal: Goal
    base: InferenceConfig
    best: InferenceConfig
    base_batch: int
    best_batch: int
    comparison: Comparison | None
    trials: tuple[Trial, ...]
    notices: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    entry: int | None = None
    source: Model | None = field(default=None, repr=False)

    def code(self) -> str:
        """The plain Paddle program that creates the best predictor; `workbench.Session` runs it here.

        `workbench.deploy` and ``workbench codegen`` write whole programs for a config.
        """
        from workbench.core import Session

        assert self.source is not None
        return Session(self.source, self.best).code

    def facts(self) -> dict[str, Any]:
        """Plain values: model, goal, base, best, batch, comparison, trials, notices, environment and more."""
        return {
            "model": self.model,
            "goal": self.goal,
            "base": self.base.to_dict(),
            "best": self.best.to_dict(),
            "base_batch": self.base_batch,
            "best_batch": self.best_batch,
            "comparison": None if self.comparison is None else self.comparison.facts(),
            "trials": [one.facts() for one in self.trials],
            "notices": list(self.notices),
            "environment": dict(self.environment),
            "folder": None if self.folder is None else str(self.folder),
            "entry": self.entry,
        }

    def ranked(self) -> list[Trial]:
        """The trials, the answer first, then by how far they came and their ratio; what failed at the end."""

        def place(one: Trial) -> tuple[Any, ...]:
            ratio = one.last.ratio
            final = one.last.rung == FINAL
            return not one.won, one.error is not None, not final, ratio is None, ratio or 0.0

        return sorted(self.trials, key=place)

    @property
    def answer(self) -> str:
        """What to use, and why, in a line."""
        if self.comparison is None or (self.best, self.best_batch) == (self.base, self.base_batch):
            return f"keep the base: {self.base.label}"
        return f"use {self.comparison.b}: {ratio_words(self.comparison, self.goal)}"

    def chart(self, theme: str = "light") -> Any:
        """Every trial, rung by rung, as a plotly figure."""
        from workbench.bench.charts import tuning_chart

        return tuning_chart(self.trials, theme, base=self.base.label, goal=self.goal)

    def __repr__(self) -> str:
        head = f"{self.model}: {self.answer}"
        shown = self.ranked()[:SHOWN]
        width = max((len(one.label) for one in shown), default=0)
        lines = [f"{one.label:<{width}}  {trial_words(one)}" for one in shown]
        if len(self.trials) > SHOWN:
            lines.append(f"and {len(self.trials) - SHOWN} more")
        return "\n".join([head, *lines])

    def _repr_html_(self) -> str:
        def cells(tag: str, texts: tuple[str, ...]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"

        rows = [cells("td", row_of(one)) for one in self.ranked()[:SHOWN]]
        notices = "".join(f"<li>{html.escape(text)}</li>" for text in self.notices)
        return (
            f"<p><b>{html.escape(self.model)}</b>: {html.escape(self.answer)}</p>"
            f"<table>{cells('th', HEAD)}{''.join(rows)}</table>"
            f"<p>{len(self.trials)} tried</p><ul>{notices}</ul>"
        )


HEAD = ("config", "ratio", "95 %", "", "ms", "peak MB", "outputs", "came to")


def row_of(one: Trial) -> tuple[str, ...]:
    """A trial as texts under `HEAD`."""
    last = one.last
    verdict = "cannot be chosen" if one.error else last.verdict if last.rung == FINAL else "dropped"
    return (
        one.label,
        "" if last.ratio is None else f"{last.ratio:.3f}",
        "" if last.ci95 is None else f"[{last.ci95[0]:.3f}, {last.ci95[1]:.3f}]",
        "the answer" if one.won else verdict or "",
        "" if last.ms is None else f"{last.ms:.3f}",
        "" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f}",
        "" if one.effect is None else effect_words(one.effect),
        last.rung,
    )


def trial_words(one: Trial) -> str:
    """What was found out of a trial, in a line."""
    if one.error:
        return textwrap.shorten(one.error, 80, placeholder=" …")
    last = one.last
    span = "" if last.ci95 is None else f" [{last.ci95[0]:.3f}, {last.ci95[1]:.3f}]"
    ratio = "" if last.ratio is None else f"{last.ratio:.3f}"
    return f"{ratio}{span} {last.rung}{', the answer' if one.won else ''}"


def ratio_words(one: Comparison, goal: Goal) -> str:
    """How the best compares with the base: the ratio of times, the better the smaller it is."""
    what = "time per sample" if goal == "throughput" else "latency"
    span = "" if one.ci95 is None else f" [{one.ci95[0]:.3f}, {one.ci95[1]:.3f}]"
    return f"{one.verdict} than {one.a}, {what} ratio {one.ratio:.3f}{span}".replace(
        "no difference seen than", "no difference seen to"
    )
