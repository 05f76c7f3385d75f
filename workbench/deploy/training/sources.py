"""Code of the user's own, by its name: ``net.py:Net``, ``package.module:make``."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.deploy.training.common import one_line
from workbench.errors import ModelError

_SOURCE = re.compile(r"(?P<module>.+\.py|[A-Za-z_]\w*(?:\.\w+)*):(?P<name>[A-Za-z_]\w*(?:\.\w+)*)")


def names_code(text: str) -> bool:
    """Whether a text names a function in a file or module, and not a file of a model."""
    return _SOURCE.fullmatch(text) is not None and not Path(text).exists()


def find_code(text: str, arguments: Mapping[str, Any] | None = None) -> Any:
    """Import what ``FILE.py:NAME`` or ``MODULE:NAME`` names. This runs the file.

    Args:
        text: what to import. Modules are looked for in the current folder too, a file's imports beside it.
        arguments: keyword arguments that a call of it is to be made with.

    Raises:
        ModelError: if there is no such file, module or name, or it fails on import.
    """
    match = _SOURCE.fullmatch(text)
    if match is None:
        raise ModelError(f"{text!r} names no code: write FILE.py:NAME or MODULE:NAME, such as net.py:Net")
    module = _import(match["module"])
    found: Any = module
    for part in match["name"].split("."):
        if not hasattr(found, part):
            known = _made_there(module) or [name for name in dir(module) if name[0] != "_"]
            near = difflib.get_close_matches(part, known, 3) or known[:6]
            raise ModelError(
                f"{match['module']} has no {match['name']}: it has {', '.join(near) or 'nothing'}"
            )
        found = getattr(found, part)
    if not callable(found):
        raise ModelError(f"{text} is {type(found).__name__}: name a function, a class or a layer")
    return _with_arguments(found, arguments or {})


def _with_arguments(found: Callable[..., Any], arguments: Mapping[str, Any]) -> Callable[..., Any]:
    if not arguments:
        return found

    @functools.wraps(found, updated=())
    def made() -> Any:
        return found(**arguments)

    return made


def _import(name: str) -> ModuleType:
    file = Path(name).expanduser() if name.endswith(".py") else None
    if file is not None and not file.is_file():
        raise ModelError(f"{file} does not exist: give the path of the file that makes the layer")
    # As python does for a script: what lies beside it can be imported.
    sys.path.insert(0, str((file.parent if file else Path()).absolute()))
    try:
        if file is None:
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(file.stem, module)
        spec.loader.exec_module(module)
        return module
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ModelError(
                f"there is no module {error.name}: give FILE.py:NAME, or a module that is installed here"
            ) from None
        raise ModelError(f"{name} cannot be imported ({one_line(error)}): install what it needs") from error
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{name} cannot be imported ({one_line(error)}): mend it, and keep what runs under "
            'if __name__ == "__main__"'
        ) from error


def _made_there(module: ModuleType) -> list[str]:
    """The names of the functions and classes a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__ and name[0] != "_"
    ]
