"""A graph with what a change removed from it: every op once, where it stood, with the values that it read."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.ir import Diff, Graph, Op, Value, diff
from workbench.ui.document import Shown, alone, compared, graph_document, packed


def graph(*ops: Op, parameters: tuple[str, ...] = ()) -> Graph:
    listed = tuple(replace(op, index=at) for at, op in enumerate(ops))
    values = {name: Value(name, "float32", (2,), name, True) for name in parameters}
    values.update({name: Value(name, "float32", (2,)) for op in listed for name in op.outputs})
    return Graph("pir", listed, values)


def op(kind: str, inputs: str = "", outputs: str = "", parent: int | None = None, region: int = 0) -> Op:
    return Op(0, kind, tuple(inputs.split()), tuple(outputs.split()), parent=parent, region=region)


def types(shown: Shown) -> list[str]:
    return [
        ("−" if mark == "removed" else "") + one.type
        for one, mark in zip(shown.graph.ops, shown.mark, strict=True)
    ]


def check(before: Graph, after: Graph, found: Diff, shown: Shown) -> None:
    """What holds for any two graphs."""
    ops = shown.graph.ops
    assert len(ops) == len(after.ops) + len(found.removed)
    assert [one.index for one in ops] == list(range(len(ops)))
    gone = [at for at, mark in zip(shown.index, shown.mark, strict=True) if mark == "removed"]
    stay = [at for at, mark in zip(shown.index, shown.mark, strict=True) if mark != "removed"]
    assert sorted(gone) == sorted(found.removed)
    assert stay == list(range(len(after.ops)))
    marks = found.marks_after()
    place_after = {}
    for place, (at, mark) in enumerate(zip(shown.index, shown.mark, strict=True)):
        origin = before.ops[at] if mark == "removed" else after.ops[at]
        assert (ops[place].type, ops[place].attrs) == (origin.type, origin.attrs)
        if mark != "removed":
            assert mark == marks.get(at)
            assert (ops[place].inputs, ops[place].outputs) == (origin.inputs, origin.outputs)
            place_after[at] = place
    for one in ops:
        assert one.parent is None or one.parent < one.index
    # Per after-op the same writers as before: a removed op takes nobody's place.
    assert edges(shown.graph, set(place_after.values())) == {
        (place_after[start], place_after[end], value) for start, end, value in edges(after, None)
    }
    for removed, reader, value in shown.former:
        assert shown.mark[removed] == "removed" and shown.mark[reader] != "removed"
        assert value in ops[removed].outputs and value in shown.graph.values
    assert len(set(shown.key)) == len(ops)


def edges(of: Graph, among: set[int] | None) -> set[tuple[int, int, str]]:
    writer: dict[str, int] = {}
    found = set()
    for one in of.ops:
        if among is None or one.index in among:
            found |= {(writer[value], one.index, value) for value in one.inputs if value in writer}
        writer.update(dict.fromkeys(one.outputs, one.index))
    return found


def union(before: Graph, after: Graph) -> Shown:
    found = diff(before, after)
    shown = compared(before, alone(after), found)
    check(before, after, found, shown)
    return shown


CONV = graph(
    op("data", "", "%0"),
    op("conv", "%0 w", "%1"),
    op("add", "%1 b", "%2"),
    op("relu", "%2", "%3"),
    op("fetch", "%3"),
    parameters=("w", "b"),
)
FUSED = graph(
    op("data", "", "%0"),
    op("fused_conv", "%0 w b", "%1"),
    op("fetch", "%1"),
    parameters=("w", "b"),
)


def test_a_graph_alone_is_itself() -> None:
    shown = alone(CONV)
    assert shown.graph is CONV
    assert list(shown.key) == list(shown.index) == list(range(5))
    assert set(shown.mark) == {None}
    assert alone(CONV, keys=[9, 8, 7, 6, 5]).key == [9, 8, 7, 6, 5]


def test_removed_ops_stand_where_they_stood_and_read_what_they_read() -> None:
    shown = union(CONV, FUSED)
    assert types(shown) == ["data", "−conv", "−add", "−relu", "fused_conv", "fetch"]
    conv, add, relu = shown.graph.ops[1:4]
    # What stays is read under its name after the change, what is gone under a name of its own.
    assert conv.inputs == ("%0", "w")
    assert conv.outputs == ("%1 (before)",) == add.inputs[:1]
    assert add.inputs[1] == "b"
    assert relu.inputs == add.outputs
    assert [mark for mark in shown.mark if mark == "added"] == ["added"]
    values = shown.graph.values
    assert (values["%1 (before)"].dtype, values["%1 (before)"].shape) == ("float32", (2,))
    # The edge that the change cut: from relu to the fetch that stays.
    assert [(first, reader) for first, reader, _ in shown.former] == [(3, 5)]
    assert shown.former[0][2] == relu.outputs[0]


def test_what_altered_says_how() -> None:
    other = replace(CONV.ops[1], attrs={"groups": 2})
    after = replace(CONV, ops=(CONV.ops[0], other, *CONV.ops[2:]))
    shown = union(CONV, after)
    assert shown.mark[1] == "altered"
    assert list(shown.alterations) == [1] and "groups" in " ".join(shown.alterations[1])


def test_an_op_in_a_block_stays_in_its_block() -> None:
    before = graph(
        op("data", "", "%0"),
        op("if", "%0", "%5"),
        op("exp", "%0", "%1", parent=1),
        op("old", "%1", "%2", parent=1),
        op("log", "%0", "%3", parent=1, region=1),
        op("fetch", "%5"),
    )
    after = graph(
        op("data", "", "%0"),
        op("if", "%0", "%5"),
        op("exp", "%0", "%1", parent=1),
        op("log", "%0", "%3", parent=1, region=1),
        op("fetch", "%5"),
    )
    shown = union(before, after)
    assert types(shown) == ["data", "if", "exp", "−old", "log", "fetch"]
    assert [one.parent for one in shown.graph.ops] == [None, None, 1, 1, 1, None]
    assert [one.region for one in shown.graph.ops] == [0, 0, 0, 0, 1, 0]


def test_a_block_that_goes_takes_its_ops_along() -> None:
    before = graph(
        op("data", "", "%0"),
        op("while", "%0", "%1"),
        op("exp", "%0", "%2", parent=1),
        op("tanh", "%2", "%3", parent=1),
        op("fetch", "%0"),
    )
    after = graph(op("data", "", "%0"), op("fetch", "%0"))
    shown = union(before, after)
    assert types(shown) == ["data", "−while", "−exp", "−tanh", "fetch"]
    assert [one.parent for one in shown.graph.ops] == [None, None, 1, 1, None]


def test_a_removed_op_in_place_is_no_writer_of_what_stays() -> None:
    # In Program IR an op may write the variable that it reads.
    before = graph(op("data", "", "x"), op("relu", "x", "x"), op("fetch", "x"))
    after = graph(op("data", "", "x"), op("fetch", "x"))
    shown = union(before, after)
    assert types(shown) == ["data", "−relu", "fetch"]
    relu = shown.graph.ops[1]
    assert relu.inputs == ("x",) and relu.outputs == ("x (before)",)
    assert shown.former == [(1, 2, "x (before)")]


def test_a_value_may_have_the_name_that_a_removed_one_would_get() -> None:
    before = graph(op("data", "", "%0"), op("old", "%0", "%1"), op("fetch", "%1"))
    after = graph(op("data", "", "%1 (before)".replace(" ", "_")), op("fetch", "%1"))
    named = {**after.values, "%1 (before)": Value("%1 (before)", "int8")}
    shown = union(before, replace(after, values=named))
    assert shown.graph.values["%1 (before)"].dtype == "int8"


def test_keys_are_those_of_the_stages_and_else_new_ones() -> None:
    found = diff(CONV, FUSED)
    shown = compared(CONV, alone(FUSED, keys=[0, 50, 4]), found, alone(CONV, keys=[0, 1, 2, 3, 4]))
    assert shown.key == [0, 1, 2, 3, 50, 4]
    fresh = compared(CONV, alone(FUSED, keys=[0, 50, 4]), found)
    assert len(set(fresh.key)) == 6 and min(fresh.key[1:4]) > 50


def test_nothing_against_something() -> None:
    empty = graph()
    assert types(union(CONV, empty)) == ["−data", "−conv", "−add", "−relu", "−fetch"]
    assert set(union(empty, CONV).mark) == {"added"}
    assert union(empty, empty).graph.ops == ()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any ops: variables written again, blocks in blocks, values from nowhere."""
    ops: list[Op] = []
    names = st.sampled_from(["a", "b", "c", "d", "w0", "w1", "%1", "%2"])
    for at in range(draw(st.integers(0, 12))):
        ops.append(
            Op(
                at,
                draw(st.sampled_from(["relu", "add", "while", "conv"])),
                tuple(draw(st.lists(names, max_size=3))),
                tuple(draw(st.lists(names.filter(lambda name: name[0] != "w"), max_size=2, unique=True))),
                draw(st.sampled_from([{}, {"n": 1}, {"n": 2}])),
                parent=draw(st.sampled_from([None, None, *range(at)])),
            )
        )
    return graph(*ops, parameters=draw(st.sampled_from([("w0", "w1"), ("w0",), ()])))


@settings(max_examples=60, deadline=None)
@given(graphs(), graphs())
def test_any_two_graphs(before: Graph, after: Graph) -> None:
    shown = union(before, after)
    document = json.loads(zlib.decompress(packed(graph_document(shown))))
    assert len(document["ops"]["type"]) == len(shown.graph.ops)


@settings(max_examples=50, deadline=None)
@given(graphs(), st.data())
def test_the_ops_taken_away_are_those_marked(before: Graph, data: st.DataObject) -> None:
    held = {one.parent for one in before.ops}
    free = [one.index for one in before.ops if one.index not in held]
    gone = set(data.draw(st.lists(st.sampled_from(free), unique=True)) if free else [])
    kept = [one for one in before.ops if one.index not in gone]
    at = {one.index: place for place, one in enumerate(kept)}
    moved = [replace(one, parent=None if one.parent is None else at[one.parent]) for one in kept]
    after = replace(before, ops=tuple(replace(one, index=place) for place, one in enumerate(moved)))
    found = Diff(matched=at, added=(), removed=tuple(sorted(gone)), altered=())
    shown = compared(before, alone(after), found)
    check(before, after, found, shown)
    # With nothing moved, the union is the graph before.
    assert [one.type for one in shown.graph.ops] == [one.type for one in before.ops]
    assert [one.parent for one in shown.graph.ops] == [one.parent for one in before.ops]
    lost = Counter(before.ops[place].type for place in gone)
    assert (
        Counter(one.type for one, mark in zip(shown.graph.ops, shown.mark, strict=True) if mark == "removed")
        == lost
    )


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_the_columns_are_the_graph(one: Graph) -> None:
    document = json.loads(zlib.decompress(packed(graph_document(alone(one)))))
    ops, values, strings = document["ops"], document["values"], document["strings"]
    ids = [strings[at] for at in values["id"]]
    assert ids == list(one.values)
    for place, original in enumerate(one.ops):
        assert strings[ops["type"][place]] == original.type
        assert json.loads(document["attrs"][ops["attrs"][place]]) == original.attrs
        read = ops["inputs"][ops["inputsAt"][place] : ops["inputsAt"][place + 1]]
        assert [ids[value] for value in read] == [value for value in original.inputs if value in one.values]
        written = ops["outputs"][ops["outputsAt"][place] : ops["outputsAt"][place + 1]]
        assert [ids[value] for value in written] == list(original.outputs)
        assert ops["parent"][place] == (-1 if original.parent is None else original.parent)


def test_attributes_that_no_page_could_read() -> None:
    infinite = float("inf")
    attrs = {
        "nan": float("nan"),
        "deep": [[infinite], (-infinite,)],
        "long": "x" * 50_000,
        "op_callstack": ["x"],
    }
    document = graph_document(alone(Graph("pir", (Op(0, "x", attrs=attrs),), {})))
    shown = json.loads(document["attrs"][0], parse_constant=lambda word: 1 / 0)
    assert shown["nan"] == "nan" and shown["deep"] == [["inf"], ["-inf"]]
    assert len(shown["long"]) <= 20_001 and shown["long"].endswith("…")
    assert "op_callstack" not in shown
