"""`InferenceConfig` as a value: what it refuses, when two are equal, and its texts."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from workbench.config import InferenceConfig
from workbench.errors import ConfigError

BAD: dict[str, list[Any]] = {
    "device": ["tpu", "", None, 1],
    "device_id": [-1, 1.0, True, "0", 1024],
    "gpu_memory_mb": [0, -5, 1.5, False, "100", (1 << 20) + 1],
    "precision": ["fp64", "FP16", None, 16],
    "fp32_ops": ["softmax", None, [""], ["pd_op."], ["a b"], ["a,b"], [3], 7],
    "threads": [0, -1, 1025, 2.0, True, "2", None],
    "onednn": [1, 0, "on", 1.0],
    "ir_optim": [1, None, "off"],
    "disabled_passes": ["a_pass", None, [""], [" "], [3], ["two words"], ["a,b"]],
    "enabled_passes": ["a_pass", None, [""], [None], ["a\tb"], [",a"]],
    "memory_optim": [0, None, "yes"],
    "trt": [0, 1, None],
    "trt_workspace_size": [0, -1, 1.5, True, "1 GB"],
    "trt_max_batch_size": [0, True, 2.0],
    "trt_min_subgraph_size": [0, None, "3"],
    "trt_use_static": [0, "yes"],
    "trt_use_calib_mode": [1, None],
    "runtime": ["", "  ", None, 3],
}
# A value of each field that is not its default, and how `parse` writes it.
OTHER: dict[str, tuple[Any, str]] = {
    "device": ("gpu", "device=gpu"),
    "device_id": (3, "device_id=3"),
    "gpu_memory_mb": (512, "gpu_memory_mb=512"),
    "precision": ("bf16", "precision=bf16"),
    "fp32_ops": (("softmax", "conv2d"), "fp32_op=softmax,fp32_op=conv2d"),
    "threads": (7, "threads=7"),
    "onednn": (False, "onednn=off"),
    "ir_optim": (False, "ir_optim=off"),
    "disabled_passes": (("b", "a"), "disable_pass=b,disable_pass=a"),
    "enabled_passes": (("d", "c"), "enable_pass=d,enable_pass=c"),
    "memory_optim": (True, "memory_optim=on"),
    "trt": (True, "trt=on"),
    "trt_workspace_size": (1 << 20, "trt_workspace_size=1048576"),
    "trt_max_batch_size": (8, "trt_max_batch_size=8"),
    "trt_min_subgraph_size": (5, "trt_min_subgraph_size=5"),
    "trt_use_static": (True, "trt_use_static=on"),
    "trt_use_calib_mode": (False, "trt_use_calib_mode=off"),
    "runtime": ("old", "runtime=old"),
}
FIELDS = set(json.loads(InferenceConfig().to_json()))

names = st.text(st.characters(codec="ascii", categories=["L", "N"]) | st.sampled_from("_-=."), min_size=1)


@st.composite
def configs(draw: st.DrawFn) -> InferenceConfig:
    off = draw(st.lists(names, max_size=4))
    return InferenceConfig(
        device=draw(st.sampled_from(["cpu", "gpu"])),
        device_id=draw(st.integers(0, 1023)),
        gpu_memory_mb=draw(st.integers(1, 1 << 20)),
        precision=draw(st.sampled_from(["fp32", "fp16", "bf16", "int8"])),
        fp32_ops=tuple(draw(st.lists(names, max_size=3))),
        threads=draw(st.integers(1, 1024)),
        onednn=draw(st.sampled_from([None, True, False])),
        ir_optim=draw(st.booleans()),
        disabled_passes=tuple(off),
        enabled_passes=tuple(draw(st.lists(names.filter(lambda name: name not in off), max_size=4))),
        memory_optim=draw(st.booleans()),
        trt=draw(st.booleans()),
        trt_workspace_size=draw(st.integers(1, 1 << 50)),
        trt_max_batch_size=draw(st.integers(1, 1 << 20)),
        trt_min_subgraph_size=draw(st.integers(1, 1 << 20)),
        trt_use_static=draw(st.booleans()),
        trt_use_calib_mode=draw(st.booleans()),
        # A comma in a path cannot be told from the next key=value.
        runtime=draw(st.text(st.characters(codec="ascii", categories=["L", "N"]) | st.just("/"), min_size=1)),
    )


def rendered(config: InferenceConfig) -> str:
    switch = {True: "on", False: "off", None: "default"}
    parts = []
    for name, value in json.loads(config.to_json()).items():
        if name in ("disabled_passes", "enabled_passes"):
            parts += [f"{name.replace('d_passes', '_pass')}={one}" for one in value]
        elif name == "fp32_ops":
            parts += [f"fp32_op={one}" for one in value]
        else:
            text = switch[value] if value is None or isinstance(value, bool) else value
            parts.append(f"{name}={text}")
    return ",".join(parts)


def test_the_tables_here_know_every_field() -> None:
    assert set(BAD) == set(OTHER) == FIELDS


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in BAD for value in BAD[field]])
def test_a_bad_value_names_its_field_and_what_to_give(field: str, value: Any) -> None:
    for make in (
        lambda: InferenceConfig(**{field: value}),
        lambda: InferenceConfig().replace(**{field: value}),
    ):
        with pytest.raises(ConfigError, match=rf"^{field} (is|holds) .*give \w+") as caught:
            make()
        assert "\n" not in str(caught.value)


def test_a_pass_cannot_be_both_off_and_on() -> None:
    with pytest.raises(ConfigError, match="'x' is both switched off and added; choose one"):
        InferenceConfig(disabled_passes=("y", "x"), enabled_passes=("x",))


def test_which_passes_are_off_is_a_set_and_which_are_added_is_a_sequence() -> None:
    one = InferenceConfig(disabled_passes=("b", "a", "b"))
    two = InferenceConfig(disabled_passes=["a", "b"])  # type: ignore[arg-type]
    assert one == two
    assert hash(one) == hash(two)
    assert one.disabled_passes == ("a", "b")
    first, second = (InferenceConfig(enabled_passes=order) for order in (("b", "a"), ("a", "b")))
    assert first != second
    assert InferenceConfig(enabled_passes=("b", "a", "b")) == first


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_every_field_counts_in_equality_and_has_words(field: str) -> None:
    value, text = OTHER[field]
    config = InferenceConfig(**{field: value})
    assert config != InferenceConfig()
    assert len({config, InferenceConfig(**{field: value}), InferenceConfig()}) == 2
    assert set(InferenceConfig().differences(config)) == {field}
    assert config.label not in ("", "default")
    assert InferenceConfig.parse(text) == config
    assert InferenceConfig.parse("", config) == config


def test_ops_in_fp32_are_a_set_of_plain_names() -> None:
    config = InferenceConfig(fp32_ops=("softmax", "pd_op.conv2d", "onednn_op.softmax", "conv2d"))
    assert config.fp32_ops == ("conv2d", "softmax")
    assert config == InferenceConfig(fp32_ops=["conv2d", "softmax"])  # type: ignore[arg-type]
    assert InferenceConfig.parse("fp32-op=pd_op.relu", config).fp32_ops == ("conv2d", "relu", "softmax")
    # A name of one's own may begin like a dialect.
    assert InferenceConfig(fp32_ops=("pd_op_like",)).fp32_ops == ("pd_op_like",)


def test_a_config_written_before_there_was_a_field_is_read() -> None:
    older = InferenceConfig(precision="bf16", threads=2).to_dict()
    del older["fp32_ops"]
    assert InferenceConfig.from_json(json.dumps(older)) == InferenceConfig(precision="bf16", threads=2)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        InferenceConfig().threads = 2  # type: ignore[misc]


def test_labels_say_what_differs_from_the_defaults() -> None:
    assert InferenceConfig().label == "default"
    config = InferenceConfig(threads=2, onednn=False, disabled_passes=("conv_bn_fuse_pass",))
    assert config.label == "2 threads, oneDNN off, − conv_bn_fuse_pass"
    assert InferenceConfig(disabled_passes=("a", "b"), precision="bf16").label == "bf16, − 2 passes"
    assert InferenceConfig(precision="bf16", fp32_ops=("softmax",)).label == "bf16, softmax in fp32"
    assert InferenceConfig(precision="fp16", fp32_ops=("a", "b", "c")).label == "fp16, 3 op types in fp32"


def test_without_switches_off_what_was_added_too() -> None:
    config = InferenceConfig(disabled_passes=("b",), enabled_passes=("c", "d"))
    assert config.without("a", "c") == InferenceConfig(disabled_passes=("a", "b"), enabled_passes=("d",))
    assert config.without() == config


@given(configs())
def test_json_there_and_back(config: InferenceConfig) -> None:
    again = InferenceConfig.from_json(config.to_json())
    assert again == config
    assert hash(again) == hash(config)
    # Plain values all the way: another JSON library writes and reads them too.
    assert InferenceConfig.from_json(json.dumps(config.to_dict())) == config


@given(configs(), configs())
def test_parse_of_a_rendered_config_gives_it_back(config: InferenceConfig, base: InferenceConfig) -> None:
    assert InferenceConfig.parse(rendered(config)) == config
    plain = base.replace(disabled_passes=(), enabled_passes=(), fp32_ops=())
    assert InferenceConfig.parse(f" {rendered(config).replace(',', ' , ')} ", plain) == config


def test_parse_adds_to_the_passes_of_its_base() -> None:
    base = InferenceConfig(threads=4, disabled_passes=("a",))
    assert InferenceConfig.parse("disable-pass=b", base) == base.replace(disabled_passes=("a", "b"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("thread=2", r"unknown config key 'thread': did you mean 'threads'\?"),
        ("zzz=2", "unknown config key 'zzz': give one of .*threads.*disable_pass"),
        ("threads", "'threads' is not key=value; write for example"),
        ("threads=", "'threads=' is not key=value"),
        ("threads=two", "threads is 'two'; give a whole number"),
        ("threads=0", "threads is 0; give a whole number from 1"),
        ("onednn=maybe", "onednn is 'maybe'; give on or off"),
        ("device=tpu", "device is 'tpu'; give one of cpu, gpu"),
        ("threads=2,threads=4", "threads is given twice"),
        ("disable_pass=a,enable_pass=a", "'a' is both switched off and added"),
    ],
)
def test_parse_refuses_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        InferenceConfig.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"threads": 2, "colour": 1}', "unknown field `colour`"),
        ('{"threads": "2"}', "threads"),
        ('{"threads": 0}', "threads is 0; give"),
        ('{"device": "tpu"}', "device"),
        ('{"threads": 2', "not a config"),
        ("[]", "not a config"),
        (b"\xff\xfe", "not a config"),
    ],
)
def test_json_that_is_no_config(text: str | bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        InferenceConfig.from_json(text)


def test_replace_names_the_field_that_was_meant() -> None:
    with pytest.raises(ConfigError, match="unknown config field 'thread': did you mean 'threads'"):
        InferenceConfig().replace(thread=2)
