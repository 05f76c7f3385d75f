"""The three checkpoints: passed by what is right, failed with the reason by what is not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reprod_log
from oracle import model_arguments, native

import workbench as wb
from workbench.deploy.checkpoints import (
    check,
    check_logged,
    check_prepared,
    check_results,
    check_verified,
    read_log,
    written_log,
)
from workbench.deploy.reprod import ReprodLogger
from workbench.errors import InputError

# As the deployment document shows the output of AutoLog itself.
DEMO = """
[2021/12/14 10:57:28] root INFO:
[2021/12/14 10:57:28] root INFO: ---------------------- Env info ----------------------
[2021/12/14 10:57:28] root INFO:  OS_version: Ubuntu 16.04
[2021/12/14 10:57:28] root INFO:  CUDA_version: 10.2.89
[2021/12/14 10:57:28] root INFO:  CUDNN_version: 7.6.5
[2021/12/14 10:57:28] root INFO:  drivier_version: 440.33.01
[2021/12/14 10:57:28] root INFO: ---------------------- Paddle info ----------------------
[2021/12/14 10:57:28] root INFO:  paddle_version: 0.0.0
[2021/12/14 10:57:28] root INFO:  paddle_commit: aff7397bbf2290c8cdff2e2b2202cbb286d3ae93
[2021/12/14 10:57:28] root INFO:  log_api_version: 1.0
[2021/12/14 10:57:28] root INFO: ----------------------- Conf info -----------------------
[2021/12/14 10:57:28] root INFO:  runtime_device: cpu
[2021/12/14 10:57:28] root INFO:  ir_optim: True
[2021/12/14 10:57:28] root INFO:  enable_memory_optim: True
[2021/12/14 10:57:28] root INFO:  enable_tensorrt: False
[2021/12/14 10:57:28] root INFO:  enable_mkldnn: False
[2021/12/14 10:57:28] root INFO:  cpu_math_library_num_threads: 1
[2021/12/14 10:57:28] root INFO: ----------------------- Model info ----------------------
[2021/12/14 10:57:28] root INFO:  model_name: classification
[2021/12/14 10:57:28] root INFO:  precision: fp32
[2021/12/14 10:57:28] root INFO: ----------------------- Data info -----------------------
[2021/12/14 10:57:28] root INFO:  batch_size: 1
[2021/12/14 10:57:28] root INFO:  input_shape: dynamic
[2021/12/14 10:57:28] root INFO:  data_num: 1
[2021/12/14 10:57:28] root INFO: ----------------------- Perf info -----------------------
[2021/12/14 10:57:28] root INFO:  cpu_rss(MB): 717.3633, gpu_rss(MB): None, gpu_util: None%
[2021/12/14 10:57:28] root INFO:  total time spent(s): 0.3135
[2021/12/14 10:57:28] root INFO:  preprocess_time(ms): 47.2865, inference_time(ms): 266.1366, postprocess_time(ms): 0.061
"""  # noqa: E501


@pytest.mark.parametrize("layout", ["pir", "program", "combined", "separate"])
def test_a_good_model_passes_all_three(
    sample_folder: Callable[..., Path], tmp_path: Path, layout: str
) -> None:
    folder = sample_folder("digits", layout)
    image = wb.sample_inputs(folder)["image"][:4]
    inputs = {wb.load(folder).inputs[0].name: image}
    found = check(folder, inputs, directory=tmp_path)
    assert [one.name for one in found] == ["model prepared", "result verified", "log added"]
    assert [one.passed for one in found] == [True] * 3, found
    # What was written is what plain Paddle gives, in the files of the real package.
    written = reprod_log.ReprodDiffHelper().load_info(str(tmp_path / "output_inference_engine.npy"))
    plain = native(model_arguments(folder, layout), (), inputs)
    assert list(written) == list(plain.outputs)
    for name, array in plain.outputs.items():
        np.testing.assert_array_equal(written[name], array)
    training = reprod_log.ReprodDiffHelper().load_info(str(tmp_path / "output_training_engine.npy"))
    np.testing.assert_allclose(*training.values(), *plain.outputs.values(), rtol=1e-4, atol=1e-5)


def broken_model(folder: Path, target: Path) -> Path:
    """The same program with other weights, as a wrong export has them."""
    shutil.copytree(folder, target)
    weights = next(file for file in target.iterdir() if file.suffix == ".pdiparams")
    data = bytearray(weights.read_bytes())
    data[-400:] = np.ones(100, "<f4").tobytes()
    weights.write_bytes(data)
    return target


def test_a_model_that_answers_otherwise_is_not_verified(
    sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = sample_folder("digits", "pir")
    inputs = {"image": wb.sample_inputs(folder)["image"][:1]}
    check_verified(folder, inputs, directory=tmp_path)
    broken = broken_model(folder, tmp_path / "broken")
    found = check(broken, inputs, training=tmp_path / "output_training_engine.npy")
    assert [one.passed for one in found] == [True, False, True]
    assert "the engines differ in fetch_name_0" in found[1].reason
    # The training engine of the same files agrees with them, so that it is the training that differs.
    assert check_verified(broken, inputs).passed


def test_a_model_that_is_not_there_reaches_nothing(
    sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    shutil.copytree(sample_folder("digits", "program"), tmp_path / "model")
    file = tmp_path / "model" / "inference.pdiparams"
    file.write_bytes(file.read_bytes()[:-9])
    found = check(tmp_path / "model", {})
    assert [one.passed for one in found] == [False] * 3
    assert "is cut short" in found[0].reason
    assert found[1].reason == "not reached: the model is not prepared"
    assert not check_prepared(tmp_path / "nowhere").passed


def save(file: Path, **arrays: Any) -> Path:
    logger = ReprodLogger()
    for name, value in arrays.items():
        logger.add(name, np.array([value]))
    logger.save(file)
    return file


@pytest.mark.parametrize(
    ("training", "inference", "reason"),
    [
        ({"class_id": 3, "prob": 0.5}, {"class_id": 3, "prob": 0.500001}, "agree"),
        ({"class_id": 3, "prob": 0.5}, {"class_id": 4, "prob": 0.5}, "differ in class_id"),
        ({"class_id": 3, "prob": 0.5}, {"class_id": 3, "prob": 0.51}, "differ in prob"),
        ({"class_id": 407}, {"class_id": 408}, "differ in class_id"),
        ({"prob": 0.5}, {"prob": np.nan}, "differ in prob"),
        ({"prob": 1e4}, {"prob": 1e4 + 0.05}, "agree"),
        ({"prob": 1e4}, {"prob": 1e4 + 0.5}, "differ in prob"),
        ({"prob": 0.5}, {"probability": 0.5}, "'prob' is only in the first result"),
    ],
)
def test_results_from_files(
    tmp_path: Path, training: dict[str, Any], inference: dict[str, Any], reason: str
) -> None:
    found = check_results(save(tmp_path / "t.npy", **training), save(tmp_path / "i.npy", **inference))
    assert reason in found.reason
    assert found.passed is (reason == "agree")


def test_the_documents_log_passes_and_has_its_values() -> None:
    assert check_logged(DEMO).passed
    blocks = read_log(DEMO)
    assert blocks["Perf"]["inference_time(ms)"] == "266.1366"
    assert blocks["Perf"]["gpu_util"] == "None"
    assert blocks["Env"]["OS_version"] == "Ubuntu 16.04"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("data_num: 1\n", "data_num: \n", "data_num of Data info has no value"),
        ("inference_time(ms): 266.1366", "inference_time(ms): nan", "is 'nan', not a number"),
        ("total time spent(s): 0.3135", "total time spent(s): soon", "is 'soon', not a number"),
        ("paddle_commit: ", "commit: ", "paddle_commit is missing from Paddle info"),
        ("- Conf info -", "- Config -", "7 of its blocks|the block Conf info is missing"),
        ("runtime_device: cpu", "runtime_device: None", "runtime_device of Conf info has no value"),
    ],
)
def test_a_log_that_lacks_something_fails(before: str, after: str, reason: str) -> None:
    assert before in DEMO
    found = check_logged(DEMO.replace(before, after))
    assert not found.passed
    assert re.search(reason, found.reason)


def test_the_log_it_makes_is_one(sample_folder: Callable[..., Path]) -> None:
    folder = sample_folder("digits")
    text = written_log(folder, {"image": wb.sample_inputs(folder)["image"][:1]})
    blocks = read_log(text)
    assert blocks["Model"]["model_name"] == "digits"
    assert float(blocks["Perf"]["inference_time(ms)"]) > 0


def test_wrong_inputs_are_their_givers_mistake(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = sample_folder("digits")
    with pytest.raises(InputError, match="unknown input 'imag'"):
        check(folder, {"imag": np.zeros((1, 1, 8, 8), "float32")})
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.log"):
        check(folder, {"image": np.zeros((1, 1, 8, 8), "float32")}, log=tmp_path / "nowhere.log")
