"""What outputs are compared with, and how far they may be from it."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np

from workbench.bench.benchmark import Progress, cancels
from workbench.config import InferenceConfig
from workbench.errors import InputError
from workbench.models import Model
from workbench.ui.panels.host import Host, button
from workbench.verifying.divergence import plain_config
from workbench.verifying.sources import TRAINING, source_of

# A Dropdown's values are the words it shows.
PLAIN, ENGINE, FIRST = "all passes and oneDNN off", "the training engine", "the first config run"
NAMED = "a file, model or config"


@dataclass(frozen=True)
class Ops:
    """What gives the ops that others are compared with.

    Attributes:
        config: the config.
        other: the model that runs under it; None for the same one.
        remark: where that is not what was chosen, why; else nothing.
    """

    config: InferenceConfig
    other: Model | None = None
    remark: str = ""


class Reference(widgets.HBox):  # type: ignore[misc]
    """The choice of what is expected, for all that compares.

    Attributes:
        choice: what to compare with.
        named: for a file, a model or a config, which.
        tolerance_text: a number, or nothing.
        cancel: stops the work under way; the workbench's own button may be out of sight.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        style = {"description_width": "initial"}
        self.choice = widgets.Dropdown(
            options=[PLAIN, ENGINE, FIRST, NAMED],
            description="compare with",
            style=style,
            layout=widgets.Layout(width="300px"),
        )
        self.named = widgets.Text(
            placeholder="outputs.npz, a model, or onednn=off",
            # Else every letter would be told to the kernel.
            continuous_update=False,
            layout=widgets.Layout(width="260px", display="none"),
            tooltip="Saved outputs (.npz, .npy), another model, or changes to the config",
        )
        self.tolerance_text = widgets.Text(
            placeholder="by dtype",
            description="tolerance",
            style=style,
            layout=widgets.Layout(width="160px"),
            tooltip="Of every output, absolute and relative, and of every op, as a share of what it gives; "
            "such as 1e-3, empty for that of the dtype",
        )
        self.cancel = button("Cancel", "stop", "Cancel the work under way", host.cancel)
        self.cancel.disabled = True
        self.choice.observe(self._chosen, "value")
        super().__init__(
            (self.choice, self.named, self.tolerance_text, self.cancel),
            layout=widgets.Layout(align_items="center", flex_flow="row wrap"),
        )

    def source(self) -> Any:
        """What was chosen, as `workbench.verify` takes it.

        Raises:
            InputError: if the first run is meant and there was none, or nothing is named.
        """
        if self.choice.value == ENGINE:
            return TRAINING
        if self.choice.value == NAMED:
            return self._name()
        return plain_config(self._host.config()) if self.choice.value == PLAIN else self._first()

    def outputs(
        self, inputs: Mapping[str, Any], progress: Progress, cancel: threading.Event
    ) -> InferenceConfig | Mapping[str, Any]:
        """What was chosen, as `workbench.bisect` takes it: a config of this model, or arrays.

        Args:
            inputs: what another engine or model is run on.
            progress: called with the share done and what happens now.
            cancel: set it to stop.

        Raises:
            WorkbenchError: as `source`, for what is nothing to compare with, or if it does not run.
        """
        found = source_of(self.source(), self._host.model, self._host.config())
        session = found.session
        try:
            if session is not None and session.model is self._host.model:
                return session.config
            progress(0.0, f"expected outputs: {found.label}")
            with cancels(cancel, [] if session is None else [session]):
                # Copied: they may look into memory that goes with the session.
                return {name: np.array(array) for name, array in found.run(inputs).items()}
        finally:
            found.close()

    def ops(self) -> Ops:
        """What was chosen, or where ops of that cannot be looked at, the config without optimization.

        Raises:
            WorkbenchError: as `source`, or for what is nothing to compare with.
        """
        model, config = self._host.model, self._host.config()
        source = self.source()
        if isinstance(source, InferenceConfig):
            return Ops(source)
        if source == TRAINING:
            return _no_ops(config, "the training engine")
        found = source_of(source, model, config)
        found.close()
        if found.session is None:
            return _no_ops(config, found.label)
        other = found.session.model
        return Ops(found.session.config, None if other is model else other)

    def tolerance(self) -> tuple[float, float] | None:
        """The number given, as absolute and relative tolerance of outputs; None for that of the dtype.

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

    def _first(self) -> InferenceConfig:
        first = self._host.first()
        if first is None:
            raise InputError("there is no first config: press Run with it, or compare with something else")
        return first

    def _name(self) -> str:
        text = str(self.named.value).strip()
        if not text:
            raise InputError(
                "there is nothing to compare with: name a file of outputs such as outputs.npz, another "
                "model, or changes to the config such as onednn=off"
            )
        return text

    def _chosen(self, _: object) -> None:
        self.named.layout.display = None if self.choice.value == NAMED else "none"


def _no_ops(config: InferenceConfig, what: str) -> Ops:
    return Ops(
        plain_config(config),
        remark=f"nothing is known of the ops of {what}: compared with all passes and oneDNN off",
    )
