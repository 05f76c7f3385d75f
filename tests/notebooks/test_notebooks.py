"""Every notebook runs from top to bottom and shows what its text promises."""

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
        # What is given otherwise than asked is said there on purpose: a notice, and the line it is about.
        said = [line for text in noise for line in text.splitlines() if not line.startswith("  ")]
        assert [line for line in said if ": DeployNotice: " not in line] == []


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


# The notebooks of the five documents


def numbers(pattern: str, text: str) -> list[float]:
    found = re.findall(pattern, text)
    assert found, text
    return [float(one) for one in found]


def test_the_1x_api_gives_one_answer_by_every_way(executed: Callable[[str], Any]) -> None:
    shown = executed("02_python_inference_api.ipynb")
    assert printed(shown, "def by_folder").count("the same answer: True") == 3
    assert re.search(
        r"on the cpu with 2 threads", printed(shown, "(output,) = run(predictor, [picture])\nprint(f")
    )
    off = printed(shown, "config.switch_ir_optim(False)")
    assert "passes that ran: 0" in off
    assert 0 < numbers(r"largest difference: (\S+)", off)[0] < 1e-3
    files, passes = numbers(r"(\d+) files for", dots := printed(shown, "switch_ir_debug(True)")), dots
    assert files[0] == numbers(r"for (\d+) passes", passes)[0] + 1
    mistake = printed(shown, 'picture.astype("float64")').splitlines()
    assert mistake[0].startswith("input 'image' is float64, the model wants float32")
    assert mistake[1] == printed(shown, "(answer,) = run").split(" of ")[0]


def test_training_to_deployment_is_right_about_nine_in_ten(executed: Callable[[str], Any]) -> None:
    shown = executed("03_from_training_to_deployment.ipynb")
    losses = numbers(r"loss (\S+)", printed(shown, "for epoch in range"))
    assert losses[-1] < losses[0] / 3
    engines = printed(shown, "(trained,) = executor.run")
    assert numbers(r"between the engines: (\S+)", engines)[0] < 1e-5
    assert numbers(r"right: (\S+)%", engines)[0] > 88
    assert "TensorRT: False on the cpu" in printed(shown, "again = create_paddle_predictor")
    assert "paddle_lite_opt" in printed(shown, "lite_command")
    assert "CreatePredictor" in printed(shown, '"cpp"')


def test_the_image_model_answers_as_the_documents_does(executed: Callable[[str], Any]) -> None:
    shown = executed("04_deploying_an_image_model.ipynb")
    files = printed(shown, 'print(*sorted(os.listdir("model"))').split()
    assert files == ["inference.pdiparams", "inference.pdiparams.info", "inference.pdmodel"]
    assert printed(shown, "check_export").startswith("passed: 3 files are there")
    answer = re.fullmatch(
        r"image_name: \./demo\.jpg, class_id: \d+, prob: (\S+)\n+", printed(shown, "infer = [")
    )
    assert answer
    assert float(answer.group(1)) == pytest.approx(0.001, rel=1e-3)
    assert "ndarray (1, 1000) sum 1.0" in printed(shown, "predictor.run()")
    assert "the same bit for bit: True" in printed(shown, "np.array_equal(plain_output")
    missing = printed(shown, "not a picture")
    assert re.search(r"--use_gpu=True \(exit code 0\)\nnotice: a GPU was asked for", missing)
    assert re.search(r"--strict \(exit code 2\)\nerror: ", missing)
    assert re.search(r"notes\.jpg \(exit code 2\)\nerror: ", missing)


def test_nine_steps_pass_all_three_checkpoints(executed: Callable[[str], Any]) -> None:
    shown = executed("05_nine_steps.ipynb")
    right, total = re.search(r"(\d+) of (\d+) are right", printed(shown, "are right")).groups()  # type: ignore[union-attr]
    assert int(total) == 12
    assert int(right) >= 10
    assert "diff check passed" in printed(shown, "diff_helper.report")
    blocks = re.findall(r"-{5,} (\w+) info -{5,}", printed(shown, "autolog.report()"))
    assert blocks == ["Env", "Paddle", "Conf", "Model", "Data", "Perf", "Percentile"]
    checked = printed(shown, '"check", "model"')
    assert [line[:4] for line in checked.splitlines() if line and not line.startswith((" ", "out"))] == [
        "pass"
    ] * 3
    assert checked.splitlines()[-2:] == ["output_inference_engine.npy", "output_training_engine.npy"]


def test_three_ways_give_one_answer(executed: Callable[[str], Any]) -> None:
    shown = executed("06_three_ways_to_predict.ipynb")
    answers = {
        re.search(r"class (\d+) probability (\d\.\d{6})", printed(shown, part)).group(0)  # type: ignore[union-attr]
        for part in ("output_tensor.copy_to_cpu()", "second = np.array", "third = np.array")
    }
    assert len(answers) == 1
    assert "the same from both layouts: True" in printed(shown, "third = np.array")
    predicted = printed(shown, "--use_gpu=1")
    assert "notice: TensorRT was asked for" in predicted
    assert re.search(r"^image_name: \./test\.jpeg, class_id: \d+, prob: 0\.00", predicted, re.MULTILINE)
    table = printed(shown, "print(comparison)")
    assert table.count("training engine") == 2
    assert table.count("inference engine") == 2
    assert "identical" in table


def test_reading_the_graph_shows_what_became_of_the_ops(executed: Callable[[str], Any]) -> None:
    notebook = executed("07_reading_the_graph.ipynb")
    assert "20 fused convolutions" in printed(notebook, "fused = [")
    ops = [
        int(line.rsplit("→", 1)[1]) for line in printed(notebook, "for stage in trace.changed").splitlines()
    ]
    assert max(ops) == ops[0] > 74 > ops[-1]
    assert printed(notebook, "trace.origins(").split() == [
        *("pd_op.conv2d", "/Conv2D", "pd_op.batch_norm_", "/BatchNorm2D", "pd_op.relu", "/ReLU")
    ]
    assert "fused into onednn_op.fused_conv2d" in printed(notebook, "trace.fate(")
    views = [
        output.data
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "display_data"
    ]
    # Each view stands after a picture of it, for who opens the notebook without a kernel.
    assert ["image/svg+xml" in view for view in views] == [True, False] * 3


def test_what_went_wrong_is_found(executed: Callable[[str], Any]) -> None:
    notebook = executed("09_which_change_made_it_wrong.ipynb")
    assert ": passed" in printed(notebook, 'against="training"')
    assert "1 of 1 output FAILED" in printed(notebook, "layer[2].weight.set_value")
    assert re.search(
        r"begins in one of the model's ops|first divergence at op", printed(notebook, "print(parted)")
    )
    assert "Conv2D" in printed(notebook, "print(parted)")
    said = printed(notebook, "print(culprit)")
    assert said.startswith("onednn_placement_pass makes the check crash fail")
    assert "python reproduce.py" in printed(notebook, "wb.reduce(")
