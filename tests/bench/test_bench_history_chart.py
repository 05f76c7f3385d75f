"""A model over time."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import plotly
import pytest
from histories import CONFIG, ENVIRONMENT, FACTS, begin, measure, set_began, steady

from workbench.bench.charts import history_chart
from workbench.bench.history import History
from workbench.bench.samples import Round
from workbench.config import InferenceConfig


def timeline(history: History) -> None:
    """Four days: from the second another Paddle, from the third another CPU, on the fourth another model."""
    day = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
    for index, (cpu, paddle, digest) in enumerate(
        [("A", "3.2", "1"), ("A", "3.3", "1"), ("B<b>", "3.3", "1"), ("B<b>", "3.3", "2")]
    ):
        environment = {"cpu_model": cpu, "runtime": {"paddle": paddle}}
        labels = ("default", "two") if index else ("default",)
        number = measure(history, *labels, environment=environment, hash=digest * 64)
        set_began(history, number, day + timedelta(days=index))


def test_a_model_over_time(history: History) -> None:
    timeline(history)
    empty = begin(history)
    empty.run(0, "default", CONFIG, ())
    empty.end("failed", "nothing measured")
    points = history.over_time("digits")
    assert [(point.began.day, point.label, point.cpu, point.paddle) for point in points] == [
        (1, "default", "A", "3.2"),
        *[(2, label, "A", "3.3") for label in ("default", "two")],
        *[(3, label, "B<b>", "3.3") for label in ("default", "two")],
        *[(4, label, "B<b>", "3.3") for label in ("default", "two")],
    ]
    for point in points:
        assert point.samples == 100
        assert [point.p50_ms, point.p90_ms, point.p99_ms] == pytest.approx([50.5, 90.1, 99.01])
    assert [point.began.day for point in history.over_time("digits", "two")] == [2, 3, 4]
    assert [point.began.day for point in history.over_time("2" * 64, "two")] == [4]
    assert history.over_time("bert") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_shows_lines_bands_and_changes(history: History, theme: Any) -> None:
    timeline(history)
    chart = history.chart("digits", theme)
    figure = json.loads(plotly.io.to_json(chart))
    shown = [trace for trace in figure["data"] if trace["showlegend"]]
    assert [trace["name"] for trace in shown] == ["default", "two"]
    for trace, band in zip(shown, figure["data"][::2], strict=True):
        assert trace["fill"] == "tonexty" and band["x"] == trace["x"]
        assert list(chart.data[1].y) == [50.5] * 4
        assert list(chart.data[0].y) == pytest.approx([90.1] * 4)
    assert "Paddle 3.2" in shown[0]["text"][0] and "B&#60;b&#62;" in shown[0]["text"][2]
    marks = [(one["x"][:10], one["text"]) for one in figure["layout"]["annotations"]]
    assert [text for _, text in marks] == ["Paddle 3.3", "B&#60;b&#62;", "model changed"]
    assert [line["x0"][:10] for line in figure["layout"]["shapes"]] == [day for day, _ in marks]


def test_the_chart_has_the_interval_of_every_median(history: History) -> None:
    rng = np.random.default_rng(2)
    steady(history, rng.gamma(4, 1, (8, 20)).tolist())
    steady(history, rng.gamma(4, 1, (8, 20)).tolist(), "cancelled")
    known, unknown = history.over_time("digits")
    assert known.ci95 is not None and unknown.ci95 is None
    line = history.chart("digits").data[1]
    assert (line.y[0] - line.error_y.arrayminus[0], line.y[0] + line.error_y.array[0]) == pytest.approx(
        known.ci95
    )
    assert (line.error_y.arrayminus[1], line.error_y.array[1]) == (0, 0)
    assert "(95 &#37;: " in line.text[0] and "(95 &#37;: " not in line.text[1]


def test_words_of_changes_do_not_meet(history: History) -> None:
    day = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
    for number in range(12):
        cpu = f"A CPU of a long name, number {number}"
        set_began(
            history,
            measure(history, environment={"cpu_model": cpu, "runtime": {"paddle": "3.3"}}),
            day + timedelta(minutes=number),
        )
    figure = history.chart("digits")
    assert len(figure.layout.shapes) == 11
    shown = figure.layout.annotations
    assert 4 <= len(shown) < 11
    assert "hover says which" in figure.layout.title.subtitle.text
    assert max(one.yshift for one in shown) + 17 < figure.layout.margin.t
    first, last = figure.data[1].x[0], figure.data[1].x[-1]
    taken: dict[float, list[tuple[float, float]]] = {}
    for one in shown:
        # On a plot of 640 pixels; a letter of this size is 5.5 wide.
        at, width = 640 * ((one.x - first) / (last - first)), 5.5 * len(one.text)
        left = at if one.xanchor == "left" else at - width
        assert left >= 0 and left + width <= 640
        taken.setdefault(one.yshift, []).append((left, left + width))
    for line in taken.values():
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(sorted(line)))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_without_benchmarks_the_chart_says_so(theme: str) -> None:
    figure = history_chart([], theme)
    assert not figure.data
    assert "Nothing was measured yet" in figure.layout.annotations[0].text


def test_the_same_label_for_two_configs_is_two_lines(history: History) -> None:
    for config in (InferenceConfig(), CONFIG):
        recorder = begin(history)
        recorder.run(0, "mine", config, ())
        recorder.launch(0, 0, 1.0, 2.0, [])
        recorder.round(0, 0, 0, Round(np.array([1.0])))
        recorder.end("finished")
    names = [trace.name for trace in history.chart("digits").data if trace.showlegend]
    assert names == ["mine (default)", "mine (2 threads)"]


def test_what_was_recorded_before_a_field_came_is_on_the_same_line(history: History) -> None:
    measure(history)
    with contextlib.closing(sqlite3.connect(history.path)) as db, db:
        db.execute("UPDATE run SET config = json_remove(config, '$.fp32_ops')")
        (older,) = db.execute("SELECT config FROM run").fetchone()
    assert "fp32_ops" not in older
    measure(history)
    assert len([trace for trace in history.chart("digits").data if trace.showlegend]) == 1


def test_another_batch_is_another_line(history: History) -> None:
    for batch in (1, 8, 1):
        recorder = history.begin("benchmark", FACTS, ENVIRONMENT, inputs={"x": [batch, 3], "y": []})
        recorder.run(0, "default", CONFIG, ())
        recorder.launch(0, 0, 1.0, 2.0, [])
        recorder.round(0, 0, 0, Round(np.array([float(batch)])))
        recorder.end("finished")
    shown = [trace for trace in history.chart("digits").data if trace.showlegend]
    assert [trace.name for trace in shown] == ["default (x 1×3, y scalar)", "default (x 8×3, y scalar)"]
    assert [list(trace.y) for trace in shown] == [[1.0, 1.0], [8.0]]
