"""One graph for both of Paddle's intermediate representations: PIR and the older Program IR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

IrKind = Literal["pir", "program"]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that flows through the graph.

    Attributes:
        id: unique in its graph: ``%12`` in PIR, a variable name in Program IR.
        dtype: a numpy-style name such as ``float32`` or ``bfloat16``; None where the dump does not say.
        shape: the dimensions, -1 for one known only at run time; None where the dump does not say.
        name: the name people know it by (parameter, input or output name), or None.
        parameter: True for a weight or a constant, which is stored with the model and not computed.
    """

    id: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    name: str | None = None
    parameter: bool = False


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel an op was lowered to: PIR's ``kernel_name`` and ``kernel_key``."""

    name: str
    backend: str
    layout: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    Attributes:
        index: its place in the dump's order, counting only the ops that ``Graph.ops`` lists.
        type: ``pd_op.conv2d`` in PIR, ``conv2d`` in Program IR; after kernel lowering the op that was
            lowered (``onednn_op.fused_conv2d``), not the dialect's wrapper (``onednn_kernel.phi_kernel``).
        inputs: ids of the values it reads, in the dump's order; an absent optional input is left out.
        outputs: ids of the values it writes.
        attrs: attribute name to a plain value (bool, int, float, str, list or None).
        layer: path of the layer it came from, such as ``/Sequential/BasicBlock_1/Conv2D``; "" when unknown.
        kernel: set after kernel lowering.
        identity: what names this op across stages where the dump has such a thing (the node number of a
            Program IR dump), else None.
        parent: index of the op whose region or block holds it (``pd_op.if``, ``while``), None at the top.
        region: which of the parent's regions or blocks that is, from 0: of ``pd_op.if`` 0 is the true branch
            and 1 the false one.
    """

    index: int
    type: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    layer: str = ""
    kernel: Kernel | None = None
    identity: str | None = None
    parent: int | None = None
    region: int = 0


@dataclass(frozen=True)
class Graph:
    """The ops of one stage, in the order the dump lists them, and the values between them.

    ``ops`` leaves out parameters and constants (``builtin.parameter``, ``builtin.constant``): those are
    values with ``parameter=True``. Feed, fetch, data and shadow_output are ops like any other.
    """

    ir: IrKind
    ops: tuple[Op, ...]
    values: Mapping[str, Value]

    @cached_property
    def producers(self) -> dict[str, int]:
        """Value id to the index of the op that writes it last."""
        return {value: op.index for op in self.ops for value in op.outputs}

    @cached_property
    def users(self) -> dict[str, list[int]]:
        """Value id to the indices of the ops that read it, in order."""
        found: dict[str, list[int]] = {}
        for op in self.ops:
            for value in op.inputs:
                readers = found.setdefault(value, [])
                if not readers or readers[-1] != op.index:
                    readers.append(op.index)
        return found

    @property
    def parameters(self) -> list[Value]:
        """The weights and constants."""
        return [value for value in self.values.values() if value.parameter]
