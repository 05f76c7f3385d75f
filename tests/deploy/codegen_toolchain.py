"""Compiling and running programs in the languages of `workbench codegen`.

C++, C and Go become shared libraries: Paddle's Python package has its C++ library inside, and a process with
Python in it can run what is linked with that.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

STUBS = Path(__file__).parent / "stubs"
PADDLE = Path(np.__file__).parents[1] / "paddle"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
# Paddle's own headers are not held to our warnings.
CPP = ("g++", "-std=c++17", *STRICT, f"-I{STUBS / 'cpp'}", "-isystem", str(PADDLE / "include"))
C = ("gcc", "-std=c11", *STRICT, f"-I{STUBS / 'c'}")
SHARED = ("-shared", "-fPIC")
LINK_PADDLE = (f"-L{PADDLE / 'base'}", "-l:libpaddle.so")
C_LIBRARY = "libpaddle_inference_c.so"
# The log names the passes that run.
LOG = {"GLOG_minloglevel": "0"}


def tool(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> bytes:
    """What a command prints; anything but success fails the test with what it said."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=280,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, f"{command}\n{said.decode(errors='replace')[-4000:]}"
    return said


def c_library(folder: Path) -> None:
    """The stand-in for Paddle's C library."""
    tool(
        *CPP, f"-I{STUBS / 'c'}", *SHARED, STUBS / "c" / "stand_in.cc", *LINK_PADDLE, "-o", folder / C_LIBRARY
    )


class Go:
    """A Go toolchain without a network, with the stand-in for Paddle's package."""

    def __init__(self, cache: Path, c_folder: Path) -> None:
        self.go = Path(sys.executable).with_name("go")
        self.link_c = (f"-L{c_folder}", "-lpaddle_inference_c", f"-Wl,-rpath,{c_folder}")
        self.environment = {
            "GOCACHE": str(cache),
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=mod",
            "CGO_ENABLED": "1",
            "CGO_CFLAGS": f"-I{STUBS / 'c'}",
            "CGO_LDFLAGS": " ".join(self.link_c),
        }

    def __call__(self, *arguments: str | Path, cwd: Path) -> str:
        return tool(self.go, *arguments, cwd=cwd, env=self.environment).decode()

    def unformatted(self, *files: Path, cwd: Path) -> str:
        gofmt = Path(self("env", "GOROOT", cwd=cwd).strip()) / "bin" / "gofmt"
        return tool(gofmt, "-l", *files).decode()

    def module(self, folder: Path, text: str, literals: str = "") -> Path:
        """A folder that is a module with the program and a way to call it from outside."""
        folder.mkdir()
        name = "github.com/paddlepaddle/paddle/paddle/fluid/inference/goapi"
        (folder / "go.mod").write_text(
            f"module deploy\n\ngo 1.21\n\nrequire {name} v0.0.0\n\nreplace {name} => {STUBS / 'goapi'}\n"
        )
        (folder / "deploy.go").write_text(text)
        (folder / "literals.go").write_text(f"package main\n\nvar literals = []string{{\n{literals}}}\n")
        (folder / "exported.go").write_bytes((STUBS / "go" / "exported.go").read_bytes())
        return folder


def run_jobs(jobs: Sequence[Mapping[str, Any]], folder: Path) -> list[int]:
    """Run the jobs in a process with Paddle and numpy alone, in an empty folder; gives their exit codes."""
    plan = folder / "jobs.json"
    plan.write_text(json.dumps(jobs, default=str))
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    said = tool(sys.executable, "-I", STUBS / "run_jobs.py", plan, cwd=empty, env=LOG)
    (codes,) = [line for line in said.splitlines() if line.startswith(b"[") and line.endswith(b"]")]
    return list(json.loads(codes))


def passes(text: str) -> list[str]:
    """The passes that Paddle's log names, in the order they ran."""
    return re.findall(r"Running (?:IR|PIR) pass \[(.+?)\]", text)


def printed(text: str) -> dict[str, tuple[str, list[int], list[str]]]:
    """What a generated program printed: dtype, shape and first values by name of the output."""
    found = {}
    for line in text.splitlines():
        head, colon, values = line.rpartition("]:")
        if colon and not line.startswith("\x1b"):  # Paddle's log is coloured
            name, dtype, *shape = head.replace("[", "").replace(",", "").split()
            found[name] = (dtype, [int(size) for size in shape], values.split())
    return found


def assert_prints(text: str, outputs: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """A program printed these outputs: their first ten values are the same bit for bit."""
    found = printed(text)
    assert list(found) == list(outputs)
    for name, array in outputs.items():
        dtype, shape, values = found[name]
        assert (dtype, shape) == (array.dtype.name, list(array.shape))
        flags = array.dtype == bool
        got = np.array([value == "1" if flags else value for value in values]).astype(array.dtype)
        assert got.tobytes() == np.ascontiguousarray(array.reshape(-1)[:10]).tobytes()
