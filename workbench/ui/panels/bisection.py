"""The smallest set of passes that makes a check fail, and the way around it."""

from __future__ import annotations

import html
import threading
from typing import Any

import ipywidgets as widgets

from workbench.bench.ablation.looking import registered
from workbench.ui.controls import lines_html, table_html, words
from workbench.ui.panels.host import Host, Panel
from workbench.ui.panels.reference import Reference
from workbench.verifying.bisection import Bisection, bisect
from workbench.verifying.sources import TRAINING, source_of

# A Dropdown's values are the words it shows.
CRASH = "a crash or an error"
_CHECKS = {"outputs differ": "output", CRASH: "crash", "it is slower": "latency"}


class BisectionPanel(Panel):
    """Switches passes off until the guilty ones are known.

    Attributes:
        bisection: the last result.
        row: what begins it.
        check: what is wrong, in words.
        factor: for latency, the ratio to all passes off that is still right.
        status: how far it is, and the answer.
        shown: what was found.
        show_it: selects a guilty pass.
        switch_off: follows the config that avoids it.
    """

    def __init__(self, host: Host, reference: Reference) -> None:
        self.bisection: Bisection | None = None
        self._host = host
        self._reference = reference
        self._next = 0
        slim, style = widgets.Layout(width="auto"), {"description_width": "initial"}
        button = widgets.Button(
            description="Find the pass",
            icon="search",
            layout=slim,
            tooltip="Switch passes off until it is known which of them do it",
        )
        self.check = widgets.Dropdown(
            options=list(_CHECKS), description="that makes", style=style, layout=widgets.Layout(width="230px")
        )
        self.factor = widgets.BoundedFloatText(
            value=1.1,
            min=1.0,
            max=1000.0,
            step=0.1,
            description="by a factor of",
            style=style,
            layout=widgets.Layout(width="170px", display="none"),
        )
        self.show_it = widgets.Button(
            description="Show it",
            icon="eye",
            layout=slim,
            tooltip="Select the pass in the list and the graph",
        )
        self.switch_off = widgets.Button(
            description="Switch it off",
            icon="toggle-off",
            layout=slim,
            tooltip="Follow the config that avoids it",
        )
        self.row = widgets.HBox(
            (button, self.check, self.factor),
            layout=widgets.Layout(align_items="center", flex_flow="row wrap"),
        )
        self.status = widgets.HTML()
        self._buttons = widgets.HBox((self.show_it, self.switch_off), layout=widgets.Layout(display="none"))
        self._details = widgets.HTML()
        self._remark = widgets.HTML()
        self.shown = widgets.VBox((self._buttons, self._remark, self._details))
        button.on_click(lambda _: self.start())
        self.check.observe(self._check_chosen, "value")
        self.show_it.on_click(lambda _: self._show_pass())
        self.switch_off.on_click(lambda _: self._avoid())

    def start(self) -> None:
        """Look for the passes that make the check chosen fail; returns at once."""
        self._host.start("find the pass", self._find, self.status)

    def trace_failed(self) -> None:
        """Have the check ready that fits."""
        self.check.value = CRASH

    def _check_chosen(self, _: object) -> None:
        self.factor.layout.display = None if _CHECKS[self.check.value] == "latency" else "none"

    def _find(self, cancel: threading.Event) -> None:
        check, config, inputs = _CHECKS[self.check.value], self._host.config(), self._host.inputs()
        more: dict[str, Any] = {}
        if check == "output":
            source = self._reference.source()
            if source == TRAINING:
                self._host.tell(self.status, 0.0, "running the training engine")
                engine = source_of(source, self._host.model, config)
                try:
                    source = engine.run(inputs)
                finally:
                    engine.close()
            more = {"against": source, "tolerance": self._reference.tolerance()}
        elif check == "latency":
            more = {"factor": self.factor.value}
        found = bisect(
            self._host.model,
            config,
            check,  # type: ignore[arg-type]
            inputs,
            progress=lambda share, text: self._host.tell(self.status, share, text),
            cancel=cancel,
            **more,
        )
        self.bisection, self._next = found, 0
        self._show(found)

    def _show(self, found: Bisection) -> None:
        answer, *rest = str(found).splitlines()
        tone = "passed" if found.state == "does not fail" else "failed"
        self.status.value = words(answer, tone=tone)
        self._remark.value = ""
        rows = [
            [str(probe["probe"]), f"{probe['on']} on", probe["verdict"], html.escape(probe["words"])]
            for probe in found.facts()["probes"]
        ]
        table = table_html(("probe", "passes", "the check", "why"), rows)
        self._details.value = (
            lines_html(rest)
            + "".join(words(text, tone="notice") for text in found.notices)
            + f"<details><summary>every probe</summary>{table}</details>"
        )
        self._buttons.layout.display = None if found.guilty else "none"
        self.switch_off.disabled = found.avoid is None

    def _show_pass(self) -> None:
        """Select a guilty pass; of several, the next one each time."""
        if self.bisection is None or not self.bisection.guilty:
            return
        name = self.bisection.guilty[self._next % len(self.bisection.guilty)]
        self._next += 1
        trace = self._host.shown()
        stages = [] if trace is None else [one for one in trace if registered(one.pass_name) == name]
        if not stages:
            self._remark.value = words(
                f"{name} is in no trace that is shown: it is off, or no predictor comes out of it",
                tone="notice",
            )
            return
        self._remark.value = ""
        self._host.select(next((one for one in stages if one.changed), stages[0]).index)

    def _avoid(self) -> None:
        if self.bisection is not None and self.bisection.avoid is not None:
            self._host.set_config(self.bisection.avoid)
