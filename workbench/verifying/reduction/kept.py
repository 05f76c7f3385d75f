"""What a reduction has tried so far, on disk until it is done: so one that was interrupted continues."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import msgspec

from workbench.bench import keeping
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError
from workbench.models import Model
from workbench.verifying.reduction.checks import Failure
from workbench.verifying.reduction.results import Probe

# Of the files; those of another version are not read.
VERSION = 1


class _Tried(msgspec.Struct, frozen=True):
    """A part of the model and what it did."""

    ops: tuple[int, ...]
    failed: bool
    words: str
    seconds: float


def arguments_of(
    model: Model,
    config: InferenceConfig,
    inputs: Mapping[str, Any],
    check: str,
    tolerance: Any,
    time_limit: float | None,
    wanted: Failure,
) -> dict[str, Any]:
    """What a reduction depends on, as plain values: the same values are the same reduction."""
    return {
        **keeping.subject(model, config, inputs),
        "check": check,
        "tolerance": repr(tolerance),
        "time_limit": time_limit,
        # A fault may show at one time and not at another, or another one may.
        "fault": [wanted.kind, wanted.phase, wanted.reason],
    }


class Kept:
    """The parts that one reduction tried, in a folder of the user's cache.

    Where it cannot be written or read, the reduction goes on without: it costs no more than the continuing.

    Args:
        arguments: what was asked for, as plain values; they name the folder.

    Attributes:
        known: what was there at the start, by the ops of the part.
        trouble: why nothing is kept; "" where it is.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.known: dict[tuple[int, ...], Probe] = {}
        self.trouble = ""
        self._pieces: keeping.Pieces | None = None
        try:
            folder = keeping.default_folder("reductions", arguments)
            self._pieces = keeping.Pieces(folder, arguments, "a reduction", VERSION)
            tried = self._pieces.read("part-", _Tried)
        except WorkbenchError as error:
            self._give_up(error)
            return
        self.known = {one.ops: Probe(one.ops, one.failed, one.words, one.seconds) for one in tried}

    def add(self, probe: Probe) -> None:
        """Keep what a part did."""
        if self._pieces is None:
            return
        name = f"part-{keeping.digest(','.join(map(str, probe.ops)))}.json"
        try:
            self._pieces.add(name, _Tried(probe.ops, probe.failed, probe.words, probe.seconds))
        except WorkbenchError as error:
            self._give_up(error)

    def done(self) -> None:
        """Forget all of it: the answer is written."""
        if self._pieces is not None:
            shutil.rmtree(self._pieces.folder, ignore_errors=True)

    def _give_up(self, error: WorkbenchError) -> None:
        self._pieces = None
        self.trouble = str(error).partition(";")[0]
