"""The answer, from what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.bench.results import Comparison
from workbench.bench.stats import LAUNCHES_LEAST, SMALLEST
from workbench.bench.tuning.kept import FINAL, Score
from workbench.bench.tuning.measuring import Bench
from workbench.bench.tuning.results import Trial, Tuning
from workbench.bench.tuning.space import Candidate


def outcome(bench: Bench, notices: Sequence[str]) -> Tuning:
    """The result; the base is the answer where nothing is faster beyond doubt.

    Args:
        bench: what was measured.
        notices: what is to be said already.
    """
    kept, said = bench.kept, list(notices)
    finals = [
        (one, scores[FINAL])
        for one, scores in kept.scores.items()
        if FINAL in scores and scores[FINAL].ratio is not None and bench.why_not(one) is None
    ]
    won = _winner(bench.base, finals)
    names = bench.labels()
    # Of several groups of finalists that of the best.
    groups = [
        one for one in kept.finals if won is None or any(score.candidate == won[0] for score in one.scores)
    ]
    said += [one.failed for one in kept.finals if one.failed is not None]
    over = _over(bench)
    if over:
        said.append(over)
    best, comparison = bench.base, None
    if won is not None:
        candidate, score = won
        assert score.ratio is not None
        assert score.verdict is not None
        labels = names[bench.base], names[candidate]
        comparison = Comparison(*labels, score.ratio, score.ci95, score.verdict)
        if score.verdict == "faster" or over:
            best = candidate
        else:
            said.append(
                "no config was faster than the base beyond doubt "
                f"({labels[1]}: {score.verdict}): keep the base"
            )
    elif kept.scores and not groups:
        said.append("the best were not compared with the base: keep the base")
    elif kept.scores:
        said.append("no config that may be chosen was found: keep the base")
    else:
        said.append("there is no other config in this space: keep the base")
    if won is not None and groups[0].launches < LAUNCHES_LEAST:
        said.append(
            f"the time was enough for {groups[0].launches} of at least {LAUNCHES_LEAST} launches of each "
            "finalist: launches differ by more than the interval says; give more seconds"
        )
    return Tuning(
        bench.model.name,
        bench.goal,
        bench.base.config,
        best.config,
        bench.base.batch,
        best.batch,
        comparison,
        tuple(_trial(bench, one, names[one], best) for one in kept.scores),
        tuple(dict.fromkeys(said)),
        next((group.environment for group in reversed(kept.groups) if group.environment), {}),
        kept.folder.absolute(),
        groups[0].entry if groups else None,
        bench.model,
    )


def _over(bench: Bench) -> str | None:
    """That the base is over the limit of memory, in words."""
    peak, limit = bench.base_peak(), bench.memory_limit
    if limit is None or peak is None or peak <= limit:
        return None
    return f"the base itself takes {peak / 1e6:.0f} MB of memory, over the limit of {limit / 1e6:.0f} MB"


def _winner(base: Candidate, finals: Sequence[tuple[Candidate, Score]]) -> tuple[Candidate, Score] | None:
    """The best; of those that are as good, the one that changes least."""
    if not finals:
        return None
    least = min(score.ratio or math.inf for _, score in finals)
    alike = [one for one in finals if (one[1].ratio or math.inf) <= least * (1 + SMALLEST)]
    faster = [one for one in alike if one[1].verdict == "faster"]
    return min(faster or alike, key=lambda one: (_changes(base, one[0]), one[1].ratio or math.inf))


def _changes(base: Candidate, candidate: Candidate) -> int:
    fields = candidate.config.differences(base.config)
    passes = len(candidate.config.disabled_passes) if "disabled_passes" in fields else 0
    return len(fields) + passes + (candidate.batch != base.batch)


def _trial(bench: Bench, candidate: Candidate, label: str, best: Candidate) -> Trial:
    looked = bench.kept.looked.get(candidate.config)
    return Trial(
        candidate.config,
        candidate.batch,
        label,
        tuple(bench.kept.scores[candidate].values()),
        None if looked is None else looked.effect,
        bench.why_not(candidate),
        candidate == best,
    )
