"""Why the numbers of a run may not hold, in words: what was seen, what most likely causes it, what to do.

A remark needs an effect that matters and not only one that is significant: with many rounds every trifle is.
Rounds are judged by the logarithms of their medians, so that differences are ratios.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from workbench.bench.samples import Floats, Run

# The share by which latencies must differ for a remark on drift, launches, levels, load or warm-up.
MATTERS = 0.05
# The coefficient of variation of the rounds' medians from which a run is unstable.
UNSTEADY = 0.10
# The share of the processor time that others may take, and the share of samples that may be outliers.
LOADED = 0.10
OUTLIERS = 0.01
# How seldom chance alone may look like what is remarked. Five launches in order have a chance of 0.017.
CHANCE = 0.01
CHANCE_OF_LAUNCHES = 0.02
# The start of a round is chosen as the slow part and then tested, so its test is stricter.
CHANCE_OF_START = 0.0001
# A clock that is slower while latency is not slower by this share costs nothing.
CLOCK_FELL = 0.05
CLOCK_COSTS = 0.02
# Two levels are apart if this many times as far as they are wide: of one level cut in two it is less.
LEVELS_APART = 6.0
LEVELS_SHARE = 0.2
LEVELS_CHANGES = 4
# From how many samples of a round, and from how many rounds, the parts of it can be told.
SAMPLES_LEAST = 20
ROUNDS_LEAST = 6
LEVELS_ROUNDS_LEAST = 12
# A percentile rests on the samples beyond it.
BEYOND_LEAST = 10
# In tenths of a percent: their shares of a count are whole numbers, which 0.1 % in binary is not.
PERCENTILES = (999, 990, 950, 900, 500)

# What no clock gives: less than a picosecond, more than thirty years. Ratios of the rest do not overflow.
LEAST_MS = 1e-9
MOST_MS = 1e12

OVERALL = "from the first third of the rounds to the last"
WITHIN = "from the first third of each launch's rounds to the last"

Whole = npt.NDArray[np.intp]


def remarks(run: Run) -> tuple[str, ...]:
    """Why the latencies of a run may not hold, one sentence of one line each; none if they look sound.

    Said are a warm-up that is not over, drift, a clock that fell, launches that differ, rounds on two levels,
    unstable rounds, load from other programs, outliers, too few samples for a percentile and a single launch.
    What drift and launches explain is taken out before what varies from round to round is looked for.

    Args:
        run: with any number of launches and rounds. Samples that no clock gives, such as 0, are left out.
    """
    seen = _see(run)
    if not seen.samples:
        return ()
    said = [_warm_up(seen)]
    change, where, steady = _drift(seen)
    clock = _clock(seen)
    # A clock that fell is why latency rose, and says so.
    if change < 0 or (change > 0 and clock is None):
        said.append(_drifted(change, where))
    said.append(clock)
    launches, alike = _launches(steady)
    load, explains = _load(seen)
    said.append(launches)
    if not explains:
        said.append(_levels(seen, alike) or _instability(alike))
    said += [load, _outliers(seen), _tail(seen)]
    if len(seen.launches) == 1:
        said.append(
            "one launch only: another process, with another memory layout, may be faster or slower all the "
            "time, so measure several launches to see by how much"
        )
    return tuple(text for text in said if text is not None)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was seen of each round that has samples, in order.

    Attributes:
        samples: latencies in milliseconds.
        logs: logarithm of their median.
        launches: for each launch, which rounds it has.
        others: load from other programs, 0 to 1, nan where it is unknown.
        mhz: clock, nan where it is unknown.
    """

    samples: tuple[Floats, ...]
    logs: Floats
    launches: tuple[Whole, ...]
    others: Floats
    mhz: Floats

    def centred(self) -> Floats:
        """The logarithms less the median of their launch."""
        logs: Floats = self.logs.copy()
        for rounds in self.launches:
            logs[rounds] -= np.median(logs[rounds])
        return logs


def _see(run: Run) -> _Seen:
    samples, others, mhz, numbers = [], [], [], []
    for number, launch in enumerate(run.launches):
        for one in launch.rounds:
            times = np.asarray(one.samples_ms, np.float64)
            times = times[(times > LEAST_MS) & (times < MOST_MS)]
            if len(times):
                samples.append(times)
                numbers.append(number)
                others.append(math.nan if one.others is None else one.others)
                mhz.append(math.nan if one.mhz is None else one.mhz)
    return _Seen(
        tuple(samples),
        np.log(np.array([np.median(times) for times in samples], np.float64)),
        tuple(np.flatnonzero(np.equal(numbers, number)) for number in sorted(set(numbers))),
        np.array(others),
        np.array(mhz),
    )


def _warm_up(seen: _Seen) -> str | None:
    """Launches whose first round begins with a part that is slower, by MSER (White 1997, MSER-5)."""
    from scipy.stats import mannwhitneyu

    slow: list[tuple[int, float]] = []
    for rounds in seen.launches:
        first = seen.samples[rounds[0]]
        if len(first) < SAMPLES_LEAST:
            continue
        # The cut that leaves the mean of the rest with the least error, looked for in the first half.
        means = np.log(first)[: len(first) // 5 * 5].reshape(-1, 5).mean(axis=1)
        errors = [np.var(means[cut:]) / (len(means) - cut) for cut in range(len(means) // 2 + 1)]
        cut = 5 * int(np.argmin(errors))
        if cut == 0:
            continue
        ratio = float(np.median(first[:cut]) / np.median(first[cut:]))
        if ratio - 1 < MATTERS:
            continue
        if mannwhitneyu(first[:cut], first[cut:], alternative="greater").pvalue < CHANCE_OF_START:
            slow.append((cut, ratio - 1))
    if not slow or 2 * len(slow) <= len(seen.launches):
        return None
    count, more = (float(np.median(values)) for values in zip(*slow, strict=True))
    where = "" if len(seen.launches) == 1 else f" in {len(slow)} of {len(seen.launches)} launches"
    return (
        f"warm-up was not over: the first {count:.0f} samples of the first round are {more:.0%} slower than "
        f"the rest of it{where}, so caches or clock were still settling: warm up for longer"
    )


def _drift(seen: _Seen) -> tuple[float, str, _Seen]:
    """By how much latency rises or falls, over the run or within each launch, and the rounds without that.

    Kendall's test of trend with Theil's and Sen's slope, which a few odd rounds do not sway. Within launches,
    only rounds of the same launch are compared (the seasonal test of Hirsch, Slack and Smith 1982), since
    launches differ for other reasons.

    Returns:
        The change as a share, 0.0 if there is none that matters; between which rounds; the rounds without it.
    """
    from scipy.stats import kendalltau, theilslopes

    slope, chance = _trend_within(seen)
    places = np.arange(len(seen.logs), dtype=np.float64)
    within = np.concatenate([np.arange(len(rounds), dtype=np.float64) for rounds in seen.launches])
    whole = [np.arange(len(seen.logs))]
    # Of each trend: its size along all rounds, how far latency went, between which rounds, what to take off.
    found: list[tuple[float, float, str, Floats]] = []
    if chance < CHANCE:
        steps = float(np.median([len(rounds) for rounds in seen.launches])) - 1
        where = OVERALL if len(seen.launches) == 1 else WITHIN
        found.append((slope * steps, _went(seen, seen.launches), where, slope * within))
    if len(seen.launches) > 1:
        overall = float(theilslopes(seen.logs, places).slope)
        medians = [float(np.median(seen.logs[rounds])) for rounds in seen.launches]
        chance_of_launches = kendalltau(range(len(medians)), medians).pvalue
        if chance_of_launches < CHANCE_OF_LAUNCHES or (chance < CHANCE and overall * slope > 0):
            found.append((overall * (len(places) - 1), _went(seen, whole), OVERALL, overall * places))
    # Up by 5 % and down by what undoes it are as far.
    found = [one for one in found if abs(one[0]) >= math.log1p(MATTERS) and one[0] * one[1] > 0]
    if not found:
        return 0.0, "", seen
    _, went, where, trend = max(found, key=lambda one: abs(one[0]))
    return math.expm1(went), where, replace(seen, logs=seen.logs - trend)


def _went(seen: _Seen, groups: Sequence[Whole]) -> float:
    """How much more the last third of the rounds has than the first, in logarithms; the median of groups."""
    changes = []
    for rounds in groups:
        third = max(1, len(rounds) // 3)
        changes.append(float(np.median(seen.logs[rounds[-third:]]) - np.median(seen.logs[rounds[:third]])))
    return float(np.median(changes))


def _drifted(change: float, where: str) -> str:
    if where == WITHIN:
        why = "each process still warms up, or heats the processor, so warm up for longer or let it cool"
    else:
        why = "load or clock changed meanwhile, so measure again, or longer"
    went = "rose" if change > 0 else "fell"
    return f"latency {went} by {abs(change):.0%} {where}: {why}"


def _trend_within(seen: _Seen) -> tuple[float, float]:
    """The slope per round of pairs in the same launch, and how likely chance alone gives such a trend."""
    slopes, balance, variance = [np.empty(0)], 0.0, 0.0
    for rounds in seen.launches:
        count = len(rounds)
        left, right = np.triu_indices(count, 1)
        rises = seen.logs[rounds][right] - seen.logs[rounds][left]
        slopes.append(rises / (right - left))
        balance += float(np.sum(np.sign(rises)))
        # Without ties; with them the variance is less, so that the test errs towards silence.
        variance += count * (count - 1) * (2 * count + 5) / 18
    every = np.concatenate(slopes)
    if not len(every):
        return 0.0, 1.0
    # Less one for continuity, as Kendall has it.
    distance = max(0.0, abs(balance) - 1) / math.sqrt(variance)
    return float(np.median(every)), math.erfc(distance / math.sqrt(2))


def _clock(seen: _Seen) -> str | None:
    """A clock that falls from the first third of the rounds to the last while latency rises."""
    from scipy.stats import kendalltau

    third = len(seen.mhz) // 3
    if len(seen.mhz) < ROUNDS_LEAST or not np.all(np.isfinite(seen.mhz) & (seen.mhz > 0)):
        return None
    before, after = float(np.median(seen.mhz[:third])), float(np.median(seen.mhz[-third:]))
    rise = math.expm1(float(np.median(seen.logs[-third:]) - np.median(seen.logs[:third])))
    if after >= before * (1 - CLOCK_FELL) or rise < CLOCK_COSTS:
        return None
    together = kendalltau(seen.mhz, seen.logs)
    if not (together.statistic < 0 and together.pvalue < CHANCE):
        return None
    return (
        f"the clock fell by {1 - after / before:.0%} ({before:.0f} to {after:.0f} MHz) and latency rose by "
        f"{rise:.0%} {OVERALL}: heat or a power limit slows the processor down, so cool it, fix its clock or "
        "switch turbo off"
    )


def _launches(seen: _Seen) -> tuple[str | None, _Seen]:
    """Whether launches differ by more than their rounds do, and the rounds without that."""
    count = len(seen.launches)
    medians = np.array([np.median(seen.logs[rounds]) for rounds in seen.launches])
    spread = math.expm1(float(np.ptp(medians)))
    freedom = len(seen.logs) - count
    if count < 2 or freedom < 1 or spread < MATTERS:
        return None, seen
    from scipy.special import fdtrc

    centred = seen.centred()
    inner = float(np.sum(centred**2)) / freedom
    overall = float(np.mean(seen.logs))
    outer = sum(len(rounds) * (float(np.mean(seen.logs[rounds])) - overall) ** 2 for rounds in seen.launches)
    outer /= count - 1
    # The analysis of variance; rounds that are all the same leave it nothing to divide by.
    chance = float(fdtrc(count - 1, freedom, outer / inner)) if inner > 0 else 0.0
    if chance >= CHANCE or float(np.std(medians, ddof=1)) <= math.sqrt(inner):
        return None, seen
    low, high = np.exp([medians.min(), medians.max()])
    return (
        f"its {count} launches differ by {spread:.0%} (medians from {_ms(low)} to {_ms(high)}), more than "
        f"the rounds of one do ({math.sqrt(inner):.1%} standard deviation): each process has its own memory "
        "layout and place on the cores, so measure more launches"
    ), replace(seen, logs=centred + np.median(seen.logs))


def _levels(seen: _Seen, alike: _Seen) -> str | None:
    """Rounds that go to and fro between two levels, each narrow beside how far they are apart."""
    logs = alike.logs
    least = max(3, math.ceil(LEVELS_SHARE * len(logs)))
    if len(logs) < LEVELS_ROUNDS_LEAST:
        return None
    order = np.sort(logs)
    # The cut that leaves the least variance on both sides, which is the most between them (Otsu 1979).
    sizes = np.arange(least, len(order) - least + 1)
    below = np.cumsum(order - order.mean())[sizes - 1]
    cut = int(sizes[np.argmax(below**2 / (sizes * (len(order) - sizes)))])
    low, high = order[:cut], order[cut:]
    apart = float(high.mean() - low.mean())
    # Ashman, Bird and Zepf 1994.
    width = math.sqrt((float(np.var(low)) + float(np.var(high))) / 2)
    if math.expm1(apart) < MATTERS or apart <= LEVELS_APART * width:
        return None
    above = logs >= high[0]
    # Few changes are a step, which is drift.
    if int(np.sum(above[1:] != above[:-1])) < LEVELS_CHANGES:
        return None
    medians = np.array([np.median(times) for times in seen.samples])
    return (
        "unstable: the medians of its rounds jump between two levels, "
        f"{_ms(np.median(medians[~above]))} ({np.sum(~above)} rounds) and {_ms(np.median(medians[above]))} "
        f"({np.sum(above)} rounds): clock steps, the choice of cores or a program that runs now and then, so "
        "fix clock and cores, and read the two levels rather than one median"
    )


def _instability(alike: _Seen) -> str | None:
    """Medians that vary by more than what rounds of so few samples vary by anyway."""
    freedom = len(alike.logs) - 1
    if freedom < 1:
        return None
    from scipy.special import chdtri

    medians = np.exp(alike.logs - np.median(alike.logs))
    spread = float(medians.std(ddof=1) / medians.mean())
    # How samples vary is taken from neighbours, which have load and clock in common; quartiles are 1.349
    # standard deviations apart, a difference varies by twice what one sample does, a median by π/2 of a mean.
    steps = np.concatenate([np.diff(np.log(times)) for times in alike.samples])
    low, high = np.percentile(steps, [25, 75]) if len(steps) else (0.0, 0.0)
    variance = (float(high - low) / 1.349) ** 2 / 2
    expected = math.pi / 2 * variance * float(np.mean([1 / len(times) for times in alike.samples]))
    # Samples alone give more than this with the probability CHANCE.
    expected *= float(chdtri(freedom, CHANCE)) / freedom
    if spread**2 <= UNSTEADY**2 + expected:
        return None
    return (
        f"unstable: the medians of its rounds vary by {spread:.0%} (coefficient of variation): load or clock "
        "changes from round to round, so end what else keeps this machine busy, or measure longer"
    )


def _load(seen: _Seen) -> tuple[str | None, bool]:
    """Whether other programs took much, or slowed down the rounds they took more in, which is the second."""
    from scipy.stats import kendalltau

    known = np.isfinite(seen.others)
    others, logs = seen.others[known], seen.centred()[known]
    if not len(others):
        return None, False
    usual = float(np.median(others))
    follows = ""
    busy = others > usual
    if len(others) >= ROUNDS_LEAST and busy.any():
        more = math.expm1(float(np.median(logs[busy]) - np.median(logs[~busy])))
        together = kendalltau(others, logs)
        if more >= MATTERS and together.statistic > 0 and together.pvalue < CHANCE:
            follows = f"the rounds in which they took more than that are {more:.0%} slower"
    if usual <= LOADED and not follows:
        return None, False
    text = f"other programs took {usual:.0%} of the processor time (median of the rounds)"
    text += f"{', and ' if follows else ''}{follows}: end them, or measure while the machine is idle"
    return text, bool(follows)


def _outliers(seen: _Seen) -> str | None:
    """Samples beyond the upper far fence of their round (Tukey 1977) and a tenth over its median."""
    from scipy.stats import binom

    count = total = 0
    taken = whole = 0.0
    for times in seen.samples:
        if len(times) < SAMPLES_LEAST:
            continue
        low, middle, high = np.percentile(times, [25, 50, 75])
        far = times[times > max(high + 3 * (high - low), 1.1 * middle)]
        count, total = count + len(far), total + len(times)
        taken, whole = taken + float(far.sum()), whole + float(times.sum())
    # A few that fall beyond the fences of a short run may do so by chance.
    if count <= OUTLIERS * total or binom.sf(count - 1, total, OUTLIERS) >= CHANCE:
        return None
    return (
        f"{count / total:.1%} of the samples are outliers, far above the others of their round, and take "
        f"{taken / whole:.0%} of the time: other programs or the system interrupt the runs, so end what else "
        "runs, and look at p99 beside the median"
    )


def _tail(seen: _Seen) -> str | None:
    count = sum(map(len, seen.samples))
    holds = [tenths for tenths in PERCENTILES if count * (1000 - tenths) >= 1000 * BEYOND_LEAST]
    if holds and holds[0] == PERCENTILES[0]:
        return None
    # The least of those that are looked at most: p99, or p99.9 where p99 holds.
    tenths = 999 if holds and holds[0] == 990 else 990
    slowest = math.ceil(count * (1000 - tenths) / 1000)
    few = "the slowest" if slowest == 1 else f"the {slowest} slowest"
    best = f"{_name(holds[0])} is the highest percentile" if holds else "there is no percentile"
    of = "1 sample" if count == 1 else f"{count} samples"
    return (
        f"{_name(tenths)} rests on {few} of {of}: {best} with at least {BEYOND_LEAST} beyond it, so measure "
        f"longer for a {_name(tenths)} that holds"
    )


def _name(tenths: int) -> str:
    return f"p{tenths / 10:g}"


def _ms(value: float) -> str:
    return f"{value:.3g} ms"
