"""Finding the files of a model from what a user passes: any of its files, or its folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from workbench.errors import ModelError
from workbench.models.sniff import read_head, sniff

Layout = Literal["pir", "program", "combined", "separate"]
LAYOUTS: tuple[Layout, ...] = ("pir", "program", "combined", "separate")

_UNSUFFIXED = ("__model__", "model")
_COMBINED = ("__params__", "params")
_SUFFIXES = (".json", ".pdmodel")


@dataclass(frozen=True, slots=True)
class Found:
    """The files of one model.

    Attributes:
        layout: which of the four layouts they are in, "separate" where no combined file was found.
        model_file: the program.
        params_file: the combined parameter file, or None where there is none.
        wanted: the name of the combined file that was looked for.
    """

    layout: Layout
    model_file: Path
    params_file: Path | None
    wanted: str


def locate(path: str | Path, params: str | Path | None = None) -> Found:
    """Find a model's files.

    Args:
        path: the model file, its folder, the path both files start with, or its parameter file.
        params: the parameter file, where it is not beside the model under the usual name.
    """
    given = Path(path).expanduser()
    if _exists(given):
        found = _in_folder(given) if given.is_dir() else _from_file(given)
    else:
        found = _from_prefix(given)
    if params is None:
        return found
    layout: Layout = "combined" if found.layout == "separate" else found.layout
    return replace(found, layout=layout, params_file=_given_params(Path(params).expanduser()))


def candidates(folder: Path) -> list[Path]:
    """The model files in a folder, sorted by name."""
    found = []
    for file in _listing(folder):
        if not file.is_file():
            continue
        named = file.suffix == ".pdmodel" or file.name in _UNSUFFIXED
        if named or (file.suffix == ".json" and _may_be_pir(file)):
            found.append(file)
    return found


def _may_be_pir(file: Path) -> bool:
    # A damaged one with its parameters beside it counts: the message should be about the damage.
    return file.with_suffix(".pdiparams").is_file() or sniff(read_head(file)).kind == "pir"


def _in_folder(folder: Path) -> Found:
    models = candidates(folder)
    if len(models) == 1:
        return _from_file(models[0])
    if models:
        raise ModelError(
            f"{folder} holds {len(models)} models ({_names(models)}): pass the file you mean, "
            f"such as {models[0]}"
        )
    entries = _listing(folder)
    if not entries:
        raise ModelError(f"{folder} is an empty folder: pass the folder or the file of a Paddle model")
    for entry in entries:
        if entry.is_dir() and _quiet_candidates(entry):
            raise ModelError(f"{folder} holds no model itself, but {entry} does: pass that one")
    for entry in entries:
        if not entry.is_file():
            continue
        what = sniff(read_head(entry), entry.name)
        if what.kind in ("params", "program"):
            expected = "no .json or .pdmodel beside it" if what.kind == "params" else "but not its usual name"
            raise ModelError(
                f"{folder} holds no model file: {entry.name} is {what.text}, {expected}; pass the model file"
            )
        if what.text.startswith(("an ONNX", "a PyTorch")):
            raise ModelError(f"{folder} holds no Paddle model: {entry.name} is {what.text}; {what.advice}")
    raise ModelError(
        f"{folder} holds no model (no PIR .json, .pdmodel, __model__ or model) but {_names(entries)}: "
        "pass the folder paddle.jit.save wrote to"
    )


def _from_file(file: Path) -> Found:
    if not file.is_file():
        raise ModelError(f"{file} is not a regular file: pass a model file or its folder")
    if file.name.endswith(".pdiparams.info"):
        return _from_params(file, file.name.removesuffix(".pdiparams.info"))
    if file.suffix == ".pdiparams":
        return _from_params(file, file.stem)
    what = sniff(read_head(file), file.name)
    if file.name in _COMBINED or what.kind == "params":
        return _from_params(file, None)
    if what.kind == "pir":
        if file.suffix != ".json":
            raise ModelError(
                f"{file} is a PIR program under the name of something else, and Paddle goes by the name: "
                f"rename it to {file.stem}.json and its parameters to {file.stem}.pdiparams"
            )
        return _with_suffix("pir", file)
    if what.kind == "program":
        if file.suffix == ".json":
            raise ModelError(
                f"{file} is a Program IR model under the name of a PIR one, and Paddle goes by the name: "
                f"rename it to {file.stem}.pdmodel"
            )
        return _with_suffix("program", file) if file.suffix == ".pdmodel" else _unsuffixed(file)
    raise ModelError(f"{file} is {what.text}: {what.advice}")


def _with_suffix(layout: Layout, file: Path) -> Found:
    wanted = file.with_suffix(".pdiparams")
    return Found(layout, file, wanted if wanted.is_file() else None, wanted.name)


def _unsuffixed(file: Path) -> Found:
    order = _COMBINED if file.name == "__model__" else tuple(reversed(_COMBINED))
    for name in order:
        if (file.parent / name).is_file():
            return Found("combined", file, file.parent / name, name)
    return Found("separate", file, None, order[0])


def _from_params(file: Path, stem: str | None) -> Found:
    """The model beside a parameter file that was passed in its place."""
    names = _UNSUFFIXED if stem is None else tuple(stem + suffix for suffix in _SUFFIXES)
    models = [file.parent / name for name in names if (file.parent / name).is_file()]
    if len(models) > 1:
        raise ModelError(
            f"{file} is a parameter file, and there are {len(models)} models beside it ({_names(models)}): "
            "pass the one you mean"
        )
    if models:
        return _from_file(models[0])
    others = _quiet_candidates(file.parent)
    hint = f"the folder holds {_names(others)}, pass that one" if others else "pass the model file"
    raise ModelError(f"{file} is a parameter file, and {' or '.join(names)} is not beside it: {hint}")


def _from_prefix(given: Path) -> Found:
    """A path that does not exist: the common start of both files, or a mistake."""
    if given.is_symlink():
        raise ModelError(f"{given} is a link to {given.readlink()}, which does not exist")
    found = [file for suffix in _SUFFIXES if (file := given.with_name(given.name + suffix)).is_file()]
    if given.name and len(found) == 1:
        return _from_file(found[0])
    if found:
        raise ModelError(f"{given} is not a file, and there are {_names(found)}: pass the one you mean")
    raise ModelError(f"{given} does not exist: {_suggestion(given)}")


def _suggestion(given: Path) -> str:
    import difflib

    if not given.parent.is_dir():
        known = given.parent
        while not known.is_dir() and known != known.parent:
            missing, known = known, known.parent
        near = difflib.get_close_matches(missing.name, [entry.name for entry in _quiet(known)], 3)
        meant = f", did you mean {' or '.join(near)}?" if near else ""
        return f"there is no {missing.name} in {known.resolve()}{meant or ': check the path'}"
    entries = [entry.name for entry in _quiet(given.parent)]
    near = difflib.get_close_matches(given.name, entries, 3)
    near += [name for name in entries if Path(name).stem == given.stem and name not in near][:2]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"check the path ({given.parent.resolve()} holds {_names_of(entries) or 'nothing'})"


def _given_params(file: Path) -> Path:
    if file.is_dir():
        raise ModelError(f"the parameters {file} are a folder: pass the file")
    if not _exists(file):
        raise ModelError(f"the parameter file {file} does not exist: {_suggestion(file)}")
    head = read_head(file)
    what = sniff(head, file.name)
    if head and what.kind != "params" and (what.kind != "other" or what.text != "not a Paddle program"):
        raise ModelError(
            f"{file} is {what.text}, not a parameter file: pass the .pdiparams or params file exported "
            "with the model"
        )
    return file


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"{path} cannot be read ({reason}): check the path and its permissions") from None


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise ModelError(
            f"{folder} cannot be listed ({error.strerror}): check the path and its permissions"
        ) from None


def _quiet(folder: Path) -> list[Path]:
    """What a folder holds, for a message about something else."""
    try:
        return _listing(folder)
    except ModelError:
        return []


def _quiet_candidates(folder: Path) -> list[Path]:
    try:
        return candidates(folder)
    except ModelError:
        return []


def _names(files: list[Path]) -> str:
    return _names_of([file.name + ("/" if file.is_dir() else "") for file in files])


def _names_of(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")
