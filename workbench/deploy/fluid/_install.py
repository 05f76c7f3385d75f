"""Making ``paddle.fluid`` and ``fluid`` resolve to this package, and taking that back."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType

from workbench.deploy.fluid import _mode
from workbench.deploy.fluid._unknown import advice
from workbench.deploy.inference import Config
from workbench.deploy.notices import forget
from workbench.deploy.training.static import has_paddle, import_paddle

_HERE = __name__.rpartition(".")[0]
_ROOTS = ("paddle.fluid", "fluid")
_PARTS = ("compiler", "core", "io", "layers", "unique_name")
_ALIASES = {root + part: _HERE + part for root in _ROOTS for part in ("", *(f".{name}" for name in _PARTS))}


class _Finder:
    """Answers for the 1.x module names, first of all finders, with the modules of this package.

    The names are found by import rather than put into ``sys.modules``, so that Python also binds ``fluid``
    in the package ``paddle``.
    """

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """The module of this package that stands for ``name``.

        Raises:
            ModuleNotFoundError: for a 1.x module that is not kept.
        """
        if name in _ALIASES:
            return ModuleSpec(name, _Loader(), is_package=name in _ROOTS)
        for root in _ROOTS:
            if name.startswith(f"{root}."):
                raise ModuleNotFoundError(advice(name.removeprefix(f"{root}.")), name=name)
        return None


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_ALIASES[spec.name])
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # Python has just put the alias's spec on it; it is the module it always was.
        module.__spec__ = self._own_spec


_finder = _Finder()
_replaced: dict[str, ModuleType] = {}


class Installed:
    """What `install` returns: as a context manager it takes the installation back at its end."""

    def __init__(self, *, mine: bool) -> None:
        self._mine = mine

    def __repr__(self) -> str:
        return "<the 1.x API is installed; uninstall() takes it back>"

    def __enter__(self) -> Installed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mine:
            uninstall()


def install(*, strict: bool = False, runtime: str = "default") -> Installed:
    """Make ``import paddle.fluid``, ``from paddle import fluid`` and ``import fluid`` give this package.

    Args:
        strict: stop where less is given than was asked for, such as a GPU on a CPU build; otherwise that is
            said once and the script goes on.
        runtime: the runtime that predictors run in.

    Returns:
        A context manager that uninstalls at its end, unless it was installed before.
    """
    mine = _finder not in sys.meta_path
    Config.default_strict, Config.default_runtime = strict, runtime
    if mine:
        forget()
        if has_paddle():
            # ``import paddle.fluid`` would import it in any case, and less quietly.
            import_paddle()
        _replaced.update({name: sys.modules.pop(name) for name in list(sys.modules) if _is_1x(name)})
        sys.meta_path.insert(0, _finder)
        importlib.invalidate_caches()
    return Installed(mine=mine)


def uninstall() -> None:
    """Take `install` back: the names, what they hid, and the mode that the training side switched to."""
    Config.default_strict, Config.default_runtime = False, "default"
    _mode.leave()
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in [name for name in sys.modules if _is_1x(name)]:
        del sys.modules[name]
    paddle = sys.modules.get("paddle")
    if paddle is not None and vars(paddle).get("fluid") is sys.modules[_HERE]:
        del paddle.fluid
    sys.modules.update(_replaced)
    if paddle is not None and "paddle.fluid" in _replaced:
        paddle.fluid = _replaced["paddle.fluid"]  # type: ignore[attr-defined]
    _replaced.clear()


def _is_1x(name: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in _ROOTS)
