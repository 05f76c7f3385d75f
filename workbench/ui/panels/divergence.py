"""Where the config shown and another one part, op by op."""

from __future__ import annotations

import threading

import ipywidgets as widgets

from workbench.tracing import PassTrace
from workbench.ui.controls import lines_html, words
from workbench.ui.panels.host import Host, Panel, show_figure
from workbench.ui.panels.reference import ENGINE, Reference
from workbench.verifying.divergence import Divergence, first_divergence

# The numbers that a comparison gives the ops of the graph.
_OVERLAY = "difference"
_NO_ENGINE = "the ops of the training engine cannot be looked at: compared with all passes and oneDNN off"


class DivergencePanel(Panel):
    """Finds the first op that differs by more than its inputs explain, and shows it on the graph.

    Attributes:
        divergence: the last comparison of the trace shown.
        row: what begins it.
        status: how far it is, and the answer.
        shown: where the chart is.
    """

    def __init__(self, host: Host, reference: Reference) -> None:
        self.divergence: Divergence | None = None
        self._host = host
        self._reference = reference
        button = widgets.Button(
            description="Where they part",
            icon="code-fork",
            layout=widgets.Layout(width="auto"),
            tooltip="Compare what the ops give, one by one, and find the first that differs",
        )
        button.on_click(lambda _: self.start())
        self.status = widgets.HTML()
        self.shown = widgets.Output()
        self.row = widgets.HBox((button,))

    def start(self) -> None:
        """Compare op by op on the inputs chosen; returns at once."""
        self._host.start("where they part", self._find, self.status)

    def trace_changed(self) -> None:
        """Forget it: it speaks of the ops of another graph."""
        if self.divergence is None:
            return
        self.divergence = None
        self.status.value = ""
        self.shown.outputs = ()
        self._host.graph.remove_overlay(_OVERLAY)

    def theme_changed(self) -> None:
        """Draw the chart anew."""
        if self.divergence is not None:
            show_figure(self.shown, self.divergence.chart(self._host.theme), str(self.divergence))

    def _find(self, cancel: threading.Event) -> None:
        against, inputs = self._reference.config(), self._host.inputs()
        # Its numbers are on the ops of this very graph.
        trace = self._host.traced(cancel)
        found = first_divergence(
            self._host.model,
            trace.config,
            against,
            inputs,
            progress=lambda share, text: self._host.tell(self.status, share, text),
            cancel=cancel,
        )
        self.divergence = found
        self._show_on_graph(found, trace)
        headline, *rest = str(found).splitlines()
        if self._reference.choice.value == ENGINE:
            rest.append(_NO_ENGINE)
        tone = "passed" if found.first is None else "failed"
        self.status.value = words(headline, tone=tone) + lines_html(rest)
        self.theme_changed()

    def _show_on_graph(self, found: Divergence, trace: PassTrace) -> None:
        ops, largest = trace[-1].graph.ops, dict[int, float]()
        for one in found.points:
            at = one.config.index
            # It has a trace of its own, without memory optimization, whose graph may be another one.
            if at < len(ops) and ops[at].type == one.config.type:
                largest[at] = max(one.difference, largest.get(at, 0.0))
        first = None if found.first is None else found.first.config.index
        if first not in largest:
            first = None
        self._host.show_on_graph(_OVERLAY, largest, "", trace, first, combine="max")
