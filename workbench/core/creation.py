"""Creating a predictor in a worker: what the worker is asked, from which files, and what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.config import InferenceConfig, ModelFiles, native_calls
from workbench.core.defects import Situation, check, release_of, unknown_op_types
from workbench.core.given import compared
from workbench.core.log import PassRun, read_pass_log
from workbench.core.pipeline import Ask, check_disabled, planned_passes
from workbench.core.process import Progress, Sink, Worker
from workbench.core.spool import Spool
from workbench.errors import ConfigError, NativeError
from workbench.models import Model


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


def create(
    worker: Worker,
    model: Model,
    config: InferenceConfig,
    *,
    dump_dir: Path | None,
    sink: Sink | None,
    progress: Progress | None,
    time_limit: float | None,
) -> Loaded:
    """Have a worker create a predictor in place of the one it holds; arguments are those of `Session.load`.

    The log is left as the creation wrote it, also where that failed.

    Raises:
        WorkbenchError: as `Session.load`.
    """
    worker.clear_log()
    about = worker.warm.about
    release = release_of(about["paddle"])
    notices = _check(worker, model, config)
    if config.fp32_ops:
        notices += unknown_op_types(config, {op.type for op in model.graph().ops})
    if config.disabled_passes:
        ask = _asking(worker, time_limit)
        notices += check_disabled(ask, worker.warm.python, release, model.ir, config)
    with _model_files(worker, model) as files:
        calls: list[Any] = list(native_calls(config, files, release))
        if dump_dir is not None:
            calls.append(("config", "switch_ir_debug", (True,)))
            if model.ir == "program":
                calls.append(("config", "set_optim_cache_dir", (str(dump_dir),)))
        message = {
            "op": "load",
            "files": files[1:],
            "calls": _plain(calls),
            "folder": None if dump_dir is None else str(dump_dir),
        }
        try:
            reply, _, _ = worker.request(
                message, doing="creating the predictor", sink=sink, progress=progress, time_limit=time_limit
            )
        except NativeError as error:
            raise _explained(error, config) from None
    log, runs = worker.log(), begun(worker)
    given, more = compared(config, reply, [run.name for run in runs], about, log)
    return Loaded(given, (*notices, *more), reply["create_s"], runs, log)


def planned(
    worker: Worker, model: Model, config: InferenceConfig, time_limit: float | None
) -> tuple[str, ...]:
    """The passes that would run, as `Session.passes` has them; a predictor that the worker holds is gone."""
    _check(worker, model, config)
    release = release_of(worker.warm.about["paddle"])
    return planned_passes(_asking(worker, time_limit), worker.warm.python, release, model.ir, config)


def begun(worker: Worker) -> tuple[PassRun, ...]:
    """The passes that the last creation began, none if its worker is gone."""
    return tuple(read_pass_log(worker.log()).runs) if worker.alive else ()


def _check(worker: Worker, model: Model, config: InferenceConfig) -> list[str]:
    about = worker.warm.about
    return check(Situation(config, model.ir, release_of(about["paddle"]), bool(about["gpu_build"])))


def _asking(worker: Worker, time_limit: float | None) -> Ask:
    def ask(message: dict[str, Any]) -> tuple[dict[str, Any], str]:
        worker.clear_log()
        reply, _, _ = worker.request(
            {**message, "calls": _plain(message["calls"])},
            doing="reading the pass list",
            time_limit=time_limit,
        )
        log = worker.log()
        # What it says of another model must not be taken for the creation's own.
        worker.clear_log()
        return reply, log

    return ask


def _explained(error: NativeError, config: InferenceConfig) -> NativeError | ConfigError:
    """What Paddle said, and what in the config it may come from."""
    named = [name for name in config.enabled_passes if name in str(error)]
    if named:
        return ConfigError(
            f"Paddle cannot add the pass {named[0]!r}: give the name of a registered pass, "
            "such as one that `workbench trace` shows"
        )
    if config.disabled_passes:
        return NativeError(f"{error}; try with these passes on again: {', '.join(config.disabled_passes)}")
    return error


@contextlib.contextmanager
def _model_files(worker: Worker, model: Model) -> Iterator[ModelFiles]:
    """The model as files: one from memory is written out, since a PIR buffer kills Paddle."""
    if model.model_bytes is None:
        yield files_of(model)
        return
    with Spool(worker.warm) as folder:
        files = files_of(model, folder)
        Path(files.model).write_bytes(model.model_bytes)
        Path(str(files.params)).write_bytes(model.params_bytes or b"")
        yield files


def files_of(model: Model, folder: Path | None = None) -> ModelFiles:
    """Where a model lies, or would lie in a folder if it is from memory."""
    if model.model_file is not None:
        return native_files(model)
    stem = (folder or Path()) / "model"
    suffix = ".json" if model.ir == "pir" else ".pdmodel"
    return ModelFiles(model.ir, f"{stem}{suffix}", f"{stem}.pdiparams")


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


def _plain(calls: Any) -> list[Any]:
    """Calls as JSON carries them: a native precision becomes an object, so that it is known as one."""
    return [
        (target, method, [arg._asdict() if hasattr(arg, "_asdict") else arg for arg in args])
        for target, method, args in calls
    ]
