"""The two ways to try a lower precision: simulated in one worker, or for real, each config in its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from workbench.bench.benchmark import Progress, cancels, go_on
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.tensors import Array
from workbench.errors import ConfigError
from workbench.ir import canonical_type
from workbench.models import Model
from workbench.tracing import trace
from workbench.verifying.bisection.checks import FAILURES, reference_config, reference_outputs, said
from workbench.verifying.bisection.native import DEFAULT_LIMIT_S
from workbench.verifying.bisection.outcome import On, Outcome
from workbench.verifying.divergence.find import _SILENT, plain_config
from workbench.verifying.sensitivity.candidates import By, Candidate, of_model, of_run
from workbench.verifying.sensitivity.judging import Judge, Outputs
from workbench.verifying.sensitivity.probing import Native, PrecisionCheck, Simulated
from workbench.verifying.sensitivity.results import Method


@dataclass(frozen=True)
class Task:
    """What was asked for.

    Attributes:
        model: the model.
        config: the config in fp32; types in its ``fp32_ops`` stay there.
        precision: the lower one.
        inputs: what the model runs on.
        by: what a candidate is.
        judge: makes a judge of the outputs in fp32.
        tell: takes the share done and what happens now.
        cancel: set it to stop.
        time_limit: as in `sensitivity`.
    """

    model: Model
    config: InferenceConfig
    precision: str
    inputs: Mapping[str, Array]
    by: By
    judge: Callable[[Outputs], Judge]
    tell: Progress
    cancel: threading.Event
    time_limit: float | None

    @property
    def lowered(self) -> InferenceConfig:
        """The config in the lower precision."""
        return self.config.replace(precision=self.precision)


@dataclass(frozen=True)
class Way:
    """How candidates are tried.

    Attributes:
        method: which way it is.
        candidates: what can be in the lower precision.
        probe: tries the model with some of them in it.
        judge: has said of each what its outputs are worth.
        notices: what is to be known of it.
    """

    method: Method
    candidates: Sequence[Candidate]
    probe: Callable[[On], Outcome]
    judge: Judge
    notices: list[str] = field(default_factory=list)


@contextlib.contextmanager
def simulated(task: Task) -> Iterator[Way]:
    """Run in fp32 and round; while this lasts, a worker is there."""
    with (
        Session(task.model, plain_config(task.config), time_limit=task.time_limit) as session,
        cancels(task.cancel, (session,)),
    ):
        task.tell(0.0, "running the model in fp32")
        stages = trace(
            session,
            progress=lambda name: task.tell(0.0, f"running {name}"),
            time_limit=task.time_limit,
        )
        with contextlib.closing(stages):
            outputs = session.op_outputs(task.inputs)
            candidates, unmapped = of_run(stages, outputs, task.by, task.config.fp32_ops)
            silent = sum(canonical_type(op.type) in _SILENT for op in stages[0].graph.ops)
        # By the predictor that rounds, here nothing: a large model takes minutes to run in one more.
        first, again = (session.run_rounded(task.inputs, (), task.precision) for _ in range(2))
        # Copied: they may look into memory that the worker gave.
        expected = {name: np.array(array) for name, array in first.items()}
        notices = []
        if any(expected[name].tobytes() != again[name].tobytes() for name in expected):
            notices.append(
                "two runs on the same inputs differ, so a small difference may be of the run and not of the "
                "precision"
            )
        if unmapped:
            notices.append(
                f"{unmapped} outputs of a run could not be mapped to an op of the model: those stay in fp32"
            )
        if silent and task.model.ir == "program":
            notices.append(
                f"Paddle does not tell of the ops in blocks of Program IR ({silent} ops here have one): "
                "those stay in fp32"
            )
        judge = task.judge(expected)
        probe = Simulated(session, task.inputs, candidates, task.precision, judge, task.cancel)
        yield Way("simulated", candidates, probe, judge, notices)


@contextlib.contextmanager
def native(task: Task) -> Iterator[Way]:
    """Ask Paddle for the precision, with types that stay in fp32."""
    task.tell(0.0, "running the model in fp32")
    go_on(task.cancel)
    expected = reference_outputs(task.model, reference_config(task.config), task.inputs, task.time_limit)
    judge = task.judge(expected)
    candidates = types_of(task)
    probe = Native(
        task.model,
        task.lowered,
        [one.name for one in candidates],
        PrecisionCheck(task.inputs, lambda: expected, judged=judge),
        time_limit=task.time_limit,
        cancel=task.cancel,
    )
    yield Way("native", candidates, probe, judge)


def types_of(task: Task) -> list[Candidate]:
    """The types of the model's ops that a config can keep in fp32."""
    graph = task.model.graph()
    return of_model(graph, "type", [op.layer for op in graph.ops], task.config.fp32_ops)


def why_not_native(task: Task) -> str | None:
    """Why this machine cannot run the lower precision, with types that stay out of it; None if it can."""
    # Some can be asked for the precision, and not for types that stay in fp32.
    for names in ((), *((one.name,) for one in types_of(task)[:1])):
        config = task.lowered.replace(fp32_ops=(*task.config.fp32_ops, *names))
        with Session(task.model, config, time_limit=task.time_limit or DEFAULT_LIMIT_S) as session:
            try:
                given = str(session.given["precision"])
            except (ConfigError, *FAILURES) as error:
                return said(error)
            if not names and given.split()[0] != task.precision:
                told = (text for text in session.notices if task.precision in text)
                return next(told, f"it runs in {given}")
    return None
