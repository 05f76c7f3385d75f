"""What a reduction is asked for, checked before the work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.bench.keeping import default_folder, subject
from workbench.config import InferenceConfig
from workbench.errors import ConfigError, InputError, WorkbenchError
from workbench.models import Model
from workbench.verifying.function import check_function
from workbench.verifying.reduction.checks import Array
from workbench.verifying.reduction.probing import Check
from workbench.verifying.tolerance import ALL, tolerances_of

_CHECKS = ("crash", "output")


def free_folder(
    folder: str | os.PathLike[str] | None,
    model: Model,
    config: InferenceConfig,
    arrays: Mapping[str, Array],
    check: Check,
    tolerance: Any,
) -> Path:
    """The folder to write to, free: what is wrong with it is said before the work.

    Args:
        folder: what was given; None for one in the user's cache, which is emptied.
        model: what is reduced; this and the rest name the folder in the cache.
        config: the config that fails.
        arrays: the inputs.
        check: the check.
        tolerance: of the check.

    Raises:
        WorkbenchError: if it holds other files or cannot be made.
    """
    if folder is None:
        what = check if isinstance(check, str) else "function"
        arguments = {**subject(model, config, arrays), "check": what, "tolerance": repr(tolerance)}
        target = default_folder("reduce", arguments)
        shutil.rmtree(target, ignore_errors=True)
        return target
    target = Path(folder).expanduser()
    try:
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise WorkbenchError(f"{target} holds other files: give an empty folder, or a new one")
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {target}: {error.strerror}; choose a folder you can write to"
        ) from None
    return target


def check_arguments(config: object, avoid: object, check: object, passes: object, tolerance: object) -> None:
    """Refuse what `reduce` cannot take.

    Raises:
        ConfigError: for a config, a check or passes.
        InputError: for a tolerance.
    """
    for name, value in (("config", config), ("avoid", avoid)):
        if value is not None and not isinstance(value, InferenceConfig):
            raise ConfigError(
                f"{name} is {value!r}; give an InferenceConfig, such as InferenceConfig(threads=2)"
            )
    if callable(check):
        check_function(check)
    elif check not in _CHECKS:
        raise ConfigError(f"check is {check!r}: give {', '.join(map(repr, _CHECKS))} or a function")
    if isinstance(passes, str):
        raise ConfigError(f"passes is {passes!r}: give a list of pass names")
    if isinstance(tolerance, Mapping) and set(tolerance) != {ALL}:
        raise InputError("a part of the model has other outputs: give one tolerance for all of them")
    tolerances_of(tolerance, ())
