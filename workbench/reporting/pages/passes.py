"""What each pass is worth."""

from __future__ import annotations

from workbench.bench.ablation import Ablation
from workbench.bench.ablation.results import effect_words
from workbench.reporting.blocks import Block, Chart, Heading, Page, Paragraph, Table
from workbench.reporting.pages.shared import remarks_of
from workbench.reporting.results import Results
from workbench.reporting.words import interval, number, sentence, with_interval


def passes_page(found: Results) -> Page | None:
    """What each pass is worth."""
    blocks: list[Block] = []
    for one in found.ablations:
        blocks += [Heading(f"Config {one.config.label}")] if len(found.ablations) > 1 else []
        blocks += _ablation(one)
    return Page("Passes", blocks) if blocks else None


def _ablation(one: Ablation) -> list[Block]:
    if not one.passes:
        said = one.notices or ("no pass was left out",)
        return [Paragraph(" ".join(sentence(text) for text in said), problem=True)]
    blocks: list[Block] = [
        Paragraph("Each was left out alone. A ratio above 1 says that the model is slower without it."),
        Table(
            f"Left out alone; with all passes a run takes {number(one.base_ms) or 'an unknown number of'} ms",
            ("without", "ratio, 95 %", "verdict", "ms", "outputs"),
            [
                (
                    worth_of.name,
                    with_interval(worth_of.ratio, worth_of.ci95),
                    f"failed: {worth_of.error}" if worth_of.error else worth_of.verdict or "",
                    "" if worth_of.ms is None else f"{worth_of.ms:+.3f}",
                    effect_words(worth_of.effect),
                )
                for worth_of in one.passes
            ],
            (1, 3),
        ),
    ]
    if one.pairs:
        blocks.append(
            Table(
                "Left out together, beside the product of the ratios alone",
                ("without both", "ratio, 95 %", "alone × alone", "together, 95 %", ""),
                [
                    (
                        " + ".join(pair.names),
                        with_interval(pair.ratio, pair.ci95),
                        number(pair.product),
                        with_interval(pair.together, pair.together_ci95),
                        f"failed: {pair.error}" if pair.error else pair.verdict or "",
                    )
                    for pair in one.pairs
                ],
                (1, 2, 3),
            )
        )
    if one.steps:
        blocks += [
            Table(
                "Switched on one after the other, in the order they ran, in milliseconds",
                ("switched on", "from", "change, 95 %", "to"),
                [
                    (
                        step.name,
                        number(step.from_ms),
                        f"{step.ms:+.3f} {interval(step.ci95)}",
                        number(step.to_ms),
                    )
                    for step in one.steps
                ],
                (1, 2, 3),
            ),
            Chart("From none of the passes to all", one.chart),
        ]
    return [*blocks, *remarks_of(one.notices)]
