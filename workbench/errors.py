"""Errors a user can meet. Each message is one line that says what was found and what to do."""

from __future__ import annotations


class WorkbenchError(Exception):
    """Base of every error the workbench raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class ModelError(WorkbenchError):
    """The model's files are missing, cut short, ambiguous or not a model."""


class ConfigError(WorkbenchError):
    """A configuration that contradicts itself or names something unknown."""


class InputError(WorkbenchError):
    """An input with an unknown name, a wrong shape or a wrong dtype."""


class RuntimeMissingError(WorkbenchError):
    """No interpreter with Paddle in it was found for the runtime that was asked for."""


class NativeError(WorkbenchError):
    """Paddle refused: an exception raised inside the worker, which lives on."""


class WorkerDiedError(WorkbenchError):
    """The worker process ended by itself; the next call starts a fresh one.

    Attributes:
        signal: name of the signal it died of, such as ``SIGSEGV``, or None.
        pass_name: the optimization pass that was running, or None.
        log: the last lines of its log.
    """

    def __init__(
        self,
        message: str,
        *,
        signal: str | None = None,
        pass_name: str | None = None,
        log: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.signal = signal
        self.pass_name = pass_name
        self.log = log


class CancelledError(WorkbenchError):
    """The user cancelled the call."""


class TimeLimitError(WorkbenchError):
    """The call took longer than its time limit and was stopped."""


class TraceError(WorkbenchError):
    """The native dumps could not be captured or do not fit together."""


class HistoryWarning(UserWarning):
    """A measurement goes on unrecorded, since the history cannot be written."""
