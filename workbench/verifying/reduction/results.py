"""What a reduction gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.config import InferenceConfig
from workbench.models import Model, load
from workbench.verifying.reduction.checks import Failure


@dataclass(frozen=True)
class Probe:
    """One part of the model that was tried.

    Attributes:
        ops: indices into the graph of the whole model.
        failed: whether it fails as the whole model does.
        words: what it did.
        seconds: how long it took.
    """

    ops: tuple[int, ...]
    failed: bool
    words: str
    seconds: float

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "ops": list(self.ops),
            "failed": self.failed,
            "words": self.words,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Reduction:
    """The smallest part of a model that still fails as the whole does.

    Attributes:
        name: of the whole model.
        check: "crash", "output" or "function".
        config: the config it fails with.
        avoid: a config that the part does not fail with; None if none is known.
        failure: how it fails.
        ops_before: the number of ops of the whole model, feed and fetch included.
        ops: the number of ops of the part, feed and fetch included.
        kept: indices of the part's ops in the graph of the whole model, feed and fetch left out.
        types: their types, in order.
        folder: what is to be sent upstream.
        files: the names of the files in it, sorted.
        probes: the parts that were tried, in order.
        runs: how often the whole model was run to record its values.
        notices: what to know about it, a sentence each.
    """

    name: str
    check: str
    config: InferenceConfig
    avoid: InferenceConfig | None
    failure: Failure
    ops_before: int
    ops: int
    kept: tuple[int, ...]
    types: tuple[str, ...]
    folder: Path
    files: tuple[str, ...]
    probes: tuple[Probe, ...]
    runs: int
    notices: tuple[str, ...]

    @property
    def model(self) -> Model:
        """The reduced model, from the folder."""
        return load(
            next(self.folder / name for name in self.files if name in ("model.json", "model.pdmodel"))
        )

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "model": self.name,
            "check": self.check,
            "config": self.config.to_dict(),
            "avoid": None if self.avoid is None else self.avoid.to_dict(),
            "failure": {"kind": self.failure.kind, "phase": self.failure.phase, "text": self.failure.text},
            "ops_before": self.ops_before,
            "ops": self.ops,
            "kept": [{"index": index, "op": kind} for index, kind in zip(self.kept, self.types, strict=True)],
            "folder": str(self.folder),
            "files": list(self.files),
            "probes": [probe.facts() for probe in self.probes],
            "probe_count": len(self.probes),
            "notices": list(self.notices),
        }

    def __str__(self) -> str:
        names = ", ".join(kind.removeprefix("pd_op.") for kind in self.types)
        return "\n".join(
            (
                f"{self.name}: {self.ops_before} ops cut down to {self.ops} in {len(self.probes)} probes",
                f"what computes: {names}",
                f"what happens: {self.failure.text}",
                f"avoided by: {'no config that is known' if self.avoid is None else self.avoid.label}",
                f"to send upstream: {self.folder}",
            )
        )
