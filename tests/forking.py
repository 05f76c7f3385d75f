"""Scripts that need plain Paddle, each in a process of its own that does not import it anew.

One process per set of flags imports Paddle and nothing of ours, and forks for each script. The import takes
two seconds of a core, and there are hundreds of scripts.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_SERVE = """
import ctypes, json, os, sys, traceback
import numpy, paddle, paddle.inference
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log = os.open(job["log"], os.O_WRONLY)
            os.dup2(log, 1), os.dup2(log, 2), os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir(job["folder"])
            sys.argv = ["script", *job["arguments"]]
            exec(compile(job["code"], "script", "exec"), {"__name__": "__main__"})
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        ctypes.CDLL(None).fflush(None)
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
_lock = threading.Lock()


@cache
def _server(flags: tuple[tuple[str, str], ...]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        env={**os.environ, **dict(flags)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
    return process


def run_script(code: str, arguments: Sequence[str | Path], folder: Path, **flags: str) -> tuple[int, str]:
    """Run a script of plain Paddle.

    Args:
        code: its source.
        arguments: what it finds in ``sys.argv[1:]``.
        folder: where it runs.
        flags: of the environment, which Paddle reads when it is imported.

    Returns:
        Its exit code, negative for a signal, and all that it and Paddle printed.
    """
    with tempfile.NamedTemporaryFile() as log:
        job = {"code": code, "arguments": list(map(str, arguments)), "folder": str(folder), "log": log.name}
        with _lock:
            server = _server(tuple(flags.items()))
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps(job) + "\n")
            server.stdin.flush()
            said = server.stdout.readline()
        assert said, "the process that imported Paddle is gone"
        return int(said), Path(log.name).read_text(errors="replace")
