"""``fluid.io``: models and parameters on disk, in Program IR's three layouts.

Parameter files are checked by `workbench.models` before Paddle reads them: Paddle passes over a missing one
in silence and can end the process over a damaged one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.deploy.fluid._mode import paddle_1x
from workbench.deploy.fluid._unknown import unknown
from workbench.errors import ModelError, WorkbenchError
from workbench.models import TensorInfo, from_bytes, params, read_params
from workbench.models import load as load_model

__all__ = ["load", "load_inference_model", "save_inference_model", "save_persistables"]


def save_inference_model(
    dirname: str | os.PathLike[str],
    feeded_var_names: Sequence[str] | str,
    target_vars: Any,
    executor: Any,
    main_program: Any = None,
    model_filename: str | None = None,
    params_filename: str | None = None,
) -> list[str]:
    """Prune a program to what leads from the inputs to the targets, and write it with its parameters.

    Args:
        dirname: the folder, made if need be.
        feeded_var_names: the inputs' names.
        target_vars: the outputs: a variable or a list of them.
        executor: the one whose scope holds the parameters.
        main_program: the program; the default main program if None.
        model_filename: the program's file; ``__model__`` if None.
        params_filename: one file for all parameters; a file for each, by its name, if None.

    Returns:
        The outputs' names.

    Raises:
        ModelError: for an input that is not in the program, or a folder that cannot be written.
    """
    paddle = paddle_1x()
    program = _plain(main_program or paddle.static.default_main_program())
    names = [feeded_var_names] if isinstance(feeded_var_names, str) else list(feeded_var_names)
    targets = list(target_vars) if isinstance(target_vars, (list, tuple)) else [target_vars]
    block = program.global_block()
    for name in names:
        if not isinstance(name, str) or not block.has_var(name):
            raise ModelError(
                f"feeded_var_names holds {name!r}, which is no variable of the program: "
                "give the names of fluid.data"
            )
    feeds = [block.var(name) for name in names]
    program_bytes = paddle.static.serialize_program(feeds, targets, program=program)
    # None where the program has no parameters.
    params_bytes = paddle.static.serialize_persistables(feeds, targets, executor, program=program) or b""
    model = from_bytes(program_bytes, params_bytes)
    folder = Path(dirname)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / (model_filename or "__model__")).write_bytes(program_bytes)
        if params_filename is not None:
            (folder / params_filename).write_bytes(params_bytes)
        else:
            params.split(params_bytes, model.weights, folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written ({error.strerror}): choose another folder") from None
    return [target.name for target in targets]


def load_inference_model(
    dirname: str | os.PathLike[str],
    executor: Any,
    model_filename: str | None = None,
    params_filename: str | None = None,
) -> list[Any]:
    """Read what `save_inference_model` wrote, to run it with ``executor``.

    Args:
        dirname: the folder.
        executor: the one whose scope the parameters go to.
        model_filename: the program's file; ``__model__`` if None.
        params_filename: the parameters' file; a file for each if None.

    Returns:
        The program, the inputs' names and the output variables.

    Raises:
        ModelError: if there is no such model, it is damaged, or it is a PIR model, which 1.x cannot hold.
    """
    paddle = paddle_1x()
    folder = Path(dirname)
    file = folder / (model_filename or "__model__")
    model = load_model(file, None if params_filename is None else folder / params_filename)
    if model.ir != "program":
        raise ModelError(
            f"{file} is a PIR model, and 1.x programs are Program IR: run it with AnalysisConfig, "
            "or export the layer as .pdmodel"
        )
    program = paddle.static.deserialize_program(file.read_bytes())
    scope = paddle.static.global_scope()
    for name, array in read_params(model).items():
        scope.var(name).get_tensor().set(array, executor.place)
    block = program.global_block()
    fetches = [block.var(name) for name in program.desc.get_fetch_target_names()]
    return [program, program.desc.get_feed_target_names(), fetches]


def save_persistables(
    executor: Any, dirname: str | os.PathLike[str], main_program: Any = None, filename: str | None = None
) -> None:
    """Write all that a program keeps between runs: a file per variable, or all in ``filename``.

    Raises:
        ModelError: for a folder that cannot be written.
    """
    paddle = paddle_1x()
    program = _plain(main_program or paddle.static.default_main_program())
    folder = Path(dirname)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written ({error.strerror}): choose another folder") from None
    paddle.static.io.save_vars(
        executor, str(folder), main_program=program, vars=_persistables(program), filename=filename
    )


def load(
    program: Any,
    model_path: str | os.PathLike[str],
    executor: Any = None,
    var_list: Sequence[Any] | None = None,
) -> None:
    """Read parameters into a program that was built by the same code.

    Args:
        program: the program that wants them.
        model_path: a folder with a file per variable, a file with all of them, or the path before
            ``.pdparams`` of what ``paddle.static.save`` wrote.
        executor: the one whose scope they go to; needed for all but ``.pdparams``.
        var_list: the variables to read; all that the program keeps if None.

    Raises:
        ModelError: if a file is missing, damaged or of another model.
        WorkbenchError: if there is no executor and one is needed.
    """
    paddle = paddle_1x()
    path = Path(model_path)
    if path.with_name(f"{path.name}.pdparams").is_file():
        paddle.static.load(program, str(path), executor, var_list)
        return
    if not path.exists():
        raise ModelError(
            f"{path} does not exist: give the folder that save_persistables wrote, a file of all parameters, "
            "or the path before .pdparams"
        )
    if executor is None:
        raise WorkbenchError(f"{path} needs an executor to be loaded: pass executor=fluid.Executor(place)")
    wanted = sorted(var_list or _persistables(program), key=lambda variable: str(variable.name))
    infos = [_info(paddle, variable) for variable in wanted]
    if path.is_dir():
        params.check_separate(path, infos)
        paddle.static.io.load_vars(executor, str(path), main_program=program, vars=wanted)
    else:
        params.check(path, infos)
        paddle.static.io.load_vars(
            executor, str(path.parent), main_program=program, vars=wanted, filename=path.name
        )


def _plain(program: Any) -> Any:
    """The program in a CompiledProgram."""
    return getattr(program, "_program", None) or program


def _persistables(program: Any) -> list[Any]:
    """What a program keeps between runs, without the places that inputs and outputs go through."""
    passing = ("feed", "fetch")
    return [
        variable for variable in program.list_vars() if variable.persistable and variable.name not in passing
    ]


def _info(paddle: Any, variable: Any) -> TensorInfo:
    dtype = paddle.base.data_feeder.convert_dtype(variable.dtype)
    # Paddle's numpy stand-in for bfloat16.
    return TensorInfo(variable.name, "bfloat16" if dtype == "uint16" else dtype, tuple(variable.shape))


def __getattr__(name: str) -> Any:
    raise unknown(f"io.{name}")
