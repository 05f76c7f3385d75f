"""Says what a pass made of what: which ops of the graph after stand for which of the graph before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.ir.diff import Diff, canonical_type
from workbench.ir.diff.altered import same_attrs
from workbench.ir.diff.match import Matcher
from workbench.ir.diff.side import Side, frozen_attrs
from workbench.ir.graph import Graph, Op

How = Literal["fused", "replaced", "merged", "folded", "dropped", "made"]

# What carries values into and out of a model: computed from nothing, but no constant.
_STARTS = frozenset({"data", "fetch"})
# Further back than this, a removed op is taken to depend on what replaced it.
_WALK = 256


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a pass did.

    Attributes:
        how: "fused" where several ops became one (and what that one needs, such as arithmetic on its
            weights); "replaced" where another op stands for one op; "merged" where another op that stays
            gives the same result; "folded" where the result was computed ahead, into a constant that the
            ops of ``into`` read; "dropped" where nothing stands for the op; "made" for an op that stands
            for none.
        sources: indices in the graph before, ascending: removed ops and, for "fused" and "merged", the op
            that stays and takes them over.
        into: indices in the graph after. Unless it is "folded", the first one gives the result and the
            others, ascending, are there for it.
    """

    how: How
    sources: tuple[int, ...]
    into: tuple[int, ...]


def provenance(before: Graph, after: Graph, found: Diff) -> tuple[Event, ...]:
    """Explains every op that a pass added or removed.

    What counts is the data flow around a change: an op that gives what a removed op gave stands for it, and
    so does one that reads its parameters. What is left goes to the op its input was fused into, else to
    the one that needs its output.

    Args:
        before: the graph before the pass.
        after: the graph after it.
        found: their difference.

    Returns:
        The events, those with sources first, by their first source. Every removed op is a source of exactly
        one event, every added op is in ``into`` of exactly one.
    """
    if not found.added and not found.removed:
        return ()
    return _Provenance(before, after, found).events()


class _Provenance:
    """Gives every removed op its fate: an op after, constants that are read after, or nothing."""

    def __init__(self, before: Graph, after: Graph, found: Diff) -> None:
        self.before = Side(before)
        self.after = Side(after)
        self.found = found
        self.matched = found.matched
        self.origin = {second: first for first, second in found.matched.items()}
        self.removed = frozenset(found.removed)
        self.added = frozenset(found.added)
        self.constant_before = _constant(self.before)
        self.constant_after = _constant(self.after)
        # Removed op to the added op that is the same computation under another name.
        self.pairs: dict[int, int] = {}
        # Removed op to the op after that stands for it, and those whose result that op gave already.
        self.label: dict[int, int] = {}
        self.merged: set[int] = set()
        # Removed op to the matched ops that read its result as a constant now.
        self.folded: dict[int, frozenset[int]] = {}
        self.dropped: set[int] = set()
        self._own: dict[int, bool] = {}
        self._numbers: list[int] | None = None

    def events(self) -> tuple[Event, ...]:
        if self.removed:
            self._pair_kin()
            self._anchor_sinks()
            self._anchor_parameters()
            self._drop_dead()
            self._anchor_sources(alone=True)
            self._follow_producers()
            self._follow_readers()
            self._anchor_sources(alone=False)
            self._follow_producers()
            self._follow_readers()
        return self._collect()

    def _pair_kin(self) -> None:
        """Pairs removed and added ops of one kind: ``pd_op.relu`` and ``onednn_op.relu``."""
        matcher = Matcher(self.before, self.after)
        for first, second in self.matched.items():
            matcher.pair(first, second)
        kin_before: list[object] = _kin(self.before, self.removed, self.constant_before)
        kin_after: list[object] = _kin(self.after, self.added, self.constant_after)
        self._pair_by_parameters(matcher, kin_before, kin_after)
        matcher.propagate(kin_before, kin_after, strict=True)
        matcher.propagate(kin_before, kin_after)
        for first, second in matcher.pairs.items():
            if first in self.removed:
                self.pairs[first] = second
                self.label[first] = second

    def _pair_by_parameters(
        self, matcher: Matcher, kin_before: Sequence[object], kin_after: Sequence[object]
    ) -> None:
        readers_before = self._parameter_readers(self.before, self.removed, self.constant_before)
        readers_after = self._parameter_readers(self.after, self.added, self.constant_after)
        for name, firsts in readers_before.items():
            seconds = readers_after.get(name, [])
            if len(firsts) != len(seconds):
                continue
            for first, second in zip(firsts, seconds, strict=True):
                if (
                    kin_before[first] == kin_after[second]
                    and first not in matcher.pairs
                    and second not in matcher.reverse
                ):
                    matcher.pair(first, second)

    def _parameter_readers(
        self, side: Side, open_ops: Iterable[int], constant: Sequence[bool]
    ) -> dict[str, list[int]]:
        """Parameter name to the open ops on activations that read it, also through open ops on constants."""
        among = open_ops if isinstance(open_ops, frozenset) else frozenset(open_ops)
        readers: dict[str, list[int]] = {}
        carried: dict[int, dict[str, None]] = {}
        for index in sorted(among):
            names = dict.fromkeys(side.parameter_names[index])
            for source in side.sources[index]:
                if source is not None and source[0] in carried:
                    names.update(carried[source[0]])
            if constant[index]:
                carried[index] = names
            else:
                for name in names:
                    readers.setdefault(name, []).append(index)
        return readers

    def _anchor_sinks(self) -> None:
        replaced: dict[int, tuple[int, int]] = {}
        lost: dict[int, int] = {}
        folded: dict[int, set[int]] = {}
        readers = {
            reader: self.matched.get(reader, self.pairs.get(reader))
            for index in self.removed
            for reader, _, _ in self.before.users[index]
        }
        for reader in sorted(readers):
            now = readers[reader]
            if now is None:
                continue
            for source, other in self._aligned(reader, now):
                if source not in self.removed or source in self.pairs:
                    continue
                if other is None:
                    lost.setdefault(source, now)
                elif other == _CONSTANT:
                    if reader in self.matched:
                        folded.setdefault(source, set()).add(now)
                elif other in self.added:
                    if self.constant_before[source] or not self.constant_after[other]:
                        self.label.setdefault(source, other)
                else:
                    replaced.setdefault(source, (other, now))
        for source, (other, now) in sorted(replaced.items()):
            if source not in self.label:
                self._absorbed(source, other, now)
        for source, into in folded.items():
            if source not in self.label and source not in self.dropped:
                self.folded[source] = frozenset(into)
        for source, now in lost.items():
            if source not in self.folded and source not in self.dropped:
                self.label.setdefault(source, now)

    def _aligned(self, first: int, second: int) -> list[tuple[int, int | None]]:
        """The ops that wrote each input before, with what writes it after.

        What writes it after is an op, `_CONSTANT` for a parameter or constant, None if the input is gone.
        """
        ours, theirs = self.before.sources[first], self.after.sources[second]
        inputs_before, inputs_after = self.before.ops[first].inputs, self.after.ops[second].inputs

        def writer(place: int) -> int:
            source = theirs[place]
            return _CONSTANT if source is None else source[0]

        if self.before.ordered and len(ours) == len(theirs):
            return [
                (source[0], writer(place))
                for place, source in enumerate(ours)
                if source is not None and (theirs[place] is not None or not _argument(inputs_after[place]))
            ]
        # Leave out what is the same on both sides; the rest corresponds in its order.
        same: dict[object, list[int]] = {}
        for place, source in enumerate(theirs):
            same.setdefault(self.after.name(inputs_after[place]) if source is None else source[0], []).append(
                place
            )
        open_ours: list[int] = []
        taken: set[int] = set()
        for place, source in enumerate(ours):
            key: object = (
                self.before.name(inputs_before[place])
                if source is None
                else self.matched.get(source[0], self.pairs.get(source[0], -1))
            )
            if same.get(key):
                taken.add(same[key].pop())
            elif source is not None and source[0] in self.removed:
                open_ours.append(source[0])
        open_theirs = [place for place in range(len(theirs)) if place not in taken]
        if len(open_theirs) > len(open_ours):
            # An op took something over: what ops write stands for what ops wrote.
            open_theirs.sort(key=lambda place: (theirs[place] is None, place))
        found: list[tuple[int, int | None]] = []
        for at, index in enumerate(open_ours):
            found.append((index, writer(open_theirs[at]) if at < len(open_theirs) else None))
        return found

    def _absorbed(self, source: int, other: int, reader: int) -> None:
        """A matched op's result took the place of a removed op's."""
        kept = self.origin[other]
        if self._number(source) == self._number(kept) or not self._depends(source, kept):
            self.merged.add(source)
            self.label[source] = other
        elif self._altered_itself(kept, other):
            self.label[source] = other
        elif (
            reader in self.origin and self._altered_itself(self.origin[reader], reader)
        ) or reader in self.added:
            self.label[source] = reader
        elif not self.before.ordered and not self.after.ops[other].attrs:
            # A dump without attributes cannot show that the op took over what was removed.
            self.label[source] = other
        else:
            self.dropped.add(source)

    def _altered_itself(self, first: int, second: int) -> bool:
        """Whether an op is another one now, beside reading the same from somewhere else."""
        found = self._own.get(second)
        if found is None:
            mine, other = self.before.ops[first], self.after.ops[second]
            found = len(mine.inputs) != len(other.inputs) or not same_attrs(mine, other, self.before.ordered)
            self._own[second] = found
        return found

    def _depends(self, index: int, on: int) -> bool:
        """Whether a removed op is computed from an op through removed ops alone."""
        seen = {index}
        work = [index]
        while work and len(seen) < _WALK:
            for source in self.before.sources[work.pop()]:
                if source is None or source[0] in seen:
                    continue
                if source[0] == on:
                    return True
                if source[0] in self.removed:
                    seen.add(source[0])
                    work.append(source[0])
        return bool(work)

    def _number(self, index: int) -> int:
        """A number that ops before share exactly if they are the same computation of the same values."""
        if self._numbers is None:
            numbers: list[int] = []
            known: dict[object, int] = {}
            cache: dict[object, object] = {}
            for op, sources in zip(self.before.ops, self.before.sources, strict=True):
                read = tuple(
                    self.before.name(value) if source is None else (numbers[source[0]], source[1])
                    for value, source in zip(op.inputs, sources, strict=True)
                )
                own = op.index if canonical_type(op.type) in _STARTS else frozen_attrs(op.attrs, cache)
                key = (op.type, own, read, self.before.output_types[op.index])
                numbers.append(known.setdefault(key, op.index))
            self._numbers = numbers
        return self._numbers[index]

    def _anchor_parameters(self) -> None:
        """An op that reads a parameter of a removed op stands for it."""
        readers_before = self._parameter_readers(self.before, self.removed, self.constant_before)
        readers_after = self._parameter_readers(self.after, self.added, self.constant_after)
        taken = self._parameters_taken() if readers_before else {}
        for name, firsts in readers_before.items():
            seconds = readers_after.get(name) or taken.get(name, [])
            if len(firsts) == len(seconds):
                for first, second in zip(firsts, seconds, strict=True):
                    if not self._settled(first):
                        self.label[first] = second
            elif len(seconds) == 1:
                for first in firsts:
                    if not self._settled(first):
                        self.label[first] = seconds[0]

    def _parameters_taken(self) -> dict[str, list[int]]:
        """Parameter name to the matched ops that read it only now."""
        taken: dict[str, list[int]] = {}
        for first, second in self.found.altered:
            known = set(self.before.parameter_names[first])
            for name in self.after.parameter_names[second]:
                if name not in known:
                    taken.setdefault(name, []).append(second)
        return taken

    def _settled(self, index: int) -> bool:
        return index in self.label or index in self.folded or index in self.dropped

    def _drop_dead(self) -> None:
        """What nobody read, or only what nobody read, was no longer needed."""
        for index in sorted(self.removed, reverse=True):
            if self._settled(index) or canonical_type(self.before.ops[index].type) in _STARTS:
                continue
            if all(user in self.dropped for user, _, _ in self.before.users[index]):
                self.dropped.add(index)

    def _follow_producers(self) -> None:
        """An op goes where the op it reads went: an activation to the convolution before it."""
        for index in sorted(self.removed):
            if self._settled(index) or self.constant_before[index]:
                continue
            found = [
                source[0]
                for source in self.before.sources[index]
                if source is not None and source[0] in self.label and not self.constant_before[source[0]]
            ]
            if found:
                self.label[index] = self.label[max(found)]
                continue
            for source in self.before.sources[index]:
                now = None if source is None else self.matched.get(source[0])
                if source is not None and now is not None and self._altered_itself(source[0], now):
                    self.label[index] = now

    def _follow_readers(self) -> None:
        """An op goes where the op that reads it went: a constant to the op that takes it."""
        for index in sorted(self.removed, reverse=True):
            if self._settled(index):
                continue
            users = sorted({user for user, _, _ in self.before.users[index]})
            into = [self.folded[user] for user in users if user in self.folded]
            labelled = [user for user in users if user in self.label]
            if into:
                shared = into[0] if len(set(into)) == 1 else frozenset[int]().union(*into)
                self.folded[index] = shared
            elif labelled:
                self._follow(index, labelled)
            elif users and all(user in self.dropped for user in users):
                self.dropped.add(index)

    def _follow(self, index: int, users: list[int]) -> None:
        if all(user in self.merged for user in users):
            number = self._number(index)
            if number != index and number in self.matched:
                self.label[index] = self.matched[number]
                self.merged.add(index)
                return
        self.label[index] = self.label[users[0]]

    def _anchor_sources(self, *, alone: bool) -> None:
        """The only added op that reads a value stands for a removed one that read it.

        With alone=True only where that one was the only removed op that did, and not behind an op that is
        another now, which may have taken it over.
        """
        for index in sorted(self.removed):
            if self._settled(index) or self.constant_before[index]:
                continue
            for source in self.before.sources[index]:
                now = None if source is None else self.matched.get(source[0])
                if source is None or now is None:
                    continue
                if alone and self._altered_itself(source[0], now):
                    continue
                readers = {
                    user
                    for user, _, _ in self.after.users[now]
                    if user in self.added and not self.constant_after[user]
                }
                if len(readers) != 1:
                    continue
                rivals = {user for user, _, _ in self.before.users[source[0]] if user in self.removed}
                if not alone or len(rivals) == 1:
                    self.label[index] = readers.pop()
                    break

    def _collect(self) -> tuple[Event, ...]:
        taken: dict[int, list[int]] = {}
        merged: dict[int, list[int]] = {}
        for index, target in self.label.items():
            (merged if index in self.merged else taken).setdefault(target, []).append(index)
        companions, made = self._companions(taken)
        events: list[Event] = []
        for target, sources in taken.items():
            into = (target, *sorted(companions.get(target, ())))
            if target in self.added:
                events.append(
                    Event("fused" if len(sources) > 1 else "replaced", tuple(sorted(sources)), into)
                )
            else:
                events.append(Event("fused", tuple(sorted([*sources, self.origin[target]])), into))
        for target, sources in merged.items():
            events.append(Event("merged", tuple(sorted([*sources, self.origin[target]])), (target,)))
        constants: dict[frozenset[int], list[int]] = {}
        for index, readers in self.folded.items():
            constants.setdefault(readers, []).append(index)
        events.extend(
            Event("folded", tuple(sorted(sources)), tuple(sorted(readers)))
            for readers, sources in constants.items()
        )
        events.extend(Event("dropped", (index,), ()) for index in sorted(self.removed) if self._lost(index))
        events.sort(key=lambda event: (event.sources, event.into))
        events.extend(Event("made", (), (index,)) for index in made)
        return tuple(events)

    def _lost(self, index: int) -> bool:
        return index not in self.label and index not in self.folded

    def _companions(self, taken: dict[int, list[int]]) -> tuple[dict[int, list[int]], list[int]]:
        """Added ops that nothing was labelled with: per target those made for it, and the others."""
        group: dict[int, int] = {target: target for target in taken}
        renamed = {
            second
            for first, second in self.pairs.items()
            if len(taken.get(second, ())) == 1
            and canonical_type(self.before.ops[first].type) == canonical_type(self.after.ops[second].type)
        }
        companions: dict[int, list[int]] = {}
        made: list[int] = []
        paired = set(self.pairs.values())
        for index in sorted(self.added, reverse=True):
            if index in group:
                continue
            targets = {group.get(user, -1) for user, _, _ in self.after.users[index]}
            known = sorted(targets - {-1})
            joins = bool(known) and known[0] not in renamed
            if joins and not self.constant_after[index]:
                # On the way of the data it belongs there only as a part of what replaced other ops.
                joins = len(targets) == 1 and known[0] in self.added and known[0] not in paired
            if joins:
                group[index] = known[0]
                companions.setdefault(known[0], []).append(index)
            else:
                made.append(index)
        made.reverse()
        return companions, made


_CONSTANT = -2


def _argument(value: str) -> bool:
    return value.startswith("%arg_")


def _constant(side: Side) -> list[bool]:
    """Per op whether it is computed from parameters and constants alone."""
    found: list[bool] = []
    holders = {op.parent for op in side.ops if op.parent is not None}
    for op, sources in zip(side.ops, side.sources, strict=True):
        found.append(
            canonical_type(op.type) not in _STARTS
            and op.index not in holders
            and all(
                found[source[0]] if source is not None else side.is_parameter(value)
                for source, value in zip(sources, op.inputs, strict=True)
            )
        )
    return found


def _kin(side: Side, open_ops: Iterable[int], constant: Sequence[bool]) -> list[object]:
    """Per open op what it is called without its dialect and whether it works on weights alone."""
    kin: list[object] = [None] * len(side.ops)
    for index in open_ops:
        kin[index] = (family(side.ops[index]), constant[index])
    # Matched ops are no candidates, and None would equal None.
    return [index if one is None else one for index, one in enumerate(kin)]


def family(op: Op) -> str:
    """The kind of computation an op is named after: ``onednn_op.fused_conv2d`` is a ``conv2d``."""
    return canonical_type(canonical_type(op.type).removeprefix("fused_"))
