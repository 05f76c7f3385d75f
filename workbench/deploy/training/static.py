"""Paddle's training side as static graphs, in the caller's process: which mode and which IR it is in.

Nothing here imports Paddle before it is called. Paddle keeps both settings in global state: dynamic or static
mode, and PIR or Program IR. `paddle_static` sets them for a while and puts them back.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Literal

from workbench.errors import RuntimeMissingError

IR = Literal["pir", "program"]

_FLAG = "FLAGS_enable_pir_api"
_LOG_LEVEL = "GLOG_minloglevel"


def import_paddle() -> Any:
    """Paddle, imported into this process.

    Raises:
        RuntimeMissingError: if this environment has none.
    """
    if not has_paddle():
        raise RuntimeMissingError(
            "the training side runs in this process, and this environment has no Paddle: "
            'pip install "paddle-workbench[cpu]"'
        )
    # Read once, on import: Paddle would greet everybody with log lines about its executor, and with a warning
    # about a tool for compiling extensions.
    quiet = _LOG_LEVEL not in os.environ
    if quiet:
        os.environ[_LOG_LEVEL] = "2"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No ccache found")
            return importlib.import_module("paddle")
    finally:
        if quiet:
            del os.environ[_LOG_LEVEL]


def has_paddle() -> bool:
    """Whether this environment has a Paddle to import."""
    return "paddle" in sys.modules or importlib.util.find_spec("paddle") is not None


def switch_ir(paddle: Any, ir: IR) -> IR:
    """Make static graphs of this kind from now on; returns what it was before.

    Paddle 2.x has Program IR only.
    """
    before = current_ir(paddle)
    if has_pir(paddle) and before != ir:
        utils = importlib.import_module("paddle.pir_utils")
        paddle.set_flags({_FLAG: ir == "pir"})
        # Beside the flag, Paddle swaps the functions of its Python modules.
        (utils._switch_to_pir_ if ir == "pir" else utils._switch_to_old_ir_)()
    return before


def current_ir(paddle: Any) -> IR:
    """The kind of static graphs that are made now."""
    return "pir" if has_pir(paddle) and paddle.get_flags(_FLAG)[_FLAG] else "program"


def has_pir(paddle: Any) -> bool:
    """Whether this release can write PIR."""
    return int(paddle.__version__.split(".")[0] or 3) >= 3


@contextlib.contextmanager
def paddle_static(ir: IR) -> Iterator[Any]:
    """Paddle in static mode with this IR, for as long as the block lasts; gives the ``paddle`` module."""
    with paddle_ir(ir) as paddle:
        dynamic = paddle.in_dynamic_mode()
        paddle.enable_static()
        try:
            yield paddle
        finally:
            if dynamic:
                paddle.disable_static()


@contextlib.contextmanager
def paddle_ir(ir: IR) -> Iterator[Any]:
    """Paddle with this IR, in whichever mode it is, for as long as the block lasts."""
    paddle = import_paddle()
    before = switch_ir(paddle, ir)
    try:
        yield paddle
    finally:
        switch_ir(paddle, before)


@contextlib.contextmanager
def paddle_dynamic(ir: IR = "pir") -> Iterator[Any]:
    """Paddle in dynamic mode, with this IR for what becomes static in it, for as long as the block lasts."""
    with paddle_ir(ir) as paddle:
        dynamic = paddle.in_dynamic_mode()
        if not dynamic:
            paddle.disable_static()
        try:
            yield paddle
        finally:
            if not dynamic:
                paddle.enable_static()


@contextlib.contextmanager
def fresh_conversion(paddle: Any) -> Iterator[None]:
    """Turning layers static while the block lasts, with nothing left over of conversions that failed.

    Paddle notes what it has made of each parameter under the ``id`` of the program that is being built, and a
    conversion that fails never takes its notes away. Once that program is freed, the next one may have its
    address, finds the parameters of the dead one and ends the process with a segmentation fault.
    """
    translator = paddle.jit.dy2static.program_translator.ProgramTranslator.get_instance()
    names = ["_params_recorder", "_inplace_map"]
    recorders = [getattr(translator, name) for name in names if hasattr(translator, name)]
    with contextlib.suppress(ModuleNotFoundError):  # Paddle 2.x
        pir = importlib.import_module("paddle.jit.dy2static.parameter_recorder")
        recorders += [pir._global_parameter_recorder, pir._global_inplace_map]
    kept = [(recorder, dict(vars(recorder))) for recorder in recorders]
    try:
        for recorder, notes in kept:
            vars(recorder).update({name: {} for name in notes})
        yield
    finally:
        for recorder, notes in kept:
            vars(recorder).update(notes)
