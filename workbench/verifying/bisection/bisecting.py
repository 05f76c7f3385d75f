"""`bisect`: from a check that fails to the passes that make it fail."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from workbench.bench.benchmark import Progress, go_on
from workbench.bench.inputs import random_inputs
from workbench.config import InferenceConfig
from workbench.core.tensors import check_inputs
from workbench.errors import ConfigError, WorkbenchError
from workbench.models import Model, load
from workbench.verifying.bisection.changes import changes
from workbench.verifying.bisection.checks import (
    Check,
    CrashCheck,
    FunctionCheck,
    LatencyCheck,
    Named,
    OutputCheck,
    reference_config,
    reference_outputs,
)
from workbench.verifying.bisection.kept import Kept, arguments_of, default_folder
from workbench.verifying.bisection.ledger import Ledger
from workbench.verifying.bisection.native import Prober, needed, pipeline, took
from workbench.verifying.bisection.results import Bisection
from workbench.verifying.bisection.search import Found, Search
from workbench.verifying.comparing import Outputs
from workbench.verifying.function import Function, check_function
from workbench.verifying.tolerance import tolerances_of

DEFAULT_FACTOR = 1.1
DEFAULT_REPEATS = 20
# Noise may be taken for a set of slow passes, again and again, until hardly a pass is left.
LATENCY_SETS = 4


def bisect(
    model: Model | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    check: Named | Function = "output",
    inputs: Mapping[str, Any] | None = None,
    *,
    against: InferenceConfig | Mapping[str, Any] | None = None,
    tolerance: Any = None,
    factor: float = DEFAULT_FACTOR,
    seconds: float = 2.0,
    repeats: int = DEFAULT_REPEATS,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
) -> Bisection:
    """Find the smallest set of passes that makes a check fail, and a config that avoids it.

    Passes are switched off by delta debugging, each config in a worker of its own. What was tried is kept in
    a folder, and a call with the same arguments continues there. The full config is tried three times, and
    twelve times before it is taken not to fail. If only some of them fail, the fault is flaky, and a config
    counts as passing after so many runs that missing the fault is less likely than 1 in 1000.

    Of several faults, one may hide the others: after each, the search goes on in the config that avoids it.
    A failure of another kind than the one that is being cut down, such as another refusal because a pass
    needs one that is off, is not taken for it.

    Args:
        model: a model or its path.
        config: the config that fails; the default config if None.
        check: "output" (outputs must be those of ``against``; a config that is refused, dies or hangs is
            neither pass nor failure), "crash" (it must be created and run once without a refusal, a death or
            a hang), "latency" (it must not be slower than with all candidates off by more than ``factor``,
            beyond doubt; at most four sets that do so are looked for), or a function of the `Session` and the
            inputs by name, as for `reduce`, which returns True if all is well; one that raises fails. It is
            stopped at the time limit when it next uses the session.
        inputs: arrays by name; random ones if None, as in `benchmark`.
        against: for "output", the config or the arrays to compare with; by default this model and these
            inputs with every pass off that can be off, and oneDNN off.
        tolerance: for "output", what counts as the same, as in `workbench.verify`.
        factor: for "latency", from 1.
        seconds: for "latency", steady-state measurement per config, at most.
        repeats: runs of one config, at most; 1 takes every answer for certain.
        folder: where to keep what was tried; by default one in the user's cache, another per arguments. With
            a function nothing is kept unless this is given.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop; what was tried stays.
        time_limit: seconds that a probe may take; by default 60 or, if that is more, five times what the full
            config took. For "latency", seconds that any one native call may take.
        seed: of the random inputs.

    Returns:
        What was found; that the check does not fail, or fails without passes, is an answer too.

    Raises:
        CancelledError: after ``cancel`` was set.
        ConfigError: for an unknown check, a function that does not take both, or a config that cannot be
            asked for.
        WorkbenchError: if the full config cannot be judged by this check, the reference does not run, or the
            folder holds something else or cannot be written to.
    """
    _check_numbers(factor, seconds, repeats, time_limit)
    model = model if isinstance(model, Model) else load(model)
    config = InferenceConfig() if config is None else config
    if not isinstance(config, InferenceConfig):
        raise ConfigError(
            f"config is {config!r}; give an InferenceConfig, such as InferenceConfig(threads=2)"
        )
    arrays = check_inputs(random_inputs(model, seed=seed) if inputs is None else inputs, model.inputs)
    tolerances_of(tolerance, [info.name for info in model.outputs])
    made = _made(model, config, check, arrays, against, tolerance, factor, seconds, time_limit)
    kept = None
    if folder is not None or not isinstance(made, FunctionCheck):
        arguments = arguments_of(model, config, arrays, made, against, time_limit)
        kept = Kept(default_folder(arguments) if folder is None else Path(folder), arguments)
    tell = progress or (lambda share, text: None)
    stop = cancel or threading.Event()
    go_on(stop)
    tell(0.0, "reading the pass list")
    wanted = needed(model, config, stop)
    candidates = tuple(name for name in pipeline(model, config) if name not in wanted)
    known = {} if kept is None else kept.known
    prober = Prober(
        model, config, candidates, made, time_limit=time_limit, cancel=stop, full_s=took(known.get((), ()))
    )
    likely = 2 * math.log2(max(len(candidates), 2)) + 4
    ledger = Ledger(
        candidates,
        prober,
        repeats=repeats,
        known=known,
        keep=(lambda probe: None) if kept is None else kept.add,
        tell=lambda number, text: tell(1 - likely / (likely + number), text),
    )
    search = Search(ledger, LATENCY_SETS if isinstance(made, LatencyCheck) else None)
    found = search.find()
    full = ledger.sample(candidates, 1)
    if found.state == "unresolved":
        raise WorkbenchError(
            f"the check {made.name} cannot judge this config: {full.telling.words}; "
            "bisect that with the check crash"
        )
    told = {}
    if found.state == "found":
        tell(0.99, "reading what it changed")
        only = prober.config_with(frozenset((*found.guilty, *found.stuck)))
        told = changes(model, only, found.guilty, cancel=stop, time_limit=prober.limit_s)
    tell(1.0, "done")
    return Bisection(
        model.name,
        config,
        made.name,
        found.state,
        full.telling.words,
        found.guilty,
        tuple(found.sets),
        None if found.off is None else config.without(*found.off),
        tuple(name for name in candidates if name not in found.stuck),
        tuple(ledger.probes.values()),
        told,
        ledger.rate if ledger.flaky else None,
        _notices(found, wanted, kept, ledger),
        None if kept is None else kept.folder.absolute(),
    )


def _notices(found: Found, wanted: tuple[str, ...], kept: Kept | None, ledger: Ledger) -> tuple[str, ...]:
    notices = [f"{name} was left on: without it not even a model of one op runs" for name in wanted]
    notices += found.notices
    rate = ledger.rate
    if ledger.flaky and rate is not None:
        notices.append(
            f"the fault is flaky: {rate:.0%} of the runs that can fail do; a config was taken to pass after "
            f"{min(ledger.enough, ledger.repeats)} runs"
        )
    if kept is not None and not ledger.grew:
        notices.append(f"nothing was tried anew: this began {kept.began}; to try again, remove {kept.folder}")
    return tuple(notices)


def _made(
    model: Model,
    config: InferenceConfig,
    check: Named | Function,
    inputs: Mapping[str, Any],
    against: InferenceConfig | Mapping[str, Any] | None,
    tolerance: Any,
    factor: float,
    seconds: float,
    time_limit: float | None,
) -> Check:
    if callable(check):
        check_function(check)
        return FunctionCheck(inputs, check)
    if check not in get_args(Named):
        raise ConfigError(f"check is {check!r}; give one of {', '.join(get_args(Named))}, or a function")
    if check == "crash":
        return CrashCheck(inputs)
    if check == "latency":
        return LatencyCheck(inputs, float(factor), float(seconds))

    @cache
    def reference() -> Outputs:
        if against is not None and not isinstance(against, InferenceConfig):
            return against
        return reference_outputs(model, against or reference_config(config), inputs, time_limit)

    return OutputCheck(inputs, reference, tolerance)


def _check_numbers(factor: float, seconds: float, repeats: int, time_limit: float | None) -> None:
    if not (_is_number(factor) and 1 <= factor < math.inf):
        raise WorkbenchError(f"factor is {factor!r}: give a number from 1")
    for name, value in (("seconds", seconds), ("time_limit", time_limit)):
        if value is not None and not (_is_number(value) and 0 < value < math.inf):
            raise WorkbenchError(f"{name} is {value!r}: give a number above 0")
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise WorkbenchError(f"repeats is {repeats!r}: give a whole number above 0")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
