"""One model with some of its ops in a lower precision, tried once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from workbench.bench.benchmark import go_on
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.verifying.bisection.checks import OutputCheck
from workbench.verifying.bisection.native import Prober
from workbench.verifying.bisection.outcome import On, Outcome
from workbench.verifying.sensitivity.candidates import Candidate
from workbench.verifying.sensitivity.judging import Judge


class Simulated:
    """Runs a model in fp32 and rounds what the ops in the lower precision read and give.

    Args:
        session: runs the model, and has listed the outputs of its ops.
        inputs: what it runs on.
        candidates: what can be in the lower precision.
        precision: which.
        judge: says what the outputs are worth.
        cancel: set it to stop.
    """

    def __init__(
        self,
        session: Session,
        inputs: Mapping[str, Any],
        candidates: Sequence[Candidate],
        precision: str,
        judge: Judge,
        cancel: threading.Event,
    ) -> None:
        self._session, self._inputs = session, inputs
        self._executions = {one.name: one.executions for one in candidates}
        self._precision = precision
        self._judge = judge
        self._cancel = cancel

    def __call__(self, on: On) -> Outcome:
        """Try the model with these candidates in the lower precision."""
        go_on(self._cancel)
        begin = time.monotonic()
        executions = sorted(one for name in on for one in self._executions[name])
        outcome = self._judge(self._session.run_rounded(self._inputs, executions, self._precision))
        return msgspec.structs.replace(outcome, seconds=time.monotonic() - begin)


@dataclass(frozen=True)
class PrecisionCheck(OutputCheck):
    """Outputs of a config in a lower precision must be good enough.

    Attributes:
        judged: says what outputs are worth; None for the tolerance of `OutputCheck`.
    """

    judged: Judge | None = None

    def judge(self, session: Session, left: Callable[[], float]) -> Outcome:
        """Run once; ``left`` gives the seconds that are left."""
        if self.judged is None:
            return super().judge(session, left)
        return self.judged(session.run(self.inputs, time_limit=left()))


class Native(Prober):
    """Tries configs in the lower precision, some op types of which stay in fp32, each in a worker of its own.

    The candidates are op types, and ``config`` has all of them in the lower precision.
    """

    def config_with(self, on: On) -> InferenceConfig:
        """The config with these op types in the lower precision and the other candidates in fp32."""
        kept = [name for name in self.candidates if name not in on]
        return self.config.replace(fp32_ops=(*self.config.fp32_ops, *kept))

    def __call__(self, on: On) -> Outcome:
        """Try the config with these op types in the lower precision."""
        # Which passes ran says nothing of op types.
        return msgspec.structs.replace(super().__call__(on), ran=None)
