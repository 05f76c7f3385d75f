"""The command as a user has it: a process of its own, its standard output and its standard error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 120


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


def _workbench(*arguments: object, cwd: Path | None = None, **environment: str) -> Said:
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
