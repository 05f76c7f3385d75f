"""From native dumps to stages, without reading a graph: what was printed or written, in the order it ran."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.core import Matches, PassRun
from workbench.errors import TraceError
from workbench.tracing.store import DumpStore, digest_of, full

_BANNER = re.compile(rb"=+-+=+\n +IRPrinting on [^\n]+? (before|after) ([^\s]+) pass\n=+-+=+\n")
_BANNER_LONGEST = 1024
_DOT_NAME = re.compile(r"(\d+)_ir_(.+)\.dot")
_NODE_NUMBER = re.compile(rb"\bnode_(\d+)\b")


@dataclass(frozen=True, slots=True)
class Dump:
    """The graph around one pass, by digest: PIR's text, or Program IR's dot and the program beside it.

    ``program`` is None where Paddle left none, or a later pass of the same name overwrote it.
    """

    before: str | None
    after: str
    program: str | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """A pass that ran, and its dump."""

    name: str
    matches: Matches
    refused: bool
    dump: Dump


class PirPrint:
    """Takes what PIR prints, as it is printed, and keeps each distinct module text once.

    Never holds more than one module's text.
    """

    def __init__(self, store: DumpStore) -> None:
        self._store = store
        self._buffer = bytearray()
        self._open: tuple[str, str] | None = None
        self._searched = 0
        self.sections: list[tuple[str, str, str]] = []

    def feed(self, data: bytes) -> None:
        """Take the next piece of standard output.

        Raises:
            TraceError: if the disk is full.
        """
        self._buffer += data
        while found := _BANNER.search(self._buffer, self._searched):
            self._close(found.start())
            self._open = (found.group(1).decode(), found.group(2).decode())
            del self._buffer[: found.end()]
            self._searched = 0
        # A banner may be cut by the end of the piece, so its length is searched again.
        self._searched = max(0, len(self._buffer) - _BANNER_LONGEST)
        if self._open is None:
            del self._buffer[: self._searched]
            self._searched = 0

    def finish(self) -> list[tuple[str, str, str]]:
        """All sections: when ("before" or "after"), pass, digest."""
        self._close(len(self._buffer))
        self._open = None
        self._buffer.clear()
        return self.sections

    def _close(self, end: int) -> None:
        if self._open is None:
            return
        # The module ends with its closing brace; anything after it is somebody else's output.
        last = self._buffer.rfind(b"\n}", 0, end)
        if last < 0:
            raise TraceError(
                f"the print of the graph {self._open[0]} pass {self._open[1]} is cut short: trace again"
            )
        with memoryview(self._buffer) as view:
            digest = self._store.put(view[: last + 2])
        self.sections.append((*self._open, digest))


def pir_stages(sections: Sequence[tuple[str, str, str]], runs: Sequence[PassRun]) -> list[Ran]:
    """The passes in order, each with the graph before and after it.

    Raises:
        TraceError: if the print and the log do not fit together.
    """
    pairs: list[tuple[str, str, str]] = []
    for index in range(0, len(sections) - 1, 2):
        (when, name, before), (then, other, after) = sections[index : index + 2]
        if (when, then) != ("before", "after") or name != other:
            raise TraceError(f"the print around pass {name} is incomplete: trace again")
        pairs.append((name, before, after))
    if not pairs or len(sections) % 2:
        raise TraceError(f"Paddle printed {len(sections)} graphs for {len(runs)} passes: trace again")
    stages: list[Ran] = []
    at = 0
    for run in runs:
        if at < len(pairs) and pairs[at][0] == run.name:
            dump = Dump(pairs[at][1], pairs[at][2])
            at += 1
        else:
            # Logged and not printed: the next print shows what it left behind.
            before = stages[-1].dump.after if stages else pairs[0][1]
            dump = Dump(before, pairs[at][1] if at < len(pairs) else before)
        stages.append(Ran(run.name, run.matches, run.refused, dump))
    if at != len(pairs):
        raise TraceError(f"Paddle printed pass {pairs[at][0]}, which its log does not name: trace again")
    return stages


def program_stages(folder: Path, runs: Sequence[PassRun], store: DumpStore) -> list[Ran]:
    """The passes in order from the files Paddle wrote into ``folder``.

    Raises:
        TraceError: if a file is missing or cut short, or the disk is full.
    """
    dots = sorted(
        (int(found.group(1)), found.group(2), path)
        for path in folder.iterdir()
        if (found := _DOT_NAME.fullmatch(path.name))
    )
    names = [name for _, name, _ in dots]
    if names != [run.name for run in runs]:
        raise TraceError(
            f"Paddle ran {len(runs)} passes and left {len(dots)} dumps in {folder.parent}: is the disk full? "
            "make room there, or set WORKBENCH_SPOOL_DIR to a folder that has some"
        )
    last = {name: index for index, name in enumerate(names)}
    stages = []
    for index, ((_, name, path), run) in enumerate(zip(dots, runs, strict=True)):
        try:
            text = path.read_bytes()
            path.unlink()
            if not text.rstrip().endswith((b"}", b"} // end G")):
                raise TraceError(
                    f"the dump of pass {name} is cut short: is the disk full? make room in {folder.parent}, "
                    "or set WORKBENCH_SPOOL_DIR to a folder that has some"
                )
            dot = store.put(text, digest_of(_renumbered(text)))
            program = folder / f"{name}.pdmodel"
            kept = store.put(program.read_bytes()) if last[name] == index and program.exists() else None
        except OSError as error:
            raise full(folder, error) from None
        stages.append(Ran(name, run.matches, run.refused, Dump(None, dot, kept)))
    return stages


def _renumbered(text: bytes) -> bytes:
    """A dot with its nodes numbered as they appear: Paddle counts on from pass to pass."""
    numbers: dict[bytes, bytes] = {}
    return _NODE_NUMBER.sub(lambda found: numbers.setdefault(found.group(1), b"n%d" % len(numbers)), text)
