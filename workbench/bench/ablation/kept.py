"""What an ablation has found so far, on disk: a file per finished piece, so that it can be continued."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from workbench.bench.stats import Verdict
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError
from workbench.models import Model

# Of the files; those of another version are not read.
VERSION = 1
_ABOUT = "about.json"

Off = frozenset[str]
_T = TypeVar("_T")


class Effect(msgspec.Struct, frozen=True):
    """How far outputs are from the baseline's.

    Attributes:
        max_abs: the largest absolute difference; None where ``words`` says why there is no number.
        max_rel: the largest difference relative to the larger of the two magnitudes, 0 to 2.
        words: what numbers cannot say, such as values that are NaN on one side only.
    """

    max_abs: float | None
    max_rel: float | None
    words: str = ""


class Deed(msgspec.Struct, frozen=True):
    """What one pass changed in one trace.

    Attributes:
        stages: the stages in which it changed something.
        counts: for each what the log says it matched, else how many ops it added and removed.
    """

    stages: tuple[int, ...]
    counts: tuple[str, ...]


class Look(msgspec.Struct, frozen=True):
    """A predictor without some passes, created and run once.

    Attributes:
        off: the passes that are off.
        deeds: per pass that changed something what it did, in running order; None if it was not traced.
        chained: pairs of passes of which the second took in what the first had made.
        effect: its outputs beside the baseline's; None for the baseline, or where it failed.
        error: why it cannot run so.
        notices: where asked and given differ, and what else is to be said.
    """

    off: tuple[str, ...]
    deeds: dict[str, Deed] | None = None
    chained: tuple[tuple[str, str], ...] = ()
    effect: Effect | None = None
    error: str | None = None
    notices: tuple[str, ...] = ()


class Worth(msgspec.Struct, frozen=True):
    """The latency without some passes over that of the baseline, measured in turns with it."""

    off: tuple[str, ...]
    ratio: float | None = None
    ci95: tuple[float, float] | None = None
    verdict: Verdict | None = None
    error: str | None = None


class Batch(msgspec.Struct, frozen=True):
    """What was measured in turns with the baseline, whose median is ``base_ms``, and where."""

    worths: tuple[Worth, ...]
    base_ms: float | None
    environment: dict[str, Any]


class _About(msgspec.Struct, frozen=True):
    version: int
    began: str
    arguments: dict[str, Any]


class Kept:
    """The finished pieces of one ablation, in memory and in a folder.

    Args:
        folder: where they are; it is made.
        arguments: what was asked for, as plain values.

    Attributes:
        began: when the ablation began, in the words of ISO 8601.
        looks: by the passes that are off.
        worths: by the passes that are off.
        batches: all of them, in the order they were measured.
        grew: whether a piece was added.

    Raises:
        WorkbenchError: if the folder holds something else, cannot be read or cannot be written to.
    """

    def __init__(self, folder: Path, arguments: Mapping[str, Any]) -> None:
        self.folder = folder
        self.looks: dict[Off, Look] = {}
        self.worths: dict[Off, Worth] = {}
        self.batches: list[Batch] = []
        self.grew = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise _unusable(folder, error) from None
        if not files:
            self.began = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S}Z"
            self._write(_ABOUT, _About(VERSION, self.began, dict(arguments)))
            return
        if folder / _ABOUT not in files:
            raise WorkbenchError(f"{folder} holds other files: give an empty folder, or a new one")
        about = _read(folder / _ABOUT, _About)
        if about.version != VERSION:
            raise WorkbenchError(
                f"{folder} was written by another version of the workbench: remove it or give another folder"
            )
        # As JSON gives it back, since that is what the file holds.
        asked = msgspec.json.decode(msgspec.json.encode(dict(arguments)))
        other = [name for name in asked if asked[name] != about.arguments.get(name)]
        if other:
            raise WorkbenchError(
                f"{folder} holds an ablation with another {', '.join(other)}: continue it with the same, "
                "or give another folder"
            )
        self.began = about.began
        for file in files:
            if file.name.startswith("look-"):
                look = _read(file, Look)
                self.looks[frozenset(look.off)] = look
            elif file.name.startswith("batch-"):
                self._take(_read(file, Batch))

    def _take(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.worths.update((frozenset(worth.off), worth) for worth in batch.worths)

    def add_look(self, look: Look) -> None:
        """Keep a look.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        self._write(f"look-{_key([look.off])}.json", look)
        self.looks[frozenset(look.off)] = look

    def add_batch(self, batch: Batch) -> None:
        """Keep a batch.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        # The number keeps them in order, the key apart.
        key = _key(worth.off for worth in batch.worths)
        self._write(f"batch-{len(self.batches):03d}-{key}.json", batch)
        self._take(batch)

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
        self.grew = name != _ABOUT


def _unusable(folder: Path, error: OSError) -> WorkbenchError:
    return WorkbenchError(
        f"cannot keep results in {folder}: {error.strerror}; make room there or give another folder"
    )


def _key(offs: Iterable[tuple[str, ...]]) -> str:
    text = "\n".join(sorted(",".join(sorted(off)) for off in offs))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(file: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise WorkbenchError(
            f"cannot read {file}: {error.strerror}; mend that, or give another folder"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise WorkbenchError(f"{file} is damaged: remove it, and that piece is measured again") from None


def arguments_of(
    model: Model,
    config: InferenceConfig,
    inputs: Mapping[str, Any],
    *,
    seconds: float,
    pairs: bool,
    passes: Iterable[str] | None,
    seed: int,
) -> dict[str, Any]:
    """What an ablation depends on, as plain values: the same values are the same ablation."""
    from workbench.bench.environment import environment
    from workbench.bench.history import model_hash
    from workbench.core import interpreter
    from workbench.models.samples import paddle_version

    digest = hashlib.sha256()
    for name in sorted(inputs):
        array = np.ascontiguousarray(inputs[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return {
        "model": model_hash(model),
        "config": config.to_dict(),
        "inputs": digest.hexdigest(),
        "seconds": float(seconds),
        "pairs": pairs,
        "passes": None if passes is None else sorted(passes),
        "seed": seed,
        "paddle": paddle_version(interpreter(config.runtime)),
        "cpu_model": environment()["cpu_model"],
    }


def default_folder(arguments: Mapping[str, Any]) -> Path:
    """Where an ablation is kept if nobody says: in the user's cache, a folder of its own per arguments."""
    from workbench.models.samples import cache_dir

    key = hashlib.sha256(msgspec.json.encode(dict(arguments), order="deterministic")).hexdigest()
    return cache_dir() / "ablations" / key[:16]
