"""`sensitivity`: from a model and a lower precision to the ops that have to stay in fp32."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from typing import Any, Literal, get_args

from workbench.bench.benchmark import Progress, go_on
from workbench.bench.inputs import random_inputs
from workbench.config import InferenceConfig
from workbench.core.defects import Situation, release_of
from workbench.core.defects import check as known_defects
from workbench.core.runtimes import warm
from workbench.core.tensors import check_inputs
from workbench.core.worker.rounding import ROUND
from workbench.errors import ConfigError, WorkbenchError
from workbench.models import Model, load
from workbench.verifying.bisection.ledger import Ledger
from workbench.verifying.sensitivity.candidates import By
from workbench.verifying.sensitivity.judging import Check, Judge
from workbench.verifying.sensitivity.results import Sensitivity, State
from workbench.verifying.sensitivity.searching import Spending, ranked, search, tried, with_single
from workbench.verifying.sensitivity.ways import Task, Way, native, simulated, why_not_native
from workbench.verifying.tolerance import tolerances_of

Asked = Literal["auto", "native", "simulated"]
# The share of the progress up to the end of the ranking.
RANKED = 0.5
_STATES: Mapping[str, State] = {
    "found": "found",
    "does not fail": "does not fail",
    "no pass does it": "no op does it",
}


def sensitivity(
    model: Model | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    precision: str = "bf16",
    inputs: Mapping[str, Any] | None = None,
    *,
    method: Asked = "auto",
    by: By = "type",
    tolerance: Any = None,
    check: Check | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
) -> Sensitivity:
    """Find out which ops a lower precision harms, and which to keep in fp32 so that the outputs are good.

    First every candidate is tried alone in the lower precision, all others in fp32: that is the ranking. Then
    delta debugging, as in `bisect`, looks for the smallest sets that make the check fail, and for what has to
    stay in fp32 so that it passes; what fails alone stays there in any case. Errors add up: where no small
    set is guilty and all together are, there is still a set to keep of which nothing can be left out.

    "simulated" needs no hardware that has the precision. The model runs in fp32 on the CPU, its ops as they
    are in its file, none fused and without oneDNN. What an op in the lower precision reads (weights, too) and
    gives is rounded to the nearest number of that precision, a tie to the even one; inside, it adds up in
    fp32, as hardware with fp32 accumulators does. Where passes fuse several ops into one, which rounds once,
    the real error is smaller.

    "native" asks Paddle for the precision and for op types that stay in fp32, each config in a worker of its
    own. It needs a machine that has the precision.

    Args:
        model: a model or its path.
        config: what to ask for beside the precision; the default config if None. Types in its ``fp32_ops``
            stay in fp32. "simulated" takes of it these types, the runtime and the threads.
        precision: "bf16" or "fp16".
        inputs: arrays by name; random ones if None, as in `benchmark`. Several rows say more than one: in
            few outputs, rounding errors may cancel out by chance.
        method: "native", "simulated" or "auto": native where Paddle gives the precision on this machine, else
            simulated.
        by: "type" for all ops of a type together, as a config names them, or "op" for each op alone, which
            can only be simulated.
        tolerance: what counts as the same as in fp32, as in `workbench.verify`; by default what
            `default_tolerance` gives for the lower precision.
        check: takes the outputs, a dict of name to array, and gives True if they are good enough, such as an
            accuracy; in place of the tolerance. A function that raises fails.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop.
        time_limit: seconds that a native config may take, or one call of the simulation.
        seed: of the random inputs.

    Raises:
        CancelledError: after ``cancel`` was set.
        ConfigError: for a precision, method or ``by`` that is none, or one that cannot be had here.
        WorkbenchError: if the model does not run; as `Session.run`.
    """
    config = _checked(config, precision, method, by, time_limit)
    model = model if isinstance(model, Model) else load(model)
    arrays = check_inputs(random_inputs(model, seed=seed) if inputs is None else inputs, model.inputs)
    tolerances_of(tolerance, [info.name for info in model.outputs])
    task = Task(
        model,
        config,
        precision,
        arrays,
        by,
        lambda expected: Judge(expected, precision, tolerance, check),
        progress or (lambda share, text: None),
        cancel or threading.Event(),
        time_limit,
    )
    go_on(task.cancel)
    reason = "" if method == "simulated" or by == "op" else _why_simulated(task, method)
    with native(task) if reason is None else simulated(task) as way:
        if reason:
            way.notices.insert(0, f"{precision} was simulated, as it cannot be had here: {reason}")
        found = _searched(task, way, "output" if check is None else "function")
    task.tell(1.0, "done")
    return found


def _why_simulated(task: Task, method: Asked) -> str | None:
    """Why the precision is simulated; None if it is not."""
    task.tell(0.0, f"looking whether {task.precision} can be had")
    reason = why_not_native(task)
    if reason is not None and method == "native":
        raise ConfigError(
            f"{task.precision} cannot be tried on this machine: {reason}; use the method simulated"
        )
    return reason


def _searched(task: Task, way: Way, check: Literal["output", "function"]) -> Sensitivity:
    what = "types" if task.by == "type" else "ops"
    ranking, outcomes = ranked(
        way,
        lambda share, name: task.tell(RANKED * share, f"{name} alone in {task.precision}"),
        by_tolerance=check == "output",
    )
    names = [one.name for one in ranking]
    spending = Spending(way.probe)
    ledger = Ledger(
        names,
        spending,
        repeats=1,
        # What differs most comes first: so the halves that delta debugging tries first are the likely ones.
        known={tuple(one for one in names if one != name): [outcomes[name]] for name in names},
        tell=lambda number, text: task.tell(
            1 - (1 - RANKED) * len(names) / max(number, len(names), 1),
            text.replace(" passes on", f" {what} in {task.precision}"),
        ),
    )
    for name in names:
        ledger.ask((name,))
    single = [one.name for one in ranking if one.passed is False]
    found = search(ledger, spending, single)
    full = ledger.sample(names, 1)
    if found.state == "unresolved":
        raise WorkbenchError(
            f"the model does not run in {task.precision}: {full.telling.words}; use the method simulated"
        )
    keep = found.off or ()
    avoid = None
    sets, told = with_single(found, single)
    notices = [*way.notices, *told]
    passes = found.state == "does not fail" or found.off is not None
    if passes and task.by == "type":
        avoid = task.lowered.replace(fp32_ops=(*task.config.fp32_ops, *keep))
        reason = _not_here(task.model, avoid)
        # Where that is why it was simulated, it is said already.
        if reason and not any(reason in text for text in notices):
            notices.append(f"the config to use does not run here: {reason}")
    return Sensitivity(
        task.model.name,
        task.config,
        task.precision,
        way.method,
        task.by,
        check,
        _STATES[found.state],
        full.telling.words,
        keep,
        tuple(sets),
        avoid,
        tuple(ranking),
        tuple(tried(ledger)),
        tuple(notices),
    )


def _not_here(model: Model, config: InferenceConfig) -> str | None:
    """Why a config is refused on this machine, if it is known to be."""
    about = warm(config.runtime).about
    try:
        known_defects(
            Situation(config, model.ir, release_of(about["paddle"]), gpu_build=bool(about["gpu_build"]))
        )
    except ConfigError as error:
        return str(error)
    return None


def _checked(
    config: InferenceConfig | None, precision: str, method: str, by: str, time_limit: float | None
) -> InferenceConfig:
    """The config in fp32, with all arguments checked that are of no model."""
    config = InferenceConfig() if config is None else config
    if not isinstance(config, InferenceConfig):
        raise ConfigError(
            f"config is {config!r}; give an InferenceConfig, such as InferenceConfig(threads=2)"
        )
    if precision == "int8":
        raise ConfigError(
            "int8 needs scales that a model gets when it is quantized, so it cannot be tried here: quantize "
            "the model and compare it with verify, or give bf16 or fp16"
        )
    for name, value, allowed in (
        ("precision", precision, tuple(ROUND)),
        ("method", method, get_args(Asked)),
        ("by", by, get_args(By)),
    ):
        if value not in allowed:
            raise ConfigError(f"{name} is {value!r}; give one of {', '.join(allowed)}")
    if by == "op" and method == "native":
        raise ConfigError("Paddle keeps types of ops in fp32, no single ops: give by type, or simulate")
    number = isinstance(time_limit, (int, float)) and not isinstance(time_limit, bool)
    if time_limit is not None and not (number and 0 < time_limit < math.inf):
        raise WorkbenchError(f"time_limit is {time_limit!r}: give a number above 0")
    return config.replace(precision="fp32")
