"""Measuring a profile: runs with and without the hook in turn, in blocks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.bench.benchmark import Progress, cancels, check_seconds, go_on
from workbench.bench.history import Recorder
from workbench.bench.inputs import random_inputs
from workbench.bench.profiling.result import Profile
from workbench.bench.recording import described, recording, shapes_of
from workbench.bench.samples import Round
from workbench.config import InferenceConfig
from workbench.core import OutputMoments, Session
from workbench.core.tensors import check_inputs
from workbench.errors import NativeError, WorkbenchError
from workbench.models import Model, load
from workbench.tracing import PassTrace, trace

BLOCKS = 10
WARM_UP_MOST_S = 0.5
RUNS_MOST = 1_000_000


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
    record: bool = True,
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
        cancel: set it to stop; of what has been measured, the history has the latencies of the whole.
        time_limit: seconds that any one native call may take.
        record: write it into the history: the latencies of the whole, without the profiler, as they are
            measured, and its facts as its result; see `workbench.History`.

    Raises:
        CancelledError: after ``cancel`` was set.
        NativeError: if Paddle refuses, or if which ops run differs from run to run.
        WorkbenchError: as `Session.run` and `trace`.
    """
    check_seconds(seconds)
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise WorkbenchError(f"count is {count!r}: give a whole number above 0, or None")
    tell = progress or (lambda share, text: None)
    cancel = cancel or threading.Event()
    if isinstance(model, PassTrace):
        if config is not None and config != model.config:
            raise WorkbenchError(
                "a trace has its own config: give one of the two, or trace the model with it"
            )
        with cancels(cancel, [model.session]):
            return _measured(model, inputs, seconds, count, tell, cancel, time_limit, record)
    with (
        Session(model if isinstance(model, Model) else load(model), config, time_limit=time_limit) as session,
        cancels(cancel, [session]),
    ):
        go_on(cancel)
        taken = trace(session, progress=lambda name: tell(0.0, f"running {name}"), time_limit=time_limit)
        try:
            return _measured(taken, inputs, seconds, count, tell, cancel, time_limit, record)
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
    record: bool,
) -> Profile:
    session = taken.session
    model = session.model
    fed = check_inputs(random_inputs(model) if inputs is None else inputs, model.inputs)
    go_on(cancel)
    where = described([session.config])
    with recording("profile", model, where, shapes_of([fed]), seconds, record=record) as recorder:
        found = _recorded(taken, fed, seconds, count, tell, cancel, time_limit, recorder)
        found = replace(found, entry=recorder.id)
        recorder.end("finished", result=found.facts())
    tell(1.0, "done")
    return found


def _recorded(
    taken: PassTrace,
    fed: Mapping[str, Any],
    seconds: float,
    count: int | None,
    tell: Progress,
    cancel: threading.Event,
    time_limit: float | None,
    recorder: Recorder,
) -> Profile:
    session = taken.session
    tell(0.1, "reading the graph")
    graph, layers = taken[-1].graph, taken.lineage.layers_of(len(taken) - 1)
    go_on(cancel)
    tell(0.2, "warming up")
    warm_up = min(WARM_UP_MOST_S, seconds / 4)
    warm = session.time(fed, count=RUNS_MOST, seconds=warm_up, time_limit=time_limit).samples_ns / 1e6
    if recorder.id is not None:
        recorder.run(0, session.config.label, session.config, session.notices)
        recorder.launch(0, 0, *_cold(session, fed, cancel, time_limit), warm)
    # The first of a session makes the predictor that is hooked, which may take longer than was asked for.
    _block(session, fed, 1, warm_up, time_limit)
    moments = _moments(session, fed, seconds, count or RUNS_MOST, tell, cancel, time_limit, recorder)
    remarks = []
    if session.given["device"] == "gpu":
        remarks.append(
            "on a GPU an op gives its outputs before they are computed: these are the times it takes to "
            "launch ops, so measure the latency of the whole for what they cost"
        )
    return Profile.from_moments(
        moments,
        graph,
        layers,
        model=session.model.name,
        config=session.config,
        remarks=remarks,
        notices=session.notices,
    )


def _cold(
    session: Session, inputs: Mapping[str, Any], cancel: threading.Event, time_limit: float | None
) -> tuple[float, float]:
    """Creation and first run of another predictor of this config, in milliseconds.

    That of the trace was created with dumps of every pass, and may have run before.
    """
    fresh = Session(session.model, session.config, time_limit=time_limit)
    with fresh, cancels(cancel, [fresh]):
        go_on(cancel)
        create_ms = fresh.load().create_s * 1e3
        begin = time.perf_counter()
        fresh.run(inputs)
        return create_ms, (time.perf_counter() - begin) * 1e3


def _moments(
    session: Session,
    inputs: Mapping[str, Any],
    seconds: float,
    count: int,
    tell: Progress,
    cancel: threading.Event,
    time_limit: float | None,
    recorder: Recorder,
) -> OutputMoments:
    """The moments of all runs, measured in blocks so that it can be told how far it is."""
    taken: list[OutputMoments] = []
    runs = 0
    begin = time.perf_counter()
    while runs < count and (not taken or time.perf_counter() - begin < seconds):
        go_on(cancel)
        done = max(runs / count, (time.perf_counter() - begin) / seconds)
        tell(0.2 + 0.8 * min(1.0, done), f"profiling: {runs} runs")
        left = max(1e-3, seconds - (time.perf_counter() - begin))
        began_s = time.perf_counter() - begin
        block = _block(session, inputs, count - runs, min(left, seconds / BLOCKS), time_limit)
        if taken and block.ops != taken[0].ops:
            raise _differs(session, "")
        recorder.round(0, 0, len(taken), Round(block.plain_ns / 1e6, began_s))
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


def _block(
    session: Session, inputs: Mapping[str, Any], count: int, seconds: float, time_limit: float | None
) -> OutputMoments:
    try:
        return session.time_ops(inputs, count=count, seconds=seconds, time_limit=time_limit)
    except NativeError as error:
        # The model has just run with these inputs, so it is not the model that is refused.
        raise _differs(session, str(error)) from error


def _differs(session: Session, said: str) -> NativeError:
    return NativeError(
        f"{session.model.name} has no profile: which of its ops run differs from run to run; give inputs "
        f"with which it takes the same branches each time{f' ({said})' if said else ''}"
    )
