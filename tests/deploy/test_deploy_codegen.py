"""Generated programs: run in each language, and compared with plain Paddle."""

from __future__ import annotations

import ast
import random
import sys
import sysconfig
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import codegen_toolchain as toolchain
import numpy as np
import pytest
from codegen_toolchain import Go, assert_prints, passes, tool
from hypothesis import given
from hypothesis import strategies as st
from oracle import model_arguments

import workbench as wb
from workbench.config import InferenceConfig, ModelFiles, native_calls
from workbench.deploy.codegen import CHECKED, LANGUAGES, LITE_TARGETS, Program, generate, lite_command
from workbench.deploy.codegen.calls import CPP, GO, PYTHON, Api, C, R
from workbench.deploy.codegen.literals import c, comment, go, python, r
from workbench.errors import ConfigError, InputError, ModelError
from workbench.models import from_bytes, load, sample_inputs

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Case:
    """A sample under a config, what a person writes to ask for the same, and where else it is run."""

    sample: str
    layout: str
    config: InferenceConfig
    setup: Sequence[str]
    languages: Sequence[str]


CASES = {
    "memory": Case(
        "digits",
        "pir",
        InferenceConfig(threads=2, memory_optim=True),
        [
            "config.set_cpu_math_library_num_threads(2)",
            "config.enable_new_executor()",
            "config.enable_memory_optim()",
        ],
        ["c"],
    ),
    "switches": Case(
        "digits",
        "pir",
        InferenceConfig(threads=2, onednn=True, ir_optim=False, memory_optim=True),
        [
            "config.enable_mkldnn()",
            "config.set_cpu_math_library_num_threads(2)",
            "config.set_optimization_level(0)",
            "config.enable_new_executor()",
            "config.enable_memory_optim()",
        ],
        ["cpp"],
    ),
    "passes": Case(
        "digits",
        "pir",
        InferenceConfig(
            onednn=False,
            disabled_passes=("constant_folding_pass",),
            enabled_passes=("identity_op_clean_pass",),
        ),
        [
            "config.disable_mkldnn()",
            "config.delete_pass('constant_folding_pass')",
            "config.enable_custom_passes(['identity_op_clean_pass'], False)",
        ],
        ["cpp"],
    ),
    "program": Case(
        "digits",
        "program",
        InferenceConfig(
            onednn=True,
            memory_optim=True,
            disabled_passes=("conv_bn_fuse_pass",),
            enabled_passes=("delete_dropout_op_pass",),
        ),
        [
            "config.enable_mkldnn()",
            "config.enable_memory_optim()",
            "config.pass_builder().delete_pass('conv_bn_fuse_pass')",
            "config.pass_builder().append_pass('delete_dropout_op_pass')",
        ],
        ["c", "go"],
    ),
    "combined": Case(
        "digits", "combined", InferenceConfig(ir_optim=False), ["config.switch_ir_optim(False)"], ["c"]
    ),
    "separate": Case(
        "digits",
        "separate",
        InferenceConfig(
            precision="int8",
            disabled_passes=("conv_bn_fuse_pass",),
            enabled_passes=("delete_dropout_op_pass",),
        ),
        [
            "config.enable_mkldnn_int8()",
            "config.pass_builder().delete_pass('conv_bn_fuse_pass')",
            "config.pass_builder().append_pass('delete_dropout_op_pass')",
        ],
        ["cpp", "c"],
    ),
    "bf16": Case(
        "bert_tiny",
        "pir",
        InferenceConfig(precision="bf16"),
        ["config.enable_mkldnn_bfloat16()"],
        ["c", "r"],
    ),
}
# Models that give back what they get, with names and in a folder that no language takes as they are.
GIVE_BACK = {"every": ["cpp"], "c": ["c", "go", "r"]}
FOLDER = 'it\'s "a" \\ *modèle 模型*: ??: $HOME %s\n`x`'
BF16 = InferenceConfig(precision="bf16")
# What no machine without a GPU runs: compiled alone.
GPU = {
    "bf16": InferenceConfig(
        device="gpu", device_id=1, gpu_memory_mb=500, precision="bf16", memory_optim=True
    ),
    "TensorRT": InferenceConfig(
        device="gpu",
        trt=True,
        precision="int8",
        trt_workspace_size=1 << 32,
        trt_max_batch_size=4,
        trt_min_subgraph_size=5,
        trt_use_static=True,
        trt_use_calib_mode=False,
        enabled_passes=("one_pass", "another_pass"),
    ),
}
# Whether this Python can be embedded into R; where it cannot, programs in R are parsed alone, with a warning.
_LIBPYTHON = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
EMBEDS = _LIBPYTHON.suffix == ".so" and _LIBPYTHON.is_file()
# For literals and comments.
RANDOM = random.Random(20)
ALPHABET = [
    *"abc019 \"'\\?/*%$`{}\n\r\t\a\x01\x1b\x7f\x85",
    "é",
    "模",
    "\u200b",
    "\u202e",
    "\ufeff",
    "😀",
    "\udc80",
    "\udcff",
]
TEXTS = [
    "",
    "??/",
    "/* */",
    "//",
    '"""',
    "\\",
    *("".join(RANDOM.choices(ALPHABET, k=12)) for _ in range(400)),
]


@pytest.fixture(scope="module")
def models(sample_folder: Callable[..., Path]) -> dict[str, wb.Model]:
    return {name: load(sample_folder(case.sample, case.layout)) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def inputs(sample_folder: Callable[..., Path]) -> dict[str, Arrays]:
    return {
        name: {
            key: array[:1] for key, array in sample_inputs(sample_folder(case.sample, case.layout)).items()
        }
        for name, case in CASES.items()
    }


@dataclass(frozen=True)
class Plain:
    """What plain Paddle gave, and the passes it ran."""

    outputs: Arrays
    passes: list[str]


@pytest.fixture(scope="module")
def plain(
    sample_folder: Callable[..., Path], inputs: dict[str, Arrays], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Plain]:
    """What plain Paddle gives, by case."""
    folder = tmp_path_factory.mktemp("plain")
    jobs = {}
    for name, case in CASES.items():
        np.savez(folder / f"{name}_inputs.npz", **inputs[name])  # type: ignore[arg-type]
        jobs[name] = {
            "files": model_arguments(sample_folder(case.sample, case.layout), case.layout),
            "setup": case.setup,
            "inputs": folder / f"{name}_inputs.npz",
            "npz": folder / f"{name}.npz",
            "out": folder / f"{name}.log",
        }
    toolchain.run_jobs(list(jobs.values()), folder)
    return {name: Plain(read_npz(job["npz"]), passes(read_text(job["out"]))) for name, job in jobs.items()}


@pytest.fixture(scope="module")
def give_back(tmp_path_factory: pytest.TempPathFactory) -> dict[str, wb.Model]:
    folder = tmp_path_factory.mktemp("dtypes") / FOLDER
    folder.mkdir()
    tool(sys.executable, toolchain.STUBS / "dtype_models.py", folder)
    return {name: load(folder / f"{name}.json") for name in (*GIVE_BACK, "odd")}


def read_npz(file: Path) -> Arrays:
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def some(model: wb.Model) -> Arrays:
    """Arrays for a model that gives them back."""
    numbers = np.random.default_rng(3)
    return {info.name: (numbers.standard_normal((2, 3)) * 50).astype(info.dtype) for info in model.inputs}


def given_back(model: wb.Model) -> Arrays:
    return {f"fetch_name_{index}": array.reshape(-1) for index, array in enumerate(some(model).values())}


def write_arrays(folder: Path, arrays: Arrays, *, raw: bool) -> list[str]:
    """The options that give these arrays to a program, as .npy or as raw bytes with their shape."""
    options = []
    for index, (name, array) in enumerate(arrays.items()):
        file = folder / f"{index}.{'bin' if raw else 'npy'}"
        if raw:
            file.write_bytes(array.tobytes())
            options += ["--shape", f"{name}={'x'.join(map(str, array.shape))}"]
        else:
            np.save(file, array)
        options += ["--input", f"{name}={file}"]
    return options


# Python

MISTAKES = {
    "image=double.npy": "double.npy holds float64",
    "image=flat.npy": "flat.npy holds float32 (1, 64), image takes float32 (-1, 1, 8, 8)",
    "image=many.npz": "many.npz holds several arrays",
    "image=none.npy": "No such file",
    "imag=flat.npy": "does not begin with the name of an input",
}


@dataclass(frozen=True)
class Ran:
    """A generated Python program that ran: what it and Paddle printed, and what it wrote."""

    code: int
    said: str
    arrays: Arrays


@pytest.fixture(scope="module")
def in_python(
    models: dict[str, wb.Model],
    inputs: dict[str, Arrays],
    give_back: dict[str, wb.Model],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Ran]:
    """Every Python program of this module, run with Paddle and numpy alone, by case or mistake."""
    folder = tmp_path_factory.mktemp("python")
    every = give_back["every"]
    work = [(name, generate(models[name], case.config), inputs[name]) for name, case in CASES.items()]
    work.append(("every", generate(every, BF16), some(every)))
    jobs = {}
    for name, program, arrays in work:
        place = folder / name
        place.mkdir()
        (place / program.file_name).write_text(program.text, encoding="utf-8")
        options = [*write_arrays(place, arrays, raw=False), "-o", str(place / "out.npz")]
        jobs[name] = {"script": place / program.file_name, "arguments": options, "out": place / "log"}
    np.save(folder / "double.npy", np.zeros((1, 1, 8, 8)))
    np.save(folder / "flat.npy", np.zeros((1, 64), np.float32))
    np.savez(folder / "many.npz", a=np.zeros(1))
    for index, mistake in enumerate(MISTAKES):
        option = ["--input", mistake.replace("=", f"={folder}/")]
        jobs[mistake] = {**jobs["combined"], "arguments": option, "out": folder / f"mistake_{index}"}
    codes = toolchain.run_jobs(list(jobs.values()), folder)
    return {
        name: Ran(code, read_text(job["out"]), {} if code else read_npz(folder / name / "out.npz"))
        for (name, job), code in zip(jobs.items(), codes, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_python_gives_what_plain_paddle_and_a_session_give(
    name: str,
    models: dict[str, wb.Model],
    inputs: dict[str, Arrays],
    plain: dict[str, Plain],
    in_python: dict[str, Ran],
) -> None:
    with wb.Session(models[name], CASES[name].config) as session:
        expected = session.run(inputs[name])
        given = session.given["passes"]
    got = in_python[name].arrays
    assert list(got) == list(expected) == list(plain[name].outputs)
    for key, array in plain[name].outputs.items():
        assert got[key].dtype == expected[key].dtype == array.dtype
        assert got[key].shape == array.shape
        assert got[key].tobytes() == expected[key].tobytes() == array.tobytes()
    assert passes(in_python[name].said) == given == plain[name].passes
    assert_prints(in_python[name].said, plain[name].outputs)


@pytest.mark.parametrize("name", CASES)
def test_python_needs_paddle_and_numpy_alone(name: str, models: dict[str, wb.Model]) -> None:
    program = generate(models[name], CASES[name].config)
    assert (program.language, program.missing, program.notices) == ("python", (), ())
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(program.text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert imported == {"argparse", "numpy", "paddle.inference"}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_python_says_what_an_input_must_be(mistake: str, in_python: dict[str, Ran]) -> None:
    ran = in_python[mistake]
    assert ran.code == 2
    assert MISTAKES[mistake] in ran.said
    assert "Traceback" not in ran.said


def test_zeros_of_the_shape_asked_for_are_what_runs_without_an_input(
    models: dict[str, wb.Model], tmp_path: Path
) -> None:
    config = CASES["combined"].config
    program = generate(models["combined"], config, shapes={"image": [3, 1, 8, 8]})
    (tmp_path / "deploy.py").write_text(program.text)
    with wb.Session(models["combined"], config) as session:
        expected = session.run({"image": np.zeros((3, 1, 8, 8), np.float32)})
    out = tool(sys.executable, "-I", tmp_path / "deploy.py", cwd=tmp_path)
    assert_prints(out.decode(), expected)


# The languages that are compiled, and R


@dataclass(frozen=True)
class Built:
    """What programs in other languages printed, by language and case, and what was found on the way."""

    printed: dict[tuple[str, str], str]
    literals: dict[str, bytes]
    unformatted: str


@pytest.fixture(scope="module")
def go_tool(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Go:
    folder = tmp_path_factory.mktemp("c_library")
    toolchain.c_library(folder)
    assert request.config.cache is not None
    return Go(Path(request.config.cache.mkdir("go")), folder)


@pytest.fixture(scope="module")
def built(
    models: dict[str, wb.Model],
    inputs: dict[str, Arrays],
    give_back: dict[str, wb.Model],
    go_tool: Go,
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """Every program in another language, compiled two at a time, and run: what is compiled in one process."""
    folder = tmp_path_factory.mktemp("built")
    work: list[tuple[str, str, Program, Arrays]] = [
        (language, name, generate(models[name], case.config, language), inputs[name])
        for name, case in CASES.items()
        for language in case.languages
    ]
    work += [
        (language, name, generate(give_back[name], BF16, language), some(give_back[name]))
        for name, languages in GIVE_BACK.items()
        for language in languages
    ]
    jobs, sources, go_modules, scripts = {}, [], [], []
    for language, name, program, arrays in work:
        place = folder / f"{language}_{name}"
        if language == "go":
            go_tool.module(place, program.text, "".join(f"\t{go(text)},\n" for text in TEXTS))
            go_modules.append(place)
        else:
            place.mkdir()
            (place / program.file_name).write_text(program.text, encoding="utf-8")
        options = write_arrays(place, arrays, raw=language != "r")
        if language == "r":
            scripts.append((name, [place / program.file_name, *options]))
            continue
        library = place / "program.so"
        if language != "go":
            sources.append((language, place / program.file_name, library))
        symbol = "Main" if language == "go" else "main"
        jobs[language, name] = {
            "library": library,
            "symbol": symbol,
            "arguments": options,
            "out": place / "log",
        }

    def compile_one(source: tuple[str, Path, Path]) -> None:
        language, file, library = source
        if language == "cpp":
            tool(*toolchain.CPP, *toolchain.SHARED, file, *toolchain.LINK_PADDLE, "-o", library)
        else:
            tool(*toolchain.C, *toolchain.SHARED, file, *go_tool.link_c, "-o", library)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_one, sources))
    for place in go_modules:
        go_tool("build", "-buildmode=c-shared", "-o", "program.so", ".", cwd=place)
        go_tool("vet", "-buildmode=c-shared", ".", cwd=place)
    unformatted = go_tool.unformatted(*(place / "deploy.go" for place in go_modules), cwd=folder)
    literals = {
        "library": go_modules[0] / "program.so",
        "symbol": "PrintLiterals",
        "arguments": [],
        "out": folder / "go_literals",
    }
    codes = toolchain.run_jobs([*jobs.values(), literals], folder)
    assert not any(codes), list(zip(jobs, codes, strict=False))
    printed = {key: read_text(job["out"]) for key, job in jobs.items()}
    if not EMBEDS:
        warnings.warn(
            f"{_LIBPYTHON} cannot be loaded into R: programs in R are parsed, not run", stacklevel=1
        )
    for name, arguments in scripts:
        tool("Rscript", "-e", "invisible(parse(commandArgs(TRUE)))", arguments[0])
        if EMBEDS:
            environment = {**toolchain.LOG, "RETICULATE_PYTHON": sys.executable, "LC_ALL": "C.UTF-8"}
            printed["r", name] = tool("Rscript", *arguments, env=environment).decode(errors="replace")
    return Built(printed, {"go": literals["out"].read_bytes(), **_c_and_r_literals(folder)}, unformatted)


def _c_and_r_literals(folder: Path) -> dict[str, bytes]:
    """What programs print that hold every text as a literal, and as a comment that must not end."""
    remarks = [line for text in TEXTS for line in comment(text, "//")]
    prints = [f"  fwrite({c(text)}, 1, sizeof({c(text)}), stdout);" for text in TEXTS]
    source = folder / "literals.c"
    source.write_text("\n".join(["#include <stdio.h>", "int main(void) {", *remarks, *prints, "}"]))
    tool(*toolchain.C, source, "-o", folder / "literals_c")
    tool(*toolchain.CPP, "-x", "c++", source, "-o", folder / "literals_cpp")
    script = folder / "literals.R"
    texts = ",\n".join(r(text) for text in TEXTS)
    script.write_text(
        f"out <- pipe('cat', 'wb')\ntexts <- c({texts})\n"
        "for (text in texts) writeBin(c(charToRaw(text), as.raw(0)), out)\nclose(out)\n"
    )
    return {
        "c": tool(folder / "literals_c"),
        "cpp": tool(folder / "literals_cpp"),
        "r": tool("Rscript", script, env={"LC_ALL": "C"}),
    }


@pytest.mark.parametrize(
    ("language", "name"),
    [(one, name) for name, case in CASES.items() for one in case.languages if one != "r" or EMBEDS],
)
def test_other_languages_give_what_plain_paddle_gives(
    language: str, name: str, built: Built, plain: dict[str, Plain]
) -> None:
    assert passes(built.printed[language, name]) == plain[name].passes
    assert_prints(built.printed[language, name], plain[name].outputs)


@pytest.mark.parametrize(
    ("language", "name"),
    [(one, name) for name, languages in GIVE_BACK.items() for one in languages if one != "r" or EMBEDS],
)
def test_every_dtype_name_and_path_goes_through(
    language: str, name: str, built: Built, give_back: dict[str, wb.Model]
) -> None:
    assert_prints(built.printed[language, name], given_back(give_back[name]))


def test_every_dtype_name_and_path_goes_through_python(
    in_python: dict[str, Ran], give_back: dict[str, wb.Model]
) -> None:
    assert_prints(in_python["every"].said, given_back(give_back["every"]))


def test_go_is_formatted_as_gofmt_does(built: Built) -> None:
    assert built.unformatted == ""


@pytest.mark.parametrize("language", ["c", "cpp", "go", "r"])
def test_literals_hold_the_text(language: str, built: Built) -> None:
    texts = built.literals[language].split(b"\0")
    assert texts == [*(text.encode("utf-8", "surrogateescape") for text in TEXTS), b""]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_python_literal_evaluates_to_the_text(text: str) -> None:
    assert ast.literal_eval(python(text)) == text
    assert "\n" not in python(text)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("literal", [python, c, go, r])
def test_text_that_no_program_can_hold_is_refused(literal: Callable[[str], str], text: str) -> None:
    with pytest.raises(ModelError, match="cannot stand in a program: rename it"):
        literal(text)


# What cannot run here, and what an API lacks


@pytest.mark.parametrize("name", GPU)
def test_gpu_calls_compile(name: str, models: dict[str, wb.Model], go_tool: Go, tmp_path: Path) -> None:
    def written(language: str) -> Path:
        program = generate(models["memory"], GPU[name], language)
        file = tmp_path / program.file_name
        file.write_text(program.text)
        return file

    tool(*toolchain.CPP, "-fsyntax-only", written("cpp"))
    tool(*toolchain.C, "-fsyntax-only", written("c"))
    tool("Rscript", "-e", "invisible(parse(commandArgs(TRUE)))", written("r"))
    ast.parse(written("python").read_text())
    module = go_tool.module(tmp_path / "go", generate(models["memory"], GPU[name], "go").text)
    go_tool("vet", "-buildmode=c-shared", ".", cwd=module)
    assert go_tool.unformatted(module / "deploy.go", cwd=module) == ""


def _calls(api: Api, config: InferenceConfig, ir: str, release: tuple[int, ...] = (3, 3, 1)) -> Any:
    files = ModelFiles(ir, "m", "p")  # type: ignore[arg-type]
    return api.write(native_calls(config, files, release), release)


_PIR = InferenceConfig(
    threads=3,
    onednn=True,
    precision="bf16",
    ir_optim=False,
    memory_optim=True,
    disabled_passes=("conv_activation_mkldnn_fuse_pass",),
    enabled_passes=("a_pass", "b_pass"),
)
_PROGRAM = InferenceConfig(
    onednn=True,
    precision="int8",
    ir_optim=False,
    memory_optim=True,
    disabled_passes=("a_pass",),
    enabled_passes=("b_pass",),
)


def test_the_calls_on_a_cpu() -> None:
    assert _calls(CPP, _PIR, "pir").lines == (
        "config.EnableONEDNN();",
        "config.SetCpuMathLibraryNumThreads(3);",
        "config.EnableOnednnBfloat16();",
        "config.SetOptimizationLevel(0);",
        "config.EnableNewExecutor();",
        "config.EnableMemoryOptim();",
        'config.DeletePass("conv_activation_mkldnn_fuse_pass");',
        'config.DeletePass("conv_activation_onednn_fuse_pass");',
        'config.EnableCustomPasses({"a_pass", "b_pass"}, false);',
    )
    assert _calls(C, _PIR, "pir").lines == (
        "PD_ConfigEnableMKLDNN(config);",
        "PD_ConfigSetCpuMathLibraryNumThreads(config, 3);",
        "PD_ConfigEnableMkldnnBfloat16(config);",
        "PD_ConfigEnableNewExecutor(config, TRUE);",
        "PD_ConfigEnableMemoryOptim(config, TRUE);",
    )
    assert _calls(GO, _PIR, "pir").lines == (
        "config.EnableONEDNN()",
        "config.SetCpuMathLibraryNumThreads(3)",
        "config.EnableMkldnnBfloat16()",
    )
    assert _calls(R, _PIR, "pir").lines[-1] == 'config$enable_custom_passes(list("a_pass", "b_pass"), FALSE)'
    assert _calls(CPP, _PROGRAM, "program").lines == (
        "config.EnableONEDNN();",
        "config.SetCpuMathLibraryNumThreads(1);",
        "config.EnableOnednnInt8();",
        "config.SwitchIrOptim(false);",
        "config.EnableMemoryOptim();",
        'config.pass_builder()->DeletePass("a_pass");',
        'config.pass_builder()->AppendPass("b_pass");',
    )
    assert _calls(C, _PROGRAM, "program").lines == (
        "PD_ConfigEnableMKLDNN(config);",
        "PD_ConfigSetCpuMathLibraryNumThreads(config, 1);",
        "PD_ConfigEnableMkldnnInt8(config);",
        "PD_ConfigSwitchIrOptim(config, FALSE);",
        "PD_ConfigEnableMemoryOptim(config, TRUE);",
        'PD_ConfigDeletePass(config, "a_pass");',
        'PD_ConfigAppendPass(config, "b_pass");',
    )
    assert _calls(GO, _PROGRAM, "program").lines == (
        "config.EnableONEDNN()",
        "config.SetCpuMathLibraryNumThreads(1)",
        "config.SwitchIrOptim(false)",
        "config.EnableMemoryOptim(true)",
        'config.DeletePass("a_pass")',
        'config.AppendPass("b_pass")',
    )


def test_the_calls_on_a_gpu() -> None:
    config = InferenceConfig(device="gpu", device_id=1, gpu_memory_mb=500, precision="fp16")
    assert [_calls(api, config, "pir").lines[0] for api in (PYTHON, CPP, C, GO, R)] == [
        "config.enable_use_gpu(500, 1, PrecisionType.Half)",
        "config.EnableUseGpu(500, 1, PrecisionType::kHalf);",
        "PD_ConfigEnableUseGpu(config, 500, 1, PD_PRECISION_HALF);",
        "config.EnableUseGpu(500, 1)",
        "config$enable_use_gpu(500L, 1L, inference$PrecisionType$Half)",
    ]
    config = GPU["TensorRT"]
    assert [_calls(api, config, "program").lines[1] for api in (PYTHON, CPP, C, GO, R)] == [
        "config.enable_tensorrt_engine(4294967296, 4, 5, PrecisionType.Int8, True, False)",
        "config.EnableTensorRtEngine(4294967296, 4, 5, PrecisionType::kInt8, true, false);",
        "PD_ConfigEnableTensorRtEngine(config, 4294967296, 4, 5, PD_PRECISION_INT8, TRUE, FALSE);",
        "config.EnableTensorRtEngine(4294967296, 4, 5, paddle.PrecisionInt8, true, false)",
        'config$enable_tensorrt_engine(py_eval("4294967296", convert = FALSE), 4L, 5L, '
        "inference$PrecisionType$Int8, TRUE, FALSE)",
    ]


@pytest.mark.parametrize(
    ("config", "ir", "in_c", "in_go"),
    [
        (InferenceConfig(onednn=False), "pir", ["disable_mkldnn: oneDNN stays"], ["disable_mkldnn: oneDNN"]),
        (InferenceConfig(precision="int8"), "pir", [], ["enable_mkldnn_int8: it runs in fp32"]),
        (
            InferenceConfig(ir_optim=False),
            "pir",
            ["set_optimization_level: every"],
            ["set_optimization_level"],
        ),
        (InferenceConfig(ir_optim=False), "program", [], []),
        (InferenceConfig(memory_optim=True), "pir", [], ["enable_new_executor: enable_memory_optim, which"]),
        (InferenceConfig(memory_optim=True), "program", [], []),
        (
            InferenceConfig(disabled_passes=("x_pass",)),
            "pir",
            ["delete_pass: the pass x_pass"],
            ["delete_pass"],
        ),
        (InferenceConfig(disabled_passes=("x_pass",)), "program", [], []),
        (InferenceConfig(enabled_passes=("a", "b")), "pir", ["are not added: a, b"], ["are not added: a, b"]),
        (InferenceConfig(enabled_passes=("a", "b")), "program", [], []),
        (
            InferenceConfig(device="gpu", precision="fp16"),
            "pir",
            [],
            ["takes no precision for a GPU: it runs in fp32, not in fp16"],
        ),
        (
            InferenceConfig(device="gpu", trt=True, precision="bf16"),
            "program",
            ["no bf16 for enable_tensorrt_engine: it runs in fp32"],
            ["no bf16 for enable_tensorrt_engine: it runs in fp32"],
        ),
    ],
)
def test_what_an_api_lacks_is_said(
    config: InferenceConfig, ir: str, in_c: list[str], in_go: list[str]
) -> None:
    assert _calls(CPP, config, ir).missing == ()
    for api, expected in ((C, in_c), (GO, in_go)):
        written = _calls(api, config, ir)
        assert len(written.missing) == len(expected)
        for text, words in zip(written.missing, expected, strict=True):
            assert text.startswith(api.name)
            assert words in text
        assert not any("MemoryOptim" in line for line in written.lines) or config.memory_optim


def test_what_an_api_lacks_stands_in_the_program(models: dict[str, wb.Model]) -> None:
    program = generate(models["passes"], CASES["passes"].config, "go")
    assert len(program.missing) == 3
    words = " ".join(program.text.replace("// ", "").split())
    for text in program.missing:
        assert text in words


def test_names_change_with_the_release() -> None:
    config = InferenceConfig(onednn=True, memory_optim=True)
    assert "config.EnableONEDNN();" in _calls(CPP, config, "pir", (3, 2, 0)).lines
    assert "config.EnableMKLDNN();" in _calls(CPP, config, "pir", (3, 1, 0)).lines
    assert "config.EnableMKLDNN()" in _calls(GO, config, "pir", (3, 2, 0)).lines
    assert "config.DisableMKLDNN();" in _calls(CPP, InferenceConfig(onednn=False), "pir", (3, 1, 0)).lines
    assert "config.DisableONEDNN();" in _calls(CPP, InferenceConfig(onednn=False), "pir", (3, 2, 0)).lines
    older = _calls(C, config, "pir", (3, 1, 0))
    assert [text for text in older.missing if "enable_new_executor" in text] == list(older.missing)
    assert not any("MemoryOptim" in line for line in older.lines)


_NAMES = st.lists(st.sampled_from(["a_pass", "b_pass", "c_pass"]), max_size=2).map(tuple)


@given(
    st.builds(
        InferenceConfig,
        device=st.sampled_from(["cpu", "gpu"]),
        precision=st.sampled_from(["fp32", "fp16", "bf16", "int8"]),
        onednn=st.sampled_from([None, True, False]),
        ir_optim=st.booleans(),
        memory_optim=st.booleans(),
        trt=st.booleans(),
        disabled_passes=_NAMES,
        enabled_passes=st.just(("d_pass",)),
    ),
    st.sampled_from(["pir", "program"]),
    st.sampled_from([(2, 6, 2), (3, 0, 0), (3, 3, 1)]),
)
def test_no_call_is_dropped_without_a_word(
    config: InferenceConfig, ir: str, release: tuple[int, ...]
) -> None:
    calls = native_calls(config, ModelFiles(ir, "m", "p"), release)  # type: ignore[arg-type]
    for api in (PYTHON, CPP, R):
        assert len(_calls(api, config, ir, release).lines) == len(calls)
    for api in (C, GO):
        written = _calls(api, config, ir, release)
        left_out = [text for text in written.missing if "has no call" in text]
        with_executor = any("enable_memory_optim, which" in text for text in left_out)
        assert len(written.lines) + len(left_out) + with_executor == len(calls)


# What is refused


def test_what_cannot_be_generated_is_refused(
    models: dict[str, wb.Model], give_back: dict[str, wb.Model], sample_folder: Callable[..., Path]
) -> None:
    model = models["memory"]
    every, odd = give_back["every"], give_back["odd"]
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
            ModelError,
            ".*float64.* is float64, which Paddle's C API cannot take: choose python or cpp or r",
            lambda: generate(every, None, "c"),
        ),
        (
            ModelError,
            "'x' is int16, which .* cannot take: export the model with another dtype",
            lambda: generate(odd, None, "python"),
        ),
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
    assert "without TensorRT unless" in generate(models["memory"], config, "cpp").notices[0]
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
