"""The charts: what they draw against numpy, hostile labels, nothing to draw, and the files they become."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaleido
import numpy as np
import plotly.io
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from workbench.bench import charts
from workbench.bench.charts.dress import hover_text, label_text
from workbench.bench.samples import Launch, Round, Run
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError

HOSTILE = [
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "<a href=javascript:alert(1)>go</a>",
    "&lt;b&gt; & &amp;",
    "$\\frac{1}{2}$ %{x} %{customdata[0]}",
    "x" * 10_000,
    "<i>" * 4_000,
    "",
    " \n\t ",
    "abc\u202edcba\u2066\u200f",
    "\u05d0\u05d1\u05d2 mixed",
    "\ud800 half a letter \x00\x1b[31m",
]
THEMES = ("light", "dark")


@dataclass
class Compared:
    a: str
    b: str
    ratio: float
    ci95: tuple[float, float] | None
    verdict: str


@dataclass
class Step:
    name: str
    ms: float
    low: float | None = None
    high: float | None = None


@dataclass
class Sized:
    size: int
    run: Run


@dataclass
class Loaded:
    predictors: int
    per_second: float
    p50_ms: float
    p99_ms: float


def made_run(*launches: Sequence[Any], label: str = "made", apart_s: float = 100.0) -> Run:
    """A run of launches, each a list of rounds of samples, that begin every ``apart_s`` seconds."""
    made, began = [], 0.0
    for rounds in launches:
        taken = []
        for samples in rounds:
            taken.append(Round(np.asarray(samples, float), began))
            began += apart_s
        made.append(Launch(1.0, 2.0, np.ones(3), tuple(taken)))
    return Run(label, InferenceConfig(), (), tuple(made))


def latencies(count: int = 3000, p50: float = 5.0, seed: int = 1) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    samples = p50 * rng.lognormal(0, 0.04, count)
    slow = rng.random(count) < 0.01
    samples[slow] *= rng.uniform(2, 8, slow.sum())
    return samples


def op_row(
    name: str, ms: float | None, layer: str = "a/b", kind: str = "conv2d", share: float = 0.1
) -> dict[str, Any]:
    return {"op": name, "type": kind, "layer": layer, "calls": 1, "ms": ms, "share": share}


def every_chart(labels: Sequence[str], theme: str) -> list[Any]:
    """Each chart with the texts wherever one can come from outside."""
    runs = [made_run([latencies(40)], [latencies(40, 6.0)], label=label) for label in labels]
    rows = [op_row(label, 1.0, layer=f"{label}/b", kind=label) for label in labels] + [op_row("last", 0.5)]
    return [
        charts.latency_chart(runs, theme),
        charts.distribution_chart(runs, theme),
        charts.timeline_chart(runs[:3], theme),
        charts.ecdf_chart(runs, theme),
        charts.comparison_chart([Compared(one, one, 0.9, (0.8, 0.95), "faster") for one in labels], theme),
        charts.scan_chart([Sized(1, runs[0]), Sized(4, runs[0])], theme),
        charts.throughput_chart([Loaded(1, 100, 5, 7)], theme),
        charts.ops_chart(rows, theme, most=len(labels)),
        charts.ops_treemap(rows, theme),
        charts.waterfall_chart([Step(one, -1, -1.2, -0.8) for one in labels], theme, before_ms=9, after_ms=7),
    ]


EMPTY: dict[str, Callable[[str], Any]] = {
    "latency": lambda theme: charts.latency_chart([], theme),
    "latency of nothing measured": lambda theme: charts.latency_chart([made_run()], theme),
    "distribution": lambda theme: charts.distribution_chart([made_run([[]])], theme),
    "timeline": lambda theme: charts.timeline_chart([made_run([[]])], theme),
    "ecdf": lambda theme: charts.ecdf_chart([made_run([[np.nan]])], theme),
    "comparison": lambda theme: charts.comparison_chart([], theme),
    "comparison without a ratio": lambda theme: charts.comparison_chart(
        [Compared("a", "b", np.nan, None, "no difference seen")], theme
    ),
    "scan": lambda theme: charts.scan_chart([Sized(1, made_run())], theme),
    "throughput": lambda theme: charts.throughput_chart([], theme),
    "ops": lambda theme: charts.ops_chart([op_row("a", None)], theme),
    "treemap": lambda theme: charts.ops_treemap([op_row("a", 0.0)], theme),
    "waterfall": lambda theme: charts.waterfall_chart([], theme, before_ms=5),
}


def texts_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts_in(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts_in(one)]
    return [value] if isinstance(value, str) else []


def traces(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


@pytest.mark.parametrize("theme", THEMES)
def test_a_box_per_run_with_its_numbers(theme: str) -> None:
    runs = [made_run([latencies(5000, p50, seed)], label=str(seed)) for seed, p50 in enumerate((5, 7, 6))]
    figure = charts.latency_chart(runs, theme)
    assert list(figure.layout.yaxis.ticktext) == ["0", "1", "2"]
    for row, (trace, run) in enumerate(zip(figure.data, runs, strict=True)):
        samples = run.samples_ms
        quartiles = (trace.q1[0], trace.median[0], trace.q3[0])
        assert quartiles == pytest.approx(np.percentile(samples, [25, 50, 75]))
        assert trace.y == (row,)
        assert set(trace.x[0]) <= set(samples)
        assert len(trace.x[0]) <= 2000
        note = next(one for one in figure.layout.annotations if one.y == row)
        assert f"p50 {np.median(samples):.3g} ms" in note.text
        assert f"p99 {np.percentile(samples, 99):.3g} ms" in note.text
        assert f"max {samples.max():.3g} ms" in note.text
    assert len({trace.marker.color for trace in figure.data}) == 3
    right = figure.layout.xaxis.range[1]
    beyond = sum(int((run.samples_ms > right).sum()) for run in runs)
    assert f"{beyond} samples are beyond the right edge" in figure.layout.title.subtitle.text


def test_the_themes_differ() -> None:
    light, dark = (charts.latency_chart([made_run([[5.0] * 6])], theme) for theme in THEMES)
    assert light.layout.template.layout.font.color != dark.layout.template.layout.font.color
    low, high = light.layout.xaxis.range
    assert low < 5 < high
    with pytest.raises(WorkbenchError, match="unknown theme 'blue': give 'light' or 'dark'"):
        charts.ecdf_chart([], "blue")


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_a_histogram_counts_the_samples_in_its_bins(scale: float) -> None:
    runs = [made_run([latencies(4000)], label="a"), made_run([latencies(900, 5 * scale, 2)], label="b")]
    # Forty times as slow for some of the run, and a linear axis would show one bar.
    runs.append(made_run([np.concatenate([latencies(500), latencies(500, 5 * scale)])], label="c"))
    figure = charts.distribution_chart(runs)
    for row, run in enumerate(runs):
        hover = traces(figure, run.label)[1]
        low, high, share = np.array(hover.customdata).T
        edges = np.append(low, high[-1])
        expected = np.histogram(run.samples_ms, edges)[0] / len(run.samples_ms)
        assert share == pytest.approx(expected)
        note = next(one.text for one in figure.layout.annotations if one.y == row)
        beyond = int((run.samples_ms > edges[-1]).sum())
        assert share.sum() == pytest.approx(1 - beyond / len(run.samples_ms))
        assert (f"{beyond:,} beyond" in note) == (beyond > 0)


def test_the_axis_of_a_distribution_is_logarithmic_only_for_a_long_tail() -> None:
    steady = made_run([latencies(2000)])
    half = made_run([np.concatenate([latencies(2000), latencies(500, 200.0)])])
    assert charts.distribution_chart([steady]).layout.xaxis.type != "log"
    assert charts.distribution_chart([half]).layout.xaxis.type == "log"


def test_a_timeline_keeps_every_outlier_the_extremes_and_all_medians() -> None:
    rng = np.random.default_rng(4)
    launches = [[5 * rng.lognormal(0, 0.04, 4000) for _ in range(4)] for _ in range(3)]
    launches[1][2][[7, 70, 700]] = 90.0, 50.0, 0.5
    run = made_run(*launches)
    figure = charts.timeline_chart([run])
    samples = run.samples_ms
    q1, q3 = np.percentile(samples, [25, 75])
    outlying = samples[(samples < q1 - 3 * (q3 - q1)) | (samples > q3 + 3 * (q3 - q1))]
    (drawn,) = traces(figure, "outlier")
    assert list(drawn.customdata) == list(outlying)
    assert {"triangle-up", "triangle-down"} <= set(drawn.marker.symbol)
    low, high = figure.layout.yaxis.range
    assert all(low < value < high for value in drawn.y)
    (note,) = figure.layout.annotations
    assert f"{len(samples):,} samples, {len(outlying)} outliers" in note.text
    assert f"the slowest {samples.max():.3g} ms" in note.text

    (points,) = traces(figure, "sample")
    assert len(points.y) < 9000 < len(samples)
    for one in run.rounds:
        usual = one.samples_ms[~np.isin(one.samples_ms, outlying)]
        assert {usual.min(), usual.max()} <= set(points.y)
        index = int(np.argmin(usual))
        place = list(points.y).index(usual[index])
        # The rounds begin so far apart, and a round is as long.
        assert one.began_s <= points.x[place] <= one.began_s + 100

    (line,) = traces(figure, "median of a round")
    assert [value for value in line.y if value is not None] == [
        np.median(one.samples_ms) for one in run.rounds
    ]
    assert [place for place, value in enumerate(line.y) if value is None] == [4, 9]
    begins = [launch.rounds[0].began_s for launch in run.launches]
    (borders,) = traces(figure, "begin of a launch")
    assert [value for value in borders.x if value is not None] == [one for one in begins for _ in range(2)]


def test_samples_are_spread_over_the_rounds_that_they_were_taken_in() -> None:
    """Of three configs that take turns, each round lasts three times as long as one's samples in it."""
    launches = [[[100.0, 200.0, 100.0]] * 3] * 2
    figure = charts.timeline_chart([made_run(*launches, apart_s=1.2)])
    (points,) = traces(figure, "sample")
    begins = np.array([began + share for began in np.arange(6) * 1.2 for share in (0, 0.3, 0.9)])
    assert list(points.x) == pytest.approx(list(begins))
    # Of two at once, a round lasts half as long.
    figure = charts.timeline_chart([made_run([[100.0] * 4] * 2, apart_s=0.2)])
    (points,) = traces(figure, "sample")
    assert list(points.x) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35])
    assert "spread over" in figure.layout.title.subtitle.text.replace("<br>", " ")


def test_rounds_do_not_overlap_where_nobody_said_when_they_began() -> None:
    figure = charts.timeline_chart([made_run([[5.0, 6.0], [7.0]], apart_s=0.0)])
    (points,) = traces(figure, "sample")
    assert list(points.x) == pytest.approx([0.0, 0.005, 0.011])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=400))
def test_an_ecdf_gives_the_share_below_and_the_percentiles(samples: list[float]) -> None:
    curve, marks = charts.ecdf_chart([made_run([samples])]).data
    taken = np.array(samples)
    assert curve.x[-1] == taken.max()
    # The step up is at the sample, so its height before it is what is below by rank.
    places = np.searchsorted(np.sort(taken), curve.x, side="left")
    tied = np.searchsorted(np.sort(taken), curve.x, side="right")
    ranks = np.array(curve.customdata) * len(taken)
    assert ((places - 1e-6 <= ranks) & (ranks < tied + 1e-6)).all()
    assert 1 - 10 ** -np.array(curve.y) == pytest.approx(np.array(curve.customdata), abs=1e-9)
    for name, value, nines in zip(marks.customdata, marks.x, marks.y, strict=True):
        share = float(name[1:])
        assert value == pytest.approx(np.percentile(taken, share))
        assert nines == pytest.approx(-np.log10(1 - share / 100))
    resolved = [share for share in (50, 90, 95, 99, 99.9) if len(taken) * (100 - share) >= 100 - 1e-9]
    assert [f"p{one:g}" for one in resolved] == list(marks.customdata)


def test_an_ecdf_of_many_is_thin_but_not_in_its_tail() -> None:
    samples = latencies(100_000)
    curve = charts.ecdf_chart([made_run([samples])]).data[0]
    assert len(curve.x) < 1000
    assert list(curve.x[-200:]) == list(np.sort(samples)[-200:])


def test_more_runs_than_colours_are_told_apart() -> None:
    runs = [made_run([latencies(50)], label=str(index)) for index in range(14)]
    figure = charts.ecdf_chart(runs)
    curves = [trace for trace in figure.data if trace.mode == "lines"]
    assert len({(trace.line.color, trace.line.dash) for trace in curves}) == 14
    assert "After 6 runs the colours begin again" in figure.layout.title.subtitle.text.replace("<br>", " ")


def test_a_comparison_says_ratio_interval_and_verdict() -> None:
    shown = [
        Compared("base", "quick", 0.8, (0.7, 0.85), "faster"),
        Compared("base", "slow", 1.3, (1.2, 1.5), "slower"),
        Compared("base", "alike", 1.0, None, "no difference seen"),
    ]
    figure = charts.comparison_chart(shown, same=0.02)
    assert "base" in figure.layout.title.text
    assert list(figure.layout.yaxis.ticktext) == ["quick", "slow", "alike"]
    for row, (one, trace) in enumerate(zip(shown, figure.data, strict=True)):
        assert (trace.x, trace.y) == ((one.ratio,), (row,))
        if one.ci95:
            low, high = one.ci95
            assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(low)
            assert trace.x[0] + trace.error_x.array[0] == pytest.approx(high)
        assert trace.error_x.visible == (one.ci95 is not None)
        note = next(note.text for note in figure.layout.annotations if note.y == row)
        assert one.verdict in note
    assert len({trace.marker.color for trace in figure.data}) == 3
    assert len({trace.marker.symbol for trace in figure.data}) == 3
    assert {(shape.type, shape.x0, shape.x1) for shape in figure.layout.shapes} == {
        ("line", 1, 1),
        ("rect", 0.98, 1.02),
    }
    low, high = figure.layout.xaxis.range
    assert low < 0.7
    assert high > 1.5
    assert len(charts.comparison_chart(shown).layout.shapes) == 1


def test_ratios_far_apart_are_on_a_logarithmic_axis() -> None:
    shown = [Compared("a", "b", 0.05, (0.04, 0.06), "faster"), Compared("c", "d", 20.0, (18, 22), "slower")]
    figure = charts.comparison_chart(shown)
    low, high = figure.layout.xaxis.range
    assert figure.layout.xaxis.type == "log"
    assert 10**low < 0.04 < 22 < 10**high
    assert list(figure.layout.yaxis.ticktext) == ["b / a", "d / c"]


def test_a_scan_has_median_band_and_latency_per_item() -> None:
    sizes = [8, 1, 4]
    points = [Sized(size, made_run([latencies(500, 2.0 * size, size)])) for size in sizes]
    figure = charts.scan_chart(points, what="sequence length")
    assert figure.layout.xaxis.title.text == "sequence length"
    ordered = sorted(points, key=lambda one: one.size)
    p10, p50, p90 = np.array([np.percentile(one.run.samples_ms, [10, 50, 90]) for one in ordered]).T
    for scale, line, band in zip(
        ([1, 1, 1], [1, 4, 8]), traces(figure, "p50"), traces(figure, "p10 to p90"), strict=True
    ):
        assert list(line.x) == [1, 4, 8]
        assert line.y == pytest.approx(p50 / scale)
        assert band.y == pytest.approx(np.concatenate([p10 / scale, (p90 / scale)[::-1]]))


def test_throughput_has_a_point_for_each_number_of_predictors() -> None:
    points = [Loaded(4, 300.0, 9.0, 20.0), Loaded(1, 100.0, 5.0, 7.0), Loaded(2, np.nan, 5.0, 7.0)]
    figure = charts.throughput_chart(points)
    (p99,) = traces(figure, "p99 latency")
    (p50,) = traces(figure, "p50 latency")
    assert (p99.x, p99.y, p99.text) == ((7.0, 20.0), (100.0, 300.0), ("1", "4"))
    assert p50.x == (5.0, 9.0)
    assert "1 point without a number" in figure.layout.title.subtitle.text


def test_ops_are_sorted_and_the_rest_is_summed() -> None:
    rng = np.random.default_rng(2)
    times = rng.exponential(1.0, 40)
    rows = [
        op_row(f"op{index}", float(one), kind=f"kind{index % 9}", share=float(one / times.sum()))
        for index, one in enumerate(times)
    ]
    figure = charts.ops_chart(rows, most=25)
    bars = {place: value for trace in figure.data for place, value in zip(trace.y, trace.x, strict=True)}
    ordered = np.sort(times)[::-1]
    assert [bars[place] for place in range(25)] == pytest.approx(ordered[:25])
    assert bars[25] == pytest.approx(ordered[25:].sum())
    assert len(bars) == 26
    assert figure.layout.yaxis.ticktext[0] == f"a/b: op{int(np.argmax(times))}"
    assert figure.layout.yaxis.ticktext[25] == "… 15 others"
    assert len(charts.ops_chart(rows[:25]).data[0].y) <= 25


def test_the_layer_of_a_bar_is_cut_and_not_the_number_of_its_op() -> None:
    layer = "/Sequential_3/BasicBlock_1/Conv2D_1"
    rows = [op_row(f"{index} fused_conv2d", 1.0, layer) for index in (9, 19, 29)]
    labels = charts.ops_chart(rows).layout.yaxis.ticktext
    assert [label.rpartition(": ")[2] for label in labels] == [row["op"] for row in rows]
    assert all(len(label) <= 44 and label.startswith("/Sequential") for label in labels)


def test_a_treemap_adds_up_to_all_ops() -> None:
    rows = [
        op_row("same", 1.0, "layer1/0"),
        op_row("same", 2.0, "layer1/0"),
        op_row("0", 3.0, "layer1"),
        op_row("alone", 4.0, ""),
        op_row("none", 0.0, "layer1"),
    ]
    (tree,) = charts.ops_treemap(rows).data
    assert len(set(tree.ids)) == len(tree.ids)
    assert set(tree.parents) - {""} <= set(tree.ids)
    assert sum(tree.values) == pytest.approx(10)
    texts = dict(zip(tree.customdata, tree.text, strict=True))
    assert texts["layer1"] == "6 ms, 60 %"
    assert texts["layer1/0"] == "3 ms, 30 %"
    assert texts["all ops"] == "10 ms, 100 %"


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=43), st.none() | st.floats(1, 20))
@settings(max_examples=8, deadline=None)
def test_a_waterfall_goes_from_before_to_after(changes: list[float], after: float | None) -> None:
    steps = [Step(f"pass{index}", one, one - 0.1, one + 0.2) for index, one in enumerate(changes)]
    figure = charts.waterfall_chart(steps, before_ms=10.0, after_ms=after)
    bars, _, totals = figure.data
    count = len(changes)
    assert np.array(bars.base[:count]) == pytest.approx(
        10 + np.concatenate([[0], np.cumsum(changes)[:-1]]), abs=1e-9
    )
    assert list(bars.x[:count]) == changes
    assert bars.error_x.array[:count] == pytest.approx([0.2] * count)
    assert bars.error_x.arrayminus[:count] == pytest.approx([0.1] * count)
    expected = 10 + sum(changes) if after is None else after
    assert totals.x == pytest.approx((10.0, expected))
    assert bars.base[-1] + bars.x[-1] == pytest.approx(expected)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("what", EMPTY)
def test_without_data_a_chart_says_so(what: str, theme: str) -> None:
    figure = EMPTY[what](theme)
    assert figure.layout.title.text
    (note,) = figure.layout.annotations
    assert re.match(r"No .*[:.]", note.text)
    assert not figure.layout.xaxis.visible


def test_runs_without_samples_are_counted_not_drawn() -> None:
    full, bare = made_run([latencies(100)]), made_run([[]])
    for chart in (charts.latency_chart, charts.distribution_chart, charts.timeline_chart, charts.ecdf_chart):
        told = chart([bare, full, bare]).layout.title.subtitle.text.replace("<br>", " ")
        assert "2 runs without samples are not shown." in told


@pytest.mark.parametrize("samples", [[5.0], [5.0] * 50, [0.0] * 5, [0.0, 5.0], [-1.0, 0.0, 2.0], [1e-6, 1e6]])
def test_strange_samples_are_drawn(samples: list[float]) -> None:
    run = made_run([samples])
    for chart in (charts.latency_chart, charts.distribution_chart, charts.timeline_chart, charts.ecdf_chart):
        figure = json.loads(plotly.io.to_json(chart([run])))
        low, high = figure["layout"]["xaxis"].get("range", [0, 1])
        assert low < high
    charts.scan_chart([Sized(1, run), Sized(1, run)])


def test_nothing_in_a_label_is_markup() -> None:
    texts = [
        text
        for figure in every_chart(HOSTILE, "dark")
        for text in texts_in(json.loads(plotly.io.to_json(figure)))
    ]
    for text in texts:
        own = re.sub(r"</?b>|<br>|<extra></extra>", "", text)
        assert not re.search("[<>$]", own)
        # Ours begin with a name of plotly's; a label's sign is written as its number.
        assert all(re.match(r"(x|y|text|customdata)\b", one) for one in re.findall(r"%{(.*?)}", own))
        assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\x00-\x1f]", own)
    assert not any("<b>bold" in text for text in texts)
    assert label_text("<b>bold</b>") in texts


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=100))
def test_a_label_says_the_same_to_who_reads_it(label: str) -> None:
    shown = html.unescape(label_text(label, 1000))
    seen = "".join(" " if one.isspace() else one for one in label)
    assert shown == "(no name)" or set(shown) <= set(seen)
    assert not re.search("[<>$%]", label_text(label))


def test_a_long_label_is_cut_and_whole_on_hover() -> None:
    label = "begin " + "x" * 200 + " end"
    shown = label_text(label)
    assert len(shown) == 34
    assert shown.startswith("begin ")
    assert shown.endswith(" end")
    assert hover_text(label).replace("<br>", "") == label
    assert "(10,000 letters)" in hover_text("x" * 10_000)
    assert label_text("") == hover_text(" ") == "(no name)"
    assert len(label_text("\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 100)) <= 18
    figure = charts.latency_chart([made_run([[5.0]], label=label)])
    assert label in figure.data[0].hovertemplate.replace("<br>", "")


def test_titles_and_units_are_everywhere() -> None:
    for figure in every_chart(["a"], "light"):
        assert figure.layout.title.text
        told = " ".join(texts_in(json.loads(plotly.io.to_json(figure))["layout"])) + str(figure.data)
        assert re.search(r"\bms\b|ratio", told)


def test_no_page_offers_to_send_a_chart_to_a_server() -> None:
    for figure in [*every_chart(["a"], "light"), *(empty("light") for empty in EMPTY.values())]:
        assert "sendChartToCloud" in figure.layout.modebar.remove


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    label = "</script><script>alert(1)</script>"
    for index, figure in enumerate(every_chart([label], "dark")[3:5]):
        file = charts.save_chart(figure, tmp_path / f"{index}.html")
        page = file.read_text()
        assert not re.search(r"<(script|link|img)[^>]*(src|href)=", page.replace("\\u003c", "<")[:5000])
        assert not re.search(r"<(script|link)[^>]+(src|href)=\"?http", page)
        assert "<script>alert" not in page
        assert "background:#111111" in page
        assert '"showSendToCloud": false' in page


def test_pictures_are_written(tmp_path: Path) -> None:
    figures = every_chart(["<b>bold</b>"], "light")
    with Image.open(
        charts.save_chart(figures[3], tmp_path / "chart.png", width=700, height=500, theme="dark")
    ) as image:
        assert image.size == (700, 500)
        assert image.convert("RGB").getpixel((1, 1)) == (17, 17, 17)
        assert len(image.convert("RGB").getcolors(1_000_000)) > 20
    drawing = ElementTree.parse(charts.save_chart(figures[4], tmp_path / "chart.SVG", width=640)).getroot()
    assert drawing.tag.endswith("svg")
    assert (drawing.get("width"), drawing.get("height")) == ("640", str(figures[4].layout.height))
    assert "<b>bold</b>" in "".join(drawing.itertext())


def test_what_cannot_be_saved_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = charts.ecdf_chart([])
    with pytest.raises(WorkbenchError, match=r"'chart.gif': give a name that ends in .html, .png or .svg"):
        charts.save_chart(figure, tmp_path / "chart.gif")
    with pytest.raises(WorkbenchError, match="unknown theme 'blue'"):
        charts.save_chart(figure, tmp_path / "chart.html", theme="blue")
    with pytest.raises(WorkbenchError, match="0 × 205 pixels cannot be drawn"):
        charts.save_chart(figure, tmp_path / "chart.png", width=0, height=205)
    with pytest.raises(WorkbenchError, match=r"cannot write .*No such file or directory"):
        charts.save_chart(figure, tmp_path / "nowhere" / "chart.html")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "missing"))
    with pytest.raises(WorkbenchError, match=r"no Chrome or Chromium .* install one .* or save as .html"):
        charts.save_chart(figure, tmp_path / "chart.png")
    assert list(tmp_path.iterdir()) == []


def test_a_browser_that_fails_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **other: Any) -> bytes:
        raise RuntimeError("it\nfell")

    monkeypatch.setattr(kaleido, "calc_fig_sync", fails)
    with pytest.raises(
        WorkbenchError, match=r"did not draw the picture \(RuntimeError: it fell\): save as .html"
    ):
        charts.save_chart(charts.ecdf_chart([]), tmp_path / "chart.svg")
