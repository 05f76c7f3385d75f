"""The known defects of Paddle's releases, in one table: what is refused, and what is said aloud.

Measured on the CPU wheels 3.3.1, 3.0.0, 3.2.2 and 2.6.2 where a row does not say otherwise. The ways round
that need other native calls are in `workbench.config.calls`; a file that is not there is found by
`workbench.models`; what shows only in what a predictor was given (precision, passes) is compared by
`workbench.core.given`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from workbench.config import InferenceConfig
from workbench.config.fp32 import MADE
from workbench.errors import ConfigError, ModelError


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides whether a defect bites."""

    config: InferenceConfig
    ir: Literal["pir", "program"]
    release: tuple[int, ...]
    gpu_build: bool


@dataclass(frozen=True, slots=True)
class Defect:
    """One row: ``when`` it applies, and the ``text`` for the user; ``refuse`` stops instead of telling."""

    when: Callable[[Situation], bool]
    text: str
    refuse: type[ConfigError] | type[ModelError] | None = None


DEFECTS = (
    Defect(
        lambda s: s.ir == "pir" and s.release < (3,),
        "a .json model needs Paddle 3.0 or newer (older ones die on it): choose another runtime, "
        "or export the model as .pdmodel",
        ModelError,
    ),
    Defect(
        lambda s: s.config.trt and not s.gpu_build,
        "TensorRT was asked for, but this runtime's Paddle is a CPU build: "
        'install the extra "paddle-workbench[gpu,trt]" on a machine with a GPU, or drop trt',
        ConfigError,
    ),
    Defect(
        lambda s: s.config.trt and s.config.device != "gpu",
        "TensorRT needs device=gpu: add --device gpu",
        ConfigError,
    ),
    Defect(
        lambda s: s.config.precision == "fp16" and s.config.device == "cpu",
        "fp16 runs on a GPU only: use bf16 or fp32 on the CPU, or device=gpu",
        ConfigError,
    ),
    Defect(
        lambda s: (
            s.config.precision in ("bf16", "int8") and s.config.device == "cpu" and s.config.onednn is False
        ),
        "bf16 and int8 on the CPU run through oneDNN: switch oneDNN on, or use fp32",
        ConfigError,
    ),
    Defect(
        lambda s: (
            bool(s.config.fp32_ops)
            and s.config.precision == "bf16"
            and s.config.device == "cpu"
            and s.ir == "pir"
        ),
        "PIR's bf16 on the CPU knows no list of op types: for fp32_ops use the model as Program IR "
        "(.pdmodel), or run all of it in fp32",
        ConfigError,
    ),
    Defect(
        lambda s: bool(s.config.fp32_ops) and s.config.precision == "int8" and s.config.device == "cpu",
        "int8 on the CPU takes no fp32_ops: leave them out, or use bf16 with a model in Program IR",
        ConfigError,
    ),
    Defect(
        lambda s: bool(s.config.fp32_ops) and s.config.precision == "fp32",
        "fp32_ops means nothing in fp32: choose a lower precision, or leave fp32_ops out",
    ),
    Defect(
        lambda s: s.config.device == "gpu" and not s.gpu_build,
        "a GPU was asked for, but this runtime's Paddle is a CPU build: it runs on the CPU",
    ),
    Defect(
        lambda s: s.config.trt and s.ir == "pir" and s.release >= (3,),
        "Paddle 3.x runs a .json model without TensorRT unless paddle.tensorrt.convert was applied first",
    ),
)


# What Paddle says when a defect bites that nothing announces, and what to do about it.
REFUSALS = (
    (
        "ConvertPirAttribute2RuntimeAttribute not support",
        "a defect of Paddle 3.3.0 and 3.3.1 with oneDNN (for one, interpolate with a scale factor): "
        "switch off onednn_placement_pass, or oneDNN",
    ),
    (
        "Unknown id onednn_op",
        "this model was saved after oneDNN's passes, and Paddle cannot load such a PIR model again: "
        "use the model it was made from, or save it with oneDNN off",
    ),
)


# How many of a list of names are said in a notice.
_NAMED = 5


def mend(refusal: str) -> str | None:
    """What to do about a known refusal of Paddle's, None for one that is not known."""
    return next((text for words, text in REFUSALS if words in refusal), None)


def check(situation: Situation) -> list[str]:
    """The notices for this situation.

    Raises:
        ConfigError: where what is asked cannot run.
        ModelError: where this release cannot load the model.
    """
    notices = []
    for defect in DEFECTS:
        if defect.when(situation):
            if defect.refuse is not None:
                raise defect.refuse(defect.text)
            notices.append(defect.text)
    return notices


def unknown_op_types(config: InferenceConfig, op_types: Collection[str]) -> list[str]:
    """A notice of ``fp32_ops`` that a model has no op of, such as a mistyped one.

    Args:
        config: what is asked for.
        op_types: those of the model's ops, with or without a dialect.
    """
    if config.precision == "fp32":
        return []
    known = sorted({name.rpartition(".")[2] for name in op_types})
    # What passes make of the model's ops may be named, too.
    strange = [name for name in config.fp32_ops if name not in known and name not in MADE]
    if not strange:
        return []
    parts = []
    for name in strange[:_NAMED]:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        parts.append(f"{name} (did you mean {near[0]}?)" if near else name)
    more = f" and {len(strange) - _NAMED} more" if len(strange) > _NAMED else ""
    return [f"the model has no op of these types, which fp32_ops names: {', '.join(parts)}{more}"]


def release_of(version: str) -> tuple[int, ...]:
    """``3.3.1.post1`` to ``(3, 3, 1)``; a development build's ``0.0.0`` counts as the newest."""
    numbers = []
    for part in version.split(".")[:3]:
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers) if any(numbers) else (99,)
