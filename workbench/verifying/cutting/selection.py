"""Which values flow into some ops of a graph, and which flow out: the same for both IRs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from workbench.errors import ModelError
from workbench.ir import Graph, Op

FEEDS = frozenset({"feed", "pd_op.data", "pd_op.feed"})
FETCHES = frozenset({"fetch", "pd_op.fetch"})
# What Paddle's inference API copies from and to numpy arrays; bfloat16 as the bits of uint16.
FEEDABLE = frozenset({"bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64"})
# The place of the operand that a PIR op overwrites: a loop its condition, others what they end with "_" for.
_OVERWRITTEN = {"pd_op.while": 0, "pd_op.assign_out_": 1}
# Overwrites running statistics, which are parameters, and not what it normalises.
_HARMLESS = frozenset({"pd_op.batch_norm_", "pd_op.sync_batch_norm_"})


@dataclass(frozen=True)
class Selection:
    """Some ops of a graph, and what they need to be a model.

    Attributes:
        ops: indices of the ops that do not stand within another, feed and fetch left out, in order.
        feeds: ids of the values that are fed: the model's own inputs first, then new ones.
        fetches: ids of the values that are fetched.
        parameters: ids of the weights and constants that are read.
    """

    ops: tuple[int, ...]
    feeds: tuple[str, ...]
    fetches: tuple[str, ...]
    parameters: frozenset[str]


class Wiring:
    """What each op of a graph reads and makes, where an op that holds others counts for all of them.

    Attributes:
        graph: the graph.
        fed: value id to the feed op that makes it.
        fetched: value id to the fetch op that reads it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.fed = {op.outputs[0]: op for op in graph.ops if op.type in FEEDS and op.outputs}
        self.fetched = {op.inputs[0]: op for op in graph.ops if op.type in FETCHES and op.inputs}

    @cached_property
    def top(self) -> list[int]:
        """Per op the index of the op that holds it and stands within no other; itself at the top."""
        found: list[int] = []
        for op in self.graph.ops:
            found.append(op.index if op.parent is None else found[op.parent])
        return found

    @cached_property
    def _held(self) -> dict[int, list[Op]]:
        held: dict[int, list[Op]] = {}
        for op in self.graph.ops:
            if op.parent is not None:
                held.setdefault(self.top[op.index], []).append(op)
        return held

    @cached_property
    def work(self) -> tuple[int, ...]:
        """The ops at the top that are neither feed nor fetch."""
        return tuple(
            op.index
            for op in self.graph.ops
            if op.parent is None and op.type not in FEEDS and op.type not in FETCHES
        )

    @cached_property
    def reads(self) -> dict[int, tuple[str, ...]]:
        """Per op of `work` the values it reads that come from outside of it."""
        found = {}
        for index in self.work:
            held = self._held.get(index, ())
            inside = {value for op in held for value in op.outputs}
            # A region's own arguments have no op that makes them.
            inside |= {value for op in held for value in op.inputs if value.startswith("%arg_")}
            more = [value for op in held for value in op.inputs if value not in inside]
            found[index] = tuple(dict.fromkeys((*self.graph.ops[index].inputs, *more)))
        return found

    @cached_property
    def writers(self) -> dict[str, list[int]]:
        """Per value the ops of `work` that write it: more than one only for a variable of Program IR."""
        found: dict[str, list[int]] = {}
        for index in self.work:
            for value in dict.fromkeys(self.graph.ops[index].outputs):
                found.setdefault(value, []).append(index)
        return found

    @cached_property
    def rewritten(self) -> dict[str, frozenset[int]]:
        """Values that change while the model runs, each with all ops that read or write it."""
        values = self.graph.values
        changing = {
            value
            for value, writers in self.writers.items()
            if not values[value].parameter
            and (
                len(writers) > 1 or value in self.fed or any(value in self.reads[index] for index in writers)
            )
        }
        for op in self.graph.ops:
            place = _OVERWRITTEN.get(op.type, 0 if op.type.endswith("_") else None)
            if self.graph.ir == "pir" and place is not None and op.type not in _HARMLESS:
                changing.update(
                    value for value in op.inputs[place : place + 1] if not values[value].parameter
                )
        touching: dict[str, set[int]] = {value: set() for value in changing}
        for index in self.work:
            for value in (*self.reads[index], *self.graph.ops[index].outputs):
                if value in touching:
                    touching[value].add(index)
        return {value: frozenset(ops) for value, ops in touching.items()}

    def feedable(self, value: str) -> bool:
        """Whether a value can be an input or an output: one dense tensor of a dtype that numpy can bring."""
        found = self.graph.values[value]
        return found.shape is not None and found.dtype in FEEDABLE


def select(
    graph: Graph,
    ops: Iterable[int],
    outputs: Sequence[str] | None = None,
    *,
    wiring: Wiring | None = None,
) -> Selection:
    """Find out what some ops of a graph need to be a model of their own.

    Args:
        graph: the graph of the whole model before any pass.
        ops: indices of its ops. One that stands within another brings that one, whole. Feed ops stay inputs;
            a fetch op stays an output if its value is there.
        outputs: ids of the values to fetch; by default those of the fetch ops among ``ops``, and all values
            that are made and not used among them, but are in the graph.
        wiring: of the graph, where it is at hand.

    Raises:
        ModelError: for an index out of range, for ops that need a value that cannot be an input (a list of
            tensors, say), for some but not all of the ops that share a variable which changes, and where
            there is nothing to fetch.
    """
    wiring = Wiring(graph) if wiring is None else wiring
    given = set()
    for index in ops:
        if not 0 <= index < len(graph.ops):
            raise ModelError(f"the model has no op {index}: give indices from 0 to {len(graph.ops) - 1}")
        given.add(wiring.top[index])
    chosen = tuple(index for index in wiring.work if index in given)
    for value, touching in wiring.rewritten.items():
        if touching & given and not touching <= given:
            raise ModelError(
                f"{value!r} changes while the model runs: "
                f"cut all the ops that use it, {', '.join(map(str, sorted(touching)))}, or none of them"
            )
    read = dict.fromkeys(value for index in chosen for value in wiring.reads[index])
    made = {value for index in chosen for value in graph.ops[index].outputs}
    parameters = frozenset(value for value in read if graph.values[value].parameter)
    missing = [value for value in read if value not in made and value not in parameters]
    own = [value for value, op in wiring.fed.items() if op.index in given or value in missing]
    for value in missing:
        if value not in own and not wiring.feedable(value):
            raise ModelError(_not_feedable(graph, value))
    feeds = (*own, *(value for value in missing if value not in own))
    if outputs is None:
        ends = [
            value
            for value, op in wiring.fetched.items()
            if op.index in given and (value in made or value in own)
        ]
        fetches = (*ends, *_loose(wiring, chosen, read, ends))
    else:
        fetches = tuple(dict.fromkeys(outputs))
        _check_outputs(wiring, fetches, made.union(own))
    if not fetches:
        raise ModelError("the ops that are left make nothing that can be fetched: keep others")
    return Selection(chosen, feeds, fetches, parameters)


def _loose(wiring: Wiring, chosen: Sequence[int], read: Mapping[str, None], ends: Sequence[str]) -> list[str]:
    """Values made and not used among the ops.

    Left out are those that nobody uses in the whole model either, beside others that somebody does: such as
    the mask of a dropout, which Paddle may not even fill in inference.
    """
    graph, found = wiring.graph, []
    for index in chosen:
        outputs = graph.ops[index].outputs
        used = [value for value in outputs if value in graph.users]
        for value in used or outputs[:1]:
            if (
                value not in read
                and value not in ends
                and not graph.values[value].parameter
                and wiring.feedable(value)
            ):
                found.append(value)
    return list(dict.fromkeys(found))


def _check_outputs(wiring: Wiring, fetches: Sequence[str], there: set[str]) -> None:
    for value in fetches:
        if value not in wiring.graph.values:
            raise ModelError(f"the model has no value {value!r}: give ids of `model.graph().values`")
        if value not in there:
            raise ModelError(f"value {value!r} is not made by the ops that are cut: cut its op, too")
        if not wiring.feedable(value) and value not in wiring.fetched:
            raise ModelError(f"value {value!r} cannot be fetched: it is not one tensor of numbers")


def _not_feedable(graph: Graph, value: str) -> str:
    maker = graph.producers.get(value)
    kind = graph.values[value].dtype
    which = f"is {kind}, which cannot be fed" if kind and kind not in FEEDABLE else "is not one tensor"
    source = "" if maker is None else f": cut the op that makes it, {maker} ({graph.ops[maker].type}), too"
    return f"value {value!r} {which}{source}"
