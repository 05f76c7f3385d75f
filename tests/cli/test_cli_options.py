"""The options of CONFIG and the fields of `InferenceConfig` are the same set."""

from __future__ import annotations

from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from workbench.cli.main import app
from workbench.cli.options import config_options
from workbench.config import InferenceConfig

FIELDS = {field.name for field in msgspec.structs.fields(InferenceConfig)}
# field: options, the same for `parse`, and the value both must give.
SAME: dict[str, tuple[list[str], str, Any]] = {
    "device": (["--device", "gpu"], "device=gpu", "gpu"),
    "device_id": (["--device-id", "2"], "device_id=2", 2),
    "gpu_memory_mb": (["--gpu-memory-mb", "300"], "gpu_memory_mb=300", 300),
    "precision": (["--precision", "int8"], "precision=int8", "int8"),
    "fp32_ops": (
        ["--fp32-op", "softmax", "--fp32-op", "pd_op.conv2d"],
        "fp32_op=softmax,fp32_op=conv2d",
        ("conv2d", "softmax"),
    ),
    "threads": (["--threads", "3"], "threads=3", 3),
    "onednn": (["--no-onednn"], "onednn=off", False),
    "ir_optim": (["--no-ir-optim"], "ir_optim=off", False),
    "disabled_passes": (
        ["--disable-pass", "b", "--disable-pass", "a"],
        "disable_pass=b,disable_pass=a",
        ("a", "b"),
    ),
    "enabled_passes": (
        ["--enable-pass", "b", "--enable-pass", "a"],
        "enable_pass=b,enable_pass=a",
        ("b", "a"),
    ),
    "memory_optim": (["--memory-optim"], "memory_optim=on", True),
    "trt": (["--trt"], "trt=on", True),
    "trt_workspace_size": (["--trt-workspace-size", "1024"], "trt_workspace_size=1024", 1024),
    "trt_max_batch_size": (["--trt-max-batch-size", "4"], "trt_max_batch_size=4", 4),
    "trt_min_subgraph_size": (["--trt-min-subgraph-size", "5"], "trt_min_subgraph_size=5", 5),
    "trt_use_static": (["--trt-use-static"], "trt_use_static=on", True),
    "trt_use_calib_mode": (["--no-trt-calib-mode"], "trt_use_calib_mode=off", False),
    "runtime": (["--runtime", "old"], "runtime=old", "old"),
}


def given(arguments: list[str]) -> InferenceConfig:
    seen: list[InferenceConfig] = []

    @click.command()
    @config_options
    def command(config: InferenceConfig) -> None:
        seen.append(config)

    ran = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return seen[0]


def test_no_field_is_forgotten() -> None:
    assert set(SAME) == FIELDS
    assert given([]) == InferenceConfig()


@pytest.mark.parametrize("field", sorted(SAME))
def test_option_and_key_mean_the_same(field: str) -> None:
    options, text, value = SAME[field]
    assert set(InferenceConfig().differences(given(options))) == {field}
    assert getattr(given(options), field) == value
    assert InferenceConfig.parse(text) == given(options)


def test_no_option_is_without_a_field() -> None:
    @click.command()
    @config_options
    def command(config: InferenceConfig) -> None:
        pass

    assert len(command.params) == len(FIELDS)
    assert given(["--onednn"]).onednn is True


@pytest.mark.parametrize("name", ["trace", "run", "bench"])
def test_every_command_that_runs_a_model_has_them_all(name: str) -> None:
    has = {
        option
        for parameter in app.commands[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for options, _, _ in SAME.values():
        assert set(options[::2]) <= has
