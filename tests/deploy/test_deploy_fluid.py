"""Scripts of Paddle 1.x, as people wrote them, each in a process of its own, against today's plain Paddle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import native

import workbench as wb

INSTALL = "import workbench.deploy.fluid\nworkbench.deploy.fluid.install()\n"
QUIET = ("-W", "ignore")

# From the introduction to the 1.x inference API: these two functions are its text, unchanged.
CREATE_AND_RUN = """
def create_predictor():
    # 通过AnalysisConfig配置推理选项
    config = AnalysisConfig("./resnet50/model", "./resnet50/params")
    config.switch_use_feed_fetch_ops(False)
    config.enable_use_gpu(100, 0)
    config.enable_mkldnn()
    config.enable_memory_optim()
    predictor = create_paddle_predictor(config)
    return predictor

def run(predictor, data):
    # 准备模型输入
    input_names = predictor.get_input_names()
    for i,  name in enumerate(input_names):
        input_tensor = predictor.get_input_tensor(name)
        input_tensor.reshape(data[i].shape)
        input_tensor.copy_from_cpu(data[i].copy())

    # 执行模型推理
    predictor.zero_copy_run()

    results = []
    # 获取模型输出
    output_names = predictor.get_output_names()
    for i, name in enumerate(output_names):
        output_tensor = predictor.get_output_tensor(name)
        output_data = output_tensor.copy_to_cpu()
        results.append(output_data)

    return results
"""


def script(code: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in ``folder`` as a script of its own."""
    ran = subprocess.run(
        [sys.executable, *flags, "-c", code],
        cwd=folder,
        env={**os.environ, "GLOG_minloglevel": "2"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran


def loaded(file: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_create_predictor_and_run_unchanged(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    source = sample_folder("resnet18", "combined")
    (tmp_path / "resnet50").mkdir()
    for name in ("model", "params"):
        shutil.copyfile(source / name, tmp_path / "resnet50" / name)
    picture = wb.sample_inputs(source)["image"][:1]
    np.save(tmp_path / "picture.npy", picture)
    code = f"""
{INSTALL}
import numpy as np
from paddle.fluid.core import AnalysisConfig, create_paddle_predictor
{CREATE_AND_RUN}
predictor = create_predictor()
for number in range(2):
    (output,) = run(predictor, [np.load("picture.npy")])
    np.save(f"output{{number}}.npy", output)
"""
    said = script(code, tmp_path).stderr
    plain = native(
        [tmp_path / "resnet50" / "model", tmp_path / "resnet50" / "params"],
        ["config.enable_use_gpu(100, 0)", "config.enable_mkldnn()", "config.enable_memory_optim()"],
        {wb.load(source).inputs[0].name: picture},
    )
    (expected,) = plain.outputs.values()
    for number in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"output{number}.npy"), expected)
    assert said.count("DeployNotice: switch_use_feed_fetch_ops means nothing") == 1
    assert said.count("DeployNotice: a GPU was asked for") == 1


def test_from_saving_to_the_answer(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((28, 28))
    np.save(tmp_path / "image.npy", image)
    code = f"""
{INSTALL}
import numpy as np
from paddle import fluid

place = fluid.CPUPlace()
executor = fluid.Executor(place)

image = fluid.data(name="image", shape=[None, 28, 28], dtype="float32")
label = fluid.data(name="label", shape=[None, 1], dtype="int64")

feeder = fluid.DataFeeder(feed_list=[image, label], place=place)
predict = fluid.layers.fc(input=image, size=10, act='softmax')

loss = fluid.layers.cross_entropy(input=predict, label=label)
avg_loss = fluid.layers.mean(loss)

executor.run(fluid.default_startup_program())

fluid.io.save_inference_model("model", feeded_var_names=["image"],
    target_vars=[predict], executor=executor)

input_data = np.load("image.npy")
rows = [(input_data.astype("float32"), np.array([3])), (input_data.T.astype("float32"), np.array([7]))]
probabilities, losses, average = executor.run(feed=feeder.feed(rows), fetch_list=[predict, loss, avg_loss])

from paddle.fluid.core import AnalysisConfig

config = AnalysisConfig("./model")
config.enable_mkldnn()
config.enable_use_gpu(100, 0)
config.switch_use_feed_fetch_ops(False)
config.switch_specify_input_names(True)
config.enable_tensorrt_engine(precision_mode=AnalysisConfig.Precision.Float32,
                              use_calib_mode=True)

from paddle.fluid.core import create_paddle_predictor

predictor = create_paddle_predictor(config)
input_names = predictor.get_input_names()
input_tensor = predictor.get_input_tensor(input_names[0])
input_tensor.copy_from_cpu(input_data.reshape([1, 28, 28]).astype("float32"))
predictor.zero_copy_run()
output_names = predictor.get_output_names()
output_tensor = predictor.get_output_tensor(output_names[0])
output_data = output_tensor.copy_to_cpu()
np.savez("found.npz", output=output_data, probabilities=probabilities, losses=losses, average=average)
"""
    said = script(code, tmp_path).stderr
    found = loaded(tmp_path / "found.npz")
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == [
        "__model__",
        "fc_0.b_0",
        "fc_0.w_0",
    ]
    plain = native(
        [tmp_path / "model"],
        ["config.enable_mkldnn()"],
        {"image": image.reshape([1, 28, 28]).astype("float32")},
    )
    (expected,) = plain.outputs.values()
    np.testing.assert_array_equal(found["output"], expected)
    # The training engine, whose first row is the same picture.
    np.testing.assert_allclose(found["probabilities"][:1], expected, rtol=1e-5)
    by_hand = -np.log(found["probabilities"][[0, 1], [3, 7]])
    np.testing.assert_allclose(found["losses"].ravel(), by_hand, rtol=1e-5)
    np.testing.assert_allclose(found["average"], by_hand.mean(), rtol=1e-5)
    assert "DeployNotice: TensorRT was asked for" in said


NET = """
import paddle

def net(input, class_dim):
    conv = paddle.static.nn.conv2d(input, 8, 3, stride=2, padding=1, bias_attr=False)
    norm = paddle.static.nn.batch_norm(conv, act="relu")
    pool = paddle.nn.functional.adaptive_avg_pool2d(norm, 1)
    return fluid.layers.fc(input=pool, size=class_dim, act="softmax")
"""


def test_the_three_ways_to_predict(tmp_path: Path) -> None:
    data = np.random.default_rng(1).random((2, 3, 32, 32)).astype("float32")
    np.save(tmp_path / "data.npy", data)
    # Plain Paddle trains, so to speak, and writes the persistable model.
    plain_code = f"""
import numpy as np
import os; os.environ["FLAGS_enable_pir_api"] = "0"
import paddle, types
paddle.enable_static()
fluid = types.SimpleNamespace(layers=types.SimpleNamespace(
    fc=lambda input, size, act: paddle.static.nn.fc(input, size, activation=act)))
{NET}
startup, main = paddle.static.Program(), paddle.static.Program()
with paddle.static.program_guard(main, startup), paddle.utils.unique_name.guard():
    out = net(paddle.static.data("image", [None, 3, 32, 32], "float32"), 10)
exe = paddle.static.Executor(paddle.CPUPlace())
exe.run(startup)
main = main.clone(for_test=True)
paddle.static.io.save_vars(exe, "persistable", main_program=main, predicate=lambda v: v.persistable)
np.save("plain.npy", exe.run(main, feed={{"image": np.load("data.npy")}}, fetch_list=[out.name])[0])
"""
    script(plain_code, tmp_path, *QUIET)
    code = f"""
{INSTALL}
import numpy as np
import fluid
{NET}
data = np.load("data.npy")
found = {{}}

place = fluid.CPUPlace()
exe = fluid.Executor(place)
startup_prog = fluid.Program()
infer_prog = fluid.Program()
with fluid.program_guard(infer_prog, startup_prog):
    with fluid.unique_name.guard():
        image = fluid.data(name='image', shape=[None, 3, 32, 32], dtype='float32')
        out = net(input=image, class_dim=10)

infer_prog = infer_prog.clone(for_test=True)
fluid.load(program=infer_prog, model_path="persistable", executor=exe)

two = dict(model_filename="model", params_filename="params")
for dirname, files in (("combined", two), ("separate", {{}})):
    fluid.io.save_inference_model(
            dirname=dirname,
            feeded_var_names=[image.name],
            main_program=infer_prog,
            target_vars=out,
            executor=exe,
            **files)

outputs = exe.run(infer_prog,
        feed={{image.name: data}},
        fetch_list=[out.name],
        return_numpy=False)
found["persistable"] = np.array(outputs[0])

for dirname, files in (("combined", two), ("separate", {{}})):
    [program, feed_names, fetch_lists] = fluid.io.load_inference_model(dirname, exe, **files)
    compiled_program = fluid.compiler.CompiledProgram(program)
    outputs = exe.run(compiled_program,
            feed={{feed_names[0]: data}},
            fetch_list=fetch_lists,
            return_numpy=False)
    found[dirname] = np.array(outputs[0])

from paddle.fluid.core import AnalysisConfig
from paddle.fluid.core import create_paddle_predictor
config = AnalysisConfig("combined/model", "combined/params")
config.enable_use_gpu(8000, 0)
config.disable_glog_info()
config.switch_ir_optim(True)
config.enable_tensorrt_engine(
        precision_mode=AnalysisConfig.Precision.Float32,
        max_batch_size=1)

config.switch_use_feed_fetch_ops(False)

predictor = create_paddle_predictor(config)
input_names = predictor.get_input_names()
input_tensor = predictor.get_input_tensor(input_names[0])
input_tensor.reshape([2, 3, 32, 32])
input_tensor.copy_from_cpu(data)
predictor.zero_copy_run()
found["inference"] = predictor.get_output_tensor(predictor.get_output_names()[0]).copy_to_cpu()

fluid.io.save_persistables(exe, "again", main_program=infer_prog)
fluid.io.save_persistables(exe, "one", main_program=infer_prog, filename="all")
for path in ("again", "one/all"):
    scope = fluid.Executor(place)
    for variable in infer_prog.list_vars():
        if variable.persistable and variable.name not in ("feed", "fetch"):
            paddle.static.global_scope().var(variable.name).get_tensor().set(np.zeros([1], "float32"), place)
    fluid.load(infer_prog, path, exe)
    found[path.replace("/", "_")] = exe.run(infer_prog, feed={{"image": data}}, fetch_list=[out.name])[0]
np.savez("found.npz", **found)
"""
    script(code, tmp_path, *QUIET)
    found = loaded(tmp_path / "found.npz")
    expected = np.load(tmp_path / "plain.npy")
    for name in ("persistable", "combined", "separate", "again", "one_all"):
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
    plain = native([tmp_path / "combined" / "model", tmp_path / "combined" / "params"], (), {"image": data})
    np.testing.assert_array_equal(found["inference"], *plain.outputs.values())
    assert {file.name for file in (tmp_path / "combined").iterdir()} == {"model", "params"}
    written = {file.name: file.read_bytes() for file in (tmp_path / "persistable").iterdir()}
    for name, content in written.items():
        assert (tmp_path / "again" / name).read_bytes() == content
        assert (tmp_path / "separate" / name).read_bytes() == content


def test_every_way_to_import_it_and_none_afterwards(tmp_path: Path) -> None:
    code = """
import importlib, sys
import workbench.deploy.fluid as ours
assert "paddle" not in sys.modules
def gone(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return True
import paddle
assert gone("fluid") and gone("paddle.fluid") and not hasattr(paddle, "fluid")
flags = paddle.get_flags("FLAGS_enable_pir_api")
for number in range(2):
    with ours.install():
        import fluid
        import paddle.fluid
        from paddle import fluid as third
        import paddle.fluid.core as core, fluid.core as core_too
        from paddle.fluid.core import AnalysisConfig
        assert fluid is paddle.fluid is third is ours and core is core_too is ours.core
        assert AnalysisConfig is ours.core.AnalysisConfig
        with ours.install(strict=True):
            pass
        assert importlib.import_module("fluid") is ours
        assert ours.__spec__.name == "workbench.deploy.fluid"
        assert hasattr(fluid, "data") and hasattr(fluid.layers, "fc")
        assert paddle.in_dynamic_mode()
        x = fluid.data("x", [None, 2], "float32")
        assert not paddle.in_dynamic_mode() and type(x).__name__ == "Variable"
    assert gone("fluid") and gone("paddle.fluid") and gone("paddle.fluid.core")
    assert not hasattr(paddle, "fluid")
    assert paddle.in_dynamic_mode() and paddle.get_flags("FLAGS_enable_pir_api") == flags
    assert paddle.nn.Linear(2, 2)(paddle.ones([1, 2])).shape == [1, 2]
ours.install(); ours.install(); ours.uninstall()
assert gone("fluid")
ours.uninstall()

import types
mine = sys.modules["fluid"] = types.ModuleType("fluid")
with ours.install():
    import fluid
    assert fluid is ours
assert sys.modules["fluid"] is mine
print("passed")
"""
    assert script(code, tmp_path, *QUIET).stdout.strip() == "passed"


MISTAKES = {
    "fluid.io.save_inference_model('m', ['imag'], [out], exe)": "feeded_var_names holds 'imag'",
    "fluid.io.save_inference_model('file', ['x'], [out], exe)": "file cannot be written",
    "fluid.io.load_inference_model('nowhere', exe)": "nowhere",
    "fluid.io.load_inference_model('pir', exe, 'inference.json', 'inference.pdiparams')": "is a PIR model",
    "fluid.load(fluid.default_main_program(), 'nowhere', exe)": "nowhere does not exist: give the folder",
    "fluid.load(fluid.default_main_program(), 'saved')": "needs an executor",
    "fluid.load(fluid.default_main_program(), 'half', exe)": "lacks the parameter file 'fc_0.b_0'",
    "fluid.load(fluid.default_main_program(), 'cut', exe)": "is cut short in parameter 'fc_0.w_0'",
    "fluid.load(fluid.default_main_program(), 'other', exe)": "belongs to another model",
    "fluid.load(fluid.default_main_program(), 'one/cut', exe)": "is cut short",
    "fluid.layers.fc(x, 3, act='foo'); print('built')": "act is 'foo', which is no activation",
    "exe.run(feed={'x': numpy.ones((1, 4), 'float32')}, fetch_list=[out]); fluid.no": "fluid.no is not one",
    "fluid.install(strict=True); fluid.CUDAPlace(0)": "but Paddle here is a CPU build",
}


def test_mistakes_on_the_training_side(sample_folder: Callable[..., Path], tmp_path: Path) -> None:
    code = f"""
import shutil
from pathlib import Path
import numpy
import workbench as wb
import workbench.deploy.fluid as fluid
from workbench.errors import WorkbenchError
exe = fluid.Executor(fluid.CPUPlace())
x = fluid.data("x", [None, 4], "float32")
out = fluid.layers.fc(x, 3)
exe.run(fluid.default_startup_program())
fluid.io.save_persistables(exe, "saved")
fluid.io.save_persistables(exe, "one", filename="all")
Path("file").write_text("")
shutil.copytree({str(sample_folder("digits", "pir"))!r}, "pir")
for name in ("half", "cut", "other"):
    shutil.copytree("saved", name)
Path("half/fc_0.b_0").unlink()
Path("cut/fc_0.w_0").write_bytes(Path("saved/fc_0.w_0").read_bytes()[:-5])
Path("other/fc_0.w_0").write_bytes(Path("saved/fc_0.b_0").read_bytes())
Path("one/cut").write_bytes(Path("one/all").read_bytes()[:-5])
for line in {list(MISTAKES)!r}:
    try:
        exec(line)
        print("no error")
    except (WorkbenchError, AttributeError) as error:
        print(error)
assert fluid.unique_name.guard
"""
    said = script(code, tmp_path, *QUIET).stdout.splitlines()
    assert len(said) == len(MISTAKES)
    for line, expected in zip(said, MISTAKES.values(), strict=True):
        assert expected in line


def test_a_gpu_place_on_a_cpu_build_says_so(tmp_path: Path) -> None:
    code = (
        "import workbench.deploy.fluid as fluid\n"
        "print(*[type(fluid.CUDAPlace(0)).__name__ for _ in range(2)])"
    )
    ran = script(code, tmp_path)
    assert ran.stdout.split() == ["CPUPlace", "CPUPlace"]
    assert ran.stderr.count("DeployNotice: CUDAPlace was asked for") == 1


@pytest.mark.parametrize("statement", ["import fluid", "import paddle.fluid", "from paddle import fluid"])
def test_nothing_is_there_without_install(statement: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", f"import workbench.deploy.fluid\n{statement}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "ImportError" in ran.stderr or "ModuleNotFoundError" in ran.stderr
