"""Layers as an export and an engine use them: made, given weights, in eval mode, and left as they were."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.deploy.training.common import one_line
from workbench.deploy.training.weights import check_array, check_names, read_pdparams
from workbench.errors import ModelError, WorkbenchError
from workbench.models import TensorInfo


def make_layer(paddle: Any, layer: Any, weights: str | os.PathLike[str] | None = None) -> Any:
    """A layer from itself, from its class or from a function that makes it, with weights loaded into it.

    Raises:
        ModelError: if it is no layer, or the weights are not its own.
    """
    made = layer
    if not isinstance(layer, paddle.nn.Layer) and callable(layer):
        label = getattr(layer, "__name__", "the function")
        try:
            made = layer()
        except WorkbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise ModelError(
                f"{label} could not make a layer ({one_line(error)}): "
                "give one that can be called so, or other arguments"
            ) from error
    if not isinstance(made, paddle.nn.Layer):
        raise ModelError(
            f"{type(made).__name__} is no layer: "
            "give a paddle.nn.Layer, its class, or a function that makes one"
        )
    if weights is not None:
        _load_weights(made, Path(weights).expanduser())
    return made


def _load_weights(layer: Any, file: Path) -> None:
    arrays = read_pdparams(file)
    state = layer.state_dict()
    check_names(arrays, state, file, "layer")
    for name, tensor in state.items():
        dtype = str(tensor.dtype).rpartition(".")[2]
        check_array(arrays[name], TensorInfo(name, dtype, tuple(tensor.shape)), file)
    layer.set_state_dict(arrays)


@contextlib.contextmanager
def for_inference(layer: Any) -> Iterator[None]:
    """The layer in eval mode, and each of its parts in its own mode afterwards."""
    before = [(part, part.training) for part in layer.sublayers(include_self=True)]
    layer.eval()
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


@contextlib.contextmanager
def unchanged(layer: Any) -> Iterator[None]:
    """The layer and each of its parts with the same attributes afterwards as before.

    Turning a layer static replaces its ``forward``, and those of its parts. What ``forward`` keeps in the
    layer belongs to that one call; a tensor kept so makes a later export as PIR fail.
    """
    before = []
    for part in layer.sublayers(include_self=True):
        held = vars(part)
        # Parameters, buffers and parts are in containers of their own.
        inner = [(value, value.copy()) for value in held.values() if isinstance(value, (dict, set))]
        before.append((held, dict(held), inner))
    try:
        yield
    finally:
        for held, attributes, inner in before:
            for changed, content in [(held, attributes), *inner]:
                changed.clear()
                changed.update(content)


def several_outputs(count: int) -> str:
    """What to say when a softmax is asked for and there is not one output."""
    return (
        f"a softmax was asked for and the layer has {count} outputs: "
        "give a layer with one output, or put the softmax into the layer"
    )


def with_softmax(paddle: Any, layer: Any) -> Any:
    """A layer that takes the inputs of another as one list and gives the softmax of its one output.

    Its attribute ``count`` is how many outputs the other gave.
    """

    class WithSoftmax(paddle.nn.Layer):  # type: ignore[misc]
        """The softmax runs over the last dimension."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = layer
            self.softmax = paddle.nn.Softmax()
            self.count = 1

        def forward(self, inputs: Any) -> Any:
            """One output, whatever the other gives."""
            scores = paddle.utils.flatten(self.layer(*inputs))
            self.count = len(scores)
            return self.softmax(scores[0])

    return WithSoftmax()
