"""The report in a real Chromium, opened from the disk, with every request to a network refused."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_results import (
    made_ablation,
    made_benchmark,
    made_profile,
    made_scan,
    made_throughput,
)
from playwright.sync_api import Browser, Page, expect

import workbench as wb
from workbench.reporting import Failed

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    '" onload="window.hacked = 1" x="',
    "<!-- <script> {{ 7 * 7 }} ]]>",
]


@contextlib.contextmanager
def alone(browser: Browser, file: Path, **context: Any) -> Iterator[Page]:
    """The file, in a page that must ask for nothing and say nothing on its console."""
    opened = browser.new_context(viewport={"width": 1300, "height": 900}, **context)
    page = opened.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.route(re.compile(r"^(https?|wss?):"), lambda route: route.abort())
    # Embedded data is no request; the file itself is the only one there may be.
    page.on("request", lambda one: None if one.url.startswith(("data:", "blob:")) else asked.append(one.url))
    page.on("console", lambda one: said.append(one.text))
    page.on("pageerror", lambda one: said.append(str(one)))
    page.goto(file.as_uri())
    yield page
    opened.close()
    assert asked == [file.as_uri()]
    assert said == []


def is_light(page: Page, of: str, what: str) -> bool:
    """Whether a colour of the first such element is nearer to white than to black."""
    colour = page.locator(of).first.evaluate(f"element => getComputedStyle(element)['{what}']")
    red, green, blue = map(float, re.findall(r"[\d.]+", colour)[:3])
    return red + green + blue > 1.5 * 255


@pytest.fixture(scope="module")
def results() -> list[Any]:
    return [made_benchmark(), made_scan(), made_throughput(), made_profile(), made_ablation()]


@pytest.fixture(scope="module")
def report(results: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wb.report(tmp_path_factory.mktemp("report") / "report.html", results)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_in_the_theme_of_the_system(browser: Browser, report: Path, scheme: Any) -> None:
    with alone(browser, report, color_scheme=scheme) as page:
        # Comparison, distribution, ECDF, time line; scan, throughput; bars, treemap; waterfall.
        charts = page.locator("figure.chart")
        expect(charts).to_have_count(9)
        expect(page.locator("figure.chart > .plot-container .gtitle")).to_have_count(9)
        for chart in charts.all():
            sizes = chart.locator(".trace path").evaluate_all("all => all.map(one => one.getTotalLength())")
            assert max(sizes) > 0
        assert is_light(page, "body", "backgroundColor") is (scheme == "light")
        assert is_light(page, ".gtitle", "fill") is (scheme == "dark")


def test_a_theme_can_be_chosen_and_the_system_followed_again(browser: Browser, report: Path) -> None:
    with alone(browser, report, color_scheme="light") as page:
        titles = page.locator("figure.chart .gtitle")
        expect(titles).to_have_count(9)
        for theme, light in (("dark", False), ("light", True), ("", True)):
            page.get_by_label("Theme").select_option(theme)
            expect(page.locator("html")).to_have_attribute("data-theme", theme or "light")
            assert is_light(page, "body", "backgroundColor") is light
            assert is_light(page, ".gtitle", "fill") is not light
            expect(titles).to_have_count(9)
        page.emulate_media(color_scheme="dark")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_zoom_outlives_a_change_of_theme(browser: Browser, report: Path) -> None:
    with alone(browser, report) as page:
        page.evaluate(
            "Plotly.relayout(document.querySelectorAll('figure.chart')[1], {'xaxis.range': [3, 7]})"
        )
        page.get_by_label("Theme").select_option("dark")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        shown = page.evaluate("document.querySelectorAll('figure.chart')[1].layout.xaxis.range")
        assert shown == [3, 7]


def test_the_facts_can_be_saved(browser: Browser, report: Path, results: list[Any], tmp_path: Path) -> None:
    with alone(browser, report) as page:
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Save the facts as JSON").click()
        waiting.value.save_as(tmp_path / "facts.json")
        assert waiting.value.suggested_filename == "report.json"
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["benchmarks"] == json.loads(json.dumps([results[0].facts()]))
    assert facts["ablations"][0]["passes"] == json.loads(json.dumps(results[4].facts()["passes"]))


def test_the_contents_lead_to_every_page_by_keyboard(browser: Browser, report: Path) -> None:
    with alone(browser, report) as page:
        links = page.get_by_role("navigation", name="Contents").get_by_role("link")
        expect(links).to_have_text(
            ["Summary", "Latency", "Scans and throughput", "Ops", "Passes", "Environment and raw data"]
        )
        for at in range(links.count()):
            page.get_by_label("Theme").focus()
            for _ in range(at + 1):
                page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            name = links.nth(at).inner_text()
            expect(page.get_by_role("region", name=name, exact=True)).to_be_in_viewport()


def test_on_paper_it_is_light_and_no_wider_than_a_sheet(browser: Browser, report: Path) -> None:
    with alone(browser, report, color_scheme="dark") as page:
        expect(page.locator("figure.chart .gtitle")).to_have_count(9)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert is_light(page, "body", "backgroundColor")
        widths = page.locator("figure.chart .main-svg").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().width)"
        )
        assert 0 < max(widths) <= 700
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert not is_light(page, "body", "backgroundColor")


def test_texts_and_tables_are_there_without_scripts(browser: Browser, report: Path) -> None:
    with alone(browser, report, java_script_enabled=False) as page:
        expect(page.get_by_role("table", name="Steady state")).to_contain_text("p99.9")
        expect(page.get_by_role("link", name="Latency")).to_be_visible()


def test_hostile_names_are_text(browser: Browser, tmp_path: Path) -> None:
    results = [
        made_benchmark(HOSTILE, notice=HOSTILE[0]),
        made_throughput(HOSTILE[1]),
        made_profile(HOSTILE),
        made_ablation(HOSTILE),
        Failed(HOSTILE[0], HOSTILE[2]),
    ]
    file = wb.report(tmp_path / f"{HOSTILE[3][:20]}.html", results, title=HOSTILE[1])
    with alone(browser, file) as page:
        expect(page.locator("figure.chart .gtitle").last).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE[1])
        for text in HOSTILE:
            expect(
                page.get_by_role("cell", name=text, exact=True).or_(page.get_by_text(text)).first
            ).to_be_visible()
        # Where a name is shown on hover, too.
        for chart in page.locator("figure.chart").all():
            box = chart.bounding_box()
            assert box
            chart.scroll_into_view_if_needed()
            chart.hover(position={"x": box["width"] / 2, "y": box["height"] / 2}, force=True)
        assert page.evaluate("window.hacked") is None
        assert page.locator("main img, main script").count() == 0


def test_the_graph_has_the_times_of_the_profile(
    browser: Browser, sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    trace = wb.trace(sample_folder())
    found = wb.profile(trace, seconds=0.2)
    file = wb.report(tmp_path / "graph.html", [found, trace])
    first, last = trace[0].ops, trace[-1].ops
    trace.close()
    trace.session.close()
    with alone(browser, file, color_scheme="light") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("digits")
        frame = page.frame_locator("iframe")
        graph = frame.locator(".pwb-graph")
        graph.scroll_into_view_if_needed()
        expect(graph).to_contain_text(re.compile(rf"\b{last} ops"))
        expect(graph.get_by_label("Colour by", exact=True)).to_have_value("overlay:latency")
        assert is_light(page, "body", "backgroundColor")
        body = frame.locator("body")
        expect(body).to_have_attribute("data-jp-theme-light", "true")
        page.get_by_label("Theme").first.select_option("dark")
        expect(body).to_have_attribute("data-jp-theme-light", "false")
        # Another stage, without a kernel.
        graph.get_by_label("Stage", exact=True).select_option("0")
        expect(graph).to_contain_text(re.compile(rf"\b{first} ops"))
