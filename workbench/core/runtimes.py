"""A runtime is an interpreter with a Paddle in it, chosen by name or by path."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from workbench.core.warm import WarmProcess
from workbench.errors import RuntimeMissingError

DEFAULT = "default"

_lock = threading.Lock()
_registered: dict[str, str] = {}
_warm: dict[str, WarmProcess] = {}


def register(name: str, python: str | os.PathLike[str]) -> None:
    """Give the interpreter ``python`` a name that `InferenceConfig.runtime` can use in this process.

    Raises:
        RuntimeMissingError: if there is no such interpreter.
    """
    _registered[name] = _executable(os.fspath(python))


def registered() -> Mapping[str, str]:
    """The runtimes of this process: name to interpreter."""
    return {DEFAULT: sys.executable, **_registered}


def interpreter(name: str) -> str:
    """The interpreter of a runtime, which may also be given by the path of its python.

    Raises:
        RuntimeMissingError: if the name is unknown, or the default environment has no Paddle.
    """
    if name in _registered:
        return _registered[name]
    if name == DEFAULT:
        if importlib.util.find_spec("paddle") is None:
            raise RuntimeMissingError(
                'there is no Paddle in this environment: pip install "paddle-workbench[cpu]" '
                "(or [gpu] on a machine with a GPU), or choose another runtime"
            )
        return sys.executable
    if os.sep in name:
        return _executable(name)
    known = ", ".join(sorted(registered()))
    raise RuntimeMissingError(
        f"unknown runtime {name!r}: give one of {known}, or the path of a python with Paddle"
    )


def _executable(python: str) -> str:
    found = shutil.which(Path(python).expanduser())
    if found is None:
        raise RuntimeMissingError(
            f"{python} is not an interpreter that can be run: give the path of a python"
        )
    return str(Path(found).absolute())  # not resolved: a virtual environment is known by its link


def warm(name: str = DEFAULT) -> WarmProcess:
    """The warm process of a runtime, started when first asked for, or again when it is gone.

    Raises:
        RuntimeMissingError: if the interpreter is missing or cannot import Paddle.
    """
    python = interpreter(name)
    with _lock:
        process = _warm.get(python)
        if process is None or not process.alive:
            process = _warm[python] = WarmProcess(python)
        return process


def _forget_in_child() -> None:
    # A forked kernel must not hold the warm process's socket open, nor talk over it.
    global _lock
    _lock = threading.Lock()
    for process in _warm.values():
        process.forget()
    _warm.clear()


os.register_at_fork(after_in_child=_forget_in_child)
