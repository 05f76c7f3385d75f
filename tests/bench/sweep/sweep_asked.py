"""What the sweeps of these tests are asked for: two configs, as short as it gets."""

from __future__ import annotations

from typing import Any

from workbench.config import InferenceConfig

PLAIN, THREADS = InferenceConfig(), InferenceConfig(threads=2)
SHORT: dict[str, Any] = {"seconds": 0.05, "launches": 1}
