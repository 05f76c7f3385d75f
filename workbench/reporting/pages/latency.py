"""Percentiles, cold start, and latency and throughput against size."""

from __future__ import annotations

from functools import partial

from workbench.bench import Benchmark, Scan, Throughput
from workbench.reporting.blocks import Block, Chart, Heading, Page, Paragraph, Table
from workbench.reporting.pages.shared import notices, steadiness
from workbench.reporting.results import Results
from workbench.reporting.words import interval, number, with_interval

_PERCENTILES = {
    "p50_ms": "p50",
    "p90_ms": "p90",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "p99_9_ms": "p99.9",
    "mean_ms": "mean",
    "std_ms": "std",
}


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
    blocks += notices((run.label, run.notices) for run in one.runs)
    blocks += [Chart("Latencies of the configs, compared", partial(one.chart, "comparison"))] * bool(
        one.comparisons
    )
    blocks += [
        Chart("Distribution of the latencies", partial(one.chart, "distribution")),
        Chart("Share of the runs that are faster", partial(one.chart, "ecdf")),
        Chart("Samples as they were taken", partial(one.chart, "timeline")),
    ]
    return blocks


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
        *steadiness([one.benchmark]),
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
        *notices([(one.config.label, one.notices)]),
        Chart(heading.text, one.chart),
    ]
