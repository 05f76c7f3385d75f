"""The inference log: where the time of a run went, on what, in the layout of the AutoLog tool.

A program written for that tool runs with ``from workbench.deploy import runlog as auto_log``. The fields,
their order and their spelling are those of AutoLog 1.0 (https://github.com/LDOUBLEV/AutoLog), so that what
reads its logs reads these. A seventh block gives percentiles; `AutoLogger.facts` has it all as plain values.

Unlike AutoLog, a report ends no program, leaves no handler on a logger, starts no process of its own, and
states what is so: the memory of the process that holds the model, and what the predictor was given.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.config import InferenceConfig
from workbench.core import Session, sessions, warm
from workbench.core.defects import release_of
from workbench.errors import ConfigError, RuntimeMissingError, WorkbenchError

if TYPE_CHECKING:
    import logging

TIME_KEYS = ("preprocess_time", "inference_time", "postprocess_time")
TOTAL = "total_time"
PERCENTILES = (50, 90, 95, 99)
LOG_API_VERSION = 1.0

_MB = 1 << 20
_CONF = (
    "runtime_device",
    "ir_optim",
    "enable_memory_optim",
    "enable_tensorrt",
    "enable_mkldnn",
    "cpu_math_library_num_threads",
)
_TITLES = {
    "env": "---------------------- Env info ----------------------",
    "paddle": "---------------------- Paddle info ----------------------",
    "conf": "----------------------- Conf info -----------------------",
    "model": "----------------------- Model info ----------------------",
    "data": "----------------------- Data info -----------------------",
    "perf": "----------------------- Perf info -----------------------",
    "percentile": "---------------------- Percentile info ----------------------",
}


@dataclass(frozen=True)
class Measurement:
    """One round from start to end.

    Attributes:
        phases: seconds of each phase, by name.
        total: seconds of the whole round.
    """

    phases: Mapping[str, float]
    total: float


class Times:
    """A stopwatch for the phases of a run: `start`, a `stamp` after each phase, `end`.

    A stamp beyond the named phases is one named ``stamps_4``, ``stamps_5`` and so on.

    Attributes:
        measurements: the rounds so far, warm-up included.
    """

    def __init__(self, keys: Sequence[str], at_end: Callable[[], None]) -> None:
        self.keys = tuple(keys)
        self.measurements: list[Measurement] = []
        self._at_end = at_end
        self._clock: list[float] = []

    def start(self) -> None:
        """Begin a round; one that was begun and not ended is forgotten."""
        self._clock = [time.perf_counter()]

    def stamp(self) -> None:
        """A phase is over, and the next one begins.

        Raises:
            WorkbenchError: before `start`.
        """
        now = time.perf_counter()
        self._check_started("stamp")
        self._clock.append(now)

    def end(self, stamp: bool = False) -> None:
        """End the round.

        Args:
            stamp: the last phase has had no stamp of its own and is over too. Where all of them have had
                theirs there is nothing to add.

        Raises:
            WorkbenchError: before `start`.
        """
        now = time.perf_counter()
        self._check_started("end")
        if stamp and len(self._clock) <= len(self.keys):
            self._clock.append(now)
        seconds = [after - before for before, after in pairwise(self._clock)]
        extra = [f"stamps_{number + 1}" for number in range(len(self.keys), len(seconds))]
        phases = dict(zip((*self.keys, *extra), seconds, strict=False))
        self.measurements.append(Measurement(phases, self._clock[-1] - self._clock[0]))
        self._clock = []
        self._at_end()

    def _check_started(self, what: str) -> None:
        if not self._clock:
            raise WorkbenchError(f"times.{what}() without a start: call times.start() before each round")


class AutoLogger:
    """Times a run and reports it.

    A measurement is one round from ``times.start()`` to ``times.end()``: one item, or one batch of them.

    Args:
        model_name: what the report calls the model.
        model_precision: the precision it runs in, where ``inference_config`` does not tell.
        batch_size: items per measurement.
        data_shape: the shape of the input, or ``dynamic``.
        save_path: a file for the report too; each report replaces it.
        inference_config: what ran. With an `InferenceEngine`, a `Session`, or the very `InferenceConfig` that
            one session runs, the report tells what the predictor was given and the memory of its worker.
            Another `InferenceConfig` tells what it asks for, a ``paddle.inference.Config`` (or what has its
            methods) what these say, and None nothing.
        pids: the process whose memory is reported, where there is no worker; this one by default.
        process_name: accepted as AutoLog does, and not used there either.
        gpu_ids: the GPU whose memory and load are reported, by its number as ``nvidia-smi`` counts; ``auto``
            for the one the predictor runs on, None for none.
        time_keys: the phases, in the order of their stamps; by default preprocess_time, inference_time and
            postprocess_time.
        warmup: measurements at the beginning that the report leaves out.
        logger: takes the lines in place of standard output.

    Attributes:
        times: the stopwatch.

    Raises:
        ConfigError: for an ``inference_config``, ``gpu_ids``, ``time_keys``, ``warmup`` or ``pids`` that
            cannot be.
    """

    def __init__(
        self,
        model_name: str,
        model_precision: str = "fp32",
        batch_size: int = 1,
        data_shape: str | Sequence[int] = "dynamic",
        save_path: str | os.PathLike[str] | None = None,
        inference_config: Any = None,
        pids: int | None = None,
        process_name: str | None = None,
        gpu_ids: int | Literal["auto"] | None = None,
        time_keys: Sequence[str] | None = None,
        warmup: int = 0,
        logger: logging.Logger | None = None,
    ) -> None:
        if isinstance(warmup, bool) or not isinstance(warmup, int) or warmup < 0:
            raise ConfigError(f"warmup is {warmup!r}; give a whole number from 0")
        self.model_name = model_name
        self.model_precision = model_precision
        self.batch_size = batch_size
        self.data_shape = data_shape
        self.save_path = save_path
        self.warmup = warmup
        self.logger = logger
        self._ran = _what_ran(inference_config)
        self._process = _process(os.getpid() if pids is None else pids)
        self._gpu = _Gpu(self._ran.gpu() if gpu_ids == "auto" else _gpu_number(gpu_ids))
        self.times = Times(_distinct(TIME_KEYS if time_keys is None else time_keys), self._look)

    def _look(self) -> None:
        """After each measurement: the report may come when the worker is gone and the GPU idle."""
        self._gpu.sample()
        self._ran.look()

    def facts(self) -> dict[str, Any]:
        """The report as plain values: a dict per block, with the fields of the text.

        Two more keys tell what the text does not. ``process`` has ``rss(MB)``, the memory of the calling
        process now: it holds pictures and results, while ``cpu_rss(MB)`` is the highest that the worker with
        the model has had (without a worker, what the process itself has now). ``samples`` has every
        measurement that counts, in ms, phase by phase.

        Raises:
            WorkbenchError: if there is no measurement beyond the warm-up.
        """
        counted = self.times.measurements[self.warmup :]
        if not counted:
            raise WorkbenchError(
                f"there is nothing to report: {len(self.times.measurements)} measurements were taken and the "
                f"first {self.warmup} are warm-up; run more, or less warm-up"
            )
        samples = _samples(self.times.keys, counted)
        means = {
            f"{key}(ms)": _round(np.mean(values)) if values else None
            for key, values in samples.items()
            if key != TOTAL
        }
        return {
            "env": {"OS_version": os_version(), **self._ran.cuda(), "drivier_version": driver_version()},
            "paddle": {**self._ran.paddle(), "log_api_version": LOG_API_VERSION},
            "conf": self._ran.conf(),
            "model": {
                "model_name": self.model_name,
                "precision": self._ran.precision() or self.model_precision,
            },
            "data": {
                "batch_size": self.batch_size,
                "input_shape": self.data_shape if isinstance(self.data_shape, str) else list(self.data_shape),
                "data_num": len(counted),
            },
            "perf": {
                "cpu_rss(MB)": _round((self._ran.peak_memory() or self._process.memory_info().rss) / _MB),
                "gpu_rss(MB)": self._gpu.used_mb,
                "gpu_util": self._gpu.load,
                "total time spent(s)": _round(sum(one.total for one in counted)),
                **means,
            },
            "percentile": {"sample_num": len(counted), **_percentiles(samples)},
            "process": {"rss(MB)": _round(_process(os.getpid()).memory_info().rss / _MB)},
            "samples": {f"{key}(ms)": values for key, values in samples.items()},
        }

    def report(self, *, echo: bool = True) -> None:
        """Print the report, and write it to ``save_path`` where that is given.

        Args:
            echo: False to write the file only.

        Raises:
            WorkbenchError: if there is no measurement, or the file cannot be written.
        """
        lines = _report_lines(self.facts())
        head = time.strftime("[%Y/%m/%d %H:%M:%S] root INFO:")
        text = "".join(f"{head} {line}".rstrip() + "\n" for line in lines)
        if echo and self.logger is not None:
            for line in lines:
                self.logger.info(line)
        elif echo:
            print(text, end="", flush=True)
        if self.save_path is not None:
            _write(Path(self.save_path), text)


def _report_lines(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The messages of a report, an empty one first; a field is indented by one space."""
    lines = [""]
    for block, title in _TITLES.items():
        lines.append(title)
        lines += [f" {', '.join(row)}" for row in _rows(block, facts[block])]
    return lines


def os_version() -> str:
    """Name and version of the operating system, such as ``Ubuntu 22.04``."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return f"{platform.system()} {platform.release()}"
    return f"{release['NAME']} {release.get('VERSION_ID', '')}".rstrip()


def driver_version() -> str | None:
    """The version of NVIDIA's driver; None without one, or without the package that asks it."""
    nvml = _nvml()
    return None if nvml is None else _text(nvml.nvmlSystemGetDriverVersion())


# What ran


class _Unknown:
    """Nothing is known: what ran is this process's own Paddle, if it has one, or the default runtime."""

    def look(self) -> None:
        """What must be read off while it runs."""

    def conf(self) -> dict[str, Any]:
        return dict.fromkeys(_CONF)

    def precision(self) -> str | None:
        return None

    def peak_memory(self) -> int | None:
        return None

    def gpu(self) -> str | None:
        return _visible_gpu(0)

    def paddle(self) -> dict[str, Any]:
        version = self._own_version() or _about("default")
        return {"paddle_version": version.get("paddle"), "paddle_commit": version.get("commit")}

    def cuda(self) -> dict[str, Any]:
        return _cuda(self._own_version() or _about("default"))

    def _own_version(self) -> dict[str, Any]:
        paddle = sys.modules.get("paddle")
        if paddle is None:
            return {}
        version = paddle.version
        return {
            "paddle": version.full_version,
            "commit": version.commit,
            "cuda": version.cuda(),
            "cudnn": version.cudnn(),
        }


class _NativeConfig(_Unknown):
    """A ``paddle.inference.Config`` of this process, or what has its methods."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def conf(self) -> dict[str, Any]:
        config = self.config
        values = (
            "gpu" if config.use_gpu() else "cpu",
            config.ir_optim(),
            self._memory_optim(),
            config.tensorrt_engine_enabled(),
            config.mkldnn_enabled(),
            config.cpu_math_library_num_threads(),
        )
        return dict(zip(_CONF, values, strict=True))

    def gpu(self) -> str | None:
        if not self.config.use_gpu():
            return None
        device = getattr(self.config, "gpu_device_id", lambda: 0)()
        return _visible_gpu(device)

    def _memory_optim(self) -> bool | None:
        """Read from the summary's table, since there is no method for it; None where that does not tell."""
        try:
            rows = self.config.summary().splitlines()
        except Exception:  # Paddle's own, which differ by release: a GPU build without TensorRT raises here
            return None
        cells = [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows]
        return next((cell[1] == "true" for cell in cells if cell[0] == "memory_optim"), None)


class _AskedConfig(_Unknown):
    """A config that no session is known to run: what it asks for, as far as the runtime can give it."""

    def __init__(self, config: InferenceConfig) -> None:
        self.config = config

    def conf(self) -> dict[str, Any]:
        config, about = self.config, _about(self.config.runtime)
        onednn = config.onednn
        if onednn is None and about:
            onednn = release_of(about["paddle"]) >= (3,)
        on_gpu = config.device == "gpu" and about.get("gpu_build", False)
        values = (
            "gpu" if on_gpu else "cpu",
            config.ir_optim,
            config.memory_optim,
            config.trt and on_gpu,
            onednn,
            config.threads,
        )
        return dict(zip(_CONF, values, strict=True))

    def precision(self) -> str | None:
        return self.config.precision

    def gpu(self) -> str | None:
        return _visible_gpu(self.config.device_id) if self.conf()["runtime_device"] == "gpu" else None

    def paddle(self) -> dict[str, Any]:
        about = _about(self.config.runtime)
        return {"paddle_version": about.get("paddle"), "paddle_commit": about.get("commit")}

    def cuda(self) -> dict[str, Any]:
        return _cuda(_about(self.config.runtime))


class _RanSession(_AskedConfig):
    """A session: what its predictor was given, and the memory of its worker."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.config)
        self.session = session
        self.given = session.given
        self.peak = 0

    def look(self) -> None:
        self.given = self.session.given
        self.peak = max(self.peak, self.session.memory()["peak_rss"])

    def conf(self) -> dict[str, Any]:
        keys = ("device", "ir_optim", "memory_optim", "trt", "onednn", "threads")
        return dict(zip(_CONF, (self.given[key] for key in keys), strict=True))

    def precision(self) -> str | None:
        precision: str = self.given["precision"]
        return precision

    def peak_memory(self) -> int | None:
        return self.peak


def _what_ran(config: Any) -> _Unknown:
    if config is None:
        return _Unknown()
    # The 1.x and 2.x names of `workbench.deploy.inference` are a face over an InferenceConfig.
    config = getattr(config, "inference_config", config)
    session = config if isinstance(config, Session) else getattr(config, "session", None)
    if isinstance(session, Session):
        return _RanSession(session)
    if isinstance(config, InferenceConfig):
        running = [session for session in sessions() if session.config is config]
        return _RanSession(running[0]) if len(running) == 1 else _AskedConfig(config)
    if callable(getattr(config, "cpu_math_library_num_threads", None)):
        return _NativeConfig(config)
    raise ConfigError(
        f"inference_config is {config!r}: give an InferenceEngine, a Session, an InferenceConfig, "
        "a paddle.inference.Config or None"
    )


def _about(runtime: str) -> dict[str, Any]:
    """Versions of a runtime; empty where there is none."""
    try:
        return warm(runtime).about
    except RuntimeMissingError:
        return {}


def _cuda(about: Mapping[str, Any]) -> dict[str, Any]:
    """The versions that a Paddle is built with; a CPU build says "False"."""
    return {
        field: None if about.get(key) in (None, "False") else about[key]
        for field, key in (("CUDA_version", "cuda"), ("CUDNN_version", "cudnn"))
    }


# Memory and load


class _Gpu:
    """The highest memory and load seen of one GPU: all of the device's, as ``nvidia-smi`` shows them.

    Sampled at the end of each measurement, outside of the time it takes.

    Attributes:
        used_mb: MB of memory in use, None where there is nothing to see.
        load: per cent of the time that a kernel ran, over the driver's last period.
    """

    def __init__(self, name: str | None) -> None:
        self.used_mb: float | None = None
        self.load: float | None = None
        self._handle: Any = None
        self._nvml = None if name is None else _nvml()
        if name is None or self._nvml is None:
            return
        with suppress(self._nvml.NVMLError):
            if name.isdecimal():
                self._handle = self._nvml.nvmlDeviceGetHandleByIndex(int(name))
            else:
                self._handle = self._nvml.nvmlDeviceGetHandleByUUID(name)

    def sample(self) -> None:
        if self._handle is None or self._nvml is None:
            return
        with suppress(self._nvml.NVMLError):
            used = _round(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used / _MB)
            self.used_mb = max(used, self.used_mb or 0.0)
        with suppress(self._nvml.NVMLError):
            load = float(self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu)
            self.load = max(load, self.load or 0.0)


def _nvml() -> Any:
    """NVIDIA's management library, ready to be asked; None without the package or without a driver."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _visible_gpu(device: int) -> str | None:
    """What NVML knows a GPU by that this process counts as ``device``; None if it sees no such one."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return str(device)
    names = [name.strip() for name in visible.split(",")]
    return names[device] or None if device < len(names) else None


def _gpu_number(gpu: int | str | None) -> str | None:
    if gpu is not None and (isinstance(gpu, bool) or not isinstance(gpu, int) or gpu < 0):
        raise ConfigError(f"gpu_ids is {gpu!r}; give a GPU's number, 'auto' or None")
    return None if gpu is None else str(gpu)


def _distinct(keys: Sequence[str]) -> Sequence[str]:
    if isinstance(keys, str) or not keys or len({*keys, TOTAL}) <= len(keys):
        raise ConfigError(f"time_keys is {keys!r}; give a list of names, each once and none {TOTAL}")
    return keys


def _process(pid: int) -> Any:
    import psutil

    try:
        return psutil.Process(pid)
    except (psutil.Error, TypeError, ValueError):
        raise ConfigError(f"pids is {pid!r}, which is no process: give the number of one that runs") from None


# Numbers and text


def _samples(keys: Sequence[str], measurements: Sequence[Measurement]) -> dict[str, list[float]]:
    """Milliseconds by phase and in all, in the order they were taken; none for a phase without a stamp."""
    samples: dict[str, list[float]] = {key: [] for key in keys}
    for one in measurements:
        for key, seconds in one.phases.items():
            samples.setdefault(key, []).append(seconds * 1e3)
    samples[TOTAL] = [one.total * 1e3 for one in measurements]
    return samples


def _percentiles(samples: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for key, values in samples.items():
        at = np.percentile(values, PERCENTILES) if values else [None] * len(PERCENTILES)
        for percent, value in zip(PERCENTILES, at, strict=True):
            found[f"{key}_p{percent}(ms)"] = None if value is None else _round(value)
        found[f"{key}_max(ms)"] = _round(max(values)) if values else None
    return found


def _rows(block: str, fields: Mapping[str, Any]) -> list[list[str]]:
    """The fields of a block as ``name: value``, those of one line together."""
    texts = [f"{name}: {value}" for name, value in fields.items()]
    if block == "perf":
        cpu, gpu, load, total, *times = texts
        return [[cpu, gpu, f"{load}%"], [total], times]
    if block == "percentile":
        per_row = len(PERCENTILES) + 1
        return [texts[:1], *(texts[i : i + per_row] for i in range(1, len(texts), per_row))]
    return [[text] for text in texts]


def _round(value: Any) -> float:
    return round(float(value), 4)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise WorkbenchError(f"cannot write {file}: {error.strerror}; choose another place") from None
