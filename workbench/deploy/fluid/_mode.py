"""Static mode with Program IR, which is all that 1.x knew: entered at the first use, left by `uninstall`."""

from __future__ import annotations

from typing import Any

from workbench.deploy.training.common import training_side
from workbench.deploy.training.static import IR, current_ir, import_paddle, switch_ir

_before: tuple[bool, IR] | None = None


def paddle_1x() -> Any:
    """The ``paddle`` module, in the mode of 1.x."""
    global _before
    paddle = import_paddle()
    with training_side:
        if paddle.in_dynamic_mode() or current_ir(paddle) != "program":
            if _before is None:
                _before = bool(paddle.in_dynamic_mode()), current_ir(paddle)
            switch_ir(paddle, "program")
            paddle.enable_static()
    return paddle


def leave() -> None:
    """Back to the mode and the IR that were there before."""
    global _before
    if _before is None:
        return
    paddle = import_paddle()
    dynamic, ir = _before
    with training_side:
        switch_ir(paddle, ir)
        if dynamic:
            paddle.disable_static()
    _before = None
