"""The two widgets drawn in the browser. Their other half is in ``extensions/src``, built into ``static``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Dict, Float, Int, List, Unicode

_STATIC = Path(__file__).parent / "static"


class _Widget(anywidget.AnyWidget):
    """What both share: words for a place that shows no widgets."""

    def _text(self) -> str:
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": self._text()}, metadata


class PassList(_Widget):
    """The passes of a trace, what each did to the graph, and a switch for each.

    Every trait is shared with the page. The types on the other side: ``extensions/src/types.ts``.
    """

    _esm = _STATIC / "pass_list.js"

    stages = List(
        Dict(),
        help="One dict per stage: index, pass (None for the model as loaded), changed, matches (a number, a "
        "pair or None), ops, added, removed, note, can_disable, reason.",
    ).tag(sync=True)
    disabled = List(Unicode(), help="Names of the passes switched off; set by the switches.").tag(sync=True)
    off_passes = List(
        Dict(),
        help="One dict per pass that did not run: pass, reason, and index, its stage number when it last "
        "ran, if known. Its switch stands as `disabled` says.",
    ).tag(sync=True)
    selected = Int(0, help="Index of the selected stage.").tag(sync=True)
    filter = Unicode("", help="Words a pass's name or note has to contain.").tag(sync=True)
    hide_unchanged = Bool(False, help="Leave out the passes that did not change the graph.").tag(sync=True)
    busy = Bool(False, help="A run is under way: the switches are locked.").tag(sync=True)
    message = Unicode("", help="A line below the list.").tag(sync=True)
    height = Int(0, help="Largest height of the list of rows in pixels; 0 for the usual one.").tag(sync=True)

    def _text(self) -> str:
        passes = [stage for stage in self.stages if stage.get("pass") is not None]
        changed = [stage["pass"] for stage in passes if stage.get("changed")]
        lines = [f"{len(changed)} of {len(passes)} passes changed the graph"]
        lines += [f"  {name}" for name in changed]
        if self.disabled:
            lines.append("switched off: " + ", ".join(self.disabled))
        return "\n".join(lines)


class GraphView(_Widget):
    """A graph, or two side by side, drawn in the browser from DOT text.

    A node has ``id="op{index}"`` and ``class="op"``, with ``added``, ``removed`` or ``altered`` where the
    pass touched it. Every trait is shared with the page. The types on the other side:
    ``extensions/src/types.ts``.
    """

    _esm = _STATIC / "graph_view.js"

    before = Unicode("", help="DOT of the graph on the left; empty for only one graph.").tag(sync=True)
    after = Unicode("", help="DOT of the graph on the right.").tag(sync=True)
    before_title = Unicode("Before", help="Heading of the graph on the left.").tag(sync=True)
    after_title = Unicode("After", help="Heading of the graph on the right.").tag(sync=True)
    note = Unicode("", help="A line above the graphs.").tag(sync=True)
    too_large = Unicode("", help="If not empty, nothing is drawn: this and the table are shown.").tag(
        sync=True
    )
    table = List(
        Dict(),
        help="The changed ops, one dict each: sign (added, removed or altered), type, name, inputs, outputs.",
    ).tag(sync=True)
    selected = Unicode("", help="The selected op: `before:op12`, `after:op12`, or empty.").tag(sync=True)
    theme = Unicode("", help="`dark` or `light`, as the page has it; set by the page.").tag(sync=True)
    height = Int(420, help="Height of the graphs in pixels.").tag(sync=True)
    time_limit = Float(10.0, help="Seconds one drawing may take before it is stopped.").tag(sync=True)

    def _text(self) -> str:
        graphs = [(self.before_title, self.before), (self.after_title, self.after)]
        lines = [" | ".join(title for title, dot in graphs if dot) or "no graph"]
        lines += [text for text in (self.note, self.too_large) if text]
        for row in self.table:
            lines.append("  " + " ".join(str(row[key]) for key in ("sign", "type", "name") if row.get(key)))
        return "\n".join(lines)
