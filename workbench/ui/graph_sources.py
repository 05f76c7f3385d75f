"""What a graph view can show: one graph, two, or every stage of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from workbench.errors import WorkbenchError
from workbench.ir import Graph, diff, infer_layers, inherited_layers, layer_tree
from workbench.models import Model
from workbench.tracing import Lineage, PassTrace
from workbench.ui.document import Shown, alone, compared


class Source(Protocol):
    """Gives what is to be shown of a stage, compared with what ``against`` says."""

    model: Model | None
    passes: Sequence[str | None]

    def stages(self) -> list[dict[str, Any]]:
        """One dict per stage: index, pass, changed, lowered (Paddle itself changed it before the pass)."""
        ...

    def other_stages(self) -> list[dict[str, Any]]:
        """The same of another trace to compare with; empty without one."""
        ...

    def graph(self, stage: int) -> Graph:
        """The graph of a stage."""
        ...

    def shown(self, stage: int, against: str) -> Shown:
        """The graph of a stage with its marks."""
        ...

    def lineage(self) -> Lineage | None:
        """What became of the ops, as far as it has been read."""
        ...


class OneGraph:
    """A graph by itself, or compared with another one."""

    passes: Sequence[str | None] = (None,)

    def __init__(self, graph: Graph, against: Graph | None = None, model: Model | None = None) -> None:
        self._graph, self._against, self.model = graph, against, model

    def stages(self) -> list[dict[str, Any]]:
        """The one stage there is."""
        return [{"index": 0, "pass": None, "changed": self._against is not None, "lowered": False}]

    def graph(self, stage: int) -> Graph:
        """The graph, whatever the stage."""
        return self._graph

    def shown(self, stage: int, against: str) -> Shown:
        """The graph, compared with the other one unless ``against`` is "none"."""
        after = alone(self._graph)
        if self._against is None or against == "none":
            return after
        return compared(self._against, after, diff(self._against, self._graph))

    def other_stages(self) -> list[dict[str, Any]]:
        """None: there is no other trace."""
        return []

    def lineage(self) -> None:
        """A graph has no history."""


class Stages:
    """The stages of a trace, each against the one before, any other, or one of another trace."""

    def __init__(self, trace: PassTrace, other: PassTrace | None = None) -> None:
        self.trace, self.other = trace, other
        self.model: Model | None = trace.session.model
        self.passes: Sequence[str | None] = [stage.pass_name for stage in trace.stages]

    def stages(self) -> list[dict[str, Any]]:
        """One dict per stage: index, pass, changed, lowered."""
        return [
            {
                "index": stage.index,
                "pass": stage.pass_name,
                "changed": stage.changed,
                "lowered": stage.lowered,
            }
            for stage in self.trace.stages
        ]

    def graph(self, stage: int) -> Graph:
        """The graph after the stage's pass."""
        return self.trace.stages[stage].graph

    def shown(self, stage: int, against: str) -> Shown:
        """The graph of a stage, compared as ``against`` says: "before", "none", "12" or "other:12"."""
        one = self.trace.stages[stage]
        after = self._alone(stage)
        if against == "before" and one.lowered and not one.changed:
            # The pass did nothing, Paddle's lowering before it did: that is what there is to see here.
            against = str(stage - 1)
        if against == "none" or (against == "before" and not one.changed):
            return after
        if against == "before":
            keys = self._history.before_keys(stage)
            return compared(one.before, after, one.diff, self._known(one.before, keys, stage - 1))
        trace, at = self._other_stage(against)
        if trace is self.trace:
            found = self.trace.compare(at, stage)
            return compared(trace.stages[at].graph, after, found, self._alone(at))
        before = trace.stages[at].graph
        return compared(before, after, diff(before, one.graph))

    def other_stages(self) -> list[dict[str, Any]]:
        """The stages of the other trace, as those of this one."""
        return Stages(self.other).stages() if self.other is not None else []

    def _other_stage(self, against: str) -> tuple[PassTrace, int]:
        word, _, number = against.rpartition(":")
        trace = self.other if word == "other" else self.trace if not word else None
        if trace is None or not number.isdecimal() or int(number) >= len(trace.stages):
            known = f'"before", "none" or a stage from 0 to {len(self.trace.stages) - 1}'
            more = f' or "other:0" to "other:{len(self.other.stages) - 1}"' if self.other else ""
            raise WorkbenchError(f"nothing to compare with as {against!r}: choose {known}{more}")
        return trace, int(number)

    def _alone(self, stage: int) -> Shown:
        return self._known(self.graph(stage), self._history.keys(stage), stage)

    def _known(self, graph: Graph, keys: Sequence[int], stage: int) -> Shown:
        """A graph with what is known of its ops after a stage: who made them, what layers they come from."""
        history = self._history
        # Where the dumps name no layers, those found in the structure of the model as loaded.
        layers = self._found_layers or history.layers
        origins = {
            place: [layers[one] for one in history.origins(key, stage) if one < len(layers)]
            for place, key in enumerate(keys)
            if not graph.ops[place].layer
        }
        made = [history.made_by(key) for key in keys]
        return alone(graph, keys, made, inherited_layers(graph, origins))

    @cached_property
    def _found_layers(self) -> list[str]:
        """By key of the ops of the model as loaded; empty where the dumps name layers."""
        first = self.graph(0)
        return infer_layers(first) if layer_tree(first).inferred else []

    @cached_property
    def _history(self) -> Lineage:
        return self.trace.lineage

    def lineage(self) -> Lineage:
        """What became of the ops, as far as it has been read."""
        return self._history
