"""What outputs are compared with, and how far they may be from it."""

from __future__ import annotations

import math
from typing import Any

import ipywidgets as widgets

from workbench.config import InferenceConfig
from workbench.errors import InputError
from workbench.ui.panels.host import Host
from workbench.verifying.divergence import plain_config
from workbench.verifying.sources import TRAINING

# A Dropdown's values are the words it shows.
PLAIN, ENGINE, FIRST = "all passes and oneDNN off", "the training engine", "the first config run"


class Reference(widgets.HBox):  # type: ignore[misc]
    """The choice of what is expected, for all that compares.

    Attributes:
        choice: what to compare with.
        tolerance_text: a number, or nothing.
        cancel: stops the work under way; the workbench's own button may be out of sight.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        style = {"description_width": "initial"}
        self.choice = widgets.Dropdown(
            options=[PLAIN, ENGINE, FIRST],
            description="compare with",
            style=style,
            layout=widgets.Layout(width="300px"),
        )
        self.tolerance_text = widgets.Text(
            placeholder="by dtype",
            description="tolerance",
            style=style,
            layout=widgets.Layout(width="160px"),
            tooltip="Of every output, absolute and relative, such as 1e-3; empty for the one of its dtype",
        )
        self.cancel = widgets.Button(
            description="Cancel",
            icon="stop",
            disabled=True,
            layout=widgets.Layout(width="auto"),
            tooltip="Cancel the work under way",
        )
        super().__init__(
            (self.choice, self.tolerance_text, self.cancel),
            layout=widgets.Layout(align_items="center", flex_flow="row wrap"),
        )

    def source(self) -> Any:
        """What was chosen, as `workbench.verify` takes it.

        Raises:
            InputError: if the first run is meant and there was none.
        """
        return TRAINING if self.choice.value == ENGINE else self.config()

    def config(self) -> InferenceConfig:
        """What was chosen, where a config alone will do: that without optimization for the training engine.

        Raises:
            InputError: if the first run is meant and there was none.
        """
        if self.choice.value != FIRST:
            return plain_config(self._host.config())
        first = self._host.first()
        if first is None:
            raise InputError("there is no first config: press Run with it, or compare with something else")
        return first

    def tolerance(self) -> tuple[float, float] | None:
        """The number given, as absolute and relative tolerance; None for that of the dtype.

        Raises:
            InputError: for what is no such number.
        """
        text = self.tolerance_text.value.strip()
        if not text:
            return None
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not 0 <= found < math.inf:
            raise InputError(f"the tolerance is {text!r}: give a number from 0, such as 1e-3, or nothing")
        return found, found
