"""Comparing one model under two configs, op by op, and finding where they part."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from workbench.bench.benchmark import Progress, cancels, go_on
from workbench.bench.inputs import random_inputs
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.tensors import Array, check_inputs
from workbench.errors import NativeError, WorkbenchError, WorkerDiedError
from workbench.ir import canonical_type
from workbench.models import Model, load
from workbench.tracing import PassTrace, trace
from workbench.verifying.divergence.apart import Apart, tolerance_for
from workbench.verifying.divergence.judging import first_of, judged
from workbench.verifying.divergence.matching import Pair, check_alike, counted, match
from workbench.verifying.divergence.result import Coverage, Divergence, FinalOp, Point
from workbench.verifying.divergence.standing import Side, Standing, side
from workbench.verifying.divergence.taking import LARGE, check_limit, compared, planned, unsteady

MEMORY_LIMIT = 256 << 20
# Ops of Program IR that run a block, of whose ops no hook is told.
_SILENT = frozenset({"while", "if", "conditional_block", "recurrent", "run_program"})

ModelLike = Model | str | os.PathLike[str]


def first_divergence(
    model: ModelLike,
    config: InferenceConfig | None = None,
    against: InferenceConfig | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    other: ModelLike | None = None,
    memory_limit: int = MEMORY_LIMIT,
    tolerance: float | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
) -> Divergence:
    """Compare what ops give under two configs, and find the first that differs more than its inputs explain.

    Both predictors are traced, and outputs of their final graphs are compared where they stand for the same
    value of the model as loaded. Their difference is ``||a-b|| / ||a||``. A divergence begins at an op whose
    difference is beyond the tolerance and more than ten times the largest among the nearest values before it
    that were compared, or that gives NaN or infinity in one alone when none of those has any.

    Args:
        model: a model or its path.
        config: what to ask for; the default config if None.
        against: what to compare with. If None, the same config where ``other`` is given, else `plain_config`.
        inputs: arrays by name; random ones of the model's shapes (1 for an open dimension) if None.
        other: a model of the same structure that runs in place of the first one under ``against``: one with
            other weights, say.
        memory_limit: bytes that the tensors taken may occupy in this process and both workers together,
            beside what the model itself needs to run; both are run again for what is more.
        tolerance: the difference any output of floats may have; by default one for its dtype and the
            precision of the configs, such as 1e-4 for float32. Whole numbers may never differ.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take.

    Raises:
        CancelledError: after ``cancel`` was set.
        TraceError: if ``other`` is not of the same structure.
        WorkbenchError: if a predictor cannot be created or run; for limits that are none; as `Session.run`.
    """
    check_limit(memory_limit)
    wrong = (
        isinstance(tolerance, bool)
        or not isinstance(tolerance, (int, float))
        or not 0 <= tolerance < math.inf
    )
    if tolerance is not None and wrong:
        raise WorkbenchError(f"tolerance is {tolerance!r}: give a number from 0 on, such as 1e-3, or None")
    tell = progress or (lambda share, text: None)
    cancel = cancel or threading.Event()
    config = config or InferenceConfig()
    if against is None:
        against = config if other is not None else plain_config(config)
    ours = model if isinstance(model, Model) else load(model)
    theirs = ours if other is None else other if isinstance(other, Model) else load(other)
    if other is not None:
        check_alike(ours.graph(), theirs.graph())
    fed = check_inputs(random_inputs(ours) if inputs is None else inputs, ours.inputs)
    with contextlib.ExitStack() as stack:
        sessions = tuple(
            stack.enter_context(Session(one, _lasting(asked), time_limit=time_limit))
            for one, asked in ((ours, config), (theirs, against))
        )
        stack.enter_context(cancels(cancel, sessions))
        sides: list[Side] = []
        for place, session in enumerate(sessions):
            go_on(cancel)
            sides.append(_side(stack, session, fed, place, tell))
        found = _Finding(sides[0], sides[1], fed, memory_limit, tolerance)
        points, chunks = found.points(tell, cancel, time_limit)
        tell(1.0, "done")
        return Divergence(
            ours.name,
            config,
            against,
            first_of(points),
            points,
            found.coverage(_labels(config, against, other is not None)),
            len(chunks),
            max((chunk.held for chunk in chunks), default=0),
            tuple(dict.fromkeys([*_left_off(config, against), *found.notices, *_healing(points)])),
        )


def plain_config(config: InferenceConfig) -> InferenceConfig:
    """The model as it is: the same runtime and threads, on the CPU in fp32, without optimization."""
    return InferenceConfig(runtime=config.runtime, threads=config.threads, onednn=False, ir_optim=False)


def _lasting(config: InferenceConfig) -> InferenceConfig:
    # Its variables are used again for others, under names that say nothing.
    return config.replace(memory_optim=False)


def _left_off(*configs: InferenceConfig) -> list[str]:
    if not any(one.memory_optim for one in configs):
        return []
    return [
        "memory optimization is off here, since it gives one name to several tensors: what goes wrong with "
        "it alone is not found"
    ]


def _labels(config: InferenceConfig, against: InferenceConfig, models: bool) -> tuple[str, str]:
    return config.label, f"{against.label} (the other model)" if models else against.label


def _side(
    stack: contextlib.ExitStack,
    session: Session,
    inputs: Mapping[str, Array],
    place: int,
    tell: Callable[[float, str], object],
) -> Side:
    """Trace one predictor, run it once, and find what its outputs stand for."""
    begin = 0.35 * place
    label = session.config.label
    try:
        taken: PassTrace = trace(session, progress=lambda name: tell(begin, f"{label}: running {name}"))
        stack.callback(taken.close)
        tell(begin + 0.1, f"{label}: running the model")
        outputs = session.op_outputs(inputs)
    except (NativeError, WorkerDiedError) as error:
        raise WorkbenchError(
            f"under {label} there is nothing to compare: {error}; to find the pass that does it, run "
            f"`workbench bisect {session.model.path or 'MODEL'} --check crash`"
        ) from error
    tell(begin + 0.15, f"{label}: reading the graphs")
    return side(taken, outputs)


class _Finding:
    """Two predictors, paired and compared.

    Attributes:
        notices: what is to be known of it, in words.
    """

    def __init__(
        self, first: Side, second: Side, inputs: Mapping[str, Array], limit: int, tolerance: float | None
    ) -> None:
        self.sides = first, second
        self.inputs, self.limit, self.tolerance = inputs, limit, tolerance
        self.model = first.trace[0].graph
        check_alike(self.model, second.trace[0].graph)
        self.pairs, *reasons = match(self.model, first, second)
        self.reasons: tuple[dict[int, str], dict[int, str]] = (reasons[0], reasons[1])
        self.layers = first.trace.lineage.layers_of(0)
        self.notices = [
            f"{one.trace.config.label}: {text}" for one in self.sides for text in one.trace.loaded.notices
        ]
        self.notices += [
            f"{one.trace.config.label}: {one.unmapped} outputs of a run could not be mapped to an op of "
            "the final graph, and were not compared"
            for one in self.sides
            if one.unmapped
        ]
        silent = sum(canonical_type(op.type) in _SILENT for op in self.model.ops)
        if silent and self.model.ir == "program":
            self.notices.append(
                f"Paddle does not tell of the ops in blocks of Program IR ({silent} ops here have one): what "
                "goes wrong in one is found at the op that holds it"
            )

    def points(
        self, tell: Callable[[float, str], object], cancel: threading.Event, time_limit: float | None
    ) -> tuple[tuple[Point, ...], list[Any]]:
        """Compare the values, in chunks."""
        outputs = self.sides[0].outputs, self.sides[1].outputs
        sessions = self.sides[0].trace.session, self.sides[1].trace.session
        chunks, large = planned(self.pairs, outputs, self.limit)
        for pair in large:
            for reasons, standing in zip(self.reasons, (pair.first, pair.second), strict=True):
                reasons[standing.op] = LARGE
        if not chunks:
            return (), []
        for one, differs in zip(self.sides, unsteady(chunks, sessions, self.inputs), strict=True):
            if differs:
                self.notices.append(
                    f"{one.trace.config.label}: two runs on the same inputs differ, so a small one may "
                    "be of the run and not of the config; give tolerance for what runs may differ by"
                )
        apart = compared(
            chunks,
            outputs,
            sessions,
            self.inputs,
            tell=lambda share, text: tell(0.7 + 0.3 * share, text),
            cancel=cancel,
            time_limit=time_limit,
        )
        return self._judged(apart), chunks

    def _judged(self, apart: Mapping[str, Apart]) -> tuple[Point, ...]:
        pairs = [pair for pair in self.pairs if pair.value in apart]
        return judged([self._point(pair, apart) for pair in pairs])

    def _point(self, pair: Pair, apart: Mapping[str, Apart]) -> Point:
        first, second = (
            one.outputs[standing.output]
            for one, standing in zip(self.sides, (pair.first, pair.second), strict=True)
        )
        precisions = [str(one.trace.loaded.given["precision"]).partition(" ")[0] for one in self.sides]
        dtypes = first.dtype, second.dtype
        allowed = tolerance_for(dtypes, (precisions[0], precisions[1]))
        if self.tolerance is not None and allowed:
            allowed = self.tolerance
        producer = self.model.ops[pair.producer]
        known = apart[pair.value]
        return Point(
            pair.value,
            producer.index,
            producer.type,
            self.layers[producer.index],
            pair.between,
            tuple(dict.fromkeys(path for op in pair.between if (path := self.layers[op]))),
            tuple(value for value in pair.before if value in apart),
            _final(self.sides[0], pair.first),
            _final(self.sides[1], pair.second),
            first.shape,
            dtypes,
            known.relative,
            known.lost,
            0.0,
            allowed,
        )

    def coverage(self, labels: tuple[str, str]) -> tuple[Coverage, Coverage]:
        """How many ops of each final graph were compared."""
        found = []
        for one, reasons, label in zip(self.sides, self.reasons, labels, strict=True):
            left = {op: why for op, why in reasons.items() if op in one.ops}
            found.append(Coverage(label, len(one.ops), len(one.ops) - len(left), counted(left)))
        return found[0], found[1]


def _final(one: Side, standing: Standing) -> FinalOp:
    op = one.graph.ops[standing.op]
    lineage = one.trace.lineage
    key = lineage.keys(len(one.trace) - 1)[op.index]
    stages = dict.fromkeys(change.stage for change in lineage.history(key) if not change.lowering)
    passes = tuple((stage, one.trace[stage].pass_name or "") for stage in stages)
    name = one.outputs[standing.output].name
    return FinalOp(op.index, op.type, "" if "_inner_var_" in name else name, passes)


def _healing(points: tuple[Point, ...]) -> list[str]:
    healed = [one for one in points if one.heals]
    if not healed:
        return []
    named = ", ".join(f"{one.op} {one.type}" for one in healed[:5]) + (" and more" if healed[5:] else "")
    return [
        f"{len(healed)} values differ while all that is computed of them agrees, so they are no divergence: "
        f"a pass gave them another meaning, or the difference had no effect ({named})"
    ]
