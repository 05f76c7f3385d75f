"""What became of the ops of real models, as a person reads it off the network, in every IR and setting."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

import workbench as wb
from workbench.errors import TraceError
from workbench.ir import diff
from workbench.tracing import Lineage, PassTrace

Trace = Callable[..., PassTrace]


@pytest.fixture(scope="module")
def traced() -> Trace:
    """``traced(sample, layout, onednn)``, each traced once."""
    kept: dict[tuple[str, str, bool], PassTrace] = {}

    def one(name: str, layout: str = "pir", onednn: bool = True) -> PassTrace:
        key = (name, layout, onednn)
        if key not in kept:
            kept[key] = wb.trace(wb.sample(name, layout), wb.InferenceConfig(onednn=onednn))
        return kept[key]

    return one


def bare(name: str) -> str:
    return name.rpartition(".")[2].rstrip("_")


def stands_for(trace: PassTrace) -> list[tuple[str, list[str]]]:
    """Of the last stage, the type of each op and those of its origins."""
    last = len(trace) - 1
    return [
        (bare(op.type), [bare(origin.type) for origin in trace.origins(last, op.index)])
        for op in trace[last].graph.ops
    ]


ALL = [(layout, onednn) for layout in ("pir", "program") for onednn in (True, False)]


@pytest.mark.parametrize(("layout", "onednn"), ALL)
@pytest.mark.parametrize("name", ["digits", "resnet18", "bert_tiny"])
def test_keys_fit_the_stages(traced: Trace, name: str, layout: str, onednn: bool):
    trace = traced(name, layout, onednn)
    lineage = trace.lineage
    assert lineage.keys(0) == tuple(range(len(trace[0].graph.ops)))
    for stage in trace:
        keys, before = lineage.keys(stage.index), lineage.before_keys(stage.index)
        assert len(set(keys)) == len(keys) == stage.ops
        assert len(set(before)) == len(before) == stage.ops_before
        if stage.changed:
            found = stage.diff
            assert {(keys[second], before[first]) for first, second in found.matched.items()} == {
                (key, key) for key in set(keys) & set(before)
            }
        for index in stage.diff.added if stage.changed else ():
            assert lineage.made_by(keys[index]) == stage.index
    # Every op of the model is still there, or something happened to it.
    alive = set(lineage.keys(len(trace) - 1))
    for key in lineage.keys(0):
        assert key in alive or lineage.fate(key)


def test_the_convolutions_of_resnet18_with_onednn(traced: Trace):
    trace = traced("resnet18")
    conv, plain, joined = (
        "fused_conv2d",
        ["conv2d", "batch_norm", "relu"],
        ["conv2d", "batch_norm", "add", "relu"],
    )
    short = ["conv2d", "batch_norm"]
    two = [(conv, plain), (conv, joined)]
    # A block that halves the picture has a convolution on its shortcut.
    halving = [(conv, plain), (conv, short), (conv, joined)]
    assert stands_for(trace) == [
        ("data", ["data"]),
        (conv, plain),
        ("pool2d", ["pool2d"]),
        *two,
        *two,
        *(halving + two) * 3,
        ("pool2d", ["pool2d"]),
        ("flatten", ["flatten"]),
        ("fc", ["matmul", "add"]),
        ("onednn_to_paddle_layout", []),
        ("shadow_output", ["fetch"]),
    ]
    last = len(trace) - 1
    layers = trace.lineage.layers_of(last)
    for op, layer in zip(trace[last].graph.ops, layers, strict=True):
        if bare(op.type) == conv:
            assert trace.lineage.types[trace.lineage.keys(last)[op.index]] == op.type
            origins = trace.origins(last, op.index)
            # All of one block, whichever of its two convolutions it is.
            block = [origin.layer.rpartition("/")[0] for origin in origins if bare(origin.type) == "conv2d"]
            assert all(origin.layer.startswith(block[0]) for origin in origins)
            assert layer.startswith(block[0])
            number = [origin.layer.rpartition("Conv2D")[2] for origin in origins if "Conv2D" in origin.layer]
            norms = [
                origin.layer.rpartition("BatchNorm2D")[2] for origin in origins if "BatchN" in origin.layer
            ]
            assert number == norms


def test_program_ir_has_the_same_convolutions(traced: Trace):
    pir = [one for one in stands_for(traced("resnet18")) if one[0] == "fused_conv2d"]
    program = [one for one in stands_for(traced("resnet18", "program")) if one[0] == "fused_conv2d"]
    renamed = {"elementwise_add": "add"}
    assert pir == [(kind, [renamed.get(one, one) for one in origins]) for kind, origins in program]


def test_what_stays_stands_for_itself_without_onednn(traced: Trace):
    found = stands_for(traced("resnet18", "pir", False))
    assert [one for one in found if one[1] != [one[0]]] == [
        ("transpose", []),
        ("transpose", []),
        ("shadow_output", ["fetch"]),
    ]


def test_attention_of_bert_with_onednn(traced: Trace):
    found = stands_for(traced("bert_tiny"))
    products = [origins for kind, origins in found if kind == "fused_matmul"]
    turned = ["full_int_array", "reshape", "transpose"]
    # Queries and keys, scaled, and the mask; then the values, and back.
    scores = [*turned, *turned, "full", "scale", "matmul", "add"]
    values = [*turned, "matmul", "transpose", "full_int_array", "reshape"]
    assert products == [scores, values] * 2
    dense = [origins for kind, origins in found if kind == "fc"]
    assert dense.count(["matmul", "add"]) == 11
    assert dense.count(["matmul", "add", "gelu"]) == 2
    assert dense.count(["matmul", "add", "tanh"]) == 1


def test_digits_in_program_ir(traced: Trace):
    assert stands_for(traced("digits", "program")) == [
        ("feed", ["feed"]),
        ("fused_conv2d", ["conv2d", "batch_norm", "relu"]),
        ("conv2d", ["conv2d"]),
        ("elementwise_add", ["elementwise_add"]),
        ("batch_norm", ["batch_norm", "relu"]),
        ("pool2d", ["pool2d"]),
        ("flatten_contiguous_range", ["flatten_contiguous_range"]),
        ("fc", ["matmul_v2", "elementwise_add", "relu"]),
        ("fc", ["matmul_v2", "elementwise_add"]),
        ("fetch", ["fetch"]),
    ]


def test_the_fate_of_an_op_in_words(traced: Trace):
    trace = traced("digits")
    model = trace[0].graph.ops
    places = {bare(op.type): op.index for op in reversed(model)}
    assert trace.fate(places["data"]) == []
    conv = trace.fate(places["conv2d"])
    assert [line.partition(": ")[2] for line in conv] == [
        "fused with pd_op.batch_norm_ into onednn_op.fused_conv2d",
        "onednn_op.fused_conv2d took over pd_op.relu",
    ]
    assert "conv2d_bn_onednn_fuse_pass" in conv[0]
    assert trace.fate(places["fetch"])[-1].endswith("replaced by builtin.shadow_output")
    shape = next(op.index for op in model if bare(op.type) == "full_int_array" and "Pool" in op.layer)
    assert trace.fate(shape)[-1].endswith("computed ahead into a constant that onednn_op.pool2d reads")
    dropout = traced("bert_tiny", "program")
    gone = next(op.index for op in dropout[0].graph.ops if op.type == "dropout")
    assert [line.rpartition(": ")[2] for line in dropout.fate(gone)] == ["dropped"]


def test_lowering_is_told_from_passes(traced: Trace):
    trace = traced("digits")
    lowering = [change for change in trace.lineage.events if change.lowering]
    types = trace.lineage.types
    assert [(one.how, [types[key] for key in one.into]) for one in lowering] == [
        ("made", ["pd_op.onednn_to_paddle_layout"])
    ]


@pytest.mark.parametrize(("layout", "onednn"), ALL)
def test_any_two_stages_compare(traced: Trace, layout: str, onednn: bool):
    trace = traced("digits", layout, onednn)
    lineage = trace.lineage
    last = len(trace) - 1
    for first, second in ((0, last), (last, 0), (last // 2, last), (last, last)):
        found = trace.compare(first, second)
        ours, theirs = lineage.keys(first), lineage.keys(second)
        assert {ours[a]: theirs[b] for a, b in found.matched.items()} == {
            key: key for key in set(ours) & set(theirs)
        }
        assert len(theirs) == len(ours) + len(found.added) - len(found.removed)
        if first == second:
            assert not found.changed
    for stage in trace.changed:
        if not stage.lowered:
            alone = trace.compare(stage.index - 1, stage.index)
            assert (alone.added, alone.removed) == (stage.diff.added, stage.diff.removed)
            assert alone.altered == stage.diff.altered


def test_two_traces_compare(traced: Trace):
    with_onednn, without = traced("digits"), traced("digits", "pir", False)
    assert not diff(with_onednn[0].graph, without[0].graph).changed
    found = diff(without[len(without) - 1].graph, with_onednn[len(with_onednn) - 1].graph)
    assert found.changed


def test_threads_read_each_stage_once(traced: Trace):
    trace = traced("digits")
    lineage = Lineage(trace)
    found: list[tuple[int, ...]] = []
    threads = [
        threading.Thread(target=lambda at=at: found.append(lineage.keys(at))) for at in (42, 3, 20, 42, 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert lineage.events == trace.lineage.events
    assert [lineage.keys(at) for at in range(len(trace))] == [
        trace.lineage.keys(at) for at in range(len(trace))
    ]


def test_what_is_not_there_is_said(traced: Trace):
    trace = traced("digits")
    for wrong in (
        lambda: trace.lineage.keys(99),
        lambda: trace.lineage.keys(-1),
        lambda: trace.origins(0, 99),
        lambda: trace.fate(-1),
        lambda: trace.lineage.fate(10**6),
        lambda: trace.compare(0, 99),
    ):
        with pytest.raises(TraceError, match=r"there is no|has no op"):
            wrong()
