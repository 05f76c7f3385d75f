"""The warm process: imports Paddle once, then forks a worker for every session that asks.

It lives as long as the kernel that started it: the control socket's end is the kernel's end, and then every
worker is killed, busy in native code or not.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import sys
import time
from typing import Any

from . import wire

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until the control socket ends: descriptor ``sys.argv[1]``."""
    control = wire.Channel(socket.socket(fileno=int(sys.argv[1])))
    started = time.time()
    try:
        from . import serve
    except BaseException as error:  # whatever the import of Paddle throws, the kernel must be told
        control.send({"error": "%s: %s" % (type(error).__name__, error)})
        return
    control.send({"ready": serve.about(), "import_s": time.time() - started})
    children: set[int] = set()
    # SIGCHLD wakes the select, so an end is seen at once and not at the next request.
    wake_out, wake_in = os.pipe()
    watched: list[Any] = [control.sock, wake_out]
    os.set_blocking(wake_in, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
    ended: dict[int, int] = {}
    waiting: list[int] = []
    owned: set[str] = set()
    try:
        while True:
            readable, _, _ = select.select(watched, [], [])
            if wake_out in readable:
                os.read(wake_out, 4096)
            _reap(children, ended)
            if control.sock in readable:
                message, _, fds = control.receive()
                if message["op"] == "fork":
                    _fork(control, message, fds, children, (wake_out, wake_in))
                elif message["op"] == "kill":
                    if message["pid"] in children:
                        os.kill(message["pid"], signal.SIGKILL)
                    waiting.append(message["pid"])
                elif message["op"] == "wait":
                    waiting.append(message["pid"])
                elif message["op"] == "own":
                    owned.add(message["path"])
                elif message["op"] == "disown":
                    owned.discard(message["path"])
            for pid in [pid for pid in waiting if pid in ended or pid not in children]:
                waiting.remove(pid)
                control.send({"pid": pid, "status": ended.pop(pid, None)})
    except wire.ClosedError:
        pass
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Folders that a kernel which ends in its stride has no time to remove.
        for path in owned:
            shutil.rmtree(path, ignore_errors=True)


def _reap(children: set[int], ended: dict[int, int]) -> None:
    for pid in list(children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            children.discard(pid)
            ended[pid] = status


def _fork(control: Any, message: dict[str, Any], fds: list[int], children: set[int], wake: Any) -> None:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        children.add(pid)
        for fd in fds:
            os.close(fd)
        control.send({"pid": pid})
        return
    status = 1
    try:
        # A warm process that is killed takes its workers along, even those busy in native code.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The terminal's or the kernel's interrupt is for the kernel; a worker is cancelled by its session.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        control.close()
        for fd in wake:
            os.close(fd)
        sock, out, err = fds
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        from . import serve

        serve.serve(wire.Channel(socket.socket(fileno=sock)), message)
        status = 0
    except wire.ClosedError:
        status = 0
    finally:
        # No clean-up of Paddle's: it would run twice, here and in the warm process.
        os._exit(status)
