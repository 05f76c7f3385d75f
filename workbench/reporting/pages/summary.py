"""The first page: the answer in words, the model and the machine."""

from __future__ import annotations

from workbench.models import Model
from workbench.reporting.blocks import Block, Heading, Page, Paragraph, Points, Table
from workbench.reporting.pages.shared import shape_text, steadiness
from workbench.reporting.results import Results
from workbench.reporting.words import answers, longest, machine, sentence, worth

_IR = {"pir": "PIR", "program": "Program IR"}


def summary_page(model: Model | None, found: Results) -> Page:
    """The model, the answer in words, where it was measured and how far it holds."""
    said = [text for one in found.benchmarks for text in answers(one)]
    said += [text for one in found.profiles if (text := longest(one))]
    said += [text for one in found.ablations if (text := worth(one))]
    blocks: list[Block] = [Points(said)] if said else []
    blocks += [Paragraph(f"No {one.what}: {sentence(one.reason)}", problem=True) for one in found.failed]
    if model is not None:
        blocks += [Heading("The model"), _model_table(model)]
    where = [text for one in found.environments()[:1] if (text := machine(one))]
    blocks += [Heading("The machine"), *map(Paragraph, where)] if where else []
    if found.benchmarks:
        blocks += [Heading("How far these numbers hold"), *steadiness(found.benchmarks)]
    return Page("Summary", blocks)


def _model_table(model: Model) -> Table:
    facts = model.facts()
    rows = [
        ("IR", _IR[facts["ir"]]),
        ("layout", facts["layout"]),
        ("ops", f"{facts['ops']:,}"),
        ("parameters", f"{facts['parameters']:,}"),
        ("size", f"{facts['bytes']:,} bytes"),
        *(
            (kind, f"{info['name']}: {info['dtype']} {shape_text(info['shape'])}")
            for kind, infos in (("input", facts["inputs"]), ("output", facts["outputs"]))
            for info in infos
        ),
    ]
    return Table(facts["name"], (), rows)
