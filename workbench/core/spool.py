"""Temporary folders that are gone at the end, also when this process is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from workbench.core.warm import WarmProcess
from workbench.errors import WorkbenchError

ENVIRONMENT = "WORKBENCH_SPOOL_DIR"


class Spool:
    """A private folder, under ``$WORKBENCH_SPOOL_DIR`` or the system's place for temporary files.

    It goes with `close`, with this object, or with the kernel: then the warm process removes it.

    Raises:
        WorkbenchError: if no folder can be made there.
    """

    def __init__(self, warm: WarmProcess) -> None:
        parent = os.environ.get(ENVIRONMENT) or tempfile.gettempdir()
        try:
            self.path = Path(tempfile.mkdtemp(prefix="workbench-", dir=parent))
        except OSError as error:
            raise WorkbenchError(
                f"cannot make a temporary folder in {parent}: {error.strerror}; "
                f"make room there, or set {ENVIRONMENT} to a folder that has some"
            ) from None
        warm.own(self.path)
        self._warm = warm
        # What runs while garbage is collected must not wait for a lock, so it only removes the folder.
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def close(self) -> None:
        """Remove the folder."""
        if self._finalizer.alive:
            self._finalizer()
            self._warm.disown(self.path)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()
