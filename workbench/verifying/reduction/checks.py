"""The faults that a reduction keeps: what a model does under a config, as a value that can be compared."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from workbench.bench.benchmark import cancels, go_on
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.defects import mend
from workbench.errors import CancelledError, NativeError, TimeLimitError, WorkbenchError, WorkerDiedError
from workbench.models import Model
from workbench.verifying.comparing import Outputs, difference
from workbench.verifying.function import Function

Array = npt.NDArray[Any]
Phase = Literal["creating the predictor", "running the model", "checking"]

_PATH = re.compile(r"(?<![\w./])/(?:[^\s/'\":,;()]+/)+")
_MODEL_VALUES = re.compile(r"0x[0-9a-fA-F]+|%?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Failure:
    """How a model failed.

    Attributes:
        kind: "refused", "died", "hangs", "differs" or "check".
        phase: what Paddle was doing.
        reason: why, without numbers and names that change from model to model; equal for the same fault.
        text: the same as Paddle said it, without paths of this machine.
    """

    kind: str
    phase: Phase
    reason: str
    text: str

    def like(self, other: Failure) -> bool:
        """Whether both are the same fault."""
        return (self.kind, self.phase, self.reason) == (other.kind, other.phase, other.reason)


@dataclass(frozen=True)
class Seen:
    """What a model did under a config.

    Attributes:
        failure: how it failed, None if it did not.
        outputs: what it gave, None if it gave nothing.
        expected: what the reference gave; only where the check compares.
        given: what the predictor had, as `Session.given`; None if it was not created.
    """

    failure: Failure | None
    outputs: Outputs | None = None
    expected: Outputs | None = None
    given: Mapping[str, Any] | None = None


# Called once the model is loaded: one that fails before needs none.
Inputs = Callable[[], Mapping[str, Array]]


def run(
    model: Model,
    config: InferenceConfig,
    inputs: Inputs | None,
    *,
    cancel: threading.Event,
    time_limit: float | None,
    check: Function | None = None,
) -> Seen:
    """Create a predictor in a worker of its own and run it once; what goes wrong is in the result.

    Args:
        model: the model.
        config: to run it with.
        inputs: gives its inputs; None if it is only created.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take.
        check: called with the session and the inputs in place of running it.

    Raises:
        CancelledError: after ``cancel`` was set.
        WorkbenchError: for a user's mistake.
    """
    go_on(cancel)
    phase: Phase = "creating the predictor"
    given: Mapping[str, Any] | None = None
    session = Session(model, config, time_limit=time_limit)
    with session, cancels(cancel, [session]):
        try:
            given = session.load().given
            if inputs is None:
                return Seen(None, given=given)
            arrays = inputs()
            if check is not None:
                return Seen(_checked(check, session, arrays, cancel), given=given)
            phase = "running the model"
            outputs = session.run(arrays)
        except (NativeError, WorkerDiedError, TimeLimitError) as error:
            go_on(cancel)
            return Seen(failure_of(error, phase), given=given)
        # Large ones lie in memory that goes with the worker.
        return Seen(None, {name: np.array(array) for name, array in outputs.items()}, given=given)


def _checked(
    check: Function, session: Session, inputs: Mapping[str, Array], cancel: threading.Event
) -> Failure | None:
    try:
        well = check(session, inputs)
    except (NativeError, WorkerDiedError, TimeLimitError) as error:
        go_on(cancel)
        return failure_of(error, "running the model")
    except CancelledError:
        raise
    except Exception as error:
        # The user's own code: whatever it raises is its way to say that something is wrong.
        text = f"{type(error).__name__}: {error}"
        return Failure("check", "checking", normalised(text), without_paths(text))
    text = "the check says that something is wrong"
    return None if well else Failure("check", "checking", "", text)


def failure_of(error: WorkbenchError, phase: Phase) -> Failure:
    """The failure that an error of a session stands for."""
    if isinstance(error, TimeLimitError):
        return Failure("hangs", phase, "", f"{phase} takes longer than the time limit")
    if isinstance(error, WorkerDiedError):
        where = f" in pass {error.pass_name}" if error.pass_name else ""
        how = f"the process dies of {error.signal}" if error.signal else "the process ends by itself"
        said = "".join(f"\n{without_paths(line)}" for line in error.log)
        return Failure("died", phase, f"{error.signal}{where}", f"{how} while {phase}{where}{said}")
    text = str(error)
    known = mend(text)
    if known:
        text = text.replace(f"; {known}", "")
    text = without_paths(text.removeprefix(f"Paddle refused while {phase}: "))
    return Failure("refused", phase, normalised(text), text)


def normalised(text: str) -> str:
    """A message without what differs from one model to another: numbers, addresses and quoted names."""
    text = re.sub(r"(?<=[\s(\[])('[^']*'|\"[^\"]*\"|`[^`]*`)", "NAME", text)
    return _MODEL_VALUES.sub("N", text)


def without_paths(text: str) -> str:
    """A text with the names of files in place of their paths."""
    return _PATH.sub("", text)


def compare(outputs: Outputs, expected: Outputs, tolerance: Any, precision: str) -> Failure | None:
    """Set outputs beside those of the reference.

    Args:
        outputs: by name.
        expected: by name.
        tolerance: of every output, as in `workbench.verify`; by default by dtype and magnitude.
        precision: what ``outputs`` were computed in, as `Session.given` has it.
    """
    words = difference(expected, outputs, tolerance, (precision,))
    return None if words is None else Failure("differs", "running the model", "", words)
