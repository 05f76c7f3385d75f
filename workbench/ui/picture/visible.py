"""What is drawn of a graph: which ops and blocks, and what joins them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from workbench.ir import LayerTree, Op, layer_tree
from workbench.ui.document import Shown
from workbench.ui.picture.texts import NODE_LIMIT, counted, short_type, showable, type_of

# From so many readers on lines would hide the graph: the value is named at both ends instead.
_HUB_USES = 10
_BLOCK_LIMIT = 60

_BRANCHES = re.compile(r"(?:^|\.)(?:if|conditional_block)\Z")


@dataclass(slots=True)
class Node:
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
class Stub:
    """A value that is named at both ends, in place of lines."""

    value: str
    start: int
    ends: list[int]


def visible_of(shown: Shown, most: int, edges: int) -> Visible:
    """The most telling view of a graph that has no more nodes than can be read."""
    if len(shown.graph.ops) <= most:
        return Visible(shown, None, closed=False, most=None, edges=edges)
    tree = layer_tree(shown.graph, list(shown.layers))
    found = Visible(shown, tree, closed=False, most=most, edges=edges)
    # An op with a large inner block, such as `while`, is closed like a layer.
    return Visible(shown, tree, closed=True, most=most, edges=edges) if found.left_out else found


class Visible:
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
        self.nodes: list[Node] = []
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
            self.node_of.append(self._place(at))
        self.left_out = self.node_of.count(-1)
        self._say_what_is_held()
        self.stubs: list[Stub] = []
        self.edges: list[tuple[int, int]] = []
        self.values: list[str] = []
        self._join()
        self.former_from = len(self.edges)
        self._join_former()

    def _add(self, node: Node) -> int:
        """The node's number, or -1 where there is no room for more."""
        if self.most is not None and len(self.nodes) >= self.most:
            return -1
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _place(self, at: int) -> int:
        """The node that shows an op; -1 if it is left out."""
        parent = self.parents[at]
        if parent >= 0:
            holder = self.node_of[parent]
            if holder < 0 or self.nodes[holder].kind != "op" or not self.nodes[holder].open:
                return holder
            group = self._region(parent, at, holder)
            return -1 if group < 0 else self._add(self._op_node(at, group))
        block = None if self.tree is None else self.tree.of_op[at]
        if block is None:
            return self._add(self._op_node(at, -1))
        if block == self.opened:
            group = self._block(block, -1)
            return -1 if group < 0 else self._add(self._op_node(at, group))
        outermost = self.outermost[block]
        group = -1
        if self.tree is not None and self.tree.blocks[outermost].parent is not None:
            group = self._block(self.opened, -1)
            if group < 0:
                return -1
        return self._block(outermost, group)

    def _op_node(self, at: int, group: int) -> Node:
        op = self.shown.graph.ops[at]
        return Node(
            kind="op",
            group=group,
            open=at in self.open_holders,
            title=showable(short_type(op), NODE_LIMIT) or "(no type)",
            detail=showable(self._result(op), NODE_LIMIT),
            mark=self.shown.mark[at],
        )

    def _result(self, op: Op) -> str:
        """Such as ``float32[1x3x224x224] +1``."""
        if not op.outputs:
            return ""
        more = f" +{len(op.outputs) - 1}" if len(op.outputs) > 1 else ""
        return type_of(self.shown.graph.values.get(op.outputs[0])) + more

    def _region(self, parent: int, at: int, holder: int) -> int:
        """Where an op within another one stands: an op with several regions has a frame for each."""
        if parent not in self.several:
            return holder
        region = self.shown.graph.ops[at].region
        known = self.regions.get((parent, region))
        if known is not None:
            return known
        branches = ("true", "false") if _BRANCHES.search(self.shown.graph.ops[parent].type) else ()
        name = branches[region] if 0 <= region < len(branches) else f"block {region}"
        made = self._add(Node("region", holder, open=True, title=showable(name, NODE_LIMIT), detail=""))
        self.regions[parent, region] = made
        return made

    def _block(self, block: int, group: int) -> int:
        known = self.blocks.get(block)
        if known is None:
            assert self.tree is not None
            what = self.tree.blocks[block]
            title = showable(what.name, _BLOCK_LIMIT) or "(no name)"
            node = Node("block", group, block == self.opened, title, "", repeat=what.repeat)
            known = self.blocks[block] = self._add(node)
        return known

    def _say_what_is_held(self) -> None:
        """Counts the ops in each closed node, and marks it where something in it changed."""
        changes: dict[int, list[str]] = {}
        for at, place in enumerate(self.node_of):
            if place < 0 or (self.nodes[place].kind == "op" and self._is_own(at)):
                continue
            mark = self.shown.mark[at]
            self.nodes[place].ops += mark != "removed"
            if mark is not None:
                changes.setdefault(place, []).append(mark)
        for at, node in enumerate(self.nodes):
            marks = changes.get(at, [])
            if node.open or not (node.ops or marks):
                continue
            node.detail = counted(node.ops) + (" inside" if node.kind == "op" else "")
            if marks:
                node.detail += f", {len(marks):,} changed"
                whole = len(set(marks)) == 1 and (marks[0] != "removed" or not node.ops)
                node.mark = node.mark or (marks[0] if whole and node.kind == "block" else "altered")

    def _is_own(self, at: int) -> bool:
        """Whether the node that shows an op is the op's, and not that of an op that holds it."""
        parent = self.parents[at]
        return parent < 0 or self.node_of[parent] != self.node_of[at]

    def _within(self, inner: int, outer: int) -> bool:
        while inner >= 0:
            if inner == outer:
                return True
            inner = self.nodes[inner].group
        return False

    def _join(self) -> None:
        readers: dict[tuple[int, str], dict[int, None]] = {}
        writer: dict[str, int] = {}
        for at, op in enumerate(self.shown.graph.ops):
            end = self.node_of[at]
            for value in op.inputs:
                # In Program IR a variable may be written again: the reader sees the last writer so far.
                start = self.node_of[writer[value]] if value in writer else -1
                if min(start, end) < 0 or self._within(start, end) or self._within(end, start):
                    continue
                readers.setdefault((start, value), {})[end] = None
            writer.update(dict.fromkeys(op.outputs, at))
        # Values with few readers first get their lines, as far as a picture can bear them.
        drawn: dict[tuple[int, int], str] = {}
        stubs: list[Stub] = []
        for (start, value), ends in sorted(readers.items(), key=lambda item: len(item[1])):
            if len(ends) >= _HUB_USES or len(drawn) + len(ends) > self.most_edges:
                stubs.append(Stub(value, start, list(ends)))
                continue
            for end in ends:
                drawn.setdefault((start, end), value)
        for pair, value in sorted(drawn.items()):
            self.edges.append(pair)
            self.values.append(value)
        self.stubs = sorted(stubs, key=lambda stub: stub.start)

    def _join_former(self) -> None:
        """The edges from removed ops to those that stay."""
        seen: set[tuple[int, int]] = set()
        for removed, reader, value in self.shown.former:
            start, end = self.node_of[removed], self.node_of[reader]
            if min(start, end) < 0 or (start, end) in seen or len(seen) >= self.most_edges:
                continue
            if self._within(start, end) or self._within(end, start):
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
