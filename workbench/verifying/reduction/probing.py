"""Tries parts of a model: each is cut, run in a worker of its own, and remembered."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from workbench.bench.inputs import random_inputs
from workbench.config import InferenceConfig
from workbench.errors import CancelledError, InputError, ModelError, WorkbenchError
from workbench.models import Model
from workbench.verifying.cutting import Recorder, Selection, select
from workbench.verifying.function import Function
from workbench.verifying.reduction.checks import (
    Array,
    Failure,
    Inputs,
    Seen,
    compare,
    run,
)
from workbench.verifying.reduction.kept import Kept
from workbench.verifying.reduction.results import Probe

Check = Literal["crash", "output"] | Function

# A hang of a part is told from the time that the whole takes, but never below this many seconds.
LEAST_LIMIT_S = 60.0
SLOWER = 5.0
WHOLE_LIMIT_S = 600.0


@dataclass
class Prober:
    """Runs the check on the whole model and on parts of it.

    Attributes:
        check: "crash", "output" or a function of the session and the inputs.
        config: that fails.
        reference: what "output" is compared with.
        tolerance: of "output", as in `workbench.verify`.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take; None until the whole has run.
        wanted: the failure of the whole model.
        probes: all parts that were tried.
        notices: what the user should know.
        recorded: whether the inputs asked for last are what flowed there in the whole model.
        kept: what an interrupted reduction tried before; None where nothing is kept.
        again: how many of ``probes`` are from there.
    """

    check: Check
    config: InferenceConfig
    reference: InferenceConfig
    tolerance: Any
    cancel: threading.Event
    time_limit: float | None
    wanted: Failure | None = None
    probes: list[Probe] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    recorded: bool = True
    kept: Kept | None = None
    again: int = 0
    _known: dict[tuple[int, ...], bool] = field(default_factory=dict)

    def whole(self, model: Model, inputs: Mapping[str, Array]) -> Seen:
        """Run the check on the whole model; its failure is the one that is kept from then on.

        Raises:
            WorkbenchError: if it does not fail.
        """
        begin = time.monotonic()
        limit = self.time_limit
        self.time_limit = WHOLE_LIMIT_S if limit is None else limit
        seen = self.see(model, lambda: inputs)
        if limit is None:
            self.time_limit = max(LEAST_LIMIT_S, SLOWER * (time.monotonic() - begin))
        if seen.failure is None:
            what = self.check if isinstance(self.check, str) else "given"
            raise WorkbenchError(
                f"the check {what!r} does not fail for {model.name} with the config {self.config.label}: "
                "give the config and the inputs that it fails with"
            )
        self.wanted = seen.failure
        return seen

    def see(self, model: Model, inputs: Inputs | None, config: InferenceConfig | None = None) -> Seen:
        """Run the check on any model."""
        function = None if isinstance(self.check, str) else self.check
        asked = self.config if config is None else config
        seen = run(model, asked, inputs, cancel=self.cancel, time_limit=self.time_limit, check=function)
        if self.check != "output" or seen.outputs is None:
            return seen
        right = run(model, self.reference, inputs, cancel=self.cancel, time_limit=self.time_limit)
        if right.outputs is None:
            assert right.failure is not None  # it gave nothing
            return Seen(None, seen.outputs, given=seen.given)
        precision = "fp32" if seen.given is None else str(seen.given["precision"])
        failure = compare(seen.outputs, right.outputs, self.tolerance, precision)
        return Seen(failure, seen.outputs, right.outputs, seen.given)

    def fails(self, ops: Sequence[int], recorder: Recorder) -> bool:
        """Whether a part of the model fails as the whole does.

        A part that cannot be a model, fails for another reason, or whose reference fails, does not.
        """
        key = tuple(ops)
        if key in self._known:
            return self._known[key]
        probe = None if self.kept is None else self.kept.known.get(key)
        if probe is None:
            probe = self._tried(key, recorder)
        else:
            self.again += 1
        self.probes.append(probe)
        self._known[key] = probe.failed
        return probe.failed

    def told(self) -> tuple[str, ...]:
        """The notices, with what there is to say of continuing."""
        found = list(self.notices)
        if self.again:
            found.append(f"{self.again} parts were known from before: the same call was interrupted")
        if self.kept is not None and self.kept.trouble:
            found.append(f"an interrupted call would have begun again: {self.kept.trouble}")
        return tuple(found)

    def _tried(self, ops: tuple[int, ...], recorder: Recorder) -> Probe:
        begin = time.monotonic()
        words, failed, certain = self._try(ops, recorder)
        probe = Probe(ops, failed, words, time.monotonic() - begin)
        if certain and self.kept is not None:
            self.kept.add(probe)
        return probe

    def _try(self, ops: Sequence[int], recorder: Recorder) -> tuple[str, bool, bool]:
        """What a part does, whether it fails as the whole, and whether it would say so at another time."""
        try:
            selection = select(recorder.graph, ops, wiring=recorder.wiring)
        except ModelError as error:
            return f"not a model: {error}", False, True
        with tempfile.TemporaryDirectory(prefix="workbench-probe-") as folder:
            try:
                seen = self.part(selection, recorder, Path(folder))[1]
            except CancelledError:
                raise
            except WorkbenchError as error:
                # There may have been no room for it, and there may be next time.
                return f"not to be run: {error}", False, False
        if seen.failure is None:
            return "does not fail", False, True
        assert self.wanted is not None  # the whole was run first
        if not seen.failure.like(self.wanted):
            return f"fails in another way: {seen.failure.text}", False, True
        return f"fails: {seen.failure.text}", True, True

    def part(
        self,
        selection: Selection,
        recorder: Recorder,
        folder: Path,
        config: InferenceConfig | None = None,
    ) -> tuple[Model, Seen]:
        """Cut a part into a folder and run the check on it."""
        if self.wanted is not None and self.wanted.phase == "creating the predictor":
            model = recorder.cut(selection, folder)
            return model, self.see(model, None, config)
        arrays = self.inputs(selection, recorder, folder)
        model = recorder.cut(selection, folder)
        return model, self.see(model, lambda: arrays, config)

    def inputs(self, selection: Selection, recorder: Recorder, folder: Path) -> dict[str, Any]:
        """What flowed in there in the whole model; else random values for new inputs."""
        self.recorded = True
        try:
            return recorder.inputs_of(selection)
        except (CancelledError, InputError):
            raise
        except WorkbenchError as error:
            if self.check == "output":
                raise
            text = f"values between the ops are random, since the model does not run with passes off: {error}"
            if text not in self.notices:
                self.notices.append(text)
            self.recorded = False
            own = recorder.inputs
            return {
                name: own.get(name, array)
                for name, array in random_inputs(recorder.cut(selection, folder)).items()
            }
