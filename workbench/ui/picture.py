"""A graph as one SVG text, for places that run no scripts: GitHub, nbconvert, a notebook without a kernel."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from workbench.ir import LayerTree, Op, Value, layer_tree
from workbench.ir.layout import layout
from workbench.ir.render import SIGNS
from workbench.ui.document import Shown

# Up to so many ops are drawn one by one, and up to so many blocks and ops in all.
FLAT_MOST = 150
# GitHub shows no large notebooks; a picture is one of many things in one.
_SIZE_LIMIT = 200_000
_PIXELS_MOST = 6_000_000
# From so many readers on lines would hide the graph: the value is named at both ends instead.
_HUB_USES = 10
_MOST_STUBS = 3
_NAMED_TYPES = 5

_TITLE_LIMIT, _NODE_LIMIT, _BLOCK_LIMIT, _STUB_LIMIT = 120, 40, 60, 24
_BOLD, _DETAIL, _STUB = 12.0, 10.5, 9.5
_ROW, _STUB_ROW, _WIDEST, _NARROWEST, _MARGIN, _HEAD = 15, 18, 340, 56, 24, 44

_PAPER, _INK, _FAINT, _EDGE, _NODE, _BORDER, _FRAME = (
    *("#ffffff", "#212121", "#666666", "#8f8f8f"),
    *("#f4f4f4", "#9a9a9a", "#f7f7f7"),
)
# The colours of `to_dot`, which colour-blind people can tell apart: border and fill.
_MARK_COLOURS: Mapping[str, tuple[str, str]] = {
    "added": ("#0072b2", "#cfe6f5"),
    "removed": ("#d55e00", "#fbdcc4"),
    "altered": ("#9a8500", "#f7efb2"),
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
_BRANCHES = re.compile(r"(?:^|\.)(?:if|conditional_block)\Z")

# What has no shape of its own on the screen, beside the categories of controls, formats and surrogates.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\ufffe\uffff"
    "\U000e0000-\U000e0fff]"
)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


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
        return _Drawing(shown, title, None).svg()
    # Very many lines, or names that take four bytes a letter, can make a picture too large.
    for most, edges in ((FLAT_MOST, 300), (FLAT_MOST, 50), (40, 20)):
        text = _Drawing(shown, title, _visible(shown, most, edges)).svg()
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


_Point = tuple[float, float]
_Box = tuple[float, float, float, float]

# What is drawn


@dataclass(slots=True)
class _Node:
    """A box: an op, a block, or a frame around a region. An open one has others inside."""

    kind: Literal["op", "block", "region"]
    group: int
    open: bool
    title: str
    detail: str
    mark: str | None = None
    ops: int = 0
    repeat: int = 1


@dataclass(slots=True)
class _Stub:
    """A value that is named at both ends, in place of lines."""

    value: str
    start: int
    ends: list[int]


def _visible(shown: Shown, most: int, edges: int) -> _Visible:
    """The most telling view of a graph that has no more nodes than can be read."""
    if len(shown.graph.ops) <= most:
        return _Visible(shown, None, closed=False, most=None, edges=edges)
    tree = layer_tree(shown.graph, list(shown.layers))
    found = _Visible(shown, tree, closed=False, most=most, edges=edges)
    # An op with a large inner block, such as `while`, is closed like a layer.
    return _Visible(shown, tree, closed=True, most=most, edges=edges) if found.left_out else found


class _Visible:
    """Which ops and blocks are drawn, and what joins them.

    Args:
        shown: the graph.
        tree: its blocks, to be drawn closed; None for every op by itself.
        closed: whether ops that hold others are drawn closed.
        most: how many nodes there may be, or None; the ops after that are left out.
        edges: how many lines there may be; the values of others are named at both ends.
    """

    def __init__(
        self, shown: Shown, tree: LayerTree | None, *, closed: bool, most: int | None, edges: int
    ) -> None:
        self.shown, self.tree, self.most, self.most_edges = shown, tree, most, edges
        ops = shown.graph.ops
        self.nodes: list[_Node] = []
        self.node_of: list[int] = []
        # As in the page, an op counts as held by another one only if that one comes first.
        self.parents = [
            -1 if op.parent is None or not 0 <= op.parent < at else op.parent for at, op in enumerate(ops)
        ]
        self.holders = {parent for parent in self.parents if parent >= 0}
        self.open_holders = set() if closed else self.holders
        self.several = {
            self.parents[at] for at, op in enumerate(ops) if op.region > 0 and self.parents[at] >= 0
        }
        self.regions: dict[tuple[int, int], int] = {}
        self.blocks: dict[int, int] = {}
        self.opened = -1 if tree is None else _opened(tree)
        self.outermost = [] if tree is None else _outermost(tree, self.opened)
        for at in range(len(ops)):
            self.node_of.append(self.place(at))
        self.left_out = self.node_of.count(-1)
        self.say_what_is_held()
        self.stubs: list[_Stub] = []
        self.edges: list[tuple[int, int]] = []
        self.values: list[str] = []
        self.join()
        self.former_from = len(self.edges)
        self.join_former()

    def add(self, node: _Node) -> int:
        """The node's number, or -1 where there is no room for more."""
        if self.most is not None and len(self.nodes) >= self.most:
            return -1
        self.nodes.append(node)
        return len(self.nodes) - 1

    def place(self, at: int) -> int:
        """The node that shows an op; -1 if it is left out."""
        parent = self.parents[at]
        if parent >= 0:
            holder = self.node_of[parent]
            if holder < 0 or self.nodes[holder].kind != "op" or not self.nodes[holder].open:
                return holder
            group = self.region(parent, at, holder)
            return -1 if group < 0 else self.add(self.op_node(at, group))
        block = None if self.tree is None else self.tree.of_op[at]
        if block is None:
            return self.add(self.op_node(at, -1))
        if block == self.opened:
            group = self.block(block, -1)
            return -1 if group < 0 else self.add(self.op_node(at, group))
        outermost = self.outermost[block]
        group = -1
        if self.tree is not None and self.tree.blocks[outermost].parent is not None:
            group = self.block(self.opened, -1)
            if group < 0:
                return -1
        return self.block(outermost, group)

    def op_node(self, at: int, group: int) -> _Node:
        op = self.shown.graph.ops[at]
        return _Node(
            kind="op",
            group=group,
            open=at in self.open_holders,
            title=showable(_short_type(op), _NODE_LIMIT) or "(no type)",
            detail=showable(self.result(op), _NODE_LIMIT),
            mark=self.shown.mark[at],
        )

    def result(self, op: Op) -> str:
        """Such as ``float32[1x3x224x224] +1``."""
        if not op.outputs:
            return ""
        more = f" +{len(op.outputs) - 1}" if len(op.outputs) > 1 else ""
        return _type(self.shown.graph.values.get(op.outputs[0])) + more

    def region(self, parent: int, at: int, holder: int) -> int:
        """Where an op within another one stands: an op with several regions has a frame for each."""
        if parent not in self.several:
            return holder
        region = self.shown.graph.ops[at].region
        known = self.regions.get((parent, region))
        if known is not None:
            return known
        branches = ("true", "false") if _BRANCHES.search(self.shown.graph.ops[parent].type) else ()
        name = branches[region] if 0 <= region < len(branches) else f"block {region}"
        made = self.add(_Node("region", holder, open=True, title=showable(name, _NODE_LIMIT), detail=""))
        self.regions[parent, region] = made
        return made

    def block(self, block: int, group: int) -> int:
        known = self.blocks.get(block)
        if known is None:
            assert self.tree is not None
            what = self.tree.blocks[block]
            title = showable(what.name, _BLOCK_LIMIT) or "(no name)"
            node = _Node("block", group, block == self.opened, title, "", repeat=what.repeat)
            known = self.blocks[block] = self.add(node)
        return known

    def say_what_is_held(self) -> None:
        """Counts the ops in each closed node, and marks it where something in it changed."""
        changes: dict[int, list[str]] = {}
        for at, place in enumerate(self.node_of):
            if place < 0 or (self.nodes[place].kind == "op" and self.is_own(at)):
                continue
            mark = self.shown.mark[at]
            self.nodes[place].ops += mark != "removed"
            if mark is not None:
                changes.setdefault(place, []).append(mark)
        for at, node in enumerate(self.nodes):
            marks = changes.get(at, [])
            if node.open or not (node.ops or marks):
                continue
            node.detail = _counted(node.ops) + (" inside" if node.kind == "op" else "")
            if marks:
                node.detail += f", {len(marks):,} changed"
                whole = len(set(marks)) == 1 and (marks[0] != "removed" or not node.ops)
                node.mark = node.mark or (marks[0] if whole and node.kind == "block" else "altered")

    def is_own(self, at: int) -> bool:
        """Whether the node that shows an op is the op's, and not that of an op that holds it."""
        parent = self.parents[at]
        return parent < 0 or self.node_of[parent] != self.node_of[at]

    def within(self, inner: int, outer: int) -> bool:
        while inner >= 0:
            if inner == outer:
                return True
            inner = self.nodes[inner].group
        return False

    def join(self) -> None:
        readers: dict[tuple[int, str], dict[int, None]] = {}
        writer: dict[str, int] = {}
        for at, op in enumerate(self.shown.graph.ops):
            end = self.node_of[at]
            for value in op.inputs:
                # In Program IR a variable may be written again: the reader sees the last writer so far.
                start = self.node_of[writer[value]] if value in writer else -1
                if min(start, end) < 0 or self.within(start, end) or self.within(end, start):
                    continue
                readers.setdefault((start, value), {})[end] = None
            writer.update(dict.fromkeys(op.outputs, at))
        # Values with few readers first get their lines, as far as a picture can bear them.
        drawn: dict[tuple[int, int], str] = {}
        stubs: list[_Stub] = []
        for (start, value), ends in sorted(readers.items(), key=lambda item: len(item[1])):
            if len(ends) >= _HUB_USES or len(drawn) + len(ends) > self.most_edges:
                stubs.append(_Stub(value, start, list(ends)))
                continue
            for end in ends:
                drawn.setdefault((start, end), value)
        for pair, value in sorted(drawn.items()):
            self.edges.append(pair)
            self.values.append(value)
        self.stubs = sorted(stubs, key=lambda stub: stub.start)

    def join_former(self) -> None:
        """The edges from removed ops to those that stay."""
        seen: set[tuple[int, int]] = set()
        for removed, reader, value in self.shown.former:
            start, end = self.node_of[removed], self.node_of[reader]
            if min(start, end) < 0 or (start, end) in seen or len(seen) >= self.most_edges:
                continue
            if self.within(start, end) or self.within(end, start):
                continue
            seen.add((start, end))
            self.edges.append((start, end))
            self.values.append(value)


def _opened(tree: LayerTree) -> int:
    """One block that holds nearly everything says nothing: it is drawn open. -1 if there is none."""
    outer = [at for at, block in enumerate(tree.blocks) if block.parent is None]
    outside = tree.of_op.count(None)
    return outer[0] if len(outer) == 1 and outside < len(tree.of_op) / 2 else -1


def _outermost(tree: LayerTree, opened: int) -> list[int]:
    """Per block the outermost closed one around it."""
    found: list[int] = []
    for at, block in enumerate(tree.blocks):
        inside = block.parent is not None and block.parent != opened
        found.append(found[block.parent] if inside and block.parent is not None else at)
    return found


# How it is drawn


class _Drawing:
    """Writes the SVG of what is visible; of nothing one that says so."""

    def __init__(self, shown: Shown, title: str, visible: _Visible | None) -> None:
        self.shown, self.title, self.visible = shown, showable(title, _TITLE_LIMIT), visible
        self.parts: list[str] = []
        self.left = self.right = self.top = self.bottom = 0.0

    def svg(self) -> str:
        heading = self.title or "Graph"
        summary = self.summary()
        last = ""
        if self.visible is None:
            self.text("This graph has no ops.", 0, 20, _BOLD, _FAINT)
        else:
            self.draw(self.visible)
            if self.visible.left_out:
                more = _counted(self.visible.left_out, "more op")
                last = f"and {more}: run the cell to see all"
                self.text(last, self.left, self.bottom + 30, _BOLD, _INK, bold=True)
        top = self.top - _HEAD
        left = self.left
        self.text(heading, left, top + 14, _BOLD + 1, _INK, bold=True)
        self.text(summary, left, top + 31, _DETAIL + 0.5, _FAINT)
        x, y = round(self.left - _MARGIN), round(self.top - _MARGIN)
        width, height = (
            round(self.right - self.left) + 2 * _MARGIN,
            round(self.bottom - self.top) + 2 * _MARGIN,
        )
        about = ". ".join(part for part in (summary, self.types(), last) if part)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="{x} {y} {width} {height}" role="img" font-family="{_FONT}">'
            f"<title>{escape(heading)}</title><desc>{escape(about)}.</desc>"
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{_PAPER}"/>'
            + "".join(self.parts)
            + "</svg>"
        )

    def summary(self) -> str:
        """Such as ``55 ops, + 3 added, − 12 removed``."""
        marks = Counter(mark for mark in self.shown.mark if mark is not None)
        rest = len(self.shown.mark) - marks["removed"]
        return ", ".join([_counted(rest), *(f"{SIGNS[m]}{marks[m]:,} {m}" for m in SIGNS if marks[m])])

    def types(self) -> str:
        """What the graph is made of, for those who do not see it."""
        found = Counter(showable(_short_type(op), _NODE_LIMIT) for op in self.shown.graph.ops)
        named = [f"{count:,} {kind}" for kind, count in found.most_common(_NAMED_TYPES) if kind]
        return f"Most frequent: {', '.join(named)}" if named else ""

    # Pieces

    def draw(self, visible: _Visible) -> None:
        nodes = visible.nodes
        above, below = self.stub_texts(visible, visible.stubs)
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
        self.right, self.bottom = places.total_width, places.total_height
        for node, box in zip(nodes, boxes, strict=True):
            if node.open:
                self.frame(node, box)
        usual: list[list[_Point]] = []
        former: list[list[_Point]] = []
        stubs = {(stub.start, stub.value): stub for stub in visible.stubs}
        for edge, (start, end) in enumerate(visible.edges):
            if places.long[edge]:
                value = visible.values[edge]
                stubs.setdefault((start, value), _Stub(value, start, [])).ends.append(end)
                continue
            gone = "removed" in (_closed_mark(nodes[start]), _closed_mark(nodes[end]))
            route = list(places.routes[edge])
            route[0] = (route[0][0], route[0][1] - lower[start])
            (former if gone or edge >= visible.former_from else usual).append(route)
        self.lines(usual, _EDGE, "")
        self.lines(former, _MARK_COLOURS["removed"][0], ' stroke-dasharray="5 4"')
        for node, box in zip(nodes, boxes, strict=True):
            if not node.open:
                self.box(node, box)
        self.stubs(visible, boxes, list(stubs.values()))

    def frame(self, node: _Node, box: _Box) -> None:
        x, y, width, height = box
        colour = _MARK_COLOURS[node.mark][0] if node.mark else _BORDER
        dash = "4 3" if node.kind == "region" else ""
        self.rect(x, y, width, height, 8, _FRAME, colour, dash=dash)
        label = (SIGNS[node.mark] if node.mark else "") + node.title
        shown = _fitted(label, width - 20, _BOLD, bold=True)
        self.text(shown, x + 12, y + 18, _BOLD, _INK, bold=True)
        after = 20 + _width(shown, _BOLD, bold=True)
        if node.detail and after + _width(node.detail, _DETAIL) < width - 8:
            self.text(node.detail, x + after, y + 18, _DETAIL, _FAINT)

    def box(self, node: _Node, box: _Box) -> None:
        x, y, width, height = box
        border, fill = _MARK_COLOURS[node.mark] if node.mark else (_BORDER, _NODE)
        line, dash = (2 if node.mark else 1), ("5 3" if node.mark == "removed" else "")
        block = node.kind == "block"
        radius = 7 if block else 5
        for shift in range(_behind(node), -1, -3):
            self.rect(x + shift, y - shift, width, height, radius, fill, border, line=line, dash=dash)
        row = y + 17 if node.detail else y + height / 2 + 4
        if block:
            self.text("▸", x + 6, row, 11, _INK)
        middle, room = x + width / 2 + (5 if block else 0), width - (26 if block else 12)
        title = _fitted(node.title, room, _BOLD, bold=True)
        self.text(title, middle, row, _BOLD, _INK, bold=True, middle=True)
        if node.detail:
            self.text(_fitted(node.detail, room, _DETAIL), middle, y + 31, _DETAIL, _FAINT, middle=True)
        if node.mark:
            # A sign tells the mark to those who do not see its colour.
            self.rect(x - 8, y - 8, 16, 16, 8, border)
            self.text(SIGNS[node.mark].strip(), x, y + 4.5, 13, _PAPER, bold=True, middle=True)

    def lines(self, routes: Sequence[Sequence[_Point]], colour: str, more: str) -> None:
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

    def stub_texts(
        self, visible: _Visible, stubs: Sequence[_Stub]
    ) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
        """The names of values above the nodes that read them, and below those that write them."""
        above: dict[int, list[str]] = {}
        below: dict[int, list[str]] = {}
        for stub in stubs:
            label = self.stub_label(visible, stub)
            only = visible.nodes[stub.ends[0]].title if len(stub.ends) == 1 else f"{len(stub.ends):,} uses"
            below.setdefault(stub.start, []).append(f"{label} → {only}")
            for end in stub.ends:
                above.setdefault(end, []).append(f"▾ {label}")
        return {at: _few(texts) for at, texts in above.items()}, {
            at: _few(texts) for at, texts in below.items()
        }

    def stubs(self, visible: _Visible, boxes: Sequence[_Box], stubs: Sequence[_Stub]) -> None:
        above, below = self.stub_texts(visible, stubs)
        for node, texts in above.items():
            x, y, width, _ = boxes[node]
            self.pills(texts, x + width / 2, y - 17 - _behind(visible.nodes[node]))
        for node, texts in below.items():
            x, y, width, height = boxes[node]
            self.pills(texts, x + width / 2, y + height + 4)

    def pills(self, texts: Sequence[str], middle: float, y: float) -> None:
        x = middle - _row_width(texts) / 2
        for text in texts:
            width = _pill_width(text)
            self.rect(x, y, width, 14, 7, _PAPER, _BORDER)
            self.text(text, x + width / 2, y + 10, _STUB, _FAINT, middle=True)
            x += width + 4

    def stub_label(self, visible: _Visible, stub: _Stub) -> str:
        """A number such as %12 says nothing to a person: then the op that made it names the value."""
        known = self.shown.graph.values.get(stub.value)
        name = known.name if known is not None and known.name else ""
        if not name and stub.value.startswith("%"):
            return visible.nodes[stub.start].title
        return showable(name or stub.value, _STUB_LIMIT)

    # Elements

    def reach(self, left: float, top: float, right: float, bottom: float) -> None:
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
        width = _width(text, size, bold=bold)
        left = x - width / 2 if middle else x
        self.reach(left, y - size, left + width, y + 4)
        look = f'font-size="{_number(size)}" fill="{fill}"'
        if bold:
            look += ' font-weight="600"'
        if middle:
            look += ' text-anchor="middle"'
        words = escape(text, quote=False)
        self.parts.append(f'<text x="{_number(x)}" y="{_number(y)}" {look}>{words}</text>')


def _closed_mark(node: _Node) -> str | None:
    return None if node.open else node.mark


def _behind(node: _Node) -> int:
    """How far the cards behind a closed block stand out that is there several times."""
    return 6 if node.repeat > 1 and not node.open else 0


def _few(texts: Sequence[str]) -> list[str]:
    rest = len(texts) - _MOST_STUBS
    return [*texts[:_MOST_STUBS], *([f"and {rest:,} more"] if rest > 0 else [])]


def _pill_width(text: str) -> float:
    return _width(text, _STUB) + 12


def _row_width(texts: Sequence[str]) -> float:
    return sum(map(_pill_width, texts)) + 4 * (len(texts) - 1)


def _row_widths(at: int, *rows: Mapping[int, Sequence[str]]) -> list[float]:
    return [_row_width(texts[at]) for texts in rows if at in texts] or [0.0]


def _size(node: _Node) -> tuple[float, float]:
    across = max(_width(node.title, _BOLD, bold=True), _width(node.detail, _DETAIL))
    room = 30 if node.kind == "block" else 20
    width = float(round(min(_WIDEST, max(_NARROWEST, across + room))))
    return width, float((2 if node.detail else 1) * _ROW + 10)


# Texts


def _counted(count: int, what: str = "op") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _short_type(op: Op) -> str:
    """The type without its dialect."""
    return op.type.partition(".")[2] or op.type


def _type(value: Value | None) -> str:
    if value is None:
        return ""
    shape = "" if value.shape is None else f"[{'x'.join(map(str, value.shape))}]"
    return (value.dtype or "") + shape


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


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


# Shares of the letter size, as in the sans-serif fonts in use; a little wide, since a text that is cut is
# worse than a box with room.
_LETTER_WIDTHS: Mapping[str, float] = {
    **dict.fromkeys("ijl.,:;|!' ", 0.3),
    **dict.fromkeys('frtI()[]{}/\\-"`', 0.38),
    **dict.fromkeys("mwMW@%+<>=~−→", 0.88),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ", 0.7),
    **dict.fromkeys("▸▾…", 0.9),
}


def _letter_width(letter: str) -> float:
    known = _LETTER_WIDTHS.get(letter)
    if known is not None:
        return known
    if letter < "\x7f":
        return 0.58
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.15 if unicodedata.east_asian_width(letter) in "WF" else 0.7


def _width(text: str, size: float, *, bold: bool = False) -> float:
    return sum(map(_letter_width, text)) * size * (1.07 if bold else 1.0)


def _fitted(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, cut so that it is no wider than ``room``; an isolate stays closed."""
    if _width(text, size, bold=bold) <= room:
        return text
    end = "…\N{POP DIRECTIONAL ISOLATE}" if text.endswith("\N{POP DIRECTIONAL ISOLATE}") else "…"
    shown = text.removesuffix("\N{POP DIRECTIONAL ISOLATE}")
    while len(shown) > 1 and _width(shown + end, size, bold=bold) > room:
        shown = shown[:-1]
    return shown + end
