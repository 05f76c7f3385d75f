"""Which model was measured: a hash of its content, wherever it is."""

from __future__ import annotations

from dataclasses import replace

from workbench.errors import ModelError
from workbench.models import Model

_hashes: dict[tuple[tuple[str, int, int], ...], str] = {}


def model_hash(model: Model) -> str:
    """SHA-256 (hex) of the content of a model's program and parameters, wherever they are and however named.

    Computed again only when the path, size or time of change of one of its files is another.

    Raises:
        ModelError: if its files cannot be read any more.
    """
    if not model.files:
        return model.fingerprint
    try:
        stats = [(str(file.absolute()), file.stat()) for file in model.files]
        key = tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)
        if key not in _hashes:
            # A fresh value: this one may have read its files before they changed.
            _hashes[key] = replace(model).fingerprint
        return _hashes[key]
    except OSError as error:
        raise ModelError(
            f"{error.filename} cannot be read ({error.strerror}): load the model again from where it is now"
        ) from None
