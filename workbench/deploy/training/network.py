"""A network function and a persistable model, put together as an inference model in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workbench.deploy.training.common import one_line, training_side
from workbench.deploy.training.legacy_ops import legacy_ops
from workbench.deploy.training.static import paddle_static
from workbench.deploy.training.weights import persistable_bytes
from workbench.errors import ModelError, WorkbenchError
from workbench.models import Model, from_bytes

Network = Callable[[], Any]


def assemble(network: Network, persistables: Any) -> Model:
    """The inference model of a network function and its weights, in memory, as Program IR.

    Args:
        network: builds the static graph with ``paddle.static`` (or ``fluid``) and returns its inputs and its
            outputs: ``(image, out)`` or ``([a, b], [out])``. Names are made afresh, as under
            ``unique_name.guard()``; dropout and BatchNorm become those of inference.
        persistables: the folder of ``save_persistables``, its combined file, or a ``.pdparams``.

    Raises:
        ModelError: if the function does not build a graph, or the weights are not this network's.
    """
    with training_side, paddle_static("program") as paddle, legacy_ops(paddle):
        program = _build(paddle, network)
    wanted = Model(layout="program", ir="program", name="network", model_bytes=program).weights
    return from_bytes(program, persistable_bytes(persistables, wanted))


def _build(paddle: Any, network: Network) -> bytes:
    main, startup = paddle.static.Program(), paddle.static.Program()
    label = getattr(network, "__name__", "the network function")
    try:
        with paddle.static.program_guard(main, startup), paddle.utils.unique_name.guard():
            made = network()
    except WorkbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{label} could not build its static graph ({one_line(error)}): "
            "give a function that builds it with paddle.static and returns (inputs, outputs)"
        ) from error
    inputs, outputs = _ends(paddle, made, label)
    inference = main.clone(for_test=True)
    block = inference.global_block()
    try:
        data: bytes = paddle.static.serialize_program(
            [block.var(var.name) for var in inputs],
            [block.var(var.name) for var in outputs],
            program=inference,
        )
    except ValueError as error:
        raise ModelError(
            f"{label} gives outputs that do not come from its inputs ({one_line(error)}): "
            "return only inputs that are used"
        ) from None
    return data


def _ends(paddle: Any, made: Any, label: str) -> tuple[Sequence[Any], Sequence[Any]]:
    if isinstance(made, (tuple, list)) and len(made) == 2:
        inputs, outputs = (list(part) if isinstance(part, (tuple, list)) else [part] for part in made)
        variables = [*inputs, *outputs]
        if inputs and outputs and all(isinstance(var, paddle.static.Variable) for var in variables):
            return inputs, outputs
    raise ModelError(
        f"{label} returned {type(made).__name__}: return (inputs, outputs), each a static variable or a list"
    )
