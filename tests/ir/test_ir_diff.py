from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pir_printer import modules, random_modules

from workbench import load
from workbench.ir import (
    Graph,
    Kernel,
    Op,
    Value,
    alterations,
    canonical_type,
    diff,
    diff_of,
    read_pir_text,
    same_graph,
)


def chain(
    *ops: tuple[str, tuple[str, ...], dict], names: str = "v", parameters: tuple[str, ...] = ()
) -> Graph:
    """Each op writes one value, v0, v1, ...; it reads the values named."""
    values = {name: Value(name, "float32", (2,), name, True) for name in parameters}
    listed = []
    for index, (kind, inputs, attrs) in enumerate(ops):
        output = f"{names}{index}"
        values[output] = Value(output, "float32", (2,))
        listed.append(Op(index, kind, inputs, (output,), attrs))
    return Graph("pir", tuple(listed), values)


BASE = chain(
    ("data", (), {}),
    ("conv", ("v0", "w0"), {"groups": 1}),
    ("relu", ("v1",), {}),
    ("conv", ("v2", "w1"), {"groups": 1}),
    ("relu", ("v3",), {}),
    ("fetch", ("v4",), {}),
    parameters=("w0", "w1"),
)


def check(before: Graph, after: Graph):
    found = diff(before, after)
    assert len(after.ops) == len(before.ops) + len(found.added) - len(found.removed)
    assert sorted([*found.matched, *found.removed]) == list(range(len(before.ops)))
    assert sorted([*found.matched.values(), *found.added]) == list(range(len(after.ops)))
    for first, second in found.matched.items():
        assert before.ops[first].type == after.ops[second].type
    assert all(found.matched[first] == second for first, second in found.altered)
    return found


def test_no_change():
    assert not check(BASE, BASE).changed
    assert same_graph(BASE, BASE)


def test_another_numbering_is_no_change():
    other = chain(
        *((op.type, tuple(i.replace("v", "z") for i in op.inputs), op.attrs) for op in BASE.ops), names="z"
    )
    other = Graph("pir", other.ops, {**other.values, **{v.id: v for v in BASE.parameters}})
    assert not check(BASE, other).changed
    assert same_graph(BASE, other)


def test_a_volatile_attribute_is_no_change_and_a_real_one_is():
    ops = list(BASE.ops)
    ops[1] = replace(ops[1], attrs={"groups": 1, "origin_id": 7})
    assert not check(BASE, replace(BASE, ops=tuple(ops))).changed
    ops[1] = replace(ops[1], attrs={"groups": 2})
    assert check(BASE, replace(BASE, ops=tuple(ops))).altered == ((1, 1),)
    ops[1] = replace(ops[1], attrs={"groups": 1, "scale": float("nan")})
    assert not check(replace(BASE, ops=tuple(ops)), replace(BASE, ops=tuple(ops))).changed
    ops[1] = replace(ops[1], attrs={"groups": 1, "stop_gradient": [True]})
    found = check(BASE, replace(BASE, ops=tuple(ops)))
    assert (found.altered, found.added) == (((1, 1),), ())


def test_a_fused_pair():
    after = chain(
        ("data", (), {}),
        ("fused", ("v0", "w0"), {}),
        ("conv", ("v1", "w1"), {"groups": 1}),
        ("relu", ("v2",), {}),
        ("fetch", ("v3",), {}),
        parameters=("w0", "w1"),
    )
    found = check(BASE, after)
    assert (found.added, found.removed, found.altered) == ((1,), (1, 2), ((3, 2),))
    assert found.marks_before() == {1: "removed", 2: "removed", 3: "altered"}
    assert found.marks_after() == {1: "added", 2: "altered"}


def test_an_op_of_another_type_is_removed_and_added():
    ops = list(BASE.ops)
    ops[2] = replace(ops[2], type="gelu")
    found = check(BASE, replace(BASE, ops=tuple(ops)))
    assert (found.added, found.removed) == ((2,), (2,))


def test_another_parameter_alters_an_op():
    ops = list(BASE.ops)
    ops[1] = replace(ops[1], inputs=("v0", "w1"))
    ops[3] = replace(ops[3], inputs=("v2", "w0"))
    found = check(BASE, replace(BASE, ops=tuple(ops)))
    assert not found.changed or len(found.altered) >= 2
    ops[3] = replace(ops[3], inputs=("v2", "w1"))
    assert check(BASE, replace(BASE, ops=tuple(ops))).altered == ((1, 1),)


def test_other_output_types_alter_an_op():
    values = {**BASE.values, "v2": Value("v2", "float16", (2,))}
    assert check(BASE, Graph("pir", BASE.ops, values)).altered == ((2, 2),)


def test_swapped_inputs_alter_an_op():
    def subtract(*inputs: str) -> Graph:
        return chain(("data", (), {"n": "x"}), ("data", (), {"n": "y"}), ("subtract", inputs, {}))

    assert check(subtract("v0", "v1"), subtract("v1", "v0")).altered == ((2, 2),)


def test_identity_decides_where_both_have_it():
    def identified(*numbers: int) -> Graph:
        return replace(
            BASE, ops=tuple(replace(op, identity=str(n)) for op, n in zip(BASE.ops, numbers, strict=True))
        )

    found = check(identified(1, 2, 3, 4, 5, 6), identified(1, 2, 9, 4, 5, 6))
    assert (found.added, found.removed) == ((2,), (2,))
    assert found.altered == ((3, 3),)


def test_empty_graphs():
    empty = Graph("pir", (), {})
    assert not check(empty, empty).changed
    assert check(empty, BASE).added == tuple(range(6))
    assert check(BASE, empty).removed == tuple(range(6))


# A network of layers whose ops all look alike but for their parameters, as real ones do.
KINDS = ["relu", "gelu", "softmax", "tanh"]


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    ops: list[tuple[str, tuple[str, ...], dict]] = [("data", (), {"name": "x"})]
    parameters = []
    for number in range(draw(st.integers(1, 8))):
        last, old = f"v{len(ops) - 1}", f"v{draw(st.integers(0, len(ops) - 1))}"
        ops.append(("full", (), {"value": draw(st.integers(0, 1))}))
        ops.append(("scale", (last, f"v{len(ops) - 1}"), {}))
        if draw(st.booleans()):
            parameters.append(f"w{number}")
            ops.append(("conv", (f"v{len(ops) - 1}", parameters[-1]), {"groups": 1}))
        ops.append((draw(st.sampled_from(KINDS)), (f"v{len(ops) - 1}",), {}))
        ops.append(("add", (f"v{len(ops) - 1}", old), {}))
    ops.append(("fetch", (f"v{len(ops) - 1}",), {"name": "out"}))
    return chain(*ops, parameters=tuple(parameters))


def without(graph: Graph, gone: set[int]) -> Graph:
    """Takes ops out (their readers read what they read) and numbers everything anew."""
    renamed: dict[str, str] = {}
    ops: list[Op] = []
    values = {value.id: value for value in graph.parameters}
    for op in graph.ops:
        inputs = tuple(renamed.get(value, value) for value in op.inputs)
        if op.index in gone:
            renamed[op.outputs[0]] = inputs[0]
            continue
        output = f"n{len(ops)}"
        renamed[op.outputs[0]] = output
        values[output] = replace(graph.values[op.outputs[0]], id=output)
        ops.append(replace(op, index=len(ops), inputs=inputs, outputs=(output,)))
    return Graph(graph.ir, tuple(ops), values)


@settings(max_examples=150, deadline=None)
@given(networks(), st.data())
def test_planted_removals_and_insertions_are_found(graph, data):
    removable = [op.index for op in graph.ops if op.type in (*KINDS, "conv")]
    gone = set(data.draw(st.lists(st.sampled_from(removable), max_size=2, unique=True)))
    smaller = without(graph, gone)
    # Two neighbours that look alike cannot be told apart: compare what went, not which of them.
    for before, after, less in ((graph, smaller, True), (smaller, graph, False)):
        found = check(before, after)
        lost = sorted(before.ops[index].type for index in found.removed)
        new = sorted(after.ops[index].type for index in found.added)
        wanted = sorted(graph.ops[index].type for index in gone)
        assert (lost, new) == ((wanted, []) if less else ([], wanted))
        assert len(found.altered) <= 3 * len(gone)


@settings(max_examples=100, deadline=None)
@given(networks(), st.data())
def test_a_planted_op_of_a_new_kind_is_found_exactly(graph, data):
    place = data.draw(st.integers(1, len(graph.ops) - 2))
    source = graph.ops[place].outputs[0]
    ops = list(graph.ops[: place + 1])
    ops.append(Op(place + 1, "planted", (source,), ("planted",)))
    for op in graph.ops[place + 1 :]:
        inputs = tuple("planted" if value == source else value for value in op.inputs)
        ops.append(replace(op, index=op.index + 1, inputs=inputs))
    after = Graph("pir", tuple(ops), {**graph.values, "planted": Value("planted", "float32", (2,))})
    readers = {op.index for op in graph.ops if source in op.inputs}
    found = check(graph, after)
    assert (found.added, found.removed) == ((place + 1,), ())
    assert {first for first, _ in found.altered} == readers
    back = check(after, graph)
    assert (back.added, back.removed) == ((), (place + 1,))


@settings(max_examples=60, deadline=None)
@given(random_modules(), random_modules())
def test_the_invariants_hold_for_any_two_graphs(one, two):
    first, second = read_pir_text(one.text), read_pir_text(two.text)
    check(first, second)
    assert not check(first, first).changed
    renumbered = re.sub(r"%(\d+)", lambda found: f"%{int(found[1]) + 1000}", one.text)
    if renumbered.count("%") == one.text.count("%") and '"' not in one.text.replace('"pd_op', "").replace(
        '" ', ""
    ):
        assert same_graph(first, read_pir_text(renumbered))


@pytest.mark.parametrize("name", ["conv", "attention", "control"])
@pytest.mark.parametrize("how", ["plain", "onednn"])
def test_native_stages(pir_models: Path, name: str, how: str):
    stages = modules((pir_models / f"{name}.{how}.out").read_text())
    seen: dict[str, tuple[int, int, int]] = {}
    for before, after in zip(stages[::2], stages[1::2], strict=True):
        assert before[2] == after[2]
        first, second = read_pir_text(before[3]), read_pir_text(after[3])
        found = check(first, second)
        assert same_graph(first, second) == (not found.changed)
        if before[3] == after[3]:
            assert not found.changed
        elif re.sub(r"origin_id:\d+", "", before[3]) != re.sub(r"origin_id:\d+", "", after[3]):
            assert (
                found.changed
                or {value.name for value in first.parameters} != {value.name for value in second.parameters}
                or name == "control"
            )
        types = [op.type for op in first.ops]
        other = [op.type for op in second.ops]
        for kind in set(types) | set(other):
            # Nothing is both lost and found: per type, the difference is no larger than it must be.
            lost = sum(first.ops[index].type == kind for index in found.removed)
            new = sum(second.ops[index].type == kind for index in found.added)
            assert other.count(kind) - types.count(kind) == new - lost
        if found.changed:
            seen[after[2]] = (len(found.added), len(found.removed), len(found.altered))
    log = (pir_models / f"{name}.{how}.err").read_text()
    if (name, how) == ("conv", "onednn"):
        assert "conv2d_bn_onednn_fuse_pass" in log
        fused = seen["conv2d_bn_onednn_fuse_pass"]
        # Two convolutions and two batch norms went.
        assert fused[1] == 4
        assert seen["replace_fetch_with_shadow_output_pass"] == (2, 2, 0)
    if (name, how) == ("attention", "plain"):
        assert seen["common_subexpression_elimination_pass"][0] == 0


def program(*ops: tuple[str, tuple[str, ...], str], parameters: tuple[str, ...] = ()) -> Graph:
    """A Program IR graph: type, inputs and the variable written; its arguments are in no order."""
    values = {name: Value(name, "float32", (2,), name, True) for name in parameters}
    values.update((output, Value(output, "float32", (2,), output)) for _, _, output in ops)
    return Graph(
        "program",
        tuple(Op(at, kind, tuple(sorted(i)), (o,)) for at, (kind, i, o) in enumerate(ops)),
        values,
    )


def test_the_same_network_in_both_irs_is_the_same():
    pir = chain(
        ("pd_op.data", (), {}),
        ("pd_op.full_int_array", (), {}),
        ("pd_op.reshape", ("v0", "v1"), {}),
        ("pd_op.matmul", ("v2", "w0"), {}),
        ("pd_op.add_", ("v3", "w1"), {}),
        ("pd_op.matmul", ("v4", "w2"), {}),
        ("builtin.shadow_output", ("v5",), {}),
        parameters=("w0", "w1", "w2"),
    )
    pir = replace(pir, values={**pir.values, "v0": replace(pir.values["v0"], name="x")})
    other = program(
        ("feed", ("feed",), "x"),
        ("reshape2", ("x",), "a"),
        ("matmul_v2", ("a", "w0"), "b"),
        ("elementwise_add", ("b", "w1"), "c"),
        ("matmul_v2", ("c", "w2"), "d"),
        ("fetch", ("d",), "fetch"),
        parameters=("w0", "w1", "w2"),
    )
    found = diff(pir, other)
    assert (found.matched, found.removed, found.added) == ({0: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5}, (1,), ())
    assert found.altered == ()
    values = {**other.values, "c": replace(other.values["c"], dtype="float16")}
    found = diff(pir, replace(other, values=values))
    assert found.altered == ((4, 3),)
    assert alterations(pir, replace(other, values=values), found) == {
        3: ["output types: float32[2] → float16[2]"]
    }
    # A dump that does not say is no difference.
    values["c"] = replace(values["c"], dtype=None)
    assert diff(pir, replace(other, values=values)).altered == ()
    back = diff(other, pir)
    assert {second: first for first, second in back.matched.items()} == {0: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pd_op.batch_norm_", "batch_norm"),
        ("onednn_op.add", "elementwise_add"),
        ("pd_op.embedding", "lookup_table_v2"),
        ("builtin.shadow_output", "fetch"),
        ("pd_op.data", "feed"),
        ("pd_op.hardswish", "hard_swish"),
        ("onednn_op.fused_conv2d", "fused_conv2d"),
    ],
)
def test_one_computation_has_one_name(one: str, other: str):
    assert canonical_type(one) == canonical_type(other)


@pytest.mark.parametrize("name", ["digits", "resnet18", "bert_tiny", "mobilenet_v3_small"])
def test_samples_are_the_same_in_both_irs(sample_folder: Callable[..., Path], name: str):
    pir, other = (load(sample_folder(name, layout)).graph() for layout in ("pir", "program"))
    found = diff(pir, other)
    # All but the constants, which Program IR has as attributes.
    assert {pir.ops[index].type for index in found.removed} <= {"pd_op.full", "pd_op.full_int_array"}
    assert not found.added
    assert not found.altered
    for first, second in found.matched.items():
        mine = {pir.values[value].name for value in pir.ops[first].inputs if pir.values[value].parameter}
        theirs = {value for value in other.ops[second].inputs if other.values[value].parameter}
        assert mine == theirs
    for first, second in found.matched.items():
        writers = {
            found.matched[at]
            for value in pir.ops[first].inputs
            if (at := pir.producers.get(value)) in found.matched
        }
        read = [value for value in other.ops[second].inputs if not other.values[value].parameter]
        assert writers == {other.producers[value] for value in read if value in other.producers}


def test_what_is_different_about_an_op():
    ops = list(BASE.ops)
    ops[1] = replace(ops[1], attrs={"groups": 2, "fuse_activation": "relu", "origin_id": 3})
    ops[3] = replace(ops[3], inputs=("v1", "w1"), kernel=Kernel("conv", "ONEDNN", "NCHW", "float32"))
    ops[4] = replace(ops[4], inputs=("v3", "w0"))
    values = {**BASE.values, "v1": Value("v1", "float16", (2, -1))}
    after = Graph("pir", tuple(ops), values)
    found = diff(BASE, after)
    assert alterations(BASE, after, found) == {
        1: [
            'fuse_activation: none → "relu"',
            "groups: 1 → 2",
            "output type: float32[2] → float16[2, -1]",
        ],
        3: ["kernel: none → conv (ONEDNN, NCHW, float32)", "input 0: relu → conv"],
        4: ["input 1: none → w0"],
    }


def test_long_values_are_cut_and_odd_ones_shown():
    ops = list(BASE.ops)
    ops[1] = replace(ops[1], attrs={"groups": "x" * 100_000, "odd": float("inf")})
    after = replace(BASE, ops=tuple(ops))
    (lines,) = alterations(BASE, after, diff(BASE, after)).values()
    assert [line.partition(":")[0] for line in lines] == ["groups", "odd"]
    assert all(len(line) < 300 for line in lines)


def test_every_altered_op_has_a_line():
    for one in ("add", "subtract"):
        before = chain(("data", (), {"n": "x"}), ("data", (), {"n": "y"}), (one, ("v0", "v1"), {}))
        after = chain(("data", (), {"n": "x"}), ("data", (), {"n": "y"}), (one, ("v1", "v0"), {}))
        assert alterations(before, after, diff(before, after)) == {
            2: ["input 0: data → another data", "input 1: data → another data"]
        }


def test_ops_known_to_be_the_same_are_compared_as_such():
    ops = list(BASE.ops)
    ops[1] = replace(ops[1], type="fused_conv")
    after = replace(BASE, ops=tuple(ops))
    assert diff(BASE, after).removed == (1,)
    known = {index: index for index in range(len(ops))}
    found = diff_of(BASE, after, known)
    assert (found.matched, found.added, found.removed, found.altered) == (known, (), (), ((1, 1),))
    assert alterations(BASE, after, found) == {1: ["type: conv → fused_conv"]}
