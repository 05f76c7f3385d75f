"""A session: one model under one config, in a worker process of its own."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.config import InferenceConfig, ModelFiles, native_calls, to_code
from workbench.core.defects import Situation, check, release_of, unknown_op_types
from workbench.core.log import PassRun, read_pass_log
from workbench.core.measured import ConcurrentRuns, OpOutput, OutputMoments, OutputPart, TimedRuns
from workbench.core.pipeline import check_disabled, planned_passes
from workbench.core.process import Progress, Sink, Worker
from workbench.core.runtimes import warm
from workbench.core.spool import Spool
from workbench.core.tensors import Array, InputArena, OutputSegments, check_inputs
from workbench.core.worker import wire
from workbench.errors import ConfigError, NativeError, WorkbenchError
from workbench.models import Model, TensorInfo, load


@dataclass(frozen=True)
class Loaded:
    """What creating the predictor gave.

    Attributes:
        given: what the predictor really has: device, onednn, threads, trt, precision, ir_optim,
            memory_optim, runtime and Paddle's version, and the passes in the order they ran.
        notices: every difference between asked and given, a sentence each.
        create_s: seconds that creating the predictor took.
        passes: the passes that ran, with what the log says of each.
        log: the native log of the creation.
    """

    given: Mapping[str, Any]
    notices: tuple[str, ...]
    create_s: float
    passes: tuple[PassRun, ...]
    log: str


class Session:
    """Runs one model under one config.

    The predictor is created at the first call that needs it. If the worker dies, that call raises
    `WorkerDiedError` and the next one starts a fresh worker. Safe to use from several threads: calls queue,
    and `cancel` may come from any.

    Args:
        model: a `Model`, or the path of one.
        config: what to ask for; the default config if None.
        time_limit: seconds that any one call may take; None for no limit.

    Example:
        >>> with Session("model.json") as session:
        ...     outputs = session.run({"x": array})
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        config: InferenceConfig | None = None,
        *,
        time_limit: float | None = None,
    ) -> None:
        self.model = model if isinstance(model, Model) else load(model)
        self.config = InferenceConfig() if config is None else config
        if not isinstance(self.config, InferenceConfig):
            raise ConfigError(
                f"config is {config!r}; give an InferenceConfig, such as InferenceConfig(threads=2)"
            )
        self.time_limit = time_limit
        self._lock = threading.RLock()
        self._worker: Worker | None = None
        self._loaded: Loaded | None = None
        self._arena = InputArena()
        self._segments = OutputSegments()
        self._fed: dict[str, Array] | None = None
        self._listed: tuple[OpOutput, ...] = ()
        self._begun: tuple[PassRun, ...] = ()
        _sessions.add(self)

    # What it is

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The model's inputs."""
        return self.model.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The model's outputs."""
        return self.model.outputs

    @property
    def asked(self) -> dict[str, Any]:
        """The config, as plain values."""
        return self.config.to_dict()

    @property
    def given(self) -> Mapping[str, Any]:
        """What the predictor really has; creates it if need be."""
        return self.load().given

    @property
    def notices(self) -> tuple[str, ...]:
        """Where asked and given differ, in words; creates the predictor if need be."""
        return self.load().notices

    @property
    def code(self) -> str:
        """The plain Paddle program that creates the same predictor."""
        return to_code(self.config, self._files(None), self._release())

    def passes(self) -> tuple[str, ...]:
        """The passes that would run, in order, each once and by the name that switches it off.

        They are asked of a worker of their own: no predictor is created for the model, and one that is there
        stays as it is.

        Raises:
            ConfigError: if the config asks for what this runtime cannot do.
            ModelError: if this release of Paddle cannot load the model.
            WorkbenchError: if the runtime cannot be asked.
        """
        with contextlib.closing(Worker(warm(self.config.runtime))) as worker:
            self._check(worker)
            ask = self._asker(worker)
            return planned_passes(ask, worker.warm.python, self._release(), self.model.ir, self.config)

    @property
    def passes_begun(self) -> tuple[PassRun, ...]:
        """The passes that the last creation of the predictor began, of one that Paddle refused too.

        The last of them is then the one it ended in. There are none where the worker ended over it, whose log
        is gone with it: what is known then is `WorkerDiedError.pass_name`.
        """
        return self._begun

    def _release(self) -> tuple[int, ...]:
        return release_of(warm(self.config.runtime).about["paddle"])

    def _check(self, worker: Worker) -> list[str]:
        about = worker.warm.about
        gpu_build = bool(about["gpu_build"])
        return check(Situation(self.config, self.model.ir, release_of(about["paddle"]), gpu_build))

    # Creating the predictor

    def start(self) -> None:
        """Have a worker ready, without loading the model."""
        with self._lock:
            self._ready()

    def load(
        self,
        *,
        dump_dir: Path | None = None,
        sink: Sink | None = None,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> Loaded:
        """Create the predictor if there is none.

        Args:
            dump_dir: have a new predictor created in any case, and Paddle's per-pass dumps with it: Program
                IR writes files into this folder, PIR prints to ``sink``.
            sink: takes what the worker prints to its standard output while it creates.
            progress: called with the name of the pass that runs.
            time_limit: seconds, in place of the session's own limit.

        Raises:
            ConfigError: if the config names an unknown pass or asks for what this runtime cannot do.
            ModelError: if this release of Paddle cannot load the model.
            NativeError: if Paddle refuses.
            WorkerDiedError: if it dies over the model.
        """
        with self._lock:
            worker = self._ready()
            if self._loaded is None or dump_dir is not None:
                self._loaded = self._create(worker, dump_dir, sink, progress, time_limit)
                self._fed = None
                self._listed = ()
            return self._loaded

    def _loaded_worker(self) -> Worker:
        if self._loaded is None or self._worker is None or not self._worker.alive:
            self.load()
        return self._ready()

    def _ready(self) -> Worker:
        if self._worker is None or not self._worker.alive:
            self._forget_worker()
            self._worker = Worker(warm(self.config.runtime))
        return self._worker

    def _create(
        self,
        worker: Worker,
        dump_dir: Path | None,
        sink: Sink | None,
        progress: Progress | None,
        time_limit: float | None,
    ) -> Loaded:
        self._begun = ()
        notices = self._check(worker)
        about = worker.warm.about
        release = release_of(about["paddle"])
        if self.config.fp32_ops:
            notices += unknown_op_types(self.config, {op.type for op in self.model.graph().ops})
        if self.config.disabled_passes:
            ask = self._asker(worker)
            notices += check_disabled(ask, worker.warm.python, release, self.model.ir, self.config)
        with self._model_files(worker) as files:
            calls: list[Any] = list(native_calls(self.config, files, release))
            if dump_dir is not None:
                calls.append(("config", "switch_ir_debug", (True,)))
                if self.model.ir == "program":
                    calls.append(("config", "set_optim_cache_dir", (str(dump_dir),)))
            message = {
                "op": "load",
                "files": files[1:],
                "calls": _plain(calls),
                "folder": None if dump_dir is None else str(dump_dir),
            }
            worker.clear_log()
            try:
                reply = self._ask(
                    worker,
                    message,
                    doing="creating the predictor",
                    sink=sink,
                    progress=progress,
                    time_limit=time_limit,
                )
            finally:
                log = worker.log() if worker.alive else ""
                self._begun = tuple(read_pass_log(log).runs)
        given, more = self._compare(reply, self._begun, about, log)
        return Loaded(given, (*notices, *more), reply["create_s"], self._begun, log)

    def _asker(self, worker: Worker) -> Callable[[dict[str, Any]], tuple[dict[str, Any], str]]:
        def ask(message: dict[str, Any]) -> tuple[dict[str, Any], str]:
            worker.clear_log()
            reply, _, _ = worker.request(
                {**message, "calls": _plain(message["calls"])},
                doing="reading the pass list",
                time_limit=self.time_limit,
            )
            return reply, worker.log()

        return ask

    def _ask(
        self,
        worker: Worker,
        message: dict[str, Any],
        *,
        doing: str,
        sink: Sink | None,
        progress: Progress | None,
        time_limit: float | None,
    ) -> dict[str, Any]:
        limit = self.time_limit if time_limit is None else time_limit
        self._loaded = None
        try:
            return worker.request(message, doing=doing, sink=sink, progress=progress, time_limit=limit)[0]
        except NativeError as error:
            named = [name for name in self.config.enabled_passes if name in str(error)]
            if named:
                raise ConfigError(
                    f"Paddle cannot add the pass {named[0]!r}: give the name of a registered pass, "
                    "such as one that `workbench trace` shows"
                ) from None
            if self.config.disabled_passes:
                off = ", ".join(self.config.disabled_passes)
                raise NativeError(f"{error}; try with these passes on again: {off}") from None
            raise

    def _compare(
        self, reply: Mapping[str, Any], runs: tuple[PassRun, ...], about: Mapping[str, Any], log: str
    ) -> tuple[dict[str, Any], list[str]]:
        """What was given, and where it differs from what was asked."""
        asked, names = self.config, [run.name for run in runs]
        precision, precision_notice = self._precision_given(
            reply["given"]["device"], names, log, bool(about["bf16_cpu"])
        )
        given = {
            "runtime": asked.runtime,
            "paddle": about["paddle"],
            **reply["given"],
            "precision": precision,
            "ir_optim": bool(names) if asked.ir_optim else bool(names) and "level 0",
            "memory_optim": asked.memory_optim,
            "passes": names,
        }
        notices = [precision_notice] if precision_notice else []
        if given["threads"] != asked.threads:
            notices.append(f"{asked.threads} threads were asked for, {given['threads']} were given")
        if asked.onednn is not None and given["onednn"] != asked.onednn:
            word = {True: "on", False: "off"}
            notices.append(f"oneDNN was asked {word[asked.onednn]} and is {word[given['onednn']]}")
        if not asked.ir_optim and names:
            notices.append(f"graph optimization was asked off; Paddle runs {len(names)} passes all the same")
        for name in asked.disabled_passes:
            if name in names:
                notices.append(f"switching off {name} had no effect: it ran all the same")
        for name in asked.enabled_passes:
            if name not in names:
                notices.append(f"{name} was added and did not run")
        return given, notices

    def _precision_given(
        self, device: str, names: list[str], log: str, bf16_cpu: bool
    ) -> tuple[str, str | None]:
        """The precision that runs, and a notice where that is not what was asked."""
        asked = self.config.precision
        if device == "gpu" or asked == "fp32":
            return asked, None
        if self.config.device == "gpu":
            # The GPU's way of asking for a precision means nothing to the CPU it fell back to.
            return "fp32", f"{asked} was asked for on a GPU: without one it runs in fp32"
        if asked == "bf16":
            if "does not support BFLOAT16" in log:
                return "fp32", "bf16 was asked for and this CPU cannot do it: it runs in fp32"
            # Program IR says how many inputs it converts; every op in bf16 has one, or its producer has.
            inputs = re.findall(r"added (\d+) quantize ops before bfloat16", log)
            if not any("bfloat16" in name for name in names) or (inputs and not any(map(int, inputs))):
                return "fp32", "bf16 was asked for and no op runs in it: all of it runs in fp32"
            if not bf16_cpu:
                return "bf16 (simulated)", (
                    "this CPU has no bf16 instructions: bf16 is simulated, "
                    "so its speed says nothing about real bf16"
                )
            return asked, None
        if not any("quantize" in name for name in names):
            return "fp32", "int8 was asked for, but this release adds no pass for it: it runs in fp32"
        if not sum(int(count) for count in re.findall(r"quantized (\d+) ", log)):
            return (
                "fp32",
                "int8 was asked for and no op was quantized, as the model holds no scales: it runs in fp32",
            )
        return asked, None

    def _files(self, folder: Path | None) -> ModelFiles:
        if self.model.model_file is not None:
            return native_files(self.model)
        stem = (folder or Path()) / "model"
        suffix = ".json" if self.model.ir == "pir" else ".pdmodel"
        return ModelFiles(self.model.ir, f"{stem}{suffix}", f"{stem}.pdiparams")

    @contextlib.contextmanager
    def _model_files(self, worker: Worker) -> Iterator[ModelFiles]:
        """The model as files: one from memory is written out, since a PIR buffer kills Paddle."""
        if self.model.model_bytes is None:
            yield self._files(None)
            return
        with Spool(worker.warm) as folder:
            files = self._files(folder)
            Path(files.model).write_bytes(self.model.model_bytes)
            Path(str(files.params)).write_bytes(self.model.params_bytes or b"")
            yield files

    # Running

    def run(self, inputs: Mapping[str, Any], *, time_limit: float | None = None) -> dict[str, Array]:
        """Run once.

        Args:
            inputs: an array for every input, by name. Large arrays go through shared memory.
            time_limit: seconds, in place of the session's own limit.

        Returns:
            The outputs by name; large ones look into shared memory, which is theirs until they are gone.

        Raises:
            InputError: for an unknown or missing name, a wrong dtype or a wrong shape.
            NativeError: if Paddle refuses.
            WorkerDiedError: if it dies; the next call starts a fresh worker.
            TimeLimitError: if it takes too long.
            CancelledError: after `cancel`.
        """
        arrays = check_inputs(inputs, self.inputs)
        with self._lock:
            worker = self._loaded_worker()
            self._fed = None
            message, parts, fds = self._arena.pack(arrays)
            try:
                reply, raw, got = worker.request(
                    {"op": "run", **message, **self._segments.returned()},
                    parts,
                    fds,
                    doing="running the model",
                    time_limit=self.time_limit if time_limit is None else time_limit,
                )
            except NativeError as error:
                empty = [name for name, array in arrays.items() if not array.size]
                if empty:
                    raise NativeError(
                        f"{error}; input {empty[0]!r} is empty: give at least one row"
                    ) from None
                raise
            return self._segments.unpack(reply, raw, got)

    def time(
        self,
        inputs: Mapping[str, Any],
        *,
        count: int = 100,
        seconds: float = 1.0,
        time_limit: float | None = None,
    ) -> TimedRuns:
        """Run in a loop inside the worker, up to ``count`` times or ``seconds``, whichever ends first.

        A sample is one ``predictor.run()``, without the transfer of inputs and outputs. Inputs equal to those
        of the call before are not sent again.

        Raises:
            InputError: as `run`.
            WorkbenchError: as `run`.
        """
        _check_length(count, seconds)
        message = {"op": "time", "count": count, "seconds": seconds}
        reply, raw = self._measure(inputs, message, "timing the model", time_limit)
        return TimedRuns(np.frombuffer(raw, np.int64), reply["begin_ns"])

    def time_at_once(
        self,
        inputs: Mapping[str, Any],
        *,
        predictors: int,
        seconds: float = 1.0,
        native: bool = True,
        time_limit: float | None = None,
    ) -> ConcurrentRuns:
        """Run several predictors at once inside the worker: this one and clones, which share its weights.

        Args:
            inputs: what each of them runs on.
            predictors: how many, each in a thread of its own.
            seconds: how long; runs that have begun are finished.
            native: as threads of a C++ program; else as threads of a Python program.
            time_limit: seconds, in place of the session's own limit.

        Raises:
            WorkbenchError: as `run`.
        """
        _check_length(predictors, seconds, "predictors")
        message = {"op": "throughput", "predictors": predictors, "seconds": seconds, "native": native}
        reply, raw = self._measure(inputs, message, "running predictors at once", time_limit)
        numbers = np.frombuffer(raw, np.int64)
        parts = np.split(numbers, np.cumsum([*reply["counts"], *reply["counts"]])[:-1])
        return ConcurrentRuns(tuple(parts[:predictors]), tuple(parts[predictors:]), reply["native"])

    def time_ops(
        self,
        inputs: Mapping[str, Any],
        *,
        count: int = 100,
        seconds: float = 1.0,
        time_limit: float | None = None,
    ) -> OutputMoments:
        """Run in a loop inside the worker and note when each op gives its outputs.

        Runs with and without this profiler take turns, up to ``count`` of each or ``seconds`` in all.

        Raises:
            NativeError: if which ops run differs from run to run.
            WorkbenchError: as `run`.
        """
        _check_length(count, seconds)
        message = {"op": "profile", "count": count, "seconds": seconds}
        reply, raw = self._measure(inputs, message, "profiling the model", time_limit)
        runs, outputs = reply["runs"], reply["outputs"]
        numbers = np.frombuffer(raw, np.int64)
        moments = numbers[runs:].reshape(runs, len(outputs) + 1)
        ops, names = zip(*outputs, strict=True) if outputs else ((), ())
        return OutputMoments(tuple(ops), tuple(names), moments[:, :-1], moments[:, -1], numbers[:runs])

    def op_outputs(
        self, inputs: Mapping[str, Any], *, time_limit: float | None = None
    ) -> tuple[OpOutput, ...]:
        """Run once and list every tensor that an op gives, in the order they come; none is copied.

        A clone of the predictor runs, with the same weights and the same graph. Of the ops in a loop or a
        branch of Program IR nothing is seen; those of PIR come as often as they run.

        Raises:
            WorkbenchError: as `run`.
        """
        reply, _ = self._measure(inputs, {"op": "list_outputs"}, "listing what the ops give", time_limit)
        with self._lock:
            self._listed = tuple(
                OpOutput(op, name, dtype, tuple(shape), onednn)
                for op, name, dtype, shape, onednn in reply["outputs"]
            )
            return self._listed

    def take_outputs(
        self,
        inputs: Mapping[str, Any],
        parts: Sequence[OutputPart],
        *,
        time_limit: float | None = None,
    ) -> list[Array]:
        """Run once and take elements of tensors that ops give.

        `op_outputs` with the same inputs must have come before. All parts together lie in one block of shared
        memory, as large as they are; it is given back when the last array that looks into it is gone and the
        next parts are taken. Beside that the worker copies, one at a time, outputs in oneDNN's own layout.

        Args:
            inputs: what to run on.
            parts: which elements of which outputs.
            time_limit: seconds, in place of the session's own limit.

        Returns:
            Per part its elements, of shape [stop - start]; bits as unsigned integers for types that numpy
            does not have, such as bfloat16.

        Raises:
            NativeError: if the ops that run, or their outputs' shapes, are others than those listed.
            WorkbenchError: as `run`; if nothing was listed or there is no such part.
        """
        with self._lock:
            places: list[tuple[int, int, int, int]] = []
            size = 0
            for output, start, stop in parts:
                if not 0 <= output < len(self._listed) or not 0 <= start <= stop <= self._listed[output].size:
                    raise WorkbenchError(
                        f"there are no elements {start} to {stop} of output {output}: call op_outputs first, "
                        "and take parts of what it lists"
                    )
                places.append((output, start, stop, size))
                nbytes = (stop - start) * self._listed[output].held.itemsize
                size += (nbytes + wire.ALIGN - 1) // wire.ALIGN * wire.ALIGN
            message = {"op": "take_outputs", "parts": places, "size": size}
            reply, _, fds = self._ask_about(inputs, message, "taking what the ops give", time_limit)
            block = wire.Segment(fds[0], reply["size"])
            return [
                np.frombuffer(block.map, self._listed[output].held, stop - start, offset)
                for output, start, stop, offset in places
            ]

    def _measure(
        self, inputs: Mapping[str, Any], message: dict[str, Any], doing: str, time_limit: float | None
    ) -> tuple[dict[str, Any], bytes]:
        return self._ask_about(inputs, message, doing, time_limit)[:2]

    def _ask_about(
        self, inputs: Mapping[str, Any], message: dict[str, Any], doing: str, time_limit: float | None
    ) -> tuple[dict[str, Any], bytes, list[int]]:
        """One request about these inputs, which are sent unless they are those of the request before."""
        arrays = check_inputs(inputs, self.inputs)
        with self._lock:
            worker = self._loaded_worker()
            limit = self.time_limit if time_limit is None else time_limit
            if self._fed is None or not _same(self._fed, arrays):
                feed, parts, fds = self._arena.pack(arrays)
                worker.request(
                    {"op": "feed", **feed}, parts, fds, doing="setting the inputs", time_limit=limit
                )
                self._fed = {name: array.copy() for name, array in arrays.items()}
            return worker.request(message, doing=doing, time_limit=limit)

    def memory(self, *, reset: bool = False) -> dict[str, int]:
        """Bytes of memory of the worker: ``rss`` now and ``peak_rss``, which ``reset`` begins anew."""
        with self._lock:
            self.load()
            return self._ready().request({"op": "status", "reset": reset}, doing="reading its memory")[0]

    def spool(self) -> Spool:
        """A temporary folder that outlives neither this process nor its last user."""
        return Spool(warm(self.config.runtime))

    @property
    def pid(self) -> int | None:
        """Process id of the worker, None when there is none."""
        worker = self._worker
        return None if worker is None else worker.pid

    def cancel(self) -> None:
        """Stop the call that is under way, from any thread: it raises `CancelledError`."""
        worker = self._worker
        if worker is not None:
            worker.cancel()

    # The end

    def _forget_worker(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None
        self._loaded = None
        self._fed = None
        self._listed = ()
        self._arena.close()
        self._segments.close()
        self._arena = InputArena()
        self._segments = OutputSegments()

    def close(self) -> None:
        """End the worker. A later call starts a fresh one."""
        with self._lock:
            self._forget_worker()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "loaded" if self._loaded else "not loaded"
        return f"<Session {self.model.name}: {self.config.label}, {state}>"


def native_files(model: Model) -> ModelFiles:
    """Where a model in files lies, as ``paddle.inference.Config`` takes it."""
    assert model.model_file is not None
    if model.model_dir is not None:
        return ModelFiles(model.ir, str(model.model_dir.absolute()))
    # Config takes a single argument for a folder, so a model without parameters names a file all the same:
    # for PIR one that is not there, which Paddle does not mind, for Program IR none.
    params = str(model.params_file.absolute()) if model.params_file else ""
    if not params and model.ir == "pir":
        params = str(model.model_file.absolute().with_suffix(".pdiparams"))
    return ModelFiles(model.ir, str(model.model_file.absolute()), params)


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def sessions() -> list[Session]:
    """The sessions of this process that have a worker."""
    return [session for session in _sessions if session.pid is not None]


def _plain(calls: Any) -> list[Any]:
    """Calls as JSON carries them: a native precision becomes an object, so that it is known as one."""
    return [
        (target, method, [arg._asdict() if hasattr(arg, "_asdict") else arg for arg in args])
        for target, method, args in calls
    ]


def _check_length(count: int, seconds: float, name: str = "count") -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise WorkbenchError(f"{name} is {count!r}: give a whole number above 0")
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise WorkbenchError(f"seconds is {seconds!r}: give a number above 0")


def _same(before: Mapping[str, Array], after: Mapping[str, Array]) -> bool:
    return before.keys() == after.keys() and all(
        before[name].shape == after[name].shape and np.array_equal(before[name], after[name])
        for name in before
    )
