"""``paddle.fluid.core``: the inference API, on the native execution core."""

from __future__ import annotations

from typing import Any

from workbench.deploy.fluid._unknown import unknown
from workbench.deploy.inference import Config, PrecisionType, Predictor, Tensor, create_predictor

AnalysisConfig = Config
create_paddle_predictor = create_predictor
PaddlePredictor = Predictor
ZeroCopyTensor = Tensor

__all__ = [
    "AnalysisConfig",
    "Config",
    "PaddlePredictor",
    "PrecisionType",
    "Predictor",
    "Tensor",
    "ZeroCopyTensor",
    "create_paddle_predictor",
    "create_predictor",
]


def __getattr__(name: str) -> Any:
    raise unknown(f"core.{name}")
