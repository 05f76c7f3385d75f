"""Which value of the model each output of a run stands for, through what the passes made of its ops."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from workbench.bench.profiling import Call, find_calls
from workbench.core.measured import OpOutput
from workbench.ir import Graph, Op, canonical_type
from workbench.tracing import PassTrace

# PIR names a variable after the scope of its block and the number of its value in the dump: seen in 3.3.1.
_NUMBERED = re.compile(r"_inner_var_(\d+)\Z")
# What passes put in beside the model's own ops, which gives the value it gets in another layout or place.
_CARRIERS = frozenset({"transpose", "onednn_to_paddle_layout", "memcpy_d2h", "memcpy_h2d", "assign"})

MANY = "runs several times in a run, in a loop or a branch"
UNKNOWN = "cannot be told apart from other outputs of the run"
MADE = "is the work of a pass, and stands for no op of the model"
INSIDE = "is of several ops that passes fused, of which more than one gives a result"
WRITTEN = "is a variable that several ops write"
MOVED = "has another layout, which a pass gave it"
FEW = "is of an op that had fewer outputs in the model"


class Standing(NamedTuple):
    """An output of a run that stands for a value of the model.

    Attributes:
        output: its place among the outputs of the run.
        op: index of its op in the final graph.
        moved: whether passes gave it another layout than the model has.
    """

    output: int
    op: int
    moved: bool


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two predictors: its stages, and what its ops give.

    Attributes:
        trace: its stages.
        outputs: what its ops give in a run.
        graph: its final graph.
        standing: per value of the model, by id, the outputs that stand for it.
        ops: the ops of the final graph that gave an output.
        reasons: per op of those that stands for no value, why.
        rescaled: per value of the model that a pass may have given another scale, the pass.
        unmapped: how many outputs could not be mapped to an op of the final graph.
    """

    trace: PassTrace
    outputs: tuple[OpOutput, ...]
    graph: Graph
    standing: dict[str, list[Standing]]
    ops: frozenset[int]
    reasons: dict[int, str]
    rescaled: dict[str, str]
    unmapped: int


def side(trace: PassTrace, outputs: tuple[OpOutput, ...]) -> Side:
    """Find what every output of a run stands for.

    Args:
        trace: the stages of the predictor that ran.
        outputs: what its ops gave, in the order they came.
    """
    graph = trace[-1].graph
    calls = find_calls(graph, [one.op for one in outputs], [one.name for one in outputs])
    runs = Counter(call.op for call in calls)
    reader = _Reader(trace, graph)
    standing: dict[str, list[Standing]] = {}
    reasons: dict[int, str] = {}
    for call in calls:
        if call.op is None:
            continue
        for place in range(call.first, call.last + 1):
            result = _result(graph, call, outputs[place].name)
            if runs[call.op] > 1:
                reasons.setdefault(call.op, MANY)
            elif result is None:
                reasons.setdefault(call.op, UNKNOWN)
            else:
                value, why = reader.value(call.op, result)
                if value is None:
                    reasons.setdefault(call.op, why)
                elif reader.model.values[value].parameter:
                    continue  # a batch norm gives its statistics again, as they were
                else:
                    # What is but a row of numbers has no layout any more.
                    moved = reader.moved[call.op] and len(outputs[place].shape) > 2
                    standing.setdefault(value, []).append(Standing(place, call.op, moved))
    ops = frozenset(call.op for call in calls if call.op is not None)
    unmapped = sum(call.last - call.first + 1 for call in calls if call.op is None)
    return Side(trace, outputs, graph, standing, ops, reasons, _rescaled(trace), unmapped)


def _result(graph: Graph, call: Call, name: str) -> int | None:
    """Which of an op's results an output is."""
    assert call.op is not None
    results = graph.ops[call.op].outputs
    for place, value in enumerate(results):
        if name in (value, graph.values[value].name):
            return place
    numbered = _NUMBERED.search(name)
    if numbered and f"%{numbered[1]}" in results:
        return results.index(f"%{numbered[1]}")
    return 0 if len(results) == 1 and call.first == call.last else None


class _Reader:
    """Reads off a trace what the results of final ops stand for."""

    def __init__(self, trace: PassTrace, graph: Graph) -> None:
        self.graph, self.model = graph, trace[0].graph
        last = len(trace) - 1
        lineage = trace.lineage
        self.origins = [lineage.origins(key, last) for key in lineage.keys(last)]
        self.writers = [
            Counter(value for op in one.ops for value in op.outputs) for one in (graph, self.model)
        ]
        self.carried = {
            op.index: source
            for op in graph.ops
            if not self.origins[op.index] and (source := self._carried(op)) is not None
        }
        self.moved: list[bool] = []
        for op in graph.ops:
            inputs = [graph.producers.get(value) for value in op.inputs]
            before = any(self.moved[one] for one in inputs if one is not None and one < op.index)
            turned = op.index in self.carried and canonical_type(op.type) == "transpose"
            self.moved.append(before != turned)

    def _carried(self, op: Op) -> tuple[int, int] | None:
        """The op, and which of its results, whose value an op that a pass put in gives again."""
        inputs = [value for value in op.inputs if not self.graph.values[value].parameter]
        if canonical_type(op.type) not in _CARRIERS or len(inputs) != 1 or len(op.outputs) != 1:
            return None
        producer = self.graph.producers.get(inputs[0])
        if producer is None or producer >= op.index:
            return None
        return producer, self.graph.ops[producer].outputs.index(inputs[0])

    def value(self, op: int, result: int) -> tuple[str | None, str]:
        """The id of the model's value, or None and why there is none."""
        while op in self.carried:
            op, result = self.carried[op]
        if self.graph.ir == "program":
            return self._named(self.graph.ops[op].outputs[result])
        origins = self.origins[op]
        if not origins:
            return None, MADE
        if len(origins) == 1:
            results = self.model.ops[origins[0]].outputs
            return (results[result], "") if result < len(results) else (None, FEW)
        group = set(origins)
        leaving = [
            value
            for index in origins
            for value in self.model.ops[index].outputs
            if any(user not in group for user in self.model.users.get(value, ()))
        ]
        if result or len(leaving) != 1:
            return None, INSIDE
        return leaving[0], ""

    def _named(self, name: str) -> tuple[str | None, str]:
        # The variables of Program IR keep their names whatever becomes of the op that writes them.
        if self.writers[0][name] > 1 or self.writers[1][name] > 1:
            return None, WRITTEN
        return (name, "") if self.writers[1][name] else (None, MADE)


def _rescaled(trace: PassTrace) -> dict[str, str]:
    """The values whose scale a pass may have moved from the op that reads them to the one that gives them.

    Program IR's ``conv_bn_fuse_pass`` multiplies the weights of a convolution and leaves an addition of the
    batch norm, so what the convolution gives is no longer what it gave in the model.
    """
    model, lineage = trace[0].graph, trace.lineage
    found: dict[str, str] = {}
    for change in lineage.events:
        if change.how != "replaced" or change.lowering:
            continue
        origins = lineage.origins(change.sources[0], change.stage - 1)
        into = canonical_type(lineage.types[change.into[0]])
        if len(origins) != 1 or canonical_type(model.ops[origins[0]].type) == into:
            continue
        reader = model.ops[origins[0]]
        if not _has_parameters(model, reader):
            continue
        for value in reader.inputs:
            giver = model.producers.get(value)
            alone = model.users.get(value) == [reader.index]
            if giver is not None and alone and _has_parameters(model, model.ops[giver]):
                found[value] = trace[change.stage].pass_name or ""
    return found


def _has_parameters(graph: Graph, op: Op) -> bool:
    return any(graph.values[value].parameter for value in op.inputs)
