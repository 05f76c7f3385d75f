"""The languages: what each can feed, and how far what is written in it has been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.deploy.codegen.calls import CPP, GO, PYTHON, Api, C, R


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        file_name: what a program in it is called by default.
        template: the Jinja2 template of the program.
        comment: what begins a comment.
        api: how it makes the native calls.
        dtypes: the dtypes its API can feed and copy, with their names in the program.
        any_output: whether it can copy an output of any dtype.
        scalars: whether its API can feed a tensor without dimensions.
        checked: how far its programs have been checked.
    """

    file_name: str
    template: str
    comment: str
    api: Api
    dtypes: Mapping[str, str]
    checked: str
    any_output: bool = False
    scalars: bool = True


# Paddle's Python API takes an array of int16 for one of int32, and has no way to take bfloat16.
_NUMPY_DTYPES = {
    name: name for name in ("float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool")
}

LANGUAGES: Mapping[str, Language] = {
    "python": Language(
        file_name="deploy.py",
        template="python.py.j2",
        comment="#",
        api=PYTHON,
        dtypes=_NUMPY_DTYPES,
        any_output=True,
        checked="run with Paddle 3.3.1 and numpy alone: the same output as a session, bit for bit",
    ),
    "cpp": Language(
        file_name="deploy.cc",
        template="cpp.cc.j2",
        comment="//",
        api=CPP,
        dtypes={
            "float32": "float",
            "float64": "double",
            "int64": "int64_t",
            "int32": "int32_t",
            "int8": "int8_t",
            "uint8": "uint8_t",
            "bool": "bool",
            "float16": "phi::dtype::float16",
            "bfloat16": "phi::dtype::bfloat16",
        },
        checked="compiled by g++ against the API's declarations, linked with the C++ library inside the "
        "Python package of Paddle 3.3.1, and run: the same output bit for bit; GPU and TensorRT calls are "
        "compiled only",
    ),
    "c": Language(
        file_name="deploy.c",
        template="c.c.j2",
        comment="//",
        api=C,
        dtypes={
            "float32": "PD_DATA_FLOAT32",
            "int64": "PD_DATA_INT64",
            "int32": "PD_DATA_INT32",
            "int8": "PD_DATA_INT8",
            "uint8": "PD_DATA_UINT8",
        },
        checked="compiled by gcc against the API's declarations, and run on Paddle 3.3.1 through a stand-in "
        "for its C library: the same output bit for bit; not linked with Paddle's own C library",
    ),
    "go": Language(
        file_name="deploy.go",
        template="go.go.j2",
        comment="//",
        api=GO,
        dtypes={
            "float32": "paddle.Float32",
            "int64": "paddle.Int64",
            "int32": "paddle.Int32",
            "int8": "paddle.Int8",
            "uint8": "paddle.Uint8",
        },
        scalars=False,
        checked="built and vetted by Go against a stand-in for Paddle's Go package, and run on Paddle 3.3.1 "
        "through it: the same output bit for bit; not built with Paddle's own package",
    ),
    "r": Language(
        file_name="deploy.R",
        template="r.R.j2",
        comment="#",
        api=R,
        dtypes=_NUMPY_DTYPES,
        any_output=True,
        checked="parsed by R, and run with reticulate on Paddle 3.3.1: the same output bit for bit",
    ),
}
LITE = "lite"
LITE_CHECKED = "not run"
CHECKED: Mapping[str, str] = {name: one.checked for name, one in LANGUAGES.items()} | {LITE: LITE_CHECKED}
"""How far the programs in each language have been checked."""
