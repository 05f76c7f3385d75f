"""Public names that are loaded when first used, so that importing a package costs next to nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazily(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__``.

    Args:
        package: the package, by its ``__name__``.
        modules: for each public name the submodule that has it; for a submodule itself, its own name.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{modules[name]}")
        found = module if name == modules[name] else getattr(module, name)
        vars(importlib.import_module(package))[name] = found
        return found

    return get
