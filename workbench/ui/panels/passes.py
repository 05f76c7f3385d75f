"""The passes of a trace, and beside them the graph after the chosen one."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from workbench.tracing import PassTrace, Stage
from workbench.ui._widgets import PassList
from workbench.ui.graph_sources import Stages
from workbench.ui.graph_view import GraphView

_HEIGHT = 520


class PassesPanel:
    """The list of passes and the graph, which show the same stage.

    Attributes:
        passes: the list.
        graph: the view.
        shown: both, side by side where there is room.
    """

    def __init__(self) -> None:
        self._trace: PassTrace | None = None
        self._last_known: dict[str, int] = {}
        self._names: list[str | None] = []
        self.passes = PassList(height=_HEIGHT)
        self.graph = GraphView(height=_HEIGHT, choose_stage=False)
        # Side by side where there is room for both, else one below the other at full width.
        self.passes.layout = widgets.Layout(flex="1 1 340px", min_width="0")
        self.graph.layout = widgets.Layout(flex="2 1 480px", min_width="0")
        self.shown = widgets.HBox((self.passes, self.graph), layout=widgets.Layout(flex_flow="row wrap"))
        self.passes.observe(lambda _: self._show_stage(), "selected")
        self.graph.observe(self._stage_shown, "stage")

    def show(self, trace: PassTrace, disabled: Sequence[str]) -> None:
        """Show another trace, and of it the pass that was chosen before if it is there.

        Args:
            trace: what to show.
            disabled: the passes that are switched off now, which may be others than for the trace.
        """
        rows = []
        for stage in trace.stages:
            facts = stage.facts()
            note = "op compatibility refused what matched" if stage.refused else None
            if stage.lowered:
                note = f"before this pass Paddle lowered the ops to kernels: {facts['ops_before']} ops"
            kept = {
                key: facts[key] for key in ("index", "pass", "changed", "matches", "ops", "added", "removed")
            }
            rows.append({**kept, "note": note, "can_disable": stage.pass_name is not None, "reason": None})
            if stage.pass_name is not None:
                self._last_known[stage.pass_name] = stage.index
        # A pass by its name and not by its number stays selected when others come and go.
        first_time, chosen = not self._names, self._selected_name()
        self._names = [stage.pass_name for stage in trace.stages]
        # Between two traces the list and the graph have other stages.
        self._trace = None
        with self.passes.hold_sync():
            self.passes.stages = rows
            self.show_off(disabled)
            if chosen is not None and chosen in self._names:
                self.passes.selected = self._names.index(chosen)
            elif first_time or self.passes.selected:
                changed = [stage.index for stage in trace.changed]
                self.passes.selected = changed[0] if changed else 0
        self.graph.show(Stages(trace), stage=min(self.passes.selected, len(rows) - 1))
        self._trace = trace
        self._show_stage()

    def show_off(self, disabled: Sequence[str]) -> None:
        """Show which passes are switched off."""
        ran = {stage["pass"] for stage in self.passes.stages}
        self.passes.off_passes = [
            {"pass": name, "reason": "switched off", "index": self._last_known.get(name)}
            for name in disabled
            if name not in ran
        ]
        self.passes.disabled = list(disabled)

    def select(self, stage: int) -> None:
        """Select a stage in the list, and so in the graph."""
        self.passes.selected = stage

    def _selected_name(self) -> str | None:
        at = self.passes.selected
        return self._names[at] if 0 < at < len(self._names) else None

    def _show_stage(self) -> None:
        if self._trace is None:
            return
        stage = self._trace.stages[min(self.passes.selected, len(self._trace.stages) - 1)]
        with self.graph.hold_sync():
            self.graph.note = _note(stage)
            self.graph.stage = stage.index

    def _stage_shown(self, _: object) -> None:
        # A stage may be chosen in the graph, too: by its keys, or from Python.
        if self._trace is not None:
            self.passes.selected = self.graph.stage


def _note(stage: Stage) -> str:
    if stage.index == 0:
        return f"The model before any pass: {stage.ops:,} ops."
    counts = f"{stage.ops_before:,} → {stage.ops:,} ops"
    if not stage.changed:
        lowered = " Before it, Paddle lowered the ops to kernels." if stage.lowered else ""
        return f"Pass {stage.index}, {stage.pass_name}, changed nothing ({stage.ops:,} ops).{lowered}"
    altered = len(stage.diff.altered)
    parts = [f"{stage.added} added", f"{stage.removed} removed", f"{altered} altered"]
    return f"Pass {stage.index}, {stage.pass_name}: {counts}; {', '.join(parts)}."
