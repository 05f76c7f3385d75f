"""What is wrong, clicked through in the page: the first op that differs, and the pass that makes it crash."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
from driving import Lab, open_notebook, run_all, theme
from explorer import SLOW_MS, Explorer
from playwright.sync_api import Locator, Page, expect

MODELS = Path(__file__).parents[1] / "core" / "identity_models.py"
GUILTY = "onednn_placement_pass"


def opened(page: Page, lab: Lab, name: str, source: str) -> Locator:
    """The workbench that a notebook of one cell shows."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"import workbench as wb\n{source}")])
    # Without a kernel's name JupyterLab asks for one and waits.
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, lab.folder / name)
    open_notebook(page, lab.page(name))
    assert run_all(page) == []
    return page.locator(".pwb-workbench").first


def sizes(chart: Locator, axis: str) -> set[str]:
    """The sizes of the letters at an axis."""
    labels = chart.locator(f".{axis}tick text")
    return set(labels.evaluate_all("all => all.map(one => getComputedStyle(one).fontSize)"))


def test_where_the_first_bit_differs_is_shown_on_the_graph_and_in_a_chart(page: Page, lab: Lab) -> None:
    root = opened(page, lab, "bits.ipynb", "wb.open(wb.sample('digits'))")
    root.get_by_role("tab", name="Verify").click()
    root.get_by_label("compare with").select_option("a file, model or config")
    root.get_by_placeholder("outputs.npz").fill("onednn=off")
    root.get_by_label("tolerance").fill("0")
    root.get_by_role("button", name="Where they part").click()
    said = root.get_by_text(re.compile(r"^✖ \w+: first divergence at op \d+")).first
    expect(said).to_be_visible(timeout=SLOW_MS)
    op = root.get_by_text(re.compile(r"^ +\d+ \S+ under default$")).first.inner_text().split()[1]
    # The op that it begins at is the one selected, in the last graph.
    expect(Explorer(root.locator(".pwb-graph")).panel).to_contain_text(op, timeout=SLOW_MS)
    expect(root.locator(".pwb-legend")).to_contain_text("difference")
    chart = root.locator(".js-plotly-plot")
    for name in ("JupyterLab Dark", "JupyterLab Light"):
        theme(page, name)
        expect(chart.locator(".xtick text").first).to_be_visible(timeout=SLOW_MS)
        expect(chart.locator(".ytick text").first).to_contain_text("10")
        # plotly would have powers of ten larger than all else.
        assert len(sizes(chart, "x")) == 1 and sizes(chart, "x") == sizes(chart, "y")


def test_a_crash_is_followed_to_the_pass_that_does_it_and_around_it(page: Page, lab: Lab) -> None:
    # A conv, a relu and an interpolation by a factor: a defect of Paddle 3.3.1 with oneDNN.
    subprocess.run([sys.executable, MODELS, lab.folder], check=True, capture_output=True)
    root = opened(page, lab, "crash.ipynb", "wb.open('upscale.json')")

    def says(text: str | re.Pattern[str]) -> None:
        expect(root.get_by_text(text).first).to_be_visible(timeout=SLOW_MS)

    says(re.compile(r"^\d+ passes, \d+ changed the graph"))
    root.locator("button[title^='Run once']").click()
    says(re.compile("Paddle refused while running the model.*“Find the pass” under Verify tells which"))
    root.get_by_role("tab", name="Verify").click()
    root.get_by_label("what is wrong").select_option("a crash or an error")
    root.get_by_role("button", name="Find the pass").click()
    says(re.compile(r"probe \d+: \d+ of \d+ passes on"))
    says(re.compile(f"^✖ {GUILTY} makes the check crash fail"))
    says(f"avoided by switching off: {GUILTY}")

    row = root.locator(".pwb-row").filter(has_text=GUILTY).first
    root.get_by_role("button", name="Show it").click()
    expect(row).to_have_attribute("aria-selected", "true")
    root.get_by_role("button", name="Use the config that avoids it").click()
    expect(root.get_by_role("switch", name=f"Run {GUILTY}").first).to_have_attribute(
        "aria-checked", "false", timeout=SLOW_MS
    )
    says("1 off")
    root.get_by_role("tab", name="Run", exact=True).click()
    root.locator("button[title^='Run once']").click()
    says(re.compile(f"ran once with − {GUILTY}"))
