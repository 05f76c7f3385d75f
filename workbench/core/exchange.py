"""A worker and what goes to it and comes from it: inputs and outputs, through shared memory when large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.core.process import Worker
from workbench.core.tensors import Array, InputArena, OutputSegments
from workbench.errors import NativeError

Asked = tuple[dict[str, Any], bytes, list[int]]


class Exchange:
    """One worker, for one thread at a time, and the memory it shares.

    Args:
        worker: where the predictor is; it ends with `close`.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._arena = InputArena()
        self._segments = OutputSegments()
        self._fed: dict[str, Array] | None = None

    def forget_inputs(self) -> None:
        """Know that there is a new predictor, which has none."""
        self._fed = None

    def run(self, arrays: Mapping[str, Array], time_limit: float | None) -> dict[str, Array]:
        """Run once on checked inputs, and give the outputs by name."""
        self._fed = None
        message, parts, fds = self._arena.pack(arrays)
        try:
            reply, raw, got = self.worker.request(
                {"op": "run", **message, **self._segments.returned()},
                parts,
                fds,
                doing="running the model",
                time_limit=time_limit,
            )
        except NativeError as error:
            empty = [name for name, array in arrays.items() if not array.size]
            if empty:
                raise NativeError(f"{error}; input {empty[0]!r} is empty: give at least one row") from None
            raise
        return self._segments.unpack(reply, raw, got)

    def ask(
        self, arrays: Mapping[str, Array], message: dict[str, Any], doing: str, time_limit: float | None
    ) -> Asked:
        """One request about checked inputs, which are sent unless they are those of the request before."""
        if self._fed is None or not _same(self._fed, arrays):
            feed, parts, fds = self._arena.pack(arrays)
            self.worker.request(
                {"op": "feed", **feed}, parts, fds, doing="setting the inputs", time_limit=time_limit
            )
            self._fed = {name: array.copy() for name, array in arrays.items()}
        return self.worker.request(message, doing=doing, time_limit=time_limit)

    def ask_outputs(
        self, arrays: Mapping[str, Array], message: dict[str, Any], doing: str, time_limit: float | None
    ) -> dict[str, Array]:
        """One request as `ask`, whose reply has outputs as those of `run`."""
        found = self.ask(arrays, {**message, **self._segments.returned()}, doing, time_limit)
        return self._segments.unpack(*found)

    def close(self) -> None:
        """End the worker and give the memory back; arrays that look into it keep it."""
        self.worker.close()
        self._arena.close()
        self._segments.close()


def _same(before: Mapping[str, Array], after: Mapping[str, Array]) -> bool:
    return before.keys() == after.keys() and all(
        before[name].shape == after[name].shape and np.array_equal(before[name], after[name])
        for name in before
    )
