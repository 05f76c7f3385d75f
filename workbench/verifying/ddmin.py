"""Delta debugging: a smallest part of a list that still fails a test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def ddmin(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Cut a list that fails down to a part of it that fails and of which nothing can be left out.

    The algorithm is ``ddmin`` of A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing
    Input", IEEE Transactions on Software Engineering 28(2), 2002, but that three items are tried one by one.
    One guilty item of n is found in at most 2·log2 n + 1 tests; several that fail only together take up to
    n² + 3n in the worst case.

    Args:
        items: the whole list; that it fails is taken for granted.
        fails: whether a part of the list, in its order, fails. It may be asked about the same part twice.

    Returns:
        The part, in the list's order. It fails, and does not without any one of its items: so it is smallest
        in itself, while the list may have another part that is shorter.
    """
    part = tuple(items)
    pieces = _at_first(part)
    while len(part) > 1:
        chunks = _split(part, pieces)
        smaller = next((chunk for chunk in chunks if fails(chunk)), None)
        if smaller is not None:
            part, pieces = smaller, _at_first(smaller)
            continue
        # Of two chunks each is what the other leaves.
        rests = [_rest(chunks, index) for index in range(len(chunks))] if pieces > 2 else []
        smaller = next((rest for rest in rests if fails(rest)), None)
        if smaller is not None:
            part, pieces = smaller, max(pieces - 1, 2)
        elif pieces < len(part):
            pieces = min(2 * pieces, len(part))
        else:
            break
    return part


def _at_first(part: tuple[T, ...]) -> int:
    # So the last of three takes three tests, and not four: the bound needs that where n is no power of two.
    return 3 if len(part) == 3 else 2


def _split(part: tuple[T, ...], pieces: int) -> list[tuple[T, ...]]:
    bounds = [len(part) * index // pieces for index in range(pieces + 1)]
    return [part[low:high] for low, high in itertools.pairwise(bounds)]


def _rest(chunks: Sequence[tuple[T, ...]], without: int) -> tuple[T, ...]:
    return tuple(item for index, chunk in enumerate(chunks) if index != without for item in chunk)
