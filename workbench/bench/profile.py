"""The per-op profile: what each op of the final graph takes, and how that fits the latency of the whole."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.bench.samples import Floats
from workbench.config import InferenceConfig
from workbench.core import OutputMoments, Session
from workbench.errors import CancelledError, NativeError, WorkbenchError
from workbench.ir import Graph, Kernel, Op, Value
from workbench.models import Model, load
from workbench.tracing import PassTrace, trace

Progress = Callable[[float, str], object]
Interval = tuple[float, float]

# Above this share of a run the profiler's own work is too large to be taken off by a mean.
OVERHEAD_MOST = 0.20
# Runs that spread or drift by more than this share give medians that do not hold.
SPREAD_MOST = 0.20
DRIFT_MOST = 0.10
RESAMPLES = 1000
BLOCKS = 10
WARM_UP_MOST_S = 0.5
RUNS_MOST = 1_000_000
LISTED = 3
# Rows of the text that stands for a profile in a notebook or a shell.
SHOWN = 12

# What no executor runs as an op of its own; in Program IR these give no output that the hook is told of.
_NO_OUTPUT = frozenset({"feed", "fetch"})
_NOT_NUMBERED = frozenset({"pd_op.data", "pd_op.feed"})
# Of these dialects nothing else has a number; none of them gives an output.
_NUMBERED = frozenset({"builtin.combine", "cf.yield", "cf.tuple_push", "cf.tuple_pop"})


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


@dataclass(frozen=True)
class OpTime:
    """What one op takes in a run, all its calls together; times in milliseconds.

    Attributes:
        index: its index in the final graph, None for outputs that are of no op known there.
        type: its type, such as ``onednn_op.fused_conv2d``.
        calls: how often a run calls it: the trip count in a loop, 0 in a branch not taken.
        raw_ms: as measured, the median over runs. The first op of a run begins with the run; an op that holds
            blocks has only what is left beside the ops in them (PIR; Program IR does not tell of those).
        ms: without the profiler's overhead, as far as that can be told from noise; never below 0.
        ci95: 95 % interval of ``ms`` over runs, None from fewer than six.
        share: ``ms`` as a share of the latency without the profiler.
        outputs: how many outputs of a run are its own.
        text: how it is called in tables, such as ``12 fused_conv2d``.
        kernel: what PIR lowered it to, else None.
        layer: path of its layer, "" when unknown.
        shape: of its first output, -1 for a dimension known only at run time; None when unknown.
        dtype: of its first output, None when unknown.
    """

    index: int | None
    type: str
    calls: int
    raw_ms: float
    ms: float
    ci95: Interval | None
    share: float
    outputs: int
    text: str
    kernel: Kernel | None = None
    layer: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None

    def facts(self) -> dict[str, Any]:
        """Plain values: op, type, calls, ms, share, raw_ms, ci95, layer, kernel, index, shape, dtype."""
        return {
            "op": self.text,
            "type": self.type,
            "calls": self.calls,
            "ms": self.ms,
            "share": self.share,
            "raw_ms": self.raw_ms,
            "ci95": self.ci95,
            "layer": self.layer,
            "kernel": None if self.kernel is None else asdict(self.kernel),
            "index": self.index,
            "shape": None if self.shape is None else list(self.shape),
            "dtype": self.dtype,
        }


@dataclass(frozen=True)
class GroupTime:
    """What ops that have something in common take together.

    Attributes:
        name: the type or the layer; "" for ops whose layer is not known.
        ops: how many of them ran.
        calls: how often a run calls one of them.
        ms: the sum of their times, in milliseconds.
        share: that as a share of the latency without the profiler.
    """

    name: str
    ops: int
    calls: int
    ms: float
    share: float

    def facts(self) -> dict[str, Any]:
        """Plain values: name, ops, calls, ms, share."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Profile:
    """What each op takes; times in milliseconds.

    Attributes:
        model: the model's name.
        config: what was asked for.
        ops: the ops by time, the longest first; what could not be mapped to an op is a row as well.
        plain_ms: the latency without the profiler, the median of its runs.
        profiled_ms: the same with it, in runs taken in turn with the others.
        overhead_ms: what the profiler adds to a run: the difference of the two.
        overhead_ci95: 95 % interval of it, by bootstrap over runs; None from fewer than six.
        outputs: outputs that a run gives, of each of which the profiler is told.
        runs: how many runs of each kind were taken.
        remarks: in words, how the ops' sum fits the latency, and what speaks against these numbers.
        notices: where asked and given differ, in words.
    """

    model: str
    config: InferenceConfig
    ops: tuple[OpTime, ...]
    plain_ms: float
    profiled_ms: float
    overhead_ms: float
    overhead_ci95: Interval | None
    outputs: int
    runs: int
    remarks: tuple[str, ...]
    notices: tuple[str, ...] = ()

    @classmethod
    def from_moments(
        cls,
        moments: OutputMoments,
        graph: Graph,
        layers: Sequence[str] | None = None,
        *,
        model: str = "",
        config: InferenceConfig | None = None,
        remarks: Iterable[str] = (),
        notices: Iterable[str] = (),
    ) -> Profile:
        """Make a profile of what was measured.

        Args:
            moments: when each output of a run came.
            graph: the final graph of the predictor that ran.
            layers: per op of the graph the path of its layer; by default what the graph says.
            model: the model's name.
            config: what was asked for.
            remarks: what else speaks against these numbers.
            notices: where asked and given differ.

        Raises:
            WorkbenchError: if there are no runs.
        """
        if not len(moments.plain_ns):
            raise WorkbenchError("there are no runs to make a profile of: measure at least one")
        plain, hooked = moments.plain_ns / 1e6, moments.hooked_ns / 1e6
        plain_ms, profiled_ms = float(np.median(plain)), float(np.median(hooked))
        overhead_ms = profiled_ms - plain_ms
        overhead_ci95 = _difference_interval(plain, hooked)
        # What cannot be told from noise is not taken off: short ops would vanish for nothing.
        seen = overhead_ci95 is not None and overhead_ci95[0] > 0
        per_output = overhead_ms / max(1, len(moments.ops)) if seen else 0.0
        calls = find_calls(graph, moments.ops, moments.names)
        rows = _rows(calls, moments, per_output, plain_ms)
        named = layers or [op.layer for op in graph.ops]
        ops = [_describe(row, graph, named) for row in rows]
        ops += [_not_run(op, graph, named) for op in _in_blocks_not_run(graph, calls)]
        ops.sort(key=lambda one: (-one.ms, math.inf if one.index is None else one.index))
        said = [
            _reconciled(sum(one.ms for one in ops), plain_ms),
            *_doubts(plain, hooked, overhead_ms / plain_ms),
            *_unmapped(ops),
            *_silent(graph, calls),
            *remarks,
        ]
        return cls(
            model,
            config or InferenceConfig(),
            tuple(ops),
            plain_ms,
            profiled_ms,
            overhead_ms,
            overhead_ci95,
            len(moments.ops),
            len(plain),
            tuple(said),
            tuple(notices),
        )

    @property
    def ops_ms(self) -> float:
        """The sum over ops."""
        return sum(one.ms for one in self.ops)

    @property
    def outside_ms(self) -> float:
        """What of the latency no op accounts for: Paddle's own work; below 0 where the ops' sum is more."""
        return self.plain_ms - self.ops_ms

    @property
    def overhead_share(self) -> float:
        """The profiler's overhead as a share of the latency without it."""
        return self.overhead_ms / self.plain_ms

    @property
    def overhead_per_output_ms(self) -> float:
        """The profiler's overhead for each output it is told of."""
        return self.overhead_ms / max(1, self.outputs)

    def by_type(self) -> tuple[GroupTime, ...]:
        """The ops of each type together, the longest first."""
        return self._grouped(lambda one: one.type)

    def by_layer(self, depth: int | None = None) -> tuple[GroupTime, ...]:
        """The ops of each layer together, the longest first.

        Args:
            depth: how many parts of a layer's path to tell apart; None for all.

        Raises:
            WorkbenchError: if ``depth`` is not a whole number above 0.
        """
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
            raise WorkbenchError(f"depth is {depth!r}: give a whole number above 0, or None for all")
        # A path begins with a slash, so its first part is empty.
        end = None if depth is None else depth + 1
        return self._grouped(lambda one: "/".join(one.layer.split("/")[:end]))

    def _grouped(self, name: Callable[[OpTime], str]) -> tuple[GroupTime, ...]:
        groups: dict[str, list[OpTime]] = {}
        for one in self.ops:
            if one.calls:
                groups.setdefault(name(one), []).append(one)
        made = (
            GroupTime(
                key,
                len(ops),
                sum(one.calls for one in ops),
                sum(one.ms for one in ops),
                sum(one.share for one in ops),
            )
            for key, ops in groups.items()
        )
        return tuple(sorted(made, key=lambda group: (-group.ms, group.name)))

    def overlay(self) -> dict[int, float]:
        """Milliseconds by index of the op in the final graph, as `GraphView.overlay` takes them."""
        return {one.index: one.ms for one in self.ops if one.index is not None and one.calls}

    def facts(self) -> dict[str, Any]:
        """Plain values: model, config, ops (the longest first), the times, the overhead, runs, remarks."""
        return {
            "model": self.model,
            "config": self.config.to_dict(),
            "ops": [one.facts() for one in self.ops],
            "plain_ms": self.plain_ms,
            "profiled_ms": self.profiled_ms,
            "ops_ms": self.ops_ms,
            "outside_ms": self.outside_ms,
            "overhead_ms": self.overhead_ms,
            "overhead_ci95": self.overhead_ci95,
            "overhead_share": self.overhead_share,
            "overhead_per_output_ms": self.overhead_per_output_ms,
            "runs": self.runs,
            "remarks": list(self.remarks),
            "notices": list(self.notices),
        }

    def __repr__(self) -> str:
        lines = [f"<Profile {self.model}: {self.config.label}, {self.plain_ms:.3f} ms, {self.runs} runs>"]
        shown = self.ops[:SHOWN]
        width = max((len(one.text) for one in shown), default=0)
        lines += [f"{one.text:{width}}  {one.calls:4}×  {one.ms:9.4f} ms  {one.share:6.1%}" for one in shown]
        if len(self.ops) > SHOWN:
            rest = self.ops[SHOWN:]
            lines.append(f"and {len(rest)} more, {sum(one.ms for one in rest):.4f} ms together")
        return "\n".join([*lines, *self.remarks])


def profile(
    model: PassTrace | Model | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    seconds: float = 3.0,
    count: int | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
) -> Profile:
    """Measure what each op of the final graph takes, in the very predictor whose graph that is.

    Runs with and without the profiler take turns, so that load and clock meet both alike.

    Args:
        model: a model or its path, which is traced; or a trace, whose session is then used.
        config: what to ask for, unless a trace is given.
        inputs: arrays by name; random ones of the model's shapes (1 for an open dimension) if None.
        seconds: how long to measure.
        count: the most runs of each kind; None for as many as there is time for.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop; what has been measured is lost.
        time_limit: seconds that any one native call may take.

    Raises:
        CancelledError: after ``cancel`` was set.
        NativeError: if Paddle refuses, or if which ops run differs from run to run.
        WorkbenchError: as `Session.run` and `trace`.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise WorkbenchError(f"seconds is {seconds!r}: give a number above 0")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise WorkbenchError(f"count is {count!r}: give a whole number above 0, or None")
    tell = progress or (lambda share, text: None)
    cancel = cancel or threading.Event()
    if isinstance(model, PassTrace):
        if config is not None and config != model.config:
            raise WorkbenchError(
                "a trace has its own config: give one of the two, or trace the model with it"
            )
        with _cancels(cancel, model.session):
            return _measured(model, inputs, seconds, count, tell, cancel, time_limit)
    with (
        Session(model if isinstance(model, Model) else load(model), config, time_limit=time_limit) as session,
        _cancels(cancel, session),
    ):
        _go_on(cancel)
        taken = trace(session, progress=lambda name: tell(0.0, f"running {name}"), time_limit=time_limit)
        try:
            return _measured(taken, inputs, seconds, count, tell, cancel, time_limit)
        finally:
            taken.close()


def _measured(
    taken: PassTrace,
    inputs: Mapping[str, Any] | None,
    seconds: float,
    count: int | None,
    tell: Progress,
    cancel: threading.Event,
    time_limit: float | None,
) -> Profile:
    from workbench.bench import random_inputs

    session = taken.session
    fed = random_inputs(session.model) if inputs is None else inputs
    _go_on(cancel)
    tell(0.1, "reading the graph")
    graph, layers = taken[-1].graph, taken.lineage.layers_of(len(taken) - 1)
    _go_on(cancel)
    tell(0.2, "warming up")
    warm_up = min(WARM_UP_MOST_S, seconds / 4)
    session.time(fed, count=RUNS_MOST, seconds=warm_up, time_limit=time_limit)
    moments = _moments(session, fed, seconds, count or RUNS_MOST, tell, cancel, time_limit)
    remarks = []
    if session.given["device"] == "gpu":
        remarks.append(
            "on a GPU an op gives its outputs before they are computed: these are the times it takes to "
            "launch ops, so measure the latency of the whole for what they cost"
        )
    tell(1.0, "done")
    return Profile.from_moments(
        moments,
        graph,
        layers,
        model=session.model.name,
        config=session.config,
        remarks=remarks,
        notices=session.notices,
    )


def _moments(
    session: Session,
    inputs: Mapping[str, Any],
    seconds: float,
    count: int,
    tell: Progress,
    cancel: threading.Event,
    time_limit: float | None,
) -> OutputMoments:
    """The moments of all runs, measured in blocks so that it can be told how far it is."""
    taken: list[OutputMoments] = []
    runs = 0
    begin = time.perf_counter()
    while runs < count and (not taken or time.perf_counter() - begin < seconds):
        _go_on(cancel)
        done = max(runs / count, (time.perf_counter() - begin) / seconds)
        tell(0.2 + 0.8 * min(1.0, done), f"profiling: {runs} runs")
        left = max(1e-3, seconds - (time.perf_counter() - begin))
        try:
            block = session.time_ops(
                inputs, count=count - runs, seconds=min(left, seconds / BLOCKS), time_limit=time_limit
            )
        except NativeError as error:
            # The model has just run with these inputs, so it is not the model that is refused.
            raise _differs(session, str(error)) from error
        if taken and block.ops != taken[0].ops:
            raise _differs(session, "")
        taken.append(block)
        runs += len(block.plain_ns)
    first = taken[0]
    return OutputMoments(
        first.ops,
        first.names,
        np.concatenate([one.moments_ns for one in taken]),
        np.concatenate([one.hooked_ns for one in taken]),
        np.concatenate([one.plain_ns for one in taken]),
    )


def _differs(session: Session, said: str) -> NativeError:
    return NativeError(
        f"{session.model.name} has no profile: which of its ops run differs from run to run, or from those "
        "of an earlier profile of this session with other inputs; trace the model anew and give inputs with "
        f"which it takes the same branches each time{f' ({said})' if said else ''}"
    )


@contextmanager
def _cancels(cancel: threading.Event, session: Session) -> Iterator[None]:
    """While this lasts, ``cancel`` also ends the native call that is under way."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            # Again and again: a session forgets a cancel that comes between two of its calls.
            if cancel.wait(0.1):
                session.cancel()
                over.wait(0.1)

    watcher = threading.Thread(target=watch, name="workbench-cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _go_on(cancel: threading.Event) -> None:
    if cancel.is_set():
        raise CancelledError("the profile was cancelled")


# Which op gave an output


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
    found = _Blocks(graph, [call.text for call in calls], scopes).follow()
    return [Call(found.get(place), one.first, one.last, one.text) for place, one in enumerate(calls)]


def _scope(name: str) -> str | None:
    """What names the scope of a block in ``0x55d1baf9b940179_inner_var_10``; None for inputs and the like."""
    scope, found, _ = name.rpartition("_inner_var_")
    return scope if found else None


Block = tuple[int | None, int]
# Per call the index of its op, or None where two are as likely.
Found = dict[int, "int | None"]


class _Blocks:
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
            if _is_numbered(op.type):
                self.blocks.setdefault((op.parent, op.region), []).append(op)
        self.holders = {
            block: [place for place, op in enumerate(ops) if op.index in self.regions]
            for block, ops in self.blocks.items()
        }
        self.told = [_split(text) for text in texts]
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
                and self.in_scope(block, at)
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
                self.learn(block, at)
                after, entered = number, -1
                at += 1
        return found, at, after

    def in_scope(self, block: Block, at: int) -> bool:
        scope = self.scopes[at]
        return scope is None or (
            self.known.get(block, scope) == scope and self.known.get(scope, block) == block
        )

    def learn(self, block: Block, at: int) -> None:
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


def _is_numbered(kind: str) -> bool:
    dialect = kind.partition(".")[0]
    return kind in _NUMBERED if dialect in ("builtin", "cf") else kind not in _NOT_NUMBERED


def _split(text: str) -> tuple[str, int]:
    kind, _, number = text.rpartition(":")
    return (kind, int(number)) if number.isdecimal() else (text, -1)


def _same_type(told: str, kind: str) -> bool:
    # An op that holds blocks is told of as its instruction: while_instruction for pd_op.while.
    return told == kind or told == f"{kind.rpartition('.')[2]}_instruction"


def _in_blocks_not_run(graph: Graph, calls: Iterable[Call]) -> list[Op]:
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


# Times


@dataclass(frozen=True)
class _Row:
    op: int | None
    text: str
    calls: int
    outputs: int
    raw_ms: float
    ms: float
    ci95: Interval | None
    share: float


def _rows(calls: Sequence[Call], moments: OutputMoments, per_output: float, plain_ms: float) -> list[_Row]:
    taken = moments.moments_ns / 1e6
    before = np.concatenate([np.zeros((len(taken), 1)), taken], axis=1)
    together: dict[int | str, list[Call]] = {}
    for call in calls:
        together.setdefault(call.text if call.op is None else call.op, []).append(call)
    rank = _rank(len(taken))
    rows = []
    for some in together.values():
        spent = sum((taken[:, one.last] - before[:, one.first] for one in some), np.zeros(len(taken)))
        outputs = sum(one.last - one.first + 1 for one in some)
        raw, off = float(np.median(spent)), outputs * per_output
        ordered = np.sort(spent)
        interval = None
        if rank:
            low, high = float(ordered[rank - 1]) - off, float(ordered[-rank]) - off
            interval = (max(0.0, low), max(0.0, high))
        ms = max(0.0, raw - off)
        rows.append(_Row(some[0].op, some[0].text, len(some), outputs, raw, ms, interval, ms / plain_ms))
    return rows


def _rank(count: int) -> int:
    """The rank r for which the r-th value from below and from above hold the median with at least 95 %.

    Whatever the distribution; 0 where there are too few values.
    """
    from scipy.special import bdtr

    return int(np.searchsorted(bdtr(np.arange(count), count, 0.5), 0.025, side="right"))


def _difference_interval(plain: Floats, hooked: Floats) -> Interval | None:
    """95 % interval of the difference of the medians: runs are drawn again, each with its neighbour."""
    count = len(plain)
    if not _rank(count):
        return None
    rng = np.random.default_rng(0)
    drawn = np.empty(RESAMPLES)
    for place in range(RESAMPLES):
        chosen = rng.integers(0, count, count)
        drawn[place] = np.median(hooked[chosen]) - np.median(plain[chosen])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _describe(row: _Row, graph: Graph, layers: Sequence[str]) -> OpTime:
    numbers = (row.calls, row.raw_ms, row.ms, row.ci95, row.share, row.outputs)
    if row.op is None:
        kind = _split(row.text)[0] if graph.ir == "pir" else row.text.partition(" ")[0]
        return OpTime(None, kind, *numbers, f"? {row.text.removeprefix(kind.rpartition('.')[0]).lstrip('.')}")
    op = graph.ops[row.op]
    return OpTime(op.index, op.type, *numbers, *_about(op, graph, layers))


def _not_run(op: Op, graph: Graph, layers: Sequence[str]) -> OpTime:
    return OpTime(op.index, op.type, 0, 0.0, 0.0, None, 0.0, 0, *_about(op, graph, layers))


def _about(
    op: Op, graph: Graph, layers: Sequence[str]
) -> tuple[str, Kernel | None, str, tuple[int, ...] | None, str | None]:
    first = graph.values[op.outputs[0]] if op.outputs else Value("")
    return (
        f"{op.index} {op.type.rpartition('.')[2]}",
        op.kernel,
        layers[op.index],
        first.shape,
        first.dtype,
    )


# Words


def _reconciled(ops_ms: float, plain_ms: float) -> str:
    rest = plain_ms - ops_ms
    if rest < 0:
        return (
            f"the ops add up to {ops_ms:.3f} ms, {-rest / plain_ms:.1%} more than the {plain_ms:.3f} ms of a "
            "run without the profiler"
        )
    return (
        f"the ops account for {ops_ms:.3f} ms of the {plain_ms:.3f} ms ({ops_ms / plain_ms:.1%}) of a run "
        f"without the profiler; {rest:.3f} ms are outside of them"
    )


def _doubts(plain: Floats, hooked: Floats, overhead: float) -> list[str]:
    """One sentence with all that speaks against relying on the times, if anything does."""
    why = []
    if overhead > OVERHEAD_MOST:
        why.append(f"the profiler adds {overhead:.0%} to a run")
    spread = max(_spread(plain), _spread(hooked))
    if spread > SPREAD_MOST:
        why.append(f"the middle half of the runs spreads by {spread:.0%} of their median")
    drift = max(_drift(plain), _drift(hooked), key=abs)
    if abs(drift) > DRIFT_MOST:
        way = "slower" if drift > 0 else "faster"
        why.append(f"the last third of the runs is {abs(drift):.0%} {way} than the first")
    if not _rank(len(plain)):
        why.append(f"there are only {len(plain)} runs")
    if not why:
        return []
    return [f"do not rely on single times: {'; '.join(why)}; end other load, or measure longer"]


def _spread(runs: Floats) -> float:
    low, middle, high = np.quantile(runs, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def _drift(runs: Floats) -> float:
    third = len(runs) // 3
    return float(np.median(runs[-third:]) / np.median(runs[:third])) - 1 if third else 0.0


def _unmapped(ops: Iterable[OpTime]) -> list[str]:
    unknown = [one for one in ops if one.index is None]
    if not unknown:
        return []
    spent = sum(one.ms for one in unknown)
    return [
        f"{sum(one.outputs for one in unknown)} outputs of a run could not be mapped to an op of the final "
        f"graph ({_listed([one.text for one in unknown])}): their {spent:.3f} ms have rows of their own, "
        "with a question mark"
    ]


def _silent(graph: Graph, calls: Iterable[Call]) -> list[str]:
    """Which ops ran without being seen."""
    seen = {call.op for call in calls}
    blocks = {(graph.ops[index].parent, graph.ops[index].region) for index in seen if index is not None}
    silent = [
        f"{op.index} {op.type.rpartition('.')[2]}"
        for op in graph.ops
        if op.index not in seen and (op.parent, op.region) in blocks and _has_work(op, graph.ir)
    ]
    if None in seen or not silent:
        return []
    subject = "1 op gives" if len(silent) == 1 else f"{len(silent)} ops give"
    whose = "its time is" if len(silent) == 1 else "their times are"
    return [f"{subject} no output that the profiler sees ({_listed(silent)}): {whose} in that of the next op"]


def _has_work(op: Op, ir: str) -> bool:
    if ir == "program":
        return op.type not in _NO_OUTPUT
    return op.kernel is not None and _is_numbered(op.type)


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more
