"""What flowed through a model: the values that new inputs of a cut model need."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.bench.benchmark import cancels, go_on
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import NativeError, TimeLimitError, WorkbenchError, WorkerDiedError
from workbench.models import Model, load
from workbench.verifying.cutting.cut import input_names, program_of, write_cut
from workbench.verifying.cutting.selection import Selection, Wiring, select

Array = npt.NDArray[Any]

MEMORY_LIMIT = 256 << 20


def reference_config(config: InferenceConfig) -> InferenceConfig:
    """The config that others are set beside: the same runtime and threads, no pass that can be off, fp32."""
    return InferenceConfig(onednn=False, ir_optim=False, threads=config.threads, runtime=config.runtime)


class Recorder:
    """Gives values of a whole model, for one set of inputs.

    They are the outputs of a copy of the model that fetches them, run under a config with passes off, in
    chunks; what is known lies in files, not in memory.

    Args:
        model: the whole model.
        inputs: what it runs on.
        config: to run it with; see `reference_config`.
        memory_limit: bytes of values that one run may fetch; a value that is larger has a run of its own.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take.
    """

    def __init__(
        self,
        model: Model,
        inputs: Mapping[str, Any],
        config: InferenceConfig,
        *,
        memory_limit: int = MEMORY_LIMIT,
        cancel: threading.Event | None = None,
        time_limit: float | None = None,
    ) -> None:
        self.model = model
        self.graph = model.graph()
        self.wiring = Wiring(self.graph)
        self.inputs = inputs
        self.config = config
        self.memory_limit = memory_limit
        self.runs = 0
        self._cancel = cancel or threading.Event()
        self._time_limit = time_limit
        self._scratch = tempfile.TemporaryDirectory(prefix="workbench-values-")
        self._files: dict[str, Path] = {}
        self._failure: WorkbenchError | None = None

    def close(self) -> None:
        """Remove the files."""
        self._scratch.cleanup()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, values: Iterable[str]) -> None:
        """Run the whole model for those of these values that are not known yet.

        Raises:
            CancelledError: after ``cancel`` was set.
            WorkbenchError: as `Session.run`.
        """
        wanted = [
            value
            for value in dict.fromkeys(values)
            if value not in self._files and value not in self.wiring.fed
        ]
        if wanted and self._failure is not None:
            raise self._failure
        for chunk in self._chunks(wanted):
            try:
                self._run(chunk)
            except (WorkerDiedError, TimeLimitError) as error:
                # It would do so again, which takes time.
                self._failure = error
                raise

    def record_all(self) -> bool:
        """Record every value that an op reads, if they fit into the memory limit together.

        Returns:
            Whether they are recorded; False, too, where Paddle refuses to fetch all of them at once.
        """
        wiring = self.wiring
        made = {value for index in wiring.work for value in self.graph.ops[index].outputs}
        read = dict.fromkeys(value for index in wiring.work for value in wiring.reads[index])
        values = [value for value in read if value in made and value not in wiring.rewritten]
        values = [value for value in values if wiring.feedable(value)]
        if sum(map(self._estimate, values)) > self.memory_limit:
            return False
        try:
            self.record(values)
        except NativeError:
            return False
        return True

    def inputs_of(self, selection: Selection) -> dict[str, Array]:
        """The inputs of a cut model by name, with what flowed there in the whole model.

        Raises:
            CancelledError: after ``cancel`` was set.
            WorkbenchError: as `Session.run`, if the whole model does not run.
        """
        names = input_names(self.model, selection, self.wiring)
        self.record(selection.feeds)
        return {
            name: np.asarray(self.inputs[name])
            if value in self.wiring.fed
            else np.load(self._files[value], allow_pickle=False)
            for value, name in names.items()
        }

    def shapes_of(self, selection: Selection) -> dict[str, tuple[int, ...]]:
        """The shapes of recorded values that do not fit what the graph says of them, by value id."""
        found = {}
        for value in selection.feeds:
            if value in self._files:
                shape = np.load(self._files[value], mmap_mode="r", allow_pickle=False).shape
                if not _fits(shape, self.graph.values[value].shape or ()):
                    found[value] = shape
        return found

    def cut(self, selection: Selection, folder: Path) -> Model:
        """Write the cut model, with the shapes that are known."""
        return write_cut(self.model, selection, folder, self.shapes_of(selection))

    def _chunks(self, values: Sequence[str]) -> list[list[str]]:
        chunks: list[list[str]] = []
        room = 0
        for value in values:
            size = self._estimate(value)
            if not chunks or size > room:
                chunks.append([])
                room = self.memory_limit
            chunks[-1].append(value)
            room -= size
        return chunks

    def _estimate(self, value: str) -> int:
        """Bytes of a value: a first open dimension is as large as that of any input, others as any other."""
        first, other = 1, 1
        for info in self.model.inputs:
            shape = np.shape(self.inputs.get(info.name, 0))
            for axis, (size, wanted) in enumerate(zip(shape, info.shape, strict=False)):
                if wanted == -1:
                    first, other = (max(first, size), other) if axis == 0 else (first, max(other, size))
        sizes = self.graph.values[value].shape or ()
        return 8 * prod(size if size >= 0 else other if axis else first for axis, size in enumerate(sizes))

    def _run(self, values: Sequence[str]) -> None:
        go_on(self._cancel)
        selection = select(self.graph, range(len(self.graph.ops)), values, wiring=self.wiring)
        folder = Path(self._scratch.name)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            suffix = ".json" if self.model.ir == "pir" else ".pdmodel"
            file = Path(scratch) / f"model{suffix}"
            if self.model.params_file is not None and len(selection.parameters) == len(self.graph.parameters):
                # The parameters are the same: a large model's are not copied for every chunk.
                file.write_bytes(program_of(self.model, selection, {}))
                whole = load(file, self.model.params_file)
            else:
                whole = write_cut(self.model, selection, Path(scratch), {})
            inputs = {info.name: self.inputs[info.name] for info in whole.inputs if info.name in self.inputs}
            session = Session(whole, self.config, time_limit=self._time_limit)
            with session, cancels(self._cancel, [session]):
                outputs = session.run(inputs)
            self.runs += 1
        if len(outputs) != len(values):
            raise WorkbenchError(f"{len(values)} values were asked for and {len(outputs)} came: report this")
        for value, array in zip(values, outputs.values(), strict=True):
            file = folder / f"{len(self._files)}.npy"
            np.save(file, array)
            self._files[value] = file


def _fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    return len(shape) == len(declared) and all(
        want in (-1, size) for size, want in zip(shape, declared, strict=True)
    )
