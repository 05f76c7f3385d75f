"""What programs are generated from: samples under configs, models that give back what they get, texts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.config import InferenceConfig
from workbench.config.fp32 import BFLOAT16_OPS


@dataclass(frozen=True)
class Case:
    """A sample under a config, what a person writes to ask for the same, and where else it is run."""

    sample: str
    layout: str
    config: InferenceConfig
    setup: Sequence[str]
    languages: Sequence[str]


CASES = {
    "memory": Case(
        "digits",
        "pir",
        InferenceConfig(threads=2, memory_optim=True),
        [
            "config.set_cpu_math_library_num_threads(2)",
            "config.enable_new_executor()",
            "config.enable_memory_optim()",
        ],
        ["c"],
    ),
    "switches": Case(
        "digits",
        "pir",
        InferenceConfig(threads=2, onednn=True, ir_optim=False, memory_optim=True),
        [
            "config.enable_mkldnn()",
            "config.set_cpu_math_library_num_threads(2)",
            "config.set_optimization_level(0)",
            "config.enable_new_executor()",
            "config.enable_memory_optim()",
        ],
        ["cpp"],
    ),
    "passes": Case(
        "digits",
        "pir",
        InferenceConfig(
            onednn=False,
            disabled_passes=("constant_folding_pass",),
            enabled_passes=("identity_op_clean_pass",),
        ),
        [
            "config.disable_mkldnn()",
            "config.delete_pass('constant_folding_pass')",
            "config.enable_custom_passes(['identity_op_clean_pass'], False)",
        ],
        ["cpp"],
    ),
    "program": Case(
        "digits",
        "program",
        InferenceConfig(
            onednn=True,
            precision="bf16",
            fp32_ops=("conv2d",),
            memory_optim=True,
            disabled_passes=("conv_bn_fuse_pass",),
            enabled_passes=("delete_dropout_op_pass",),
        ),
        [
            "config.enable_mkldnn()",
            "config.enable_mkldnn_bfloat16()",
            f"config.set_bfloat16_op({set(BFLOAT16_OPS) - {'conv2d', 'fused_conv2d'}})",
            "config.enable_memory_optim()",
            "config.pass_builder().delete_pass('conv_bn_fuse_pass')",
            "config.pass_builder().append_pass('delete_dropout_op_pass')",
        ],
        ["cpp", "c", "go", "r"],
    ),
    "combined": Case(
        "digits", "combined", InferenceConfig(ir_optim=False), ["config.switch_ir_optim(False)"], ["c"]
    ),
    "separate": Case(
        "digits",
        "separate",
        InferenceConfig(
            precision="int8",
            disabled_passes=("conv_bn_fuse_pass",),
            enabled_passes=("delete_dropout_op_pass",),
        ),
        [
            "config.enable_mkldnn_int8()",
            "config.pass_builder().delete_pass('conv_bn_fuse_pass')",
            "config.pass_builder().append_pass('delete_dropout_op_pass')",
        ],
        ["cpp", "c"],
    ),
    "bf16": Case(
        "bert_tiny",
        "pir",
        InferenceConfig(precision="bf16"),
        ["config.enable_mkldnn_bfloat16()"],
        ["c", "r"],
    ),
}
# Models that give back what they get, with names and in a folder that no language takes as they are.
GIVE_BACK = {"every": ["cpp"], "c": ["c", "go", "r"]}
FOLDER = 'it\'s "a" \\ *modèle 模型*: ??: $HOME %s\n`x`'
BF16 = InferenceConfig(precision="bf16")
# What no machine without a GPU runs: compiled alone.
GPU = {
    "bf16": InferenceConfig(
        device="gpu",
        device_id=1,
        gpu_memory_mb=500,
        precision="bf16",
        fp32_ops=("conv2d", "softmax"),
        memory_optim=True,
    ),
    "TensorRT": InferenceConfig(
        device="gpu",
        trt=True,
        precision="int8",
        fp32_ops=("softmax",),
        trt_workspace_size=1 << 32,
        trt_max_batch_size=4,
        trt_min_subgraph_size=5,
        trt_use_static=True,
        trt_use_calib_mode=False,
        enabled_passes=("one_pass", "another_pass"),
    ),
}
# For literals and comments.
RANDOM = random.Random(20)
ALPHABET = [
    *"abc019 \"'\\?/*%$`{}\n\r\t\a\x01\x1b\x7f\x85",
    "é",
    "模",
    "\u200b",
    "\u202e",
    "\ufeff",
    "😀",
    "\udc80",
    "\udcff",
]
TEXTS = [
    "",
    "??/",
    "/* */",
    "//",
    '"""',
    "\\",
    *("".join(RANDOM.choices(ALPHABET, k=12)) for _ in range(400)),
]
