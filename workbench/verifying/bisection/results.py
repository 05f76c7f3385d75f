"""What a bisection gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.config import InferenceConfig
from workbench.verifying.bisection.outcome import Probe
from workbench.verifying.bisection.search import State


@dataclass(frozen=True)
class Bisection:
    """The passes that make a check fail.

    Attributes:
        model: the model's name.
        config: the config that was bisected.
        check: "output", "crash", "latency" or "function".
        state: "found", "does not fail" (the check passes with all passes on) or "no pass does it" (it fails
            with all of them off, too).
        words: what the check said of the full config.
        guilty: the smallest of ``sets``; empty unless something was found.
        sets: sets of passes, in the order found: each makes the check fail with all other candidates off,
            and does not in this way without any one of its passes.
        avoid: the config that passes the check; None if there is none, or if nothing fails.
        candidates: the passes that run and can be switched off, in running order.
        probes: the configs that were tried, in order.
        changes: what each pass of ``guilty`` changed in the graph, a line each.
        failure_rate: of a flaky fault, the share of runs that fail; None if it always fails.
        notices: what else is to be known, a sentence each.
        folder: where the probes are kept; None if they are not.
    """

    model: str
    config: InferenceConfig
    check: str
    state: State
    words: str
    guilty: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]
    avoid: InferenceConfig | None
    candidates: tuple[str, ...]
    probes: tuple[Probe, ...]
    changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failure_rate: float | None = None
    notices: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def runs(self) -> int:
        """How often a config was tried, repeats counted."""
        return sum(len(probe.runs) for probe in self.probes)

    @property
    def answer(self) -> str:
        """What was found, in a sentence."""
        if self.state == "does not fail":
            return f"the check {self.check} does not fail: {self.words}"
        if self.state == "no pass does it":
            return f"no pass does it: the check {self.check} fails with all of them off, too: {self.words}"
        if len(self.guilty) == 1:
            return f"{self.guilty[0]} makes the check {self.check} fail: {self.words}"
        return f"{' + '.join(self.guilty)} together make the check {self.check} fail: {self.words}"

    def facts(self) -> dict[str, Any]:
        """Plain values: guilty, sets, avoid, probes and the rest."""
        return {
            "model": self.model,
            "config": self.config.to_dict(),
            "check": self.check,
            "state": self.state,
            "answer": self.answer,
            "guilty": list(self.guilty),
            "sets": [list(part) for part in self.sets],
            "avoid": None if self.avoid is None else self.avoid.to_dict(),
            "candidates": list(self.candidates),
            "probes": [probe.facts() for probe in self.probes],
            "probe_count": len(self.probes),
            "run_count": self.runs,
            "changes": {name: list(lines) for name, lines in self.changes.items()},
            "failure_rate": self.failure_rate,
            "notices": list(self.notices),
            "folder": None if self.folder is None else str(self.folder),
        }

    def __str__(self) -> str:
        lines = [self.answer]
        for name, told in self.changes.items():
            lines += [f"what {name} changed:", *(f"  {line}" for line in told)]
        others = [" + ".join(part) for part in self.sets if part != self.guilty]
        if others:
            lines.append(f"fails as well: {'; '.join(others)}")
        if self.avoid is not None:
            off = [name for name in self.avoid.disabled_passes if name not in self.config.disabled_passes]
            out = [name for name in self.config.enabled_passes if name not in self.avoid.enabled_passes]
            ways = [
                f"{how}: {', '.join(names)}"
                for how, names in (("switching off", off), ("not adding", out))
                if names
            ]
            lines.append(f"avoided by {'; '.join(ways)}")
        elif self.state == "found":
            lines.append("no config was found that avoids it")
        probes = "1 probe" if len(self.probes) == 1 else f"{len(self.probes)} probes"
        lines.append(f"{probes} of {len(self.candidates)} passes, {self.runs} runs")
        return "\n".join(lines)
