"""The protocol between a session and its worker: frames on a Unix socket, large tensors in shared memory.

A frame is a JSON object, then raw bytes, then file descriptors beside them. Tensors of up to `INLINE` bytes
travel in the raw bytes; larger ones lie in anonymous shared memory (memfd), whose descriptor is sent once.
Anonymous memory has no name to be left behind: it is gone when the last of the two processes is.
"""

from __future__ import annotations

import array
import contextlib
import json
import mmap
import os
import socket
import struct
import time
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

HEAD = struct.Struct("<IQB")
INLINE = 1 << 16
CHUNK = 1 << 17
ALIGN = 64
MAX_FDS = 8
FDS_ROOM = socket.CMSG_SPACE(MAX_FDS * 4)


# Waking a sleeping process costs a tenth of a millisecond on a virtual machine, each way; looking this long
# before going to sleep saves it in a loop of short calls.
SPIN_S = 0.0003


# Messages hold no cycles, and looking for some takes as long as the rest of the work.
_encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


def spin(ready: Any) -> Any:
    """What a poll object has ready within `SPIN_S`, without sleeping."""
    end = time.perf_counter() + SPIN_S
    while True:
        os.sched_yield()
        found = ready.poll(0)
        if found or time.perf_counter() > end:
            return found


class ClosedError(Exception):
    """The other side is gone."""


class Channel:
    """Frames over one connected Unix socket.

    A frame is sent and received with one system call where it fits: a call of microseconds is made of those.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray(CHUNK)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._fds: list[int] = []

    def send(self, message: dict[str, Any], parts: Sequence[Any] = (), fds: Sequence[int] = ()) -> None:
        """Send one frame; ``parts`` are bytes-like and are not copied together."""
        body = _encode(message).encode()
        views = [memoryview(part).cast("B") for part in parts if memoryview(part).nbytes]
        head = HEAD.pack(len(body), sum(len(view) for view in views), len(fds))
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        pieces: list[Any] = [head + body, *views]
        try:
            # The descriptors ride on the first bytes, so the frame that needs them cannot overtake them.
            sent = self.sock.sendmsg(pieces, ancillary)
            if sent == len(pieces[0]) + sum(map(len, views)):
                return
            for piece in pieces:
                if sent < len(piece):
                    self.sock.sendall(memoryview(piece)[sent:])
                sent = max(0, sent - len(piece))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ClosedError(str(error)) from None

    def receive(self) -> tuple[dict[str, Any], bytes, list[int]]:
        """The next frame: the message, the raw bytes and the descriptors, which the caller must close."""
        size, extra, count = HEAD.unpack(self._take(HEAD.size))
        message = json.loads(self._take(size))
        raw = self._take(extra) if extra else b""
        fds: list[int] = []
        if count:
            fds, self._fds = self._fds[:count], self._fds[count:]
        return message, raw, fds

    @property
    def pending(self) -> bool:
        """Whether more has arrived than was received: then the socket itself may have nothing to say."""
        return self._end > self._start

    def _take(self, size: int) -> bytes:
        if self._start == self._end:
            self._start, self._end = 0, 0 if size >= CHUNK else self._read(self._view)
        have = self._end - self._start
        if have >= size:
            data = bytes(self._view[self._start : self._start + size])
            self._start += size
            return data
        whole = bytearray(size)
        view = memoryview(whole)
        view[:have] = self._view[self._start : self._end]
        self._start = self._end = 0
        while have < size:
            # What is longer than the buffer goes straight to its place.
            direct = size - have >= CHUNK
            got = self._read(view[have:] if direct else self._view)
            if direct:
                have += got
                continue
            used = min(got, size - have)
            view[have : have + used] = self._view[:used]
            have += used
            self._start, self._end = used, got
        return bytes(whole)

    def _read(self, into: memoryview) -> int:
        try:
            got, ancillary, _, _ = self.sock.recvmsg_into([into], FDS_ROOM, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError as error:
            raise ClosedError(str(error)) from None
        if got == 0:
            raise ClosedError("end of stream")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
                self._fds.extend(numbers)
        return got

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class Segment:
    """A block of anonymous shared memory, mapped here."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self._finalizer = weakref.finalize(self, os.close, fd)
        self.map = mmap.mmap(fd, size)

    @classmethod
    def create(cls, size: int) -> Segment:
        """A new block of at least ``size`` bytes."""
        size = max(mmap.PAGESIZE, (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE)
        fd = os.memfd_create("workbench-tensors", os.MFD_CLOEXEC)
        try:
            # Claimed now and not when first written to: a full machine is then an error, not a SIGBUS.
            os.posix_fallocate(fd, 0, size)
        except OSError:
            os.close(fd)
            raise
        return cls(fd, size)

    def close(self) -> None:
        """Unmap, once no array is left that looks into it; the memory goes with the last mapping."""
        self._finalizer()
        # Where an array still looks into it, the mapping ends with that array.
        with contextlib.suppress(BufferError):
            self.map.close()


def describe(name: str, data: np.ndarray) -> dict[str, Any]:
    """The part of a message that says what a tensor is."""
    return {"name": name, "dtype": data.dtype.str, "shape": list(data.shape), "nbytes": data.nbytes}


def layout(tensors: Sequence[dict[str, Any]]) -> int:
    """Give every tensor above `INLINE` its ``offset`` in one segment; returns the bytes that takes."""
    at = 0
    for tensor in tensors:
        tensor["offset"] = None
        if tensor["nbytes"] > INLINE:
            tensor["offset"] = at
            at += (tensor["nbytes"] + ALIGN - 1) // ALIGN * ALIGN
    return at


def view(buffer: Any, offset: int, tensor: dict[str, Any]) -> np.ndarray:
    """The tensor that lies at ``offset`` of ``buffer``, without a copy."""
    dtype = np.dtype(tensor["dtype"])
    if tensor["nbytes"] == 0:
        return np.empty(tensor["shape"], dtype)
    count = tensor["nbytes"] // dtype.itemsize
    flat: np.ndarray = np.frombuffer(buffer, dtype=dtype, count=count, offset=offset)
    shaped: np.ndarray = flat.reshape(tensor["shape"])
    return shaped


def unpack(
    tensors: Sequence[dict[str, Any]], raw: bytes, segment: Any | None, *, copy_inline: bool
) -> dict[str, np.ndarray]:
    """The tensors of one message, by name: small ones from ``raw``, large ones as views of ``segment``."""
    found = {}
    at = 0
    for tensor in tensors:
        if tensor["offset"] is not None:
            found[tensor["name"]] = view(segment, tensor["offset"], tensor)
            continue
        data = view(raw, at, tensor)
        found[tensor["name"]] = data.copy() if copy_inline else data
        at += tensor["nbytes"]
    return found


def fill(data: np.ndarray, segment: Segment, tensor: dict[str, Any]) -> None:
    """Copy one large tensor to its place."""
    np.copyto(view(segment.map, tensor["offset"], tensor), data)
