"""What a pass made of what, on random edits whose answer is known and on small cases written out by hand."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from workbench.ir import Graph, Op, Value, diff, provenance

FLOAT = ("float32", (2,))


@dataclass
class Side:
    """A graph in the making: ops by a tag of their own, values by any name."""

    ops: list[tuple[str, str, tuple[str, ...], str, dict]] = field(default_factory=list)
    parameters: set[str] = field(default_factory=set)

    def op(self, tag: str, kind: str, inputs: Iterable[str], attrs: dict | None = None) -> str:
        inputs = tuple(inputs)
        self.parameters.update(name for name in inputs if name.startswith("w"))
        self.ops.append((tag, kind, inputs, f"{tag}.out", attrs or {}))
        return f"{tag}.out"

    def graph(self, order: random.Random | None = None) -> tuple[Graph, list[str]]:
        """The graph, its values numbered, and the tags of its ops in order."""
        listed = self.ops if order is None else shuffled(self.ops, order)
        number = {entry[3]: f"%{at + 7 * (order is not None)}" for at, entry in enumerate(listed)}
        values = {name: Value(name, *FLOAT, name, True) for name in self.parameters}
        values.update((new, Value(new, *FLOAT)) for new in number.values())
        ops = tuple(
            Op(at, kind, tuple(number.get(name, name) for name in inputs), (number[output],), attrs)
            for at, (_, kind, inputs, output, attrs) in enumerate(listed)
        )
        return Graph("pir", ops, values), [entry[0] for entry in listed]


def shuffled(ops: list, order: random.Random) -> list:
    """Another order in which every op still comes after what it reads."""
    written: set[str] = set()
    outputs = {entry[3] for entry in ops}
    left, found = list(ops), []
    while left:
        ready = [entry for entry in left if all(one in written or one not in outputs for one in entry[2])]
        chosen = order.choice(ready)
        left.remove(chosen)
        written.add(chosen[3])
        found.append(chosen)
    return found


class Edit:
    """A network before and after a pass, and the truth about it.

    Every op has an attribute of its own, so that there is one answer: ops that look the same could be
    exchanged. The ops around an edit without parameters are left alone, since between two fused neighbours
    that read nothing else the border may be anywhere.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.before, self.after = Side(), Side()
        self.truth: list[tuple[str, list[str], list[str]]] = []
        # Tags of equal constants to that of the first: any of them may be the one that stays.
        self.equal: dict[str, str] = {}
        self.count = 0
        self.now = self.both("pd_op.data", [])
        self.ends = [self.now]
        modules = [
            *(self.plain, self.residual, self.fused, self.fused_pair, self.absorbed, self.replaced),
            *(self.dead, self.merged, self.folded, self.inserted, self.removed, self.weights),
        ]
        for _ in range(self.random.randint(2, 14)):
            self.random.choice(modules)()
            self.ends.append(self.now)
        self.both("pd_op.fetch", [self.now])

    def tag(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def both(self, kind: str, inputs: list[tuple[str, str]]) -> tuple[str, str]:
        tag = self.tag()
        attrs = {"n": self.count}
        return (
            self.before.op(tag, kind, [one for one, _ in inputs], attrs),
            self.after.op(tag, kind, [other for _, other in inputs], attrs),
        )

    def event(self, how: str, sources: list[str], into: list[str]) -> None:
        self.truth.append((how, sorted(sources), sorted(into)))

    def chain(self, value: str, length: int) -> tuple[str, list[str]]:
        """Activations in the graph before, one after another."""
        tags = []
        for _ in range(length):
            tag = self.tag()
            value = self.before.op(
                tag, f"pd_op.{self.random.choice(['relu', 'gelu', 'tanh'])}", [value], {"n": self.count}
            )
            tags.append(tag)
        return value, tags

    def plain(self) -> None:
        self.now = self.both(f"pd_op.{self.random.choice(['relu', 'softmax', 'pool2d'])}", [self.now])

    def residual(self) -> None:
        self.now = self.both("pd_op.add", [self.now, self.random.choice(self.ends)])

    def fused(self) -> None:
        """conv (+ add) + activations become one op, of a name like conv's or another."""
        conv, made = self.tag(), self.tag()
        rest = self.random.choice([[], [self.random.choice(self.ends)]])
        value = self.before.op(conv, "pd_op.conv2d", [self.now[0], f"w{conv}"], {"n": self.count})
        tags = [conv]
        for other, _ in rest:
            tags.append(self.tag())
            value = self.before.op(tags[-1], "pd_op.add", [value, other], {"n": self.count})
        value, more = self.chain(value, self.random.randint(1, 3))
        kind = self.random.choice(["onednn_op.fused_conv2d", "onednn_op.everything"])
        inputs = [self.now[1], f"w{conv}", *(other for _, other in rest)]
        self.now = value, self.after.op(made, kind, inputs, {"n": self.count})
        self.event("fused", tags + more, [made])

    def fused_pair(self) -> None:
        """conv1 → relu1 → conv2 → relu2 become two ops, not one."""
        self.fused()
        self.fused()

    def absorbed(self) -> None:
        """The activations after a conv become an attribute of it."""
        tag = self.tag()
        attrs = {"n": self.count}
        value = self.before.op(tag, "pd_op.conv2d", [self.now[0], f"w{tag}"], attrs)
        value, tags = self.chain(value, self.random.randint(1, 2))
        self.now = value, self.after.op(tag, "pd_op.conv2d", [self.now[1], f"w{tag}"], {**attrs, "act": "x"})
        self.event("fused", [tag, *tags], [tag])

    def replaced(self) -> None:
        old, new = self.tag(), self.tag()
        kind = self.random.choice(["relu", "softmax", "scale"])
        after = self.random.choice([f"onednn_op.{kind}", f"pd_op.{kind}_", "pd_op.swish"])
        self.plain()
        inputs = self.now
        self.now = (
            self.before.op(old, f"pd_op.{kind}", [inputs[0]], {"n": old}),
            self.after.op(new, after, [inputs[1]], {"n": new}),
        )
        self.plain()
        self.event("replaced", [old], [new])

    def dead(self) -> None:
        _, tags = self.chain(self.now[0], self.random.randint(1, 3))
        for tag in tags:
            self.event("dropped", [tag], [])

    def merged(self) -> None:
        """Equal constants become one, which all their readers read."""
        kept = self.tag()
        attrs = {"value": self.count}
        first = self.before.op(kept, "pd_op.full", [], attrs), self.after.op(kept, "pd_op.full", [], attrs)
        copies = [first]
        tags = [kept]
        for _ in range(self.random.randint(1, 3)):
            tags.append(self.tag())
            self.equal[tags[-1]] = kept
            copies.append((self.before.op(tags[-1], "pd_op.full", [], attrs), first[1]))
        for copy in copies:
            self.now = self.both("pd_op.scale", [self.now, copy])
        self.event("merged", [kept] * len(tags), [kept])

    def folded(self) -> None:
        """Constants and what is computed from them become a parameter."""
        tags = [self.tag()]
        value = self.before.op(tags[-1], "pd_op.full", [], {"value": self.count})
        for _ in range(self.random.randint(0, 2)):
            tags.append(self.tag())
            value = self.before.op(tags[-1], "pd_op.reshape", [f"w{tags[-1]}", value], {"n": self.count})
        self.now = self.both("pd_op.scale", [self.now, (value, f"wf{tags[-1]}")])
        self.event("folded", tags, [f"t{self.count}"])

    def inserted(self) -> None:
        self.plain()
        tag = self.tag()
        self.now = self.now[0], self.after.op(tag, "pd_op.cast", [self.now[1]], {"n": self.count})
        self.plain()
        self.event("made", [], [tag])

    def removed(self) -> None:
        """An op that does nothing goes: what read it reads what it read."""
        self.plain()
        tag = self.tag()
        self.now = self.before.op(tag, "pd_op.dropout", [self.now[0]], {"n": self.count}), self.now[1]
        self.plain()
        self.event("dropped", [tag], [])

    def weights(self) -> None:
        """conv + batch norm become one conv, on weights that are computed from those of both."""
        conv, norm = self.tag(), self.tag()
        value = self.before.op(conv, "pd_op.conv2d", [self.now[0], f"w{conv}"], {"n": self.count})
        value = self.before.op(norm, "pd_op.batch_norm_", [value, f"w{norm}", f"w{norm}b"], {"n": self.count})
        tags = [self.tag() for _ in range(4)]
        # Of a type of its own: a constant that comes where another goes is taken for an altered one.
        one = self.after.op(tags[0], "pd_op.assign_value", [], {"value": self.count})
        scale = self.after.op(tags[1], "pd_op.multiply", [f"w{norm}", one])
        weight = self.after.op(tags[2], "pd_op.multiply", [f"w{conv}", scale])
        fused = self.after.op(tags[3], "onednn_op.fused_conv2d", [self.now[1], weight, f"w{norm}b"])
        self.now = value, fused
        self.event("fused", [conv, norm], tags)


def found_events(before: Graph, after: Graph, tags: list[str], new: list[str]) -> list:
    return sorted(
        (
            event.how,
            sorted(tags[index] for index in event.sources),
            sorted(new[index] for index in event.into),
        )
        for event in provenance(before, after, diff(before, after))
    )


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_random_edits_are_explained_as_they_were_made(start: int):
    for seed in range(start, start + 100):
        edit = Edit(seed)
        before, tags = edit.before.graph()
        after, new = edit.after.graph(random.Random(seed))
        lost = [edit.equal.get(tag, tag) for tag in tags if tag not in new]
        tags = [edit.equal.get(tag, tag) for tag in tags]
        found = diff(before, after)
        assert sorted(tags[at] for at in found.removed) == sorted(lost), seed
        assert sorted(new[at] for at in found.added) == sorted(set(new) - set(tags)), seed
        assert found_events(before, after, tags, new) == sorted(edit.truth), seed


def test_another_numbering_and_order_is_nothing():
    for seed in range(60):
        edit = Edit(seed)
        before, _ = edit.before.graph()
        after, _ = edit.before.graph(random.Random(seed))
        found = diff(before, after)
        assert not found.added
        assert not found.removed
        assert provenance(before, after, found) == ()


def check_partition(before: Graph, after: Graph) -> None:
    """Each removed op has one fate, each added op one reason, and nothing else is explained."""
    found = diff(before, after)
    events = provenance(before, after, found)
    gone = [index for event in events for index in event.sources if index in set(found.removed)]
    new = [index for event in events for index in event.into if index in set(found.added)]
    assert sorted(gone) == list(found.removed)
    assert sorted(new) == list(found.added)
    for event in events:
        assert bool(event.into) == (event.how != "dropped")
        assert bool(event.sources) == (event.how != "made")


def test_any_two_graphs_have_an_explanation():
    graphs = [Edit(seed).before.graph()[0] for seed in range(30)]
    graphs += [Edit(seed).after.graph(random.Random(seed))[0] for seed in range(30)]
    for first, second in zip(graphs, graphs[7:], strict=False):
        check_partition(first, second)
        check_partition(second, first)
    check_partition(graphs[0], Graph("pir", (), {}))
    check_partition(Graph("pir", (), {}), graphs[0])


def network(*ops: tuple[str, str, tuple[str, ...], dict]) -> tuple[Graph, list[str]]:
    """Ops by name, type, what they read by name (``w…`` is a parameter), and attributes."""
    side = Side()
    for tag, kind, inputs, attrs in ops:
        side.op(tag, kind, [one if one.startswith("w") else f"{one}.out" for one in inputs], attrs)
    return side.graph()


def explained(before: tuple[Graph, list[str]], after: tuple[Graph, list[str]]) -> list:
    return found_events(before[0], after[0], before[1], after[1])


DATA = ("x", "pd_op.data", (), {})


def test_two_fused_chains_are_two_events():
    before = network(
        DATA,
        ("conv1", "pd_op.conv2d", ("x", "w1"), {}),
        ("relu1", "pd_op.relu", ("conv1",), {}),
        ("conv2", "pd_op.conv2d", ("relu1", "w2"), {}),
        ("relu2", "pd_op.relu", ("conv2",), {}),
        ("out", "pd_op.fetch", ("relu2",), {}),
    )
    after = network(
        DATA,
        ("fused1", "onednn_op.everything", ("x", "w1"), {}),
        ("fused2", "onednn_op.everything", ("fused1", "w2"), {}),
        ("out", "pd_op.fetch", ("fused2",), {}),
    )
    assert explained(before, after) == [
        ("fused", ["conv1", "relu1"], ["fused1"]),
        ("fused", ["conv2", "relu2"], ["fused2"]),
    ]


def test_an_op_before_another_is_taken_over_by_the_one_that_changed():
    before = network(
        DATA,
        ("y", "pd_op.softmax", ("x",), {}),
        ("turned", "pd_op.transpose", ("y",), {}),
        ("product", "pd_op.matmul", ("turned", "x"), {"transpose_x": False}),
        ("out", "pd_op.fetch", ("product",), {}),
    )
    after = network(
        DATA,
        ("y", "pd_op.softmax", ("x",), {}),
        ("product", "pd_op.matmul", ("y", "x"), {"transpose_x": True}),
        ("out", "pd_op.fetch", ("product",), {}),
    )
    assert explained(before, after) == [("fused", ["product", "turned"], ["product"])]


def test_one_op_that_became_three_is_one_event():
    before = network(DATA, ("gelu", "pd_op.gelu", ("x",), {}), ("out", "pd_op.fetch", ("gelu",), {}))
    after = network(
        DATA,
        ("a", "pd_op.erf", ("x",), {}),
        ("b", "pd_op.scale", ("a",), {}),
        ("c", "pd_op.multiply", ("b", "x"), {}),
        ("out", "pd_op.fetch", ("c",), {}),
    )
    assert explained(before, after) == [("replaced", ["gelu"], ["a", "b", "c"])]
    found = diff(before[0], after[0])
    # The op that gives the result comes first.
    assert provenance(before[0], after[0], found)[0].into[0] == after[1].index("c")


def test_a_constant_read_by_many_is_one_event_and_its_readers_are_another_ops():
    shared = [("one", "pd_op.full", (), {"value": 1})]
    before = network(
        DATA,
        *shared,
        ("a", "pd_op.scale", ("x", "one"), {}),
        ("b", "pd_op.pow", ("a", "one"), {}),
        ("out", "pd_op.fetch", ("b",), {}),
    )
    after = network(
        DATA,
        ("a", "pd_op.scale", ("x", "wfolded"), {}),
        ("b", "pd_op.pow", ("a", "wfolded"), {}),
        ("out", "pd_op.fetch", ("b",), {}),
    )
    assert explained(before, after) == [("folded", ["one"], ["a", "b"])]


def test_a_deep_dead_branch_and_a_long_chain_need_no_stack():
    chain = [(f"r{at}", "pd_op.relu", (f"r{at - 1}" if at else "x",), {"n": at}) for at in range(5000)]
    before = network(DATA, *chain, ("out", "pd_op.fetch", ("x",), {}))
    after = network(DATA, ("out", "pd_op.fetch", ("x",), {}))
    events = provenance(before[0], after[0], diff(before[0], after[0]))
    assert [event.how for event in events] == ["dropped"] * 5000
    last = ("out", "pd_op.fetch", ("r4999",), {})
    after = network(DATA, ("all", "engine", ("x",), {}), (*last[:2], ("all",), *last[3:]))
    before = network(DATA, *chain, last)
    events = provenance(before[0], after[0], diff(before[0], after[0]))
    assert [(event.how, len(event.sources)) for event in events] == [("fused", 5000)]
