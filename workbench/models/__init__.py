"""Finding, naming and checking model files without Paddle, and the sample models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench._lazy import lazily
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


# The samples need modules that loading a model does not.
_SAMPLES = ("names", "reference_outputs", "sample", "sample_inputs", "sample_labels", "write_sample")

__getattr__ = lazily(__name__, dict.fromkeys(_SAMPLES, "samples"))
