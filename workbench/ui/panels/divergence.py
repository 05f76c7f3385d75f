"""Where the config shown and another one part, op by op."""

from __future__ import annotations

import threading

import ipywidgets as widgets

from workbench.tracing import PassTrace
from workbench.ui.controls import lines_html, words
from workbench.ui.panels.host import Host, WorkPanel, show_figure
from workbench.ui.panels.reference import Reference
from workbench.verifying.divergence import Divergence, first_divergence

# The numbers that a comparison gives the ops of the graph.
_OVERLAY = "difference"
_BEGIN = (
    "Where they part",
    "code-fork",
    "Compare what the ops give, one by one, and find the first that differs",
)


class DivergencePanel(WorkPanel):
    """Finds the first op that differs by more than its inputs explain, and shows it on the graph.

    Attributes:
        divergence: the last comparison of the trace shown.
    """

    def __init__(self, host: Host, reference: Reference) -> None:
        self.divergence: Divergence | None = None
        self._reference = reference
        super().__init__(host, "where they part", _BEGIN, widgets.Output())

    def clear(self) -> None:
        """Forget the comparison, and take its numbers off the graph."""
        self.status.value = ""
        if self.divergence is not None:
            self.divergence = None
            self.shown.outputs = ()
            self._host.graph.remove_overlay(_OVERLAY)

    def trace_changed(self) -> None:
        """Forget it: it speaks of the ops of another graph."""
        if self.divergence is not None:
            self.clear()

    def theme_changed(self) -> None:
        """Draw the chart anew."""
        if self.divergence is not None:
            show_figure(self.shown, self.divergence.chart(self._host.theme), str(self.divergence))

    def _work(self, cancel: threading.Event) -> None:
        expected, tolerance, inputs = self._reference.ops(), self._reference.tolerance(), self._host.inputs()
        # Its numbers are on the ops of this very graph.
        trace = self._host.traced(cancel)
        found = first_divergence(
            self._host.model,
            trace.config,
            expected.config,
            inputs,
            other=expected.other,
            tolerance=None if tolerance is None else tolerance[1],
            progress=self._tell,
            cancel=cancel,
        )
        self.divergence = found
        self._show_on_graph(found, trace)
        headline, *rest = str(found).splitlines()
        remark = words(expected.remark, tone="notice")
        tone = "passed" if found.first is None else "failed"
        self.status.value = words(headline, tone=tone) + lines_html(rest) + remark
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
