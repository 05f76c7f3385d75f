"""A session: one model under one config, in a worker process of its own."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.config import InferenceConfig, to_code
from workbench.core import measuring
from workbench.core.creation import Loaded, begun, create, files_of, planned
from workbench.core.defects import release_of
from workbench.core.exchange import Asked, Exchange
from workbench.core.log import PassRun
from workbench.core.measured import ConcurrentRuns, OpOutput, OutputMoments, OutputPart, TimedRuns
from workbench.core.process import Progress, Sink, Worker
from workbench.core.runtimes import warm
from workbench.core.spool import Spool
from workbench.core.tensors import Array, check_inputs
from workbench.core.worker.rounding import ROUND
from workbench.errors import ConfigError
from workbench.models import Model, TensorInfo, load


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
        self._exchange: Exchange | None = None
        self._loaded: Loaded | None = None
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
        release = release_of(warm(self.config.runtime).about["paddle"])
        return to_code(self.config, files_of(self.model), release)

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
            return planned(worker, self.model, self.config, self.time_limit)

    @property
    def passes_begun(self) -> tuple[PassRun, ...]:
        """The passes that the last creation of the predictor began, of one that Paddle refused too.

        The last of them is then the one it ended in. There are none where the worker ended over it, whose log
        is gone with it: what is known then is `WorkerDiedError.pass_name`.
        """
        return self._begun

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
            exchange = self._ready()
            if self._loaded is None or dump_dir is not None:
                self._loaded, self._listed = None, ()
                exchange.forget_inputs()
                try:
                    self._loaded = create(
                        exchange.worker,
                        self.model,
                        self.config,
                        dump_dir=dump_dir,
                        sink=sink,
                        progress=progress,
                        time_limit=self._limit(time_limit),
                    )
                finally:
                    self._begun = begun(exchange.worker)
            return self._loaded

    def _ready(self) -> Exchange:
        if self._exchange is None or not self._exchange.worker.alive:
            self._forget_worker()
            self._exchange = Exchange(Worker(warm(self.config.runtime)))
        return self._exchange

    def _with_predictor(self) -> Exchange:
        self.load()
        return self._ready()

    def _limit(self, time_limit: float | None) -> float | None:
        return self.time_limit if time_limit is None else time_limit

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
            return self._with_predictor().run(arrays, self._limit(time_limit))

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
        return measuring.timed(self._asking(inputs, time_limit), count, seconds)

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
        return measuring.at_once(self._asking(inputs, time_limit), predictors, seconds, native)

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
        return measuring.moments(self._asking(inputs, time_limit), count, seconds)

    def op_outputs(
        self, inputs: Mapping[str, Any], *, time_limit: float | None = None
    ) -> tuple[OpOutput, ...]:
        """Run once and list every tensor that an op gives, in the order they come; none is copied.

        A clone of the predictor runs, with the same weights and the same graph. Of the ops in a loop or a
        branch of Program IR nothing is seen; those of PIR come as often as they run.

        Raises:
            WorkbenchError: as `run`.
        """
        with self._lock:
            self._listed = measuring.listed(self._asking(inputs, time_limit))
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
            return measuring.taken(self._asking(inputs, time_limit), self._listed, parts)

    def run_rounded(
        self,
        inputs: Mapping[str, Any],
        executions: Sequence[tuple[int, int]],
        precision: str,
        *,
        time_limit: float | None = None,
    ) -> dict[str, Array]:
        """Run once with some ops as in a lower precision, on any machine.

        What such an op reads, weights too, and what it gives is rounded to the nearest number of that
        precision, a tie to the even one; inside, it computes in fp32, as hardware does that adds up in fp32.
        What other ops read is not rounded for them. Only float32 is. Of an op that reads a list of tensors,
        such as ``concat`` of PIR, those in the list are not rounded. `op_outputs` with the same inputs must
        have come before. A clone of the predictor runs, on the CPU and without oneDNN.

        Args:
            inputs: what to run on.
            executions: of the ops in the lower precision, their first and their last output, by the places
                that `op_outputs` listed.
            precision: "bf16" or "fp16".
            time_limit: seconds, in place of the session's own limit.

        Returns:
            The outputs, as `run` gives them.

        Raises:
            ConfigError: for another precision, on a GPU or with oneDNN, which may keep rounded weights.
            NativeError: if the ops that run, or their outputs' shapes, are others than those listed; if this
                Paddle does not tell what ops read (3.3.1 does, 2.6.2 does not).
            WorkbenchError: as `run`; if nothing was listed or there are no such outputs.
        """
        if precision not in ROUND:
            raise ConfigError(f"{precision} cannot be simulated: give one of {', '.join(ROUND)}")
        arrays = check_inputs(inputs, self.inputs)
        with self._lock:
            exchange = self._with_predictor()  # a fresh one knows of no outputs
            given = self.load().given
            if given["onednn"] or given["device"] != "cpu":
                raise ConfigError(
                    "a lower precision cannot be simulated on a GPU or with oneDNN, which keeps weights as "
                    "it first read them: use a config on the CPU with onednn=False"
                )
            message = measuring.rounding(self._listed, executions, precision, self.model.weights)
            doing = f"running ops in {precision}"
            return exchange.ask_outputs(arrays, message, doing, self._limit(time_limit))

    def _asking(self, inputs: Mapping[str, Any], time_limit: float | None) -> measuring.Ask:
        def ask(message: dict[str, Any], doing: str) -> Asked:
            arrays = check_inputs(inputs, self.inputs)
            with self._lock:
                return self._with_predictor().ask(arrays, message, doing, self._limit(time_limit))

        return ask

    def memory(self, *, reset: bool = False) -> dict[str, int]:
        """Bytes of memory of the worker: ``rss`` now and ``peak_rss``, which ``reset`` begins anew."""
        with self._lock:
            worker = self._with_predictor().worker
            return worker.request({"op": "status", "reset": reset}, doing="reading its memory")[0]

    def spool(self) -> Spool:
        """A temporary folder that outlives neither this process nor its last user."""
        return Spool(warm(self.config.runtime))

    @property
    def pid(self) -> int | None:
        """Process id of the worker, None when there is none."""
        exchange = self._exchange
        return None if exchange is None else exchange.worker.pid

    def cancel(self) -> None:
        """Stop the call that is under way, from any thread: it raises `CancelledError`."""
        exchange = self._exchange
        if exchange is not None:
            exchange.worker.cancel()

    # The end

    def _forget_worker(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
        self._exchange = None
        self._loaded = None
        self._listed = ()

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


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def sessions() -> list[Session]:
    """The sessions of this process that have a worker."""
    return [session for session in _sessions if session.pid is not None]
