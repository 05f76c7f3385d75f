"""A deployment program for a model and a config, in one of the languages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench._templates import render
from workbench.config import InferenceConfig, ModelFiles, native_calls
from workbench.core import native_files
from workbench.deploy.codegen import literals
from workbench.deploy.codegen.calls import Release
from workbench.deploy.codegen.languages import LANGUAGES, Language
from workbench.errors import ConfigError, InputError, ModelError
from workbench.models import Model, TensorInfo, load

DEFAULT_RELEASE: Release = (3, 3, 1)


@dataclass(frozen=True)
class Program:
    """A program, or a command line, as text.

    Attributes:
        text: the text.
        language: the name of its language.
        file_name: what to call it.
        missing: what is asked for and this language's API cannot do, a sentence each; the text says it too.
        notices: what the config asks for and Paddle does otherwise, a sentence each.
    """

    text: str
    language: str
    file_name: str
    missing: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def generate(
    model: Model | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    language: str = "python",
    *,
    release: Release | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Program:
    """The program that loads a model under a config, runs it once and prints its outputs.

    It makes the native calls that a session makes. Where the language's API lacks one, the program says so in
    a comment and ``missing`` says it too.

    Args:
        model: a model in files, or its path.
        config: what to ask for; the default config if None. Its ``runtime`` means nothing here.
        language: one of ``LANGUAGES``.
        release: the release of Paddle to write for.
        shapes: the shape to feed, by input, where nothing else is given when it runs; an open dimension is 1
            without.

    Raises:
        ConfigError: for an unknown language or a config that no predictor can have.
        InputError: for a shape that an input cannot have.
        ModelError: for a model without files, or with an input that this language's API cannot feed.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"unknown language {language!r}: give one of {', '.join(LANGUAGES)}")
    to = LANGUAGES[language]
    model = model if isinstance(model, Model) else load(model)
    asked = InferenceConfig() if config is None else config
    if not isinstance(asked, InferenceConfig):
        raise ConfigError(f"config is {asked!r}: give an InferenceConfig, such as InferenceConfig(threads=2)")
    for_release = DEFAULT_RELEASE if release is None else release
    notices = _notices(asked, model, for_release)
    files = model_files(model)
    written = to.api.write(native_calls(asked, files, for_release), for_release)
    missing = (*written.missing, *_lost_outputs(model, to))
    inputs = _inputs(model, to, shapes or {})
    values = {
        "model": literals.plain(model.name),
        # A development build counts as newer than any release.
        "release": ".".join(map(str, for_release)) if for_release < (99,) else "in development",
        "file_name": to.file_name,
        "files": ModelFiles(
            files.ir, to.api.literal(files.model), files.params and to.api.literal(files.params)
        ),
        "calls": written.lines,
        "precision": written.precision,
        "missing": [line for text in missing for line in literals.comment(text, to.comment)],
        "inputs": inputs,
        "dtypes": {info.dtype for info in (*model.inputs, *model.outputs)},
    }
    text = render("workbench.deploy.codegen", to.template, values)
    return Program(text, language, to.file_name, missing, notices)


def model_files(model: Model) -> ModelFiles:
    """Where a model lies, as a session gives it to Paddle.

    Raises:
        ModelError: for a model in memory.
    """
    if model.model_file is None:
        raise ModelError("a model in memory has no files to deploy: write it to files and load it from there")
    return native_files(model)


def _notices(config: InferenceConfig, model: Model, release: Release) -> tuple[str, ...]:
    from workbench.core.defects import Situation, check, unknown_op_types

    # Where it will run is not known here: whether that is a GPU build is seen there.
    known = check(Situation(config, model.ir, release, gpu_build=True))
    return (*known, *unknown_op_types(config, {op.type for op in model.graph().ops}))


def _inputs(model: Model, to: Language, shapes: Mapping[str, Sequence[int]]) -> list[dict[str, Any]]:
    names = [info.name for info in model.inputs]
    for name in shapes:
        if name not in names:
            raise InputError(f"a shape is given for {name!r}: the model's inputs are {', '.join(names)}")
    return [_input(info, to, shapes.get(info.name)) for info in model.inputs]


def _lost_outputs(model: Model, to: Language) -> list[str]:
    if to.any_output:
        return []
    return [
        f"{to.api.name} cannot copy {info.dtype or 'an unknown dtype'}: output {info.name} is not printed"
        for info in model.outputs
        if info.dtype not in to.dtypes
    ]


def _input(info: TensorInfo, to: Language, shape: Sequence[int] | None) -> dict[str, Any]:
    if info.dtype not in to.dtypes:
        raise ModelError(
            f"input {info.name!r} is {info.dtype or 'of no known dtype'}, which {to.api.name} cannot take: "
            f"{_another(info)}"
        )
    if not info.shape and not to.scalars:
        raise ModelError(
            f"input {info.name!r} has no dimensions, which {to.api.name} cannot take: {_another(info)}"
        )
    return {
        "name": to.api.literal(info.name),
        "type": to.dtypes[info.dtype],
        "shape": _shape(info, shape),
        "open": info.shape,
    }


def _another(info: TensorInfo) -> str:
    able = [
        name for name, one in LANGUAGES.items() if info.dtype in one.dtypes and (info.shape or one.scalars)
    ]
    return f"choose {' or '.join(able)}" if able else "export the model with another dtype for it"


def _shape(info: TensorInfo, given: Sequence[int] | None) -> list[int]:
    if given is None:
        return [max(size, 1) if size < 0 else size for size in info.shape]
    fits = len(given) == len(info.shape) and all(
        size > 0 and want in (-1, size) for size, want in zip(given, info.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size == -1 else str(size) for size in info.shape)
        raise InputError(f"shape {list(given)} is given for input {info.name!r}: the model wants [{wanted}]")
    return list(given)
