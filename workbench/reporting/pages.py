"""The pages of a report, each made of results; without any, None or a block that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from workbench.bench import Benchmark, History, Profile, Scan, Throughput
from workbench.bench.ablation import Ablation
from workbench.bench.ablation.results import effect_words
from workbench.config import InferenceConfig
from workbench.errors import WorkbenchError
from workbench.models import Model
from workbench.reporting.blocks import (
    Block,
    Chart,
    Download,
    GraphPage,
    Heading,
    Page,
    Paragraph,
    Points,
    Table,
)
from workbench.reporting.results import Results
from workbench.reporting.words import (
    answers,
    interval,
    longest,
    machine,
    number,
    overhead,
    sentence,
    with_interval,
    worth,
)

# Rows of a table that a person reads; the facts have all.
OPS_MOST = 40
HISTORY_MOST = 30
_PERCENTILES = {
    "p50_ms": "p50",
    "p90_ms": "p90",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "p99_9_ms": "p99.9",
    "mean_ms": "mean",
    "std_ms": "std",
}
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
        blocks += [Heading("How far these numbers hold"), *_steadiness(found.benchmarks)]
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
            (kind, f"{info['name']}: {info['dtype']} {_shape(info['shape'])}")
            for kind, infos in (("input", facts["inputs"]), ("output", facts["outputs"]))
            for info in infos
        ),
    ]
    return Table(facts["name"], (), rows)


def _shape(shape: Sequence[int] | None) -> str:
    if shape is None:
        return "of unknown shape"
    return "×".join("any" if size == -1 else str(size) for size in shape) or "scalar"


def _steadiness(benchmarks: Sequence[Benchmark]) -> list[Block]:
    said = [
        f"{run.label}: {text}."
        for one in benchmarks
        for run, remarks in zip(one.runs, one.remarks, strict=True)
        for text in remarks
    ]
    if said:
        return [Points(said)]
    return [Paragraph("Nothing was seen that speaks against them.")]


def latency_page(found: Results) -> Page | None:
    """Percentiles, cold start and the charts of every benchmark."""
    if not found.benchmarks:
        return None
    several = len(found.benchmarks) > 1
    blocks: list[Block] = []
    for place, one in enumerate(found.benchmarks, 1):
        blocks += [Heading(f"Measurement {place}")] if several else []
        blocks += _latency(one)
    return Page("Latency", blocks)


def _latency(one: Benchmark) -> list[Block]:
    if not one.runs:
        return [Paragraph("Nothing was measured: there are no samples.", problem=True)]
    steady = [
        (shown, *(with_interval(*estimates[name]) for estimates in one.summaries))
        for name, shown in _PERCENTILES.items()
    ]
    steady += [
        ("samples", *(f"{len(run.samples_ms):,}" for run in one.runs)),
        ("launches", *(str(len(run.launches)) for run in one.runs)),
    ]
    facts = one.facts()["runs"]
    cold = [
        (
            run["label"],
            number(run["create_ms"], 1),
            number(run["first_ms"], 2),
            f"{number(run['cold_ms'], 1)} {interval(run['cold_range_ms'], 1)}",
            "" if run["peak_bytes"] is None else f"{run['peak_bytes'] / 1e6:,.0f}",
        )
        for run in facts
    ]
    blocks: list[Block] = [
        Table(
            "Steady state, in milliseconds, with 95 % intervals",
            ("", *(run.label for run in one.runs)),
            steady,
            range(1, len(one.runs) + 1),
        ),
        Table(
            "Cold start: medians of the launches, in milliseconds, with the least and the most",
            ("config", "creating", "first run", "together", "peak memory, MB"),
            cold,
            range(1, 5),
        ),
    ]
    if one.comparisons:
        blocks.append(
            Table(
                "Ratios of latency; below 1 is faster",
                ("config", "against", "ratio", "95 % interval", "verdict"),
                [
                    (other.b, other.a, number(other.ratio), interval(other.ci95), other.verdict)
                    for other in one.comparisons
                ],
                (2, 3),
            )
        )
    blocks += _notices((run.label, run.notices) for run in one.runs)
    blocks += [Chart("Latencies of the configs, compared", partial(one.chart, "comparison"))] * bool(
        one.comparisons
    )
    blocks += [
        Chart("Distribution of the latencies", partial(one.chart, "distribution")),
        Chart("Share of the runs that are faster", partial(one.chart, "ecdf")),
        Chart("Samples as they were taken", partial(one.chart, "timeline")),
    ]
    return blocks


def _notices(of: Any) -> list[Block]:
    said = [f"{label}: {text}" for label, texts in of for text in texts]
    return [Heading("Given otherwise than asked"), Points(said)] if said else []


def sizes_page(found: Results) -> Page | None:
    """Latency against size, throughput against latency."""
    blocks: list[Block] = []
    for one in found.scans:
        blocks += _scan(one)
    for other in found.throughputs:
        blocks += _throughput(other)
    return Page("Scans and throughput", blocks) if blocks else None


def _scan(one: Scan) -> list[Block]:
    heading = Heading(f"Latency against {'batch' if one.over == 'batch' else 'sequence length'}")
    if not one.points:
        return [heading, Paragraph("Nothing was measured: there are no samples.", problem=True)]
    rows = [
        (
            str(point.size),
            with_interval(*found["p50_ms"]),
            with_interval(*found["p99_ms"]),
            number(found["p50_ms"].value / point.size, 4),
        )
        for point, found in zip(one.points, one.benchmark.summaries, strict=True)
    ]
    config = one.points[0].run.config.label
    each = "item" if one.over == "batch" else "place of the sequence"
    return [
        heading,
        Table(
            f"Config {config}, in milliseconds, with 95 % intervals",
            (one.over, "p50", "p99", f"p50 for each {each}"),
            rows,
            range(1, 4),
        ),
        Chart(heading.text, one.chart),
        *_steadiness([one.benchmark]),
    ]


def _throughput(one: Throughput) -> list[Block]:
    heading = Heading("Throughput against latency")
    if not one.points:
        return [heading, Paragraph("Nothing was measured: there are no samples.", problem=True)]
    how = (
        "The predictors ran in threads as of a C++ program."
        if one.native
        else "The predictors ran in threads of a Python program: Paddle holds the interpreter lock during a "
        "run, so they take turns."
    )
    rows = [
        (
            str(point.predictors),
            with_interval(point.per_second, point.ci95, 1),
            number(point.p50_ms),
            number(point.p99_ms),
            f"{len(point.samples_ms):,}",
        )
        for point in one.points
    ]
    return [
        heading,
        Paragraph(how),
        Table(
            f"Config {one.config.label}",
            ("predictors", "inferences per second, 95 %", "p50, ms", "p99, ms", "samples"),
            rows,
            range(1, 5),
        ),
        *_notices([(one.config.label, one.notices)]),
        Chart(heading.text, one.chart),
    ]


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
        return [Paragraph("No op was seen to run.", problem=True), *_said(one.remarks)]
    head = ("ops", "calls", "ms", "share")
    caption = "Ops of a run, the longest first"
    if len(ran) > OPS_MOST:
        caption += f": {OPS_MOST} of {len(ran):,}, the rest is in the facts below"
    return [
        Paragraph(overhead(one)),
        *_said(one.remarks),
        *_notices([(one.config.label, one.notices)]),
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


def _said(remarks: Sequence[str]) -> list[Block]:
    return [Points([sentence(text) for text in remarks])] if remarks else []


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
    return [*blocks, *_said(one.notices)]


def history_page(model: Model, kept: History) -> tuple[Page, list[dict[str, Any]]]:
    """This model over time, and the same as plain values."""
    title = "History"
    try:
        points = kept.over_time(model)
    except WorkbenchError as error:
        return Page(title, [Paragraph(f"No history: {sentence(str(error))}", problem=True)]), []
    if not points:
        reason = (
            "no history is kept on this machine"
            if kept.path is None
            else "no benchmark of this model was recorded"
        )
        return Page(title, [Paragraph(f"No history: {sentence(reason)}", problem=True)]), []
    newest = points[::-1][:HISTORY_MOST]
    caption = "Benchmarks of this model, the newest first"
    if len(points) > len(newest):
        caption += f": {len(newest)} of {len(points):,}"
    rows = [
        (
            f"{point.began.astimezone():%Y-%m-%d %H:%M}",
            point.label,
            " ".join(f"{name} {_shape(shape)}" for name, shape in point.entry.inputs.items()),
            with_interval(point.p50_ms, point.ci95),
            number(point.p99_ms),
            f"{point.samples:,}",
            point.paddle,
            point.cpu,
        )
        for point in newest
    ]
    head = ("when", "config", "inputs", "p50 ms, 95 %", "p99 ms", "samples", "Paddle", "CPU")
    draw: Callable[[str], Any] = partial(_history_chart, kept, model)
    facts = [entry.facts() for entry in {point.entry.id: point.entry for point in points}.values()]
    return Page(title, [Chart("Latency over time", draw), Table(caption, head, rows, (3, 4, 5))]), facts


def _history_chart(kept: History, model: Model, theme: str) -> Any:
    return kept.chart(model, "dark" if theme == "dark" else "light")


def environment_page(found: Results, file: str) -> Page:
    """Where it was measured, what was asked for, and the facts to save."""
    blocks: list[Block] = [
        Download("Save the facts as JSON: every number of this report, samples included", file)
    ]
    environments = found.environments()
    if environments:
        rows = [(name.replace("_", " "), text) for name, text in _flat(environments[0]) if text]
        caption = "The machine and its software" + (", at the first measurement" * (len(environments) > 1))
        blocks.append(Table(caption, (), rows))
    else:
        blocks.append(Paragraph("No environment was recorded with these results.", problem=True))
    configs = _configs(found)
    if configs:
        defaults = InferenceConfig()
        blocks.append(
            Table(
                "Configs, by what differs from the defaults",
                ("config", "asked for"),
                [
                    (
                        label,
                        ", ".join(
                            f"{name} = {_plain(now)}"
                            for name, (_, now) in defaults.differences(config).items()
                        )
                        or "the defaults",
                    )
                    for label, config in configs
                ],
            )
        )
    return Page("Environment and raw data", blocks)


def _configs(found: Results) -> list[tuple[str, InferenceConfig]]:
    given = [(run.label, run.config) for one in found.benchmarks for run in one.runs]
    others: tuple[Throughput | Profile | Ablation, ...]
    others = (*found.throughputs, *found.profiles, *found.ablations)
    given += [(one.config.label, one.config) for one in others]
    given += [(one.points[0].run.config.label, one.points[0].run.config) for one in found.scans if one.points]
    return list(dict.fromkeys(given))


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{before}{name} ")
        else:
            rows.append((f"{before}{name}", _plain(value)))
    return rows


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return str(value)
