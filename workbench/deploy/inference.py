"""``paddle.inference`` and its 1.x form, on the native execution core: the calls are the same.

A `Config` collects what a script asks for and becomes an `InferenceConfig`; a `Predictor` holds a `Session`.
A model that would kill Paddle is an error here, and what was given otherwise than asked is a warning.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.config import InferenceConfig
from workbench.core import Session, warm
from workbench.deploy.fallback import has_gpu_build, without_tensorrt
from workbench.deploy.notices import say_once
from workbench.errors import ConfigError, InputError, ModelError
from workbench.models import Model, from_bytes, load

Array = npt.NDArray[Any]

_log = logging.getLogger(__name__)


class PrecisionType(enum.Enum):
    """Arithmetic to run in; the values are what `InferenceConfig` calls it."""

    Float32 = "fp32"
    Half = "fp16"
    Bfloat16 = "bf16"
    Int8 = "int8"


class Config:
    """What one predictor is asked for, by the names of Paddle 1.x and 2.x.

    Args:
        model: nothing (call `set_model` or `set_model_buffer` then), a folder, or the program's file.
        params: the file with the parameters, where ``model`` is a file.
        strict: stop where less is given than was asked for, such as a GPU on a CPU build; otherwise that is
            said and the rest runs. None follows ``fluid.install(strict=…)``.
        runtime: the runtime that runs it; None follows ``fluid.install(runtime=…)``.
    """

    Precision = PrecisionType

    # What `fluid.install` chooses for all configs that do not say.
    default_strict = False
    default_runtime = "default"

    def __init__(
        self,
        model: str | None = None,
        params: str | None = None,
        *,
        strict: bool | None = None,
        runtime: str | None = None,
    ) -> None:
        self.strict = self.default_strict if strict is None else strict
        self._asked = InferenceConfig(runtime=self.default_runtime if runtime is None else runtime)
        self._paths: tuple[str, str | None] | None = None
        self._buffers: tuple[bytes, bytes] | None = None
        self._ir_debug = False
        self._dot_dir = "."
        self._quiet = False
        if model is not None:
            self.set_model(model, params)

    @property
    def inference_config(self) -> InferenceConfig:
        """The same as the rest of the workbench takes it."""
        return self._asked

    def _ask(self, **changes: Any) -> None:
        self._asked = self._asked.replace(**changes)

    # The model

    def set_model(self, model: str, params: str | None = None) -> None:
        """A folder with a model in it, or the files of the program and of its parameters."""
        self._paths, self._buffers = (str(model), None if params is None else str(params)), None

    def set_prog_file(self, file: str) -> None:
        """The program's file."""
        self.set_model(file, self.params_file() or None)

    def set_params_file(self, file: str) -> None:
        """The parameters' file."""
        self.set_model(self.prog_file() or self.model_dir(), file)

    def set_model_buffer(
        self, model: bytes, model_size: int, params: bytes = b"", params_size: int | None = None
    ) -> None:
        """A program and its combined parameters from memory, each with its size in bytes.

        Raises:
            ModelError: for a buffer that is shorter than its size.
        """
        buffers = []
        for what, buffer, size in (("model", model, model_size), ("params", params, params_size)):
            # In 1.x the buffers of a script were what ``open(…, "rb").read()`` gives.
            if not isinstance(buffer, (bytes, bytearray, memoryview)):
                kind = type(buffer).__name__
                raise ModelError(f"the {what} buffer is {kind}: give bytes, read with mode 'rb'")
            length = memoryview(buffer).nbytes
            if size is not None and not 0 <= size <= length:
                raise ModelError(
                    f"the {what} buffer holds {length:,} bytes and its size is given as {size}: "
                    "it is cut short, read the whole file"
                )
            buffers.append(bytes(buffer)[: length if size is None else size])
        self._paths, self._buffers = None, (buffers[0], buffers[1])

    def model_from_memory(self) -> bool:
        """Whether the model is in buffers."""
        return self._buffers is not None

    def model_dir(self) -> str:
        """The model's folder where one was given, else empty."""
        return self._paths[0] if self._paths and self._paths[1] is None else ""

    def prog_file(self) -> str:
        """The program's file where two files were given, else empty."""
        return self._paths[0] if self._paths and self._paths[1] is not None else ""

    def params_file(self) -> str:
        """The parameters' file where two files were given, else empty."""
        return (self._paths[1] or "") if self._paths else ""

    def load_model(self) -> Model:
        """The model that was set, checked.

        Raises:
            ModelError: if none was set, or what was is not a model.
        """
        if self._buffers is not None:
            return from_bytes(*self._buffers)
        if self._paths is None:
            raise ModelError("no model was set: call config.set_model with a folder or with two files")
        return load(*self._paths)

    # The device

    def enable_use_gpu(
        self,
        memory_pool_init_size_mb: int,
        device_id: int = 0,
        precision_mode: PrecisionType = PrecisionType.Float32,
    ) -> None:
        """Run on this GPU, with a memory pool of so many MB at the start."""
        self._ask(
            device="gpu",
            gpu_memory_mb=memory_pool_init_size_mb,
            device_id=device_id,
            precision=_precision(precision_mode),
        )

    def exp_disable_mixed_precision_ops(self, ops: Iterable[str]) -> None:
        """Keep ops of these types in fp32 where the precision is lower."""
        # Scripts often name these two, and inputs and outputs are never converted.
        self._ask(fp32_ops=tuple(name for name in ops if name not in ("feed", "fetch")))

    def disable_gpu(self) -> None:
        """Run on the CPU."""
        self._ask(device="cpu", device_id=0, gpu_memory_mb=InferenceConfig().gpu_memory_mb, trt=False)

    def use_gpu(self) -> bool:
        """Whether a GPU was asked for and this runtime's Paddle can use one."""
        return self._asked.device == "gpu" and has_gpu_build(self._asked)

    def gpu_device_id(self) -> int:
        """Which GPU."""
        return self._asked.device_id

    def memory_pool_init_size_mb(self) -> int:
        """The memory pool on the GPU at the start, in MB."""
        return self._asked.gpu_memory_mb

    def enable_mkldnn(self) -> None:
        """Run CPU ops through oneDNN, which 1.x called MKLDNN."""
        self._ask(onednn=True)

    def disable_mkldnn(self) -> None:
        """Keep oneDNN off; from 3.0 it is on by default."""
        self._ask(onednn=False)

    def mkldnn_enabled(self) -> bool:
        """Whether oneDNN is on: as asked, else as this release has it."""
        if self._asked.onednn is not None:
            return self._asked.onednn
        return not str(warm(self._asked.runtime).about["paddle"]).startswith(("1.", "2."))

    enable_onednn = enable_mkldnn
    disable_onednn = disable_mkldnn
    onednn_enabled = mkldnn_enabled

    def enable_mkldnn_bfloat16(self) -> None:
        """Run in bfloat16 on a CPU that has it."""
        self._ask(precision="bf16")

    def set_cpu_math_library_num_threads(self, threads: int) -> None:
        """Threads of the CPU math library."""
        self._ask(threads=threads)

    def cpu_math_library_num_threads(self) -> int:
        """Threads of the CPU math library."""
        return self._asked.threads

    def enable_tensorrt_engine(
        self,
        workspace_size: int = 1 << 30,
        max_batch_size: int = 1,
        min_subgraph_size: int = 3,
        precision_mode: PrecisionType = PrecisionType.Float32,
        use_static: bool = False,
        use_calib_mode: bool = True,
    ) -> None:
        """Give subgraphs of ``min_subgraph_size`` ops or more to TensorRT; ``workspace_size`` is in bytes."""
        self._ask(
            trt=True,
            trt_workspace_size=workspace_size,
            trt_max_batch_size=max_batch_size,
            trt_min_subgraph_size=min_subgraph_size,
            precision=_precision(precision_mode),
            trt_use_static=use_static,
            trt_use_calib_mode=use_calib_mode,
        )

    def tensorrt_engine_enabled(self) -> bool:
        """Whether TensorRT was asked for and this runtime's Paddle can have it."""
        return self._asked.trt and has_gpu_build(self._asked)

    # Optimization

    def switch_ir_optim(self, on: bool = True) -> None:
        """Graph optimization, as far as Paddle lets it be switched off."""
        self._ask(ir_optim=on)

    def ir_optim(self) -> bool:
        """Whether graph optimization is on."""
        return self._asked.ir_optim

    def enable_memory_optim(self, on: bool = True) -> None:
        """Let tensors that do not live at the same time share memory."""
        self._ask(memory_optim=on)

    def delete_pass(self, name: str) -> None:
        """Switch one pass off, by the name a trace shows."""
        self._asked = self._asked.without(name)

    def switch_ir_debug(self, on: bool = True) -> None:
        """Write the graph before any pass and after each one as ``.dot``, for both IRs.

        The files go to the current folder or to that of `set_optim_cache_dir`, when the predictor is created.
        """
        self._ir_debug = on

    def set_optim_cache_dir(self, directory: str) -> None:
        """Where `switch_ir_debug` writes to."""
        self._dot_dir = directory

    def disable_glog_info(self) -> None:
        """Keep Paddle's log to ourselves; otherwise its lines go to Python's logging, at level DEBUG."""
        self._quiet = True

    def glog_info_disabled(self) -> bool:
        """Whether the log is kept back."""
        return self._quiet

    # Without meaning today

    def switch_use_feed_fetch_ops(self, on: bool = True) -> None:
        """Says once that it means nothing: inputs and outputs never go through feed and fetch ops."""
        say_once("switch_use_feed_fetch_ops means nothing today: tensors never go through feed and fetch ops")

    def switch_specify_input_names(self, on: bool = True) -> None:
        """Says once that it means nothing: inputs are always given by name."""
        say_once("switch_specify_input_names means nothing today: inputs are always given by name")

    def specify_input_name(self) -> bool:
        """Inputs are always given by name."""
        return True

    def use_feed_fetch_ops_enabled(self) -> bool:
        """Feed and fetch ops are never used."""
        return False

    def summary(self) -> str:
        """What is asked for, a line each."""
        model = "in memory" if self._buffers else " ".join(filter(None, self._paths or ("not set",)))
        lines = {"model": model, **self._asked.to_dict()}
        return "".join(f"{name}: {value}\n" for name, value in lines.items())


class Tensor:
    """An input or an output of a predictor."""

    def __init__(self, predictor: Predictor, name: str, *, is_input: bool) -> None:
        self._predictor = predictor
        self._is_input = is_input
        self._shape: tuple[int, ...] | None = None
        self.name = name

    def reshape(self, shape: Sequence[int]) -> None:
        """Say the shape that is to come; what `copy_from_cpu` is given has the last word, as in Paddle."""
        self._input_only("reshape")
        self._shape = tuple(int(size) for size in shape)

    def copy_from_cpu(self, data: Array) -> None:
        """Take a copy of an array.

        Raises:
            InputError: if this is an output, or ``data`` is not an array.
        """
        self._input_only("copy_from_cpu")
        if not isinstance(data, np.ndarray):
            raise InputError(f"input {self.name!r} was given {type(data).__name__}: give a numpy array")
        self._shape = data.shape
        self._predictor._inputs[self.name] = data.copy()

    def copy_to_cpu(self) -> Array:
        """A copy of the output of the last run.

        Raises:
            InputError: if this is an input, or nothing has run yet.
        """
        if self._is_input:
            raise InputError(f"{self.name!r} is an input: take outputs with get_output_tensor")
        outputs = self._predictor._outputs
        if outputs is None:
            raise InputError(f"there is no output {self.name!r} yet: call zero_copy_run or run first")
        copied: Array = outputs[self.name].copy()
        return copied

    def shape(self) -> list[int]:
        """The shape: of the last data where there are any, else as the model has it, with -1 for any size."""
        if not self._is_input and self._predictor._outputs is not None:
            return list(self._predictor._outputs[self.name].shape)
        if self._shape is not None:
            return list(self._shape)
        session = self._predictor.session
        infos = session.inputs if self._is_input else session.outputs
        return next(list(info.shape) for info in infos if info.name == self.name)

    def _input_only(self, method: str) -> None:
        if not self._is_input:
            raise InputError(f"{self.name!r} is an output: {method} is for inputs")


class Predictor:
    """Runs one model; made by `create_predictor`.

    Attributes:
        config: what was asked for.
        session: the session that runs it; ``session.given`` is what was given.
        log: Paddle's log of the creation.
        dots: the files `Config.switch_ir_debug` had written.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.dots: tuple[Path, ...] = ()
        self._inputs: dict[str, Array] = {}
        self._outputs: dict[str, Array] | None = None
        model, asked = config.load_model(), config.inference_config
        said: tuple[str, ...] = ()
        if not config.strict:
            asked, said = without_tensorrt(asked)
        self.session = self._traced(model, asked) if config._ir_debug else Session(model, asked)
        try:
            loaded = self.session.load()
            if config.strict and loaded.notices:
                raise ConfigError(f"strict: {loaded.notices[0]}; ask for what there is, or leave out strict")
        except BaseException:
            self.session.close()
            raise
        for notice in (*said, *loaded.notices):
            say_once(notice, stacklevel=4)
        self.log = loaded.log
        if not config._quiet:
            for line in self.log.splitlines():
                _log.debug("%s", line)

    def _traced(self, model: Model, asked: InferenceConfig) -> Session:
        from workbench.tracing import trace

        found = trace(model, asked)
        self.dots = tuple(found.write_dots(self.config._dot_dir))
        found.close()
        return found.session

    def get_input_names(self) -> list[str]:
        """The inputs' names, in the model's order."""
        return [info.name for info in self.session.inputs]

    def get_output_names(self) -> list[str]:
        """The outputs' names, in the model's order."""
        return [info.name for info in self.session.outputs]

    def get_input_handle(self, name: str) -> Tensor:
        """The input of this name."""
        return self._tensor(name, self.get_input_names(), is_input=True)

    def get_output_handle(self, name: str) -> Tensor:
        """The output of this name."""
        return self._tensor(name, self.get_output_names(), is_input=False)

    def _tensor(self, name: str, names: list[str], *, is_input: bool) -> Tensor:
        if name not in names:
            kind = "input" if is_input else "output"
            raise InputError(f"there is no {kind} {name!r}: the model has {', '.join(names)}")
        return Tensor(self, name, is_input=is_input)

    get_input_tensor = get_input_handle
    get_output_tensor = get_output_handle

    def run(self) -> bool:
        """Run once on the inputs that were copied in.

        Raises:
            InputError: for a missing input, a wrong dtype or a wrong shape.
            WorkbenchError: as `Session.run`.
        """
        self._outputs = self.session.run(self._inputs)
        return True

    zero_copy_run = run

    @property
    def given(self) -> Mapping[str, Any]:
        """What the predictor really has."""
        return self.session.given

    def close(self) -> None:
        """End its worker."""
        self.session.close()


def create_predictor(config: Config) -> Predictor:
    """Create a predictor; what is given otherwise than asked is said as a `DeployNotice`.

    Raises:
        ConfigError: if the config cannot be had, or in strict mode is not had in full.
        ModelError: if there is no such model, or it is damaged.
        WorkbenchError: as `Session.load`.
    """
    if not isinstance(config, Config):
        raise ConfigError(f"{type(config).__name__} is no Config: create it with AnalysisConfig or Config")
    return Predictor(config)


def _precision(given: object) -> str:
    if not isinstance(given, PrecisionType):
        raise ConfigError(
            f"precision is {given!r}: give one of AnalysisConfig.Precision, such as Precision.Float32"
        )
    return given.value
