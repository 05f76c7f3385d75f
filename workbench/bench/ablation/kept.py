"""What an ablation has found so far, on disk: a file per finished piece, so that it can be continued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from workbench.bench import keeping
from workbench.bench.stats import Verdict
from workbench.config import InferenceConfig
from workbench.models import Model

# Of the files; those of another version are not read.
VERSION = 1

Off = frozenset[str]


class Effect(msgspec.Struct, frozen=True):
    """How far outputs are from the baseline's.

    Attributes:
        max_abs: the largest absolute difference; None where ``words`` says why there is no number.
        max_rel: the largest difference relative to the larger of the two magnitudes, 0 to 2.
        words: what numbers cannot say, such as values that are NaN on one side only.
    """

    max_abs: float | None
    max_rel: float | None
    words: str = ""


class Deed(msgspec.Struct, frozen=True):
    """What one pass changed in one trace.

    Attributes:
        stages: the stages in which it changed something.
        counts: for each what the log says it matched, else how many ops it added and removed.
    """

    stages: tuple[int, ...]
    counts: tuple[str, ...]


class Look(msgspec.Struct, frozen=True):
    """A predictor without some passes, created and run once.

    Attributes:
        off: the passes that are off.
        deeds: per pass that changed something what it did, in running order; None if it was not traced.
        chained: pairs of passes of which the second took in what the first had made.
        effect: its outputs beside the baseline's; None for the baseline, or where it failed.
        error: why it cannot run so.
        notices: where asked and given differ, and what else is to be said.
    """

    off: tuple[str, ...]
    deeds: dict[str, Deed] | None = None
    chained: tuple[tuple[str, str], ...] = ()
    effect: Effect | None = None
    error: str | None = None
    notices: tuple[str, ...] = ()


class Worth(msgspec.Struct, frozen=True):
    """The latency without some passes over that of the baseline, measured in turns with it."""

    off: tuple[str, ...]
    ratio: float | None = None
    ci95: tuple[float, float] | None = None
    verdict: Verdict | None = None
    error: str | None = None


class Batch(msgspec.Struct, frozen=True):
    """What was measured in turns with the baseline, whose median is ``base_ms``, and where."""

    worths: tuple[Worth, ...]
    base_ms: float | None
    environment: dict[str, Any]


class Kept(keeping.Pieces):
    """The finished pieces of one ablation, in memory and in a folder.

    Args:
        folder: where they are; it is made.
        arguments: what was asked for, as plain values.

    Attributes:
        looks: by the passes that are off.
        worths: by the passes that are off.
        batches: all of them, in the order they were measured.

    Raises:
        WorkbenchError: if the folder holds something else, cannot be read or cannot be written to.
    """

    def __init__(self, folder: Path, arguments: Mapping[str, Any]) -> None:
        super().__init__(folder, arguments, "an ablation", VERSION)
        self.worths: dict[Off, Worth] = {}
        self.batches: list[Batch] = []
        self.looks = {frozenset(look.off): look for look in self.read("look-", Look)}
        for batch in self.read("batch-", Batch):
            self._take(batch)

    def _take(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.worths.update((frozenset(worth.off), worth) for worth in batch.worths)

    def add_look(self, look: Look) -> None:
        """Keep a look.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        self.add(f"look-{_key([look.off])}.json", look)
        self.looks[frozenset(look.off)] = look

    def add_batch(self, batch: Batch) -> None:
        """Keep a batch.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        # The number keeps them in order, the key apart.
        key = _key(worth.off for worth in batch.worths)
        self.add(f"batch-{len(self.batches):03d}-{key}.json", batch)
        self._take(batch)


def _key(offs: Iterable[tuple[str, ...]]) -> str:
    return keeping.digest("\n".join(sorted(",".join(sorted(off)) for off in offs)))


def arguments_of(
    model: Model,
    config: InferenceConfig,
    inputs: Mapping[str, Any],
    *,
    seconds: float,
    pairs: bool,
    passes: Iterable[str] | None,
    seed: int,
) -> dict[str, Any]:
    """What an ablation depends on, as plain values: the same values are the same ablation."""
    return {
        **keeping.subject(model, config, inputs),
        "seconds": float(seconds),
        "pairs": pairs,
        "passes": None if passes is None else sorted(passes),
        "seed": seed,
    }


def default_folder(arguments: Mapping[str, Any]) -> Path:
    """Where an ablation is kept if nobody says."""
    return keeping.default_folder("ablations", arguments)
