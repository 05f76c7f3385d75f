"""``workbench reduce``: a part that fails in a folder to be sent, told in words or as JSON."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_cli_bisect import PATIENCE_S, start

Command = Callable[..., Any]

FAULT = ("--check", "crash", "--enable-pass", "conv2d_add_fuse_pass")


@pytest.fixture(scope="module")
def model(sample_folder: Callable[..., Path]) -> Path:
    return sample_folder("digits")


def test_json_has_the_keys_that_are_promised(workbench: Command, model: Path, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    facts = workbench("reduce", model, *FAULT, "--pass", "conv2d_add_fuse_pass", "-o", sent, "--json").json
    assert facts["ops_before"] == 19 and facts["ops"] < 10
    assert facts["folder"] == str(tmp_path / "sent")
    assert facts["files"] == sorted(file.name for file in (tmp_path / "sent").iterdir())
    assert len(facts["probes"]) == facts["probe_count"] > 0
    assert facts["avoid"]["enabled_passes"] == []
    assert "conv2d_add_fuse_pass" in (tmp_path / "sent" / "issue.md").read_text()


def test_an_interrupted_reduction_continues(model: Path, tmp_path: Path) -> None:
    cache, sent = tmp_path / "cache", tmp_path / "sent"
    arguments = ("reduce", model, *FAULT, "-o", sent, "--json")
    process = start(*arguments, WORKBENCH_CACHE_DIR=str(cache))
    end = time.monotonic() + PATIENCE_S
    while len(kept(cache)) < 2:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    # A line of its own, below the ^C of a terminal.
    assert (process.returncode, out, err.strip()) == (130, "", "cancelled")
    assert list(sent.iterdir()) == []
    before = len(kept(cache))

    process = start(*arguments, WORKBENCH_CACHE_DIR=str(cache))
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    facts = json.loads(out)
    assert f"notice: {before} parts were known from before: the same call was interrupted" in err
    assert facts["probe_count"] > before
    assert facts["files"] == sorted(file.name for file in sent.iterdir())
    # It is done, so nothing of it is left behind.
    assert kept(cache) == []


def kept(cache: Path) -> list[Path]:
    return list(cache.glob("reductions/*/part-*.json"))


def test_people_read_what_is_left_and_where_it_is(workbench: Command, model: Path, tmp_path: Path) -> None:
    # Nothing is done in a millisecond: any op hangs.
    ran = workbench("reduce", model, "--check", "crash", "--time-limit", 0.001, "-o", tmp_path / "sent")
    assert ran.code == 0, ran.err
    assert "19 ops cut down to 3" in ran.out and "takes longer than the time limit" in ran.out
    assert str(tmp_path / "sent") in ran.out and "  reproduce.py" in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--check", "crash", "--tolerance", "1"), "--tolerance needs --check output"),
        (("--tolerance", "much"), "'much' is not [NAME=]ATOL[,RTOL]"),
        (("--tolerance", "1,2,3"), "'1,2,3' is not [NAME=]ATOL[,RTOL]"),
        (("--check", "speed"), "'speed' is not one of 'output', 'crash'"),
    ],
)
def test_mistakes_are_said(workbench: Command, model: Path, arguments: tuple[str, ...], words: str) -> None:
    ran = workbench("reduce", model, *arguments)
    assert ran.code == 2 and words in ran.err


def test_nothing_that_fails_is_a_mistake(workbench: Command, model: Path, tmp_path: Path) -> None:
    ran = workbench("reduce", model, "--check", "crash", "-o", tmp_path / "sent")
    assert ran.code == 2 and "does not fail" in ran.err and ran.err.count("\n") == 1
