"""The inference API by its old and new names, on the native execution core."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import FILES, model_arguments, native

import workbench as wb
from workbench.config import InferenceConfig
from workbench.deploy import notices
from workbench.deploy.fluid.core import AnalysisConfig, create_paddle_predictor
from workbench.deploy.inference import Config, PrecisionType, Predictor, create_predictor
from workbench.deploy.notices import DeployNotice
from workbench.errors import ConfigError, InputError, ModelError

LAYOUTS = ("pir", "program", "combined", "separate")
QUIET = pytest.mark.filterwarnings("ignore::workbench.deploy.notices.DeployNotice")


@pytest.fixture(autouse=True)
def unsaid() -> Iterator[None]:
    notices.forget()
    yield
    notices.forget()


def answer(predictor: Predictor, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    handle = predictor.get_input_tensor(predictor.get_input_names()[0])
    handle.reshape(image.shape)
    handle.copy_from_cpu(image)
    predictor.zero_copy_run()
    return predictor.get_output_tensor(predictor.get_output_names()[0]).copy_to_cpu()


def config_of(folder: Path, layout: str, way: str) -> Config:
    files = [str(folder / name) for name in FILES[layout]]
    if way == "folder":
        return AnalysisConfig(str(folder))
    config = AnalysisConfig()
    if way == "buffer":
        model, params = (Path(file).read_bytes() for file in files)
        config.set_model_buffer(model, len(model), params, len(params))
    else:
        config.set_model(*files)
    return config


WAYS = [
    (layout, way)
    for layout in LAYOUTS
    for way in ("folder", "files", "buffer")
    # Separate parameters are a folder and nothing else.
    if layout != "separate" or way == "folder"
]


@pytest.mark.parametrize(("layout", "way"), WAYS)
def test_every_layout_by_every_way_to_set_a_model(
    sample_folder: Callable[..., Path], layout: str, way: str
) -> None:
    folder = sample_folder("digits", layout)
    image = wb.sample_inputs(folder)["image"][:3]
    config = config_of(folder, layout, way)
    config.enable_mkldnn()
    config.enable_memory_optim()
    predictor = create_paddle_predictor(config)
    setup = ["config.enable_mkldnn()", "config.enable_memory_optim()"]
    if layout == "pir":
        setup.insert(1, "config.enable_new_executor()")
    plain = native(model_arguments(folder, layout), setup, {predictor.get_input_names()[0]: image})
    np.testing.assert_array_equal(answer(predictor, image), *plain.outputs.values())
    assert predictor.get_output_names() == list(plain.outputs)
    predictor.close()


def test_every_setting_becomes_part_of_the_config() -> None:
    config = Config("somewhere")
    config.enable_use_gpu(200, 1)
    config.enable_tensorrt_engine(1 << 20, 4, 5, AnalysisConfig.Precision.Half, True, False)
    config.enable_mkldnn()
    config.set_cpu_math_library_num_threads(3)
    config.enable_memory_optim()
    config.switch_ir_optim(False)
    config.delete_pass("a_pass")
    assert config.inference_config == InferenceConfig(
        device="gpu",
        gpu_memory_mb=200,
        device_id=1,
        trt=True,
        trt_workspace_size=1 << 20,
        trt_max_batch_size=4,
        trt_min_subgraph_size=5,
        precision="fp16",
        trt_use_static=True,
        trt_use_calib_mode=False,
        onednn=True,
        threads=3,
        memory_optim=True,
        ir_optim=False,
        disabled_passes=("a_pass",),
    )
    by_keyword = Config("somewhere")
    by_keyword.enable_tensorrt_engine(precision_mode=Config.Precision.Float32, use_calib_mode=True)
    assert by_keyword.inference_config == InferenceConfig(trt=True)
    config.disable_gpu()
    assert config.inference_config.device == "cpu"
    assert "threads: 3" in config.summary()


def test_op_types_without_mixed_precision_become_part_of_the_config() -> None:
    config = Config("somewhere")
    config.enable_use_gpu(100, 0, AnalysisConfig.Precision.Half)
    # Scripts name the first two as a matter of course.
    config.exp_disable_mixed_precision_ops({"feed", "fetch", "softmax"})
    expected = InferenceConfig(device="gpu", precision="fp16", fp32_ops=("softmax",))
    assert config.inference_config == expected


def test_what_was_asked_can_be_read_back() -> None:
    config = Config("a", "b")
    assert (config.prog_file(), config.params_file(), config.model_dir()) == ("a", "b", "")
    assert (config.ir_optim(), config.cpu_math_library_num_threads(), config.glog_info_disabled()) == (
        True,
        1,
        False,
    )
    # As plain Paddle 3 on a CPU build.
    assert config.mkldnn_enabled() is True
    config.enable_use_gpu(100)
    assert config.use_gpu() is False
    config.set_prog_file("c")
    config.set_params_file("d")
    assert (config.prog_file(), config.params_file()) == ("c", "d")
    assert Config("folder").model_dir() == "folder"


def test_what_means_nothing_is_said_once_where_it_stands() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            config = Config()
            config.switch_use_feed_fetch_ops(False)
            config.switch_specify_input_names(True)
    assert [one.category for one in said] == [DeployNotice] * 2
    assert {one.filename for one in said} == {__file__}
    assert ["switch_use_feed_fetch_ops" in str(said[0].message), "by name" in str(said[1].message)] == [
        True,
        True,
    ]
    assert (config.use_feed_fetch_ops_enabled(), config.specify_input_name()) == (False, True)


def test_a_method_nobody_knows_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="enable_warp_drive"):
        Config().enable_warp_drive()  # type: ignore[attr-defined]


@pytest.mark.parametrize("layout", ["pir", "program"])
def test_ir_debug_writes_a_dot_for_every_stage(
    sample_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = sample_folder("digits", layout)
    image = wb.sample_inputs(folder)["image"][:1]
    config = Config(str(folder))
    config.switch_ir_debug(True)
    predictor = create_predictor(config)
    plain = native(model_arguments(folder, layout), (), {predictor.get_input_names()[0]: image})
    names = [file.name for file in sorted(tmp_path.glob("*.dot"))]
    assert [name.partition("_")[2].removesuffix(".dot") for name in names] == [
        "before_any_pass",
        *plain.passes,
    ]
    assert [file.name for file in predictor.dots] == names
    np.testing.assert_array_equal(answer(predictor, image), *plain.outputs.values())
    config.set_optim_cache_dir(str(tmp_path / "elsewhere"))
    again = create_predictor(config)
    assert len(list((tmp_path / "elsewhere").glob("*.dot"))) == len(names)
    again.close()
    predictor.close()


def test_a_gpu_and_tensorrt_on_a_cpu_build_are_said_aloud_and_go_on(
    sample_folder: Callable[..., Path],
) -> None:
    config = Config(str(sample_folder("digits")))
    config.enable_use_gpu(100, 0)
    config.enable_tensorrt_engine(1 << 30, 1, 3, PrecisionType.Int8, False, False)
    with pytest.warns(DeployNotice) as said:
        predictor = create_predictor(config)
    texts = [str(one.message) for one in said]
    assert any("TensorRT was asked for" in text for text in texts)
    assert any("a GPU was asked for" in text for text in texts)
    assert (predictor.given["device"], predictor.given["trt"]) == ("cpu", False)
    predictor.close()


def test_or_they_stop_if_strict(sample_folder: Callable[..., Path]) -> None:
    folder = str(sample_folder("digits"))
    gpu, trt, plain = (Config(folder, strict=True) for _ in range(3))
    gpu.enable_use_gpu(100, 0)
    trt.enable_use_gpu(100, 0)
    trt.enable_tensorrt_engine()
    with pytest.raises(ConfigError, match=r"a GPU was asked for.*CPU build"):
        create_predictor(gpu)
    with pytest.raises(ConfigError, match=r"TensorRT was asked for.*CPU build"):
        create_predictor(trt)
    create_predictor(plain).close()


def test_the_log_goes_to_pythons_logging_unless_disabled(
    sample_folder: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    for quiet in (False, True):
        caplog.clear()
        config = Config(str(sample_folder("digits")))
        if quiet:
            config.disable_glog_info()
        with caplog.at_level(logging.DEBUG, "workbench.deploy.inference"):
            predictor = create_predictor(config)
        assert ("Running PIR pass" in caplog.text) is not quiet
        assert "Running PIR pass" in predictor.log
        predictor.close()


def test_tensors_copy_both_ways_and_know_their_shapes(sample_folder: Callable[..., Path]) -> None:
    folder = sample_folder("digits")
    images = wb.sample_inputs(folder)["image"][:2].copy()
    predictor = create_predictor(Config(str(folder)))
    handle = predictor.get_input_handle("image")
    output = predictor.get_output_handle(predictor.get_output_names()[0])
    assert (handle.shape(), output.shape()) == ([-1, 1, 8, 8], [-1, 10])
    handle.reshape([5, 1, 8, 8])
    assert handle.shape() == [5, 1, 8, 8]
    handle.copy_from_cpu(images)
    images[:] = 0
    predictor.run()
    first = output.copy_to_cpu()
    assert output.shape() == [2, 10]
    kept = first.copy()
    handle.copy_from_cpu(images)
    predictor.run()
    second = output.copy_to_cpu()
    np.testing.assert_array_equal(first, kept)
    assert not np.array_equal(first, second)
    first += 1  # one's own, as in Paddle
    predictor.close()


@QUIET
@pytest.mark.parametrize(
    ("mistake", "error", "text"),
    [
        (
            lambda config, files: create_predictor(config),
            ModelError,
            "no model was set: call config.set_model",
        ),
        (lambda config, files: create_predictor(None), ConfigError, "NoneType is no Config"),
        (lambda config, files: create_predictor(Config("nowhere")), ModelError, "nowhere does not exist"),
        (
            lambda config, files: config.set_model_buffer("text", 4),
            ModelError,
            "the model buffer is str: give bytes",
        ),
        (
            lambda config, files: config.set_model_buffer(
                files[0][:100], len(files[0]), files[1], len(files[1])
            ),
            ModelError,
            "holds 100 bytes and its size is given as",
        ),
        (lambda config, files: use_buffer(files[0], files[1][:-7]), ModelError, "is cut short"),
        (
            lambda config, files: use_buffer(files[0][:-7], files[1]),
            ModelError,
            "cut short|damaged|not whole",
        ),
        (lambda config, files: use_buffer(b"", b""), ModelError, "empty"),
        (lambda config, files: config.enable_use_gpu(-1), ConfigError, "gpu_memory_mb is -1"),
        (lambda config, files: config.set_cpu_math_library_num_threads(0), ConfigError, "threads is 0"),
        (
            lambda config, files: config.enable_tensorrt_engine(precision_mode="fp32"),
            ConfigError,
            "precision is 'fp32': give one of AnalysisConfig.Precision",
        ),
    ],
)
def test_mistakes_in_a_config(
    sample_folder: Callable[..., Path], mistake: Any, error: type[Exception], text: str
) -> None:
    folder = sample_folder("digits")
    files = [(folder / name).read_bytes() for name in FILES["pir"]]
    with pytest.raises(error, match=text) as said:
        mistake(Config(), files)
    assert "\n" not in str(said.value)


def use_buffer(model: bytes, params: bytes) -> Predictor:
    config = Config()
    config.set_model_buffer(model, len(model), params, len(params))
    return create_predictor(config)


def test_mistakes_with_tensors_lose_nothing(sample_folder: Callable[..., Path]) -> None:
    folder = sample_folder("digits")
    image = wb.sample_inputs(folder)["image"][:1]
    predictor = create_predictor(Config(str(folder)))
    handle = predictor.get_input_handle("image")
    output = predictor.get_output_handle(predictor.get_output_names()[0])
    mistakes: list[tuple[Callable[[], object], str]] = [
        (predictor.run, "input 'image' is missing"),
        (output.copy_to_cpu, "call zero_copy_run or run first"),
        (lambda: predictor.get_input_handle("imag"), "there is no input 'imag': the model has image"),
        (lambda: output.copy_from_cpu(image), "copy_from_cpu is for inputs"),
        (handle.copy_to_cpu, "is an input"),
        (lambda: handle.copy_from_cpu(image.tolist()), "was given list: give a numpy array"),
        (lambda: (handle.copy_from_cpu(image.astype("float64")), predictor.run()), "is float64"),
        (lambda: (handle.copy_from_cpu(image[0]), predictor.run()), "has shape 1×8×8"),
    ]
    for mistake, text in mistakes:
        with pytest.raises(InputError, match=text):
            mistake()
    assert answer(predictor, image).shape == (1, 10)
    predictor.close()
