"""Cuts a model that fails down to the smallest part that fails in the same way."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.bench import random_inputs
from workbench.bench.benchmark import Progress
from workbench.config import InferenceConfig
from workbench.core.tensors import check_inputs
from workbench.errors import CancelledError, WorkbenchError
from workbench.models import Model, load
from workbench.verifying.comparing import Outputs
from workbench.verifying.cutting import Recorder, select
from workbench.verifying.cutting.record import MEMORY_LIMIT, reference_config
from workbench.verifying.ddmin import ddmin
from workbench.verifying.reduction.arguments import check_arguments, free_folder
from workbench.verifying.reduction.checks import Array, Seen
from workbench.verifying.reduction.items import Items
from workbench.verifying.reduction.kept import Kept, arguments_of
from workbench.verifying.reduction.probing import WHOLE_LIMIT_S, Check, Prober
from workbench.verifying.reduction.results import Reduction
from workbench.verifying.reduction.sending import Parcel, write_parcel

# How the time goes, roughly: the whole model, its values, then the parts, and at the end what is sent.
_RECORDING, _CUTTING, _WRITING = 0.05, 0.1, 0.95


def reduce(
    model: Model | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    check: Check = "output",
    inputs: Mapping[str, Any] | None = None,
    *,
    passes: Sequence[str] = (),
    avoid: InferenceConfig | None = None,
    tolerance: Any = None,
    folder: str | os.PathLike[str] | None = None,
    memory_limit: int = MEMORY_LIMIT,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
) -> Reduction:
    """Find the smallest part of a model that fails as the whole does, and write what is to be sent upstream.

    Parts of the model are cut out and run, each in a worker of its own, on what flowed into them in the whole
    model with passes off. By delta debugging (ddmin) none of the ops that are left can be left out, apart
    from constants, which stay with the op that reads them. What fails for another reason does not count.

    Until it is done, what was tried is kept in the user's cache, and the same call continues after an
    interruption; with a function as check it begins again, since what that does cannot be known.

    Args:
        model: a model or its path.
        config: the config that it fails with; the default config if None.
        check: "crash": Paddle raises, ends its process or exceeds the time limit, while it creates the
            predictor or runs it. "output": the outputs differ from those with passes off. Or a function of
            the `Session` and the inputs by name, which returns True if all is well; one that raises fails.
        inputs: arrays by name; random ones if None.
        passes: names of the guilty passes where they are known, such as from a bisection; the report says
            them, and by default they are off in the config that avoids the fault.
        avoid: a config that avoids the fault; by default the one without ``passes``, or with passes off.
        tolerance: of "output", as in `workbench.verify`, one for all outputs; by default by dtype.
        folder: where to write, new or empty; by default one in the user's cache, replaced if it is there.
        memory_limit: bytes of recorded values that one run of the whole model may give.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take; by default 60, or five times the whole model's
            time if that is more.
        seed: of random inputs.

    Returns:
        The reduction; its folder holds the reduced model, ``inputs.npz``, ``failing.npz`` and
        ``expected.npz`` where there are outputs, ``reproduce.py``, ``issue.md`` and all of it as
        ``issue.zip``.

    Raises:
        CancelledError: after ``cancel`` was set; nothing is written into the folder.
        ConfigError: for an unknown check, a function that does not take both, or a config of the wrong type.
        InputError: for inputs that do not fit.
        WorkbenchError: if the check does not fail for the whole model, the folder holds other files, or the
            model does not run with passes off (check "output").
    """
    check_arguments(config, avoid, check, passes, tolerance)
    model = model if isinstance(model, Model) else load(model)
    config = InferenceConfig() if config is None else config
    given = random_inputs(model, seed=seed) if inputs is None else inputs
    arrays = check_inputs(given, model.inputs)
    target = free_folder(folder, model, config, arrays, check, tolerance)
    prober = Prober(
        check, config, reference_config(config), tolerance, cancel or threading.Event(), time_limit
    )
    tell = progress or (lambda share, text: None)
    work = _Work(model, prober, tuple(passes), avoid, target, tell, time_limit)
    with tempfile.TemporaryDirectory(prefix="workbench-reduce-") as scratch:
        return work.reduction(arrays, memory_limit, Path(scratch))


@dataclass
class _Work:
    """What is to be found out."""

    model: Model
    prober: Prober
    passes: tuple[str, ...]
    avoid: InferenceConfig | None
    target: Path
    progress: Progress
    time_limit: float | None

    def reduction(self, arrays: Mapping[str, Array], memory_limit: int, scratch: Path) -> Reduction:
        prober = self.prober
        self.progress(0.0, "running the whole model")
        prober.whole(self.model, arrays)
        self._check_avoiding(arrays)
        arrays = self._one_row(arrays)
        self._continue(arrays)
        with Recorder(
            self.model,
            arrays,
            prober.reference,
            memory_limit=memory_limit,
            cancel=prober.cancel,
            time_limit=prober.time_limit,
        ) as recorder:
            ops = self._smallest(recorder)
            self.progress(_WRITING, "writing the report")
            return self._written(ops, recorder, scratch)

    def _continue(self, arrays: Mapping[str, Array]) -> None:
        """Take up what an interrupted reduction of the same fault has tried."""
        prober, wanted = self.prober, self.prober.wanted
        assert wanted is not None  # the whole model was run
        if isinstance(prober.check, str):
            asked = (prober.config, arrays, prober.check, prober.tolerance, self.time_limit)
            prober.kept = Kept(arguments_of(self.model, *asked, wanted))

    def _known_to_avoid(self) -> list[InferenceConfig]:
        """The configs that should avoid the fault, as whoever asks knows it."""
        tries = [] if self.avoid is None else [self.avoid]
        if self.passes:
            config = self.prober.config
            added = [name for name in config.enabled_passes if name not in self.passes]
            # One that was added is not there without; switching it off could be an unknown name.
            off = [name for name in self.passes if name not in config.enabled_passes]
            tries.append(config.replace(enabled_passes=tuple(added)).without(*off))
        return tries

    def _check_avoiding(self, arrays: Mapping[str, Array]) -> None:
        """Try them on the whole model, so that a wrong name is said before the work and not after it."""
        for config in self._known_to_avoid():
            self.progress(0.02, f"trying {config.label}")
            failure = self.prober.see(self.model, lambda: arrays, config).failure
            if failure is not None:
                self.prober.notices.append(f"with {config.label} the whole model fails, too: {failure.text}")

    def _one_row(self, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        """The first row of the inputs, if the model fails with that, too."""
        shorter = {
            info.name: arrays[info.name][:1] if info.shape[:1] == (-1,) else arrays[info.name]
            for info in self.model.inputs
        }
        if all(shorter[name].shape == array.shape for name, array in arrays.items()):
            return arrays
        self.progress(0.04, "trying one row of the inputs")
        failure = self.prober.see(self.model, lambda: shorter).failure
        assert self.prober.wanted is not None  # the whole model was run
        return shorter if failure is not None and failure.like(self.prober.wanted) else arrays

    def _smallest(self, recorder: Recorder) -> tuple[int, ...]:
        assert self.prober.wanted is not None  # the whole model was run
        if self.prober.wanted.phase != "creating the predictor":
            self.progress(_RECORDING, "recording the values between the ops")
            try:
                recorder.record_all()
            except CancelledError:
                raise
            except WorkbenchError:
                # A part says so when it needs values; it may need none.
                pass
        items = Items(recorder.wiring)
        total = best = len(items.items)

        def fails(part: tuple[tuple[int, ...], ...]) -> bool:
            nonlocal best
            ops = items.ops(part)
            done = 1 - math.log(max(best, 1)) / math.log(max(total, 2))
            text = f"probe {len(self.prober.probes) + 1}: {len(ops)} of {self.model.ops} ops"
            self.progress(_CUTTING + done * (_WRITING - _CUTTING), text)
            failed = self.prober.fails(ops, recorder)
            best = min(best, len(part)) if failed else best
            return failed

        part = items.items
        if total > 1 and not fails(part):
            raise WorkbenchError(
                f"{self.model.name} fails as a whole, but not when its ops are cut out and written again: "
                "the fault depends on its files or comes and goes; try again, or send the whole model"
            )
        return items.ops(ddmin(part, fails))

    def _written(self, ops: tuple[int, ...], recorder: Recorder, scratch: Path) -> Reduction:
        prober, graph = self.prober, recorder.graph
        assert prober.wanted is not None  # the whole model was run
        selection = select(graph, ops, wiring=recorder.wiring)
        arrays = prober.inputs(selection, recorder, scratch)
        for file in scratch.iterdir():
            file.unlink()
        small = recorder.cut(selection, scratch)
        seen = prober.see(small, lambda: arrays)
        if seen.failure is None or not seen.failure.like(prober.wanted):
            prober.notices.append(
                "the part failed when it was found and not when it was run again: it flickers"
            )
        failure = seen.failure or prober.wanted
        avoid, expected = self._avoiding(small, arrays, seen)
        parcel = Parcel(
            small,
            prober.config,
            avoid,
            failure,
            self.passes,
            arrays,
            seen.given,
            prober.recorded,
            seen.outputs,
            expected,
            self.model.ops,
            prober.tolerance,
            prober.time_limit or WHOLE_LIMIT_S,
        )
        try:
            files = write_parcel(scratch, parcel)
            _publish(scratch, self.target)
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {self.target}: {error.strerror}; choose another folder"
            ) from None
        if prober.kept is not None:
            prober.kept.done()
        self.progress(1.0, "done")
        return Reduction(
            self.model.name,
            prober.check if isinstance(prober.check, str) else "function",
            prober.config,
            avoid,
            failure,
            self.model.ops,
            small.ops,
            ops,
            tuple(graph.ops[index].type for index in ops),
            self.target,
            files,
            tuple(prober.probes),
            recorder.runs,
            prober.told(),
        )

    def _avoiding(
        self, small: Model, arrays: Mapping[str, Array], seen: Seen
    ) -> tuple[InferenceConfig | None, Outputs | None]:
        """A config that the part does not fail with, and the outputs as they should be."""
        prober = self.prober
        for config in dict.fromkeys((*self._known_to_avoid(), prober.reference)):
            found = prober.see(small, lambda: arrays, config)
            if found.failure is None:
                return config, found.expected or found.outputs or seen.expected
            prober.notices.append(f"with {config.label} the part fails, too: {found.failure.text}")
        return None, seen.expected


def _publish(scratch: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(scratch.iterdir()):
        shutil.move(file, target / file.name)
