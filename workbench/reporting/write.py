"""A report as text, and how it comes to its place: whole, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench._templates import render
from workbench.errors import WorkbenchError
from workbench.reporting.blocks import Chart, Page
from workbench.ui.picture import showable

# Letters of one text; longer ones are no names that anybody reads.
TEXT_MOST = 4_000


def html_of(title: str, pages: Sequence[Page], facts: Mapping[str, Any], footer: str) -> str:
    """The report's text.

    Args:
        title: of the whole.
        pages: in order.
        facts: plain values, embedded for who wants to go on with the numbers.
        footer: when and with what it was written.
    """
    from plotly.offline import get_plotlyjs

    charts = [block for page in pages for block in page.blocks if isinstance(block, Chart)]
    values = {
        "title": title,
        "pages": pages,
        "number_of": lambda chart: next(at for at, one in enumerate(charts) if one is chart),
        "charts": embedded([_drawn(chart) for chart in charts]),
        "facts": embedded(facts),
        "footer": footer,
        "plotly": get_plotlyjs(),
    }
    return render("workbench.reporting", "report.html.j2", values, {"shown": _shown})


def embedded(values: Any) -> str:
    """JSON that stands inside a script element, where only "</" and "<!--" would end or hide it."""
    return json.dumps(values).replace("<", "\\u003c")


def write_whole(path: Path, text: str) -> None:
    """Write a file that is at no time there in part.

    Raises:
        WorkbenchError: if it cannot be written.
    """
    with _refused(path):
        place = _place(path)
        part = place.with_name(f".{place.name[:100]}.{os.getpid()}.part")
        try:
            # A name of a file may hold half a character, which cannot be written.
            part.write_bytes(text.encode("utf-8", "replace"))
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Say that a file cannot be written before the work whose result it is to hold.

    Raises:
        WorkbenchError: if it cannot be written.
    """
    with _refused(path):
        place = _place(path)
        part = place.with_name(f".{place.name[:100]}.{os.getpid()}.part")
        try:
            part.touch()
        finally:
            part.unlink(missing_ok=True)


def _place(path: Path) -> Path:
    # A link stays one: what it leads to is written.
    place = path.resolve()
    if place.is_dir():
        raise WorkbenchError(
            f"cannot write {path}: it is a folder; give the name of a file, such as out.html"
        )
    return place


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise WorkbenchError(f"cannot write {path}: {reason}; choose another place") from None


def _shown(text: str) -> str:
    return showable(text, TEXT_MOST)


def _drawn(chart: Chart) -> dict[str, Any]:
    """A figure for both themes; traces that are alike in both are there once."""
    light, dark = (json.loads(chart.draw(theme).to_json()) for theme in ("light", "dark"))
    same = [one == other for one, other in zip(light["data"], dark["data"], strict=True)]
    return {
        "light": {"data": light["data"], "layout": light["layout"]},
        "dark": {
            "data": [None if alike else trace for alike, trace in zip(same, dark["data"], strict=True)],
            "layout": dark["layout"],
        },
    }
