"""What everything on Paddle's training side shares: its lock, and its errors in one line."""

from __future__ import annotations

import re
import sys
import threading
from typing import Any

_FLAG = "FLAGS_enable_pir_api"


class _TrainingSide:
    """A lock that a thread may take again while it has it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()
        paddle = sys.modules.get("paddle")
        if paddle is not None:
            _settle(paddle)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _settle(paddle: Any) -> None:
    """Make this thread's copy of Paddle's state what the main thread's is.

    Every thread makes its own when it first asks. Of the IR it takes what is set then, perhaps while another
    thread had switched. In dynamic mode it takes the tracer, but not the way to leave the mode.
    """
    state: Any = getattr(paddle.base.framework, "global_var", None)
    if hasattr(state, "_use_pir_api_"):
        state._use_pir_api_ = paddle.get_flags(_FLAG)[_FLAG]
    if getattr(state, "_functional_dygraph_context_manager", state) is None and paddle.in_dynamic_mode():
        state._dygraph_tracer_ = None
        paddle.disable_static()


# Held by whoever changes the mode (see `static`) or works in it: it belongs to the whole process.
training_side = _TrainingSide()


def one_line(error: BaseException) -> str:
    """What an error of Paddle's says, which may be pages, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # An error met while a layer becomes static ends with the place in the layer and then the error itself.
    named = [line for line in lines if re.match(r"\w*(Error|Exception): ", line)]
    text = named[-1] if named else next((line for line in lines if not line.startswith("---")), "")
    text = re.sub(r"\s*\(at /\S+:\d+\)$", "", text)
    kind = type(error).__name__
    return text if text.startswith(kind) else f"{kind}: {text}"
