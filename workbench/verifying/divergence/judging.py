"""Which of the differences between two predictors begin where they are, and do not come from further up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.verifying.divergence.result import Point

# By how much an op may enlarge the relative difference of its inputs: a sum of terms that nearly cancel does.
FACTOR = 10.0


def judged(points: Sequence[Point]) -> tuple[Point, ...]:
    """Say of each point what its inputs explain, whether it differs by more, and whether that heals.

    A difference begins at a point if it is beyond the tolerance and more than `FACTOR` times the largest one
    among the points before it; NaN or infinity in one alone, if no point before it has any.

    Args:
        points: in the order of the model's ops.
    """
    known = {one.value: one for one in points}
    found: list[Point] = []
    for one in points:
        before = [known[value] for value in one.before]
        inherited = max((other.difference for other in before), default=0.0)
        apart = one.difference > one.tolerance and one.difference > FACTOR * inherited
        lost = bool(one.lost) and not any(other.lost for other in before)
        found.append(replace(one, inherited=inherited, exceeds=apart or lost))
    readers: dict[str, list[Point]] = {}
    for one in found:
        for value in one.before:
            readers.setdefault(value, []).append(one)
    return tuple(replace(one, heals=_heals(one, readers.get(one.value, []))) for one in found)


def _heals(one: Point, readers: Sequence[Point]) -> bool:
    agree = all(
        other.difference <= min(other.tolerance, one.difference / FACTOR) and not other.lost
        for other in readers
    )
    return one.exceeds and not one.lost and bool(readers) and agree


def first_of(points: Sequence[Point]) -> Point | None:
    """The first point where a difference begins, in the order of the model's ops."""
    return next((one for one in points if one.exceeds and not one.heals), None)
