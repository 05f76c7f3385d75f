"""Results in sentences, and numbers as a report writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.bench import Benchmark, Comparison, Profile
from workbench.bench.ablation import Ablation

Interval = Sequence[float] | None


def answer(one: Comparison) -> str:
    """A comparison in one sentence: how many times as fast, as slow, or that no difference was seen."""
    if one.verdict == "faster":
        return f"{one.b} is {1 / one.ratio:.2f} times as fast as {one.a}{_span(_turned(one.ci95))}."
    if one.verdict == "slower":
        return f"{one.b} takes {one.ratio:.2f} times as long as {one.a}{_span(one.ci95)}."
    if one.ci95 is None:
        return f"Whether {one.b} differs from {one.a} cannot be said: too little was measured."
    return (
        f"No difference was seen between {one.b} and {one.a}: the first takes {one.ratio:.3f} times as long "
        f"as the second{_span(one.ci95, 3)}, which may be chance or too little to matter."
    )


def answers(benchmark: Benchmark) -> list[str]:
    """What a benchmark says, a sentence each; the fastest config first where there are several."""
    said = [answer(one) for one in sorted(benchmark.comparisons, key=lambda one: one.ratio)]
    if len(benchmark.runs) == 1:
        (found,) = benchmark.summaries
        p50, p99 = found["p50_ms"], found["p99_ms"]
        said.append(
            f"{benchmark.runs[0].label}: one inference takes {p50.value:.3f} ms in the median"
            f"{_span(p50.ci95, 3)}; one in a hundred takes more than {p99.value:.3f} ms."
        )
    return said


def longest(profile: Profile) -> str | None:
    """Which type of op takes longest."""
    groups = [one for one in profile.by_type() if one.name]
    if not groups:
        return None
    first = groups[0]
    return (
        f"{profile.config.label}: {first.share:.0%} of a run is spent in {_count(first.ops, 'op')} of type "
        f"{first.name}, more than in those of any other type."
    )


def overhead(profile: Profile) -> str:
    """What the profiler costs, and what was done about it."""
    seen = profile.overhead_ci95 is not None and profile.overhead_ci95[0] > 0
    done = (
        "That is taken off the ops, the same for every output."
        if seen
        else "That cannot be told from noise, and nothing is taken off."
    )
    return (
        f"A run takes {profile.plain_ms:.3f} ms in the median without the profiler and "
        f"{profile.profiled_ms:.3f} ms with it: {profile.overhead_ms:+.3f} ms ({profile.overhead_share:+.1%})"
        f"{_span(profile.overhead_ci95, 3, ' ms')}. {done} Medians of {_count(profile.runs, 'run')} of each "
        "kind, taken in turns."
    )


def worth(ablation: Ablation) -> str | None:
    """Which pass is worth most, and whether one does harm."""
    slower = [one for one in ablation.passes if one.verdict == "slower" and one.ratio is not None]
    faster = [one for one in ablation.passes if one.verdict == "faster" and one.ratio is not None]
    said = []
    if slower:
        best = max(slower, key=lambda one: one.ratio or 0)
        said.append(
            f"Of the passes left out, {best.name} makes the largest difference: without it a run takes "
            f"{best.ratio:.2f} times as long{_span(best.ci95)}."
        )
    if faster:
        names = ", ".join(one.name for one in faster)
        said.append(f"The model is faster without {names}.")
    if ablation.passes and not said:
        said.append("No single pass that was left out makes a difference that was seen.")
    return " ".join(said) or None


def machine(environment: Mapping[str, Any]) -> str | None:
    """Where it was measured, in one sentence."""
    if not environment:
        return None
    parts = [environment.get("cpu_model") or "a CPU that is not named"]
    usable, logical = environment.get("usable_cores"), environment.get("logical_cores")
    if usable and logical:
        parts.append(f"{usable:g} of {logical} cores")
    if environment.get("memory_bytes"):
        parts.append(f"{environment['memory_bytes'] / 2**30:.0f} GiB of memory")
    if environment.get("virtual_machine"):
        parts.append("a virtual machine")
    parts += [text for text in (environment.get("os"),) if text]
    paddle = (environment.get("runtime") or {}).get("paddle")
    if paddle:
        parts.append(f"Paddle {paddle}")
    return f"Measured on {', '.join(parts)}."


def sentence(text: str) -> str:
    """With a capital at its begin, unless a name stands there, and a stop at its end."""
    named = "_" in text.partition(" ")[0]
    begun = text if named else text[:1].upper() + text[1:]
    return begun if begun.endswith((".", "!", "?")) else f"{begun}."


def number(value: float | None, digits: int = 3) -> str:
    """Such as 1,234.500; empty for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def interval(ci95: Interval, digits: int = 3) -> str:
    """Such as [1.2, 1.4]; empty for None."""
    return "" if ci95 is None else f"[{ci95[0]:,.{digits}f}, {ci95[1]:,.{digits}f}]"


def with_interval(value: float | None, ci95: Interval, digits: int = 3) -> str:
    """A number and its interval in one cell."""
    return f"{number(value, digits)} {interval(ci95, digits)}".strip()


def _span(ci95: Interval, digits: int = 2, unit: str = "") -> str:
    return "" if ci95 is None else f" (95 % interval {ci95[0]:.{digits}f} to {ci95[1]:.{digits}f}{unit})"


def _turned(ci95: Interval) -> Interval:
    return None if ci95 is None else (1 / ci95[1], 1 / ci95[0])


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
