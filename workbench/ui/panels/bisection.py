"""The smallest set of passes that makes a check fail, and the way around it."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets

from workbench.bench.ablation.looking import registered
from workbench.ui.controls import lines_html, table_html, words
from workbench.ui.panels.host import Host, WorkPanel, button, row, wrapped
from workbench.ui.panels.reference import Reference
from workbench.verifying.bisection import Bisection, bisect

# A Dropdown's values are the words it shows.
CRASH = "a crash or an error"
_BEGIN = ("Find the pass", "search", "Switch passes off until it is known which of them do it")
_CHECKS = {"outputs differ": "output", CRASH: "crash", "it is slower": "latency"}


class BisectionPanel(WorkPanel):
    """Switches passes off until the guilty ones are known.

    Attributes:
        bisection: the last result.
        check: what is wrong, in words.
        factor: for latency, the ratio to all passes off that is still right.
        show_it: selects a guilty pass.
        use_it: follows the config that avoids it.
    """

    def __init__(self, host: Host, reference: Reference) -> None:
        self.bisection: Bisection | None = None
        self._reference = reference
        self._next = 0
        style = {"description_width": "initial"}
        self.check = widgets.Dropdown(
            options=list(_CHECKS),
            description="what is wrong",
            style=style,
            layout=widgets.Layout(width="250px"),
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
        self.show_it = button("Show it", "eye", "Select the pass in the list and the graph", self._show_pass)
        self.use_it = button(
            "Use the config that avoids it", "toggle-off", "Trace and run with that from here on", self._use
        )
        self._buttons = row(self.show_it, self.use_it)
        self._buttons.layout.display = "none"
        self._remark, self._details = widgets.HTML(), widgets.HTML()
        shown = widgets.VBox((self._buttons, self._remark, self._details))
        super().__init__(host, "find the pass", _BEGIN, shown, (self.check, self.factor))
        self.check.observe(self._check_chosen, "value")

    def clear(self) -> None:
        """Forget the passes; a search with the same choices finds again what it tried."""
        self.bisection = None
        self.status.value = self._remark.value = self._details.value = ""
        self._buttons.layout.display = "none"

    def trace_failed(self) -> None:
        """Have the check ready that fits."""
        self.check.value = CRASH

    def _check_chosen(self, _: object) -> None:
        self.factor.layout.display = None if _CHECKS[self.check.value] == "latency" else "none"

    def _work(self, cancel: threading.Event) -> None:
        check, config, inputs = _CHECKS[self.check.value], self._host.config(), self._host.inputs()
        more: dict[str, Any] = {}
        if check == "output":
            tolerance = self._reference.tolerance()
            more = {
                "against": self._reference.outputs(inputs, self._tell, cancel),
                "tolerance": tolerance,
            }
        elif check == "latency":
            more = {"factor": self.factor.value}
        found = bisect(
            self._host.model,
            config,
            check,  # type: ignore[arg-type]
            inputs,
            progress=self._tell,
            cancel=cancel,
            **more,
        )
        self.bisection, self._next = found, 0
        self._show(found)

    def _show(self, found: Bisection) -> None:
        answer, *rest = str(found).splitlines()
        tone = "passed" if found.state == "does not fail" else "failed"
        self.status.value = words(answer, tone=tone)
        self._details.value = (
            lines_html(rest)
            + "".join(words(text, tone="notice") for text in found.notices)
            + f"<details><summary>every probe</summary>{_table(found)}</details>"
        )
        self._buttons.layout.display = None if found.guilty else "none"
        self.use_it.disabled = found.avoid is None

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

    def _use(self) -> None:
        if self.bisection is not None and self.bisection.avoid is not None:
            self._host.set_config(self.bisection.avoid)


def _table(found: Bisection) -> str:
    """The probes; most fail in the same many words, which are said once."""
    said: dict[str, int] = {}
    rows = []
    for one in found.probes:
        told = one.telling.words
        first = said.setdefault(told, one.number)
        why = told if first == one.number or one.verdict == "passes" else f"as probe {first}"
        rows.append([str(one.number), f"{len(one.on)} on", one.verdict, wrapped(why)])
    return table_html(("probe", "passes", "the check", "why"), rows)
