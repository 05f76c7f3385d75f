"""Follows an executor of PIR through the blocks of a graph: which op each call is of."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.ir import Graph, Op

Block = tuple[int | None, int]
# Per call the index of its op, or None where two are as likely.
Found = dict[int, "int | None"]

_NOT_NUMBERED = frozenset({"pd_op.data", "pd_op.feed"})
# Of these dialects nothing else has a number; none of them gives an output.
_NUMBERED = frozenset({"builtin.combine", "cf.yield", "cf.tuple_push", "cf.tuple_pop"})


class Blocks:
    """Follows an executor of PIR through the blocks of a graph.

    In every block it numbers the ops that it runs from 0 and runs them in that order; the outputs of an op
    that holds blocks come after those in its blocks. Read in `PirInterpreter::BuildInstruction` and
    `AnalyseExecuteOrderForTrace` of Paddle (paddle/fluid/framework/new_executor/pir_interpreter.cc), and seen
    so in 3.3.1. Each block has a scope of its own, which the names of most variables begin with.
    """

    def __init__(self, graph: Graph, texts: Sequence[str], scopes: Sequence[str | None]) -> None:
        self.blocks: dict[Block, list[Op]] = {(None, 0): []}
        self.regions: dict[int, int] = {}
        for op in graph.ops:
            if op.parent is not None:
                self.regions[op.parent] = max(self.regions.get(op.parent, 0), op.region + 1)
            if is_numbered(op.type):
                self.blocks.setdefault((op.parent, op.region), []).append(op)
        self.holders = {
            block: [place for place, op in enumerate(ops) if op.index in self.regions]
            for block, ops in self.blocks.items()
        }
        self.told = [split_text(text) for text in texts]
        self.scopes = scopes
        # The scope of a block and the block of a scope, as far as seen.
        self.known: dict[Block | str, Block | str] = {}

    def follow(self) -> Found:
        """The op of each call; calls that fit nowhere are left out."""
        found: Found = {}
        at, after = 0, -1
        while at < len(self.told):
            more, at, after = self.run((None, 0), at, after)
            found.update(more)
            at += 1
        return found

    def run(self, block: Block, at: int, after: int = -1) -> tuple[Found, int, int]:
        """Follow one run of a block.

        Args:
            block: the op that holds it and which of that op's blocks it is.
            at: the first call to look at.
            after: the number of the last op of the block that has run.

        Returns:
            The op of each call that belongs to it, the first call that does not, and the last op's number.
        """
        found: Found = {}
        ops, holders = self.blocks.get(block, []), self.holders.get(block, [])
        entered = -1
        while at < len(self.told):
            kind, number = self.told[at]
            fits = (
                (after < number or number == entered)
                and number < len(ops)
                and _same_type(kind, ops[number].type)
                and self._in_scope(block, at)
            )
            # Blocks that lie before it have run before it.
            ahead = [place for place in holders if place > after and (not fits or place < number)]
            for place in ahead:
                inner, end = self.enter(ops[place], place, at)
                if end > at:
                    found.update(inner)
                    at, after, entered = end, place, place
                    break
            else:
                if not fits:
                    break
                found[at] = ops[number].index
                self._learn(block, at)
                after, entered = number, -1
                at += 1
        return found, at, after

    def _in_scope(self, block: Block, at: int) -> bool:
        scope = self.scopes[at]
        return scope is None or (
            self.known.get(block, scope) == scope and self.known.get(scope, block) == block
        )

    def _learn(self, block: Block, at: int) -> None:
        scope = self.scopes[at]
        if scope is not None:
            self.known[block], self.known[scope] = scope, block

    def enter(self, holder: Op, number: int, at: int) -> tuple[Found, int]:
        """Follow the blocks of an op: that of a loop as often as it runs, else the one that fits best."""
        found: Found = {}
        if holder.type.endswith("while"):
            while True:
                more, end, _ = self.run((holder.index, 0), at)
                if end == at:
                    return found, at
                found.update(more)
                at = end
        tried: list[tuple[tuple[bool, int], Found, int, dict[Block | str, Block | str]]] = []
        before = self.known
        for region in range(self.regions[holder.index]):
            block = (holder.index, region)
            self.known = dict(before)
            inner, end, _ = self.run(block, at)
            ended = end < len(self.told) and self.told[end][1] == number
            ended = ended and _same_type(self.told[end][0], holder.type)
            ran = set(inner.values())
            missed = sum(
                op.index not in ran and op.type not in _NUMBERED for op in self.blocks.get(block, [])
            )
            tried.append(((not ended, missed), inner, end, self.known))
        best = min(rank for rank, *_ in tried)
        fitting = [one for one in tried if one[0] == best]
        _, inner, end, self.known = fitting[0]
        if len(fitting) > 1:
            # Blocks that look alike: nothing tells which of them ran.
            inner, self.known = dict.fromkeys(inner), before
        return inner, end


def is_numbered(kind: str) -> bool:
    """Whether an executor of PIR gives ops of this type a number."""
    dialect = kind.partition(".")[0]
    return kind in _NUMBERED if dialect in ("builtin", "cf") else kind not in _NOT_NUMBERED


def split_text(text: str) -> tuple[str, int]:
    """Type and number of what PIR tells of an op, such as ``pd_op.relu:3``; -1 without a number."""
    kind, _, number = text.rpartition(":")
    return (kind, int(number)) if number.isdecimal() else (text, -1)


def _same_type(told: str, kind: str) -> bool:
    # An op that holds blocks is told of as its instruction: while_instruction for pd_op.while.
    return told == kind or told == f"{kind.rpartition('.')[2]}_instruction"
