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
    zygote = Zygote(control)
    try:
        zygote.serve()
    except wire.ClosedError:
        pass
    finally:
        zygote.end()


class Zygote:
    """Forks workers, reaps them, and cleans up after a kernel that had no time to."""

    def __init__(self, control: wire.Channel) -> None:
        self.control = control
        self.children: set[int] = set()
        self.ended: dict[int, int] = {}
        self.waiting: list[int] = []
        self.owned: set[str] = set()
        # SIGCHLD wakes the select, so an end is seen at once and not at the next request.
        self.wake_out, self.wake_in = os.pipe()
        os.set_blocking(self.wake_in, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.wake_in, warn_on_full_buffer=False)
        # Ended with everything else at once, as by a shutdown, it still cleans up.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))

    def serve(self) -> None:
        """Answer the kernel until it is gone."""
        watched: list[Any] = [self.control.sock, self.wake_out]
        while True:
            readable = [] if self.control.pending else select.select(watched, [], [])[0]
            if self.wake_out in readable:
                os.read(self.wake_out, 4096)
            self.reap()
            if self.control.pending or self.control.sock in readable:
                message, _, fds = self.control.receive()
                self.answer(message, fds)
            for pid in [pid for pid in self.waiting if pid not in self.children]:
                self.waiting.remove(pid)
                self.control.send({"pid": pid, "status": self.ended.pop(pid, None)})

    def answer(self, message: dict[str, Any], fds: list[int]) -> None:
        """Do what one message asks; the answer to ``kill`` and ``wait`` follows when the worker has ended."""
        asked = message["op"]
        if asked == "fork":
            self.fork(message, fds)
        elif asked in ("kill", "wait"):
            if asked == "kill" and message["pid"] in self.children:
                os.kill(message["pid"], signal.SIGKILL)
            self.waiting.append(message["pid"])
        elif asked == "own":
            self.owned.add(message["path"])
        elif asked == "disown":
            self.owned.discard(message["path"])

    def reap(self) -> None:
        """Take note of the workers that have ended."""
        for pid in list(self.children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self.children.discard(pid)
                self.ended[pid] = status

    def fork(self, message: dict[str, Any], fds: list[int]) -> None:
        """Fork a worker that serves the first descriptor and writes to the other two."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self.become_worker(parent, message, fds)
        self.children.add(pid)
        for fd in fds:
            os.close(fd)
        self.control.send({"pid": pid})

    def become_worker(self, parent: int, message: dict[str, Any], fds: list[int]) -> None:
        """Serve a session in the forked process; does not return."""
        status = 1
        try:
            # A warm process that is killed takes its workers along, even those busy in native code.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # An interrupt is for the kernel; a worker is cancelled by its session.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self.control.close()
            os.close(self.wake_out)
            os.close(self.wake_in)
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

    def end(self) -> None:
        """Kill the workers and remove the folders of a kernel that ended in its stride."""
        for pid in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for path in self.owned:
            shutil.rmtree(path, ignore_errors=True)
