"""The kernel's side of the warm process: one per interpreter, from which every worker is forked."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from workbench.core.log import last_lines
from workbench.core.worker import wire
from workbench.errors import RuntimeMissingError, WorkerDiedError

# The folder is on the path only while the package is found: its neighbours must not shadow anything.
_BOOT = (
    "import sys; here = sys.argv.pop(1); sys.path[:] = [here] + [p for p in sys.path if p]; "
    "import worker.zygote as zygote; sys.path.remove(here); zygote.main()"
)
START_LIMIT_S = 180.0
_MEND = 'install Paddle there (pip install "paddle-workbench[cpu]") or choose another runtime'


class WarmProcess:
    """Has Paddle imported and waits; `fork` gives a worker in milliseconds.

    Attributes:
        about: versions and build facts of the runtime.

    Raises:
        RuntimeMissingError: if the interpreter cannot import Paddle or numpy.
    """

    def __init__(self, python: str) -> None:
        self.python = python
        self._lock = threading.Lock()
        self._owner = os.getpid()
        ours, theirs = socket.socketpair()
        self._channel = wire.Channel(ours)
        log = os.memfd_create("workbench-warm-log", os.MFD_CLOEXEC)
        try:
            # A session of its own: the interrupt of a notebook goes to the kernel's process group.
            self._process = subprocess.Popen(
                [python, "-c", _BOOT, str(Path(__file__).parent), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                # Which passes ran is read from the log, so a quieter shell must not silence it.
                env={**os.environ, "GLOG_minloglevel": "0", "GLOG_logtostderr": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            theirs.close()
        try:
            self.about: dict[str, Any] = self._first_words(log)
        except BaseException:
            self._process.kill()
            self._process.wait()
            ours.close()
            raise
        finally:
            os.close(log)

    def _first_words(self, log: int) -> dict[str, Any]:
        ready, _, _ = select.select([self._channel.sock], [], [], START_LIMIT_S)
        if not ready:
            raise RuntimeMissingError(
                f"{self.python} did not import Paddle within {START_LIMIT_S:.0f} s: try again with less load"
            )
        try:
            message, _, _ = self._channel.receive()
        except wire.ClosedError:
            text = os.pread(log, 1 << 16, 0).decode(errors="replace")
            lines = last_lines(text, 1) or ("it said nothing",)
            raise RuntimeMissingError(f"{self.python} cannot start a worker: {lines[-1]}; {_MEND}") from None
        if "error" in message:
            raise RuntimeMissingError(f"{self.python} cannot import Paddle: {message['error']}; {_MEND}")
        about: dict[str, Any] = message["ready"]
        return {**about, "import_s": message["import_s"]}

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._process.poll() is None

    def _ask(
        self, message: dict[str, Any], fds: tuple[int, ...] = (), *, answer: bool = True
    ) -> dict[str, Any]:
        with self._lock:
            try:
                self._channel.send(message, fds=fds)
                return self._channel.receive()[0] if answer else {}
            except (wire.ClosedError, OSError):
                self._process.wait()
                raise WorkerDiedError(
                    f"the warm process of {self.python} is gone; the next call starts a fresh one",
                    signal=signal_name(-(self._process.returncode or 0)),
                ) from None

    def fork(self, sock: int, out: int, err: int) -> int:
        """Fork a worker that serves ``sock`` and writes to ``out`` and ``err``; returns its process id."""
        pid: int = self._ask({"op": "fork"}, (sock, out, err))["pid"]
        return pid

    def end(self, pid: int, *, kill: bool) -> int | None:
        """Wait until a worker has ended, and kill it first if asked; returns its wait status if known."""
        try:
            status: int | None = self._ask({"op": "kill" if kill else "wait", "pid": pid})["status"]
            return status
        except WorkerDiedError:
            return None

    def own(self, path: Path) -> None:
        """Have a folder removed even if this process is killed."""
        self._ask({"op": "own", "path": str(path)}, answer=False)

    def disown(self, path: Path) -> None:
        """The folder is gone, or somebody else's now."""
        try:
            self._ask({"op": "disown", "path": str(path)}, answer=False)
        except WorkerDiedError:
            return

    def forget(self) -> None:
        """Let go of the socket without ending the process, in a forked child."""
        self._channel.sock.close()

    def stop(self) -> None:
        """End the warm process and all its workers."""
        if self._owner != os.getpid():
            return
        self._channel.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def signal_name(number: int) -> str | None:
    """``11`` to ``SIGSEGV``; None for no signal."""
    try:
        return signal.Signals(number).name if number > 0 else None
    except ValueError:
        return f"signal {number}"


def wait_for(ready: select.poll, deadline: float | None, longest_s: float = 0.5) -> list[tuple[int, int]]:
    """Poll in slices, so that an interrupt of the kernel is seen; [] when the slice or the time is over."""
    slice_s = longest_s if deadline is None else max(0.0, min(longest_s, deadline - time.monotonic()))
    return ready.poll(slice_s * 1000)
