"""Cuts a model down to some of its ops."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from workbench.errors import ModelError
from workbench.models import Model, load
from workbench.verifying.cutting.parameters import write_parameters
from workbench.verifying.cutting.pir import cut_pir, input_name
from workbench.verifying.cutting.program import cut_program
from workbench.verifying.cutting.selection import Selection, Wiring, select


def cut(
    model: Model | str | os.PathLike[str],
    ops: Iterable[int],
    folder: str | os.PathLike[str],
    *,
    outputs: Sequence[str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Model:
    """Write a model that holds only some ops of another.

    It has the parameters they need, an input for every value that they use and none of them makes, and as
    outputs every value that they make and do not use. The model's own inputs and outputs keep their names; in
    PIR a new one is called ``value_7`` after ``%7``, in Program IR it is the variable.

    Args:
        model: a model or its path.
        ops: indices into ``model.graph().ops``, the graph before any pass. An op that runs others, such as a
            loop, goes in whole.
        folder: where to write it, made if need be; ``model.json`` or ``model.pdmodel`` there is replaced.
        outputs: ids of the values to fetch in place of those.
        shapes: value id to the shape a new input is declared with, where the model's own is wrong; by
            default the graph's, which may leave dimensions open.

    Returns:
        The model that was written: ``model.json`` (PIR) or ``model.pdmodel`` with ``model.pdiparams``, in
        the IR of the model it is cut from. Where the model was exported from (``op_callstack``) is left out.

    Raises:
        ModelError: if these ops cannot be a model; see `select`; or the folder cannot be written to.
    """
    model = model if isinstance(model, Model) else load(model)
    selection = select(model.graph(), ops, outputs)
    return write_cut(model, selection, Path(folder), shapes or {})


def write_cut(
    model: Model, selection: Selection, folder: Path, shapes: Mapping[str, Sequence[int]], name: str = "model"
) -> Model:
    """Write the model that a selection describes."""
    program = program_of(model, selection, shapes)
    graph = model.graph()
    weights = {graph.values[value].name or "" for value in selection.parameters}
    suffix = ".json" if model.ir == "pir" else ".pdmodel"
    file, params = folder / f"{name}{suffix}", folder / f"{name}.pdiparams"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Without parameters Program IR wants the file to be empty, and PIR wants none.
        if not write_parameters(model, weights, params) and model.ir == "pir":
            params.unlink()
        file.write_bytes(program)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written to ({error.strerror}): choose another folder") from None
    return load(file)


def program_of(model: Model, selection: Selection, shapes: Mapping[str, Sequence[int]]) -> bytes:
    """The program of a cut model, without its parameters."""
    data = model.model_bytes
    if data is None:
        assert model.model_file is not None  # it is in files or in memory
        try:
            data = model.model_file.read_bytes()
        except OSError as error:
            raise ModelError(f"{model.model_file} cannot be read ({error.strerror}): check it") from None
    if model.ir == "pir":
        return cut_pir(data, model.graph(), selection, shapes)
    return cut_program(data, selection, shapes)


def input_names(model: Model, selection: Selection, wiring: Wiring) -> dict[str, str]:
    """Value id to the name of the input it is in a cut model, for all that are fed."""
    if model.ir == "program":
        return {value: value for value in selection.feeds}
    return {
        value: str(wiring.fed[value].attrs.get("name"))
        if value in wiring.fed
        else input_name(model.graph(), value)
        for value in selection.feeds
    }
