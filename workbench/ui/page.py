"""One HTML page with a graph in it: opened by a double click, without a kernel and without a network."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from workbench.ui._widgets import STATIC
from workbench.ui.picture import showable

_TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline' data: blob:; worker-src blob: data:; img-src data: blob:">
<title>{{ title }}</title>
<style>
body { margin: 0; padding: 12px; font-family: system-ui, sans-serif; background: #fff; color: #111; }
body[data-jp-theme-light="false"] {
  background: #111; color: #eee; color-scheme: dark;
  --jp-layout-color1: #1c1c1c; --jp-layout-color2: #333; --jp-ui-font-color0: #fff;
  --jp-ui-font-color1: rgba(255, 255, 255, 0.87); --jp-ui-font-color2: rgba(255, 255, 255, 0.6);
  --jp-border-color1: #666; --jp-border-color2: #444; --jp-brand-color1: #42a5f5;
  --jp-success-color1: #66bb6a; --jp-error-color1: #ef5350; --jp-warn-color1: #ffa726;
}
.pwb-graph { --pwb-height: calc(100vh - 150px) !important; }
noscript svg, #graph > svg { max-width: 100%; height: auto; background: #fff; }
</style>
</head>
<body>
<div id="graph"><noscript>{{ picture | safe }}</noscript></div>
<script id="data" type="application/json">{{ data | safe }}</script>
<script type="module">
import { page } from "data:text/javascript;base64,{{ bundle }}";
page(document.getElementById("graph"), JSON.parse(document.getElementById("data").textContent));
</script>
</body>
</html>
"""


def kept_as(stages: Sequence[Mapping[str, Any]], stage: int, against: str) -> tuple[int, str]:
    """What a stage's document is kept as: what did not change is kept once. The page has this rule, too.

    Args:
        stages: the view's ``stages``.
        stage: the number of one of them.
        against: what it is compared with, as the view has it.

    Returns:
        The stage that has the same document, and what that is compared with.
    """
    if against not in ("before", "none"):
        return stage, against
    at = stage
    while at > 0 and not stages[at]["changed"] and not stages[at]["lowered"]:
        at -= 1
    changed = stages[at]["changed"] or stages[at]["lowered"]
    return at, against if at == stage and changed else "none"


def page_data(
    state: Mapping[str, Any], documents: Mapping[tuple[int, str], bytes], lineage: bytes
) -> dict[str, Any]:
    """What the page's code reads: ``PageData`` in ``extensions/src/graph/page.ts``.

    Args:
        state: the view's traits, plain values only.
        documents: packed graphs, by what they are kept as.
        lineage: packed, or empty.
    """
    return {
        "state": dict(state),
        "documents": {
            f"{stage} {against}": base64.b64encode(document).decode()
            for (stage, against), document in documents.items()
        },
        "lineage": base64.b64encode(lineage).decode(),
    }


def write_page(
    title: str,
    state: Mapping[str, Any],
    documents: Mapping[tuple[int, str], bytes],
    lineage: bytes,
    picture: str,
) -> str:
    """The page's text.

    Args:
        title: of the page.
        state: the view's traits, plain values only.
        documents: packed graphs, by what they are kept as.
        lineage: packed, or empty.
        picture: an SVG for readers without scripts.
    """
    # Inside a script element only "</" and "<!--" end or hide it.
    text = json.dumps(page_data(state, documents, lineage)).replace("<", "\\u003c")
    bundle = base64.b64encode((STATIC / "graph_view.js").read_bytes()).decode()
    template = jinja2.Environment(autoescape=True).from_string(_TEMPLATE)
    # A file name that is not UTF-8 has halves of characters in it, which cannot be written.
    return template.render(title=showable(title, 200), picture=picture, data=text, bundle=bundle)
