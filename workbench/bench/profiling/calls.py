"""Which op of the final graph gave which outputs of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.bench.profiling.blocks import Blocks, is_numbered
from workbench.ir import Graph, Op

# What no executor of Program IR runs as an op that gives an output.
_NO_OUTPUT = frozenset({"feed", "fetch"})


@dataclass(frozen=True)
class Call:
    """One execution of an op, and which outputs of the run it gave.

    Attributes:
        op: index in the final graph; None where that is not known.
        first: index of its first output among those of the run.
        last: index of its last one.
        text: what the profiler was told: type and number in PIR, type and variable in Program IR.
    """

    op: int | None
    first: int
    last: int
    text: str


def find_calls(graph: Graph, ops: Sequence[str], names: Sequence[str]) -> list[Call]:
    """Which op of a graph gave each output of a run.

    Args:
        graph: the final graph of the predictor that ran.
        ops: per output, in the order they came, what the profiler was told of its op: the type in Program IR,
            in PIR with a number after a colon, the op's place among those that its block runs.
        names: per output the name of its variable.

    Returns:
        The calls in the order they came. Every output is in exactly one of them.
    """
    return _pir_calls(graph, ops, names) if graph.ir == "pir" else _program_calls(graph, ops, names)


def _program_calls(graph: Graph, ops: Sequence[str], names: Sequence[str]) -> list[Call]:
    """By type and variable: of a variable that several ops write, the n-th output is of the n-th op."""
    writers: dict[tuple[str, str], list[int]] = {}
    for op in graph.ops:
        for value in op.outputs:
            # Of several variables with one name all but the first have another id.
            writers.setdefault((op.type, graph.values[value].name or value), []).append(op.index)
    calls: list[Call] = []
    given: set[str] = set()
    for place, (kind, name) in enumerate(zip(ops, names, strict=True)):
        known = writers.get((kind, name))
        index = known.pop(0) if known else None
        last = calls[-1] if calls else None
        if last is not None and index is not None and last.op == index and name not in given:
            calls[-1] = Call(index, last.first, place, last.text)
            given.add(name)
        else:
            calls.append(Call(index, place, place, f"{kind} {name}"))
            given = {name}
    return calls


def _pir_calls(graph: Graph, ops: Sequence[str], names: Sequence[str]) -> list[Call]:
    """By the order in which the blocks of the graph can have run."""
    calls: list[Call] = []
    given: set[str] = set()
    scopes: list[str | None] = []
    for place, (text, name) in enumerate(zip(ops, names, strict=True)):
        # An op with several outputs comes several times. The same output again is another call of it, and
        # the same words with a variable of another scope are of another block, which is numbered alike.
        within = _scope(name)
        more = bool(calls) and calls[-1].text == text and name not in given
        if more and (within is None or scopes[-1] in (None, within)):
            calls[-1] = Call(None, calls[-1].first, place, text)
            given.add(name)
            scopes[-1] = scopes[-1] or within
        else:
            calls.append(Call(None, place, place, text))
            given = {name}
            scopes.append(within)
    found = Blocks(graph, [call.text for call in calls], scopes).follow()
    return [Call(found.get(place), one.first, one.last, one.text) for place, one in enumerate(calls)]


def _scope(name: str) -> str | None:
    """What names the scope of a block in ``0x55d1baf9b940179_inner_var_10``; None for inputs and the like."""
    scope, found, _ = name.rpartition("_inner_var_")
    return scope if found else None


def not_run(graph: Graph, calls: Iterable[Call]) -> list[Op]:
    """The ops in blocks of which no op gave an output."""
    if any(call.op is None for call in calls):
        # What was not mapped may have been theirs.
        return []
    blocks = {(graph.ops[call.op].parent, graph.ops[call.op].region) for call in calls if call.op is not None}
    return [
        op
        for op in graph.ops
        if op.parent is not None and (op.parent, op.region) not in blocks and op.kernel is not None
    ]


def silent(graph: Graph, calls: Iterable[Call]) -> list[Op]:
    """The ops that ran without being seen: in a block that ran, and without an output."""
    seen = {call.op for call in calls}
    if None in seen:
        # What was not mapped may have been theirs.
        return []
    blocks = {(graph.ops[index].parent, graph.ops[index].region) for index in seen if index is not None}
    return [
        op
        for op in graph.ops
        if op.index not in seen and (op.parent, op.region) in blocks and _has_work(op, graph.ir)
    ]


def _has_work(op: Op, ir: str) -> bool:
    if ir == "program":
        return op.type not in _NO_OUTPUT
    return op.kernel is not None and is_numbered(op.type)
