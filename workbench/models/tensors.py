"""What is known about a tensor without having it: name, dtype and shape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input, an output or a parameter of a model.

    Attributes:
        name: the name the predictor knows it by.
        dtype: a numpy-style name such as ``float32`` or ``bfloat16``.
        shape: the dimensions, -1 for one known only at run time.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"
