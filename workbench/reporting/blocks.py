"""What a report is made of: pages, each a title and blocks under each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Heading:
    """A heading within a page."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences; ``problem`` where they say what is missing and why."""

    kind: ClassVar[str] = "paragraph"
    text: str
    problem: bool = False


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    kind: ClassVar[str] = "points"
    texts: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table of plain texts.

    Attributes:
        caption: what it shows.
        head: the columns' names; none for a table of names and values.
        rows: as many texts each, the first of them the name of the row.
        numbers: places of columns that are aligned right, never the first.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class Chart:
    """A chart, drawn for a light and for a dark page.

    Attributes:
        label: what it shows, for who cannot see it.
        draw: "light" or "dark" to a plotly figure.
    """

    kind: ClassVar[str] = "chart"
    label: str
    draw: Callable[[str], Any]


@dataclass(frozen=True)
class GraphPage:
    """A graph to look around in: a page of its own, as `GraphView.to_html` gives it, within the report."""

    kind: ClassVar[str] = "graph"
    label: str
    html: str


@dataclass(frozen=True)
class Download:
    """A link that saves the report's facts as JSON."""

    kind: ClassVar[str] = "download"
    text: str
    file: str


Block = Heading | Paragraph | Points | Table | Chart | GraphPage | Download


@dataclass(frozen=True)
class Page:
    """A title and what stands under it."""

    title: str
    blocks: Sequence[Block]
