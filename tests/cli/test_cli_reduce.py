"""``workbench reduce``: a part that fails in a folder to be sent, told in words or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from workbench.cli.reduce import reduce
from workbench.errors import WorkbenchError

FAULT = ("--check", "crash", "--enable-pass", "conv2d_add_fuse_pass")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(reduce, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def model(sample_folder: Callable[..., Path]) -> Path:
    return sample_folder("digits")


def test_json_has_the_keys_that_are_promised(model: Path, tmp_path: Path) -> None:
    ran = run(model, *FAULT, "--pass", "conv2d_add_fuse_pass", "-o", tmp_path / "sent", "--json")
    assert ran.exit_code == 0, ran.output
    facts = json.loads(ran.stdout)
    assert facts["ops_before"] == 19 and facts["ops"] < 10
    assert facts["folder"] == str(tmp_path / "sent")
    assert facts["files"] == sorted(file.name for file in (tmp_path / "sent").iterdir())
    assert facts["probes"] == len(facts["tried"]) > 0
    assert facts["avoid"]["enabled_passes"] == []
    assert "conv2d_add_fuse_pass" in (tmp_path / "sent" / "issue.md").read_text()


def test_people_read_what_is_left_and_where_it_is(model: Path, tmp_path: Path) -> None:
    # Nothing is done in a millisecond: any op hangs.
    ran = run(model, "--check", "crash", "--time-limit", 0.001, "-o", tmp_path / "sent")
    assert ran.exit_code == 0, ran.output
    assert "19 ops cut down to 3" in ran.stdout and "takes longer than the time limit" in ran.stdout
    assert str(tmp_path / "sent") in ran.stdout and "  reproduce.py" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--check", "crash", "--tolerance", "1"), "--tolerance needs --check output"),
        (("--tolerance", "much"), "'much' is not [NAME=]ATOL[,RTOL]"),
        (("--tolerance", "1,2,3"), "'1,2,3' is not [NAME=]ATOL[,RTOL]"),
        (("--check", "speed"), "'speed' is not one of 'output', 'crash'"),
    ],
)
def test_mistakes_are_said(model: Path, arguments: tuple[str, ...], words: str) -> None:
    ran = run(model, *arguments)
    assert ran.exit_code == 2 and words in ran.stderr


def test_nothing_that_fails_is_a_mistake(model: Path, tmp_path: Path) -> None:
    ran = run(model, "--check", "crash", "-o", tmp_path / "sent")
    assert isinstance(ran.exception, WorkbenchError)
    assert "does not fail" in str(ran.exception)
