"""A folder that holds what a long measurement has finished, a file per piece, so that it can be continued."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError
from workbench.models import Model

_ABOUT = "about.json"
_T = TypeVar("_T")


class _About(msgspec.Struct, frozen=True):
    version: int
    began: str
    arguments: dict[str, Any]


class Pieces:
    """The finished pieces of one measurement in a folder.

    Args:
        folder: where they are; it is made.
        arguments: what was asked for, as plain values.
        what: what is measured, with its article, such as "an ablation".
        version: of the files; those of another version are not read.

    Attributes:
        folder: as given.
        began: when the measurement began, in the words of ISO 8601.
        grew: whether a piece was added.

    Raises:
        WorkbenchError: if the folder holds something else, cannot be read or cannot be written to.
    """

    def __init__(self, folder: Path, arguments: Mapping[str, Any], what: str, version: int) -> None:
        self.folder = folder
        self.grew = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise _unusable(folder, error) from None
        if not self._files:
            self.began = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S}Z"
            self._write(_ABOUT, _About(version, self.began, dict(arguments)))
            return
        if folder / _ABOUT not in self._files:
            raise WorkbenchError(f"{folder} holds other files: give an empty folder, or a new one")
        about = _read(folder / _ABOUT, _About)
        if about.version != version:
            raise WorkbenchError(
                f"{folder} was written by another version of the workbench: remove it or give another folder"
            )
        # As JSON gives it back, since that is what the file holds.
        asked = msgspec.json.decode(msgspec.json.encode(dict(arguments)))
        other = [name for name in asked if asked[name] != about.arguments.get(name)]
        if other:
            raise WorkbenchError(
                f"{folder} holds {what} with another {', '.join(other)}: continue it with the same, "
                "or give another folder"
            )
        self.began = about.began

    def read(self, prefix: str, kind: type[_T]) -> list[_T]:
        """The pieces that were there at the start and whose names begin so, in order of their names."""
        return [_read(file, kind) for file in self._files if file.name.startswith(prefix)]

    def add(self, name: str, piece: msgspec.Struct) -> None:
        """Keep a piece.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        self._write(name, piece)
        self.grew = True

    def _write(self, name: str, value: msgspec.Struct) -> None:
        # A reader, or who continues after a power cut, meets the whole file or none.
        draft = self.folder / f".{name}.{os.getpid()}"
        try:
            with draft.open("wb") as stream:
                stream.write(msgspec.json.encode(value))
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(self.folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise _unusable(self.folder, error) from None


def _unusable(folder: Path, error: OSError) -> WorkbenchError:
    return WorkbenchError(
        f"cannot keep results in {folder}: {error.strerror}; make room there or give another folder"
    )


def _read(file: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise WorkbenchError(
            f"cannot read {file}: {error.strerror}; mend that, or give another folder"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Without what was asked for, nobody can say whose pieces the others are.
        mend = (
            f"remove {file.parent}, or give another folder"
            if file.name == _ABOUT
            else "remove it, and that piece is measured again"
        )
        raise WorkbenchError(f"{file} is damaged: {mend}") from None


def digest(lines: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def subject(model: Model, config: InferenceConfig, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is measured and where, as plain values: part of the arguments of whatever can be continued."""
    from workbench.bench.environment import environment
    from workbench.bench.history import model_hash
    from workbench.core import interpreter
    from workbench.models.samples import paddle_version

    content = hashlib.sha256()
    for name in sorted(inputs):
        array = np.ascontiguousarray(inputs[name])
        content.update(f"{name} {array.dtype} {array.shape}\n".encode())
        content.update(array.tobytes())
    return {
        "model": model_hash(model),
        "config": config.to_dict(),
        "inputs": content.hexdigest(),
        "paddle": paddle_version(interpreter(config.runtime)),
        "cpu_model": environment()["cpu_model"],
    }


def default_folder(kind: str, arguments: Mapping[str, Any]) -> Path:
    """Where it is kept if nobody says: in the user's cache, a folder of its own per arguments."""
    from workbench.models.samples import cache_dir

    key = hashlib.sha256(msgspec.json.encode(dict(arguments), order="deterministic")).hexdigest()
    return cache_dir() / kind / key[:16]
