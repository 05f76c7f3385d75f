"""What a person sees and does: the first notebook in JupyterLab, clicked through."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from driving import Lab, open_notebook, run_all, theme
from explorer import SLOW_MS, Explorer
from playwright.sync_api import Locator, Page, expect

FIRST = "01_first_look.ipynb"
FOLDING = "conv2d_bn_onednn_fuse_pass"


class Screen:
    """The workbench on the page, by what a person calls its parts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".pwb-workbench").first
        self.passes = self.root.locator(".pwb-passes")
        self.graph = Explorer(self.root.locator(".pwb-graph"))

    def switch(self, name: str) -> Locator:
        return self.passes.get_by_role("switch", name=f"Run {name}").first

    def row(self, name: str) -> Locator:
        return self.passes.locator(".pwb-row").filter(has_text=name).first

    def control(self, label: str) -> Locator:
        return self.root.get_by_label(label, exact=True)

    def press(self, title: str) -> None:
        self.root.locator(f"button[title^='{title}']").click()

    def says(self, text: str | re.Pattern[str]) -> None:
        expect(self.root.get_by_text(text).first).to_be_visible(timeout=SLOW_MS)

    def bars(self) -> Locator:
        """The boxes of the latency chart, one per config."""
        return self.root.locator(".js-plotly-plot .trace.boxes")


@pytest.fixture(scope="module")
def screen(shared_page: Page, lab: Lab) -> Screen:
    open_notebook(shared_page, lab.page(FIRST))
    assert run_all(shared_page) == []
    shown = Screen(shared_page)
    shown.root.scroll_into_view_if_needed()
    shown.graph.until("facts.ops > 0")
    return shown


def test_the_passes_are_listed_and_the_changed_ones_marked(screen: Screen) -> None:
    screen.says(re.compile(r"^\d+ of \d+ passes changed the graph"))
    expect(screen.row(FOLDING)).to_contain_text("changed")
    expect(screen.row(FOLDING)).to_contain_text("match")
    rows = screen.passes.locator(".pwb-row")
    everything = rows.count()
    screen.passes.get_by_label("Hide unchanged").check()
    assert 0 < rows.count() < everything
    screen.passes.get_by_label("Hide unchanged").uncheck()
    screen.passes.get_by_label("Filter passes by name").fill("fold")
    expect(rows.filter(has_text="constant_folding_pass")).to_have_count(1)
    screen.passes.get_by_label("Filter passes by name").fill("")
    expect(rows).to_have_count(everything)


def test_choosing_a_pass_shows_what_it_did_to_the_graph(screen: Screen) -> None:
    screen.passes.locator("[data-stage='0']").click()
    before = screen.graph.at_stage(0)
    assert (before["added"], before["removed"], before["altered"]) == (0, 0, 0)
    screen.row(FOLDING).click()
    after = screen.graph.until("facts.added > 0 && facts.removed > 0")
    assert after["ops"] == before["ops"] + after["added"] - after["removed"]
    # A stage chosen in the graph is chosen in the list, too.
    screen.graph.press("[")
    screen.graph.at_stage(0)
    expect(screen.passes.locator("[data-stage='0']")).to_have_attribute("aria-selected", "true")


def test_a_pass_switched_off_is_off_and_on_again(screen: Screen) -> None:
    screen.row(FOLDING).click()
    before = screen.graph.until("facts.added > 0")
    screen.switch(FOLDING).click()
    screen.says(re.compile(r"1 off"))
    expect(screen.switch(FOLDING)).to_have_attribute("aria-checked", "false")
    screen.says("switched off")
    # The last stage shows what really ran without the pass.
    screen.row("inplace_pass").click()
    screen.graph.until("facts.stage > 30")
    screen.switch(FOLDING).click()
    expect(screen.row(FOLDING)).to_contain_text("match", timeout=SLOW_MS)
    screen.row(FOLDING).click()
    after = screen.graph.until("facts.added > 0")
    assert (after["ops"], after["added"], after["removed"]) == (
        before["ops"],
        before["added"],
        before["removed"],
    )


def test_runs_and_latencies_join_the_chart(screen: Screen) -> None:
    screen.press("Run once")
    screen.says(re.compile("ran once with default"))
    expect(screen.root.get_by_role("cell", name="fetch_name_0")).to_be_visible()
    screen.control("seconds each").fill("0.5")
    screen.press("Measure")
    expect(screen.bars()).to_have_count(1, timeout=SLOW_MS)
    expect(screen.root.locator(".modebar-btn[data-title^='Download']")).to_be_attached()
    expect(screen.root.locator(".modebar-btn[data-title^='Share']")).to_have_count(0)
    screen.control("oneDNN").select_option("off")
    screen.says(re.compile(r"^10 passes"))
    screen.press("Measure")
    expect(screen.bars()).to_have_count(2, timeout=SLOW_MS)
    screen.says(re.compile(r"oneDNN off against default: (faster|slower|no difference seen), ratio"))
    screen.root.get_by_text(re.compile(r"how far these numbers hold: \d+ remarks")).click()
    screen.says(re.compile(r"default: p99(\.9)? rests on the"))
    for kind, title in (
        ("distribution", "Distribution of latency"),
        ("timeline", "Samples over time"),
        ("ecdf", "Share of samples below a latency"),
        ("comparison", "Latency compared"),
        ("latency", "Latency"),
    ):
        screen.root.get_by_role("button", name=kind, exact=True).click()
        expect(screen.root.locator(".js-plotly-plot .gtitle")).to_contain_text(title, timeout=SLOW_MS)
    screen.press("Run once")
    screen.says(re.compile(r"largest difference from the first run"))
    screen.control("oneDNN").select_option("default")
    screen.says(re.compile(r"^4\d passes"))
    expect(screen.control("oneDNN")).to_have_value("default")


def test_a_profile_colours_the_graph_and_draws_its_ops(screen: Screen) -> None:
    screen.control("seconds each").fill("0.5")
    screen.press("Profile")
    legend = screen.graph.root.locator(".pwb-legend")
    expect(legend).to_contain_text(re.compile(r"latency \(ms(, logarithmic)?\)"), timeout=SLOW_MS)
    screen.says(re.compile(r"default: the ops (account for|add up to) .* of a run without the profiler"))
    # The op that takes longest is in sight.
    expect(screen.graph.panel).to_contain_text(re.compile(r"_op\."), timeout=SLOW_MS)
    plot = screen.root.locator(".js-plotly-plot")
    expect(plot.locator(".gtitle")).to_contain_text("Latency per op", timeout=SLOW_MS)
    assert plot.locator(".trace.bars .point").count() > 3
    screen.root.get_by_role("button", name="layers", exact=True).click()
    expect(plot.locator(".gtitle")).to_contain_text("Latency by layer", timeout=SLOW_MS)
    # Another config has another graph.
    screen.control("oneDNN").select_option("off")
    screen.says(re.compile(r"^10 passes"))
    expect(screen.root.get_by_role("button", name="layers", exact=True)).to_have_count(0)
    expect(legend).to_be_hidden()
    screen.control("oneDNN").select_option("default")
    screen.says(re.compile(r"^4\d passes"))


def test_a_mistake_is_said_where_it_happened_and_the_next_run_works(screen: Screen, tmp_path: Path) -> None:
    source = screen.root.locator("select").filter(has_text="random")
    source.select_option("file (.npz, .npy)")
    screen.press("Run once")
    screen.says("choose a file first")
    wrong = tmp_path / "cat.npy"
    wrong.write_text("meow")
    with screen.page.expect_file_chooser() as choosing:
        screen.root.locator("button", has_text="choose").click()
    choosing.value.set_files(wrong)
    screen.says(re.compile(r"choose \(1\)"))
    screen.press("Run once")
    screen.says("cat.npy is no .npy or .npz file of numbers")
    source.select_option("sample inputs")
    screen.press("Run once")
    screen.says(re.compile("ran once with"))


def test_a_long_measurement_can_be_cancelled(screen: Screen) -> None:
    screen.control("seconds each").fill("60")
    screen.press("Measure")
    screen.says(re.compile(r"round \d+ of"))
    screen.press("Stop the work")
    screen.says("cancelled")
    screen.control("seconds each").fill("0.5")
    screen.press("Run once")
    screen.says(re.compile("ran once with"))


def luminance(page: Page, locator: Locator, name: str) -> float:
    """0 for black, 1 for white, of a computed colour."""
    colour = locator.evaluate(f"element => getComputedStyle(element).{name}")
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_light_and_dark(screen: Screen, tmp_path: Path) -> None:
    screen.row(FOLDING).click()
    for name, dark in (("JupyterLab Dark", True), ("JupyterLab Light", False)):
        theme(screen.page, name)
        text = screen.graph.root.locator(".pwb-note")
        chart = screen.root.locator(".js-plotly-plot .xtick text").first
        expect(chart).to_be_visible(timeout=SLOW_MS)
        screen.page.wait_for_function(
            """dark => {
                const tick = document.querySelector('.pwb-workbench .js-plotly-plot .xtick text');
                const [red] = getComputedStyle(tick).fill.match(/\\d+/g).map(Number);
                return dark ? red > 180 : red < 120;
            }""",
            arg=dark,
            timeout=SLOW_MS,
        )
        assert (luminance(screen.page, text, "color") > 0.5) == dark
        screen.page.screenshot(path=tmp_path / f"{'dark' if dark else 'light'}.png")


def notebook(lab: Lab, name: str, *sources: str) -> str:
    """A notebook of a test's own, with these cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    # Without a kernel's name JupyterLab asks for one and waits.
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, lab.folder / name)
    return name


def test_a_worker_that_dies_is_said_and_the_kernel_goes_on(page: Page, lab: Lab) -> None:
    opened = notebook(
        lab,
        "dies.ipynb",
        "import os, signal, workbench as wb\nbench = wb.open(wb.sample('digits'))\nbench",
        "bench.wait(60)\nos.kill(bench.trace.session.pid, signal.SIGKILL)",
    )
    open_notebook(page, lab.page(opened))
    assert run_all(page) == []
    screen = Screen(page)
    screen.press("Run once")
    screen.says("the worker died of SIGKILL")
    screen.press("Run once")
    screen.says(re.compile("ran once with default"))
