"""Charts as files, written without a network."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.bench.charts.dress import GROUNDS, TEMPLATES
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 450
# Seconds that the browser may take to start and draw.
TIME_LIMIT = 90
KINDS = (".html", ".png", ".svg")


def save_chart(
    figure: go.Figure,
    file: str | os.PathLike[str],
    *,
    width: int = 900,
    height: int | None = None,
    theme: str | None = None,
) -> Path:
    """Write a chart: ``.html`` that moves and needs nothing else, or a picture, ``.png`` or ``.svg``.

    Pictures are drawn by the Chrome or Chromium of this machine; ``BROWSER_PATH`` names another one. The
    ground is that of the theme, since who looks at a file may have any.

    Args:
        figure: any plotly figure.
        file: where to; its ending says what is written.
        width: of a picture, in pixels; a page takes the width of its window.
        height: in pixels; the chart's own if None.
        theme: ``light`` or ``dark``; the chart's own if None.

    Returns:
        The file.

    Raises:
        WorkbenchError: for another ending, size or theme, without a browser, or if it cannot be written.
    """
    import plotly.graph_objects as go

    path = Path(file)
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise WorkbenchError(
            f"cannot save a chart as {path.name!r}: give a name that ends in .html, .png or .svg"
        )
    if theme is not None and theme not in TEMPLATES:
        raise WorkbenchError(f"unknown theme {theme!r}: give 'light' or 'dark'")
    height = height or figure.layout.height or HEIGHT
    if not (0 < width <= 10_000 and 0 < height <= 10_000):
        raise WorkbenchError(f"a chart of {width} × {height} pixels cannot be drawn: give 1 to 10000")
    drawn = go.Figure(figure)
    theme = theme or (drawn.layout.meta or {}).get("theme")
    if theme:
        drawn.update_layout(
            template=TEMPLATES[theme],
            paper_bgcolor=GROUNDS[theme],
            plot_bgcolor=GROUNDS[theme],
            meta={"theme": theme},
        )
    drawn.update_layout(height=height)
    data = _page(drawn, theme) if kind == ".html" else _picture(drawn, kind[1:], width, height)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise WorkbenchError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _page(figure: go.Figure, theme: str | None) -> bytes:
    # Ours have no button that sends them to a server by themselves; any other figure has none by this.
    config = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "typesetMath": False}
    body = figure.to_html(full_html=False, include_plotlyjs=True, config=config)
    title = html.escape(html.unescape(figure.layout.title.text or "chart"))
    ground = GROUNDS[theme or "light"]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>body{{margin:0;background:{ground}}}</style></head>\n<body>{body}</body></html>\n"
    ).encode()


def _picture(figure: go.Figure, kind: str, width: int, height: int) -> bytes:
    import kaleido
    from kaleido.errors import ChromeNotFoundError

    try:
        data: bytes = kaleido.calc_fig_sync(
            figure,
            opts={"format": kind, "width": width, "height": height, "scale": 1},
            # By default it loads MathJax from a server on the internet.
            kopts={"mathjax": False, "timeout": TIME_LIMIT},
        )
    except ChromeNotFoundError as error:
        raise WorkbenchError(
            "no Chrome or Chromium was found to draw the picture: install one (such as `apt install chromium`"
            " or `kaleido_get_chrome`), name it in BROWSER_PATH, or save as .html, which needs none"
        ) from error
    # What a browser can fail with has no common type.
    except Exception as error:
        raise WorkbenchError(
            f"the browser did not draw the picture ({type(error).__name__}: {error}):"
            " save as .html, which needs none"
        ) from error
    return data
