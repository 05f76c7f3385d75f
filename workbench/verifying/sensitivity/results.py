"""What a sensitivity analysis gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.config import InferenceConfig
from workbench.verifying.bisection.outcome import Probe
from workbench.verifying.sensitivity.candidates import By

if TYPE_CHECKING:
    import plotly.graph_objects as go

State = Literal["found", "does not fail", "no op does it"]
Method = Literal["native", "simulated"]
# Rows of the text, and sets named in a line.
SHOWN, LISTED = 15, 5
HEAD = ("", "ops", "difference", "of the tolerance", "", "in fp32", "layer")


@dataclass(frozen=True)
class Ranked:
    """One candidate alone in the lower precision.

    Attributes:
        name: an op type, or index and type of an op.
        ops: the indices of its ops in the model's graph.
        layers: the paths of their layers, as far as known.
        difference: ``||a − b|| / ||a||`` of the output where it is largest; infinite where an element is NaN
            or infinite in one alone, None where there are no outputs.
        of_tolerance: the largest ``|given − expected|`` in relation to what the tolerance allows; 1 is the
            limit.
        passed: whether the check passes; None where it could not be judged.
        words: what the check said.
    """

    name: str
    ops: tuple[int, ...]
    layers: tuple[str, ...]
    difference: float | None
    of_tolerance: float | None
    passed: bool | None
    words: str

    def facts(self) -> dict[str, Any]:
        """Plain values; infinity, which JSON does not have, is None beside ``passed`` false."""
        return {
            "name": self.name,
            "ops": list(self.ops),
            "layers": list(self.layers),
            "difference": _finite(self.difference),
            "of_tolerance": _finite(self.of_tolerance),
            "passed": self.passed,
            "words": self.words,
        }


@dataclass(frozen=True)
class Sensitivity:
    """Which ops of a model a lower precision harms.

    Attributes:
        model: the model's name.
        config: what was asked for, in fp32.
        precision: the lower one, "bf16" or "fp16".
        method: "native" or "simulated".
        by: "type" or "op".
        check: "output" for the tolerance, "function" for a function.
        state: "found" (something has to stay in fp32), "does not fail" (all may be in the lower precision) or
            "no op does it" (the check fails in fp32, too).
        words: what the check said with all candidates in the lower precision.
        keep: types, or index and type of ops, to keep in fp32: with them there, the check passes. What fails
            alone is among them, and of the others none can be left out, unless a notice says otherwise. What
            differs most alone comes first.
        sets: sets that make the check fail with all others in fp32, and do not without any one of them.
        avoid: the config that passes the check; None for single ops, which no config can name, and where
            there is none.
        ranking: every candidate alone in the lower precision, what differs most first.
        probes: what was tried, in order; ``on`` is in the lower precision, ``off`` in fp32.
        notices: what else is to be known, a sentence each.
    """

    model: str
    config: InferenceConfig
    precision: str
    method: Method
    by: By
    check: Literal["output", "function"]
    state: State
    words: str
    keep: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]
    avoid: InferenceConfig | None
    ranking: tuple[Ranked, ...]
    probes: tuple[Probe, ...]
    notices: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """What was found, in a sentence."""
        begin = f"{self.model} in {self.precision}" + (", simulated" if self.method == "simulated" else "")
        if self.state == "does not fail":
            return f"{begin}: nothing has to stay in fp32: {self.words}"
        if self.state == "no op does it":
            return f"{begin}: no op does it: the check fails in fp32, too: {self.words}"
        return f"{begin}: keep {', '.join(self.keep)} in fp32; without: {self.words}"

    def facts(self) -> dict[str, Any]:
        """Plain values: keep, sets, avoid, ranking, probes and the rest."""
        return {
            "model": self.model,
            "config": self.config.to_dict(),
            "precision": self.precision,
            "method": self.method,
            "by": self.by,
            "check": self.check,
            "state": self.state,
            "answer": self.answer,
            "words": self.words,
            "keep": list(self.keep),
            "sets": [list(one) for one in self.sets],
            "avoid": None if self.avoid is None else self.avoid.to_dict(),
            "ranking": [one.facts() for one in self.ranking],
            "probes": [_probe(one) for one in self.probes],
            "probe_count": len(self.probes),
            "notices": list(self.notices),
        }

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The head and the rows of a table of the ranking, for people."""
        rows: list[tuple[str, ...]] = [
            (
                one.name,
                str(len(one.ops)),
                _number(one.difference),
                _number(one.of_tolerance),
                "passes" if one.passed else "not judged" if one.passed is None else "FAILS",
                "keep" if one.name in self.keep else "",
                one.layers[0] + (f" and {len(one.layers) - 1} more" if len(one.layers) > 1 else "")
                if one.layers
                else "",
            )
            for one in self.ranking
        ]
        return ("type" if self.by == "type" else "op", *HEAD[1:]), rows

    def chart(self, theme: str = "light") -> go.Figure:
        """The ranking as bars.

        Args:
            theme: ``light`` or ``dark``.

        Raises:
            WorkbenchError: for another theme.
        """
        from workbench.verifying.sensitivity.chart import sensitivity_chart

        return sensitivity_chart(self, theme)

    def tail(self) -> list[str]:
        """The lines under the table: what fails, what avoids it, and how much was tried."""
        lines = []
        if self.sets:
            sets = "; ".join(" + ".join(one) for one in self.sets[:LISTED])
            if len(self.sets) > LISTED:
                sets += f"; and {len(self.sets) - LISTED} more"
            lines.append(f"fails in {self.precision} with all others in fp32: {sets}")
        if self.avoid is not None:
            lines.append(f"config to use: {self.avoid.label}")
        probes = "1 probe" if len(self.probes) == 1 else f"{len(self.probes)} probes"
        return [*lines, f"{probes} of {len(self.ranking)} {'types' if self.by == 'type' else 'ops'}"]

    def __str__(self) -> str:
        head, rows = self.table()
        shown = rows[:SHOWN]
        widths = [max(map(len, column)) for column in zip(head, *shown, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if 0 < at < 4 else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (head, *shown)
        ]
        if len(rows) > SHOWN:
            lines.append(f"and {len(rows) - SHOWN} more")
        return "\n".join([self.answer, *lines, *self.tail()])


def _probe(one: Probe) -> dict[str, Any]:
    facts = one.facts()
    return {
        "probe": facts["probe"],
        "lowered": facts["on"],
        "fp32": facts["off"],
        **{name: facts[name] for name in ("verdict", "words", "runs", "failed", "seconds")},
    }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
