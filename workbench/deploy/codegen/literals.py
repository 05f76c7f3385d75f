"""Text in a program: as a literal, so that any path or name can stand there, and in a comment."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from workbench.errors import ModelError

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def python(text: str) -> str:
    """A literal of Python, between double quotes where the text has none."""
    _bytes(text)
    if '"' in text:
        return repr(text)
    # With a single quote in it, repr chooses double quotes.
    return f'"{repr(chr(39) + text)[2:]}'


def c(text: str) -> str:
    """A literal of C and C++, in UTF-8."""
    # Without the escape, ??/ and its like are other characters in C.
    escapes = {**_ESCAPES, "?": "\\?"} if "??" in text else _ESCAPES
    # An octal escape ends after three digits; a hexadecimal one goes on as long as digits follow.
    return _quoted(text, escapes, lambda one: "".join(f"\\{byte:03o}" for byte in _bytes(one)))


def go(text: str) -> str:
    """A literal of Go, in UTF-8."""
    return _quoted(text, _ESCAPES, lambda one: "".join(f"\\x{byte:02x}" for byte in _bytes(one)))


def r(text: str) -> str:
    """A literal of R, in ASCII: R reads a program in the encoding of whoever runs it."""
    if not any("\udc80" <= one <= "\udcff" for one in text):
        return _quoted(text, _ESCAPES, lambda one: f"\\U{ord(one):08x}", ascii_only=True)
    # One literal has escapes for bytes or for characters, not both.
    return _quoted(
        text, _ESCAPES, lambda one: "".join(f"\\x{byte:02x}" for byte in _bytes(one)), ascii_only=True
    )


def plain(text: str) -> str:
    """The text as it may stand in a comment or a docstring of any of the languages: it cannot end one."""
    shown = "".join(one if one.isprintable() and one not in '\\"' else "_" for one in text)
    return shown.replace("*/", "__").replace("??/", "___")


def comment(text: str, prefix: str, width: int = 96) -> list[str]:
    """The lines of a comment, each after ``prefix``."""
    lines = textwrap.wrap(plain(text), width, break_long_words=False, break_on_hyphens=False)
    return [f"{prefix} {line}" for line in lines]


def _quoted(
    text: str, escapes: dict[str, str], escape: Callable[[str], str], *, ascii_only: bool = False
) -> str:
    _bytes(text)

    def shown(one: str) -> str:
        if one in escapes:
            return escapes[one]
        return one if one.isprintable() and (one.isascii() or not ascii_only) else escape(one)

    return f'"{"".join(map(shown, text))}"'


def _bytes(text: str) -> bytes:
    """The text in UTF-8; bytes of a path that are no text come back as they were.

    Raises:
        ModelError: for text that no literal can hold.
    """
    try:
        encoded = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ModelError(f"{text!r} cannot stand in a program: rename it")
    return encoded
