"""The hierarchy of a graph: blocks of the layer path, repeated siblings gathered."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.errors import WorkbenchError
from workbench.ir.graph import Graph
from workbench.ir.repeats import infer_layers

Parts = tuple[str, ...]

_NUMBER = re.compile(r"_\d+\Z")
# Below this share of ops with a layer path the layers are looked for in the structure.
_NAMED_SHARE = 0.2
# Two siblings that hold fewer ops than this together are as easily read side by side.
_SMALLEST_GROUP = 6
# Up to so many groups in a row are stages of a network (ResNet has four), which are read one by one.
_MOST_STAGES = 4
_ENDS = frozenset({"data", "feed", "fetch", "shadow_output", "yield"})


@dataclass(frozen=True, slots=True)
class Block:
    """Ops that are shown as one until opened.

    Attributes:
        name: what is shown: ``BasicBlock_1``, ``Sequential/BasicBlock`` where a block holds nothing but
            another one, ``BasicBlock ×8`` for a group.
        path: the layer's path; a group has one of its own. Unique in the graph, the same in every stage.
        kind: the name without its number.
        parent: index of the block that holds it, None at the top.
        repeat: how many siblings of one kind a group gathers, 1 for what is no group.
    """

    name: str
    path: str
    kind: str
    parent: int | None
    repeat: int = 1


@dataclass(frozen=True)
class LayerTree:
    """The blocks of a graph.

    Blocks and control flow nest: an op in a region of another op lies in that op's block or in blocks within,
    and a block lies wholly in one region.

    Attributes:
        blocks: a block comes after the one that holds it, siblings in the order of their first ops.
        of_op: for each op the index of the innermost block that holds it, None at the top.
        inferred: True where the graph names no layers and the blocks were found in its structure.
    """

    blocks: tuple[Block, ...]
    of_op: tuple[int | None, ...]
    inferred: bool


def layer_tree(graph: Graph, layers: Sequence[str] | None = None) -> LayerTree:
    """Finds the blocks of a graph.

    A layer of one op is no block. A block that holds nothing but another block or group is merged with it, as
    in ``TransformerEncoder/TransformerEncoderLayer ×200``. Siblings of one kind in a row are gathered: two if
    they hold six ops or more, any three; but up to four that are groups themselves stay apart, as a network's
    stages do. An op without a path belongs to the block that all ops around it share; inputs and outputs are
    at the top. Where fewer than a fifth of the ops have a path, all paths are those of ``infer_layers``.

    To see the same blocks in every stage of a graph without names, pass ``infer_layers`` of the first stage,
    and what the ops of later stages inherit from it, as the layers.

    Args:
        graph: the graph.
        layers: a layer path for each op, to use instead of ``Op.layer``; used however few there are, unless
            all are empty.

    Raises:
        WorkbenchError: there is not one path per op.
    """
    paths = [op.layer for op in graph.ops] if layers is None else list(layers)
    if len(paths) != len(graph.ops):
        raise WorkbenchError(f"pass one layer path per op: {len(paths)} for {len(graph.ops)} ops")
    table = _Paths()
    own = [table.number(path) for path in paths]
    named = sum(map(bool, own))
    counted = sum(not _is_end(op.type) for op in graph.ops)
    inferred = counted > 0 and (not named if layers is not None else named < _NAMED_SHARE * counted)
    if inferred:
        own = [table.number(path) for path in infer_layers(graph)]
    else:
        _settle(graph, own, table)
    return _Builder(graph, own, table).tree(inferred)


def inherited_layers(graph: Graph, origins: Mapping[int, Sequence[str]]) -> list[str]:
    """Gives each op a layer path: its own, or what the ops that it stands for share.

    Args:
        graph: the graph.
        origins: op index to the layer paths of the ops it stands for.

    Returns:
        A path per op, "" where nothing is known or shared.
    """
    found = []
    for op in graph.ops:
        known = {path for path in origins.get(op.index, ()) if path}
        if op.layer or len(known) <= 1:
            found.append(op.layer or next(iter(known), ""))
        else:
            shared = _shared([_split(path) for path in known])
            found.append("/" + "/".join(shared) if shared else "")
    return found


def _split(path: str) -> Parts:
    return tuple(part for part in path.split("/") if part)


def _shared(paths: Collection[Parts]) -> Parts:
    """The longest common beginning: that of the first and the last in order is that of all."""
    first, last = min(paths), max(paths)
    return first[: _common(first, last)]


class _Paths:
    """Numbers paths, so that long ones are compared once; 0 is no path."""

    def __init__(self) -> None:
        self.parts: list[Parts] = [()]
        self.numbers: dict[Parts, int] = {(): 0}
        self.texts: dict[str, int] = {}

    def number(self, text: str) -> int:
        found = self.texts.get(text)
        if found is None:
            found = self.texts[text] = self.add(_split(text))
        return found

    def add(self, parts: Parts) -> int:
        found = self.numbers.setdefault(parts, len(self.parts))
        if found == len(self.parts):
            self.parts.append(parts)
        return found

    def shared(self, numbers: set[int]) -> int:
        return (
            next(iter(numbers)) if len(numbers) == 1 else self.add(_shared([self.parts[n] for n in numbers]))
        )


def _common(one: Parts, two: Parts) -> int:
    if two[: len(one)] == one:
        return len(one)
    pairs = enumerate(zip(one, two, strict=False))
    return next((place for place, pair in pairs if pair[0] != pair[1]), len(two))


def _is_end(kind: str) -> bool:
    return kind.rpartition(".")[2] in _ENDS


def _kind(part: str) -> str:
    return _NUMBER.sub("", part) or part


def _settle(graph: Graph, own: list[int], table: _Paths) -> None:
    """Gives ops without a path what all ops share that they connect to, through others without one."""
    ops = graph.ops
    leader = list(range(len(ops)))

    def find(op: int) -> int:
        while leader[op] != op:
            leader[op] = leader[leader[op]]
            op = leader[op]
        return op

    def free(op: int) -> bool:
        return not own[op] and not _is_end(ops[op].type)

    pairs = [
        (producer, user)
        for value, users in graph.users.items()
        if (producer := graph.producers.get(value)) is not None
        for user in users
    ]
    # What a control flow op holds counts for it, but not the other way round.
    pairs += [(op.parent, op.index) for op in ops if op.parent is not None and 0 <= op.parent < len(ops)]
    for one, two in pairs:
        if free(one) and free(two):
            leader[find(one)] = find(two)
    around: dict[int, set[int]] = {}
    for pair in pairs:
        for one, two in (pair, pair[::-1]):
            if free(one) and not free(two) and not (_is_end(ops[two].type) and ops[two].parent == one):
                around.setdefault(find(one), set()).add(own[two])
    shared = {place: table.shared(numbers) for place, numbers in around.items()}
    own[:] = [shared.get(find(place), 0) if free(place) else number for place, number in enumerate(own)]


def _scopes(graph: Graph) -> tuple[list[tuple[int, int] | None], list[int]]:
    """The (holder, region) of every op, and an order in which holders come first.

    A holder that is not there, or that the op itself holds, counts as none.
    """
    count = len(graph.ops)
    scopes: list[tuple[int, int] | None] = [None] * count
    held: dict[int, list[int]] = {}
    order = []
    for place, op in enumerate(graph.ops):
        if op.parent is not None and 0 <= op.parent < count and op.parent != place:
            scopes[place] = (op.parent, op.region)
            held.setdefault(op.parent, []).append(place)
        else:
            order.append(place)
    for place in order:
        order.extend(held.pop(place, ()))
    rest = sorted(place for places in held.values() for place in places)
    for place in rest:
        scopes[place] = None
    return scopes, order + rest


@dataclass(slots=True)
class _Item:
    """A block before it is numbered, with the layers that hold nothing else."""

    names: list[str]  # the innermost first, as the kinds
    kinds: list[str]
    path: str
    layer: tuple[Parts, int]  # of the outermost
    first: int
    scope: tuple[int, int] | None
    size: int
    repeat: int = 1
    blocks: list[_Item] = field(default_factory=list)
    ops: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        name = "/".join(reversed(self.names))
        return f"{name} ×{self.repeat}" if self.repeat > 1 else name

    @property
    def kind(self) -> str:
        return "/".join(reversed(self.kinds))


class _Builder:
    """Builds the tree of layers, one node per layer and region, and turns it into blocks from below."""

    def __init__(self, graph: Graph, paths: list[int], table: _Paths) -> None:
        self.graph, self.paths, self.table = graph, paths, table
        self.scopes, order = _scopes(graph)
        # Node 0 is the graph.
        self.above: list[int] = [0]
        self.layer: list[tuple[Parts, int]] = [((), 0)]  # a path and how many of its parts are the node's
        self.scope: list[tuple[int, int] | None] = [None]
        self.nodes: dict[tuple[int, tuple[int, int] | None, str], int] = {}
        self.of_op = [0] * len(graph.ops)
        self.places: dict[tuple[tuple[int, int] | None, int], int] = {}
        for op in order:
            self.of_op[op] = self.place(op)

    def place(self, op: int) -> int:
        scope, path = self.scopes[op], self.paths[op]
        found = self.places.get((scope, path))
        if found is None:
            found, start, parts = 0, 0, self.table.parts[path]
            if scope is not None:
                # What a region holds stays inside of the block of the op that has the region.
                found = self.of_op[scope[0]]
                whole, length = self.layer[found]
                start = _common(whole[:length], parts)
            for depth in range(start, len(parts)):
                found = self.node(found, scope, parts, depth)
            self.places[scope, path] = found
        return found

    def node(self, above: int, scope: tuple[int, int] | None, parts: Parts, depth: int) -> int:
        key = (above, scope, parts[depth])
        found = self.nodes.get(key)
        if found is None:
            found = self.nodes[key] = len(self.above)
            self.above.append(above)
            self.layer.append((parts, depth + 1))
            self.scope.append(scope)
        return found

    def tree(self, inferred: bool) -> LayerTree:
        count = len(self.above)
        sizes = [0] * count
        first = [len(self.of_op)] * count
        for op, node in enumerate(self.of_op):
            sizes[node] += 1
            first[node] = min(first[node], op)
        for node in range(count - 1, 0, -1):
            above = self.above[node]
            sizes[above] += sizes[node]
            first[above] = min(first[above], first[node])
        ops: list[list[int]] = [[] for _ in range(count)]
        for op, node in enumerate(self.of_op):
            while node and sizes[node] == 1:
                node = self.above[node]
            ops[node].append(op)
        blocks: list[list[_Item]] = [[] for _ in range(count)]
        for node in range(count - 1, 0, -1):
            if sizes[node] > 1:
                blocks[node].sort(key=lambda item: item.first)
                item = self.block(node, ops[node], blocks[node], sizes[node], first[node])
                blocks[self.above[node]].append(item)
        blocks[0].sort(key=lambda item: item.first)
        return self.number(self.gather("", ops[0], blocks[0]), inferred)

    def block(self, node: int, ops: list[int], blocks: list[_Item], size: int, first: int) -> _Item:
        parts, length = self.layer[node]
        name = parts[length - 1]
        if ops or len(blocks) > 1:
            path = _path(self.layer[node])
            blocks = self.gather(path, ops, blocks)
            if ops or len(blocks) > 1:
                scope = self.scope[node]
                return _Item([name], [_kind(name)], path, (parts, length), first, scope, size, 1, blocks, ops)
        only = blocks[0]
        only.names.append(name)
        only.kinds.append(_kind(name))
        only.layer, only.scope = self.layer[node], self.scope[node]
        return only

    def gather(self, path: str, ops: list[int], blocks: list[_Item]) -> list[_Item]:
        """Puts runs of equal blocks into groups. Constants between them do not end a run, other ops do."""
        if len(blocks) < 2:
            return blocks
        producers = self.graph.producers
        stops = [op for op in ops if any(value in producers for value in self.graph.ops[op].inputs)]
        runs: list[list[_Item]] = []
        last: tuple[str, tuple[int, int] | None] | None = None
        stop = 0
        for item in blocks:
            passed = stop
            while stop < len(stops) and stops[stop] < item.first:
                stop += 1
            what = (item.kinds[-1], item.scope)
            if passed == stop and what == last:
                runs[-1].append(item)
            else:
                runs.append([item])
            last = what
        found: list[_Item] = []
        for run in runs:
            found += [_group(path, run)] if _worth_a_group(run) else run
        return found

    def number(self, blocks: list[_Item], inferred: bool) -> LayerTree:
        made: list[Block] = []
        of_op: list[int | None] = [None] * len(self.of_op)
        taken: dict[str, int] = {}
        stack: list[tuple[_Item, int | None]] = [(item, None) for item in reversed(blocks)]
        while stack:
            item, parent = stack.pop()
            index = len(made)
            made.append(Block(item.name, _unique(item.path, taken), item.kind, parent, item.repeat))
            for op in item.ops:
                of_op[op] = index
            stack.extend((block, index) for block in reversed(item.blocks))
        return LayerTree(tuple(made), tuple(of_op), inferred)


def _path(layer: tuple[Parts, int]) -> str:
    parts, length = layer
    return "/" + "/".join(parts[:length])


def _worth_a_group(run: list[_Item]) -> bool:
    if all(item.repeat > 1 for item in run):
        return len(run) > _MOST_STAGES
    return len(run) > 2 or (len(run) == 2 and sum(item.size for item in run) >= _SMALLEST_GROUP)


def _group(path: str, run: list[_Item]) -> _Item:
    first = run[0]
    if any(item.repeat > 1 or item.kinds != first.kinds for item in run):
        # What they have in common is the outermost layer.
        for item in run:
            if item.repeat > 1 or len(item.names) > 1:
                item.names, item.kinds, item.path = item.names[-1:], item.kinds[-1:], _path(item.layer)
                item.repeat = 1
    kind, name = first.kind, "/".join(reversed(first.names))
    size = sum(item.size for item in run)
    key = f"{path}/{kind}×{name}"
    return _Item([kind], [kind], key, first.layer, first.first, first.scope, size, len(run), run)


def _unique(path: str, taken: dict[str, int]) -> str:
    """The path, or where it is taken (a layer called in two regions) the path with a number."""
    found = path
    while found in taken:
        taken[path] += 1
        found = f"{path}#{taken[path]}"
    taken[found] = 1
    return found
