"""A predictor without some passes, before it is measured: what the others did, and what it gives."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.bench.ablation.kept import Deed, Effect, Look
from workbench.bench.benchmark import cancels
from workbench.config import REGISTERED_AS, InferenceConfig
from workbench.core import Session
from workbench.errors import ConfigError, NativeError, TimeLimitError, TraceError, WorkerDiedError
from workbench.models import Model
from workbench.tracing import PassTrace, trace

# What says something of the config that was tried; anything else, such as a full disk, ends the measurement.
FAILURES = (NativeError, WorkerDiedError, TimeLimitError, ConfigError)

Outputs = Mapping[str, npt.NDArray[Any]]


def registered(name: str | None) -> str:
    """The name that switches a pass off, of the name the log shows."""
    return REGISTERED_AS.get(name or "", name or "")


def look(
    model: Model,
    config: InferenceConfig,
    off: Sequence[str],
    inputs: Mapping[str, Any],
    *,
    traced: bool,
    cancel: threading.Event,
    time_limit: float | None,
) -> tuple[Look, Outputs]:
    """Create a predictor without the passes ``off``, and run it once.

    Args:
        model: the model.
        config: the baseline's config.
        off: what to leave out of it.
        inputs: what it runs on.
        traced: note what every pass did.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take.

    Returns:
        What was seen, without its effect on the outputs, and the outputs.

    Raises:
        WorkbenchError: as `Session.run`.
    """
    session = Session(model, config.without(*off), time_limit=time_limit)
    deeds: dict[str, Deed] | None = None
    chained: tuple[tuple[str, str], ...] = ()
    notices: list[str] = []
    with session, cancels(cancel, [session]):
        if traced:
            try:
                deeds, chained = _traced(session, lineage=not off)
            except TraceError as error:
                if not off:
                    raise
                notices.append(f"what the others do without {', '.join(off)} is not known: {error}")
        outputs = session.run(inputs)
        ran = {registered(name) for name in session.given["passes"]}
        notices += session.notices
    stuck = [name for name in off if name in ran]
    why = f"Paddle runs {stuck[0]} all the same when it is switched off" if stuck else None
    return Look(tuple(off), deeds, chained, None, why, tuple(notices)), outputs


def _traced(session: Session, *, lineage: bool) -> tuple[dict[str, Deed], tuple[tuple[str, str], ...]]:
    found = trace(session)
    try:
        stages: dict[str, list[tuple[int, str]]] = {}
        for stage in found.changed:
            count = f"+{stage.added} −{stage.removed}" if stage.matches is None else str(stage.matches)
            stages.setdefault(registered(stage.pass_name), []).append((stage.index, count))
        deeds = {
            name: Deed(tuple(index for index, _ in done), tuple(count for _, count in done))
            for name, done in stages.items()
        }
        return deeds, _chained(found) if lineage else ()
    finally:
        found.close()


def _chained(found: PassTrace) -> tuple[tuple[str, str], ...]:
    """Pairs of passes of which the second took in an op that the first had made or changed."""
    makers: defaultdict[int, set[str]] = defaultdict(set)
    pairs: dict[tuple[str, str], None] = {}
    for change in found.lineage.events:
        before = set().union(*(makers[key] for key in change.sources))
        name = registered(found.stages[change.stage].pass_name)
        if not change.lowering:
            pairs.update(dict.fromkeys((maker, name) for maker in sorted(before - {name})))
        # What Paddle lowers stays the work of the pass that made it; a constant's readers are nobody's work.
        if change.how != "folded":
            for key in change.into:
                makers[key] |= before if change.lowering else {name}
    return tuple(pairs)


def interactions(
    base: Mapping[str, Deed],
    chained: Sequence[tuple[str, str]],
    without: Mapping[str, Mapping[str, Deed] | None],
) -> dict[tuple[str, str], str]:
    """The pairs of passes that interact, each with the reason in words.

    Args:
        base: what each pass did with all of them on, in running order.
        chained: pairs of which the second took in what the first had made.
        without: per pass that was left out what the others did then; None where that is not known.

    Returns:
        Pairs in running order. One of a pair may be a pass that changes nothing unless the other is left out.
    """
    order = {name: place for place, name in enumerate(base)}
    found: dict[tuple[str, str], str] = {}

    def add(one: str, other: str, why: str) -> None:
        first, second = sorted((one, other), key=lambda name: order.get(name, len(order)))
        found.setdefault((first, second), why)

    for name, deeds in without.items():
        for other in () if deeds is None else dict.fromkeys((*base, *deeds)):
            # What was not to be left out is in no pair, unless it acts in place of what was.
            if other == name or (other in base and other not in without):
                continue
            was, now = (set_[other].counts if other in set_ else () for set_ in (base, deeds or {}))
            if was == now:
                continue
            if not now:
                add(name, other, f"without {name}, {other} changes nothing")
            elif not was:
                add(name, other, f"only without {name}, {other} changes something")
            else:
                add(name, other, f"without {name}, {other} changes {_words(now)}, not {_words(was)}")
    for first, second in chained:
        if first in without and second in without:
            add(first, second, f"{second} takes in what {first} makes")
    place = {name: order.get(name, len(order)) for pair in found for name in pair}
    return dict(sorted(found.items(), key=lambda item: [(place[name], name) for name in item[0]]))


def _words(counts: Sequence[str]) -> str:
    return " and ".join(counts)


def effect(outputs: Outputs, baseline: Outputs) -> Effect:
    """How far outputs are from the baseline's.

    NaN beside NaN, and infinity beside the same, are no difference. Outputs are taken by name, or by place if
    their names differ.
    """
    if len(outputs) != len(baseline):
        return Effect(None, None, f"{len(outputs)} outputs, not {len(baseline)}")
    same_names = outputs.keys() == baseline.keys()
    others = [outputs[name] for name in baseline] if same_names else list(outputs.values())
    most_abs = most_rel = 0.0
    for (name, expected), given in zip(baseline.items(), others, strict=True):
        if given.shape != expected.shape:
            return Effect(None, None, f"{name} has shape {given.shape}, not {expected.shape}")
        a, b = given.astype(np.float64), expected.astype(np.float64)
        equal = (a == b) | (np.isnan(a) & np.isnan(b))
        comparable = np.isfinite(a) & np.isfinite(b)
        lost = int((~equal & ~comparable).sum())
        if lost:
            return Effect(
                None, None, f"{lost} values of {name} are NaN or infinite, or are so in the baseline"
            )
        apart = np.where(equal, 0.0, np.abs(np.subtract(a, b, where=~equal, out=np.zeros_like(a))))
        scale = np.maximum(np.abs(a), np.abs(b))
        relative = np.divide(apart, scale, out=np.zeros_like(apart), where=apart > 0)
        most_abs = max(most_abs, float(apart.max(initial=0.0)))
        most_rel = max(most_rel, float(relative.max(initial=0.0)))
    return Effect(most_abs, most_rel)
