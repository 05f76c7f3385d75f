"""Configs tried on the native core: which passes there are, and one config in a worker of its own."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from workbench.bench.ablation.looking import registered
from workbench.bench.benchmark import go_on
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.pipeline import tiny_pir
from workbench.errors import CancelledError, TimeLimitError, WorkbenchError, WorkerDiedError
from workbench.models import Model, load
from workbench.verifying.bisection.checks import FAILURES, TOO_LONG, Check, LatencyCheck, Phase, SessionCheck
from workbench.verifying.bisection.outcome import On, Outcome
from workbench.verifying.ddmin import ddmin

DEFAULT_LIMIT_S = 60.0
# Fewer fusions make slower predictors.
LIMIT_FACTOR = 5.0
WATCH_S = 0.1

_needed: dict[Any, tuple[str, ...]] = {}


def pipeline(model: Model, config: InferenceConfig) -> tuple[str, ...]:
    """The passes that run for a config, in order, each once and by the name that switches it off."""
    with Session(model, config, time_limit=DEFAULT_LIMIT_S) as session:
        return session.passes()


def needed(model: Model, config: InferenceConfig, cancel: threading.Event) -> tuple[str, ...]:
    """The passes without which not even a model of one op runs: they cannot be candidates.

    In 3.3.1 that is ``replace_fetch_with_shadow_output_pass`` of PIR; Program IR runs without any.
    """
    if model.ir == "program":
        return ()
    plain = config.replace(disabled_passes=(), enabled_passes=(), threads=1, memory_optim=False)
    if plain not in _needed:
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            file = Path(folder) / "tiny.json"
            file.write_text(tiny_pir())
            tiny = load(file)
            names = pipeline(tiny, plain)
            # What Paddle keeps at the lowest level of optimization, in which it is cut down further.
            kept = pipeline(tiny, plain.replace(ir_optim=False))

            def runs(on: tuple[str, ...]) -> bool:
                go_on(cancel)
                off = [name for name in names if name not in on]
                with Session(tiny, plain.without(*off), time_limit=DEFAULT_LIMIT_S) as session:
                    try:
                        session.run({"x": np.ones(1, np.float32)})
                    except FAILURES:
                        return False
                return True

            if runs(()):
                _needed[plain] = ()
            else:
                _needed[plain] = ddmin(kept, runs) if runs(kept) else ()
    return _needed[plain]


class Prober:
    """Tries configs, each in a worker of its own, which is gone afterwards.

    Args:
        model: the model.
        config: the config with all candidates on.
        candidates: passes that can be off, in running order.
        check: what is asked of each.
        time_limit: seconds that one may take; None for 60 or, if that is more, five times what the full
            config took.
        cancel: set it to stop.
        full_s: seconds that the full config took, if that is known already.
    """

    def __init__(
        self,
        model: Model,
        config: InferenceConfig,
        candidates: Sequence[str],
        check: Check,
        *,
        time_limit: float | None,
        cancel: threading.Event,
        full_s: float | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.candidates = tuple(candidates)
        self.check = check
        self.cancel = cancel
        self.time_limit = time_limit
        self.full_s = full_s

    @property
    def limit_s(self) -> float:
        """Seconds that a probe may take."""
        if self.time_limit is not None:
            return self.time_limit
        return max(DEFAULT_LIMIT_S, LIMIT_FACTOR * (self.full_s or 0.0))

    def __call__(self, on: On) -> Outcome:
        """Try the config with these candidates on.

        Raises:
            CancelledError: after ``cancel`` was set.
            WorkbenchError: for what says nothing of the config, such as an input of a wrong shape.
        """
        go_on(self.cancel)
        config = self.config_with(on)
        begin = time.monotonic()
        if isinstance(self.check, LatencyCheck):
            outcome = self._measured(self.check, config, on)
        else:
            outcome = self._judged(self.check, config)
        go_on(self.cancel)
        seconds = time.monotonic() - begin
        outcome = msgspec.structs.replace(outcome, seconds=seconds)
        if len(on) == len(self.candidates):
            self.full_s = took([outcome]) or self.full_s
        return outcome

    def config_with(self, on: On) -> InferenceConfig:
        """The config with these candidates on and the others off."""
        return self.config.without(*[name for name in self.candidates if name not in on])

    def _measured(self, check: LatencyCheck, config: InferenceConfig, on: On) -> Outcome:
        if not on:
            return Outcome("passes", "the others are compared with this one")
        try:
            return check.compare(
                self.model,
                self.config_with(frozenset()),
                config,
                cancel=self.cancel,
                time_limit=self.limit_s,
            )
        except FAILURES as error:
            return check.failed(error, "running")

    def _judged(self, check: SessionCheck, config: InferenceConfig) -> Outcome:
        with Session(self.model, config, time_limit=self.limit_s) as session:
            session.start()
            end = time.monotonic() + self.limit_s

            def left() -> float:
                return max(0.0, end - time.monotonic())

            phase: Phase = "creating"
            ran: tuple[str, ...] | None = None
            with _stopped(session, self.cancel, end):
                try:
                    loaded = session.load(time_limit=left())
                    ran, phase = tuple(map(registered, loaded.given["passes"])), "running"
                    outcome = check.judge(session, left)
                except FAILURES as error:
                    ran = _ran(session, error, self.config_passes(config)) if phase == "creating" else ran
                    outcome = check.failed(
                        self._late() if isinstance(error, TimeLimitError) else error, phase
                    )
                except CancelledError:
                    if self.cancel.is_set() or left():
                        raise
                    outcome = check.failed(self._late(), phase)
                except WorkbenchError:
                    raise
                except Exception as error:
                    outcome = check.failed(error, phase)
            return msgspec.structs.replace(outcome, ran=ran)

    def config_passes(self, config: InferenceConfig) -> tuple[str, ...]:
        """The candidates that are on in a config."""
        return tuple(name for name in self.candidates if name not in config.disabled_passes)

    def _late(self) -> TimeLimitError:
        # The whole limit, and not what was left of it for the last call.
        return TimeLimitError(f"it took longer than {self.limit_s:g} s")


@contextmanager
def _stopped(session: Session, cancel: threading.Event, end: float) -> Iterator[None]:
    """While this lasts, ``cancel`` and the end of the time end the native call that is under way."""
    over = threading.Event()

    def watch() -> None:
        # Again and again: a session forgets a cancel that comes between two of its calls.
        while not over.wait(WATCH_S):
            if (cancel.is_set() or time.monotonic() >= end) and session.pid is not None:
                session.cancel()

    watcher = threading.Thread(target=watch, name="workbench-bisect", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def took(runs: Sequence[Outcome]) -> float | None:
    """Seconds of the longest run that came to its end, None if none did: a hang says nothing of the rest."""
    ended = [one.seconds for one in runs if not one.kind.endswith(TOO_LONG)]
    return max(ended, default=None)


def _ran(session: Session, error: Exception, passes: Sequence[str]) -> tuple[str, ...] | None:
    """The passes that a predictor which was not created got through, and the one it ended in."""
    if isinstance(error, WorkerDiedError):
        # Its log is gone with it; what comes after the pass it names did not run.
        last = registered(error.pass_name)
        return tuple(passes[: passes.index(last) + 1]) if last in passes else None
    return tuple(dict.fromkeys(registered(run.name) for run in session.passes_begun)) or None
