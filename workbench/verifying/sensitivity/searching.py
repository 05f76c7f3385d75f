"""From single candidates to the ranking, and from the ranking to what has to stay in fp32."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence

from workbench.verifying.bisection.ledger import Ledger
from workbench.verifying.bisection.outcome import On, Outcome, Probe
from workbench.verifying.bisection.search import Found, Part, Search
from workbench.verifying.ddmin import ddmin
from workbench.verifying.sensitivity.results import Ranked
from workbench.verifying.sensitivity.ways import Way

# Probes that the search may spend beside the ranking. Where many small errors add up, there may be far more
# smallest sets than can be tried.
PROBES_MOST = 300
SHORTENED = (
    f"the search ended after {PROBES_MOST} probes: sets that fail may be smaller, and there may be others"
)
NOT_LEAST = "fewer may be enough to keep in fp32: the search ended before that was certain"
# How the search ends a notice on a set that fails with others off and passes with them on.
_ONLY = " fails too, but only while others are off: it may need one of them"


class _EnoughError(Exception):
    """All probes are spent."""


class Spending:
    """Tries configs, up to so many.

    Args:
        probe: tries one.

    Attributes:
        left: how many it may still try.
    """

    def __init__(self, probe: Callable[[On], Outcome]) -> None:
        self._probe = probe
        self.left = PROBES_MOST

    def __call__(self, on: On) -> Outcome:
        """Try one.

        Raises:
            _EnoughError: if none is left.
        """
        if not self.left:
            raise _EnoughError
        self.left -= 1
        return self._probe(on)


def ranked(
    way: Way, tell: Callable[[float, str], object], *, by_tolerance: bool
) -> tuple[list[Ranked], dict[str, Outcome]]:
    """Try every candidate alone in the lower precision.

    Args:
        way: how it is tried.
        tell: called before each with the share done and its name.
        by_tolerance: whether what counts is the difference in relation to the tolerance, or by norm.

    Returns:
        What came of it, what differs most first, and what was said of each.
    """
    rows: list[Ranked] = []
    outcomes: dict[str, Outcome] = {}
    for number, one in enumerate(way.candidates):
        tell(number / len(way.candidates), one.name)
        way.judge.gap = None
        outcome = outcomes[one.name] = way.probe(frozenset([one.name]))
        gap = way.judge.gap
        rows.append(
            Ranked(
                one.name,
                one.ops,
                one.layers,
                None if gap is None else gap.difference,
                None if gap is None else gap.of_tolerance,
                None if outcome.verdict == "unresolved" else outcome.verdict == "passes",
                outcome.words,
            )
        )

    def size(row: Ranked) -> float:
        found = row.of_tolerance if by_tolerance else row.difference
        # What does not even run is the worst.
        return math.inf if found is None else found

    return sorted(rows, key=size, reverse=True), outcomes


def search(ledger: Ledger, spending: Spending, single: Sequence[str]) -> Found:
    """Find the smallest sets of candidates that fail in the lower precision, and what to keep out of it.

    Args:
        ledger: tries configs, by what is in the lower precision; its names begin with what differs most.
        spending: what the ledger tries them with.
        single: candidates that fail alone. They stay in fp32, also where the errors of others happen to
            cancel theirs out, which other inputs may not do.
    """
    names = ledger.names
    full = ledger.sample(names, 1)
    if full.verdict != "fails":
        return Found("does not fail" if full.verdict == "passes" else "unresolved")
    rest = _without(names, single)
    spending.left = PROBES_MOST
    try:
        inner = Search(ledger)
        inner.names = rest
        found = inner.find()
    except _EnoughError:
        found = _least_kept(ledger, spending, rest)
    if found.state not in ("found", "does not fail") or (found.state == "found" and found.off is None):
        return found
    off = tuple(name for name in names if name in single or name in (found.off or ()))
    return Found("found", found.sets, off, notices=found.notices)


def _least_kept(ledger: Ledger, spending: Spending, rest: Part) -> Found:
    """What to keep is what is wanted most, and takes fewer probes than all sets that fail."""
    spending.left = PROBES_MOST
    notices = [SHORTENED]
    try:
        off: Part | None = ddmin(rest, lambda kept: ledger.ask(_without(rest, kept)).verdict == "passes")
    except _EnoughError:
        alone = set(ledger.names) - set(rest)
        passing = [one for one in tried(ledger) if one.verdict == "passes" and not alone & one.on]
        off = min((_without(rest, one.on) for one in passing), key=len, default=None)
        notices.append(NOT_LEAST)
    failing = min((one for one in tried(ledger) if one.verdict == "fails"), key=lambda one: len(one.on))
    return Found("found", [tuple(name for name in ledger.names if name in failing.on)], off, notices=notices)


def _without(names: Sequence[str], others: Container[str]) -> Part:
    return tuple(name for name in names if name not in others)


def tried(ledger: Ledger) -> list[Probe]:
    """The probes that were run."""
    return [one for one in ledger.probes.values() if one.runs]


def with_single(found: Found, single: Sequence[str]) -> tuple[list[Part], list[str]]:
    """The sets that fail, and what is to be known of the search, in words that fit.

    Args:
        found: what was found, in terms of what is on and off.
        single: candidates that fail alone: each is a smallest set, found by the search or not. It leaves out
            those that pass together with others, as rounding errors may that cancel out.
    """
    sets: list[Part] = [(name,) for name in single] if found.state == "found" else []
    sets += [part for part in found.sets if not set(part) & set(single)]
    cancelled = [text.removesuffix(_ONLY) for text in found.notices if text.endswith(_ONLY)]
    if found.state == "does not fail":
        cancelled += single
    told = [
        text.replace("with all of them off", "with all of them in fp32")
        for text in found.notices
        if not text.endswith(_ONLY)
    ]
    if cancelled:
        told.append(
            f"{'; '.join(cancelled)}: too much alone, and not together with others, whose errors cancel "
            "theirs out; inputs of more rows may say more"
        )
    return sets, told
