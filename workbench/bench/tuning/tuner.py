"""`tune`: what it is asked for, checked."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.bench import keeping
from workbench.bench.benchmark import Progress, check_seconds
from workbench.bench.inputs import random_inputs
from workbench.bench.recording import check_history
from workbench.bench.tuning.kept import Kept
from workbench.bench.tuning.measuring import Bench, Clock
from workbench.bench.tuning.outcome import outcome
from workbench.bench.tuning.results import Tuning
from workbench.bench.tuning.search import Search
from workbench.bench.tuning.space import Candidate, Goal, batch_of, default_space, given_space
from workbench.config import InferenceConfig
from workbench.core import warm
from workbench.core.defects import release_of
from workbench.errors import ConfigError, WorkbenchError
from workbench.models import Model, load


def tune(
    model: Model | str | os.PathLike[str],
    inputs: Mapping[str, Any] | None = None,
    *,
    goal: Goal = "latency",
    base: InferenceConfig | None = None,
    space: Mapping[str, Sequence[Any]] | None = None,
    seconds: float = 120.0,
    memory_limit: int | None = None,
    max_abs_diff: float | None = None,
    at_most: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    record: bool = True,
) -> Tuning:
    """Find the fastest config for a model on this machine, in bounded time.

    Many candidates are measured for a short time, each in turns with the base, and the best third for three
    times as long, until a few are left; these and the base are measured as by `benchmark`, launch after
    launch. First come the settings, then, around the best of them, the passes that change something there.
    Where no candidate is faster beyond doubt, the base is the answer. What is finished is kept in a folder,
    and a call with the same arguments continues there.

    Args:
        model: a model or its path.
        inputs: arrays by name; random ones if None, as in `benchmark`.
        goal: "latency" of one inference, or "throughput", samples per second of one predictor, with the batch
            as a knob.
        base: the config to begin from and to compare with; the default config if None.
        space: the values to try by knob: a field of `InferenceConfig`, "batch", or "passes" for those that
            may be switched off. By default what can differ on this machine, and the passes that change
            something.
        seconds: the bound on this call, wall clock.
        memory_limit: the most memory, in bytes, that a process may hold; what takes more is not chosen.
        max_abs_diff: the largest difference of an output to the base's that is allowed; None for any number.
        at_most: candidates to try; as many as the time allows if None.
        folder: where to keep what is finished; by default one in the user's cache, another per arguments.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop; what is finished stays.
        time_limit: seconds that any one native call may take.
        seed: of the random inputs and of the search.
        record: write the measurement of the finalists into the history.

    Raises:
        CancelledError: after ``cancel`` was set.
        ConfigError: for a knob or a value that is none.
        WorkbenchError: if the folder holds something else or cannot be written to; if the history is damaged;
            as `Session.run` for the base.
    """
    check_seconds(seconds)
    if goal not in ("latency", "throughput"):
        raise WorkbenchError(f"goal is {goal!r}: give 'latency' or 'throughput'")
    if at_most is not None and (isinstance(at_most, bool) or not isinstance(at_most, int) or at_most < 1):
        raise WorkbenchError(f"at_most is {at_most!r}: give a whole number above 0, or None")
    for name, value in (("memory_limit", memory_limit), ("max_abs_diff", max_abs_diff)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0
        ):
            raise WorkbenchError(f"{name} is {value!r}: give a number from 0, or None for no limit")
    if record:
        check_history()
    with Clock(seconds, cancel or threading.Event()) as clock:
        model = model if isinstance(model, Model) else load(model)
        config = InferenceConfig() if base is None else base
        if not isinstance(config, InferenceConfig):
            raise ConfigError(
                f"base is {base!r}; give an InferenceConfig, such as InferenceConfig(threads=2)"
            )
        arrays = random_inputs(model, seed=seed) if inputs is None else inputs
        start = Candidate(config, batch_of(model, arrays))
        about = warm(config.runtime).about
        # On in 3.x, off in 2.x.
        onednn = release_of(about["paddle"]) >= (3,)
        where = (
            default_space(model, start, goal, bf16=bool(about["bf16_cpu"]), onednn=onednn)
            if space is None
            else given_space(model, start, goal, space, onednn=onednn)
        )
        arguments = {
            **keeping.subject(model, config, arrays),
            "goal": goal,
            "space": None if space is None else {name: list(values) for name, values in space.items()},
            "seconds": float(seconds),
            "memory_limit": memory_limit,
            "max_abs_diff": max_abs_diff,
            "at_most": at_most,
            "seed": seed,
        }
        kept = Kept(
            keeping.default_folder("tunings", arguments) if folder is None else Path(folder), arguments
        )
        bench = Bench(
            model,
            start,
            arrays,
            goal,
            kept,
            clock,
            progress or (lambda share, text: None),
            memory_limit,
            max_abs_diff,
            time_limit,
            seed,
            record,
        )
        search = Search(bench, where, at_most, list(where.notices))
        search.run()
        return outcome(bench, search.notices)
