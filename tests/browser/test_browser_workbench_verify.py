"""From a model that crashes to the pass that does it and a config that runs, clicked through in the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
from driving import Lab, open_notebook, run_all
from explorer import SLOW_MS
from playwright.sync_api import Page, expect

MODELS = Path(__file__).parents[1] / "core" / "identity_models.py"
GUILTY = "onednn_placement_pass"


def test_a_crash_is_followed_to_the_pass_that_does_it_and_around_it(page: Page, lab: Lab) -> None:
    # A conv, a relu and an interpolation by a factor: a defect of Paddle 3.3.1 with oneDNN.
    subprocess.run([sys.executable, MODELS, lab.folder], check=True, capture_output=True)
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import workbench as wb\nwb.open('upscale.json')")]
    )
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, lab.folder / "crash.ipynb")
    open_notebook(page, lab.page("crash.ipynb"))
    assert run_all(page) == []
    root = page.locator(".pwb-workbench").first

    def says(text: str | re.Pattern[str]) -> None:
        expect(root.get_by_text(text).first).to_be_visible(timeout=SLOW_MS)

    says(re.compile(r"^\d+ passes, \d+ changed the graph"))
    root.locator("button[title^='Run once']").click()
    says(re.compile("Paddle refused while running the model.*“Find the pass” under Verify tells which"))
    root.get_by_role("tab", name="Verify").click()
    root.get_by_label("that makes").select_option("a crash or an error")
    root.get_by_role("button", name="Find the pass").click()
    says(re.compile(r"probe \d+: \d+ of \d+ passes on"))
    says(re.compile(f"^✖ {GUILTY} makes the check crash fail"))
    says(f"avoided by switching off: {GUILTY}")

    row = root.locator(".pwb-row").filter(has_text=GUILTY).first
    root.get_by_role("button", name="Show it").click()
    expect(row).to_have_attribute("aria-selected", "true")
    root.get_by_role("button", name="Switch it off").click()
    expect(root.get_by_role("switch", name=f"Run {GUILTY}").first).to_have_attribute(
        "aria-checked", "false", timeout=SLOW_MS
    )
    says("1 off")
    root.get_by_role("tab", name="Run", exact=True).click()
    root.locator("button[title^='Run once']").click()
    says(re.compile(f"ran once with − {GUILTY}"))
