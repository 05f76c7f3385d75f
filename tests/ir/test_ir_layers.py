"""The blocks that a graph is shown by: from layer paths, and from what the graph repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ir_model_files import make_program

from workbench.errors import WorkbenchError
from workbench.ir import (
    Graph,
    LayerTree,
    Op,
    Value,
    infer_layers,
    inherited_layers,
    layer_tree,
    read_pir_json,
    read_program,
)

# ---------------------------------------------------------------- help


def chain(*ops: str) -> Graph:
    """A graph of ops that read the one before: "type" or "type /layer"."""
    pairs = [op.partition(" ") for op in ops]
    return Graph(
        "pir",
        tuple(
            Op(place, kind, (f"%{place - 1}",) if place else (), (f"%{place}",), layer=layer)
            for place, (kind, _, layer) in enumerate(pairs)
        ),
        {f"%{place}": Value(f"%{place}") for place in range(len(ops))},
    )


def shown(graph: Graph, tree: LayerTree) -> list[str]:
    """The tree in lines: blocks with the ops directly in them, indented; then the ops at the top."""
    depth: list[int] = []
    lines = []
    for index, block in enumerate(tree.blocks):
        depth.append(0 if block.parent is None else depth[block.parent] + 1)
        own = [op.type.rpartition(".")[2] for op in graph.ops if tree.of_op[op.index] == index]
        lines.append("  " * depth[-1] + block.name + (f": {' '.join(own)}" if own else ""))
    return lines


def at_top(graph: Graph, tree: LayerTree) -> str:
    return " ".join(op.type.rpartition(".")[2] for op in graph.ops if tree.of_op[op.index] is None)


def check(graph: Graph, tree: LayerTree) -> None:
    """What is true of every tree."""
    assert len(tree.of_op) == len(graph.ops)
    assert len({block.path for block in tree.blocks}) == len(tree.blocks)
    members: list[list[int]] = [[] for _ in tree.blocks]
    held = [0] * len(tree.blocks)
    for index, block in enumerate(tree.blocks):
        assert block.parent is None or 0 <= block.parent < index
        if block.parent is not None:
            members[block.parent].append(index)
    for op in tree.of_op:
        if op is not None:
            held[op] += 1
    for index, block in enumerate(tree.blocks):
        # A block is worth opening: it holds two things or more.
        assert held[index] + len(members[index]) > 1
        assert block.repeat > 1 or not block.name.endswith("×1")
        if block.repeat > 1:
            assert held[index] == 0
            assert len(members[index]) == block.repeat
            assert block.name.endswith(f" ×{block.repeat}")
            kinds = {tree.blocks[member].kind for member in members[index]}
            assert len(kinds) == 1
            assert block.kind.endswith(kinds.pop())


def nested(graph: Graph, tree: LayerTree) -> None:
    """Control flow and blocks nest: an op in a region lies in the block of the op that has the region."""
    for op in graph.ops:
        if op.parent is None:
            continue
        block, wanted = tree.of_op[op.index], tree.of_op[op.parent]
        while block is not None and block != wanted:
            block = tree.blocks[block].parent
        assert block == wanted


# ---------------------------------------------------------------- layer paths


def test_a_layer_of_one_op_is_no_block():
    graph = chain("data", "conv /Net/Conv", "relu /Net/ReLU", "full /Net/Pool", "pool /Net/Pool", "fetch")
    tree = layer_tree(graph)
    assert shown(graph, tree) == ["Net: conv relu", "  Pool: full pool"]
    assert [(block.path, block.kind, block.parent) for block in tree.blocks] == [
        ("/Net", "Net", None),
        ("/Net/Pool", "Pool", 0),
    ]
    assert at_top(graph, tree) == "data fetch"
    assert not tree.inferred


def test_a_block_that_holds_only_another_is_merged_with_it():
    graph = chain("a /Net_1/Body_2/Linear", "b /Net_1/Body_2/Linear", "c /Head", "d /Head")
    tree = layer_tree(graph)
    assert [(block.name, block.kind, block.path) for block in tree.blocks] == [
        ("Net_1/Body_2/Linear", "Net/Body/Linear", "/Net_1/Body_2/Linear"),
        ("Head", "Head", "/Head"),
    ]


def test_equal_siblings_in_a_row_are_gathered():
    layers = [f"/Net/Layer_{number}" if number else "/Net/Layer" for number in range(4)]
    graph = chain("in /Net", *(f"{op} {layer}" for layer in layers for op in "abc"), "out /Net")
    tree = layer_tree(graph)
    assert shown(graph, tree) == [
        "Net: in out",
        "  Layer ×4",
        *("    " + line for line in ("Layer: a b c", "Layer_1: a b c", "Layer_2: a b c", "Layer_3: a b c")),
    ]
    group = tree.blocks[1]
    assert (group.path, group.kind, group.repeat) == ("/Net/Layer×Layer", "Layer", 4)
    check(graph, tree)


def test_an_op_or_another_layer_between_them_ends_a_run():
    def three(name: str) -> list[str]:
        return [f"{op} /{name}" for op in "abc"]

    graph = chain(
        *three("L"), *three("L_1"), "x", "y", *three("L_2"), *three("M"), *three("L_3"), *three("L_4")
    )
    assert [block.name for block in layer_tree(graph).blocks] == [
        *("L ×2", "L", "L_1", "L_2", "M"),
        *("L ×2", "L_3", "L_4"),
    ]


def test_a_constant_between_siblings_does_not_end_a_run():
    ops = list(chain(*(f"{op} /N/L{layer}" for layer in ("", "_1") for op in "abc"), "z /N").ops)
    ops.append(Op(7, "full", (), ("%c",), layer="/N"))
    ops.append(Op(8, "use", ("%c", "%6"), (), layer="/N"))
    order = [0, 1, 2, 7, 3, 4, 5, 6, 8]
    graph = Graph("pir", tuple(replace(ops[at], index=place) for place, at in enumerate(order)), {})
    assert "L ×2" in [block.name.strip() for block in layer_tree(graph).blocks]


def test_two_small_siblings_stay_apart():
    graph = chain("x /A", "m /A/Linear", "a /A/Linear", "m /A/Linear_1", "a /A/Linear_1", "y /A")
    assert [block.name for block in layer_tree(graph).blocks] == ["A", "Linear", "Linear_1"]


def test_a_layer_that_holds_only_equals_is_their_group():
    layers = [f"/Net/Encoder/Layer_{number}" for number in range(3)]
    graph = chain("in /Net", *(f"{op} {layer}" for layer in layers for op in "abc"))
    tree = layer_tree(graph)
    assert [block.name for block in tree.blocks] == [
        "Net",
        "Encoder/Layer ×3",
        "Layer_0",
        "Layer_1",
        "Layer_2",
    ]
    assert tree.blocks[1].path == "/Net/Encoder/Layer×Layer_0"
    assert tree.blocks[1].kind == "Encoder/Layer"


@pytest.mark.parametrize(("stages", "gathered"), [(4, False), (5, True)])
def test_a_few_stages_stay_apart(stages: int, gathered: bool):
    graph = chain(
        "in /Stem",
        *(
            f"{op} /Stage_{stage}/Block_{block}"
            for stage in range(stages)
            for block in (0, 1)
            for op in "abc"
        ),
        "out /Head",
    )
    tree = layer_tree(graph)
    names = [block.name for block in tree.blocks if block.parent is None]
    apart = [f"Stage_{stage}/Block ×2" for stage in range(stages)]
    assert names == ([f"Stage ×{stages}"] if gathered else apart)
    check(graph, tree)
    if gathered:
        assert [block.name for block in tree.blocks[1:4]] == ["Stage_0", "Block_0", "Block_1"]
        assert tree.blocks[1].path == "/Stage_0"


def test_ops_without_a_path_go_where_all_around_them_is():
    ops = (
        Op(0, "pd_op.data", (), ("x",)),
        Op(1, "pd_op.conv2d", ("x",), ("a",), layer="/Net/Conv"),
        Op(2, "pd_op.full", (), ("c",)),
        Op(3, "new_op.transfer", ("a",), ("b",)),
        Op(4, "new_op.more", ("b", "c"), ("d",)),
        Op(5, "pd_op.relu", ("d",), ("e",), layer="/Net/ReLU"),
        Op(6, "pd_op.softmax", ("e",), ("f",)),
        Op(7, "pd_op.fetch", ("f",), ()),
        Op(8, "new_op.unused", (), ("z",)),
        Op(9, "pd_op.cast", ("x",), ("y",)),
        Op(10, "pd_op.exp", ("y",), (), layer="/Net/Exp"),
    )
    graph = Graph("pir", ops, {})
    tree = layer_tree(graph)
    assert shown(graph, tree) == ["Net: conv2d full transfer more relu exp"]


def test_given_paths_are_used_instead():
    graph = chain("a /X", "b /X", "c /Y")
    tree = layer_tree(graph, ["/P", "/Q", "/Q"])
    assert shown(graph, tree) == ["Q: b c"]
    with pytest.raises(WorkbenchError, match="one layer path per op"):
        layer_tree(graph, ["/P"])


def test_inherited_layers():
    graph = chain("a /Own/Layer", "b", "c", "d", "e", "f")
    origins = {
        0: ["/Other"],
        1: ["/A/B/C", "", "/A/B/D", "/A/B"],
        2: ["/A/Block", "/A/Block_1"],
        3: ["/A", "/B"],
        4: ["/One/Path", "/One/Path", ""],
        99: ["/nowhere"],
    }
    assert inherited_layers(graph, origins) == ["/Own/Layer", "/A/B", "/A", "", "/One/Path", ""]


# ---------------------------------------------------------------- control flow


def test_blocks_lie_in_one_region():
    ops = (
        Op(0, "conv", (), ("a",), layer="/Net/Conv"),
        Op(1, "if", ("a",), ("b",), layer="/Net"),
        Op(2, "mul", ("a",), ("c",), layer="/Net/Linear", parent=1, region=0),
        Op(3, "add", ("c",), ("d",), layer="/Net/Linear", parent=1, region=0),
        Op(4, "yield", ("d",), (), parent=1, region=0),
        Op(5, "mul", ("a",), ("e",), layer="/Net/Linear", parent=1, region=1),
        Op(6, "add", ("e",), ("f",), layer="/Net/Linear", parent=1, region=1),
        Op(7, "yield", ("f",), (), parent=1, region=1),
        Op(8, "mul", ("b",), ("g",), layer="/Net/Linear"),
        Op(9, "add", ("g",), ("h",), layer="/Net/Linear"),
        Op(10, "fetch", ("h",), ()),
    )
    graph = Graph("pir", ops, {})
    tree = layer_tree(graph)
    assert shown(graph, tree) == [
        "Net: conv if yield yield",
        "  Linear: mul add",
        "  Linear: mul add",
        "  Linear: mul add",
    ]
    assert [block.path for block in tree.blocks] == ["/Net", "/Net/Linear", "/Net/Linear#2", "/Net/Linear#3"]
    nested(graph, tree)


@pytest.mark.parametrize("name", ["conv", "attention", "control"])
def test_native_models(pir_models: Path, name: str):
    graph = read_pir_json((pir_models / name / "inference.json").read_bytes())
    tree = layer_tree(graph)
    check(graph, tree)
    nested(graph, tree)
    if name == "control":
        # Paddle names no layers in such a model; this is what names would give.
        kinds = ("pd_op.matmul", "pd_op.add")
        layers = [f"/Net/Linear_{op.region}" if op.type in kinds else "" for op in graph.ops]
        layers[[op.type for op in graph.ops].index("pd_op.while")] = "/Net"
        tree = layer_tree(graph, layers)
        check(graph, tree)
        nested(graph, tree)
        assert [block.path for block in tree.blocks] == ["/Net", "/Net/Linear_0", "/Net/Linear_1"]
        assert {graph.ops[op].region for op, block in enumerate(tree.of_op) if block in (1, 2)} == {0, 1}


# ---------------------------------------------------------------- what is repeated


def transformer(layers: int) -> bytes:
    """An encoder as Program IR without layer names; all layers read one mask."""
    ops: list[tuple[str, list[str], list[str], dict[str, object]]] = [
        ("feed", ["feed"], ["ids"], {}),
        ("feed", ["feed"], ["raw"], {}),
        ("scale", ["raw"], ["mask"], {}),
        ("lookup_table_v2", ["ids", "w_e"], ["words"], {}),
        ("layer_norm", ["words", "w_n"], ["x0"], {}),
    ]
    for layer in range(layers):
        x, p = f"x{layer}", f"l{layer}_"
        for name in "qkv":
            ops.append(("matmul_v2", [x, f"w_{p}{name}"], [f"{p}{name}"], {}))
            ops.append(("reshape2", [f"{p}{name}"], [f"{p}{name}r"], {}))
        ops += [
            ("matmul_v2", [f"{p}qr", f"{p}kr"], [f"{p}s"], {}),
            ("elementwise_add", [f"{p}s", "mask"], [f"{p}sm"], {}),
            ("softmax", [f"{p}sm"], [f"{p}a"], {}),
            ("matmul_v2", [f"{p}a", f"{p}vr"], [f"{p}c"], {}),
            ("elementwise_add", [f"{p}c", x], [f"{p}r"], {}),
            ("layer_norm", [f"{p}r", f"w_{p}n1"], [f"{p}h"], {}),
            ("matmul_v2", [f"{p}h", f"w_{p}1"], [f"{p}f"], {}),
            ("gelu", [f"{p}f"], [f"{p}g"], {}),
            ("matmul_v2", [f"{p}g", f"w_{p}2"], [f"{p}o"], {}),
            ("elementwise_add", [f"{p}o", f"{p}h"], [f"{p}t"], {}),
            ("layer_norm", [f"{p}t", f"w_{p}n2"], [f"x{layer + 1}"], {}),
        ]
    ops += [("tanh", [f"x{layers}"], ["y"], {}), ("fetch", ["y"], ["fetch"], {})]
    return make_program(ops)


def test_encoder_layers_without_names():
    graph = read_program(transformer(12))
    tree = layer_tree(graph)
    assert tree.inferred
    check(graph, tree)
    assert at_top(graph, tree) == "feed feed scale lookup_table_v2 layer_norm tanh fetch"
    group, *layers = tree.blocks
    assert group.name == "matmul_v2-softmax-layer_norm[17] ×12"
    assert [block.parent for block in layers] == [0] * 12
    # A layer begins with the projections that read what the layer before has made.
    assert tree.of_op.index(1) == 5


def test_names_are_kept_where_most_ops_have_them():
    graph = chain(*(f"{op} /Net" if number < 2 else op for number in range(3) for op in "abcd"))
    assert not layer_tree(graph).inferred
    few = chain("x /Net", "y /Net", *(op for _ in range(3) for op in "abcd"))
    assert layer_tree(few).inferred
    # What is given on purpose is used.
    assert [block.path for block in layer_tree(few, [op.layer for op in few.ops]).blocks] == ["/Net"]
    assert layer_tree(few, [""] * len(few.ops)).inferred


def test_repeats_in_a_row_within_a_repeat():
    inner = ["a", "b", "c", "d"]
    graph = chain("in", "x", *(["y", *inner * 3] * 3), "out")
    tree = layer_tree(graph)
    check(graph, tree)
    assert tree.blocks[0].name == "y-a-b[13] ×3"
    assert sum(block.name == "a-b-c[4] ×3" for block in tree.blocks) == 3
    assert sum(block.kind == "a-b-c[4]" and block.repeat == 1 for block in tree.blocks) == 9


def test_one_or_two_ops_again_and_again_are_no_block():
    assert not layer_tree(chain("in", *["a"] * 50, *["b", "c"] * 30, "out")).blocks


def test_kinds_of_the_same_types_have_different_names():
    one, two = ["a", "b", "c", "b"], ["a", "c", "b", "c"]
    graph = chain("in", *one, *one, "x", *two, *two, "y", *["a", "b", "c", "c"] * 2)
    kinds = [block.kind for block in layer_tree(graph).blocks if block.repeat > 1]
    assert kinds == ["a-b-c[4]", "a-c-b[4]", "a-b-c[4, 2]"]


def test_inferred_paths_give_the_same_blocks_when_they_are_given_back():
    graph = read_program(transformer(3))
    tree = layer_tree(graph)
    again = layer_tree(graph, infer_layers(graph))
    assert again.blocks == tree.blocks
    assert again.of_op == tree.of_op
    assert not again.inferred


def test_repeats_in_regions():
    body = [(kind, ["x"], ["x"], {}) for kind in ["relu", "exp", "abs", "tanh"] * 3]
    outer = [("while", ["x"], ["x"], {"sub_block": (8, "block_idx", 1)})]
    graph = read_program(make_program(outer, body))
    tree = layer_tree(graph)
    assert [block.name for block in tree.blocks][:1] == ["relu-exp-abs[4] ×3"]
    nested(graph, tree)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_planted_blocks_are_found(data: st.DataObject):
    length = data.draw(st.integers(4, 12), "length")
    block = data.draw(st.lists(st.sampled_from("abcdef"), min_size=length, max_size=length), "block")
    # A block must not be the repeat of something smaller, nor end as it begins: that has other right answers.
    block = ["begin", *block, "end"]
    copies = data.draw(st.integers(2, 8), "copies")
    apart = [data.draw(st.integers(0, 3)) for _ in range(copies + 1)]
    ops, starts, glue = ["in"], [], 0
    for copy in range(copies + 1):
        ops += [
            f"glue{glue + number}"
            for number in range(max(1, apart[copy]) if copy in (0, copies) else apart[copy])
        ]
        glue += 3
        if copy < copies:
            starts.append(len(ops))
            ops += block
    graph = chain(*ops)
    tree = layer_tree(graph)
    check(graph, tree)
    kinds, wholes = set(), set()
    for start in starts:
        path: list[int] = []
        for op in range(start, start + len(block)):
            index = tree.of_op[op]
            up = set()
            while index is not None:
                up.add(index)
                index = tree.blocks[index].parent
            path.append(up)
        shared = set.intersection(*path)
        exact = [
            index
            for index in shared
            if tree.blocks[index].kind.endswith(f"[{len(block)}]") and tree.blocks[index].repeat == 1
        ]
        assert len(exact) == 1
        wholes.add(exact[0])
        kinds.add(tree.blocks[exact[0]].kind)
    assert len(wholes) == copies
    assert len(kinds) == 1


# ---------------------------------------------------------------- any graph

parts = st.sampled_from(["A", "A_1", "B", "", "_1", "A×A", "A#2", "ü\u202e", "x" * 300, "[3]_2"])
layers = st.lists(parts, max_size=5).map(lambda names: "/".join(["", *names]))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(0, 40))
    named = draw(st.booleans())
    ops = []
    for index in range(count):
        reads = draw(st.lists(st.integers(0, count), max_size=3))
        ops.append(
            Op(
                index,
                draw(st.sampled_from(["a", "b", "pd_op.c_", "fetch"])),
                tuple(f"%{value}" for value in reads),
                (f"%{index}",),
                layer=draw(layers) if named else "",
                parent=draw(st.none() | st.none() | st.integers(0, count)),
                region=draw(st.integers(0, 1)),
            )
        )
    return Graph("pir", tuple(ops), {})


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_any_graph_has_a_tree(graph: Graph):
    tree = layer_tree(graph)
    check(graph, tree)
    assert layer_tree(graph) == tree
    if all(op.parent is None or op.parent < op.index for op in graph.ops):
        nested(graph, tree)
    given_back = inherited_layers(graph, {op.index: [op.layer] for op in graph.ops})
    assert given_back == [op.layer for op in graph.ops]


@pytest.mark.parametrize(
    "layer",
    ["/" * 100_000, "/a" * 50_000, "x" * 100_000, "_1" * 50_000, "/\x00/\u202e/<b>&", "/" + "\ud800" * 3],
)
def test_hostile_layer_names(layer: str):
    graph = chain(*(f"op {layer}" for _ in range(3)), *(f"op {layer}{number // 2}" for number in range(40)))
    check(graph, layer_tree(graph))


def test_deep_and_large_graphs():
    count = 6_000
    ops = tuple(Op(n, "if", (), (), layer=f"/L_{n // 2}", parent=n - 1 if n else None) for n in range(count))
    graph = Graph("pir", ops, {})
    tree = layer_tree(graph)
    assert len(tree.blocks) == count // 2
    assert not layer_tree(Graph("pir", tuple(replace(op, layer="") for op in ops), {})).blocks
    stairs = chain(*(f"x {'/s' * (n + 1)}" for n in range(600)))
    assert len(layer_tree(stairs).blocks) == 599


# ---------------------------------------------------------------- the samples


def read(folder: Path, layout: str = "pir") -> Graph:
    if layout == "pir":
        return read_pir_json((folder / "inference.json").read_bytes())
    return read_program((folder / "inference.pdmodel").read_bytes())


def test_resnet18(sample_folder: Callable[..., Path]):
    graph = read(sample_folder("resnet18"))
    tree = layer_tree(graph)
    check(graph, tree)
    assert [line.partition(":")[0] for line in shown(graph, tree)] == [
        "MaxPool2D",
        *("Sequential/BasicBlock ×2", "  BasicBlock", "  BasicBlock_1"),
        *("Sequential_1/BasicBlock ×2", "  BasicBlock", "    Sequential", "  BasicBlock_1"),
        *("Sequential_2/BasicBlock ×2", "  BasicBlock", "    Sequential", "  BasicBlock_1"),
        *("Sequential_3/BasicBlock ×2", "  BasicBlock", "    Sequential", "  BasicBlock_1"),
        *("AdaptiveAvgPool2D", "Linear"),
    ]
    assert at_top(graph, tree) == "data conv2d batch_norm_ relu flatten fetch"


def test_resnet18_without_names(sample_folder: Callable[..., Path]):
    graph = read(sample_folder("resnet18", "program"), "program")
    tree = layer_tree(graph)
    check(graph, tree)
    plain = "conv2d batch_norm relu conv2d batch_norm elementwise_add relu"
    narrowed = "conv2d batch_norm relu conv2d batch_norm conv2d batch_norm elementwise_add relu"
    stage = "conv2d-batch_norm-relu[16]"
    stages = [
        [f"  {name}", f"    conv2d-batch_norm-relu[9]: {narrowed}", f"    conv2d-batch_norm-relu[7]: {plain}"]
        for name in (stage, f"{stage}_1", f"{stage}_2")
    ]
    assert shown(graph, tree) == [
        "conv2d-batch_norm-relu[7] ×2",
        f"  conv2d-batch_norm-relu[7]: {plain}",
        f"  conv2d-batch_norm-relu[7]_1: {plain}",
        f"{stage} ×3",
        *(line for lines in stages for line in lines),
    ]


def test_bert_tiny(sample_folder: Callable[..., Path]):
    graph = read(sample_folder("bert_tiny"))
    tree = layer_tree(graph)
    check(graph, tree)
    names = [line.partition(":")[0] for line in shown(graph, tree)]
    layer = [
        "    MultiHeadAttention",
        *("      Linear", "      Linear_1", "      Linear_2", "      Linear_3"),
        *("    Dropout", "    Linear", "    Dropout_1", "    Linear_1", "    Dropout_2"),
    ]
    assert names == [
        "Dropout",
        "TransformerEncoder/TransformerEncoderLayer ×2",
        *("  TransformerEncoderLayer", *layer, "  TransformerEncoderLayer_1", *layer),
        *("Linear", "Linear_1"),
    ]
    bare = Graph(graph.ir, tuple(replace(op, layer="") for op in graph.ops), graph.values)
    assert [block.name for block in layer_tree(bare).blocks] == [
        "matmul-softmax-layer_norm[43] ×2",
        "matmul-softmax-layer_norm[43]",
        "matmul-softmax-layer_norm[43]_1",
    ]


def test_digits(sample_folder: Callable[..., Path]):
    graph = read(sample_folder("digits"))
    tree = layer_tree(graph)
    assert shown(graph, tree) == [
        "Conv2D_1: conv2d full_int_array reshape add",
        "MaxPool2D: full_int_array pool2d",
        "Linear: matmul add",
        "Linear_1: matmul add",
    ]
    assert not layer_tree(read(sample_folder("digits", "program"), "program")).blocks
