"""The outputs of two predictors that stand for the same value of the model, and what lies between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.errors import TraceError
from workbench.ir import Graph, canonical_type
from workbench.verifying.divergence.standing import MOVED, Side, Standing

OTHER_SHAPE = "has another shape under the other config"
NOT_THERE = "stands for a value that the other config does not compute, or not on its own"


@dataclass(frozen=True)
class Pair:
    """A value of the model that both predictors give.

    Attributes:
        value: its id in the model's graph.
        producer: index of the op of the model that gives it.
        first: the output of the first predictor that stands for it.
        second: that of the second.
        before: the nearest values that were matched and that it is computed from.
        between: the ops of the model from those to this one, itself among them, ascending.
    """

    value: str
    producer: int
    first: Standing
    second: Standing
    before: tuple[str, ...]
    between: tuple[int, ...]


def check_alike(first: Graph, second: Graph) -> None:
    """See that two graphs have the same structure: ops, by type, and the values between them.

    Raises:
        TraceError: they do not.
    """
    if len(first.ops) != len(second.ops):
        raise TraceError(
            f"the two are not the same model: {len(first.ops)} ops and {len(second.ops)}; give two models "
            "that differ in their weights alone, or one model under two configs"
        )
    for one, other in zip(first.ops, second.ops, strict=True):
        same = (one.type, one.inputs, one.outputs) == (other.type, other.inputs, other.outputs)
        if not same:
            raise TraceError(
                f"the two are not the same model: op {one.index} is {one.type} in one and {other.type} in "
                "the other, or reads other values; give two models that differ in their weights alone"
            )


def match(model: Graph, first: Side, second: Side) -> tuple[list[Pair], dict[int, str], dict[int, str]]:
    """Pair the outputs of two predictors.

    Args:
        model: the graph of the model, before any pass.
        first: one predictor.
        second: the other.

    Returns:
        The pairs in the order of the model's ops; per op of either final graph that is in none, why.
    """
    chosen: dict[str, tuple[Standing, Standing]] = {}
    reasons = (dict(first.reasons), dict(second.reasons))
    for value in {**first.standing, **second.standing}:
        ours, theirs = first.standing.get(value, []), second.standing.get(value, [])
        found, why = _choose(value, ours, theirs, first, second)
        if found is not None:
            chosen[value] = found
        else:
            for reason, places in zip(reasons, (ours, theirs), strict=True):
                reason.update((one.op, why) for one in places)
    matched = [{pair[side].op for pair in chosen.values()} for side in (0, 1)]
    # A carrier of a value that was matched is no op without a match: its value is compared.
    for done, standing in zip(matched, (first.standing, second.standing), strict=True):
        for value in chosen:
            done.update(one.op for one in standing[value])
    left = [
        {op: why for op, why in reason.items() if op not in done}
        for reason, done in zip(reasons, matched, strict=True)
    ]
    order = sorted(
        chosen,
        key=lambda value: (model.producers[value], model.ops[model.producers[value]].outputs.index(value)),
    )
    walk = _Walk(model, chosen)
    pairs = [Pair(value, model.producers[value], *chosen[value], *walk.behind(value)) for value in order]
    return pairs, left[0], left[1]


def _choose(
    value: str, ours: list[Standing], theirs: list[Standing], first: Side, second: Side
) -> tuple[tuple[Standing, Standing] | None, str]:
    """The two outputs to compare for a value, or None and why not."""
    if not ours or not theirs:
        return None, NOT_THERE
    scale = {one.rescaled.get(value) for one in (first, second)}
    if len(scale) > 1:
        name = next(name for name in sorted(map(str, scale)) if name != "None")
        return None, f"may have another scale, since {name} moves one into the weights"
    for one in ours:
        for other in theirs:
            same = first.outputs[one.output].shape == second.outputs[other.output].shape
            if same and not one.moved and not other.moved:
                return (one, other), ""
    moved = all(one.moved for one in ours) or all(one.moved for one in theirs)
    return None, MOVED if moved else OTHER_SHAPE


class _Walk:
    """Goes back through the model from a value to what was matched before it."""

    def __init__(self, model: Graph, matched: Iterable[str]) -> None:
        self.model = model
        self.matched = frozenset(matched)
        self.inside: dict[int, list[int]] = {}
        for op in model.ops:
            if op.parent is not None:
                self.inside.setdefault(op.parent, []).append(op.index)

    def behind(self, value: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The nearest matched values, and the ops from them to this one."""
        found: dict[str, None] = {}
        ops: set[int] = set()
        work = [self.model.producers[value]]
        while work:
            index = work.pop()
            if index in ops or canonical_type(self.model.ops[index].type) == "data":
                continue
            ops.add(index)
            # What is in its blocks is computed in it.
            work.extend(self.inside.get(index, ()))
            for read in self.model.ops[index].inputs:
                producer = self.model.producers.get(read)
                if read in self.matched and read != value:
                    found[read] = None
                elif producer is not None and producer not in ops:
                    work.append(producer)
        return tuple(found), tuple(sorted(ops))


def counted(reasons: dict[int, str]) -> dict[str, int]:
    """How many ops there are for each reason, the most frequent first."""
    return dict(Counter(reasons.values()).most_common())
