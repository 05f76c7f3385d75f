"""What may be asked of `generate` and `lite_command`: what is refused or noticed, and Paddle-Lite's line."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from codegen_toolchain import tool

import workbench as wb
from workbench.config import InferenceConfig
from workbench.deploy.codegen import CHECKED, LANGUAGES, LITE_TARGETS, Program, generate, lite_command
from workbench.errors import ConfigError, InputError, ModelError
from workbench.models import from_bytes, load


@pytest.fixture(scope="module")
def models(sample_folder: Callable[..., Path]) -> dict[str, wb.Model]:
    """One model, by layout."""
    return {layout: load(sample_folder("digits", layout)) for layout in ("pir", "program", "separate")}


def test_what_cannot_be_generated_is_refused(
    models: dict[str, wb.Model], sample_folder: Callable[..., Path]
) -> None:
    model = models["pir"]
    folder = sample_folder("digits", "pir")
    memory = from_bytes(*(folder.joinpath(f"inference.{end}").read_bytes() for end in ("json", "pdiparams")))
    for error, says, attempt in (
        (
            ConfigError,
            "unknown language 'rust': give one of python, cpp, c, go, r",
            lambda: generate(model, None, "rust"),
        ),
        (
            ConfigError,
            "fp16 runs on a GPU only",
            lambda: generate(model, InferenceConfig(precision="fp16"), "c"),
        ),
        (ModelError, "needs Paddle 3.0 or newer", lambda: generate(model, None, "c", release=(2, 6, 2))),
        (ModelError, "in memory has no files", lambda: generate(memory, None, "python")),
        (
            InputError,
            "a shape is given for 'y': the model's inputs are image",
            lambda: generate(model, None, "c", shapes={"y": [1]}),
        ),
        (
            InputError,
            r"\[2, 1, 8\] is given for input 'image': the model wants \[any, 1, 8, 8\]",
            lambda: generate(model, None, "c", shapes={"image": [2, 1, 8]}),
        ),
        (
            InputError,
            r"\[0, 1, 8, 8\] is given",
            lambda: generate(model, None, "c", shapes={"image": [0, 1, 8, 8]}),
        ),
        (
            InputError,
            r"\[2, 1, 8, 9\] is given",
            lambda: generate(model, None, "c", shapes={"image": [2, 1, 8, 9]}),
        ),
        (
            ModelError,
            "is a .json model, which Paddle-Lite's converter does not read: export the layer again",
            lambda: lite_command(model),
        ),
        (
            ConfigError,
            "unknown target 'phone': give one of arm",
            lambda: lite_command(models["program"], ["phone"]),
        ),
        (ConfigError, "no target is given", lambda: lite_command(models["program"], [])),
    ):
        with pytest.raises(error, match=says):
            attempt()


def test_trt_on_a_json_model_is_noticed(models: dict[str, wb.Model]) -> None:
    config = InferenceConfig(device="gpu", trt=True)
    assert "without TensorRT unless" in generate(models["pir"], config, "cpp").notices[0]
    assert generate(models["program"], config, "cpp").notices == ()


# Paddle-Lite


def test_paddle_lite_is_a_command_line_that_says_it_was_not_run(
    models: dict[str, wb.Model], sample_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """A stand-in for the converter takes the arguments apart as the shell gives them."""
    converter = tmp_path / "paddle_lite_opt"
    converter.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n")
    converter.chmod(0o755)

    def arguments(program: Program) -> list[str]:
        (tmp_path / program.file_name).write_text(program.text)
        assert "not run by it" in program.text
        path = f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin"
        return ast.literal_eval(tool("sh", tmp_path / program.file_name, env={"PATH": path}).decode())  # type: ignore[no-any-return]

    folder = sample_folder("digits", "program")
    program = lite_command(models["program"], ["opencl", "arm"], out="it's here")
    assert arguments(program) == [
        f"--model_file={folder / 'inference.pdmodel'}",
        f"--param_file={folder / 'inference.pdiparams'}",
        "--optimize_out_type=naive_buffer",
        "--optimize_out=it's here",
        "--valid_targets=opencl,arm",
    ]
    config = InferenceConfig(precision="fp16", threads=4, runtime="other")
    program = lite_command(models["separate"], config=config)
    assert arguments(program)[0] == f"--model_dir={sample_folder('digits', 'separate')}"
    assert arguments(program)[-1] == "--enable_fp16=true"
    assert program.missing == ("Paddle-Lite's converter has no option for threads = 4: it is left out",)
    assert program.missing[0] in program.text
    assert "arm" in LITE_TARGETS and LANGUAGES.keys().isdisjoint({program.language})


def test_a_path_is_a_model_too(sample_folder: Callable[..., Path]) -> None:
    folder = sample_folder("digits", "combined")
    assert generate(folder) == generate(load(folder))
    assert lite_command(str(folder), "x86") == lite_command(load(folder), ["x86"])
    with pytest.raises(ConfigError, match="config is 'fast': give an InferenceConfig"):
        generate(folder, "fast")  # type: ignore[arg-type]


def test_readme_says_how_far_each_language_is_checked() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for language, checked in CHECKED.items():
        assert checked in readme, language
