"""One worker process as the kernel sees it: requests, its log, its standard output and its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from workbench.core.defects import mend
from workbench.core.log import last_lines, read_pass_log, reason
from workbench.core.warm import WarmProcess, signal_name, wait_for
from workbench.core.worker import wire
from workbench.errors import CancelledError, NativeError, TimeLimitError, WorkerDiedError

PIPE_BYTES = 1 << 20
LOG_KEEP_BYTES = 1 << 22
F_SETPIPE_SZ = 1031

Sink = Callable[[bytes], object]
Progress = Callable[[str], object]


class Worker:
    """A forked worker and the one request that may be under way on it.

    Not safe for two threads at once, except `cancel`; the session holds the lock.
    """

    def __init__(self, warm: WarmProcess) -> None:
        self.warm = warm
        ours, theirs = socket.socketpair()
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        self._log = os.memfd_create("workbench-worker-log", os.MFD_CLOEXEC)
        self._cancel_read, self._cancel_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._out = out_read
        self._channel = wire.Channel(ours)
        # A cancel must not write to a descriptor that was closed and is somebody else's by now.
        self._closing = threading.Lock()
        self._cancelled = False
        # A big pipe lets the worker print a module while this side still reads the one before.
        with contextlib.suppress(OSError):
            fcntl.fcntl(out_read, F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(out_read, False)
        fcntl.fcntl(self._log, fcntl.F_SETFL, os.O_APPEND)
        self._reply = ours.fileno()
        self._poll = select.poll()
        for fd in (ours.fileno(), out_read, self._cancel_read):
            self._poll.register(fd, select.POLLIN)
        self.pid: int | None = None
        fds = (out_read, self._log, self._cancel_read, self._cancel_write)
        self._finalizer = weakref.finalize(self, _close_all, ours, fds)
        try:
            self.pid = warm.fork(theirs.fileno(), out_write, self._log)
            self._channel.receive()
        except (wire.ClosedError, WorkerDiedError):
            self.close()
            raise WorkerDiedError(
                "the worker ended while it was started; the next call starts a fresh one"
            ) from None
        finally:
            theirs.close()
            os.close(out_write)

    @property
    def alive(self) -> bool:
        """False once it has ended or was ended."""
        return self.pid is not None

    def log(self) -> str:
        """What it has written to its log since `clear_log`."""
        size = os.fstat(self._log).st_size
        return os.pread(self._log, size, 0).decode(errors="replace")

    def clear_log(self) -> None:
        """Forget the log so far."""
        os.ftruncate(self._log, 0)

    def cancel(self) -> None:
        """End the request that is under way, from any thread; it raises `CancelledError`."""
        with self._closing, contextlib.suppress(BlockingIOError):
            if self._finalizer.alive:
                # In this order: whoever sees the mark finds the byte.
                os.write(self._cancel_write, b"x")
                self._cancelled = True

    def request(
        self,
        message: dict[str, Any],
        parts: Sequence[Any] = (),
        fds: Sequence[int] = (),
        *,
        doing: str,
        time_limit: float | None = None,
        sink: Sink | None = None,
        progress: Progress | None = None,
    ) -> tuple[dict[str, Any], bytes, list[int]]:
        """Send one request and wait for its reply.

        Args:
            message: the request.
            parts: raw bytes after it.
            fds: descriptors beside it.
            doing: what to call it in an error, such as "creating the predictor".
            time_limit: seconds, after which the worker is killed.
            sink: takes what the worker prints to its standard output meanwhile.
            progress: called about five times a second with the pass that runs.

        Raises:
            NativeError: if Paddle refused; the worker lives on.
            WorkerDiedError: if the process ended.
            TimeLimitError: if it took too long; the worker is gone.
            CancelledError: after `cancel`; the worker is gone.
        """
        if os.fstat(self._log).st_size > LOG_KEEP_BYTES:
            self.clear_log()
        if self._cancelled:  # that came when nothing ran
            os.read(self._cancel_read, 4096)
            self._cancelled = False
        deadline = None if time_limit is None else time.monotonic() + time_limit
        try:
            self._channel.send(message, parts, fds)
            ready = wire.spin(self._poll) if message["op"] == "run" else []
            while not self._arrived(ready, deadline, sink, progress, doing):
                ready = wait_for(self._poll, deadline, 0.2 if progress else 0.5)
            reply, raw, got = self._channel.receive()
            if sink is not None:
                self._drain(sink)
        except wire.ClosedError:
            raise self._death(doing) from None
        except BaseException:
            # Interrupted between request and reply: the conversation cannot go on, a fresh worker can.
            self.close()
            raise
        if "error" in reply:
            for fd in got:
                os.close(fd)
            text = reason(reply["error"]["text"])
            known = mend(text)
            raise NativeError(f"Paddle refused while {doing}: {text}" + (f"; {known}" if known else ""))
        return reply, raw, got

    def _arrived(
        self,
        ready: list[tuple[int, int]],
        deadline: float | None,
        sink: Sink | None,
        progress: Progress | None,
        doing: str,
    ) -> bool:
        """See to what is ready; True if the reply is."""
        fds = [fd for fd, _ in ready]
        if self._out in fds:
            self._drain(sink)
        if self._cancel_read in fds:
            raise CancelledError(f"cancelled while {doing}; the next call starts a fresh worker")
        if self._reply in fds:
            return True
        if progress:
            now = read_pass_log(self.log()).now
            if now:
                progress(now)
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeLimitError(
                f"{doing} took longer than its time limit and was stopped: allow more, or ask for less"
            )
        return False

    def _drain(self, sink: Sink | None) -> None:
        while True:
            try:
                data = os.read(self._out, PIPE_BYTES)
            except BlockingIOError:
                return
            if not data:
                # Its end closed: the process is ending, and the socket says so too.
                with contextlib.suppress(KeyError):
                    self._poll.unregister(self._out)
                return
            if sink is not None:
                sink(data)

    def _death(self, doing: str) -> WorkerDiedError:
        log = self.log()
        status = self._end(kill=False)
        name = signal_name(os.WTERMSIG(status)) if status is not None and os.WIFSIGNALED(status) else None
        running = read_pass_log(log).now
        lines = last_lines(log)
        how = f"died of {name}" if name else "ended by itself"
        where = f", in pass {running}" if running else ""
        said = f"; its log ends: {lines[-1][:200]}" if lines else ""
        return WorkerDiedError(
            f"the worker {how} while {doing}{where}{said}; this kernel is unharmed and the next call "
            "starts a fresh worker",
            signal=name,
            pass_name=running,
            log=lines,
        )

    def _end(self, *, kill: bool) -> int | None:
        pid, self.pid = self.pid, None
        status = self.warm.end(pid, kill=kill) if pid is not None else None
        with self._closing:
            self._finalizer()
        return status

    def close(self) -> None:
        """End the process, busy in native code or not, and wait until it is gone."""
        if self._finalizer.alive:
            self._end(kill=True)


def _close_all(sock: socket.socket, fds: tuple[int, ...]) -> None:
    sock.close()
    for fd in fds:
        os.close(fd)
