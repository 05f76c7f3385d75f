"""The command as a user has it: its exit code, its standard output and its standard error."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.cli.main import main

LIMIT_S = 120
# These run Paddle's training side in the process that calls.
IN_THEIR_OWN = {"check", "export"}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        assert self.code == 0, self.err
        return json.loads(self.out)


def _here(*arguments: object) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([*map(str, arguments)])
            code: Any = 0
        except SystemExit as error:
            code = error.code or 0
    return Said(code, out.getvalue(), err.getvalue())


def _workbench(*arguments: object, cwd: Path | None = None, **environment: str) -> Said:
    """Run the command: in this process, whose Paddle is warm, unless it needs a process of its own."""
    if cwd is None and not environment and not IN_THEIR_OWN & set(arguments[:1]):
        return _here(*arguments)
    ran = subprocess.run(
        [sys.executable, "-m", "workbench", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Said(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture(scope="session")
def workbench() -> Callable[..., Said]:
    return _workbench


@pytest.fixture(scope="session")
def digits(sample_folder: Callable[..., Path]) -> Path:
    return sample_folder("digits", "pir")
