"""What a bisection has tried so far, on disk: a file per config, so that it can be continued."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from workbench.bench import keeping
from workbench.config import InferenceConfig
from workbench.models import Model
from workbench.verifying.bisection.checks import Check, FunctionCheck, LatencyCheck, OutputCheck
from workbench.verifying.bisection.outcome import Outcome, Probe

# Of the files; those of another version are not read.
VERSION = 1


class _Tried(msgspec.Struct, frozen=True):
    """A config, by the candidates that are off, and what was said of it."""

    off: tuple[str, ...]
    runs: tuple[Outcome, ...]


class Kept:
    """The probes of one bisection in a folder.

    Args:
        folder: where they are; it is made.
        arguments: what was asked for, as plain values.

    Attributes:
        known: what was there at the start, by the candidates that are off.

    Raises:
        WorkbenchError: if the folder holds something else, cannot be read or cannot be written to.
    """

    def __init__(self, folder: Path, arguments: Mapping[str, Any]) -> None:
        self.folder = folder
        self._pieces = keeping.Pieces(folder, arguments, "a bisection", VERSION)
        self.known = {one.off: one.runs for one in self._pieces.read("probe-", _Tried)}

    @property
    def began(self) -> str:
        """When the bisection began, in the words of ISO 8601."""
        return self._pieces.began

    def add(self, probe: Probe) -> None:
        """Keep a probe, in place of what was kept of it.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        name = f"probe-{keeping.digest(','.join(probe.off))}.json"
        self._pieces.add(name, _Tried(probe.off, tuple(probe.runs)))


def arguments_of(
    model: Model,
    config: InferenceConfig,
    inputs: Mapping[str, Any],
    check: Check,
    against: InferenceConfig | Mapping[str, Any] | None,
    time_limit: float | None,
) -> dict[str, Any]:
    """What a bisection depends on, as plain values: the same values are the same bisection."""
    found = {**keeping.subject(model, config, inputs), "check": check.name, "time_limit": time_limit}
    if isinstance(check, OutputCheck):
        found |= {"tolerance": repr(check.tolerance), "against": _plain(against)}
    elif isinstance(check, LatencyCheck):
        found |= {"factor": check.factor, "seconds": check.seconds}
    elif isinstance(check, FunctionCheck):
        # What it does cannot be known; who gives a folder says that it is the same.
        found |= {"function": getattr(check.function, "__qualname__", type(check.function).__name__)}
    return found


def _plain(against: InferenceConfig | Mapping[str, Any] | None) -> Any:
    if against is None or isinstance(against, InferenceConfig):
        return None if against is None else against.to_dict()
    content = hashlib.sha256()
    for name in sorted(against):
        array = np.ascontiguousarray(against[name])
        content.update(f"{name} {array.dtype} {array.shape}\n".encode())
        content.update(array.tobytes())
    return content.hexdigest()


def default_folder(arguments: Mapping[str, Any]) -> Path:
    """Where a bisection is kept if nobody says."""
    return keeping.default_folder("bisections", arguments)
