"""Driving a notebook in JupyterLab through the page's own commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page

PATIENCE_MS = 120_000

_READY = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return panel?.sessionContext?.isReady && panel.sessionContext.session?.kernel?.status === 'idle'
        && panel.content?.widgets?.length > 0;
}"""
_CODE = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code')
    .map(cell => ({
        count: cell.model.executionCount,
        state: cell.model.executionState,
        errors: [...Array(cell.model.outputs.length).keys()].map(i => cell.model.outputs.get(i).toJSON())
            .filter(output => output.output_type === 'error').map(output => output.evalue),
    }))"""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    folder: Path

    def page(self, notebook: str) -> str:
        """The address of a notebook, with the token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/lab/tree/{notebook}?reset&{parts.query}"


def open_notebook(page: Page, address: str) -> None:
    """Load a notebook and wait for its kernel: before that JupyterLab drops commands."""
    page.goto(address)
    page.wait_for_function(_READY, timeout=PATIENCE_MS)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.info")


def run_all(page: Page) -> list[str]:
    """Run all cells to the end; the errors of cells."""
    execute(page, "notebook:run-all-cells")
    page.wait_for_function(
        f"() => ({_CODE})().every(cell => cell.count != null && cell.state === 'idle')", timeout=PATIENCE_MS
    )
    return [text for cell in page.evaluate(_CODE) for text in cell["errors"]]


def execute(page: Page, command: str, arguments: dict[str, object] | None = None) -> None:
    """One of JupyterLab's commands."""
    page.evaluate(
        "([command, args]) => window.jupyterapp.commands.execute(command, args)", [command, arguments or {}]
    )


def theme(page: Page, name: str) -> None:
    """Switch to ``JupyterLab Light`` or ``JupyterLab Dark`` and wait until it shows."""
    execute(page, "apputils:change-theme", {"theme": name})
    light = "true" if name.endswith("Light") else "false"
    page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{light}'")
