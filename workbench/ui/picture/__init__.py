"""A graph as one SVG text, for places that run no scripts: GitHub, nbconvert, a notebook without a kernel."""

from __future__ import annotations

from workbench.ui.picture.formats import FLAT_MOST, picture_png, picture_svg
from workbench.ui.picture.texts import showable

__all__ = ["FLAT_MOST", "picture_png", "picture_svg", "showable"]
