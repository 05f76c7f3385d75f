"""A profile in words: how its ops' sum fits the latency, and what speaks against its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from workbench.bench.profiling.times import Interval, OpTime, rank_of_interval
from workbench.bench.samples import Floats
from workbench.ir import Op

# Above this share of a run the profiler's own work, or what is not known of it, is too large to be taken off
# by a mean.
OVERHEAD_MOST = 0.20
# Runs that spread or drift by more than this share give medians that do not hold.
SPREAD_MOST = 0.20
DRIFT_MOST = 0.10
LISTED = 3


def reconciled(ops_ms: float, plain_ms: float) -> str:
    """How the sum over ops fits the latency without the profiler; both in milliseconds."""
    rest = plain_ms - ops_ms
    if rest < 0:
        return (
            f"the ops add up to {ops_ms:.3f} ms, {-rest / plain_ms:.1%} more than the {plain_ms:.3f} ms of a "
            "run without the profiler"
        )
    return (
        f"the ops account for {ops_ms:.3f} ms of the {plain_ms:.3f} ms ({ops_ms / plain_ms:.1%}) of a run "
        f"without the profiler; {rest:.3f} ms are outside of them"
    )


def doubts(
    plain: Floats, hooked: Floats, overhead_ms: float, overhead_ci95: Interval | None, plain_ms: float
) -> list[str]:
    """One sentence with all that speaks against relying on the times, if anything does.

    Args:
        plain: milliseconds of each run without the profiler, of shape [runs].
        hooked: the same with it.
        overhead_ms: what the profiler adds to a run.
        overhead_ci95: the 95 % interval of that.
        plain_ms: the latency without the profiler.
    """
    why = []
    if overhead_ms / plain_ms > OVERHEAD_MOST:
        why.append(f"the profiler adds {overhead_ms / plain_ms:.0%} to a run")
    if overhead_ci95 is not None and (overhead_ci95[1] - overhead_ci95[0]) / plain_ms > OVERHEAD_MOST:
        low, high = (one / plain_ms for one in overhead_ci95)
        why.append(f"what the profiler adds to a run is only known to be from {low:.0%} to {high:.0%} of it")
    spread = max(_spread(plain), _spread(hooked))
    if spread > SPREAD_MOST:
        why.append(f"the middle half of the runs spreads by {spread:.0%} of their median")
    drift = max(_drift(plain), _drift(hooked), key=abs)
    if abs(drift) > DRIFT_MOST:
        way = "slower" if drift > 0 else "faster"
        why.append(f"the last third of the runs is {abs(drift):.0%} {way} than the first")
    if not rank_of_interval(len(plain)):
        why.append("there is only 1 run" if len(plain) == 1 else f"there are only {len(plain)} runs")
    if not why:
        return []
    return [f"do not rely on single times: {'; '.join(why)}; end other load, or measure longer"]


def _spread(runs: Floats) -> float:
    low, middle, high = np.quantile(runs, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def _drift(runs: Floats) -> float:
    third = len(runs) // 3
    return float(np.median(runs[-third:]) / np.median(runs[:third])) - 1 if third else 0.0


def unmapped(ops: Iterable[OpTime]) -> list[str]:
    """Which outputs could not be mapped to an op."""
    unknown = [one for one in ops if one.index is None]
    if not unknown:
        return []
    spent = sum(one.ms for one in unknown)
    return [
        f"{sum(one.outputs for one in unknown)} outputs of a run could not be mapped to an op of the final "
        f"graph ({_listed([one.text for one in unknown])}): their {spent:.3f} ms have rows of their own, "
        "with a question mark"
    ]


def unheard(ops: Sequence[Op]) -> list[str]:
    """Which ops ran without being seen."""
    if not ops:
        return []
    subject = "1 op gives" if len(ops) == 1 else f"{len(ops)} ops give"
    whose = "its time is" if len(ops) == 1 else "their times are"
    named = _listed([f"{op.index} {op.type.rpartition('.')[2]}" for op in ops])
    return [f"{subject} no output that the profiler sees ({named}): {whose} in that of the next op"]


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more
