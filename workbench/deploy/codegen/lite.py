"""Paddle-Lite: the command line of its converter. Nothing here has been run.

Options and targets are those of ``paddle_lite_opt`` in Paddle-Lite 2.12. It does not read PIR models (issue
10666 of Paddle-Lite).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from workbench.config import InferenceConfig
from workbench.deploy.codegen import literals
from workbench.deploy.codegen.languages import LITE
from workbench.deploy.codegen.program import Program, model_files
from workbench.errors import ConfigError, ModelError
from workbench.models import Model, load

LITE_TARGETS = (
    "arm",
    "opencl",
    "x86",
    "x86_opencl",
    "metal",
    "arm_metal",
    "x86_metal",
    "xpu",
    "mlu",
    "bm",
    "host",
    "imagination_nna",
    "intel_fpga",
    "rockchip_npu",
    "mediatek_apu",
    "huawei_kirin_npu",
    "huawei_ascend_npu",
    "amlogic_npu",
    "verisilicon_timvx",
    "eeasytech_npu",
    "android_nnapi",
    "qualcomm_qnn",
)


def lite_command(
    model: Model | str | os.PathLike[str],
    targets: Sequence[str] | str = ("arm",),
    config: InferenceConfig | None = None,
    *,
    out: str | None = None,
) -> Program:
    """The command that converts a model for Paddle-Lite.

    Args:
        model: a Program IR model in files, or its path.
        targets: what it is to run on, best first, from ``LITE_TARGETS``.
        config: what else is asked for. The converter has an option for fp16 alone; the rest is ``missing``.
        out: the path to write to, without ``.nb``; the model's name by default.

    Raises:
        ConfigError: for an unknown target.
        ModelError: for a model that the converter does not read.
    """
    targets = (targets,) if isinstance(targets, str) else targets
    if not targets:
        raise ConfigError(f"no target is given: give one of {', '.join(LITE_TARGETS)}")
    for target in targets:
        if target not in LITE_TARGETS:
            raise ConfigError(f"unknown target {target!r}: give one of {', '.join(LITE_TARGETS)}")
    model = model if isinstance(model, Model) else load(model)
    if model.ir == "pir":
        raise ModelError(
            f"{model.name} is a .json model, which Paddle-Lite's converter does not read: "
            "export the layer again as .pdmodel (workbench export … --layout program)"
        )
    if model.params_file is None and model.model_dir is None:
        raise ModelError(
            f"{model.name} has no parameters, and Paddle-Lite's converter wants a file of them: "
            "export it with paddle.jit.save"
        )
    files = model_files(model)
    asked = {} if config is None else config.differences(InferenceConfig())
    asked.pop("runtime", None)
    fp16 = asked.get("precision", ("", ""))[0] == "fp16" and "arm" in targets
    if fp16:
        del asked["precision"]
    options = {
        **(
            {"model_dir": files.model}
            if files.params is None
            else {"model_file": files.model, "param_file": files.params}
        ),
        "optimize_out_type": "naive_buffer",
        "optimize_out": out or f"{model.name}_opt",
        "valid_targets": ",".join(targets),
        **({"enable_fp16": "true"} if fp16 else {}),
    }
    missing = tuple(
        f"Paddle-Lite's converter has no option for {name} = {value}: it is left out"
        for name, (value, _) in asked.items()
    )
    lines = [
        "#!/bin/sh",
        *literals.comment(
            f"Converts {model.name} for Paddle-Lite. Written by `workbench codegen`, and not run by it: the "
            "converter comes with the package paddlelite.",
            "#",
        ),
        *[line for text in missing for line in literals.comment(text, "#")],
        " \\\n    ".join(
            ["paddle_lite_opt", *[shlex.quote(f"--{name}={value}") for name, value in options.items()]]
        ),
    ]
    return Program("\n".join(lines) + "\n", LITE, "convert.sh", missing)
