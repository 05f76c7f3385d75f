"""Cuts a Program IR model: the protobuf with fewer ops, and other feed and fetch ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.verifying.cutting.selection import Selection

_INT, _BLOCK, _BLOCKS = 0, 8, 10
_FEED_MINIBATCH, _FETCH_LIST = 9, 10
# Lines of the program that exported the model, with paths of its machine.
_CALLSTACK = "op_callstack"


def cut_program(data: bytes, selection: Selection, shapes: Mapping[str, Sequence[int]]) -> bytes:
    """The program with the selected ops only.

    Args:
        data: the program of the whole model.
        selection: of its graph.
        shapes: variable to the shape it is declared with, where the program's own is wrong.
    """
    from workbench.ir._schema import program_class

    program = program_class().FromString(data)
    main = program.blocks[0]
    old = {
        (desc.type, _arguments(desc.outputs if desc.type == "feed" else desc.inputs)[0]): desc
        for desc in main.ops
        if desc.type in ("feed", "fetch")
    }
    ends = [("feed", selection.feeds), ("fetch", selection.fetches)]
    feeds, fetches = (
        [_end(program, old.get((kind, name)), kind, name, column) for column, name in enumerate(names)]
        for kind, names in ends
    )
    ops = [_copy(main.ops[index]) for index in selection.ops]
    del main.ops[:]
    main.ops.extend([*feeds, *ops, *fetches])
    _drop_blocks(program)
    _drop_variables(program, set(selection.feeds), shapes)
    for block in program.blocks:
        for desc in block.ops:
            kept = [attr for attr in desc.attrs if attr.name != _CALLSTACK]
            if len(kept) < len(desc.attrs):
                kept = [_copy(attr) for attr in kept]
                del desc.attrs[:]
                desc.attrs.extend(kept)
    written: bytes = program.SerializeToString()
    return written


def _end(program: Any, known: Any, kind: str, name: str, column: int) -> Any:
    """A feed or fetch op: the model's own for this variable, or a new one."""
    if known is None:
        known = type(program.blocks[0].ops[0])(type=kind)
        holder, value = ("inputs", "outputs") if kind == "feed" else ("outputs", "inputs")
        getattr(known, holder).add(parameter="X" if kind == "feed" else "Out", arguments=[kind])
        getattr(known, value).add(parameter="Out" if kind == "feed" else "X", arguments=[name])
        known.attrs.add(name="col", type=_INT, i=column)
    found = _copy(known)
    for attr in found.attrs:
        if attr.name == "col":
            attr.i = column
    return found


def _drop_blocks(program: Any) -> None:
    """Leave out the blocks that no op runs any more, and number the others anew."""
    kept, queue = [0], [0]
    while queue:
        held = sorted({inner for desc in program.blocks[queue.pop()].ops for inner in _held(desc)})
        queue += [inner for inner in held if inner not in kept]
        kept += [inner for inner in held if inner not in kept]
    kept.sort()
    numbers = {number: place for place, number in enumerate(kept)}
    blocks = [_copy(program.blocks[number]) for number in kept]
    for block in blocks:
        block.idx = numbers[block.idx]
        # The main block's is -1.
        block.parent_idx = numbers.get(block.parent_idx, block.parent_idx)
        if block.HasField("forward_block_idx"):
            block.forward_block_idx = numbers.get(block.forward_block_idx, -1)
        for desc in block.ops:
            for attr in desc.attrs:
                if attr.type == _BLOCK:
                    attr.block_idx = numbers[attr.block_idx]
                elif attr.type == _BLOCKS:
                    attr.blocks_idx[:] = [numbers[inner] for inner in attr.blocks_idx]
    del program.blocks[:]
    program.blocks.extend(blocks)


def _drop_variables(program: Any, feeds: set[str], shapes: Mapping[str, Sequence[int]]) -> None:
    main = program.blocks[0]
    # An op within a block reads variables of the main block, too.
    used = {
        name
        for block in program.blocks
        for desc in block.ops
        for name in (*_arguments(desc.inputs), *_arguments(desc.outputs))
    }
    variables = [_copy(var) for var in main.vars if var.name in used]
    known = {var.name for var in variables}
    for kind, code in (("feed", _FEED_MINIBATCH), ("fetch", _FETCH_LIST)):
        if kind in used and kind not in known:
            var = type(main.vars[0])(name=kind, persistable=True)
            var.type.type = code
            variables.append(var)
    for var in variables:
        if var.name in feeds and var.name in shapes:
            var.type.dense_tensor.tensor.dims[:] = list(shapes[var.name])
    del main.vars[:]
    main.vars.extend(variables)


def _held(desc: Any) -> list[int]:
    found: list[int] = []
    for attr in desc.attrs:
        if attr.type in (_BLOCK, _BLOCKS):
            found += [attr.block_idx] if attr.type == _BLOCK else attr.blocks_idx
    return found


def _arguments(slots: Any) -> list[str]:
    return [name for slot in slots for name in slot.arguments]


def _copy(message: Any) -> Any:
    # What is deleted from its list must not be used any more.
    found = type(message)()
    found.CopyFrom(message)
    return found
