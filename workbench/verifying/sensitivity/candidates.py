"""What can run in a lower precision: the ops of a model that compute with float32, by type or one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.bench.profiling import find_calls
from workbench.core.measured import OpOutput
from workbench.ir import Graph, Op, canonical_type
from workbench.tracing import PassTrace

By = Literal["type", "op"]
# The first and the last output of one execution of an op, among those of a run.
Execution = tuple[int, int]

# What brings data in or out, makes constants, or runs a block.
_NO_COMPUTE = frozenset(
    {
        *("data", "fetch", "shadow_feed", "full", "full_int_array", "full_like", "assign_value", "shape"),
        *("if", "while", "recurrent", "run_program"),
    }
)
_NO_OPS = ("builtin.", "cf.")


@dataclass(frozen=True)
class Candidate:
    """Ops that run in the lower precision together, or not.

    Attributes:
        name: their type, or the index and the type of the one op.
        ops: their indices in the model's graph.
        layers: the paths of their layers, each once, as far as known.
        executions: of the ops in a run; none where nothing was run.
    """

    name: str
    ops: tuple[int, ...]
    layers: tuple[str, ...]
    executions: tuple[Execution, ...] = ()


def of_model(graph: Graph, by: By, layers: Sequence[str], kept: Sequence[str]) -> list[Candidate]:
    """The candidates of a model, in the order of their first ops.

    Args:
        graph: the model, before any pass.
        by: whether all ops of a type are one candidate, or each op is.
        layers: per op the path of its layer, "" when unknown.
        kept: types that stay in fp32 anyway.
    """
    return _grouped({op.index: () for op in graph.ops}, graph, by, layers, kept)


def of_run(
    trace: PassTrace, outputs: tuple[OpOutput, ...], by: By, kept: Sequence[str]
) -> tuple[list[Candidate], int]:
    """The candidates of a model whose ops gave an output in a run, and how many outputs are of no known op.

    Args:
        trace: the stages of the predictor that ran.
        outputs: what its ops gave, in the order they came.
        by: whether all ops of a type are one candidate, or each op is.
        kept: types that stay in fp32 anyway.
    """
    last = len(trace) - 1
    lineage = trace.lineage
    keys = lineage.keys(last)
    found: dict[int, tuple[Execution, ...]] = {}
    unmapped = 0
    for call in find_calls(trace[last].graph, [one.op for one in outputs], [one.name for one in outputs]):
        if call.op is None:
            unmapped += call.last - call.first + 1
            continue
        origins = lineage.origins(keys[call.op], last)
        if origins:
            # Of several ops that became one the last gives the result.
            found[origins[-1]] = (*found.get(origins[-1], ()), (call.first, call.last))
    return _grouped(found, trace[0].graph, by, lineage.layers_of(0), kept), unmapped


def _grouped(
    executions: Mapping[int, tuple[Execution, ...]],
    graph: Graph,
    by: By,
    layers: Sequence[str],
    kept: Sequence[str],
) -> list[Candidate]:
    groups: dict[str, list[int]] = {}
    for index in sorted(executions):
        op = graph.ops[index]
        plain = plain_type(op.type)
        if _computes(graph, op) and plain not in kept:
            groups.setdefault(plain if by == "type" else f"{index} {plain}", []).append(index)
    return [
        Candidate(
            name,
            tuple(ops),
            tuple(dict.fromkeys(layers[index] for index in ops if layers[index])),
            tuple(one for index in ops for one in executions[index]),
        )
        for name, ops in groups.items()
    ]


def plain_type(name: str) -> str:
    """A type as ``InferenceConfig.fp32_ops`` has it: without the dialect, and not by the other IR's name."""
    return name.rpartition(".")[2]


def _computes(graph: Graph, op: Op) -> bool:
    if op.type.startswith(_NO_OPS) or canonical_type(op.type) in _NO_COMPUTE or not op.inputs:
        return False
    return any(graph.values[value].dtype == "float32" for value in (*op.inputs, *op.outputs))
