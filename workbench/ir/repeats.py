"""Finds the blocks of a graph that names no layers: the sequences of ops that it repeats."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.ir.graph import Graph, Op
from workbench.ir.sequences import repeated, runs

Content = tuple[int, ...]

_SMALLEST = 3
# Two copies of three ops mean nothing; two of four or three of three may: copies × (ops - 1).
_LEAST_EVIDENCE = 6
# A run of one or two ops repeated is no block, and makes long "repeats" of any length if it is this long.
_DULL_RUN = 12
# To begin at an op with weights, a sequence may lose this many ops at its start.
_LONGEST_TRIM = 8
_NAMED_TYPES = 3
_ENDS = frozenset({"data", "feed", "fetch", "shadow_output", "yield"})
# What moves data about, or is in every network: says little of what a block does.
_PLAIN = frozenset(
    {
        "add",
        "elementwise_add",
        "scale",
        "cast",
        "full",
        "full_int_array",
        "full_like",
        "fill_constant",
        "fill_any_like",
        "constant",
        "reshape",
        "reshape2",
        "transpose",
        "transpose2",
        "squeeze",
        "squeeze2",
        "unsqueeze",
        "unsqueeze2",
        "flatten",
        "flatten2",
        "flatten_contiguous_range",
        "slice",
        "strided_slice",
        "concat",
        "split",
        "split_with_num",
        "combine",
        "stack",
        "expand",
        "expand_v2",
        "shape",
        "shape64",
        "assign",
        "assign_value",
        "dropout",
        "memcpy_d2h",
        "memcpy_h2d",
        "transfer_layout",
    }
)


def infer_layers(graph: Graph) -> list[str]:
    """Makes up layer paths from what the graph repeats.

    A block is a sequence of three or more ops (type, number of inputs and of outputs) that comes again, in a
    row or elsewhere. It begins where the fewest values pass by, such as after the sum of a residual network.
    Blocks are looked for again within blocks. The kind of a block is named by what it does, the first three
    telling op types and how many ops it has: ``conv2d-batch_norm-relu[7]``. Sequences that differ are of
    different kinds.

    Args:
        graph: the graph.

    Returns:
        A path such as ``/conv2d-batch_norm-relu[7]_2`` for each op, "" for an op in no block.
    """
    line = _Line(graph)
    search = _Search(line)
    names = _Names(line, graph)
    paths = [""] * len(graph.ops)
    counts: dict[tuple[str, Content], int] = {}
    stack: list[tuple[int, str, list[_Found]]] = [(0, "", search.run())]
    while stack:
        start, above, found = stack.pop()
        for item in sorted(found, key=lambda item: item.start):
            kind = names.of(item.kind, start + item.start)
            number = counts.get((above, item.kind), 0)
            counts[above, item.kind] = number + 1
            path = f"{above}/{kind}_{number}" if number else f"{above}/{kind}"
            first = start + item.start
            for place in range(first, first + len(item.kind)):
                paths[line.ops[place]] = path
            stack.append((first, path, search.within[item.kind]))
    return paths


class _Line:
    """The ops in one row, region after region: which are alike, and how much data flows past them.

    Attributes:
        ops: op index by place in the row; -1 between two regions.
        signs: equal for ops that are alike; unique for what must not be part of a repeat.
        width: how many values pass from before a place to it or beyond.
        weight: 0 where the op reads a matrix of weights, 1 where it reads another parameter, else 2.
    """

    def __init__(self, graph: Graph) -> None:
        count = len(graph.ops)
        rows: dict[tuple[int | None, int], list[int]] = {}
        for op in graph.ops:
            rows.setdefault((op.parent, op.region), []).append(op.index)
        self.ops: list[int] = []
        for row in rows.values():
            self.ops += [*row, -1]
        self.signs: list[int] = []
        self.weight: list[int] = []
        known: dict[tuple[str, int, int], int] = {}
        for place, index in enumerate(self.ops):
            if index < 0 or _is_end(graph.ops[index]):
                self.signs.append(-1 - place)
                self.weight.append(2)
                continue
            op = graph.ops[index]
            self.signs.append(known.setdefault((op.type, len(op.inputs), len(op.outputs)), len(known)))
            ranks = [
                len(graph.values[value].shape or ())
                for value in op.inputs
                if value in graph.values and graph.values[value].parameter
            ]
            self.weight.append(2 if not ranks else 1 if max(ranks) < 2 else 0)
        place_of = [0] * count
        for place, index in enumerate(self.ops):
            if index >= 0:
                place_of[index] = place
        self.width = self._widths(graph, place_of)

    def _widths(self, graph: Graph, place_of: list[int]) -> list[int]:
        change = [0] * (len(self.ops) + 2)
        made: dict[str, tuple[int, int]] = {}
        for place, index in enumerate(self.ops):
            if index < 0:
                # A region reads values of the ops around it, which the op that has the region reads for it.
                _close(made, change)
                made = {}
                continue
            op = graph.ops[index]
            for value in op.inputs:
                if value in made:
                    made[value] = (made[value][0], place)
            for value in op.outputs:
                if value in made:
                    _close({value: made[value]}, change)
                made[value] = (place, place)
        _close(made, change)
        # Values that regions read pass by up to the op that has the region.
        for op in graph.ops:
            if op.parent is None or not 0 <= op.parent < len(place_of):
                continue
            holder = place_of[op.parent]
            for value in op.inputs:
                producer = graph.producers.get(value)
                if producer is not None and graph.ops[producer].parent == graph.ops[op.parent].parent:
                    start = place_of[producer]
                    if start < holder:
                        _close({value: (start, holder)}, change)
        width, total = [], 0
        for place in range(len(self.ops) + 1):
            total += change[place]
            width.append(total)
        return width


def _close(made: dict[str, tuple[int, int]], change: list[int]) -> None:
    for first, last in made.values():
        change[first + 1] += 1
        change[last + 1] -= 1


def _is_end(op: Op) -> bool:
    return op.type.rpartition(".")[2] in _ENDS


def _telling(copies: int, size: int) -> bool:
    """Whether so many copies of so many ops are a block rather than chance."""
    return size >= _SMALLEST and copies * (size - 1) >= _LEAST_EVIDENCE


class _Names:
    """Names kinds: one name per kind, different for different kinds."""

    def __init__(self, line: _Line, graph: Graph) -> None:
        self.line, self.graph = line, graph
        self.names: dict[Content, str] = {}
        self.taken: dict[str, int] = {}

    def of(self, kind: Content, start: int) -> str:
        name = self.names.get(kind)
        if name is None:
            types = dict.fromkeys(
                self.graph.ops[index].type.rpartition(".")[2].rstrip("_").replace("/", ":")
                for index in self.line.ops[start : start + len(kind)]
            )
            telling = [kind for kind in types if kind not in _PLAIN] or list(types)
            stem = f"{'-'.join(telling[:_NAMED_TYPES])}[{len(kind)}"
            number = self.taken.get(stem, 0)
            self.taken[stem] = number + 1
            name = self.names[kind] = f"{stem}]" if not number else f"{stem}, {number + 1}]"
        return name


@dataclass(frozen=True, slots=True)
class _Found:
    """A copy of a kind in the sequence that was searched."""

    start: int
    kind: Content


class _Search:
    """Finds repeats in the whole row, then in one copy of each kind that was found."""

    def __init__(self, line: _Line) -> None:
        self.line = line
        self.within: dict[Content, list[_Found]] = {}
        self.by_start: dict[Content, list[Content]] = {}
        self.waiting: deque[tuple[Content, int]] = deque()

    def run(self) -> list[_Found]:
        found = self.level(0, len(self.line.signs), frozenset())
        while self.waiting:
            kind, start = self.waiting.popleft()
            inner = self.level(start, start + len(kind), frozenset((kind,)))
            self.within[kind] = [_Found(item.start - start, item.kind) for item in inner]
        return found

    def level(self, start: int, end: int, whole: frozenset[Content]) -> list[_Found]:
        """What repeats between two places, apart from the kind that the whole of it is."""
        free = _Free(start, end)
        runs = list(self.in_a_row(free))
        free = _Free(start, end, free.dull)
        found = self.apart(free, list(self.known(free, runs, whole)), within=bool(whole))
        return [*found, *self.between(start, end, found)] if whole and found else found

    def take(self, free: _Free, start: int, kind: Content) -> _Found:
        free.take(start, start + len(kind))
        if kind not in self.within:
            self.within[kind] = []
            self.by_start.setdefault(kind[:_SMALLEST], []).append(kind)
            self.waiting.append((kind, start))
        return _Found(start, kind)

    def in_a_row(self, free: _Free) -> Iterator[list[_Found]]:
        """Copies that follow each other, those that cover the most ops first."""
        signs = self.line.signs
        start, end = free.whole
        heap: list[tuple[int, int, int, int]] = []

        def offer(first: int, last: int, period: int) -> None:
            copies = (last - first) // period
            if copies >= 2 and _telling(copies, period):
                heapq.heappush(heap, (-copies * period, period, first, last))

        for first, last, period in runs(signs[start:end]):
            if period < _SMALLEST:
                if last - first >= _DULL_RUN:
                    free.dull.append((start + first, start + last))
            else:
                offer(start + first, start + last, period)
        while heap:
            _, period, first, last = heapq.heappop(heap)
            if not free.holds(first, last):
                for left, right in free.parts(first, last):
                    offer(left, right, period)
                continue
            begin = self.phase(first, last, period)
            kind = tuple(signs[begin : begin + period])
            yield [self.take(free, place, kind) for place in range(begin, last - period + 1, period)]

    def phase(self, first: int, last: int, period: int) -> int:
        """Where the first copy begins: where the fewest values pass from copy to copy.

        Of equals, the most copies, a kind that is known, a start at an op with weights, the latest.
        """
        width, weight = self.line.width, self.line.weight
        best: tuple[int, int, bool, int, int] | None = None
        for begin in range(first, min(first + period, last - 2 * period + 1)):
            copies = (last - begin) // period
            # What is used last in the first or the last copies (a mask, a position) must not count.
            borders = sorted(width[begin + period : begin + copies * period : period])
            known = tuple(self.line.signs[begin : begin + period]) in self.within if period < 200 else False
            cost = (borders[len(borders) // 2], -copies, not known, weight[begin], -begin)
            if best is None or cost < best:
                best = cost
        return first if best is None else -best[-1]

    def known(self, free: _Free, runs: list[list[_Found]], whole: frozenset[Content]) -> Iterator[_Found]:
        """The runs, and single copies of the kinds found so far; what covers more ops comes first."""
        signs = self.line.signs
        start, end = free.whole
        places: dict[Content, list[int]] = {}
        for place in range(start, end - _SMALLEST + 1):
            begin = tuple(signs[place : place + _SMALLEST])
            if begin in self.by_start:
                places.setdefault(begin, []).append(place)
        offers = [(len(run) * len(run[0].kind), True, run) for run in runs]
        for begin, starts in places.items():
            for kind in self.by_start[begin]:
                if kind not in whole:
                    offers.append((len(kind), False, [_Found(at, kind) for at in starts]))
        for _, sure, items in sorted(offers, key=lambda offer: -offer[0]):
            size = len(items[0].kind)
            for item in items:
                last = item.start + size
                if not free.holds(item.start, last):
                    continue
                if sure or (tuple(signs[item.start : last]) == item.kind and self.narrow(item.start, last)):
                    yield self.take(free, item.start, item.kind)

    def narrow(self, start: int, end: int, *, strictly: bool = False) -> bool:
        """Whether nowhere between two places fewer values pass than at them, or not even as few."""
        width = self.line.width
        return max(width[start], width[end]) + strictly <= min(width[start + 1 : end], default=0)

    def apart(self, free: _Free, found: list[_Found], *, within: bool) -> list[_Found]:
        """Adds sequences that come again somewhere, those that cover the most ops first.

        What was found before may be part of them, copies in a row as one. It is left out then, and found
        again when the sequence is searched. Within a block any three ops in a chain may come again; there a
        sequence must be narrower at its ends.
        """
        row, borders = self.tokens(free, found)
        left = _Free(*free.whole)
        added: list[_Found] = []
        for sequence in repeated(row, borders, _telling):
            shift, length = self.trimmed(borders, sequence.places[0], sequence.length)
            starts: list[int] = []
            last = 0
            for place in sequence.places:
                start, end = borders[place + shift], borders[place + shift + length]
                apart = not starts or start >= last
                if apart and left.holds(start, end) and self.narrow(start, end, strictly=within):
                    starts.append(start)
                    last = end
            size = borders[sequence.places[0] + shift + length] - borders[sequence.places[0] + shift]
            telling = length > 1 and len(starts) > 1 and _telling(len(starts), size)
            if telling and sequence.offer(len(starts) * size):
                kind = tuple(self.line.signs[starts[0] : starts[0] + size])
                added += [self.take(left, start, kind) for start in starts]
        return [item for item in found if left.holds(item.start, item.start + len(item.kind))] + added

    def tokens(self, free: _Free, found: list[_Found]) -> tuple[list[int], list[int]]:
        """What is free, op by op, and runs of what was found as one each: numbers, and where each begins.

        The second list ends with where the last ends. Unique numbers lie where something is left out.
        """
        signs = self.line.signs
        pieces: list[tuple[int, int, tuple[Content, int] | None]] = [
            (one, two, None) for one, two in free.parts(*free.whole, dull=False)
        ]
        run: list[_Found] = []
        for item in [*sorted(found, key=lambda item: item.start), None]:
            if run and (
                item is None or item.kind != run[0].kind or item.start != run[-1].start + len(item.kind)
            ):
                end = run[-1].start + len(run[0].kind)
                pieces.append((run[0].start, end, (run[0].kind, len(run))))
                run = []
            if item is not None:
                run.append(item)
        numbers: dict[tuple[Content, int], int] = {}
        row: list[int] = []
        borders: list[int] = []
        reached, unique = free.start, -len(signs) - 1
        for one, two, what in sorted(pieces, key=lambda piece: piece[0]):
            if one > reached:
                unique -= 1
                row.append(unique)
                borders.append(reached)
            if what is None:
                row += signs[one:two]
                borders += range(one, two)
            else:
                # Numbers of ops are small, those of runs begin above all of them.
                row.append(numbers.setdefault(what, len(signs) + len(numbers)))
                borders.append(one)
            reached = two
        return row, [*borders, reached]

    def trimmed(self, borders: list[int], first: int, length: int) -> tuple[int, int]:
        """The part of a sequence to take, from one of its narrowest places to another: (shift, length)."""
        width, weight = self.line.width, self.line.weight
        passing = [width[place] for place in borders[first : first + length + 1]]
        narrowest = min(passing)
        early = [at for at in range(min(length // 4, _LONGEST_TRIM) + 1) if passing[at] == narrowest]
        shift = min(early or [passing.index(narrowest)], key=lambda at: (weight[borders[first + at]], at))
        passing.reverse()
        return shift, length - passing.index(narrowest) - shift

    def between(self, start: int, end: int, found: list[_Found]) -> Iterator[_Found]:
        """What lies between the blocks of a block, if that is as large and as narrow as they are."""
        smallest = min(len(item.kind) for item in found)
        free = _Free(start, end)
        for item in found:
            free.take(item.start, item.start + len(item.kind))
        gaps = free.parts(start, end)
        if all(2 * (right - left) >= smallest and self.narrow(left, right) for left, right in gaps):
            for left, right in gaps:
                if right - left >= _SMALLEST:
                    yield self.take(free, left, tuple(self.line.signs[left:right]))


@dataclass
class _Free:
    """The parts of a stretch that belong to no block yet."""

    start: int
    end: int
    dull: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lefts, self.rights = [self.start], [self.end]

    @property
    def whole(self) -> tuple[int, int]:
        return self.start, self.end

    def holds(self, left: int, right: int) -> bool:
        at = bisect_right(self.lefts, left) - 1
        return at >= 0 and right <= self.rights[at]

    def take(self, left: int, right: int) -> None:
        at = bisect_right(self.lefts, left) - 1
        pieces = [(self.lefts[at], left), (right, self.rights[at])]
        kept = [piece for piece in pieces if piece[0] < piece[1]]
        self.lefts[at : at + 1] = [piece[0] for piece in kept]
        self.rights[at : at + 1] = [piece[1] for piece in kept]

    def parts(self, left: int, right: int, *, dull: bool = True) -> list[tuple[int, int]]:
        """The free parts between two places; without those of dull runs on request."""
        at = bisect_right(self.rights, left)
        end = bisect_left(self.lefts, right)
        found = [
            (max(left, one), min(right, two))
            for one, two in zip(self.lefts[at:end], self.rights[at:end], strict=True)
        ]
        if dull or not self.dull:
            return found
        kept = []
        for one, two in found:
            for first, last in sorted(self.dull):
                if first < two and last > one:
                    if first > one:
                        kept.append((one, first))
                    one = max(one, last)
            if one < two:
                kept.append((one, two))
        return kept
