"""An SVG that grows around what is put on it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from workbench.ui.picture.texts import text_width

PAPER = "#ffffff"
_MARGIN = 24
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"

Point = tuple[float, float]


class Canvas:
    """Elements one above the other, and the extent of all of them."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.left = self.right = self.top = self.bottom = 0.0

    def svg(self, heading: str, about: str) -> str:
        """The whole of it, with what it is for those who do not see it."""
        x, y = round(self.left - _MARGIN), round(self.top - _MARGIN)
        width, height = (
            round(self.right - self.left) + 2 * _MARGIN,
            round(self.bottom - self.top) + 2 * _MARGIN,
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="{x} {y} {width} {height}" role="img" font-family="{_FONT}">'
            f"<title>{escape(heading)}</title><desc>{escape(about)}.</desc>"
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{PAPER}"/>'
            + "".join(self.parts)
            + "</svg>"
        )

    def reach(self, left: float, top: float, right: float, bottom: float) -> None:
        """Grows to hold what lies between these edges."""
        self.left, self.right = min(self.left, left), max(self.right, right)
        self.top, self.bottom = min(self.top, top), max(self.bottom, bottom)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        radius: float,
        fill: str,
        stroke: str = "",
        *,
        line: int = 1,
        dash: str = "",
    ) -> None:
        """A box, round at its corners."""
        self.reach(x, y, x + width, y + height)
        more = f' stroke="{stroke}"' if stroke else ""
        if line != 1:
            more += f' stroke-width="{line}"'
        if dash:
            more += f' stroke-dasharray="{dash}"'
        self.parts.append(
            f'<rect x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}" '
            f'rx="{radius}" fill="{fill}"{more}/>'
        )

    def text(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        fill: str,
        *,
        bold: bool = False,
        middle: bool = False,
    ) -> None:
        """One line of text on its baseline, from ``x`` on or with its middle there."""
        width = text_width(text, size, bold=bold)
        left = x - width / 2 if middle else x
        self.reach(left, y - size, left + width, y + 4)
        look = f'font-size="{_number(size)}" fill="{fill}"'
        if bold:
            look += ' font-weight="600"'
        if middle:
            look += ' text-anchor="middle"'
        words = escape(text, quote=False)
        self.parts.append(f'<text x="{_number(x)}" y="{_number(y)}" {look}>{words}</text>')

    def lines(self, routes: Sequence[Sequence[Point]], colour: str, more: str) -> None:
        """All lines of one look as one path, and the points of their arrows as another."""
        traces, arrows = [], []
        for route in routes:
            points = [(round(x), round(y)) for x, y in route]
            if len(points) < 2:
                continue
            (x, y), rest = points[0], points[1:]
            traces.append(f"M{x} {y}")
            for to_x, to_y in rest:
                middle = (y + to_y) // 2
                curve = f"C{x} {middle} {to_x} {middle} {to_x} {to_y}"
                traces.append(curve if x != to_x else f"V{to_y}")
                x, y = to_x, to_y
            arrows.append(f"M{x} {y}l-3.5-7h7z")
        if traces:
            self.parts.append(f'<path d="{"".join(traces)}" fill="none" stroke="{colour}"{more}/>')
            self.parts.append(f'<path d="{"".join(arrows)}" fill="{colour}"/>')


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
