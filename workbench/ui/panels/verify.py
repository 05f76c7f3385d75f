"""All that asks which change made it wrong, one below the other."""

from __future__ import annotations

import ipywidgets as widgets

from workbench.ui.panels.bisection import BisectionPanel
from workbench.ui.panels.divergence import DivergencePanel
from workbench.ui.panels.host import Host, Panel
from workbench.ui.panels.outputs import OutputsPanel
from workbench.ui.panels.reference import Reference


class VerifyPanel(Panel):
    """Compares outputs, finds where two configs part, and the passes that do it.

    Attributes:
        reference: what they are compared with.
        outputs: the outputs, beside those expected.
        divergence: the first op that differs.
        bisection: the guilty passes.
        shown: all of it.
    """

    def __init__(self, host: Host) -> None:
        self.reference = Reference(host)
        self.outputs = OutputsPanel(host, self.reference)
        self.divergence = DivergencePanel(host, self.reference)
        self.bisection = BisectionPanel(host, self.reference)
        parts = (self.outputs, self.divergence, self.bisection)
        apart = widgets.Layout(margin="10px 0 0 0")
        boxes = [widgets.VBox((one.row, one.status, one.shown), layout=apart) for one in parts]
        self.shown = widgets.VBox((self.reference, *boxes))

    def trace_changed(self) -> None:
        """Forget what was said of the ops shown."""
        self.divergence.trace_changed()

    def trace_failed(self) -> None:
        """Offer to find the pass that the predictor cannot be created with."""
        self.bisection.trace_failed()

    def theme_changed(self) -> None:
        """Draw the chart anew."""
        self.divergence.theme_changed()
