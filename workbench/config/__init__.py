"""What is asked of the native core: one frozen, comparable, serialisable value."""

from __future__ import annotations

from workbench.config.calls import REGISTERED_AS, Call, ModelFiles, native_calls, to_code
from workbench.config.config import Device, InferenceConfig, Precision

__all__ = [
    "REGISTERED_AS",
    "Call",
    "Device",
    "InferenceConfig",
    "ModelFiles",
    "Precision",
    "native_calls",
    "to_code",
]
