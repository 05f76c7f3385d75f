"""The difference of two graphs: which ops are the same, and which came, went or changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from workbench.ir.diff.altered import altered_pairs
from workbench.ir.diff.match import Matcher
from workbench.ir.diff.side import Side, sides
from workbench.ir.graph import Graph

Mark = Literal["added", "removed", "altered"]


@dataclass(frozen=True)
class Diff:
    """What happened between two graphs.

    ``len(after.ops) == len(before.ops) + len(added) - len(removed)`` always holds.

    Attributes:
        matched: index of an op before to the index of the same op after.
        added: indices in the graph after, ascending.
        removed: indices in the graph before, ascending.
        altered: pairs of ``matched`` whose attributes, kernel, inputs or output types differ.
    """

    matched: Mapping[int, int]
    added: tuple[int, ...]
    removed: tuple[int, ...]
    altered: tuple[tuple[int, int], ...]

    @cached_property
    def changed(self) -> bool:
        """True if anything was added, removed or altered."""
        return bool(self.added or self.removed or self.altered)

    def marks_before(self) -> dict[int, Mark]:
        """The marks to draw the graph before with: index to "removed" or "altered"."""
        marks: dict[int, Mark] = {first: "altered" for first, _ in self.altered}
        marks.update(dict.fromkeys(self.removed, "removed"))
        return marks

    def marks_after(self) -> dict[int, Mark]:
        """The marks to draw the graph after with: index to "added" or "altered"."""
        marks: dict[int, Mark] = {second: "altered" for _, second in self.altered}
        marks.update(dict.fromkeys(self.added, "added"))
        return marks


def diff(before: Graph, after: Graph) -> Diff:
    """Compares two graphs of one model.

    Ops are matched by their identity where both graphs have it, else by what they are and where they
    stand in the data flow. Values that only have another number are no change.

    Args:
        before: the graph before a pass.
        after: the graph after it.

    Returns:
        The difference. Ops of different types never match.
    """
    first, second = sides(before, after)
    matcher = Matcher(first, second)
    if first.has_identity and second.has_identity:
        matcher.by_identity()
    else:
        matcher.by_structure()
    return _diff_of(first, second, dict(sorted(matcher.pairs.items())))


def diff_of(before: Graph, after: Graph, matched: Mapping[int, int]) -> Diff:
    """The difference of two graphs whose ops are known to be the same.

    Args:
        before: one graph.
        after: the other.
        matched: index of an op before to the index of the same op after, which may be of another type.

    Returns:
        The difference; what is in ``matched`` is altered or unchanged.
    """
    first, second = sides(before, after)
    return _diff_of(first, second, dict(sorted(matched.items())))


def same_graph(a: Graph, b: Graph) -> bool:
    """Says whether two graphs are the same but for the numbering of values and the order of ops.

    Args:
        a: one graph.
        b: another graph.

    Returns:
        True if ``diff`` finds nothing.
    """
    return a is b or (len(a.ops) == len(b.ops) and not diff(a, b).changed)


def _diff_of(first: Side, second: Side, matched: dict[int, int]) -> Diff:
    reached = set(matched.values())
    return Diff(
        matched,
        tuple(op.index for op in second.ops if op.index not in reached),
        tuple(op.index for op in first.ops if op.index not in matched),
        altered_pairs(first, second, matched),
    )
