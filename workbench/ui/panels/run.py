"""Run once, and the outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from workbench.config import InferenceConfig
from workbench.ui.controls import outputs_html, words
from workbench.ui.panels.host import Host, Panel, button, to_the_pass
from workbench.verifying.bisection.checks import FAILURES


class RunPanel(Panel):
    """Runs once and shows the outputs, beside those of the first run.

    Attributes:
        outputs: those of the last run.
        button: what begins it.
        shown: where the outputs are.
    """

    def __init__(self, host: Host, status: widgets.HTML) -> None:
        self.outputs: dict[str, Any] | None = None
        self._host = host
        self._status = status
        self._first: tuple[InferenceConfig, Mapping[str, Any]] | None = None
        self.button = button("Run", "play", "Run once", self.start)
        self.shown = widgets.HTML()

    def start(self) -> None:
        """Run once on the inputs chosen; returns at once."""
        self._host.start("run", self._run, self._status)

    @property
    def first(self) -> InferenceConfig | None:
        """The config that was run first."""
        return None if self._first is None else self._first[0]

    def forget(self) -> None:
        """Forget the first run."""
        self._first = None
        self.shown.value = ""

    def _run(self, _: threading.Event) -> None:
        arrays = self._host.inputs()
        self._host.tell(self._status, 0.5, "running")
        session = self._host.session()
        try:
            session.load()
            begin = time.perf_counter()
            self.outputs = session.run(arrays)
        except FAILURES as error:
            raise to_the_pass(error) from error
        took = (time.perf_counter() - begin) * 1e3
        label = session.config.label
        first = self._first
        if first is None:
            self._first = (session.config, self.outputs)
        self._status.value = words(f"ran once with {label} in {took:.2f} ms, transfer included")
        self.shown.value = outputs_html(
            self.outputs, first[1] if first else None, first[0].label if first else ""
        )
