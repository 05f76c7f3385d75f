"""Texts as they may stand in a picture: showable, short, and how wide they are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from workbench.ir import Op, Value

# Letters of an op's type, and of what it gives.
NODE_LIMIT = 40

# What has no shape of its own on the screen, beside the categories of controls, formats and surrogates.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\ufffe\uffff"
    "\U000e0000-\U000e0fff]"
)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})

# Shares of the letter size, as in the sans-serif fonts in use; a little wide, since a text that is cut is
# worse than a box with room.
_LETTER_WIDTHS: Mapping[str, float] = {
    **dict.fromkeys("ijl.,:;|!' ", 0.3),
    **dict.fromkeys('frtI()[]{}/\\-"`', 0.38),
    **dict.fromkeys("mwMW@%+<>=~−→", 0.88),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ", 0.7),
    **dict.fromkeys("▸▾…", 0.9),
}


def showable(text: str, limit: int) -> str:
    """A name as it may be put in a picture: one line, nothing invisible in it, and cut.

    Right-to-left letters stay, between isolates, so that they cannot reorder what is around them.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    plain = _IGNORABLE.sub("\N{REPLACEMENT CHARACTER}", cut)
    seen = [one if unicodedata.category(one) not in _UNSEEN else "\N{REPLACEMENT CHARACTER}" for one in plain]
    plain = "".join(seen)
    if any(unicodedata.bidirectional(one) in _RIGHT_TO_LEFT for one in plain):
        return f"\N{FIRST STRONG ISOLATE}{plain}\N{POP DIRECTIONAL ISOLATE}"
    return plain


def counted(count: int, what: str = "op") -> str:
    """Such as ``1,200 ops``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def short_type(op: Op) -> str:
    """The type without its dialect."""
    return op.type.partition(".")[2] or op.type


def type_of(value: Value | None) -> str:
    """Such as ``float32[1x3x224x224]``, as far as it is known."""
    if value is None:
        return ""
    shape = "" if value.shape is None else f"[{'x'.join(map(str, value.shape))}]"
    return (value.dtype or "") + shape


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is in letters of a size."""
    return sum(map(_letter_width, text)) * size * (1.07 if bold else 1.0)


def fitted(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, cut so that it is no wider than ``room``; an isolate stays closed."""
    if text_width(text, size, bold=bold) <= room:
        return text
    end = "…\N{POP DIRECTIONAL ISOLATE}" if text.endswith("\N{POP DIRECTIONAL ISOLATE}") else "…"
    shown = text.removesuffix("\N{POP DIRECTIONAL ISOLATE}")
    while len(shown) > 1 and text_width(shown + end, size, bold=bold) > room:
        shown = shown[:-1]
    return shown + end


def _letter_width(letter: str) -> float:
    known = _LETTER_WIDTHS.get(letter)
    if known is not None:
        return known
    if letter < "\x7f":
        return 0.58
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.15 if unicodedata.east_asian_width(letter) in "WF" else 0.7
