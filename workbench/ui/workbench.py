"""`Workbench`: the whole of it as one widget, over the rooms below."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any

import ipywidgets as widgets

from workbench.bench import Benchmark, Profile
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.errors import CancelledError, WorkbenchError
from workbench.models import Model, load
from workbench.tracing import PassTrace, trace
from workbench.ui._widgets import display_with_picture
from workbench.ui.controls import ConfigPanel, InputPanel, facts_html, words
from workbench.ui.document import alone
from workbench.ui.jobs import Jobs
from workbench.ui.panels import Host, LatencyPanel, Panel, PassesPanel, RunPanel, VerifyPanel
from workbench.ui.panels.host import Work, button, row, to_the_pass
from workbench.ui.picture import picture_svg
from workbench.verifying.bisection import Bisection
from workbench.verifying.bisection.checks import FAILURES
from workbench.verifying.divergence import Divergence
from workbench.verifying.verification import Verification

# A trace that took longer than this is not taken again at every switch, but when asked for.
AUTO_TRACE_S = 5.0


class Workbench(widgets.VBox):  # type: ignore[misc]
    """A model, its passes with a switch each, the graph around the chosen pass, runs, and their latency.

    Everything it shows can be had in a plain cell: ``trace`` is the `PassTrace` shown, ``config`` the config
    it was made with, ``outputs`` those of the last run, ``benchmark`` the last measurement, ``profile`` the
    last profile of the trace shown, ``verification`` the last comparison of outputs, ``divergence`` where the
    trace shown and another config part, ``bisection`` the last search for guilty passes.

    Args:
        model: a model, or the path of one.
        config: what to start with.
    """

    def __init__(self, model: Model | str | os.PathLike[str], config: InferenceConfig | None = None) -> None:
        # What closing needs comes first: ipywidgets closes what fails below, too.
        self.trace: PassTrace | None = None
        self._built = False
        self._session: Session | None = None
        self._cancels: list[threading.Event] = []
        self._jobs = Jobs(self._working, self._failed)
        self._places: dict[str, widgets.HTML] = {}
        self.model = model if isinstance(model, Model) else load(model)
        self.config = config or InferenceConfig()
        self._trace_s = 0.0
        self._build()
        self._built = True
        self._follow()
        super().__init__((self._head, self._bar, self._middle.shown, self._below))
        self.add_class("pwb-workbench")
        self.retrace()

    # The parts

    def _build(self) -> None:
        self.config_panel = ConfigPanel(self.config, self._config_changed)
        self._cancel_button = button("Cancel", "stop", "Stop the work under way", self.cancel)
        self._cancel_button.disabled = True
        self._progress = widgets.FloatProgress(
            min=0, max=1, layout=widgets.Layout(width="140px", visibility="hidden")
        )
        self._status = widgets.HTML()
        self._notices = widgets.HTML()
        self._head = widgets.VBox((widgets.HTML(facts_html(self.model)), self.config_panel))
        apply = button("Trace", "refresh", "Trace with this config", self.retrace)
        self._bar = widgets.VBox(
            (row(apply, self._cancel_button, self._progress, self._status), self._notices)
        )
        self._middle = PassesPanel()
        self.passes, self.graph = self._middle.passes, self._middle.graph
        self.inputs = InputPanel(self.model)
        self._clear = button("Clear", "", "Forget the measurements", self._forget)
        self._run_status = widgets.HTML()
        host = self._host()
        self._run = RunPanel(host, self._run_status)
        self._latency = LatencyPanel(host, self._run_status)
        self._verify = VerifyPanel(host)
        self._panels: tuple[Panel, ...] = (self._run, self._latency, self._verify)
        self._seconds = self._latency.seconds
        self.chart_kind, self.chart = self._latency.chart_kind, self._latency.chart
        running = widgets.VBox(
            (
                row(self._run.button, *self._latency.controls, self._clear),
                self._run_status,
                self._run.shown,
                self.chart_kind,
                self.chart,
            )
        )
        self.tabs = widgets.Tab((running, self._verify.shown), titles=("Run", "Verify"))
        self._below = widgets.VBox((self.inputs, self.tabs))

    def _host(self) -> Host:
        return Host(
            model=self.model,
            graph=self.graph,
            config=lambda: self.config,
            set_config=self.set_config,
            first=lambda: self._run.first,
            inputs=self.inputs.arrays,
            session=self._fresh_session,
            shown=lambda: self.trace,
            traced=self._traced,
            select=self._middle.select,
            cancel=self.cancel,
            start=self._start,
            tell=self._tell,
        )

    def _follow(self) -> None:
        self.passes.observe(self._switched, "disabled")
        self.graph.observe(self._theme_changed, "theme")

    # What a person does

    def retrace(self) -> None:
        """Trace with the config shown; returns at once."""
        self._start("trace", self._trace, self._status)

    def run(self) -> None:
        """Run once on the inputs chosen; returns at once."""
        self._run.start()

    def measure(self) -> None:
        """Measure the config shown beside those measured before; returns at once."""
        self._latency.measure()

    def profile_ops(self) -> None:
        """Measure what each op of the final graph takes, and show it on the graph; returns at once."""
        self._latency.profile_ops()

    def compare_outputs(self) -> None:
        """Compare the outputs of the config shown with what the panel says; returns at once."""
        self._verify.outputs.start()

    def find_divergence(self) -> None:
        """Find the first op that differs, and show it on the graph; returns at once."""
        self._verify.divergence.start()

    def find_pass(self) -> None:
        """Find the passes that make the check fail that the panel says; returns at once."""
        self._verify.bisection.start()

    @property
    def outputs(self) -> dict[str, Any] | None:
        """Those of the last run."""
        return self._run.outputs

    @property
    def benchmark(self) -> Benchmark | None:
        """The last measurement."""
        return self._latency.benchmark

    @property
    def profile(self) -> Profile | None:
        """The last profile of the trace shown."""
        return self._latency.profile

    @property
    def verification(self) -> Verification | None:
        """The last comparison of outputs."""
        return self._verify.outputs.verification

    @property
    def divergence(self) -> Divergence | None:
        """Where the trace shown and another config part, as found last."""
        return self._verify.divergence.divergence

    @property
    def bisection(self) -> Bisection | None:
        """The last search for guilty passes."""
        return self._verify.bisection.bisection

    def _start(self, kind: str, work: Work, place: widgets.HTML) -> None:
        self._places[kind] = place
        if self._jobs.busy:
            place.value = words(f"{kind}: waiting for the work under way")
        # One event for each job: a cancel stops what was asked for before it, and nothing after.
        cancel = threading.Event()
        self._cancels.append(cancel)

        def run() -> None:
            if cancel.is_set():
                raise CancelledError("cancelled")
            work(cancel)

        self._jobs.start(kind, run)

    def cancel(self) -> None:
        """Stop the work under way and forget what waits."""
        self._jobs.drop_waiting()
        for cancel in self._cancels:
            cancel.set()
        self._cancels.clear()
        if self._session is not None:
            self._session.cancel()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the work under way is done, in a cell or a test; False if it takes longer."""
        return self._jobs.wait(seconds)

    def set_config(self, config: InferenceConfig) -> None:
        """Show and trace another config."""
        self._follow_config(config)

    def _ipython_display_(self) -> None:
        # The trace may be under way still: then the model as it was saved stands for it.
        with contextlib.suppress(WorkbenchError):
            graph = alone(self.model.graph())
            picture = (
                picture_svg(graph, title=self.model.name) if self.trace is None else self.graph.picture()
            )
            display_with_picture(self, picture, self.graph.still)
            return
        display_with_picture(self, "", self.graph.still)

    def close(self) -> None:
        """End the worker and remove the dumps."""
        self.cancel()
        self._jobs.wait(10)
        if self._built:
            self.graph.close()
        if self.trace is not None:
            self.trace.close()
        if self._session is not None:
            self._session.close()
        super().close()

    # What follows from it

    def _config_changed(self, config: InferenceConfig) -> None:
        # The panel does not know the passes: they are the list's.
        self._follow_config(config.replace(disabled_passes=tuple(self.passes.disabled)))

    def _switched(self, _: object) -> None:
        self._follow_config(self.config.replace(disabled_passes=tuple(self.passes.disabled)))

    def _follow_config(self, config: InferenceConfig) -> None:
        if config == self.config:  # what is shown below comes back here
            return
        self.config = config
        self.config_panel.show(config)
        self._middle.show_off(config.disabled_passes)
        self._trace_changed()
        if self._trace_s <= AUTO_TRACE_S:
            self.retrace()
        else:
            self._status.value = words("press Trace to apply the change", tone="notice")

    def _working(self, busy: bool) -> None:
        self._cancel_button.disabled = self._verify.reference.cancel.disabled = not busy
        self._progress.layout.visibility = "visible" if busy else "hidden"
        # After a cancel or an error the controls may be ahead of what is shown.
        if not busy and self.trace is not None and self.trace.config != self.config:
            shown = f"the passes and the graph shown are still those of: {self.trace.config.label}"
            self._notices.value = words(f"{shown}; press Trace to follow the controls", tone="notice")

    def _failed(self, kind: str, text: str) -> None:
        self._places[kind].value = words(text, tone="notice" if text == "cancelled" else "error")

    def _tell(self, place: widgets.HTML, share: float, text: str) -> None:
        self._progress.value = share
        place.value = words(text)

    # Jobs, in their own thread

    def _fresh_session(self) -> Session:
        if self._session is None or self._session.config != self.config:
            if self._session is not None:
                self._session.close()
            self._session = Session(self.model, self.config)
        return self._session

    def _trace(self, _: threading.Event) -> None:
        expected = max(1, len(self.trace.stages) - 1 if self.trace else 45)
        seen: list[str] = []

        def progress(name: str) -> None:
            if not seen or seen[-1] != name:
                seen.append(name)
            self._tell(self._status, min(0.95, len(seen) / expected), f"running {name}")

        self._tell(self._status, 0.02, "creating the predictor")
        session = self._fresh_session()
        try:
            fresh = trace(session, progress=progress)
        except FAILURES as error:
            for panel in self._panels:
                panel.trace_failed()
            raise to_the_pass(error) from error
        self._trace_s = fresh.loaded.create_s
        old, self.trace = self.trace, fresh
        self._tell(self._status, 0.97, "reading the graphs")
        self.graph.title = self.model.name
        # What was said of the ops is on those of the trace before.
        self._trace_changed()
        self._middle.show(fresh, self.config.disabled_passes)
        if old is not None:
            old.close()
        count = len(fresh.stages) - 1
        self._status.value = words(
            f"{count} passes, {len(fresh.changed)} changed the graph; "
            f"predictor created in {fresh.loaded.create_s:.2f} s"
        )
        self._notices.value = "".join(words(text, tone="notice") for text in fresh.loaded.notices)

    def _traced(self, cancel: threading.Event) -> PassTrace:
        if self.trace is None or self.trace.config != self.config:
            self._trace(cancel)
        assert self.trace is not None
        return self.trace

    def _trace_changed(self) -> None:
        for panel in self._panels:
            panel.trace_changed()

    def _theme_changed(self, _: object) -> None:
        for panel in self._panels:
            panel.theme_changed()

    def _forget(self) -> None:
        self._run_status.value = ""
        for panel in self._panels:
            panel.forget()


def open(  # noqa: A001
    model: Model | str | os.PathLike[str], config: InferenceConfig | None = None
) -> Workbench:
    """The whole workbench for a model, as a widget.

    Raises:
        ModelError: if the model's files are missing, damaged or ambiguous.
    """
    return Workbench(model, config)
