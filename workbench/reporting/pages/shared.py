"""Blocks that several pages have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.bench import Benchmark
from workbench.reporting.blocks import Block, Heading, Paragraph, Points
from workbench.reporting.words import sentence


def shape_text(shape: Sequence[int] | None) -> str:
    """Such as any×3×224×224."""
    if shape is None:
        return "of unknown shape"
    return "×".join("any" if size == -1 else str(size) for size in shape) or "scalar"


def steadiness(benchmarks: Sequence[Benchmark]) -> list[Block]:
    """How far the numbers hold."""
    said = [
        f"{run.label}: {text}."
        for one in benchmarks
        for run, remarks in zip(one.runs, one.remarks, strict=True)
        for text in remarks
    ]
    if said:
        return [Points(said)]
    return [Paragraph("Nothing was seen that speaks against them.")]


def notices(of: Iterable[tuple[str, Sequence[str]]]) -> list[Block]:
    """Where asked and given differ, by label."""
    said = [f"{label}: {text}" for label, texts in of for text in texts]
    return [Heading("Given otherwise than asked"), Points(said)] if said else []


def remarks_of(remarks: Sequence[str]) -> list[Block]:
    """What a result has to say of itself, as a list."""
    return [Points([sentence(text) for text in remarks])] if remarks else []
