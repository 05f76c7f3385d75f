"""The outputs of the config shown, beside those that are expected."""

from __future__ import annotations

import html
import threading

import ipywidgets as widgets

from workbench.ui.controls import mark_html, table_html, words
from workbench.ui.panels.host import Host, WorkPanel, to_the_pass, wrapped
from workbench.ui.panels.reference import Reference
from workbench.verifying.bisection.checks import FAILURES
from workbench.verifying.outputs import verify
from workbench.verifying.verification import Verification

# For classifiers; both are of no concern to ``passed``.
_TOP_K = (1, 5)
_BEGIN = ("Compare outputs", "check", "Compare the outputs of the config shown with what is expected")


class OutputsPanel(WorkPanel):
    """Compares outputs, and shows how far each is from what is expected.

    Attributes:
        verification: the last comparison.
    """

    def __init__(self, host: Host, reference: Reference) -> None:
        self.verification: Verification | None = None
        self._reference = reference
        super().__init__(host, "compare outputs", _BEGIN, widgets.HTML())

    def clear(self) -> None:
        """Forget the comparison."""
        self.verification = None
        self.status.value = self.shown.value = ""

    def _work(self, cancel: threading.Event) -> None:
        tolerance = self._reference.tolerance()
        try:
            found = verify(
                self._host.model,
                self._host.config(),
                self._reference.source(),
                self._host.inputs(),
                tolerance=tolerance,
                top_k=_TOP_K,
                progress=self._tell,
                cancel=cancel,
            )
        except FAILURES as error:
            raise to_the_pass(error) from error
        self.verification = found
        self.status.value = words(found.summary, tone="passed" if found.passed else "failed")
        head, rows = found.table()
        # The answer, which the library puts last, comes first: the table may be wider than the page.
        cells = [
            [mark_html(answer, passed=one.passed), *map(html.escape, facts), wrapped(tolerance)]
            for one, (*facts, tolerance, answer) in zip(found.outputs, rows, strict=True)
        ]
        said = [words(text, tone="failed") for text in found.remarks()]
        said += [words(text, tone="notice") for text in found.notices]
        self.shown.value = table_html((head[-1], *head[:-1]), cells) + "".join(said)
