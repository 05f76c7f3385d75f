"""Measure the latency of configs, and of the ops of one, with the charts of both."""

from __future__ import annotations

import threading

import ipywidgets as widgets

from workbench.bench import Benchmark, Profile, benchmark, profile
from workbench.config import InferenceConfig
from workbench.ui.controls import words
from workbench.ui.panels.host import Host, Panel, button, show_figure

# The charts of a measurement, and those of a profile, with what is said of each.
_LATENCY_CHARTS: dict[str, str] = {
    "latency": "a box with its samples for each config",
    "distribution": "how often each latency came",
    "timeline": "the samples as they were taken, with rounds, launches and outliers",
    "ecdf": "how many runs are faster than so much, with the tail",
    "comparison": "ratios to the first config, with 95 % intervals",
}
_OPS_CHARTS: dict[str, str] = {
    "ops": "the ops of the final graph that take longest",
    "layers": "layers within layers, with areas by time",
}
# The numbers that a profile gives the ops of the graph.
_OVERLAY = "latency"


class LatencyPanel(Panel):
    """Measures configs beside each other and profiles the ops of the one shown.

    Attributes:
        benchmark: the last measurement.
        profile: the last profile of the trace shown.
        controls: what begins either, and for how long.
        seconds: how long to measure each config.
        chart_kind: which chart of what there is.
        chart: where it is.
    """

    def __init__(self, host: Host, status: widgets.HTML) -> None:
        self.benchmark: Benchmark | None = None
        self.profile: Profile | None = None
        self._host = host
        self._status = status
        self._measured: list[InferenceConfig] = []
        self._offering = threading.Lock()
        self.seconds = widgets.BoundedFloatText(
            value=2.0,
            min=0.1,
            max=600,
            description="seconds each",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="150px"),
        )
        self.controls = (
            button(
                "Measure latency",
                "tachometer",
                "Measure this config beside those measured before, interleaved in one run",
                self.measure,
            ),
            button(
                "Profile ops", "align-left", "Profile what each op of the final graph takes", self.profile_ops
            ),
            self.seconds,
        )
        self.chart_kind = widgets.ToggleButtons(
            style={"button_width": "auto"},
            layout=widgets.Layout(display="none"),
        )
        self.chart = widgets.Output()
        self.chart_kind.observe(self._chart_chosen, "value")

    def measure(self) -> None:
        """Measure the config shown beside those measured before; returns at once."""
        self._host.start("measure", self._benchmark, self._status)

    def profile_ops(self) -> None:
        """Measure what each op of the final graph takes, and show it on the graph; returns at once."""
        self._host.start("profile", self._profile, self._status)

    def theme_changed(self) -> None:
        """Draw the chart anew."""
        self._show_chart()

    def forget(self) -> None:
        """Forget the measurements and the profile."""
        self._measured, self.benchmark = [], None
        self.trace_changed()
        self._offer_charts()

    def trace_changed(self) -> None:
        """Forget the profile."""
        if self.profile is None:
            return
        if self._status.value == _of_profile(self.profile):
            self._status.value = ""
        self.profile = None
        self._host.graph.remove_overlay(_OVERLAY)
        self._offer_charts()

    # Jobs, in their own thread

    def _benchmark(self, cancel: threading.Event) -> None:
        arrays = self._host.inputs()
        config = self._host.config()
        configs = [*self._measured, *([] if config in self._measured else [config])]
        result = benchmark(
            self._host.model,
            configs,
            arrays,
            seconds=self.seconds.value,
            progress=lambda share, text: self._host.tell(self._status, share, text),
            cancel=cancel,
        )
        self._measured, self.benchmark = configs, result
        lines = [words(text) for text in _in_words(result)]
        remarks = [
            words(f"{run.label}: {text}", tone="notice")
            for run, texts in zip(result.runs, result.remarks, strict=True)
            for text in texts
        ]
        if remarks:
            count = "1 remark" if len(remarks) == 1 else f"{len(remarks)} remarks"
            lines.append(
                f"<details><summary>how far these numbers hold: {count}</summary>{''.join(remarks)}</details>"
            )
        lines += [words(f"{run.label}: {text}", tone="notice") for run in result.runs for text in run.notices]
        self._status.value = "".join(lines)
        self._offer_charts("latency")

    def _profile(self, cancel: threading.Event) -> None:
        arrays = self._host.inputs()
        # Its numbers are of this very graph.
        taken = self._host.traced(cancel)
        result = profile(
            taken,
            None,
            arrays,
            seconds=self.seconds.value,
            progress=lambda share, text: self._host.tell(self._status, share, text),
            cancel=cancel,
        )
        self.profile = result
        longest = next((one.index for one in result.ops if one.index is not None), None)
        self._host.show_on_graph(_OVERLAY, result.overlay(), "ms", taken, longest)
        self._status.value = _of_profile(result)
        self._offer_charts("ops")

    # Charts

    def _offer_charts(self, preferred: str | None = None) -> None:
        """Offer the charts of what there is; show the one shown before unless another is preferred."""
        kinds: dict[str, str] = {}
        if self.benchmark is not None:
            kinds.update(_LATENCY_CHARTS)
        if self.profile is not None:
            kinds.update(_OPS_CHARTS)
        family = _OPS_CHARTS if preferred in _OPS_CHARTS else _LATENCY_CHARTS
        # A job may end while a person clears.
        with self._offering:
            chosen = self.chart_kind.value
            if chosen not in kinds or (preferred is not None and chosen not in family):
                chosen = preferred or next(iter(kinds), None)
            # New options choose the first of them, which would be drawn for nothing.
            self.chart_kind.unobserve(self._chart_chosen, "value")
            if self.chart_kind.options != tuple(kinds):
                self.chart_kind.options, self.chart_kind.tooltips = tuple(kinds), list(kinds.values())
            self.chart_kind.value = chosen
            self.chart_kind.observe(self._chart_chosen, "value")
            self._show_chart()

    def _chart_chosen(self, _: object) -> None:
        self._show_chart()

    def _show_chart(self) -> None:
        kind, theme = self.chart_kind.value, self._host.theme
        measured, profiled = self.benchmark, self.profile
        self.chart_kind.layout.display = "none" if kind is None else None
        if kind in _OPS_CHARTS and profiled is not None:
            show_figure(self.chart, profiled.chart(kind, theme), repr(profiled))
        elif kind in _LATENCY_CHARTS and measured is not None:
            show_figure(self.chart, measured.chart(kind, theme), "\n".join(_in_words(measured)))
        else:
            self.chart.outputs = ()


def _in_words(result: Benchmark) -> list[str]:
    if not result.comparisons:
        facts = result.facts()["runs"][0]
        return [f"{facts['label']}: p50 {facts['p50_ms']:.3g} ms, cold start {facts['cold_ms']:.0f} ms"]
    texts = []
    for one in result.comparisons:
        margin = f" (95 % interval {one.ci95[0]:.3f} to {one.ci95[1]:.3f})" if one.ci95 else ""
        texts.append(f"{one.b} against {one.a}: {one.verdict}, ratio {one.ratio:.3f}{margin}")
    return texts


def _of_profile(result: Profile) -> str:
    """How the sum over ops fits the latency, and what speaks against it, under the config's name."""
    fits, *doubts = result.remarks
    lines = [words(f"{result.config.label}: {fits}"), *(words(text, tone="notice") for text in doubts)]
    return "".join([*lines, *(words(text, tone="notice") for text in result.notices)])
