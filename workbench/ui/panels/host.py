"""What a panel has of the workbench around it, and what the workbench tells its panels."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import WorkbenchError
from workbench.models import Model
from workbench.tracing import PassTrace
from workbench.ui.graph_view import GraphView

# How long the graph may take to be read before an op in it is selected.
GRAPH_WAIT_S = 30.0

Work = Callable[[threading.Event], object]


@dataclass(frozen=True)
class Host:
    """All that a panel may ask of the workbench.

    Attributes:
        model: the model.
        graph: the view of the graph.
        config: gives the config shown.
        set_config: shows another config and traces it.
        first: gives the config that was run first, if any was.
        inputs: gives the inputs chosen; raises `InputError` for those that cannot be read.
        session: gives the session of the config shown; for jobs.
        shown: gives the trace shown, which may be of the config before; None if there is none.
        traced: gives the trace of the config shown, and takes it if there is none; for jobs.
        select: selects the stage of this number in the list of passes, and so in the graph.
        cancel: stops the work under way.
        start: has work done by and by, beside the kernel's main thread: its kind, the work, which is given an
            event to stop at, and the line that its errors go to.
        tell: shows how far work is: the line, the share done and the words.
    """

    model: Model
    graph: GraphView
    config: Callable[[], InferenceConfig]
    set_config: Callable[[InferenceConfig], None]
    first: Callable[[], InferenceConfig | None]
    inputs: Callable[[], Mapping[str, Any]]
    session: Callable[[], Session]
    shown: Callable[[], PassTrace | None]
    traced: Callable[[threading.Event], PassTrace]
    select: Callable[[int], None]
    cancel: Callable[[], None]
    start: Callable[[str, Work, widgets.HTML], None]
    tell: Callable[[widgets.HTML, float, str], None]

    @property
    def theme(self) -> str:
        """`light` or `dark`, as the page is."""
        return str(self.graph.theme) or "light"

    def show_on_graph(
        self,
        name: str,
        values: Mapping[int, float],
        unit: str,
        trace: PassTrace,
        first: int | None,
        *,
        combine: str = "sum",
    ) -> None:
        """Give the ops of the last graph a number each, and have one of them selected and in sight."""
        last = len(trace) - 1
        self.graph.overlay(name, values, unit=unit, stage=last, combine=combine)
        self.select(last)
        # The last graph may lie elsewhere than the one before.
        self.graph.wait(GRAPH_WAIT_S)
        self.graph.selection = [] if first is None else [first]


class Panel:
    """A part below the graph; what the workbench tells it is for those that it concerns."""

    def trace_changed(self) -> None:
        """The graph shown is, or will soon be, another: what was said of its ops holds no more."""

    def trace_failed(self) -> None:
        """No predictor comes out of the config shown."""

    def theme_changed(self) -> None:
        """The page is light or dark now."""

    def forget(self) -> None:
        """A person wants to begin anew."""


class WorkPanel(Panel):
    """A panel for one kind of work: what begins it, below that how far it is and the answer, then the rest.

    Args:
        host: the workbench around it.
        kind: of the work, for the line that says what it waits for.
        begin: the button that begins it, as `button` takes it.
        shown: where what was found goes.
        beside: controls beside the button.

    Attributes:
        row: what begins it.
        status: how far it is, and the answer.
        shown: what was found.
    """

    def __init__(
        self,
        host: Host,
        kind: str,
        begin: tuple[str, str, str],
        shown: widgets.Widget,
        beside: Iterable[widgets.Widget] = (),
    ) -> None:
        self._host = host
        self._kind = kind
        self.row = row(button(*begin, self.start), *beside)
        self.status = widgets.HTML()
        self.shown = shown

    def start(self) -> None:
        """Begin with what is chosen now; returns at once."""
        # Beside an error or a cancel, the answer to the question before would be taken for one to this.
        self.clear()
        self._host.start(self._kind, self._work, self.status)

    def clear(self) -> None:
        """Forget the answer."""
        raise NotImplementedError

    def _work(self, cancel: threading.Event) -> None:
        raise NotImplementedError

    def _tell(self, share: float, text: str) -> None:
        self._host.tell(self.status, share, text)


def to_the_pass(error: Exception) -> WorkbenchError:
    """What is said of a config that is refused, dies or hangs, with what finds the pass that may do it."""
    return WorkbenchError(f"{error}; if a pass does it, “Find the pass” under Verify tells which")


def button(description: str, icon: str, tooltip: str, pressed: Callable[[], object]) -> widgets.Button:
    """A button as wide as its words."""
    made = widgets.Button(
        description=description, icon=icon, tooltip=tooltip, layout=widgets.Layout(width="auto")
    )
    made.on_click(lambda _: pressed())
    return made


def wrapped(text: str) -> str:
    """A cell of many words, as HTML: it takes more lines before its table scrolls sideways."""
    style = "display:inline-block; min-width:12em; white-space:normal; overflow-wrap:anywhere"
    return f"<span style='{style}'>{html.escape(text)}</span>"


def row(*controls: widgets.Widget) -> widgets.HBox:
    """Controls beside each other, on several lines where there is no room."""
    return widgets.HBox(controls, layout=widgets.Layout(align_items="center", flex_flow="row wrap"))


def show_figure(place: widgets.Output, figure: Any, text: str) -> None:
    """Show a plotly figure, with the same in words for a place that draws none."""
    data = {"application/vnd.plotly.v1+json": json.loads(figure.to_json()), "text/plain": text}
    # Set at once: clearing an Output first makes the page jump.
    place.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
