"""What one probe of a bisection says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

Verdict = Literal["passes", "fails", "unresolved"]
On = frozenset[str]


class Outcome(msgspec.Struct, frozen=True):
    """What one run of the check says of one config.

    Attributes:
        verdict: "unresolved" where it neither passes nor shows a fault of the kind the check looks for.
        words: why, in a sentence.
        kind: of a failure; two failures of one kind are taken for the same fault.
        ran: the passes that the log shows up to the end or the crash; None where that is not known.
        seconds: how long it took.
    """

    verdict: Verdict
    words: str = ""
    kind: str = ""
    ran: tuple[str, ...] | None = None
    seconds: float = 0.0


@dataclass
class Probe:
    """One config and what every run of the check said of it.

    Attributes:
        number: its place in the order in which configs were first tried, from 1.
        on: the candidates that are on.
        off: the candidates that are off, in running order.
        runs: what was said, in the order it was.
    """

    number: int
    on: On
    off: tuple[str, ...]
    runs: list[Outcome] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """It fails if it ever did, and passes if it always did."""
        said = {one.verdict for one in self.runs}
        return "fails" if "fails" in said else "passes" if said == {"passes"} else "unresolved"

    @property
    def mixed(self) -> bool:
        """Whether its runs do not all say the same: then the fault is flaky."""
        return len({(one.verdict, one.kind) for one in self.runs}) > 1

    @property
    def kind(self) -> str:
        """The kind of failure that it shows most often."""
        kinds = Counter(one.kind for one in self.runs if one.verdict == "fails")
        return kinds.most_common(1)[0][0] if kinds else ""

    def shows(self, kind: str) -> bool:
        """Whether a run failed in this way."""
        return any(one.verdict == "fails" and one.kind == kind for one in self.runs)

    @property
    def telling(self) -> Outcome:
        """The run that the verdict rests on."""
        return next(one for one in self.runs if one.verdict == self.verdict)

    def facts(self) -> dict[str, Any]:
        """Plain values: probe, on (how many), off, verdict, words, runs, failed and seconds."""
        return {
            "probe": self.number,
            "on": len(self.on),
            "off": list(self.off),
            "verdict": self.verdict,
            "words": self.telling.words,
            "runs": len(self.runs),
            "failed": sum(one.verdict == "fails" for one in self.runs),
            "seconds": sum(one.seconds for one in self.runs),
        }


def pooled_rate(probes: Iterable[Probe]) -> float | None:
    """How often a config that can fail does, of all runs of those that ever did; None if none did.

    A config is not run again once it has failed, so this is the most likely rate of a geometric distribution.
    """
    failing = [probe for probe in probes if probe.verdict == "fails"]
    runs = sum(len(probe.runs) for probe in failing)
    failures = sum(one.verdict == "fails" for probe in failing for one in probe.runs)
    return failures / runs if runs else None
