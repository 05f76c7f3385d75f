"""What a predictor was given of what was asked: every difference in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workbench.config import InferenceConfig


def compared(
    asked: InferenceConfig, reply: Mapping[str, Any], names: list[str], about: Mapping[str, Any], log: str
) -> tuple[dict[str, Any], list[str]]:
    """What a predictor was given, and where it differs from what was asked, a sentence each.

    Args:
        asked: the config.
        reply: what the worker said when it had created the predictor.
        names: the passes that ran, as the log names them.
        about: what the runtime is.
        log: the native log of the creation.
    """
    precision, precision_notice = _precision(
        asked, reply["given"]["device"], names, log, bool(about["bf16_cpu"])
    )
    given = {
        "runtime": asked.runtime,
        "paddle": about["paddle"],
        **reply["given"],
        "precision": precision,
        "ir_optim": bool(names) if asked.ir_optim else bool(names) and "level 0",
        "memory_optim": asked.memory_optim,
        "passes": names,
    }
    notices = [precision_notice] if precision_notice else []
    if given["threads"] != asked.threads:
        notices.append(f"{asked.threads} threads were asked for, {given['threads']} were given")
    if asked.onednn is not None and given["onednn"] != asked.onednn:
        word = {True: "on", False: "off"}
        notices.append(f"oneDNN was asked {word[asked.onednn]} and is {word[given['onednn']]}")
    if not asked.ir_optim and names:
        notices.append(f"graph optimization was asked off; Paddle runs {len(names)} passes all the same")
    for name in asked.disabled_passes:
        if name in names:
            notices.append(f"switching off {name} had no effect: it ran all the same")
    for name in asked.enabled_passes:
        if name not in names:
            notices.append(f"{name} was added and did not run")
    return given, notices


def _precision(
    config: InferenceConfig, device: str, names: list[str], log: str, bf16_cpu: bool
) -> tuple[str, str | None]:
    """The precision that runs, and a notice where that is not what was asked."""
    asked = config.precision
    if device == "gpu" or asked == "fp32":
        return asked, None
    if config.device == "gpu":
        # The GPU's way of asking for a precision means nothing to the CPU it fell back to.
        return "fp32", f"{asked} was asked for on a GPU: without one it runs in fp32"
    if asked == "bf16":
        if "does not support BFLOAT16" in log:
            return "fp32", "bf16 was asked for and this CPU cannot do it: it runs in fp32"
        # Program IR says how many inputs it converts; every op in bf16 has one, or its producer has.
        inputs = re.findall(r"added (\d+) quantize ops before bfloat16", log)
        if not any("bfloat16" in name for name in names) or (inputs and not any(map(int, inputs))):
            return "fp32", "bf16 was asked for and no op runs in it: all of it runs in fp32"
        if not bf16_cpu:
            return "bf16 (simulated)", (
                "this CPU has no bf16 instructions: bf16 is simulated, "
                "so its speed says nothing about real bf16"
            )
        return asked, None
    if not any("quantize" in name for name in names):
        return "fp32", "int8 was asked for, but this release adds no pass for it: it runs in fp32"
    if not sum(int(count) for count in re.findall(r"quantized (\d+) ", log)):
        return (
            "fp32",
            "int8 was asked for and no op was quantized, as the model holds no scales: it runs in fp32",
        )
    return asked, None
