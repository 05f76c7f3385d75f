"""The engines that can predict, behind one interface: same inputs in, outputs side by side.

An inference engine with an inference model, a training engine with an inference model, a training engine with
a persistable model (a network function and the variables of a training run), and the layer itself.
"""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.tensors import Array, check_inputs
from workbench.deploy.training.common import one_line, training_side
from workbench.deploy.training.layers import for_inference, make_layer, several_outputs, unchanged
from workbench.deploy.training.network import Network, assemble
from workbench.deploy.training.specs import check_count, input_infos
from workbench.deploy.training.static import paddle_dynamic, paddle_static
from workbench.errors import ConfigError, ModelError, NativeError
from workbench.models import Model, TensorInfo, load, read_params

Device = Literal["cpu", "gpu"]


class Engine(ABC):
    """Something that turns inputs into outputs. Safe to use from several threads; a context manager.

    Attributes:
        name: what it is, in words.
    """

    name: str

    @property
    @abstractmethod
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What it takes, in order."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """The names of what it gives, in order; of a layer they are known once it has run."""

    @abstractmethod
    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Run once.

        Args:
            inputs: an array for every input, by name.

        Returns:
            The outputs by name, in their order.

        Raises:
            InputError: for an unknown or missing name, a wrong dtype or a wrong shape.
            WorkbenchError: if it cannot run.
        """

    @abstractmethod
    def close(self) -> None:
        """Give up what it holds; a later run takes it again."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.name}>"


class SessionEngine(Engine):
    """The inference engine with an inference model, in a worker process: a `workbench.core.Session`.

    Args:
        model: a `Model`, or the path of one, in any layout.
        config: what to ask of the engine; the default config if None.

    Raises:
        ModelError: if there is no such model.
    """

    def __init__(self, model: Model | str | os.PathLike[str], config: InferenceConfig | None = None) -> None:
        self.session = Session(model, config)
        label = self.session.config.label
        self.name = f"inference engine, inference model ({self.session.model.layout})"
        self.name += "" if label == "default" else f", {label}"

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The model's inputs."""
        return self.session.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(info.name for info in self.session.outputs)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Run once, in the worker."""
        return self.session.run(inputs)

    def close(self) -> None:
        """End the worker."""
        self.session.close()


class TrainingEngine(Engine):
    """The training engine, ``paddle.static.Executor`` in this process, with an inference model.

    Args:
        model: a `Model`, or the path of one, in any layout.
        device: "cpu" or "gpu".

    Raises:
        ModelError: if there is no such model.
        ConfigError: for a GPU on a CPU build of Paddle.
        NativeError: if Paddle refuses the model.
    """

    def __init__(self, model: Model | str | os.PathLike[str], *, device: Device = "cpu") -> None:
        self.model = model if isinstance(model, Model) else load(model)
        self.name = f"training engine, inference model ({self.model.layout})"
        self.device = device
        self._loaded: _Loaded | None = None
        with training_side:
            self._load()

    def _load(self) -> _Loaded:
        if self._loaded is not None:
            return self._loaded
        with paddle_static(self.model.ir) as paddle:
            place = _place(paddle, self.device)
            executor, scope = paddle.static.Executor(place), paddle.static.Scope()
            try:
                with paddle.static.scope_guard(scope):
                    program, fetches = _read_model(paddle, self.model, executor, place)
            except Exception as error:
                raise NativeError(f"Paddle refused the model: {one_line(error)}") from error
        self._loaded = _Loaded(executor, scope, program, fetches)
        return self._loaded

    @classmethod
    def of_network(cls, network: Network, persistables: Any, *, device: Device = "cpu") -> TrainingEngine:
        """The training engine with a persistable model.

        Args:
            network: builds the static graph and returns its inputs and outputs; see `assemble`.
            persistables: the folder of ``save_persistables``, its combined file, or a ``.pdparams``.
            device: "cpu" or "gpu".

        Raises:
            ModelError: if the function builds no graph, or the variables are not this network's.
            ConfigError: for a GPU on a CPU build of Paddle.
        """
        engine = cls(assemble(network, persistables), device=device)
        engine.name = "training engine, persistable model"
        return engine

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The model's inputs."""
        return self.model.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(info.name for info in self.model.outputs)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Run once, in this process."""
        arrays = check_inputs(inputs, self.inputs)
        with training_side, paddle_static(self.model.ir):
            held = self._load()
            try:
                found = held.executor.run(
                    held.program, feed=arrays, fetch_list=held.fetches, scope=held.scope
                )
            except Exception as error:
                raise NativeError(f"Paddle refused while running: {one_line(error)}") from error
        return dict(zip(self.outputs, found, strict=True))

    def close(self) -> None:
        """Free the weights; a later run reads them again."""
        with training_side:
            self._loaded = None


class _Loaded(NamedTuple):
    executor: Any
    scope: Any
    program: Any
    fetches: list[Any]


class LayerEngine(Engine):
    """The training engine with a layer, run as it was trained: in dynamic mode, for inference.

    The layer is left as it was, but for the weights that it is given here.

    Args:
        layer: a ``paddle.nn.Layer``, or what makes one: its class or a function.
        inputs: what goes into it, in the order of its ``forward``; see
            `workbench.deploy.training.specs.input_infos`.
        weights: a ``.pdparams`` of ``paddle.save(layer.state_dict(), …)`` to load into it.
        softmax: give the softmax, over the last dimension, of its one output.

    Raises:
        ModelError: if it is no layer, or the weights are not its own.
        InputError: if ``inputs`` says none.
    """

    name = "training engine, layer"

    def __init__(
        self,
        layer: Any,
        inputs: Sequence[Any],
        weights: str | os.PathLike[str] | None = None,
        *,
        softmax: bool = False,
    ) -> None:
        with training_side, paddle_dynamic() as paddle:
            self.layer = make_layer(paddle, layer, weights)
        self.softmax = softmax
        self._inputs = input_infos(inputs, self.layer.forward)
        check_count(self.layer.forward, self._inputs, type(self.layer).__name__)
        self._outputs: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What goes into it."""
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it gives, once it has run: ``output_0`` and on."""
        return self._outputs

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Run once, in this process."""
        arrays = check_inputs(inputs, self.inputs)
        with (
            training_side,
            paddle_dynamic() as paddle,
            unchanged(self.layer),
            for_inference(self.layer),
            paddle.no_grad(),
        ):
            try:
                given = [paddle.to_tensor(arrays[info.name], dtype=info.dtype) for info in self.inputs]
                found = paddle.utils.flatten(self.layer(*given))
            except Exception as error:
                raise NativeError(f"the layer cannot run on these inputs: {one_line(error)}") from error
            tensors = [value for value in found if isinstance(value, paddle.Tensor)]
            if self.softmax and len(tensors) != 1:
                raise ModelError(several_outputs(len(tensors)))
            if self.softmax:
                tensors = [paddle.nn.functional.softmax(tensors[0])]
            outputs = {f"output_{index}": tensor.numpy() for index, tensor in enumerate(tensors)}
        self._outputs = tuple(outputs)
        return outputs

    def close(self) -> None:
        """Nothing: the layer is its caller's."""


def _place(paddle: Any, device: str) -> Any:
    if device == "cpu":
        return paddle.CPUPlace()
    if device != "gpu":
        raise ConfigError(f"device is {device!r}; give cpu or gpu")
    if not paddle.is_compiled_with_cuda():
        raise ConfigError(
            "the training engine was asked to run on a GPU, and this Paddle is a CPU build: "
            "choose the device cpu, or install paddlepaddle-gpu"
        )
    return paddle.CUDAPlace(0)


def _read_model(paddle: Any, model: Model, executor: Any, place: Any) -> tuple[Any, list[Any]]:
    """The program and its outputs, with the parameters in the current scope."""
    if model.ir == "program":
        data = model.model_bytes if model.model_file is None else model.model_file.read_bytes()
        program = paddle.static.deserialize_program(data)
        scope = paddle.static.global_scope()
        for name, array in read_params(model).items():
            scope.var(name).get_tensor().set(array, place)
        return program, [program.global_block().var(info.name) for info in model.outputs]
    # Paddle opens PIR from files alone, with a name in common; what is in them has been checked.
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "model"
        for suffix, file, content in (
            (".json", model.model_file, model.model_bytes),
            (".pdiparams", model.params_file, model.params_bytes),
        ):
            if file is not None:
                prefix.with_suffix(suffix).symlink_to(file.absolute())
            else:
                prefix.with_suffix(suffix).write_bytes(content or b"")
        program, _, fetches = paddle.static.load_inference_model(str(prefix), executor)
    return program, list(fetches)
