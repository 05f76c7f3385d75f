"""A model on its way to another machine: what it is, its content, and where that is kept on arrival."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.bench.history import model_hash
from workbench.bench.recording import model_facts
from workbench.errors import WorkbenchError
from workbench.models import Model, load
from workbench.models.samples import cache_dir

# The program and the combined parameters.
Content = tuple[bytes, bytes]

# Models that came from elsewhere take so much of a disk at most; the one that is measured always stays.
KEPT_MOST_BYTES = 4 << 30
# A draft is written by who has no lock; one that is older was left by a worker that died.
DRAFT_S = 3600.0


def facts_of(model: Model) -> dict[str, Any]:
    """What a worker needs to find a model: name, hash, ir, and the paths it has here (None in memory).

    Raises:
        ModelError: if its files cannot be read any more.
    """
    return {
        **model_facts(model),
        "path": None if model.model_file is None else str(model.model_file.absolute()),
        "params": None if model.params_file is None else str(model.params_file.absolute()),
    }


def content_of(model: Model) -> Content:
    """The program and the parameters; separate parameter files joined are the combined one.

    Raises:
        OSError: if its files cannot be read any more.
    """
    if model.model_bytes is not None:
        return model.model_bytes, model.params_bytes or b""
    return model.files[0].read_bytes(), b"".join(file.read_bytes() for file in model.files[1:])


def arrived(facts: dict[str, Any], content: Content | None = None) -> Model | None:
    """The model with this content on this machine: under the caller's path, or as it came before or now.

    Args:
        facts: from `facts_of`.
        content: what to keep here if the model is not here yet.

    Returns:
        The model, under the caller's name; None where it is not here and ``content`` is None.

    Raises:
        OSError: if the content cannot be written.
    """
    kept = _folder() / facts["hash"]
    for path, params in ((facts["path"], facts["params"]), (str(kept), None)):
        with suppress(WorkbenchError, OSError):
            if path is not None and model_hash(model := load(path, params)) == facts["hash"]:
                if path == str(kept):
                    os.utime(kept)  # used last: the last to be removed
                return replace(model, name=facts["name"])
    if content is None:
        return None
    _keep(kept, facts["ir"], content)
    return replace(load(kept), name=facts["name"])


def make_room(facts: dict[str, Any], most: int = KEPT_MOST_BYTES) -> None:
    """Remove models that came from elsewhere, the least used first, until they take ``most`` bytes.

    To be called by who has the machine to itself, so that nobody measures what is removed.
    """
    with suppress(OSError):
        folders = []
        for folder in sorted(_folder().iterdir(), key=lambda one: one.stat().st_mtime):
            if not folder.name.startswith("."):
                folders.append(folder)
            elif time.time() - folder.stat().st_mtime > DRAFT_S:
                shutil.rmtree(folder, ignore_errors=True)
        sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
        total = sum(sizes)
        for folder, size in zip(folders, sizes, strict=True):
            if total > most and folder.name != facts["hash"]:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size


def _folder() -> Path:
    return cache_dir() / "sweeps"


def _keep(folder: Path, ir: str, content: Content) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        program, params = content
        (draft / ("inference.json" if ir == "pir" else "inference.pdmodel")).write_bytes(program)
        if params:
            (draft / "inference.pdiparams").write_bytes(params)
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been found
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        # Another worker of this machine may have been faster.
        if not folder.is_dir():
            raise
