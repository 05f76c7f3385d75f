"""What guilty passes changed in the graph, in words."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from workbench.bench.ablation.looking import registered
from workbench.bench.benchmark import cancels
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import NativeError, TimeLimitError, TraceError, WorkerDiedError
from workbench.ir import Op, alterations
from workbench.models import Model
from workbench.tracing import PassTrace, Stage, trace
from workbench.verifying.bisection.checks import said

# Of the ops that a pass altered, so many are told.
TOLD = 5
_NOT_TRACED = (NativeError, WorkerDiedError, TimeLimitError, TraceError)


def changes(
    model: Model,
    failing: InferenceConfig,
    guilty: Sequence[str],
    *,
    cancel: threading.Event,
    time_limit: float,
) -> dict[str, tuple[str, ...]]:
    """What each guilty pass changed, a line each.

    Args:
        model: the model.
        failing: the config that fails with nothing but these passes on, of those that can be off. Where it
            cannot be created, nothing is printed of the pass that ends it; what it was given is told then,
            from the same config without that pass.
        guilty: the passes.
        cancel: set it to stop.
        time_limit: seconds that a trace may take.

    Returns:
        Lines by pass.

    Raises:
        CancelledError: after ``cancel`` was set.
    """
    try:
        return _traced(model, failing, guilty, cancel, time_limit)
    except _NOT_TRACED as error:
        why = said(error)
    found: dict[str, tuple[str, ...]] = {}
    for name in guilty:
        try:
            given = _given(model, failing.without(name), cancel, time_limit)
        except _NOT_TRACED as error:
            given = f"nor can the graph that it is given be shown: {said(error)}"
        found[name] = (f"the predictor is not created with it, so its graph is not known: {why}", given)
    return found


def _traced(
    model: Model,
    config: InferenceConfig,
    guilty: Sequence[str],
    cancel: threading.Event,
    time_limit: float,
) -> dict[str, tuple[str, ...]]:
    with Session(model, config, time_limit=time_limit) as session, cancels(cancel, [session]):
        found = trace(session)
        try:
            return {name: _lines(found, name) for name in guilty}
        finally:
            found.close()


def _given(model: Model, config: InferenceConfig, cancel: threading.Event, time_limit: float) -> str:
    with Session(model, config, time_limit=time_limit) as session, cancels(cancel, [session]):
        found = trace(session)
        try:
            last = found.stages[-1]
            return f"without it the graph ends as {_counted(last.graph.ops)}"
        finally:
            found.close()


def _lines(found: PassTrace, name: str) -> tuple[str, ...]:
    stages = [stage for stage in found.stages if registered(stage.pass_name) == name]
    if not stages:
        return ("it did not run when traced",)
    changed = [stage for stage in stages if stage.changed]
    if not changed:
        return (f"it changed nothing in the graph of {stages[0].ops:,} ops (stage {stages[0].index})",)
    return tuple(line for stage in changed for line in _stage_lines(stage))


def _stage_lines(stage: Stage) -> list[str]:
    diff, before, after = stage.diff, stage.before, stage.graph
    head = f"stage {stage.index}: {stage.ops_before:,} → {stage.ops:,} ops"
    if stage.matches is not None:
        head += f", matched {stage.matches}"
    lines = [head]
    if diff.removed:
        lines.append(f"removed {_counted([before.ops[index] for index in diff.removed])}")
    if diff.added:
        lines.append(f"added {_counted([after.ops[index] for index in diff.added])}")
    told = alterations(before, after, diff)
    for index, words in list(told.items())[:TOLD]:
        lines.append(f"altered {after.ops[index].type}: {'; '.join(words)}")
    if len(told) > TOLD:
        lines.append(f"altered {len(told) - TOLD} more")
    return lines


def _counted(ops: Sequence[Op]) -> str:
    """Ops by type, such as ``2 × pd_op.conv2d, pd_op.relu``."""
    counts = Counter(op.type for op in ops)
    return (
        ", ".join(name if count == 1 else f"{count} × {name}" for name, count in counts.items()) or "nothing"
    )
