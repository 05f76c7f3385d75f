"""What the widgets drawn in the browser share, and the pass list. Their page side is ``extensions/src``."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Dict, Int, List, Unicode

from workbench.ui.picture import picture_png

STATIC = Path(__file__).parent / "static"


class Widget(anywidget.AnyWidget):
    """What both share: words, and a picture if there is one, for a place that shows no widgets."""

    def _text(self) -> str:
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": self._text()}, metadata


def display_with_picture(widget: Any, picture: str, still: str) -> None:
    """Display a widget after a picture of it, as two outputs of a cell.

    A notebook that is opened without its kernel shows no widget, and nothing of a widget's output that stands
    beside it. The live view takes the picture away, which it finds by its id.

    Args:
        widget: what to display.
        picture: SVG, or empty.
        still: the id to give the picture, as the view knows it.
    """
    from IPython.display import display

    if picture:
        # The page may set the id: it must stay one.
        known = re.sub(r"[^\w-]", "", still)
        marked = picture.replace("<svg ", f'<svg id="{known}" ', 1)
        still_data = {
            "image/svg+xml": marked,
            "image/png": base64.b64encode(picture_png(picture)).decode(),
            "text/plain": "(a picture of the graph)",
        }
        display(still_data, raw=True)  # type: ignore[no-untyped-call]
    bundle = widget._repr_mimebundle_()
    # Those of ipywidgets give the data alone, those of anywidget metadata with it.
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


class PassList(Widget):
    """The passes of a trace, what each did to the graph, and a switch for each.

    Every trait is shared with the page. The types on the other side: ``extensions/src/types.ts``.
    """

    _esm = STATIC / "pass_list.js"

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
