"""Follows every op through the stages of a trace: what it became, and what it stands for."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import TraceError
from workbench.ir.diff import Diff, diff, diff_of
from workbench.ir.provenance import How, provenance

if TYPE_CHECKING:
    from workbench.ir import Graph, Op
    from workbench.tracing.passtrace import PassTrace, Stage

Keys = tuple[int, ...]
# What an op stands for; a constant computed ahead is read by an op and is no part of it.
_STANDS_FOR = frozenset({"fused", "replaced", "merged"})
# Ops named in a line of text.
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to some ops at one stage, by key.

    Attributes:
        stage: index of the stage whose pass did it.
        how: as in `workbench.ir.Event`.
        sources: keys of the ops it happened to.
        into: keys of what came of them, the op that gives the result first.
        lowering: True where Paddle itself did it, between the stage before and this pass.
    """

    stage: int
    how: How
    sources: Keys
    into: Keys
    lowering: bool = False


class Lineage:
    """A number, its key, for each op that ever was: the same op has the same key in all stages.

    An op of the model has its index at stage 0 for a key. Stages are read when asked for, in order, each
    once; no graph is kept.

    Attributes:
        types: per key the op's type when it was first seen.
        layers: per key the path of its layer then, "" when unknown.
        born: per key the stage whose pass made it, 0 for an op of the model.
    """

    def __init__(self, trace: PassTrace) -> None:
        self._trace = trace
        self._lock = threading.RLock()
        self._changes: list[Change] = []
        # Per key the places in `_changes` where it came of something, and where something happened to it.
        self._made: list[list[int]] = []
        self._met: list[list[int]] = []
        self.types: list[str] = []
        self.layers: list[str] = []
        self.born: list[int] = []
        self._before: list[Keys] = []
        self._after: list[Keys] = []

    @property
    def events(self) -> list[Change]:
        """All changes, in order; reads the stages not read yet."""
        self.advance(len(self._trace.stages) - 1)
        return list(self._changes)

    @property
    def so_far(self) -> list[Change]:
        """The changes of the stages read so far, in order; reads nothing."""
        return list(self._changes)

    def keys(self, stage: int) -> Keys:
        """The key of each op of the graph after a stage's pass.

        Raises:
            TraceError: there is no such stage.
        """
        self.advance(stage)
        return self._after[stage]

    def before_keys(self, stage: int) -> Keys:
        """The key of each op of the graph that a stage's pass was given.

        Raises:
            TraceError: there is no such stage.
        """
        self.advance(stage)
        return self._before[stage]

    def advance(self, stage: int) -> None:
        """Read the stages up to this one, those not read yet.

        Raises:
            TraceError: there is no such stage.
        """
        stages = self._trace.stages
        if not 0 <= stage < len(stages):
            raise TraceError(f"there is no stage {stage}: give one from 0 to {len(stages) - 1}")
        with self._lock:
            for index in range(len(self._after), stage + 1):
                self._read(stages[index])

    def made_by(self, key: int) -> int:
        """The stage whose pass made an op, 0 if it is in the model.

        Raises:
            TraceError: there is no such key in the stages read so far.
        """
        return self.born[self._known(key)]

    def origins(self, key: int, stage: int | None = None) -> Keys:
        """The ops of the model that an op stands for, by key.

        Args:
            key: a key.
            stage: what it stands for after this stage; None for the last one.

        Returns:
            Keys of ops at stage 0, ascending; for an op of the model also itself. Ops computed ahead into a
            constant that it reads are not among them: see `fate`.

        Raises:
            TraceError: there is no such stage or key.
        """
        last = len(self._trace.stages) - 1 if stage is None else stage
        self.advance(last)
        return self._origins([self._known(key)], last)

    def _origins(self, keys: Iterable[int], last: int) -> Keys:
        # What a source stands for counts up to the change that took it in.
        found: set[int] = set()
        reached: dict[int, int] = {}
        work = [(key, len(self._changes)) for key in keys]
        while work:
            key, until = work.pop()
            if reached.get(key, -1) >= until:
                continue
            reached[key] = until
            if self.born[key] == 0:
                found.add(key)
            for place in self._made[key]:
                change = self._changes[place]
                if place < until and change.stage <= last and change.how in _STANDS_FOR:
                    work.extend((source, place) for source in change.sources)
        return tuple(sorted(found))

    def fate(self, key: int) -> tuple[Change, ...]:
        """What happened to an op and to what it became part of, to the last stage.

        Where it became a part of several ops, the one that gives the result is followed.

        Raises:
            TraceError: there is no such key.
        """
        self.advance(len(self._trace.stages) - 1)
        found: list[Change] = []
        at, place = self._known(key), -1
        while True:
            following = next((one for one in self._met[at] if one > place), None)
            if following is None:
                return tuple(found)
            change = self._changes[following]
            found.append(change)
            if change.how not in _STANDS_FOR:
                return tuple(found)
            at, place = change.into[0], following

    def history(self, key: int) -> tuple[Change, ...]:
        """What made an op of what there was before, to the last stage: the changes it came of, in order.

        Those that computed a constant ahead which it reads, or which it took in with another op, are among
        them.

        Raises:
            TraceError: there is no such key.
        """
        self.advance(len(self._trace.stages) - 1)
        found: set[int] = set()
        work = [(self._known(key), len(self._changes))]
        while work:
            at, until = work.pop()
            for place in self._made[at]:
                if place < until and place not in found:
                    found.add(place)
                    change = self._changes[place]
                    if change.how in _STANDS_FOR:
                        work.extend((source, place) for source in change.sources)
        return tuple(self._changes[place] for place in sorted(found))

    def tell(self, key: int) -> list[str]:
        """The steps of `fate` in words.

        Raises:
            TraceError: there is no such key.
        """
        lines: list[str] = []
        at = key
        for change in self.fate(key):
            lines.append(f"{self._where(change)}: {self._what(change, at)}")
            at = change.into[0] if change.into else at
        return lines

    def _where(self, change: Change) -> str:
        if change.lowering:
            return f"{change.stage}, before the pass, when ops became kernels"
        return f"{change.stage}, {self._trace.stages[change.stage].pass_name}"

    def _what(self, change: Change, key: int) -> str:
        if change.how == "dropped":
            return "dropped"
        into = self.types[change.into[0]]
        if change.how == "folded":
            readers = f"{into} reads" if len(change.into) == 1 else f"{len(change.into)} ops read"
            return f"computed ahead into a constant that {readers}"
        if change.how == "replaced":
            return f"replaced by {into}"
        others = [self.types[source] for source in change.sources if source not in (key, change.into[0])]
        listed = ", ".join(others[:_LISTED]) + (
            f" and {len(others) - _LISTED} more" if others[_LISTED:] else ""
        )
        if key == change.into[0]:
            what = "stands for" if change.how == "merged" else "took over"
            return f"{into} {what} {listed}"
        if change.how == "merged":
            return f"merged into another {into} that gives the same"
        return f"fused with {listed} into {into}" if listed else f"fused into {into}"

    def layers_of(self, stage: int) -> list[str]:
        """Per op of a stage the path of its layer; without one, what those of its origins have in common.

        Raises:
            TraceError: there is no such stage.
        """
        keys = self.keys(stage)
        with self._lock:
            return [self.layers[key] or self._common_layer(key, stage) for key in keys]

    def compare(self, first: int, second: int) -> Diff:
        """What is different between the graphs of two stages, however far apart.

        Ops are the same where their keys are, so an op whose type a pass rewrote is altered.

        Raises:
            TraceError: there is no such stage.
        """
        ours, theirs = self.keys(first), self.keys(second)
        places = {key: index for index, key in enumerate(theirs)}
        matched = {index: places[key] for index, key in enumerate(ours) if key in places}
        return diff_of(self._trace.stages[first].graph, self._trace.stages[second].graph, matched)

    def _common_layer(self, key: int, stage: int) -> str:
        paths = [path for origin in self._origins([key], stage) if (path := self.layers[origin])]
        if not paths:
            return ""
        parts = [path.split("/") for path in paths]
        # What is common to the first and the last in order is common to all.
        first, last = min(parts), max(parts)
        same = 0
        while same < min(len(first), len(last)) and first[same] == last[same]:
            same += 1
        return "/".join(first[:same])

    def _known(self, key: int) -> int:
        if not 0 <= key < len(self.born):
            raise TraceError(f"there is no op with key {key}: take keys from Lineage.keys")
        return key

    def _read(self, stage: Stage) -> None:
        if stage.index == 0:
            graph = stage.graph
            keys = tuple(self._born(op, 0) for op in graph.ops)
            self._before.append(keys)
            self._after.append(keys)
            return
        previous = self._after[stage.index - 1]
        before = after = previous
        if stage.lowered:
            last, given = self._trace.stages[stage.index - 1].graph, stage.before
            before = after = self._through(
                stage.index, last, given, diff(last, given), previous, lowering=True
            )
        if stage.changed:
            after = self._through(stage.index, stage.before, stage.graph, stage.diff, before)
        elif stage.rewritten:
            # Nothing changed, but the dump may list the ops in another order.
            after = _moved(stage.diff, before, len(stage.graph.ops))
        self._before.append(before)
        self._after.append(after)

    def _through(
        self, stage: int, before: Graph, after: Graph, found: Diff, keys: Keys, *, lowering: bool = False
    ) -> Keys:
        """The keys after a change, whose events are kept."""
        events = provenance(before, after, found)
        now = dict.fromkeys(found.added, -1)
        now.update((second, keys[first]) for first, second in found.matched.items())
        for index in found.added:
            now[index] = self._born(after.ops[index], stage)
        for event in events:
            change = Change(
                stage,
                event.how,
                tuple(keys[index] for index in event.sources),
                tuple(now[index] for index in event.into),
                lowering,
            )
            place = len(self._changes)
            self._changes.append(change)
            for key in change.sources:
                self._met[key].append(place)
            for key in change.into:
                self._made[key].append(place)
        return tuple(now[index] for index in range(len(after.ops)))

    def _born(self, op: Op, stage: int) -> int:
        self.types.append(op.type)
        self.layers.append(op.layer)
        self.born.append(stage)
        self._made.append([])
        self._met.append([])
        return len(self.born) - 1


def _moved(found: Diff, keys: Keys, count: int) -> Keys:
    now = [-1] * count
    for first, second in found.matched.items():
        now[second] = keys[first]
    return tuple(now)
