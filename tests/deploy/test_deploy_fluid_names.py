"""The table of 1.x names: whole, true, and in the docs as it is in the code."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.deploy.fluid import install
from workbench.deploy.fluid.names import NAMES, table
from workbench.deploy.inference import Predictor, Tensor

DOCS = Path(__file__).parents[2] / "docs" / "fluid.md"

# What the documents of 1.x use, the inference side and the training side.
USED = """
core.AnalysisConfig core.AnalysisConfig.set_model core.AnalysisConfig.set_model_buffer
core.AnalysisConfig.switch_use_feed_fetch_ops core.AnalysisConfig.switch_specify_input_names
core.AnalysisConfig.enable_use_gpu core.AnalysisConfig.disable_gpu core.AnalysisConfig.enable_mkldnn
core.AnalysisConfig.set_cpu_math_library_num_threads core.AnalysisConfig.enable_tensorrt_engine
core.AnalysisConfig.Precision core.AnalysisConfig.enable_memory_optim core.AnalysisConfig.switch_ir_optim
core.AnalysisConfig.switch_ir_debug core.AnalysisConfig.disable_glog_info core.create_paddle_predictor
predictor.get_input_names predictor.get_output_names predictor.get_input_tensor predictor.get_output_tensor
predictor.zero_copy_run tensor.reshape tensor.copy_from_cpu tensor.copy_to_cpu
core.Config core.create_predictor predictor.get_input_handle predictor.get_output_handle predictor.run
data layers.fc layers.cross_entropy layers.mean CPUPlace CUDAPlace Executor Program program_guard
unique_name.guard default_startup_program DataFeeder io.save_inference_model io.load_inference_model
io.save_persistables load compiler.CompiledProgram
""".split()  # noqa: SIM905


def test_no_used_name_is_missing_and_none_stands_twice() -> None:
    names = [row.name for row in NAMES]
    assert set(USED) <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", [row.name for row in NAMES if row.name.startswith(("predictor", "tensor"))])
def test_names_of_predictors_and_tensors_exist(name: str) -> None:
    kind, _, method = name.partition(".")
    assert callable(getattr({"predictor": Predictor, "tensor": Tensor}[kind], method))


def test_every_other_name_resolves_here_and_in_todays_paddle() -> None:
    here = [row.name for row in NAMES if not row.name.startswith(("predictor", "tensor"))]
    today = [row.today for row in NAMES if row.today != "none"]
    code = """
import importlib, sys
import workbench.deploy.fluid as fluid
fluid.install()
import paddle, paddle.inference, paddle.static
for names, root in ((sys.argv[1].split(), fluid), (sys.argv[2].split(), paddle)):
    for name in names:
        found = root
        for part in name.removeprefix("paddle.").split("."):
            found = getattr(found, part)
print("all there")
"""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, " ".join(here), " ".join(today)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == "all there", ran.stderr


def test_the_docs_have_the_table() -> None:
    assert table() in DOCS.read_text()


@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        ("import paddle.fluid.optimizer", "use paddle.optimizer"),
        ("from paddle.fluid.dygraph import Linear", "dynamic mode"),
        ("import fluid.contrib.slim", "workbench.deploy.fluid.names lists them"),
    ],
)
def test_a_module_nobody_knows_says_where_to_look(statement: str, advice: str) -> None:
    with install(), pytest.raises(ModuleNotFoundError, match=rf"is not one of the 1\.x names.*{advice}"):
        exec(statement)


def test_todays_name_is_said_where_there_is_one() -> None:
    import workbench.deploy.fluid.layers as layers

    with pytest.raises(AttributeError, match=r"use paddle\.static\.nn\.conv2d"):
        _ = layers.conv2d
    code = """
import importlib, sys
import paddle, workbench.deploy.fluid as fluid
from workbench.deploy.fluid._unknown import _TODAY
for today in _TODAY.values():
    root, *parts = today.split(" ")[0].split(".")
    if root in ("paddle", "fluid"):
        found = {"paddle": paddle, "fluid": fluid}[root]
        for part in parts:
            found = getattr(found, part)
print("all there")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "all there", ran.stderr


@pytest.mark.parametrize("module", ["", ".core", ".io", ".layers", ".compiler", ".unique_name"])
def test_a_name_nobody_knows_is_an_attribute_error(module: str) -> None:
    found = importlib.import_module(f"workbench.deploy.fluid{module}")
    name = re.escape(f"fluid{module}.dygraph_to_static_graph")
    with pytest.raises(AttributeError, match=rf"{name} is not one of the 1.x names.*paddle\.static"):
        _ = found.dygraph_to_static_graph
