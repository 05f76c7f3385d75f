"""A persistable model: the variables of a training run without their program.

A folder with one file per variable, one file with all of them, or a ``.pdparams``. They are read here and
not by Paddle, which may end its process on a damaged one. A ``.pdparams`` is a pickle: nothing but its arrays
is taken.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.deploy.pickles import ArraysOnly
from workbench.errors import ModelError
from workbench.models import TensorInfo
from workbench.models import params as params_format

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]

# In a .pdparams, the parameter names of a layer's weights, which are stored by their place in the layer.
_PARAMETER_NAMES = "StructuredToParameterName@@"
# Variables of an optimizer that do not begin with the name of a weight.
_OPTIMIZER = re.compile(r"learning_rate_\d+|@\w+@")


def read_pdparams(file: str | os.PathLike[str]) -> Arrays:
    """The weights in a ``.pdparams`` by the names they are stored under.

    Raises:
        ModelError: if the file is missing, damaged or holds something else.
    """
    return _read_pdparams(Path(file))[0]


def persistable_bytes(persistables: str | os.PathLike[str], wanted: Sequence[TensorInfo]) -> bytes:
    """The weights a program wants out of a persistable model, as the content of a combined parameter file.

    Args:
        persistables: a folder with one file per variable, a combined file (sorted by name, as
            ``save_persistables`` with a file name writes it), a ``.pdparams``, or its path without suffix.
        wanted: the program's parameters, sorted by name.

    Raises:
        ModelError: if a weight is missing, damaged, of another shape, or one too many.
    """
    path = Path(persistables).expanduser()
    if path.is_dir():
        return _from_folder(path, wanted)
    if not path.exists() and (suffixed := path.with_name(f"{path.name}.pdparams")).is_file():
        path = suffixed
    if not path.is_file():
        raise ModelError(
            f"{path} does not exist: give the folder of save_persistables, its combined file, or a .pdparams"
        )
    if path.suffix == ".pdparams":
        return _from_pdparams(path, wanted)
    try:
        params_format.check(path, wanted)
    except ModelError as error:
        # The file has no names, so that what else a training program keeps cannot be told apart in it.
        raise ModelError(
            f"{error}; of a training program, which keeps more than the network's weights, save a folder "
            "(save_persistables without a file name), or its clone(for_test=True)"
        ) from None
    return path.read_bytes()


def check_names(given: Iterable[str], wanted: Iterable[str], label: object, what: str) -> None:
    """Refuse weights whose names are not those of the network.

    Raises:
        ModelError: which names the first that is missing or too many.
    """
    have, need = set(given), set(wanted)
    missing, extra = sorted(need - have), sorted(have - need)
    if missing:
        raise ModelError(
            f"{label} lacks {missing[0]!r}{_more(missing)} of the {what}'s {len(need)} weights"
            f"{f' (and has {extra[0]!r}{_more(extra)})' if extra else ''}: give the weights of this {what}"
        )
    if extra:
        raise ModelError(
            f"{label} holds {extra[0]!r}{_more(extra)}, which the {what} does not have: "
            f"give the weights of this {what}"
        )


def _from_folder(folder: Path, wanted: Sequence[TensorInfo]) -> bytes:
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if _is_variable(file)}
    if not names and wanted:
        near = sorted(file.name for file in folder.glob("*.pdparams"))
        hint = f"it holds {near[0]}, give that" if near else "give the folder save_persistables wrote to"
        raise ModelError(f"{folder} holds no file of a variable: {hint}")
    need = {info.name for info in wanted}
    # What an optimizer keeps of a weight is named after it, such as fc_0.w_0_moment1_0.
    kept = tuple(f"{name}_" for name in need)
    ours = {name for name in names if not name.startswith(kept) and not _OPTIMIZER.fullmatch(name)}
    check_names(ours | (names & need), need, folder, "network")
    params_format.check_separate(folder, wanted)
    return b"".join(params_format.parameter_path(folder, info.name).read_bytes() for info in wanted)


def _is_variable(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return params_format.starts_like_params(stream.read(4096))


def _from_pdparams(file: Path, wanted: Sequence[TensorInfo]) -> bytes:
    arrays, names = _read_pdparams(file)
    named = {names.get(key, key): array for key, array in arrays.items()}
    if {info.name for info in wanted} <= set(named):
        # Of a layer: its weights by the names they have in a program.
        arrays = named
    check_names(arrays, (info.name for info in wanted), file, "network")
    for info in wanted:
        check_array(arrays[info.name], info, file)
    return params_format.dump(arrays, {info.name: info.dtype for info in wanted})


def check_array(array: np.ndarray[Any, np.dtype[Any]], info: TensorInfo, label: object) -> None:
    """Refuse a weight of another shape or dtype.

    Raises:
        ModelError: which says both.
    """
    # numpy has no bfloat16: Paddle stores its bits as uint16.
    dtype = "bfloat16" if info.dtype == "bfloat16" and array.dtype == "uint16" else str(array.dtype)
    if (dtype, array.shape) != (info.dtype, info.shape):
        raise ModelError(
            f"{label} belongs to another network: weight {info.name!r} should be {info}, "
            f"but the file has {dtype} {list(array.shape)}; give the weights of this network"
        )


def _read_pdparams(file: Path) -> tuple[Arrays, Mapping[str, str]]:
    import numpy as np

    try:
        with file.open("rb") as stream:
            held = ArraysOnly(stream, encoding="latin1").load()
    except OSError as error:
        raise ModelError(
            f"{file} cannot be read ({error.strerror}): check the path and its permissions"
        ) from None
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{file} is damaged or holds more than weights ({error}): "
            "save layer.state_dict() with paddle.save"
        ) from None
    except Exception as error:  # whatever a damaged pickle makes the reader stumble over
        raise ModelError(
            f"{file} is no .pdparams or damaged ({type(error).__name__}): copy or save it again"
        ) from None
    if not isinstance(held, dict):
        raise ModelError(
            f"{file} holds a {type(held).__name__}, not weights by name: save layer.state_dict()"
        )
    names = held.pop(_PARAMETER_NAMES, {})
    # A state_dict within something larger comes as pairs of a parameter's name and its array.
    arrays = {
        key: value[1] if isinstance(value, tuple) and len(value) == 2 else value
        for key, value in held.items()
    }
    for key, value in arrays.items():
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            raise ModelError(
                f"{file} holds {type(value).__name__} under {key!r}, not weights by name: "
                "save layer.state_dict() itself"
            )
    return arrays, names if isinstance(names, dict) else {}


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
