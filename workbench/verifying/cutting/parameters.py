"""Writes some parameters of a model into a combined parameter file, byte for byte as they are."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from workbench.errors import ModelError
from workbench.models import Model
from workbench.models.params import parameter_path

_BLOCK = 1 << 20


def write_parameters(model: Model, names: Collection[str], file: Path) -> int:
    """Write the parameters of these names, sorted as the format wants it.

    Args:
        model: where they are.
        names: of its weights; others are skipped.
        file: the combined file to write.

    Returns:
        How many were written.

    Raises:
        ModelError: if the model's parameters cannot be read.
    """
    written = 0
    with file.open("wb") as out:
        for info, tensor in zip(model.weights, model.stored, strict=True):
            if info.name not in names:
                continue
            written += 1
            if model.params_bytes is not None:
                out.write(model.params_bytes[tensor.start : tensor.end])
                continue
            source = model.params_file
            if model.model_dir is not None:
                source = parameter_path(model.model_dir, info.name)
            assert source is not None  # the model has weights and is not in memory
            try:
                with source.open("rb") as stream:
                    stream.seek(tensor.start)
                    left = tensor.end - tensor.start
                    while left:
                        block = stream.read(min(left, _BLOCK))
                        if not block:
                            raise ModelError(f"{source} became shorter meanwhile: copy the model again")
                        out.write(block)
                        left -= len(block)
            except OSError as error:
                raise ModelError(f"{source} cannot be read ({error.strerror}): check it") from None
    return written
