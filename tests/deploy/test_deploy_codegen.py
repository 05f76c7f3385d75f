"""Generated programs: run in each language, and compared with plain Paddle."""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import codegen_toolchain as toolchain
import numpy as np
import pytest
from codegen_cases import BF16, CASES, FOLDER, GIVE_BACK, GPU, TEXTS
from codegen_toolchain import Go, assert_prints, passes, tool
from hypothesis import given
from hypothesis import strategies as st
from oracle import model_arguments

import workbench as wb
from workbench.deploy.codegen import Program, generate
from workbench.deploy.codegen.literals import c, comment, go, python, r
from workbench.errors import ModelError
from workbench.models import load, sample_inputs

Arrays = dict[str, np.ndarray[Any, Any]]

# Whether this Python can be embedded into R; where it cannot, programs in R are parsed alone, with a warning.
_LIBPYTHON = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
EMBEDS = _LIBPYTHON.suffix == ".so" and _LIBPYTHON.is_file()


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


def test_dtypes_that_a_language_cannot_take_are_refused(give_back: dict[str, wb.Model]) -> None:
    in_c = r"float64.* is float64, which Paddle's C API cannot take: choose python or cpp or r"
    with pytest.raises(ModelError, match=in_c):
        generate(give_back["every"], None, "c")
    anywhere = r"'x' is int16, which .* cannot take: export the model with another dtype"
    with pytest.raises(ModelError, match=anywhere):
        generate(give_back["odd"], None, "python")


# What cannot run here


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
