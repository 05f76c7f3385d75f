"""``workbench infer`` with the options of the documents, in all their spellings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from PIL import Image

import workbench as wb
from workbench.cli import main

# A digit's pixels go from 0 to 16; as a picture, 15 times that, which this standard deviation takes back.
DIGIT = ["--resize-size", "8", "--mean", "0", "--std", str(16 * 15 / 255)]
NOT_PROBABILITIES = "notice: the model's scores are not probabilities"


@pytest.fixture(scope="module")
def pictures(sample_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three digits as pictures, and what is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, image in enumerate(wb.sample_inputs(sample_folder())["image"][:3, 0]):
        Image.fromarray((image * 16 * 15).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def scores(digits: Path, pictures: Path) -> np.ndarray[Any, Any]:
    """What plain Paddle gives for the three, one picture at a time."""
    rows = []
    for number in range(3):
        pixels = np.asarray(Image.open(pictures / f"{number}.png"), np.float32)[None, None]
        pixels = pixels / np.float32(255) / np.float32(16 * 15 / 255)
        found = oracle.native(oracle.model_arguments(digits, "pir"), inputs={"image": pixels})
        rows.append(next(iter(found.outputs.values()))[0])
    return np.array(rows)


@pytest.fixture
def infer(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command in this process, which keeps Paddle warm: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = 0
        try:
            main(["infer", *map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def line(picture: Path, row: np.ndarray[Any, Any], rank: int = 0) -> str:
    class_id = int((-row).argsort(kind="stable")[rank])
    return f"image_name: {picture}, class_id: {class_id}, prob: {float(row[class_id])}"


def test_the_documents_command(
    workbench: Callable[..., Any], digits: Path, pictures: Path, scores: np.ndarray[Any, Any]
) -> None:
    said = workbench("infer", "--model-dir", digits, "--img-path", pictures / "0.png", *DIGIT)
    assert (said.code, said.out) == (0, line(pictures / "0.png", scores[0]) + "\n")
    assert said.err.startswith(NOT_PROBABILITIES)


@pytest.mark.parametrize(
    "spelled",
    [
        "-i=PIC -m=DIR/inference.json -p=DIR/inference.pdiparams --use_gpu=0 --use_tensorrt=False",
        "--i=PIC --d=DIR --m=inference.json --p=inference.pdiparams --use_gpu=False",
        "--image_file=PIC --model_file=DIR/inference.json --params_file=DIR/inference.pdiparams",
        "--img-path PIC --model-dir DIR --use-mkldnn True --cpu-threads 1 --ir-optim True --gpu-mem 200",
        "--img_path=PIC --model_dir=DIR --use_mkldnn --cpu_threads=1 --gpu_mem=200 --use_gpu False",
        "-i PIC -d DIR -b 1 --batch_size=1 --ir_optim=1 --enable_benchmark=False",
    ],
)
def test_the_documents_spellings(
    infer: Callable[..., tuple[int, str, str]],
    digits: Path,
    pictures: Path,
    scores: np.ndarray[Any, Any],
    spelled: str,
) -> None:
    words = [word.replace("PIC", f"{pictures}/1.png").replace("DIR", str(digits)) for word in spelled.split()]
    code, out, err = infer(*words, *DIGIT)
    assert (code, out) == (0, line(pictures / "1.png", scores[1]) + "\n"), err


def test_options_reach_the_predictor(
    infer: Callable[..., tuple[int, str, str]], digits: Path, pictures: Path
) -> None:
    words = ["--use_mkldnn=0", "--cpu_threads=2", "--ir_optim=False", "--threads", "3", "--memory-optim"]
    code, out, _ = infer("-d", digits, "-i", pictures, "-b=3", *words, "--json")
    assert code == 0
    given = json.loads(out)["given"]
    assert json.loads(out)["asked"]["trt_max_batch_size"] == 3  # an engine for fewer would refuse the batch
    asked = "config.disable_mkldnn()", "config.set_cpu_math_library_num_threads(2)"
    native = oracle.native(
        oracle.model_arguments(digits, "pir"), [*asked, "config.set_optimization_level(0)"]
    )
    assert given["onednn"] is native.given["onednn"] is False
    assert given["threads"] == native.given["threads"] == 2  # the document's option wins over --threads
    assert given["ir_optim"] == "level 0"
    assert set(native.passes) <= set(given["passes"])
    assert given["memory_optim"] is True


def test_folder_labels_and_ranks(
    infer: Callable[..., tuple[int, str, str]],
    digits: Path,
    pictures: Path,
    scores: np.ndarray[Any, Any],
    tmp_path: Path,
) -> None:
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    (tmp_path / "labels.txt").write_text("".join(f"{number} {name}\n" for number, name in enumerate(names)))
    words = ["-d", digits, "-i", pictures, "-i", pictures / "0.png", *DIGIT, "--top-k", 3]
    code, out, _ = infer(*words, "--label-file", tmp_path / "labels.txt")
    assert code == 0
    wanted = []
    for number in (0, 1, 2, 0):
        order = (-scores[number]).argsort(kind="stable")
        for rank in range(3):
            wanted.append(
                f"{line(pictures / f'{number}.png', scores[number], rank)}, label: {names[order[rank]]}"
            )
    assert out.splitlines() == wanted


def test_json_with_the_log(
    infer: Callable[..., tuple[int, str, str]],
    digits: Path,
    pictures: Path,
    scores: np.ndarray[Any, Any],
    tmp_path: Path,
) -> None:
    log = tmp_path / "log.txt"
    words = ["-d", digits, "-i", pictures, *DIGIT, "--top-k", 2, "--json", "--use_gpu=1"]
    code, out, err = infer(*words)
    assert code == 0
    assert json.loads(out)["log"] is None
    code, out, err = infer(*words, "--benchmark", "--warmup", 4, "--log-file", log, "--model-name", "digits8")
    assert code == 0
    found = json.loads(out)
    assert set(found) == {"predictions", "asked", "given", "notices", "log"}
    for number, prediction in enumerate(found["predictions"]):
        order = (-scores[number]).argsort(kind="stable")[:2].tolist()
        best = {"class_id": order[0], "prob": float(scores[number][order[0]]), "label": None}
        assert prediction == {
            "image_name": str(pictures / f"{number}.png"),
            **best,
            "top": [best, {"class_id": order[1], "prob": float(scores[number][order[1]]), "label": None}],
        }
    assert found["log"]["data"] == {"batch_size": 1, "input_shape": [1, 1, 8, 8], "data_num": 3}
    assert found["log"]["model"]["model_name"] == "digits8"
    assert found["log"]["conf"]["runtime_device"] == "cpu"
    assert len(found["log"]["samples"]["inference_time(ms)"]) == 3
    assert [f"notice: {text}" for text in found["notices"]] == err.splitlines()
    assert re.search(r"root INFO:  model_name: digits8\n.* precision: fp32\n", log.read_text())


def test_the_log_after_the_predictions(
    infer: Callable[..., tuple[int, str, str]], digits: Path, pictures: Path
) -> None:
    code, out, _ = infer("-d", digits, "-i", pictures, *DIGIT, "--batch_size=2", "--softmax", "--benchmark")
    lines = out.splitlines()
    assert code == 0
    assert [text.partition(":")[0] for text in lines[:3]] == ["image_name"] * 3
    assert all(re.match(r"\[\d{4}/\d\d/\d\d [\d:]{8}\] root INFO:", text) for text in lines[3:])
    titles = [text.split()[5] for text in lines if text.endswith("---")]
    assert titles == ["Env", "Paddle", "Conf", "Model", "Data", "Perf", "Percentile"]
    fields = dict(re.findall(r"  (batch_size|data_num|input_shape): (.*)", out))
    # Two batches: one of two pictures, one of what is left.
    assert fields == {"batch_size": "2", "input_shape": "dynamic", "data_num": "2"}
    # More at once than there are: what runs is what there is.
    _, out, _ = infer("-d", digits, "-i", pictures, *DIGIT, "-b", 1000, "--softmax", "--benchmark")
    fields = dict(re.findall(r"  (batch_size|data_num|input_shape): (.*)", out))
    assert fields == {"batch_size": "3", "input_shape": "[3, 1, 8, 8]", "data_num": "1"}


def test_a_gpu_that_is_not_there(
    infer: Callable[..., tuple[int, str, str]], digits: Path, pictures: Path
) -> None:
    words = ["-d", digits, "-i", pictures / "0.png", *DIGIT, "--softmax"]
    code, out, err = infer(*words, "--use-gpu")
    assert code == 0
    assert re.fullmatch("notice: a GPU was asked for, .* it runs on the CPU\n", err)
    assert infer(*words)[1] == out
    without = out
    code, out, err = infer(*words, "--use-gpu", "--strict")
    assert (code, out) == (2, "")
    assert re.fullmatch("error: strict: a GPU was asked for, .*\n", err)
    assert infer(*words, "--strict")[0] == 0
    code, out, err = infer(*words, "--use_gpu=1", "--use_tensorrt=True")
    assert (code, out) == (0, without)
    assert re.match("notice: TensorRT was asked for, .* it runs without TensorRT\nnotice: a GPU", err)
    code, out, err = infer(*words, "--use_gpu=1", "--use_tensorrt=True", "--strict")
    assert (code, out) == (2, "")
    assert "error: TensorRT was asked for, but this runtime's Paddle is a CPU build: install" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-i", "PIC"], "No model: give --model-dir DIR, or --model-file FILE"),
        (["-p", "x.pdiparams", "-i", "PIC"], "--params-file needs --model-file"),
        (["-d", "DIR"], "Missing option '--img-path'"),
        (["-d", "DIR", "-i="], "there is no picture: give the path of one"),
        (["-d", "nowhere", "-i", "PIC"], "nowhere does not exist"),
        (["-d", "DIR", "-m", "other.json", "-i", "PIC"], "other.json does not exist"),
        (["-d", "DIR", "-i", "DIR/inference.json"], "is not a picture that Pillow knows"),
        (["-d", "DIR", "-i", "none.png"], "none.png cannot be read"),
        (["-d", "DIR", "-i", "PIC", "--use_gpu=perhaps"], "--use-gpu.*perhaps"),
        (["-d", "DIR", "-i", "PIC", "--use_gup=1"], "[Nn]o such option.*--use_gup"),
        (["-d", "DIR", "-i", "PIC", "--mean", "0;1"], "--mean.*'0;1' is not numbers with commas"),
        (["-d", "DIR", "-i", "PIC", "--std", "0"], "give numbers, and no std of 0"),
        (["-d", "DIR", "-i", "PIC", "--top-k", "11"], "top_k is 11 and the model has 10 classes"),
        (["-d", "DIR", "-i", "PIC", "--batch-size", "0"], "--batch-size.*0"),
        (["-d", "DIR", "-i", "PIC", "--cpu-threads", "0"], "threads is 0; give"),
        (["-d", "DIR", "-i", "PIC", "--warmup", "2"], "--warmup needs --benchmark"),
        (["-d", "DIR", "-i", "PIC", "--log-file", "x"], "--log-file needs --benchmark"),
        (["-d", "DIR", "-i", "PIC", "--benchmark", "--log-file", "PIC/log"], "cannot write"),
        (["-d", "DIR", "-i", "PIC", "--label-file", "PIC"], "is not text in UTF-8"),
    ],
)
def test_mistakes(
    infer: Callable[..., tuple[int, str, str]],
    digits: Path,
    pictures: Path,
    words: list[str],
    said: str,
) -> None:
    words = [word.replace("PIC", f"{pictures}/0.png").replace("DIR/", f"{digits}/") for word in words]
    code, out, err = infer(*[str(digits) if word == "DIR" else word for word in words])
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: .*{said}.*\n", err)


def test_a_label_file_too_short(
    infer: Callable[..., tuple[int, str, str]], digits: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("zero\none\n")
    words = ["-d", digits, "-i", pictures, "--label-file", tmp_path / "labels.txt"]
    code, out, err = infer(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: there are 2 labels and the model has 10 classes: give the labels")


def test_a_model_with_a_batch_of_its_own_has_the_last_one_filled_up(
    infer: Callable[..., tuple[int, str, str]], pictures: Path, tmp_path: Path
) -> None:
    paddle = wb.deploy.import_paddle()
    layer = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(64, 10))
    wb.deploy.export_layer(layer, tmp_path / "fixed", ["image:float32:2,1,8,8"], softmax=True)
    words = ["-d", tmp_path / "fixed", *DIGIT, "-b", 2, "--benchmark"]
    for given, batches in ((["-i", pictures / "0.png"], "1"), (["-i", pictures], "2")):
        code, out, err = infer(*words, *given)
        assert (code, err) == (0, "")
        fields = dict(re.findall(r"  (batch_size|data_num|input_shape): (.*)", out))
        assert fields == {"batch_size": "2", "input_shape": "[2, 1, 8, 8]", "data_num": batches}
