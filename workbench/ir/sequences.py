"""What comes again in a sequence of numbers: copies that follow each other, and copies anywhere."""

from __future__ import annotations

import heapq
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator


def runs(signs: list[int]) -> list[tuple[int, int, int]]:
    """The longest stretches in which everything comes again after a period: (first, last, period).

    Two places a period apart are found where equal windows follow each other. Windows have 1, 2, 3, 4, 6, 8,
    12, 16 … members and numbers that are equal where the windows are, so comparing is quick at any length.
    """
    count = len(signs)
    levels = [_numbered(signs)]
    while 4 << len(levels) <= 2 * count and max(levels[-1], default=0) + 1 < len(levels[-1]):
        width = 1 << (len(levels) - 1)
        levels.append(_numbered(zip(levels[-1], levels[-1][width:], strict=False)))
    known: dict[int, list[tuple[int, int]]] = {}
    found: list[tuple[int, int, int]] = []
    for level, numbers in enumerate(levels):
        width = 1 << level
        windows = [(width, numbers)]
        if level:
            wider = _numbered(zip(numbers, levels[level - 1][width:], strict=False))
            windows.append((width + width // 2, wider))
        for size, ids in windows:
            for place, period in _steps(ids, 4 * size):
                spans = known.setdefault(period, [])
                at = bisect_right(spans, (place - period, count)) - 1
                if at >= 0 and spans[at][1] > place:
                    continue
                first = place - period - _alike(levels, place - period, place, -1)
                last = place + _alike(levels, place - period, place, 1)
                insort(spans, (first, last))
                if last - first >= 2 * period:
                    found.append((first, last, period))
    return found


def _numbered(members: Iterable[object]) -> list[int]:
    numbers: dict[object, int] = {}
    return [numbers.setdefault(member, len(numbers)) for member in members]


def _steps(ids: list[int], longest: int) -> Iterator[tuple[int, int]]:
    """Where the distance to the last equal window changes, and to what."""
    last: dict[int, int] = {}
    before = 0
    for place, number in enumerate(ids):
        distance = place - last.get(number, place)
        last[number] = place
        if distance != before and 0 < distance <= longest:
            yield place, distance
        before = distance


def _alike(levels: list[list[int]], one: int, two: int, way: int) -> int:
    """How many members from two places on, or before them, are equal."""
    start = two
    for level in range(len(levels) - 1, -1, -1):
        numbers, width = levels[level], 1 << level
        if way > 0:
            while two < len(numbers) and numbers[one] == numbers[two]:
                one, two = one + width, two + width
        else:
            while one >= width and two - width < len(numbers):
                if numbers[one - width] != numbers[two - width]:
                    break
                one, two = one - width, two - width
    return abs(two - start)


class Repeat:
    """A sequence that comes more than once, maybe overlapping itself."""

    def __init__(self, places: list[int], length: int, state: int, heap: list[tuple[int, int]]) -> None:
        self.places, self.length, self.state, self.heap = places, length, state, heap

    def offer(self, covered: int) -> bool:
        """Whether nothing else may cover more; if something may, this one comes again later."""
        if not self.heap or covered >= -self.heap[0][0]:
            return True
        heapq.heappush(self.heap, (-covered, self.state))
        return False


def repeated(row: list[int], borders: list[int], telling: Callable[[int, int], bool]) -> Iterator[Repeat]:
    """The sequences that come more than once, each as long as it can be to the left, best coverage first.

    Args:
        row: the numbers.
        borders: where each member begins, and at last where the last one ends: members have sizes.
        telling: whether so many copies of such a size are of use.
    """
    length, link, ends = _automaton(row)
    count = [int(end >= 0) for end in ends]
    some = list(ends)
    below: list[list[int]] = [[] for _ in length]
    for state in sorted(range(1, len(length)), key=lambda state: -length[state]):
        count[link[state]] += count[state]
        some[link[state]] = max(some[link[state]], some[state])
        below[link[state]].append(state)
    heap = []
    for state in range(1, len(length)):
        if count[state] > 1 and length[state] > 1:
            end = some[state] + 1
            size = borders[end] - borders[end - length[state]]
            if telling(count[state], size):
                heap.append((-min(borders[-1] - borders[0], count[state] * size), state))
    heapq.heapify(heap)
    while heap:
        _, state = heapq.heappop(heap)
        places = []
        stack = [state]
        while stack:
            member = stack.pop()
            if ends[member] >= 0:
                places.append(ends[member] - length[state] + 1)
            stack += below[member]
        sequence = row[places[0] : places[0] + length[state]]
        if length[state] == 2 or sequence[2:] != sequence[:-2]:
            yield Repeat(sorted(places), length[state], state, heap)


def _automaton(row: list[int]) -> tuple[list[int], list[int], list[int]]:
    """The suffix automaton: each state's longest length, its link, and where it ends (-1 for a clone)."""
    length, link, ends = [0], [-1], [-1]
    after: list[dict[int, int]] = [{}]
    last = 0
    for place, sign in enumerate(row):
        made = len(length)
        length.append(length[last] + 1)
        link.append(0)
        ends.append(place)
        after.append({})
        state = last
        while state >= 0 and sign not in after[state]:
            after[state][sign] = made
            state = link[state]
        if state >= 0:
            target = after[state][sign]
            if length[state] + 1 == length[target]:
                link[made] = target
            else:
                clone = len(length)
                length.append(length[state] + 1)
                link.append(link[target])
                ends.append(-1)
                after.append(dict(after[target]))
                link[target] = link[made] = clone
                while state >= 0 and after[state].get(sign) == target:
                    after[state][sign] = clone
                    state = link[state]
        last = made
    return length, link, ends
