"""`GraphView` without a browser: what its traits do, what it answers to the page, and how it fails."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from traitlets import TraitError

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.ir import Graph, Op, Value
from workbench.models import read_params
from workbench.ui import GraphView
from workbench.ui.graph_sources import Stages
from workbench.ui.graph_view import histogram

PATIENCE_S = 60

GRAPH = Graph(
    "pir",
    (
        Op(0, "pd_op.data", (), ("%0",)),
        Op(1, "pd_op.relu", ("%0",), ("%1",)),
        Op(2, "pd_op.fetch", ("%1",)),
    ),
    {"%0": Value("%0", "float32", (1, 3)), "%1": Value("%1", "float32", (1, 3))},
)
OTHER = Graph("pir", (GRAPH.ops[0], Op(1, "pd_op.gelu", ("%0",), ("%1",)), GRAPH.ops[2]), GRAPH.values)


@pytest.fixture(scope="module")
def trace() -> Iterator[wb.PassTrace]:
    traced = wb.trace(wb.sample("digits"))
    yield traced
    traced.close()


@pytest.fixture
def view(trace: wb.PassTrace) -> Iterator[GraphView]:
    opened = wb.view(trace)
    assert opened.wait(PATIENCE_S)
    yield opened
    opened.close()


def shown(view: GraphView) -> dict[str, Any]:
    assert view.wait(PATIENCE_S)
    return json.loads(zlib.decompress(view.document))


def types(document: dict[str, Any]) -> list[str]:
    return [document["strings"][at] for at in document["ops"]["type"]]


def last_shown(view: GraphView, stage: int) -> dict[str, Any]:
    """What is shown once everything asked for is done."""
    for _ in range(200):
        document = shown(view)
        if view.shown["stage"] == stage:
            return document
        time.sleep(0.05)
    raise AssertionError(f"stage {stage} is never shown")


# One graph, and two


def test_a_graph_by_itself() -> None:
    view = wb.view(GRAPH, title="three", mode="flat", height=300)
    document = shown(view)
    assert types(document) == ["pd_op.data", "pd_op.relu", "pd_op.fetch"]
    assert set(document["ops"]["mark"]) == {0}
    assert (view.title, view.mode, view.height, view.choose_stage) == ("three", "flat", 300, False)
    assert view.graph() is GRAPH and view.lineage == b""
    view.close()


def test_a_graph_against_another_one() -> None:
    view = wb.view(OTHER, GRAPH)
    document = shown(view)
    assert types(document) == ["pd_op.data", "pd_op.relu", "pd_op.gelu", "pd_op.fetch"]
    assert document["ops"]["mark"][1:3] == [2, 1]
    view.against = "none"
    assert types(shown(view)) == [op.type for op in OTHER.ops]
    view.close()


def test_a_model_by_its_path(sample_folder: Any) -> None:
    folder: Path = sample_folder("digits")
    view = wb.view(folder)
    assert view.title and "conv2d" in " ".join(types(shown(view)))
    assert types(shown(view)) == [op.type for op in wb.load(folder).graph().ops]
    view.close()


def test_what_cannot_be_shown_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="does not exist"):
        wb.view(tmp_path / "nothing")
    with pytest.raises(WorkbenchError, match="no 'colour'"):
        wb.view(GRAPH, colour="type")
    for what, named in ((3, "not int"), ([GRAPH], "not list")):
        with pytest.raises(WorkbenchError, match=named):
            wb.view(what)  # type: ignore[arg-type]
    with pytest.raises(WorkbenchError, match="did you mean colour_by"):
        wb.view(GRAPH, color_by="type")
    with pytest.raises(WorkbenchError, match="auto, flat, layers, not 'tree'"):
        wb.view(GRAPH, mode="tree")
    with pytest.raises(WorkbenchError, match="'height'"):
        wb.view(GRAPH, height="tall")


def test_a_stage_is_shown_against_what_its_pass_was_given(trace: wb.PassTrace) -> None:
    stage = trace.changed[0]
    view = wb.view(stage)
    marks = shown(view)["ops"]["mark"]
    assert (marks.count(1), marks.count(2)) == (stage.added, stage.removed)
    view.close()


def test_a_view_does_not_begin_at_a_stage_that_is_not_there(trace: wb.PassTrace) -> None:
    with pytest.raises(WorkbenchError, match="there are stages 0 to 42, not 99"):
        wb.view(trace, stage=99)


def test_lowering_is_seen_at_the_stage_after_it(view: GraphView, trace: wb.PassTrace) -> None:
    (lowered,) = (stage for stage in trace.stages if stage.lowered)
    view.stage = lowered.index
    marks = last_shown(view, lowered.index)["ops"]["mark"]
    assert marks.count(1) - marks.count(2) == lowered.ops - trace[lowered.index - 1].ops
    assert marks.count(1) > 0


def test_numbers_of_another_stage_are_refused(view: GraphView, trace: wb.PassTrace) -> None:
    other = trace.changed[0].graph.ops[3]
    with pytest.raises(WorkbenchError, match="is an op of another stage than 0"):
        view.overlay("latency", {other: 1.0})
    with pytest.raises(WorkbenchError, match="op 0 has 'slow' for a number"):
        view.overlay("latency", {0: "slow"})  # type: ignore[dict-item]


def test_a_view_of_nothing_says_so() -> None:
    view = GraphView()
    for ask in (view.graph, view.picture, view.to_html, view.selected_ops):
        with pytest.raises(WorkbenchError, match="nothing is shown"):
            ask()
    bundle = view._repr_mimebundle_()
    assert bundle is not None and bundle[0]["text/plain"] == "no graph"
    view.close()


# Stages


def test_every_stage_can_be_shown(view: GraphView, trace: wb.PassTrace) -> None:
    for stage in trace.changed[:3]:
        view.stage = stage.index
        document = shown(view)
        assert (document["stage"], document["against"]) == (stage.index, "before")
        marks = document["ops"]["mark"]
        found = stage.diff
        counts = [marks.count(mark) for mark in (1, 2, 3)]
        assert counts == [len(found.added), len(found.removed), len(found.altered)]
        assert len(marks) == len(stage.graph.ops) + len(found.removed)
        assert view.graph() is stage.graph or view.graph().ops == stage.graph.ops
    assert view.message == "" and not view.busy
    assert json.loads(zlib.decompress(view.lineage))["passes"] == [stage.pass_name for stage in trace.stages]


def test_a_stage_that_is_not_there_is_refused(view: GraphView) -> None:
    with pytest.raises(TraitError, match="stages 0 to"):
        view.stage = len(view.stages)
    with pytest.raises(TraitError):
        view.stage = -1
    assert view.stage == 0


def test_a_stage_against_none_and_against_another_one(view: GraphView, trace: wb.PassTrace) -> None:
    last = len(trace.stages) - 1
    view.stage = last
    view.against = "none"
    assert set(shown(view)["ops"]["mark"]) == {0}
    view.against = "0"
    document = shown(view)
    found = trace.compare(0, last)
    assert document["ops"]["mark"].count(2) == len(found.removed)
    assert document["against"] == "0"


def test_no_two_ops_of_a_document_have_one_key(trace: wb.PassTrace) -> None:
    source = Stages(trace, trace)
    last = len(trace.stages) - 1
    changed = [stage.index for stage in trace.changed]
    for stage in (0, *changed, last):
        for against in ("none", "before", "0", str(last), f"other:{changed[0]}"):
            keys = source.shown(stage, against).key
            assert len(set(keys)) == len(keys), (stage, against)


def test_two_traces_stage_against_stage(trace: wb.PassTrace) -> None:
    other = wb.trace(wb.sample("digits"), wb.InferenceConfig(onednn=False))
    view = wb.view(trace, other)
    assert view.stage == len(trace.stages) - 1
    assert view.against == f"other:{len(other.stages) - 1}"
    assert len(view.other_stages) == len(other.stages)
    assert any(shown(view)["ops"]["mark"])
    view.against = "other:0"
    assert shown(view)["against"] == "other:0"
    view.close()


@pytest.mark.parametrize("against", ["", "after", "-1", "999", "other:0", "other:", "1.5", "²", "none "])
def test_what_there_is_nothing_to_compare_with_is_said(view: GraphView, against: str) -> None:
    before = view.document
    view.against = against
    assert view.wait(PATIENCE_S)
    assert "nothing to compare with" in view.message and '"none"' in view.message
    assert view.document == before
    view.against = "none"
    assert view.wait(PATIENCE_S)
    assert view.message == ""


def test_the_last_of_many_choices_is_the_one_shown(view: GraphView, trace: wb.PassTrace) -> None:
    count = len(trace.stages)

    def choose(step: int) -> None:
        for at in range(40):
            view.stage = (at * step) % count

    threads = [threading.Thread(target=choose, args=(step,)) for step in (3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    view.stage = count - 2
    view.stage = count - 1
    document = last_shown(view, count - 1)
    assert len(document["ops"]["key"]) == len(document["ops"]["mark"])
    assert view.message == ""


def test_closing_while_it_reads(trace: wb.PassTrace, capsys: pytest.CaptureFixture[str]) -> None:
    view = wb.view(trace)
    view.stage = len(trace.stages) - 1
    view.close()
    view.close()
    assert view.wait(PATIENCE_S)
    assert view.message == ""
    assert capsys.readouterr().err == ""


def test_a_trace_that_is_closed_while_it_is_read_ahead(capfd: pytest.CaptureFixture[str]) -> None:
    taken = wb.trace(wb.sample("digits"))
    view = wb.view(taken)
    # Stages that changed are still to be read, in a thread.
    taken.close()
    taken.session.close()
    assert view.wait(PATIENCE_S)
    last = taken.changed[-1].index
    view._documents.clear()
    view.stage = last
    assert view.wait(PATIENCE_S)
    assert "the trace is closed" in view.message
    view.close()
    assert capfd.readouterr().err == ""


def test_it_can_show_something_else(view: GraphView) -> None:
    from workbench.ui.graph_sources import OneGraph

    view.stage = 2
    view.show(OneGraph(GRAPH))
    assert view.stage == 0 and len(view.stages) == 1
    assert types(shown(view)) == [op.type for op in GRAPH.ops]


# What is selected, and numbers on ops


def test_selected_ops() -> None:
    view = wb.view(GRAPH)
    view.selection = [1, 99, -1]
    assert view.selected_ops() == [GRAPH.ops[1]]
    view.close()


def test_numbers_on_ops() -> None:
    view = wb.view(GRAPH)
    view.overlay("latency", {1: 2, 2: np.float32(0.5), 0: float("nan")}, unit="ms")
    view.overlay("difference", {0: 1e-3}, combine="max")
    latency, difference = view.overlays
    assert latency == {
        "name": "latency",
        "unit": "ms",
        "combine": "sum",
        "keys": [1, 2],
        "values": [2.0, 0.5],
    }
    assert difference["combine"] == "max"
    assert view.colour_by == "overlay:difference"
    view.overlay("latency", {0: 1.0})
    assert [one["name"] for one in view.overlays] == ["latency", "difference"]
    json.dumps(view.overlays, allow_nan=False)
    view.close()


def test_numbers_by_op() -> None:
    view = wb.view(GRAPH)
    view.overlay("latency", {GRAPH.ops[1]: 2.0})
    assert view.overlays[0]["keys"] == [1]
    view.close()


def test_numbers_stay_with_their_ops_from_stage_to_stage(view: GraphView, trace: wb.PassTrace) -> None:
    last = len(trace.stages) - 1
    view.overlay("latency", {0: 1.0, 1: 2.0}, stage=last)
    assert view.overlays[0]["keys"] == list(trace.lineage.keys(last)[:2])


@pytest.mark.parametrize(
    ("name", "values", "more", "words"),
    [
        ("latency", {3: 1.0}, {}, "ops 0 to 2, not 3"),
        ("latency", {-1: 1.0}, {}, "ops 0 to 2, not -1"),
        ("latency", {0: 1.0}, {"combine": "mean"}, 'combine is "sum" or "max"'),
        ("", {0: 1.0}, {}, "needs a name"),
    ],
)
def test_wrong_numbers(name: str, values: dict[int, float], more: dict[str, str], words: str) -> None:
    view = wb.view(GRAPH)
    with pytest.raises(WorkbenchError, match=words):
        view.overlay(name, values, **more)  # type: ignore[arg-type]
    assert view.overlays == []
    view.close()


def test_numbers_on_a_stage_that_is_not_there(view: GraphView) -> None:
    for stage in (999, -1):
        with pytest.raises(WorkbenchError):
            view.overlay("latency", {0: 1.0}, stage=stage)


# Values of parameters


def check_histogram(array: np.ndarray, finite: np.ndarray) -> None:
    found = histogram(array)
    json.dumps(found, allow_nan=False)
    assert (found["count"], found["finite"]) == (array.size, finite.size)
    assert found["min"] == finite.min() and found["max"] == finite.max()
    assert found["mean"] == pytest.approx(finite.mean(), rel=1e-6)
    assert found["std"] == pytest.approx(finite.std(), rel=1e-6)
    assert found["zeros"] == np.count_nonzero(finite == 0)
    assert sum(found["counts"]) == finite.size
    assert len(found["edges"]) == len(found["counts"]) + 1 == 49
    for at, count in enumerate(found["counts"][:-1]):
        low, high = found["edges"][at : at + 2]
        assert count == np.count_nonzero((finite >= low) & (finite < high))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int32", "int64"])
def test_histograms(dtype: str) -> None:
    array = (np.random.default_rng(0).normal(size=(40, 25)) * 20).astype(dtype)
    check_histogram(array, array.reshape(-1).astype(np.float64))


def test_histograms_of_bools_and_of_what_is_not_finite() -> None:
    flags = np.arange(30).reshape(5, 6) % 3 == 0
    check_histogram(flags, flags.reshape(-1).astype(np.float64))
    numbers = np.array([np.nan, -1.0, np.inf, 0.0, 3.0, -np.inf], np.float32)
    check_histogram(numbers, np.array([-1.0, 0.0, 3.0]))


@pytest.mark.parametrize("array", [np.zeros((0, 3), np.float32), np.array([np.nan, np.inf])])
def test_a_histogram_of_no_values(array: np.ndarray) -> None:
    assert histogram(array) == {"count": array.size, "finite": 0}


@pytest.mark.parametrize(
    "numbers",
    [[1e308, -1e308], [1.7e308] * 3, [1.0, 1.0 + 2.3e-16], [0.0, 5e-324], [2**63 - 1, 2**63 - 1000], [7.0]],
)
def test_histograms_at_the_ends_of_what_numbers_there_are(numbers: list[float]) -> None:
    found = histogram(np.array(numbers))
    json.dumps(found, allow_nan=False)
    assert sum(found["counts"]) == len(numbers)
    assert len(found["edges"]) == len(found["counts"]) + 1


def asked(view: GraphView, content: Any) -> list[Any]:
    """What the view answers to a message of the page."""
    answers: list[Any] = []
    view.send = lambda content, buffers=None: answers.append(content)
    view._handle_custom_msg(content, [])
    return answers


def test_the_page_asks_for_a_histogram(view: GraphView) -> None:
    assert view._source is not None and view._source.model is not None
    name, array = next(iter(read_params(view._source.model).items()))
    (answer,) = asked(view, {"ask": "histogram", "name": name})
    assert (answer["answer"], answer["name"], answer["count"]) == ("histogram", name, array.size)
    assert answer["max"] == array.max() and sum(answer["counts"]) == answer["finite"]
    json.dumps(answer, allow_nan=False)


def test_bfloat16_values_are_read_from_their_bits(view: GraphView, monkeypatch: pytest.MonkeyPatch) -> None:
    assert view._source is not None and view._source.model is not None
    name = view._source.model.weights[0].name
    numbers = np.array([1.0, -2.5, 0.0, 96.0], np.float32)
    bits = (numbers.view(np.uint32) >> 16).astype(np.uint16)

    class Weight:
        dtype = "bfloat16"

    Weight.name = name  # type: ignore[attr-defined]

    class Known:
        weights = (Weight,)

    monkeypatch.setattr(view._source, "model", Known)
    monkeypatch.setattr("workbench.ui.graph_view.read_params", lambda model: {name: bits})
    (answer,) = asked(view, {"ask": "histogram", "name": name})
    assert (answer["min"], answer["max"], answer["mean"]) == (-2.5, 96.0, numbers.mean())


def test_a_histogram_that_cannot_be_made_is_answered_in_words(view: GraphView) -> None:
    (answer,) = asked(view, {"ask": "histogram", "name": "<script>"})
    assert "made by a pass" in answer["error"] and "counts" not in answer
    plain = wb.view(GRAPH)
    (answer,) = asked(plain, {"ask": "histogram", "name": "w"})
    assert "no model file" in answer["error"]
    plain.close()


@pytest.mark.parametrize("content", [None, [], "histogram", {}, {"ask": "other"}, {"answer": "histogram"}])
def test_other_messages_are_nothing_to_it(content: Any) -> None:
    view = wb.view(GRAPH)
    assert asked(view, content) == []
    view.close()


# Without a browser


def displayed(view: GraphView, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The outputs of a cell that shows the view."""
    outputs: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: outputs.append(data))
    view._ipython_display_()
    return outputs


WIDGET = "application/vnd.jupyter.widget-view+json"


def test_a_view_is_shown_with_a_picture_and_in_words(
    view: GraphView, trace: wb.PassTrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trace.changed[0]
    view.stage = first.index
    view.note = "a note"
    picture, widget = displayed(view, monkeypatch)
    assert WIDGET in widget and "text/plain" in picture
    lines = widget["text/plain"].splitlines()
    assert lines[1] == f"{len(first.graph.ops):,} ops after {first.pass_name}"
    assert lines[2] == "a note"
    root = ElementTree.fromstring(picture["image/svg+xml"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["id"] == view.still
    assert f"{len(first.graph.ops):,} ops" in "".join(root.itertext())
    view.stage = 0
    assert displayed(view, monkeypatch)[0] != picture


def test_a_graph_that_cannot_be_compared_is_still_shown(
    view: GraphView, monkeypatch: pytest.MonkeyPatch
) -> None:
    view.against = "999"
    (widget,) = displayed(view, monkeypatch)
    assert WIDGET in widget and "ops" in widget["text/plain"]


def test_hostile_titles_as_words() -> None:
    view = wb.view(GRAPH, title="\x1b[31m\u202eevil\ud800" + "x" * 100_000, note="<b>\n\0")
    bundle = view._repr_mimebundle_()
    assert bundle is not None
    text = bundle[0]["text/plain"]
    text.encode()
    assert not set(text) & set("\x1b\u202e\ud800\0")
    assert len(text) < 1000 and len(text.splitlines()) == 3
    view.close()


def test_the_page_has_every_stage_that_changed(view: GraphView, trace: wb.PassTrace, tmp_path: Path) -> None:
    view.against = "0"
    assert view.wait(PATIENCE_S)
    view.save_html(tmp_path / "graph.html")
    text = (tmp_path / "graph.html").read_text(encoding="utf-8")
    found = text.split('type="application/json">')[1].split("</script>")[0]
    data = json.loads(found)
    for stage in trace.changed:
        assert f"{stage.index} before" in data["documents"] and f"{stage.index} none" in data["documents"]
    assert "0 0" in data["documents"] and data["lineage"]
    assert data["state"]["against"] == "0" and "document" not in data["state"]
    with pytest.raises(WorkbenchError, match="cannot write"):
        view.save_html(tmp_path / "no" / "graph.html")
