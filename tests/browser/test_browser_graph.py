"""The graph explorer in JupyterLab: to Python and back, without a kernel, and as a page of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import guarded_page
from driving import Lab, execute, open_notebook, run_all, theme
from explorer import SLOW_MS, Explorer
from playwright.sync_api import Browser, Page, expect

import workbench as wb
from workbench.ir import Graph, Op, Value
from workbench.ui import GraphView

FUSED = 6  # conv2d_bn_onednn_fuse_pass
_CELLS = (
    "import workbench as wb\ntrace = wb.trace(wb.sample('digits'))\nview = wb.view(trace, height=420)\nview",
    "import json\n"
    "def tell():\n"
    "    names = 'stage against selection selection_before query found only mode colour_by theme'.split()\n"
    "    print(json.dumps({name: getattr(view, name) for name in names}))",
)


class Notebook:
    """A notebook with a graph view in its first cell, and code to run in the kernel."""

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in _CELLS])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, lab.folder / name)
        self.page, self.path = page, lab.folder / name
        open_notebook(page, lab.page(name))
        assert run_all(page) == []
        self.graph = Explorer(page.locator(".pwb-graph").first)
        self.graph.until("facts.ops > 0")

    def run(self, code: str) -> str:
        """Run code in the notebook's kernel; what it printed."""
        return str(
            self.page.evaluate(
                """code => new Promise((resolve, reject) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({code, stop_on_error: false});
                let said = '';
                future.onIOPub = ({header, content}) => {
                    if (header.msg_type === 'stream') said += content.text;
                    if (header.msg_type === 'error') reject(new Error(content.evalue));
                };
                future.done.then(() => resolve(said));
            })""",
                code,
            )
        )

    def traits(self) -> dict[str, Any]:
        """What the view's traits are in Python now."""
        return dict(json.loads(self.run("tell()")))


@pytest.fixture(scope="module")
def notebook(shared_page: Page, lab: Lab) -> Notebook:
    return Notebook(shared_page, lab, "graph.ipynb")


@pytest.fixture(autouse=True)
def as_it_began(notebook: Notebook) -> Iterator[None]:
    yield
    notebook.run(
        "view.stage, view.against, view.query, view.mode = 0, 'before', '', 'auto'\n"
        "view.selection, view.only, view.colour_by = [], [], 'mark'\nview.wait(20)"
    )


def test_a_click_is_a_selection_in_python_and_back(notebook: Notebook) -> None:
    graph = notebook.graph
    graph.click("pool2d")
    expect(graph.panel).to_contain_text("pd_op.pool2d")
    (index,) = notebook.traits()["selection"]
    assert notebook.run(f"print(trace[0].graph.ops[{index}].type)") == "pd_op.pool2d\n"
    conv = notebook.run("print([op.index for op in trace[0].graph.ops if 'conv2d' in op.type][1])")
    notebook.run(f"view.selection = [{conv}]")
    expect(graph.panel).to_contain_text(f"conv2d #{conv.strip()}")
    expect(graph.panel).to_contain_text("Conv2D_1")
    graph.press("Escape")
    expect(graph.panel).to_be_hidden()
    assert notebook.traits()["selection"] == []


def test_python_observes_what_the_page_does(notebook: Notebook) -> None:
    notebook.run("seen = []\nview.observe(lambda change: seen.append((change.name, change.new)))")
    notebook.graph.press("]")
    notebook.graph.at_stage(FUSED)
    notebook.graph.root.get_by_label("Search ops").fill("type:fused")
    expect(notebook.graph.root.locator(".pwb-found")).to_have_text("1")
    notebook.graph.choose("Colour by", "type")
    notebook.page.wait_for_timeout(300)
    seen = json.loads(
        notebook.run("print(json.dumps([s for s in seen if s[0] in ('stage', 'query', 'colour_by')]))")
    )
    assert ["stage", FUSED] in seen
    assert ["query", "type:fused"] in seen
    assert ["colour_by", "type"] in seen
    assert len(notebook.traits()["found"]) == 1
    expect(notebook.graph.root.get_by_label("Legend")).to_contain_text("batch_norm_")


def test_a_stage_and_a_selection_set_at_once_arrive_together(notebook: Notebook) -> None:
    notebook.run(
        f"view.stage, view.against = {FUSED}, 'none'\n"
        f"view.selection = [op.index for op in trace[{FUSED}].graph.ops if 'fused_conv2d' in op.type]"
    )
    notebook.graph.at_stage(FUSED)
    expect(notebook.graph.panel).to_contain_text("fused_conv2d")
    stands_for = notebook.graph.panel.locator("section").filter(has_text="Stands for")
    expect(stands_for).to_contain_text("conv2d")
    expect(stands_for).to_contain_text("batch_norm_")
    # Its origin is in another stage: the way there is one click.
    stands_for.get_by_role("button").first.click()
    notebook.graph.at_stage(0)
    expect(notebook.graph.panel).to_contain_text("pd_op.conv2d")
    expect(notebook.graph.panel.locator("section").filter(has_text="Went to")).to_contain_text("fused")


def test_nodes_that_stay_stay_put_and_so_does_the_eye(notebook: Notebook) -> None:
    before = notebook.graph.at_stage(0)
    notebook.run(f"view.stage = {FUSED}")
    after = notebook.graph.at_stage(FUSED)
    both = before["places"].keys() & after["places"].keys()
    assert len(both) > before["ops"] / 2
    for key in both:
        assert after["places"][key] == pytest.approx(before["places"][key], abs=0.5), key
    assert before["zoom"] == after["zoom"]
    assert (after["added"], after["removed"]) == (10, 2)


def test_the_values_of_a_parameter_are_read_when_asked_for(notebook: Notebook) -> None:
    notebook.graph.click("conv2d")
    notebook.graph.panel.get_by_role("button", name=re.compile("^Values of")).first.click()
    picture = notebook.graph.panel.get_by_role("img", name=re.compile(r"^Histogram of 144 values: min -?\d"))
    expect(picture).to_be_visible(timeout=SLOW_MS)


def test_latency_on_the_graph(notebook: Notebook) -> None:
    notebook.run("view.overlay('latency', {op: 0.5 * op.index for op in trace[0].graph.ops}, unit='ms')")
    legend = notebook.graph.root.get_by_label("Legend")
    expect(legend).to_contain_text("latency (ms)")
    notebook.graph.click("pool2d")
    expect(notebook.graph.panel).to_contain_text(" ms")
    notebook.run("view.overlays = []")


def test_mistakes_are_said_in_one_line(notebook: Notebook) -> None:
    notebook.run("view.against = 'yesterday'")
    notebook.graph.says(re.compile("nothing to compare with as 'yesterday': choose"))
    notebook.run("view.against = 'before'")
    notebook.graph.root.get_by_label("Search ops").fill("colour:red")
    notebook.graph.says(re.compile("no field"))
    said = notebook.run("try:\n    view.stage = 99\nexcept Exception as error:\n    print(error)")
    assert said == "there are stages 0 to 42, not 99\n"


def test_light_and_dark(notebook: Notebook) -> None:
    notebook.page.evaluate("() => document.querySelector('.pwb-board').scrollIntoView()")
    for name, dark in (("JupyterLab Dark", True), ("JupyterLab Light", False)):
        theme(notebook.page, name)
        notebook.page.wait_for_function(
            """dark => {
                const canvas = document.querySelector('.pwb-board');
                const [red] = canvas.getContext('2d').getImageData(2, 2, 1, 1).data;
                return dark ? red < 80 : red > 200;
            }""",
            arg=dark,
            timeout=SLOW_MS,
        )
        assert notebook.traits()["theme"] == ("dark" if dark else "light")


def test_without_a_kernel_the_notebook_shows_a_picture(
    notebook: Notebook, browser: Browser, lab: Lab
) -> None:
    # Live, the view has taken the picture's place.
    assert notebook.page.locator(".jp-OutputArea-child img:visible").count() == 0
    execute(notebook.page, "docmanager:save")
    notebook.page.wait_for_timeout(1000)
    book = nbformat.read(notebook.path, 4)
    copy = lab.folder / "no_kernel.ipynb"
    book.metadata["kernelspec"] = {"name": "no_such_kernel", "display_name": "Gone", "language": "python"}
    nbformat.write(book, copy)
    with guarded_page(browser) as page:
        page.goto(lab.page(copy.name))
        picture = page.locator(".jp-OutputArea-child img").first
        expect(picture).to_be_visible(timeout=SLOW_MS)
        size = picture.bounding_box()
        assert size is not None
        assert size["width"] > 100
        assert size["height"] > 300
        colours = picture.evaluate(
            """img => {
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
                const context = canvas.getContext('2d');
                context.drawImage(img, 0, 0);
                const found = new Set(new Uint32Array(
                    context.getImageData(0, 0, canvas.width, canvas.height).data.buffer));
                return found.size;
            }"""
        )
        # Paper, boxes, borders, and letters with their soft edges.
        assert colours > 20


HOSTILE = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    '"];}//</title></script><svg onload="window.hacked=1">',
    "\u202eright-to-left\u202c \u0000\u0007\ud800",
    "",
    "long " * 20_000,
    "ü 名 🙂 \U0010ffff",
)


def hostile_graph() -> Graph:
    """Ops in a chain, whose every name is one that means harm."""
    values = {f"v{at}": Value(f"v{at}", "float32", (1,), name) for at, name in enumerate(HOSTILE)}
    values |= {name: Value(name, name or None, (2,), name, parameter=True) for name in HOSTILE if name}
    ops = [
        Op(
            at,
            name,
            ((f"v{at - 1}",) if at else ()) + ((name,) if name else ()),
            (f"v{at}",),
            {name: name},
            f"/{name}/x",
        )
        for at, name in enumerate(HOSTILE)
    ]
    return Graph("pir", tuple(ops), values)


def test_hostile_names_run_nothing_in_a_page_of_its_own(browser: Browser, tmp_path: Path) -> None:
    view = GraphView()
    opened = wb.view(hostile_graph(), title=HOSTILE[0], note=HOSTILE[1])
    opened.overlay(HOSTILE[2], {0: 1.0, 1: 2.0}, unit=HOSTILE[1])
    opened.save_html(tmp_path / "hostile.html")
    view.close()
    with guarded_page(browser) as page:
        page.goto((tmp_path / "hostile.html").as_uri())
        graph = Explorer(page.locator(".pwb-graph"))
        assert graph.until("facts.ops > 0")["ops"] == len(HOSTILE)
        for at in range(len(HOSTILE)):
            # One after another, as a person walks down: panel, spoken text and tips are made of their names.
            graph.root.evaluate("(graph, at) => graph.parentElement.graphView.goTo(at)", at)
            expect(graph.panel).to_contain_text(f"#{at}")
        for by in ("type", "layer", "dtype"):
            graph.choose("Colour by", by)
        graph.root.get_by_label("Search ops").fill("<script>")
        page.wait_for_timeout(300)
        assert page.evaluate("() => window.hacked") is None
        assert graph.root.locator("script, img, iframe, svg[onload]").count() == 0


def test_a_trace_in_a_page_of_its_own_steps_through_its_stages(browser: Browser, tmp_path: Path) -> None:
    with wb.Session(wb.sample("digits")) as session:
        trace = wb.trace(session)
        view = wb.view(trace)
        view.save_html(tmp_path / "digits.html")
        changed = [stage.index for stage in trace.changed]
        counts = {stage.index: stage.ops for stage in (trace[0], *trace.changed)}
        trace.close()
    with guarded_page(browser) as page:
        page.goto((tmp_path / "digits.html").as_uri())
        graph = Explorer(page.locator(".pwb-graph"))
        graph.at_stage(0)
        for index in changed:
            graph.press("]")
            assert graph.at_stage(index)["ops"] == counts[index]
        # Where a pass changed nothing the graph is that of the stage before.
        graph.choose("Stage", "3")
        assert graph.at_stage(3)["ops"] == counts[0]
        graph.choose("Compared with", "2")
        graph.says("this page was saved without stage 3 against 2")
        expect(graph.root.get_by_label("Compared with", exact=True)).to_have_value("before")
        graph.choose("Compared with", "none")
        assert graph.until("facts.against === 'none'")["added"] == 0
