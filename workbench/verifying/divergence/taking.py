"""Taking the matched outputs of two predictors, as many at a time as there is memory for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.bench.benchmark import go_on
from workbench.core import Session
from workbench.core.measured import OpOutput, OutputPart
from workbench.errors import WorkbenchError
from workbench.verifying.divergence.apart import Apart
from workbench.verifying.divergence.matching import Pair

# What comparing takes beside the tensors: blocks of them in double precision, and what is known of each.
FIXED = 8 << 20
LIMIT_LEAST = 32 << 20
# How often a worker copies an output in oneDNN's layout as a whole: into the order of its shape, and out of
# there (measured with 3.3.1). And what of the memory that may take.
COPIES = 2
COPY_MOST = 0.5
# Elements that are taken twice to see whether runs are alike, of all outputs together.
PROBED = 1 << 16

LARGE = "lies in oneDNN's own layout and is too large to copy within the memory limit: allow more"


@dataclass(frozen=True)
class Piece:
    """Elements of a pair that are taken together: ``start`` to ``stop`` of both outputs."""

    pair: Pair
    start: int
    stop: int

    def part(self, side: int) -> OutputPart:
        """What to ask one of the two sessions for."""
        return OutputPart((self.pair.first, self.pair.second)[side].output, self.start, self.stop)


@dataclass
class Chunk:
    """Pieces that are taken in one run of each predictor.

    Attributes:
        pieces: what is taken.
        bytes: of both outputs together.
        copied: bytes that a worker copies on the way, at most, of an output in oneDNN's layout.
    """

    pieces: list[Piece] = field(default_factory=list)
    bytes: int = 0
    copied: int = 0

    @property
    def held(self) -> int:
        """Bytes at once, as the memory of processes is counted: what two of them share counts for both."""
        return 2 * self.bytes + self.copied


Outputs = Sequence[OpOutput]


def check_limit(limit: int) -> None:
    """See that a memory limit is one.

    Raises:
        WorkbenchError: it is no whole number, or too small to compare anything.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < LIMIT_LEAST:
        raise WorkbenchError(
            f"memory_limit is {limit!r}: give a whole number of bytes, at least {LIMIT_LEAST} (32 MiB)"
        )


def planned(
    pairs: Sequence[Pair], outputs: tuple[Outputs, Outputs], limit: int
) -> tuple[list[Chunk], list[Pair]]:
    """Put the pairs into chunks that keep to a memory limit.

    Args:
        pairs: what is to be compared.
        outputs: what the ops of each predictor give.
        limit: bytes that kernel and workers may take together.

    Returns:
        The chunks, and the pairs that cannot be taken within the limit.
    """
    room = limit - FIXED
    chunks, large = [Chunk()], []
    for pair in pairs:
        first, second = outputs[0][pair.first.output], outputs[1][pair.second.output]
        copied = COPIES * max((one.nbytes for one in (first, second) if one.onednn), default=0)
        if copied > COPY_MOST * room:
            large.append(pair)
            continue
        each = first.held.itemsize + second.held.itemsize
        # Blocks begin at a multiple of 64 bytes, which may cost as much again per piece.
        most = ((room - copied) // 2 - 128) // each
        for start in range(0, max(first.size, 1), most):
            piece = Piece(pair, start, min(start + most, first.size))
            size = (piece.stop - piece.start) * each + 128
            whole = Chunk(chunks[-1].pieces, chunks[-1].bytes + size, max(chunks[-1].copied, copied))
            if whole.held > room:
                whole = Chunk([], size, copied)
                chunks.append(whole)
            else:
                chunks[-1] = whole
            whole.pieces.append(piece)
    return [chunk for chunk in chunks if chunk.pieces], large


def compared(
    chunks: Sequence[Chunk],
    outputs: tuple[Outputs, Outputs],
    sessions: tuple[Session, Session],
    inputs: Mapping[str, Any],
    *,
    tell: Callable[[float, str], object],
    cancel: threading.Event,
    time_limit: float | None,
) -> dict[str, Apart]:
    """Run both predictors once per chunk and add up how far their outputs are apart.

    Returns:
        Per value of the model the difference.

    Raises:
        WorkbenchError: as `Session.take_outputs`.
    """
    found: dict[str, Apart] = {}
    for number, chunk in enumerate(chunks):
        tell(number / len(chunks), f"comparing: {number} of {len(chunks)} chunks")
        go_on(cancel)
        for piece, ours, theirs in _taken(chunk.pieces, sessions, inputs, time_limit):
            pair = piece.pair
            if pair.value not in found:
                kinds = outputs[0][pair.first.output].dtype, outputs[1][pair.second.output].dtype
                found[pair.value] = Apart(*kinds)
            found[pair.value].add(ours, theirs)
    return found


def _taken(
    pieces: Sequence[Piece],
    sessions: tuple[Session, Session],
    inputs: Mapping[str, Any],
    time_limit: float | None,
) -> Iterator[tuple[Piece, Any, Any]]:
    # Nothing but these two lists may keep the arrays, so that their memory is free when the next are taken.
    ours, theirs = (
        session.take_outputs(inputs, [piece.part(side) for piece in pieces], time_limit=time_limit)
        for side, session in enumerate(sessions)
    )
    for place, piece in enumerate(pieces):
        yield piece, ours[place], theirs[place]


def unsteady(
    chunks: Sequence[Chunk], sessions: tuple[Session, Session], inputs: Mapping[str, Any]
) -> list[bool]:
    """Whether each predictor gives other values in a second run: some of all that is compared is taken twice.

    By the same means as all else that is taken: two plain runs would hold whole outputs, whatever the memory
    limit is, and the first run of a large PIR predictor costs as much as many later ones, of which the
    one that shows what its ops give has had its first already.
    """
    last = {piece.pair.value: piece for chunk in chunks for piece in chunk.pieces}
    most = max(1, PROBED // len(last))
    probes = [Piece(one.pair, max(one.start, one.stop - most), one.stop) for one in last.values()]
    found = []
    for side, session in enumerate(sessions):
        parts = [piece.part(side) for piece in probes]
        before, after = ([array.tobytes() for array in session.take_outputs(inputs, parts)] for _ in range(2))
        found.append(before != after)
    return found
