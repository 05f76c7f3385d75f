"""Finding, naming and checking model files without Paddle, and the sample models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.find import LAYOUTS, Layout
from workbench.models.model import Model, from_bytes, load, read_params
from workbench.models.tensors import TensorInfo

if TYPE_CHECKING:
    from workbench.models.samples import (
        names,
        reference_outputs,
        sample,
        sample_inputs,
        sample_labels,
        write_sample,
    )

__all__ = [
    "LAYOUTS",
    "Layout",
    "Model",
    "TensorInfo",
    "from_bytes",
    "load",
    "names",
    "read_params",
    "reference_outputs",
    "sample",
    "sample_inputs",
    "sample_labels",
    "write_sample",
]


def __getattr__(name: str) -> Any:
    # The samples need modules that loading a model does not.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from workbench.models import samples

    value = getattr(samples, name)
    globals()[name] = value
    return value
