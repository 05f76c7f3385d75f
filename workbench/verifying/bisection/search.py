"""The search for the passes that make a check fail: names and answers, and nothing of Paddle."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from workbench.verifying.bisection.ledger import Ledger
from workbench.verifying.bisection.outcome import On, Probe
from workbench.verifying.ddmin import ddmin

# The full config is tried so often, and the config that avoids the fault.
TRIES = 3
# Of a flaky one, so often: from three runs its rate is hardly known. And a full config that passes, before
# that is believed: a fault that shows in every other run stays unseen in one of 4,000.
FLAKY_TRIES = 12
# With one of several passes left out, so often at least: a flaky fault that was missed looks like a pair.
CONFIRMING = 8
# Probes that may be spent on whether there is a smaller set than those found.
SMALLER_MOST = 64

State = Literal["found", "does not fail", "no pass does it", "unresolved"]
Part = tuple[str, ...]


@dataclass
class Found:
    """What the search found.

    Attributes:
        state: how it ended; "unresolved" if the full config neither passes nor fails.
        sets: the smallest parts that fail, in the order found.
        off: what to switch off so that the check passes; None if nothing was found that helps.
        stuck: candidates that ran although switched off, and are none.
        notices: what else is to be known, a sentence each.
    """

    state: State
    sets: list[Part] = field(default_factory=list)
    off: Part | None = None
    stuck: Part = ()
    notices: list[str] = field(default_factory=list)

    @property
    def guilty(self) -> Part:
        """The smallest of the sets, and of several the first."""
        return min(self.sets, key=len, default=())


class Search:
    """Finds the smallest sets of candidates that make a check fail, and what to switch off.

    A probe that is unresolved, or fails in another way than the config that is being cut down, does not show
    the fault that is looked for: it counts as not failing while a set is cut down, and as not passing while
    a config is looked for that passes.

    Args:
        ledger: tries configs; its names are the candidates.
        most: sets that are looked for; as many as there are if None.
    """

    def __init__(self, ledger: Ledger, most: int | None = None) -> None:
        self.ledger = ledger
        self.names: Part = ledger.names
        self._most = most
        self._stuck: Part = ()
        self._notices: list[str] = []

    def find(self) -> Found:
        """Search.

        Returns:
            What was found. Each set fails, and does not so without any one of its passes. Of faults that need
            up to three passes, the smallest is among them, unless a notice says that the search was cut off.
        """
        full = self.ledger.sample(self.names, TRIES)
        if full.verdict == "passes" and self._most is None:
            # Whoever asks has seen it fail. A latency is slow now and then by chance, so not that.
            full = self.ledger.ask(self.names, runs=FLAKY_TRIES)
        if full.verdict != "fails":
            return Found("does not fail" if full.verdict == "passes" else "unresolved")
        if full.mixed:
            self.ledger.sample(self.names, FLAKY_TRIES)
        none = self.ledger.ask((), full.kind)
        self._stuck = tuple(name for name in self.names if name in (none.runs[0].ran or ()))
        self.names = tuple(name for name in self.names if name not in self._stuck)
        if none.shows(full.kind):
            return self._ended("no pass does it")
        if none.verdict != "passes":
            self._notices.append(f"with all of them off it is another story: {none.telling.words}")
        if not self.names:
            return self._ended("no pass does it")
        sets, off = self._rounds(full)
        if sets and min(map(len, sets)) > 1:
            self._smaller(sets)
        return self._told(sets, off)

    # Cutting down

    def _rounds(self, state: Probe) -> tuple[list[Part], Part | None]:
        """One set after another, each in the config that is left when one pass of the one before is off."""
        left, removed = self.names, list[str]()
        sets: list[Part] = []
        while state.verdict == "fails":
            if self._enough(sets):
                return sets, None
            found = self._cut(left, state)
            if found not in sets:
                sets.append(found)
            step = self._without_one(left, found)
            if step is None:
                more = self._least_off(left)
                if more is None:
                    return sets, None
                removed += more
                break
            name, state = step
            removed.append(name)
            left = _less(left, (name,))
        return sets, self._back_on(removed)

    def _enough(self, sets: Sequence[Part]) -> bool:
        """Whether no more sets are looked for, which a notice says."""
        if self._most is None or len(sets) < self._most:
            return False
        self._cut_off(
            f"after {self._most} sets no more were looked for: others may fail, too, or noise looks like it"
        )
        return True

    def _cut_off(self, notice: str) -> None:
        if notice not in self._notices:
            self._notices.append(notice)

    def _cut(self, left: Part, state: Probe) -> Part:
        """A smallest part of ``left`` that fails as ``state``, which is the config of ``left``, does."""
        kind = state.kind
        ran = state.telling.ran
        # What comes after a crash never ran.
        reached = left if ran is None else tuple(name for name in left if name in ran)

        def fails(part: Part) -> bool:
            return self._ask(part, kind).shows(kind)

        part = ddmin(reached, fails)
        if not part or (part == reached and part != left and not fails(part)):
            part = ddmin(left, fails)
        return self._confirmed(part, kind)

    def _confirmed(self, part: Part, kind: str) -> Part:
        """Leave out each pass of several again and again: a fault that flickers may need fewer."""
        while len(part) > 1:
            rests = (_less(part, (name,)) for name in part)
            smaller = next(
                (rest for rest in rests if self._ask(rest, kind, runs=CONFIRMING).shows(kind)), None
            )
            if smaller is None:
                break
            part = ddmin(smaller, lambda some: self._ask(some, kind).shows(kind))
        return part

    def _smaller(self, sets: list[Part]) -> None:
        """Look for sets smaller than those found, in configs where all that were found cannot fail.

        Two smallest sets do not hold each other. So a set smaller than the smallest one found, of so many
        passes, shares at most two passes less than that with any other, and fails with the rest of it off.
        """
        seen: set[On] = set()
        tried = len(self.ledger.probes)

        def visit(off: On, found: Part) -> None:
            found = self._whatever_way(found, sets)
            shared = min(map(len, sets)) - 2
            for kept in itertools.combinations(found, max(shared, 0)):
                gone = off | (set(found) - set(kept))
                if min(map(len, sets)) == 1 or gone in seen:
                    continue
                if self._enough(sets):
                    return
                if len(self.ledger.probes) - tried >= SMALLER_MOST:
                    self._cut_off("whether a smaller set fails, too, was not searched to the end")
                    return
                seen.add(gone)
                rest = tuple(name for name in self.names if name not in gone)
                state = self._ask(rest)
                if state.verdict == "fails":
                    other = self._cut(rest, state)
                    if other not in sets:
                        sets.append(other)
                    visit(gone, other)

        visit(frozenset(), sets[0])

    def _whatever_way(self, found: Part, sets: list[Part]) -> Part:
        """A set may hold a smaller one that fails in another way, which it hides."""
        for name in found if len(found) > 1 else ():
            rest = _less(found, (name,))
            state = self._ask(rest)
            if state.verdict == "fails":
                other = self._cut(rest, state)
                if other not in sets:
                    sets.append(other)
                return self._whatever_way(other, sets)
        return found

    # Avoiding

    def _without_one(self, left: Part, found: Part) -> tuple[str, Probe] | None:
        """The pass to leave out so that the check passes, or so that it still can be judged."""
        failing = None
        for name in found:
            state = self._ask(_less(left, (name,)), runs=TRIES)
            if state.verdict == "passes":
                return name, state
            if state.verdict == "fails" and failing is None:
                failing = name, state
        return failing

    def _least_off(self, left: Part) -> Part | None:
        """As few passes as must be off so that the check passes; None if it does not with all of them off."""

        def passes(off: Part) -> bool:
            return self._ask(_less(left, off), runs=TRIES).verdict == "passes"

        return ddmin(left, passes) if passes(left) else None

    def _back_on(self, removed: Sequence[str]) -> Part:
        """What must stay off: an earlier one may be needless now that a later one is off."""
        off = list(removed)
        for name in removed[:-1]:
            fewer = [one for one in off if one != name]
            if self._ask(_less(self.names, fewer), runs=TRIES).verdict == "passes":
                off = fewer
        return tuple(name for name in self.names if name in off)

    # The end

    def _ask(self, on: Iterable[str], kind: str | None = None, *, runs: int = 1) -> Probe:
        # What ran although it was off was on with all of them off, too.
        on = set(on)
        return self.ledger.ask((*on, *self._stuck) if on else (), kind, runs=runs)

    def _told(self, sets: list[Part], off: Part | None) -> Found:
        """Leave out sets that fail only while others are off: a config with all of their passes on passes."""
        passing = [one.on for one in self.ledger.probes.values() if one.verdict == "passes"]
        kept = [part for part in sets if not any(set(part) <= on for on in passing)]
        for part in sets:
            if part not in kept:
                self._notices.append(
                    f"{' + '.join(part)} fails too, but only while others are off: it may need one of them"
                )
        return self._ended("found", kept or sets, off)

    def _ended(self, state: State, sets: list[Part] | None = None, off: Part | None = None) -> Found:
        notices = [f"{name} runs although it is switched off, so it was left on" for name in self._stuck]
        return Found(state, sets or [], off, self._stuck, [*notices, *self._notices])


def _less(part: Sequence[str], names: Iterable[str]) -> Part:
    gone = set(names)
    return tuple(name for name in part if name not in gone)
