"""What is said aloud and does not stop: once per text, as a Python warning of a class of its own."""

from __future__ import annotations

import warnings

_said: set[str] = set()


class DeployNotice(UserWarning):
    """Something asked for means nothing here, or was given otherwise."""


def say_once(text: str, *, stacklevel: int = 3) -> None:
    """Warn with ``text``, the first time it is said; ``stacklevel`` as in `warnings.warn`, from here."""
    if text not in _said:
        _said.add(text)
        warnings.warn(text, DeployNotice, stacklevel=stacklevel)


def forget() -> None:
    """Say everything once again."""
    _said.clear()
