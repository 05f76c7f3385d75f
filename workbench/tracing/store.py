"""Where dumps are kept: on disk, each distinct one once, and the graphs read from them last."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from workbench.core import Spool
from workbench.errors import TraceError
from workbench.ir import Graph

GRAPHS_KEPT = 6


class DumpStore:
    """Dumps by their digest. Reading one twice in a row does not parse it twice."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._graphs: OrderedDict[str, Graph] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    @property
    def folder(self) -> Path:
        """The folder that holds them."""
        return self._spool.path

    def put(self, data: bytes | bytearray | memoryview, digest: str | None = None) -> str:
        """Keep a dump; returns its digest, under which the first one of equal digest stays.

        Raises:
            TraceError: if the disk is full.
        """
        digest = digest or digest_of(data)
        path = self.folder / digest
        if not path.exists():
            try:
                path.write_bytes(data)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise full(self.folder, error) from None
            self.bytes += len(data)
        return digest

    def get(self, digest: str) -> bytes:
        """The dump of this digest.

        Raises:
            TraceError: if the folder is gone, as after `close`.
        """
        try:
            return (self.folder / digest).read_bytes()
        except FileNotFoundError:
            # Who reads ahead in a thread may come after `close`, and after the end of the kernel began.
            raise TraceError("the trace is closed, and its dumps are gone: trace the model again") from None

    def graph(self, key: str, read: Callable[[], Graph]) -> Graph:
        """The graph under ``key``, made by ``read`` if it is not among the last ones looked at."""
        with self._lock:
            if key in self._graphs:
                self._graphs.move_to_end(key)
                return self._graphs[key]
        graph = read()
        with self._lock:
            self._graphs[key] = graph
            while len(self._graphs) > GRAPHS_KEPT:
                self._graphs.popitem(last=False)
        return graph

    def close(self) -> None:
        """Remove them all."""
        self._graphs.clear()
        self._spool.close()


def digest_of(data: bytes | bytearray | memoryview) -> str:
    """A name for a dump that only an equal one has."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def full(folder: Path, error: OSError) -> TraceError:
    """What to say when a dump cannot be written."""
    why = "no space left" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error.strerror)
    return TraceError(
        f"the dumps cannot be written to {folder.parent}: {why}; make room there, "
        "or set WORKBENCH_SPOOL_DIR to a folder that has some"
    )
