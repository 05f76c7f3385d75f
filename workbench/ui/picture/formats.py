"""The picture as SVG and as PNG, no larger than what shows it can bear."""

from __future__ import annotations

import re

from workbench.ui.document import Shown
from workbench.ui.picture.drawing import Drawing
from workbench.ui.picture.visible import visible_of

# Up to so many ops are drawn one by one, and up to so many blocks and ops in all.
FLAT_MOST = 150
# GitHub shows no large notebooks; a picture is one of many things in one.
_SIZE_LIMIT = 200_000
_PIXELS_MOST = 6_000_000


def picture_svg(shown: Shown, *, title: str = "") -> str:
    """A graph as a picture that needs nothing around it: no scripts, no fonts, no network.

    Up to 150 ops are drawn one by one. A larger graph is drawn by layer with its blocks closed, and of one
    that has still more at the top the first part, with the number of ops left out.

    Args:
        shown: what to draw.
        title: what it is, in a few words.

    Returns:
        The text of an SVG file, at most 200,000 bytes in UTF-8 whatever the graph and its names are.
    """
    if not shown.graph.ops:
        return Drawing(shown, title, None).svg()
    # Very many lines, or names that take four bytes a letter, can make a picture too large.
    for most, edges in ((FLAT_MOST, 300), (FLAT_MOST, 50), (40, 20)):
        text = Drawing(shown, title, visible_of(shown, most, edges)).svg()
        if len(text.encode()) <= _SIZE_LIMIT:
            break
    return text


def picture_png(svg: str) -> bytes:
    """The same picture in pixels: a notebook that is not trusted shows no SVG.

    Args:
        svg: what `picture_svg` gave.

    Returns:
        A PNG file of at most six million pixels.
    """
    import resvg_py

    width, height = (float(size) for size in re.findall(r' (?:width|height)="([\d.]+)"', svg)[:2])
    zoom = min(1.0, (_PIXELS_MOST / (width * height)) ** 0.5)
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))
