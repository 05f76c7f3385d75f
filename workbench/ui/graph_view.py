"""`GraphView`: a graph after any pass, what changed and why. Its other half is in ``extensions/src``."""

from __future__ import annotations

import difflib
import math
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from traitlets import Bool, Bytes, Dict, Int, List, TraitError, Unicode, default, observe, validate

from workbench.errors import WorkbenchError
from workbench.ir import Graph, Op
from workbench.models import Model, load, read_params
from workbench.tracing import PassTrace, Stage
from workbench.ui._widgets import STATIC, Widget, display_with_picture
from workbench.ui.document import graph_document, lineage_document, packed
from workbench.ui.graph_sources import OneGraph, Source, Stages
from workbench.ui.jobs import Jobs
from workbench.ui.page import kept_as, write_page
from workbench.ui.picture import picture_svg, showable

HISTOGRAM_BINS = 48
_LINE_LIMIT = 300


class GraphView(Widget):
    """A graph drawn in the browser: flat or by layer, with what changed, from where, and any numbers on it.

    The traits below can be read, set and observed, from Python and from the page alike. The types on the
    other side: ``extensions/src/types.ts``.

    Args:
        source: what to show; empty until ``show`` is called.
        **traits: the traits to start with, such as ``mode="layers"`` or ``stage=6``.
    """

    _esm = STATIC / "graph_view.js"

    document = Bytes(b"", help="The graph shown, packed; set by Python.").tag(sync=True)
    lineage = Bytes(b"", help="What became of the ops through the passes, packed; set by Python.").tag(
        sync=True
    )
    shown = Dict(help="The stage the document is of, and what it is compared with; set by Python.").tag(
        sync=True
    )
    stages = List(Dict(), help="One dict per stage: index, pass, changed, lowered.").tag(sync=True)
    other_stages = List(Dict(), help="The same of the other trace, if there is one.").tag(sync=True)
    stage = Int(0, help="Number of the stage shown; 0 is the model before any pass.").tag(sync=True)
    against = Unicode(
        "before",
        help='What it is compared with: "before" (the graph its pass was given), "none", the number of '
        'another stage ("3"), or a stage of the other trace ("other:3").',
    ).tag(sync=True)
    selection = List(Int(), help="Indices of the selected ops in the graph shown.").tag(sync=True)
    selection_before = List(Int(), help="Indices of selected removed ops in the graph before.").tag(sync=True)
    query = Unicode("", help="What is searched for, such as `type:conv shape:64x56`.").tag(sync=True)
    found = List(Int(), help="Indices of the ops that the query finds; set by the page.").tag(sync=True)
    only = List(Int(), help="Indices of the ops to show alone; empty for all.").tag(sync=True)
    mode = Unicode("auto", help="`flat`, `layers`, or `auto`: layers where flat is too much.").tag(sync=True)
    open_blocks = List(Unicode(), help="Paths of the blocks that are open, by layer.").tag(sync=True)
    colour_by = Unicode(
        "mark", help="`mark`, `type`, `layer`, `backend`, `dtype`, `pass`, or `overlay:NAME`."
    ).tag(sync=True)
    overlays = List(Dict(), help="Numbers on ops: name, unit, combine, keys, values; see `overlay`.").tag(
        sync=True
    )
    fade = Bool(False, help="Unchanged parts step back.").tag(sync=True)
    show_parameters = Bool(False, help="Weights and constants as nodes of their own.").tag(sync=True)
    title = Unicode("", help="What is shown, in a few words.").tag(sync=True)
    note = Unicode("", help="A line above the graph.").tag(sync=True)
    message = Unicode("", help="What went wrong last, or empty.").tag(sync=True)
    busy = Bool(False, help="Python is reading the graph asked for.").tag(sync=True)
    choose_stage = Bool(True, help="Whether the view offers the stages itself.").tag(sync=True)
    still = Unicode(help="Id of the picture that stands for the view where there is no kernel.").tag(
        sync=True
    )
    theme = Unicode("", help="`dark` or `light`, as the page has it; set by the page.").tag(sync=True)
    height = Int(520, help="Height of the drawing in pixels.").tag(sync=True)

    def __init__(self, source: Source | None = None, **traits: Any) -> None:
        self._source: Source | None = None
        self._documents: dict[tuple[int, str], bytes] = {}
        self._reading = threading.RLock()
        self._history_read = 0
        self._overlaid: dict[str, dict[str, Any]] = {}
        self._jobs = Jobs(self._working, self._failed)
        super().__init__(**traits)
        self.on_msg(self._asked)
        if source is not None:
            self.show(source)

    # What is shown

    def show(self, source: Source, *, stage: int | None = None) -> None:
        """Show something else; returns when it is shown.

        Args:
            source: what to show.
            stage: the stage to begin with; the one shown now without.

        Raises:
            WorkbenchError: if a graph cannot be read.
        """
        with self._reading:
            self._source = source
            self._documents.clear()
            self._history_read = 0
        stages = source.stages()
        with self.hold_sync():
            self.stages = stages
            self.other_stages = source.other_stages()
            self.stage = min(max(0, self.stage if stage is None else stage), len(stages) - 1)
            self._display()
        self._prepare()

    def overlay(
        self,
        name: str,
        values: Mapping[int, float] | Mapping[Op, float] | Mapping[int | Op, float],
        *,
        unit: str = "",
        stage: int | None = None,
        combine: str = "sum",
    ) -> None:
        """Give ops a number each and colour them by it; it stays with the ops from stage to stage.

        Args:
            name: what the numbers are, such as "latency".
            values: op, or its index, to a number. NaN and infinite ones are left out.
            unit: such as "ms".
            stage: the stage whose ops they are; the one shown without.
            combine: what a closed block shows of its ops: "sum", or "max" for the largest by size.

        Raises:
            WorkbenchError: if there is no such stage or op, or ``combine`` is unknown.
        """
        if combine not in ("sum", "max"):
            raise WorkbenchError(f'combine is "sum" or "max", not {combine!r}')
        source = self._shown_source()
        at = self.stage if stage is None else stage
        if not 0 <= at < len(self.stages):
            raise WorkbenchError(f"there are stages 0 to {len(self.stages) - 1}, not {at}")
        keys = source.shown(at, "none").key
        ops = source.graph(at).ops
        found: dict[int, float] = {}
        for op, value in values.items():
            index = op.index if isinstance(op, Op) else op
            if not isinstance(index, (int, np.integer)) or not 0 <= index < len(ops):
                raise WorkbenchError(f"stage {at} has ops 0 to {len(ops) - 1}, not {index!r}")
            if isinstance(op, Op) and op != ops[index]:
                raise WorkbenchError(f"{op.type} {index} is an op of another stage than {at}: give its stage")
            if not isinstance(value, (int, float, np.number)):
                raise WorkbenchError(f"op {index} has {value!r} for a number")
            if math.isfinite(value):
                found[keys[index]] = float(value)
        if not name:
            raise WorkbenchError("an overlay needs a name, such as 'latency'")
        self._overlaid[name] = {
            "name": name,
            "unit": unit,
            "combine": combine,
            "keys": list(found),
            "values": list(found.values()),
        }
        with self.hold_sync():
            self.overlays = list(self._overlaid.values())
            self.colour_by = f"overlay:{name}"

    def remove_overlay(self, name: str) -> None:
        """Take the numbers of this name off again, if there are any."""
        if self._overlaid.pop(name, None) is None:
            return
        with self.hold_sync():
            if self.colour_by == f"overlay:{name}":
                self.colour_by = "mark"
            self.overlays = list(self._overlaid.values())

    def graph(self) -> Graph:
        """The graph shown."""
        return self._shown_source().graph(self.stage)

    def selected_ops(self) -> list[Op]:
        """The selected ops of the graph shown."""
        ops = self.graph().ops
        return [ops[index] for index in self.selection if 0 <= index < len(ops)]

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until what was asked for is shown; False if it takes longer."""
        return self._jobs.wait(seconds)

    def to_html(self) -> str:
        """The view as one HTML page that needs no kernel and no network, with every stage that changed.

        Raises:
            WorkbenchError: if nothing is shown.
        """
        source = self._shown_source()
        keys = [(stage, against) for stage in range(len(source.passes)) for against in ("before", "none")]
        documents = {
            kept_as(self.stages, *key): self._document(*key) for key in [(self.stage, self.against), *keys]
        }
        history = source.lineage()
        lineage = b"" if history is None else packed(lineage_document(history, source.passes))
        state = {
            name: getattr(self, name) for name in self.trait_names(sync=True) if not name.startswith("_")
        }
        state = {name: value for name, value in state.items() if _is_plain(value)}
        return write_page(self.title or "graph", state, documents, lineage, self.picture())

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write `to_html` to a file.

        Raises:
            WorkbenchError: if the file cannot be written.
        """
        try:
            Path(path).write_text(self.to_html(), encoding="utf-8")
        except OSError as error:
            raise WorkbenchError(f"cannot write {path}: {error.strerror}; choose another place") from None

    def picture(self) -> str:
        """The graph shown as the text of an SVG file: by layer and closed where flat is too much to read."""
        source = self._shown_source()
        return picture_svg(source.shown(self.stage, self.against), title=self.title)

    def close(self) -> None:
        """Stop reading and close the widget."""
        with self._reading:
            self._source = None
        self._jobs.drop_waiting()
        super().close()

    def _shown_source(self) -> Source:
        if self._source is None:
            raise WorkbenchError("nothing is shown yet: give the view a graph or a trace")
        return self._source

    # Reading, in a thread of its own

    @default("still")
    def _fresh_still(self) -> str:
        return f"pwb-still-{uuid.uuid4().hex}"

    @validate("stage")
    def _known_stage(self, proposal: dict[str, Any]) -> int:
        stage = int(proposal["value"])
        if self.stages and not 0 <= stage < len(self.stages):
            raise TraitError(f"there are stages 0 to {len(self.stages) - 1}, not {stage}")
        return stage

    @validate("mode")
    def _known_mode(self, proposal: dict[str, Any]) -> str:
        return _one_of("mode", str(proposal["value"]), ("auto", "flat", "layers"))

    @validate("colour_by")
    def _known_colour(self, proposal: dict[str, Any]) -> str:
        known = ("mark", "type", "layer", "backend", "dtype", "pass")
        value = str(proposal["value"])
        return (
            value if value.startswith("overlay:") else _one_of("colour_by", value, (*known, "overlay:NAME"))
        )

    @observe("stage", "against")
    def _stage_chosen(self, _: object) -> None:
        if self._source is not None and self._jobs is not None:
            self._jobs.start("show", self._display)

    def _display(self) -> None:
        with self._reading:
            if self._source is None:
                return
            fresh = self._document(self.stage, self.against)
            history = self._source.lineage()
            with self.hold_sync():
                self.message = ""
                self.shown = {"stage": self.stage, "against": self.against}
                self.document = fresh
                if history is not None and len(history.so_far) != self._history_read:
                    self._send_history()

    def _send_history(self) -> None:
        source = self._shown_source()
        history = source.lineage()
        if history is not None:
            self._history_read = len(history.so_far)
            self.lineage = packed(lineage_document(history, source.passes))

    def _document(self, stage: int, against: str) -> bytes:
        with self._reading:
            stage, against = kept_as(self.stages, stage, against)
            known = self._documents.get((stage, against))
            if known is None:
                shown = self._shown_source().shown(stage, against)
                document = {"stage": stage, "against": against, **graph_document(shown)}
                known = self._documents[stage, against] = packed(document)
            return known

    def _prepare(self) -> None:
        """Read the stages that changed ahead of a click, one at a time, so that a click comes first."""
        self._jobs.start("prepare", self._prepare_one)

    def _prepare_one(self) -> None:
        with self._reading:
            source = self._source
            if source is None or len(source.passes) < 2:
                return
            waiting = [
                stage["index"]
                for stage in self.stages
                if (stage["changed"] or stage["lowered"])
                and (stage["index"], "before") not in self._documents
            ]
            if not waiting:
                self._send_history()
                return
            self._document(waiting[0], "before")
        self._prepare()

    def _working(self, busy: bool) -> None:
        self.busy = busy

    def _failed(self, kind: str, text: str) -> None:
        # What was only read ahead is read again when it is asked for, and said then.
        if kind == "show" and self._source is not None:
            self.message = text

    # Answers to the page

    def _asked(self, _: object, content: Any, buffers: Sequence[Any]) -> None:
        if not isinstance(content, dict) or content.get("ask") != "histogram":
            return
        name = str(content.get("name"))
        answer: dict[str, Any] = {"answer": "histogram", "name": name}
        try:
            answer.update(histogram(self._parameter(name)))
        except WorkbenchError as error:
            answer["error"] = str(error)
        self.send(answer)

    def _parameter(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        model = None if self._source is None else self._source.model
        if model is None:
            raise WorkbenchError("this graph has no model file: its values cannot be read")
        found = {info.name: info for info in model.weights}.get(name)
        if found is None:
            raise WorkbenchError(f"{name} was made by a pass: its values are in no file")
        array = read_params(model)[name]
        if found.dtype == "bfloat16":
            return (array.astype(np.uint32) << 16).view(np.float32)
        if str(found.dtype).startswith("float8"):
            raise WorkbenchError(f"{name} is {found.dtype}, which numpy cannot read")
        return array

    # In places that show no widgets

    def _text(self) -> str:
        if self._source is None:
            return "no graph"
        try:
            count = f"{len(self.graph().ops):,} ops"
        except WorkbenchError as error:
            count = str(error)
        where = self.stages[self.stage] if self.stage < len(self.stages) else {}
        name = where.get("pass")
        lines = [self.title, count + (f" after {name}" if name else ""), self.note]
        # A terminal obeys control characters, and a notebook cannot be saved with half a character in it.
        return "\n".join(showable(line, _LINE_LIMIT) for line in lines if line)

    def _ipython_display_(self) -> None:
        try:
            picture = self.picture() if self._source is not None else ""
        except WorkbenchError:
            # What cannot be read is said in the view itself, which is shown all the same.
            picture = ""
        display_with_picture(self, picture, self.still)


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise TraitError(f"{name} is one of {', '.join(known)}, not {value!r}")
    return value


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str, list))


def histogram(array: np.ndarray[Any, np.dtype[Any]]) -> dict[str, Any]:
    """What a parameter's values look like.

    Args:
        array: any shape, numbers or bools.

    Returns:
        count, finite (how many are), min, max, mean, std, zeros, and of the finite values edges and counts
        (one fewer than edges); min to counts are missing where no value is finite.
    """
    flat = np.asarray(array).reshape(-1)
    if flat.dtype == np.bool_:
        flat = flat.astype(np.uint8)
    if flat.dtype.kind == "c":
        flat = np.abs(flat)
    finite = flat[np.isfinite(flat)].astype(np.float64, copy=False)
    facts: dict[str, Any] = {"count": int(flat.size), "finite": int(finite.size)}
    if finite.size:
        counts, edges = _bins(finite)
        # The sum of the squares of very large numbers is infinite.
        scale = max(1.0, float(np.abs(finite).max()) * 1e-100)
        scaled = finite / scale
        facts.update(
            min=float(finite.min()),
            max=float(finite.max()),
            mean=float(scaled.mean()) * scale,
            std=float(scaled.std()) * scale,
            zeros=int((finite == 0).sum()),
            counts=counts.tolist(),
            edges=edges.tolist(),
        )
    return facts


def _bins(finite: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Counts and edges; one bin for all where numbers are too close, or too far apart, for more."""
    low, high = float(finite.min()), float(finite.max())
    room = 0.5 if low == high else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        between = np.linspace(low - room, high + room, HISTOGRAM_BINS + 1)
        distinct = bool((np.diff(between) > 0).all()) and bool(np.isfinite(between).all())
    if not distinct:
        return np.array([finite.size]), np.array([low, high])
    return np.histogram(finite, bins=between)


Viewable = Graph | PassTrace | Stage | Model | str | os.PathLike[str]


def view(what: Viewable, against: Viewable | None = None, **traits: Any) -> GraphView:
    """A graph in the notebook, alone or against another one.

    Args:
        what: a graph; a trace, with all its stages; one stage; or a model or its path, shown as it was saved.
        against: what to compare it with: another graph, trace, stage or model. Two traces are compared stage
            by stage, beginning with the last of each. For a trace also the words of the trait of this name.
        **traits: traits of `GraphView` to start with, such as ``mode="layers"``, ``height=700``.

    Returns:
        The widget.

    Raises:
        WorkbenchError: if a model's files are missing or damaged, or a name is no trait.
    """
    known = GraphView.class_trait_names(sync=True)
    for name in traits:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "see GraphView for what it has"
            raise WorkbenchError(f"a graph view has no {name!r}: {hint}")
    try:
        return _view(what, against, traits)
    except TraitError as error:
        raise WorkbenchError(str(error)) from None


def _view(what: Viewable, against: Viewable | None, traits: dict[str, Any]) -> GraphView:
    if isinstance(what, PassTrace):
        start: dict[str, Any] = {"title": what.session.model.name}
        if isinstance(against, str) and (against in ("before", "none") or against.isdecimal()):
            start["against"], against = against, None
        if against is not None and not isinstance(against, PassTrace):
            source: Source = OneGraph(what.stages[-1].graph, _graph_of(against), what.session.model)
            return GraphView(source, **{**start, **traits})
        if against is not None:
            start.update(stage=len(what.stages) - 1, against=f"other:{len(against.stages) - 1}")
        start.update(traits)
        if not 0 <= start.get("stage", 0) < len(what.stages):
            raise WorkbenchError(f"there are stages 0 to {len(what.stages) - 1}, not {start['stage']}")
        return GraphView(Stages(what, against), **start)
    if isinstance(what, Stage) and against is None:
        against = what.before if what.changed else None
    model = None if isinstance(what, (Graph, Stage)) else _model_of(what)
    graph = _graph_of(what if model is None else model)
    source = OneGraph(graph, None if against is None else _graph_of(against), model)
    return GraphView(source, **{"title": model.name if model else "", "choose_stage": False, **traits})


def _model_of(what: Viewable) -> Model:
    if isinstance(what, (str, os.PathLike)):
        return load(what)
    if isinstance(what, Model):
        return what
    kinds = "a graph, a trace, a stage, a model or the path of one"
    raise WorkbenchError(f"view shows {kinds}, not {type(what).__name__}")


def _graph_of(what: Viewable) -> Graph:
    if isinstance(what, Graph):
        return what
    if isinstance(what, PassTrace):
        return what.stages[-1].graph
    return what.graph if isinstance(what, Stage) else _model_of(what).graph()
