"""``workbench profile`` as a user has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def test_ops_as_json(workbench: Callable[..., Any], digits: Path) -> None:
    found = workbench("profile", digits, "--seconds", 0.2, "--by", "type", "--no-onednn", "--json").json
    assert found["config"]["onednn"] is False
    for one in found["ops"]:
        assert one["op"] == f"{one['index']} {one['type'].partition('.')[2]}"
        assert one["calls"] == 1 and one["ms"] >= 0
    assert sum(one["type"] == "pd_op.conv2d" for one in found["ops"]) == 2
    times = [one["ms"] for one in found["ops"]]
    assert times == sorted(times, reverse=True)
    assert sum(times) + found["outside_ms"] == pytest.approx(found["plain_ms"])
    assert sum(one["share"] for one in found["ops"]) == pytest.approx(found["ops_ms"] / found["plain_ms"])
    assert {one["name"]: one["ops"] for one in found["groups"]}["pd_op.conv2d"] == 2


@pytest.mark.parametrize(
    ("by", "head", "row"),
    [
        ("op", ["op", "type", "calls", "ms", "share", "layer"], "fused_conv2d"),
        ("type", ["type", "ops", "calls", "ms", "share"], "onednn_op.fused_conv2d"),
        ("layer", ["layer", "ops", "calls", "ms", "share"], "/MaxPool2D"),
    ],
)
def test_tables_and_what_they_add_up_to(
    workbench: Callable[..., Any], digits: Path, by: str, head: list[str], row: str
) -> None:
    said = workbench("profile", digits, "--seconds", 0.2, "--by", by)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].split() == head
    assert any(row in line for line in lines)
    assert any(line.startswith("the ops a") and "of a run without the profiler" in line for line in lines)


def test_inputs_of_ones_own(workbench: Callable[..., Any], digits: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.zeros((64, 1, 8, 8), np.float32))
    said = workbench(
        "profile", digits, "--seconds", 0.2, "--input", f"image={tmp_path / 'image.npy'}", "--json"
    )
    assert said.json["runs"] > 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--seconds", "0"], "seconds above 0"),
        (["--by", "colour"], "--by"),
        (["--input", "x=nowhere.npy"], "cannot read nowhere.npy"),
    ],
)
def test_mistakes_are_one_line(
    workbench: Callable[..., Any], digits: Path, arguments: list[str], reason: str
) -> None:
    said = workbench("profile", digits, *arguments)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert reason in said.err
