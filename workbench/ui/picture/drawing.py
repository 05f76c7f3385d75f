"""How it is drawn: boxes, frames, lines, and names at the ends of values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from workbench.ir.layout import layout
from workbench.ir.render import SIGNS
from workbench.ui.document import Shown
from workbench.ui.picture.canvas import PAPER, Canvas, Point
from workbench.ui.picture.texts import NODE_LIMIT, counted, fitted, short_type, showable, text_width
from workbench.ui.picture.visible import Node, Stub, Visible

_MOST_STUBS = 3
_NAMED_TYPES = 5

_TITLE_LIMIT, _STUB_LIMIT = 120, 24
_BOLD, _DETAIL, _STUB = 12.0, 10.5, 9.5
_ROW, _STUB_ROW, _WIDEST, _NARROWEST, _HEAD = 15, 18, 340, 56, 44

_INK, _FAINT, _EDGE, _NODE, _BORDER, _FRAME = "#212121", "#666666", "#8f8f8f", "#f4f4f4", "#9a9a9a", "#f7f7f7"

# The colours of `to_dot`, which colour-blind people can tell apart: border and fill.
_MARK_COLOURS: Mapping[str, tuple[str, str]] = {
    "added": ("#0072b2", "#cfe6f5"),
    "removed": ("#d55e00", "#fbdcc4"),
    "altered": ("#9a8500", "#f7efb2"),
}

_Box = tuple[float, float, float, float]


class Drawing:
    """Writes the SVG of what is visible; of nothing one that says so."""

    def __init__(self, shown: Shown, title: str, visible: Visible | None) -> None:
        self.shown, self.title, self.visible = shown, showable(title, _TITLE_LIMIT), visible
        self.canvas = Canvas()

    def svg(self) -> str:
        """The text of the SVG file."""
        heading = self.title or "Graph"
        summary = self._summary()
        last = ""
        if self.visible is None:
            self.canvas.text("This graph has no ops.", 0, 20, _BOLD, _FAINT)
        else:
            self._draw(self.visible)
            if self.visible.left_out:
                more = counted(self.visible.left_out, "more op")
                last = f"and {more}: run the cell to see all"
                self.canvas.text(last, self.canvas.left, self.canvas.bottom + 30, _BOLD, _INK, bold=True)
        top = self.canvas.top - _HEAD
        left = self.canvas.left
        self.canvas.text(heading, left, top + 14, _BOLD + 1, _INK, bold=True)
        self.canvas.text(summary, left, top + 31, _DETAIL + 0.5, _FAINT)
        about = ". ".join(part for part in (summary, self._types(), last) if part)
        return self.canvas.svg(heading, about)

    def _summary(self) -> str:
        """Such as ``55 ops, + 3 added, − 12 removed``."""
        marks = Counter(mark for mark in self.shown.mark if mark is not None)
        rest = len(self.shown.mark) - marks["removed"]
        return ", ".join([counted(rest), *(f"{SIGNS[m]}{marks[m]:,} {m}" for m in SIGNS if marks[m])])

    def _types(self) -> str:
        """What the graph is made of, for those who do not see it."""
        found = Counter(showable(short_type(op), NODE_LIMIT) for op in self.shown.graph.ops)
        named = [f"{count:,} {kind}" for kind, count in found.most_common(_NAMED_TYPES) if kind]
        return f"Most frequent: {', '.join(named)}" if named else ""

    # Pieces

    def _draw(self, visible: Visible) -> None:
        nodes = visible.nodes
        above, below = self._stub_texts(visible, visible.stubs)
        sizes = [_size(node) for node in nodes]
        # Names at the ends of values get room of their own, so that they do not lie on those of others.
        upper = [
            (_STUB_ROW if at in above and not node.open else 0) + _behind(node)
            for at, node in enumerate(nodes)
        ]
        lower = [_STUB_ROW if at in below and not node.open else 0 for at, node in enumerate(nodes)]
        places = layout(
            [max(size[0], *_row_widths(at, above, below)) for at, size in enumerate(sizes)],
            [size[1] + upper[at] + lower[at] for at, size in enumerate(sizes)],
            visible.edges,
            [node.group for node in nodes],
        )
        boxes: list[_Box] = []
        for at, node in enumerate(nodes):
            x, y, width = places.x[at], places.y[at], places.width[at]
            if node.open:
                boxes.append((x, y, width, places.height[at]))
            else:
                boxes.append((x + (width - sizes[at][0]) / 2, y + upper[at], *sizes[at]))
        self.canvas.reach(0.0, 0.0, places.total_width, places.total_height)
        for node, box in zip(nodes, boxes, strict=True):
            if node.open:
                self._frame(node, box)
        usual: list[list[Point]] = []
        former: list[list[Point]] = []
        stubs = {(stub.start, stub.value): stub for stub in visible.stubs}
        for edge, (start, end) in enumerate(visible.edges):
            if places.long[edge]:
                value = visible.values[edge]
                stubs.setdefault((start, value), Stub(value, start, [])).ends.append(end)
                continue
            gone = "removed" in (_closed_mark(nodes[start]), _closed_mark(nodes[end]))
            route = list(places.routes[edge])
            route[0] = (route[0][0], route[0][1] - lower[start])
            (former if gone or edge >= visible.former_from else usual).append(route)
        self.canvas.lines(usual, _EDGE, "")
        self.canvas.lines(former, _MARK_COLOURS["removed"][0], ' stroke-dasharray="5 4"')
        for node, box in zip(nodes, boxes, strict=True):
            if not node.open:
                self._box(node, box)
        self._stubs(visible, boxes, list(stubs.values()))

    def _frame(self, node: Node, box: _Box) -> None:
        x, y, width, height = box
        colour = _MARK_COLOURS[node.mark][0] if node.mark else _BORDER
        dash = "4 3" if node.kind == "region" else ""
        self.canvas.rect(x, y, width, height, 8, _FRAME, colour, dash=dash)
        label = (SIGNS[node.mark] if node.mark else "") + node.title
        shown = fitted(label, width - 20, _BOLD, bold=True)
        self.canvas.text(shown, x + 12, y + 18, _BOLD, _INK, bold=True)
        after = 20 + text_width(shown, _BOLD, bold=True)
        if node.detail and after + text_width(node.detail, _DETAIL) < width - 8:
            self.canvas.text(node.detail, x + after, y + 18, _DETAIL, _FAINT)

    def _box(self, node: Node, box: _Box) -> None:
        x, y, width, height = box
        border, fill = _MARK_COLOURS[node.mark] if node.mark else (_BORDER, _NODE)
        line, dash = (2 if node.mark else 1), ("5 3" if node.mark == "removed" else "")
        block = node.kind == "block"
        radius = 7 if block else 5
        for shift in range(_behind(node), -1, -3):
            self.canvas.rect(x + shift, y - shift, width, height, radius, fill, border, line=line, dash=dash)
        row = y + 17 if node.detail else y + height / 2 + 4
        if block:
            self.canvas.text("▸", x + 6, row, 11, _INK)
        middle, room = x + width / 2 + (5 if block else 0), width - (26 if block else 12)
        title = fitted(node.title, room, _BOLD, bold=True)
        self.canvas.text(title, middle, row, _BOLD, _INK, bold=True, middle=True)
        if node.detail:
            self.canvas.text(fitted(node.detail, room, _DETAIL), middle, y + 31, _DETAIL, _FAINT, middle=True)
        if node.mark:
            # A sign tells the mark to those who do not see its colour.
            self.canvas.rect(x - 8, y - 8, 16, 16, 8, border)
            self.canvas.text(SIGNS[node.mark].strip(), x, y + 4.5, 13, PAPER, bold=True, middle=True)

    def _stub_texts(
        self, visible: Visible, stubs: Sequence[Stub]
    ) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
        """The names of values above the nodes that read them, and below those that write them."""
        above: dict[int, list[str]] = {}
        below: dict[int, list[str]] = {}
        for stub in stubs:
            label = self._stub_label(visible, stub)
            only = visible.nodes[stub.ends[0]].title if len(stub.ends) == 1 else f"{len(stub.ends):,} uses"
            below.setdefault(stub.start, []).append(f"{label} → {only}")
            for end in stub.ends:
                above.setdefault(end, []).append(f"▾ {label}")
        return {at: _few(texts) for at, texts in above.items()}, {
            at: _few(texts) for at, texts in below.items()
        }

    def _stubs(self, visible: Visible, boxes: Sequence[_Box], stubs: Sequence[Stub]) -> None:
        above, below = self._stub_texts(visible, stubs)
        for node, texts in above.items():
            x, y, width, _ = boxes[node]
            self._pills(texts, x + width / 2, y - 17 - _behind(visible.nodes[node]))
        for node, texts in below.items():
            x, y, width, height = boxes[node]
            self._pills(texts, x + width / 2, y + height + 4)

    def _pills(self, texts: Sequence[str], middle: float, y: float) -> None:
        x = middle - _row_width(texts) / 2
        for text in texts:
            width = _pill_width(text)
            self.canvas.rect(x, y, width, 14, 7, PAPER, _BORDER)
            self.canvas.text(text, x + width / 2, y + 10, _STUB, _FAINT, middle=True)
            x += width + 4

    def _stub_label(self, visible: Visible, stub: Stub) -> str:
        """A number such as %12 says nothing to a person: then the op that made it names the value."""
        known = self.shown.graph.values.get(stub.value)
        name = known.name if known is not None and known.name else ""
        if not name and stub.value.startswith("%"):
            return visible.nodes[stub.start].title
        return showable(name or stub.value, _STUB_LIMIT)


def _closed_mark(node: Node) -> str | None:
    return None if node.open else node.mark


def _behind(node: Node) -> int:
    """How far the cards behind a closed block stand out that is there several times."""
    return 6 if node.repeat > 1 and not node.open else 0


def _few(texts: Sequence[str]) -> list[str]:
    rest = len(texts) - _MOST_STUBS
    return [*texts[:_MOST_STUBS], *([f"and {rest:,} more"] if rest > 0 else [])]


def _pill_width(text: str) -> float:
    return text_width(text, _STUB) + 12


def _row_width(texts: Sequence[str]) -> float:
    return sum(map(_pill_width, texts)) + 4 * (len(texts) - 1)


def _row_widths(at: int, *rows: Mapping[int, Sequence[str]]) -> list[float]:
    return [_row_width(texts[at]) for texts in rows if at in texts] or [0.0]


def _size(node: Node) -> tuple[float, float]:
    across = max(text_width(node.title, _BOLD, bold=True), text_width(node.detail, _DETAIL))
    room = 30 if node.kind == "block" else 20
    width = float(round(min(_WIDEST, max(_NARROWEST, across + room))))
    return width, float((2 if node.detail else 1) * _ROW + 10)
