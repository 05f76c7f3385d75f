"""Turns a Program IR model into PIR. Run as a file by an interpreter that has Paddle, and nothing of ours.

``MODEL_FILE PREFIX`` writes ``PREFIX.json``. A process of its own, because Paddle may end its process on a
program it cannot translate. The weights are not needed: both IRs keep them in the same bytes.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

# Started as a file, Python looks for modules beside it first; ours must not hide anybody's.
if sys.path and os.path.abspath(sys.path[0]) == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120
    del sys.path[0]

NO_PADDLE = 3
TOO_OLD = 4


def main(model_file: str, prefix: str) -> int:
    """Translate one model."""
    try:
        paddle = importlib.import_module("paddle")
    except ImportError as error:
        print(f"paddle cannot be imported: {error}")
        return NO_PADDLE
    if not hasattr(paddle, "pir_utils"):
        print(f"Paddle {paddle.__version__} has no PIR")
        return TOO_OLD
    paddle.enable_static()
    with open(model_file, "rb") as stream:  # noqa: PTH123
        data = stream.read()
    with paddle.pir_utils.OldIrGuard():
        program = paddle.static.deserialize_program(data)
    with paddle.pir_utils.IrGuard():
        translated = paddle.pir.translate_to_pir(program.desc)
        scope = paddle.static.Scope()
        with paddle.static.scope_guard(scope), paddle.static.program_guard(translated):
            feeds, fetches = open_ends(paddle, translated.global_block())
            stand_ins(paddle, translated.global_block(), scope)
            executor = paddle.static.Executor(paddle.CPUPlace())
            paddle.static.save_inference_model(prefix, feeds, fetches, executor, program=translated)
    return 0


def open_ends(paddle: Any, block: Any) -> tuple[list[Any], list[Any]]:
    """The inputs and outputs of a translated program, whose own feed and fetch ops go.

    Saving adds PIR's own, which are not the ones that a translation gives.
    """
    old_feeds, old_fetches = (
        sorted((op for op in block.ops if op.name() == kind), key=lambda op: op.attrs()["col"])
        for kind in ("pd_op.feed", "pd_op.fetch")
    )
    # The order of the ops is the order of the inputs; a translated program has them as the file has.
    place = next((op for op in block.ops if op.name() == "pd_op.feed"), None)
    feeds = []
    for op in old_feeds:
        old = op.result(0)
        with block:
            value = paddle.static.data(name=op.attrs()["name"], shape=old.shape, dtype=old.dtype)
        value.get_defining_op().move_before(place)
        old.replace_all_uses_with(value)
        feeds.append(value)
    fetches = [op.operand_source(0) for op in old_fetches]
    for op in (*old_feeds, *old_fetches):
        block.remove_op(op)
    return feeds, fetches


def stand_ins(paddle: Any, block: Any, scope: Any) -> None:
    """One number for every parameter: saving wants to write them, and the real ones come after it."""
    import numpy as np

    for op in block.ops:
        if op.name() == "builtin.parameter":
            scope.var(op.attrs()["parameter_name"]).get_tensor().set(
                np.zeros(1, "float32"), paddle.CPUPlace()
            )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
