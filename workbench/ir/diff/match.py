"""Which ops of two graphs are the same: pairs grow from what is certain to what is next to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from workbench.ir.diff.side import Side, Source


class Matcher:
    """Pairs ops of two graphs: ``pairs`` leads from before to after, ``reverse`` back."""

    def __init__(self, before: Side, after: Side) -> None:
        self.before = before
        self.after = after
        self.pairs: dict[int, int] = {}
        self.reverse: dict[int, int] = {}

    def pair(self, first: int, second: int) -> None:
        """Notes that two ops are the same."""
        self.pairs[first] = second
        self.reverse[second] = first

    def by_identity(self) -> None:
        """Pairs ops that the dumps themselves call the same."""
        places = {op.identity: op.index for op in self.after.ops}
        for op in self.before.ops:
            second = places.get(op.identity)
            if second is not None and self.after.ops[second].type == op.type:
                self.pair(op.index, second)

    def by_structure(self) -> None:
        """Pairs ops by what they are and where they stand, the surest first."""
        before, after = self.before, self.after
        if before.forward == after.forward and before.backward == after.backward:
            for index in range(len(before.ops)):
                self.pair(index, index)
            return

        def context(side: Side) -> list[object]:
            return list(zip(side.forward, side.backward, strict=True))

        def anchored(side: Side, own: list[object]) -> list[object]:
            # An op with a parameter is known by its name; the others have no key here.
            return [
                (part, names) if names else None
                for part, names in zip(own, side.parameter_names, strict=True)
            ]

        self._by_key(context, only_unique=False)
        self._by_key(lambda side: list(side.forward))
        self._by_key(lambda side: list(side.backward))
        self._by_key(lambda side: anchored(side, side.full))
        self.propagate(before.full, after.full)
        self._by_key(lambda side: side.full, whole=True)
        self.propagate(before.full, after.full)
        self._by_key(lambda side: anchored(side, side.loose))
        self.propagate(before.full, after.full)
        self.propagate(before.loose, after.loose)
        self._in_gaps(before.full, after.full)
        self._in_gaps(before.loose, after.loose)
        self.propagate(before.full, after.full)
        self.propagate(before.loose, after.loose)
        self.propagate(before.types, after.types, strict=True)

    def _by_key(
        self, keys: Callable[[Side], list[object]], *, only_unique: bool = True, whole: bool = False
    ) -> None:
        """Pairs open ops with one key: single ones, or with only_unique=False equally many in their order.

        With whole=True a key counts only if it is single among all ops, not among the open ones.
        """
        groups_before = _groups(keys(self.before), () if whole else self.pairs)
        groups_after = _groups(keys(self.after), () if whole else self.reverse)
        for key, firsts in groups_before.items():
            seconds = groups_after.get(key)
            if seconds is None or len(firsts) != len(seconds) or (only_unique and len(firsts) != 1):
                continue
            for first, second in zip(firsts, seconds, strict=True):
                if first not in self.pairs and second not in self.reverse:
                    self.pair(first, second)

    def propagate(self, before: list[object], after: list[object], *, strict: bool = False) -> None:
        """Pairs the neighbours of pairs that have one signature, and theirs, until nothing changes.

        With strict=True only neighbours that have no rival are paired.
        """
        near = self._near_open()
        work = [pair for pair in self.pairs.items() if pair[0] in near]
        while work:
            first, second = work.pop()
            found = [
                *self._writers(first, second, before, after),
                *self._readers(first, second, before, after, strict),
            ]
            for pair in found:
                if pair[0] not in self.pairs and pair[1] not in self.reverse:
                    self.pair(*pair)
                    work.append(pair)

    def _near_open(self) -> set[int]:
        """The ops before that read or are read by an open one: nothing else has a neighbour to pair."""
        near: set[int] = set()
        for index in range(len(self.before.ops)):
            if index not in self.pairs:
                near.update(source[0] for source in self.before.sources[index] if source is not None)
                near.update(user for user, _, _ in self.before.users[index])
        return near

    def _writers(
        self, first: int, second: int, before: list[object], after: list[object]
    ) -> Iterable[Source]:
        ours, theirs = self.before.sources[first], self.after.sources[second]
        if self.before.ordered and len(ours) == len(theirs):
            for mine, other in zip(ours, theirs, strict=True):
                if (
                    mine is not None
                    and other is not None
                    and mine[1] == other[1]
                    and before[mine[0]] == after[other[0]]
                ):
                    yield mine[0], other[0]
            return
        open_ours = {source[0] for source in ours if source is not None and source[0] not in self.pairs}
        open_theirs = {source[0] for source in theirs if source is not None and source[0] not in self.reverse}
        yield from _single_pairs(
            [(before[index], index) for index in open_ours], [(after[index], index) for index in open_theirs]
        )

    def _readers(
        self, first: int, second: int, before: list[object], after: list[object], strict: bool
    ) -> Iterable[Source]:
        ours = [
            ((before[user], place, output), user)
            for user, place, output in self.before.users[first]
            if user not in self.pairs
        ]
        if not ours:
            return
        theirs = [
            ((after[user], place, output), user)
            for user, place, output in self.after.users[second]
            if user not in self.reverse
        ]
        yield from _single_pairs(ours, theirs, equally_many=not strict)

    def _in_gaps(self, before: list[object], after: list[object]) -> None:
        """Pairs what is left, in order, where it stands between the same two matched ops."""
        spans_before = _spans(len(self.before.ops), self.pairs)
        spans_after = _spans(len(self.after.ops), self.reverse)
        open_after: dict[object, list[int]] = {}
        for index, (previous, following) in spans_after.items():
            # Spans in terms of the graph before, so that both sides can be compared.
            low = self.reverse[previous] if previous is not None else None
            high = self.reverse[following] if following is not None else None
            open_after.setdefault((low, high, after[index]), []).append(index)
        for queue in open_after.values():
            queue.reverse()
        for index, (previous, following) in spans_before.items():
            queue = open_after.get((previous, following, before[index]), [])
            if queue:
                self.pair(index, queue.pop())


def _groups(keys: list[object], taken: Iterable[int]) -> dict[object, list[int]]:
    groups: dict[object, list[int]] = {}
    busy = taken if isinstance(taken, (dict, set)) else set(taken)
    for index, key in enumerate(keys):
        if key is not None and index not in busy:
            groups.setdefault(key, []).append(index)
    return groups


def _single_pairs(
    ours: Sequence[tuple[object, int]], theirs: Sequence[tuple[object, int]], *, equally_many: bool = False
) -> Iterable[Source]:
    """Pairs what has one key: single on both sides, or with equally_many as many on both, in order."""
    if not ours or not theirs:
        return
    mine: dict[object, list[int]] = {}
    others: dict[object, list[int]] = {}
    for key, index in ours:
        mine.setdefault(key, []).append(index)
    for key, index in theirs:
        others.setdefault(key, []).append(index)
    for key, indices in mine.items():
        rivals = others.get(key, [])
        if len(indices) == len(rivals) and (len(indices) == 1 or equally_many):
            yield from zip(indices, rivals, strict=True)


def _spans(count: int, taken: Mapping[int, int]) -> dict[int, tuple[int | None, int | None]]:
    """For every index not taken, the nearest taken ones on both sides."""
    spans: dict[int, tuple[int | None, int | None]] = {}
    previous: int | None = None
    waiting: list[int] = []
    for index in range(count):
        if index in taken:
            spans.update((open_index, (previous, index)) for open_index in waiting)
            previous, waiting = index, []
        else:
            waiting.append(index)
    spans.update((open_index, (previous, None)) for open_index in waiting)
    return spans
