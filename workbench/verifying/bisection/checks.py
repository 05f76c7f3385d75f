"""The checks a bisection knows, and what an error says of a config."""

from __future__ import annotations

import re
import textwrap
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from workbench.bench.benchmark import Case, measure
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import NativeError, TimeLimitError, WorkbenchError, WorkerDiedError
from workbench.models import Model
from workbench.verifying.bisection.outcome import Outcome
from workbench.verifying.comparing import Outputs, difference
from workbench.verifying.function import Function

Named = Literal["output", "crash", "latency"]
Phase = Literal["creating", "running"]

# What says something of the config that was tried; anything else is the user's mistake or the machine's.
FAILURES = (NativeError, WorkerDiedError, TimeLimitError)
LONGEST_WORDS = 300

TOO_LONG = "time limit"
_HINT = "; try with these passes on again"
_WORD_THAT_VARIES = re.compile(r"\S*[\d@]\S*")


def said(error: BaseException) -> str:
    """What went wrong, without the list of passes that are off, which a probe has anyway."""
    text = str(error).partition(_HINT)[0] or type(error).__name__
    return textwrap.shorten(text, LONGEST_WORDS, placeholder=" …")


def kind_of(error: BaseException, phase: Phase) -> str:
    """What two failures have in common if they are the same fault.

    A refusal is known by its words, without those that hold a number, such as the name of a variable; a death
    by whether the predictor was being created, since memory that one pass ruins may end in several signals.
    """
    if isinstance(error, TimeLimitError):
        return f"{phase}: {TOO_LONG}"
    if isinstance(error, WorkerDiedError):
        return f"{phase}: died"
    return f"{phase}: {type(error).__name__}: {' '.join(_WORD_THAT_VARIES.sub('', said(error)).split())}"


@dataclass(frozen=True)
class OutputCheck:
    """Outputs must be those of a reference.

    A config that is refused, dies or hangs is unresolved: it has no outputs to judge.

    Attributes:
        inputs: what the model runs on.
        reference: gives the expected outputs.
        tolerance: as in `workbench.verify`.
    """

    inputs: Mapping[str, Any]
    reference: Callable[[], Outputs]
    tolerance: Any = None
    name: str = "output"

    def judge(self, session: Session, left: Callable[[], float]) -> Outcome:
        """Run once and compare; ``left`` gives the seconds that are left."""
        given = session.run(self.inputs, time_limit=left())
        words = difference(self.reference(), given, self.tolerance, (str(session.given["precision"]),))
        if words is None:
            return Outcome("passes", "the outputs are those of the reference")
        return Outcome("fails", words, "output")

    def failed(self, error: Exception, phase: Phase) -> Outcome:
        """What an error says."""
        return Outcome("unresolved", said(error), kind_of(error, phase))


@dataclass(frozen=True)
class CrashCheck:
    """A predictor must be created and run once without a refusal, a death or a hang.

    Attributes:
        inputs: what the model runs on.
    """

    inputs: Mapping[str, Any]
    name: str = "crash"

    def judge(self, session: Session, left: Callable[[], float]) -> Outcome:
        """Run once."""
        session.run(self.inputs, time_limit=left())
        return Outcome("passes", "it runs")

    def failed(self, error: Exception, phase: Phase) -> Outcome:
        """What an error says."""
        return Outcome("fails", said(error), kind_of(error, phase))


@dataclass(frozen=True)
class FunctionCheck:
    """A Python function must give True.

    One that raises fails, too, by the kind of what it raises; so a crash in some config is not taken for
    the False that another one gives.

    Attributes:
        inputs: what the model runs on.
        function: takes the session, whose predictor is created, and the inputs.
    """

    inputs: Mapping[str, Any]
    function: Function
    name: str = "function"

    def judge(self, session: Session, left: Callable[[], float]) -> Outcome:
        """Call it."""
        if self.function(session, self.inputs):
            return Outcome("passes", "the function gives True")
        return Outcome("fails", "the function gives False", "False")

    def failed(self, error: Exception, phase: Phase) -> Outcome:
        """What an error says."""
        return Outcome("fails", f"{type(error).__name__}: {said(error)}", kind_of(error, phase))


@dataclass(frozen=True)
class LatencyCheck:
    """The latency must not be worse by more than a factor than with all candidates off.

    It fails where the benchmark's verdict is "slower" and the whole interval of the ratio is above the
    factor: a doubt passes. A config that is refused, dies or hangs is unresolved.

    Attributes:
        inputs: what the model runs on.
        factor: what the ratio may be.
        seconds: steady-state measurement per config, at most.
    """

    inputs: Mapping[str, Any]
    factor: float
    seconds: float
    name: str = "latency"

    def compare(
        self,
        model: Model,
        base: InferenceConfig,
        config: InferenceConfig,
        *,
        cancel: threading.Event,
        time_limit: float,
    ) -> Outcome:
        """Measure a config in turns with the one that has all candidates off."""
        cases = [Case("all off", base, self.inputs), Case("these on", config, self.inputs)]
        found = measure(
            model, cases, seconds=self.seconds, cancel=cancel, time_limit=time_limit, record=False
        )
        [one] = found.comparisons
        span = "" if one.ci95 is None else f" [{one.ci95[0]:.3f}, {one.ci95[1]:.3f}]"
        words = f"{one.ratio:.3f}{span} times the latency with all off, {one.verdict}"
        worse = one.verdict == "slower" and one.ci95 is not None and one.ci95[0] > self.factor
        return Outcome("fails", words, "slower") if worse else Outcome("passes", words)

    def failed(self, error: Exception, phase: Phase) -> Outcome:
        """What an error says."""
        return Outcome("unresolved", said(error), kind_of(error, phase))


SessionCheck = OutputCheck | CrashCheck | FunctionCheck
Check = SessionCheck | LatencyCheck


def reference_config(config: InferenceConfig) -> InferenceConfig:
    """The config whose outputs are taken for right: no pass that can be off, no oneDNN, full precision."""
    return config.replace(
        onednn=False,
        ir_optim=False,
        disabled_passes=(),
        enabled_passes=(),
        precision="fp32",
        memory_optim=False,
        trt=False,
    )


def reference_outputs(
    model: Model, config: InferenceConfig, inputs: Mapping[str, Any], time_limit: float | None
) -> Outputs:
    """Run the reference.

    Raises:
        WorkbenchError: if it does not run.
    """
    with Session(model, config, time_limit=time_limit) as session:
        try:
            # Copied: they may look into memory that the worker gave.
            return {name: np.array(array) for name, array in session.run(inputs).items()}
        except FAILURES as error:
            raise WorkbenchError(
                f"the reference ({config.label}) does not run: {said(error)}; give another one with against="
            ) from None
