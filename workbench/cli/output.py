"""What the commands print: tables for people, one JSON document for programs, one line for a mistake."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

WIDTH_OF_A_FILE = 10_000


def print_json(data: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[int] = ()
) -> None:
    """A table on stdout; columns in ``numbers`` are aligned right."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if index in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*[Text("" if cell is None else str(cell)) for cell in row])
    # In a file or a pipe a row is one line, however long, so that grep finds what it looks for.
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    with console.capture() as text:
        console.print(table)
    for line in text.get().splitlines():
        click.echo(line.rstrip())


def notices(texts: Iterable[str]) -> None:
    """Where asked and given differ, on stderr, so that JSON on stdout stays alone."""
    for text in texts:
        click.echo(f"notice: {text}", err=True)


@contextmanager
def warnings_as_notices(kind: type[Warning]) -> Iterator[None]:
    """While this lasts, a warning of this kind is a notice."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def say(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, kind):
                notices([str(message)])
            else:
                show(message, category, *where, **more)

        warnings.showwarning = say
        yield


@contextmanager
def progress() -> Iterator[Callable[[float | None, str], None]]:
    """A progress bar on stderr, if that is a terminal; call with the share done (or None) and a text."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda share, text: None
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def tell(share: float | None, text: str) -> None:
            bar.update(task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

        yield tell
