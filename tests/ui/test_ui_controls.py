"""The config's controls by themselves."""

from __future__ import annotations

from workbench.config import InferenceConfig
from workbench.ui.controls import ConfigPanel


def test_op_types_in_fp32_are_written_with_commas_and_shown_so() -> None:
    seen: list[InferenceConfig] = []
    panel = ConfigPanel(InferenceConfig(precision="bf16"), seen.append)
    assert panel.fp32_ops.value == ""
    panel.fp32_ops.value = "softmax, pd_op.conv2d,,"
    assert seen == [InferenceConfig(precision="bf16", fp32_ops=("conv2d", "softmax"))]
    panel.show(InferenceConfig(precision="fp16", fp32_ops=("relu", "mean")))
    assert panel.fp32_ops.value == "mean, relu"
    assert len(seen) == 1
    panel.fp32_ops.value = ""
    assert seen[-1] == InferenceConfig(precision="fp16")
