"""What each op takes, and the graph."""

from __future__ import annotations

from functools import partial

from workbench.bench import Profile
from workbench.errors import WorkbenchError
from workbench.reporting.blocks import Block, Chart, GraphPage, Heading, Page, Paragraph, Table
from workbench.reporting.pages.shared import notices, remarks_of
from workbench.reporting.results import Results
from workbench.reporting.words import number, overhead, sentence

# Rows of a table that a person reads; the facts have all.
OPS_MOST = 40


def ops_page(found: Results) -> Page | None:
    """What each op takes, on the graph where its trace is given."""
    blocks: list[Block] = []
    for one in found.profiles:
        blocks += [Heading(f"Config {one.config.label}")] if len(found.profiles) > 1 else []
        blocks += _profile(one)
        blocks += _graph(one, found)
    if found.traces and not found.profiles:
        blocks += _graph(None, found)
    return Page("Ops", blocks) if blocks else None


def _profile(one: Profile) -> list[Block]:
    ran = [op for op in one.ops if op.calls]
    if not ran:
        return [Paragraph("No op was seen to run.", problem=True), *remarks_of(one.remarks)]
    head = ("ops", "calls", "ms", "share")
    caption = "Ops of a run, the longest first"
    if len(ran) > OPS_MOST:
        caption += f": {OPS_MOST} of {len(ran):,}, the rest is in the facts below"
    return [
        Paragraph(overhead(one)),
        *remarks_of(one.remarks),
        *notices([(one.config.label, one.notices)]),
        Chart("The ops that take longest", partial(one.chart, "ops")),
        Chart("Time by layer", partial(one.chart, "layers")),
        Table(
            "By type",
            ("type", *head),
            [
                (group.name or "(unknown)", str(group.ops), *_times(group.calls, group.ms, group.share))
                for group in one.by_type()
            ],
            range(1, 5),
        ),
        Table(
            caption,
            ("op", "layer", *head[1:]),
            [(op.text, op.layer, *_times(op.calls, op.ms, op.share)) for op in ran[:OPS_MOST]],
            range(2, 5),
        ),
    ]


def _times(calls: int, ms: float, share: float) -> tuple[str, str, str]:
    return f"{calls:,}", number(ms, 4), f"{share:.1%}"


def _graph(profile: Profile | None, found: Results) -> list[Block]:
    """The graph after every pass, from the trace of the predictor that was profiled."""
    # A widget, which is made only where it is shown.
    from workbench.ui import view

    fitting = [
        one
        for one in found.traces
        if profile is None or (one.config == profile.config and one.session.model.name == profile.model)
    ]
    if not fitting:
        return []
    taken = fitting[-1]
    label = "The graph after every pass" if profile is None else "Milliseconds on the final graph"
    last = len(taken.stages) - 1
    try:
        shown = view(taken, "none", stage=last)
        try:
            if profile is not None:
                shown.overlay("latency", profile.overlay(), unit="ms", stage=last)
            html = shown.to_html()
        finally:
            shown.close()
    except WorkbenchError as error:
        return [Paragraph(f"No graph: {sentence(str(error))}", problem=True)]
    return [Heading(label), GraphPage(label, html)]
