"""Every notebook runs from top to bottom, and the first one shows what its text promises."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FIRST = "01_first_look.ipynb"


@pytest.fixture(scope="session")
def executed(cache_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """A notebook after all its cells have run in an empty folder; an error in a cell is raised here."""
    done: dict[str, Any] = {}

    def run(name: str) -> Any:
        if name not in done:
            notebook = nbformat.read(FOLDER / name, as_version=4)
            folder = tmp_path_factory.mktemp("notebook")
            client = NotebookClient(
                notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
            )
            client.execute()
            assert list(folder.iterdir()) == []
            done[name] = notebook
        return done[name]

    return run


def printed(notebook: Any, within: str) -> str:
    """What the cell that holds this source printed."""
    (cell,) = (one for one in notebook.cells if one.cell_type == "code" and within in one.source)
    assert all(one.output_type != "error" for one in cell.outputs)
    return "".join(one.text for one in cell.outputs if one.output_type == "stream" and one.name == "stdout")


def test_the_first_one_is_there() -> None:
    assert FIRST in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_committed_without_outputs_and_valid(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_cell_runs(path: Path, executed: Callable[[str], Any]) -> None:
    notebook = executed(path.name)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    for cell in cells:
        assert cell.execution_count is not None
        noise = [one.text for one in cell.outputs if one.output_type == "stream" and one.name == "stderr"]
        assert noise == []


@pytest.fixture(scope="module")
def first(executed: Callable[[str], Any]) -> Any:
    return executed(FIRST)


def test_first_look_shows_the_widget_and_the_chart(first: Any) -> None:
    kinds = [
        kind
        for cell in first.cells
        if cell.cell_type == "code"
        for one in cell.outputs
        if one.output_type in ("display_data", "execute_result")
        for kind in one.data
    ]
    assert "application/vnd.jupyter.widget-view+json" in kinds
    assert "application/vnd.plotly.v1+json" in kinds


def test_first_look_lists_the_passes_that_changed_the_graph(first: Any) -> None:
    lines = printed(first, "trace = wb.trace(model)").splitlines()
    head = re.fullmatch(r"(\d+) passes ran, (\d+) of them changed the graph:", lines[0])
    assert head
    assert 0 < int(head.group(2)) < int(head.group(1))
    assert len(lines) == 1 + int(head.group(2))
    for line in lines[1:]:
        assert re.fullmatch(r" +\d+  \w+ +\d+ -> +\d+ ops +matches: .+", line)


def test_first_look_shows_a_layer_and_a_kernel(first: Any) -> None:
    said = printed(first, "def convolution")
    assert re.search(r"^pd_op\.conv2d from layer \S*Conv2D", said, re.MULTILINE)
    assert re.search(r"^\S*conv2d\S* on .+", said.splitlines()[1])
    assert "on None" not in said


def test_first_look_switches_a_pass_off(first: Any) -> None:
    said = printed(first, "def removes")
    assert re.search(r"^switched off: \w*bn\w*_pass$", said, re.MULTILINE)
    with_it, without_it = re.search(r"(\d+) with it, (\d+) without it", said).groups()  # type: ignore[union-attr]
    assert int(with_it) < int(without_it)
    assert "it was given as asked" in said


def test_first_look_is_right_about_97_percent(first: Any) -> None:
    said = printed(first, "trace.session.run(inputs)")
    share = re.search(r"^(\d+) pictures, (\d+\.\d)% right$", said, re.MULTILINE)
    assert share
    assert int(share.group(1)) >= 100
    assert float(share.group(2)) >= 97
    off = re.search(r"largest difference between the two outputs: (\S+)", said)
    assert off
    assert 0 < float(off.group(1)) < 1e-3


def test_first_look_gives_a_verdict_on_each_config(first: Any) -> None:
    lines = printed(first, "wb.benchmark(").splitlines()
    assert len(lines) == 2
    for line in lines:
        found = re.fullmatch(
            r"(.+): (faster|slower|no difference seen), (\S+) \[(\S+), (\S+)\] of default", line
        )
        assert found
        assert float(found.group(4)) <= float(found.group(3)) <= float(found.group(5))
    assert lines[1].startswith("oneDNN off: ")


def test_first_look_shows_errors_in_words(first: Any) -> None:
    lines = printed(first, "except wb.WorkbenchError").splitlines()
    assert len(lines) == 2
    assert "unknown input 'imag': did you mean 'image'" in lines[0]
    assert "is float64, the model wants float32" in lines[1]
