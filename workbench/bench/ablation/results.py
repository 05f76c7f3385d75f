"""What an ablation gives: the worth of passes, of pairs, and the way from none of them to all."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.bench.ablation.kept import Effect
from workbench.bench.stats import SMALLEST, Verdict
from workbench.config import InferenceConfig

Interval = tuple[float, float]

MORE, LESS, SAME = "together worth more than alone", "together worth less than alone", "no difference seen"


@dataclass(frozen=True)
class PassWorth:
    """What leaving one pass out does.

    Attributes:
        name: the name that switches it off.
        stages: the stages of the trace in which it changed something.
        ratio: latency without it over latency with it, above 1 where the pass makes the model faster; None
            where that could not be measured.
        ci95: the ratio's 95 % interval, None where there is too little to say.
        verdict: what can be said of the model without it: "slower", "faster" or "no difference seen".
        ms: milliseconds that leaving it out adds.
        effect: the outputs without it beside those with it.
        error: why it could not be left out.
    """

    name: str
    stages: tuple[int, ...]
    ratio: float | None
    ci95: Interval | None
    verdict: Verdict | None
    ms: float | None
    effect: Effect | None
    error: str | None

    def facts(self) -> dict[str, Any]:
        """Plain values: pass, stages, ratio, ci95, verdict, ms, error and those of `effect_facts`."""
        return {
            "pass": self.name,
            "stages": list(self.stages),
            "ratio": self.ratio,
            "ci95": self.ci95,
            "verdict": self.verdict,
            **effect_facts(self.effect),
            "ms": self.ms,
            "error": self.error,
        }


@dataclass(frozen=True)
class PairWorth:
    """What leaving two passes out does, beside leaving out each alone.

    Attributes:
        names: the two, in running order.
        why: why they are taken to interact.
        ratio: latency without both over latency with both.
        ci95: the ratio's 95 % interval.
        product: the product of their ratios alone, what the ratio were if they did not interact.
        together: ratio over product.
        together_ci95: its 95 % interval.
        effect: the outputs without both beside those with both.
        error: why there is no ratio.
    """

    names: tuple[str, str]
    why: str
    ratio: float | None
    ci95: Interval | None
    product: float | None
    together: float | None
    together_ci95: Interval | None
    effect: Effect | None
    error: str | None

    @property
    def verdict(self) -> str | None:
        """Whether they are worth more or less together than alone; None where that is not known."""
        if self.together is None:
            return None
        low, high = self.together_ci95 or (0.0, math.inf)
        return MORE if low > 1 + SMALLEST else LESS if high < 1 - SMALLEST else SAME

    def facts(self) -> dict[str, Any]:
        """Plain values: passes, why, ratio, ci95, product, together, together_ci95, verdict and more."""
        return {
            "passes": list(self.names),
            "why": self.why,
            "ratio": self.ratio,
            "ci95": self.ci95,
            "product": self.product,
            "together": self.together,
            "together_ci95": self.together_ci95,
            "verdict": self.verdict,
            **effect_facts(self.effect),
            "error": self.error,
        }


@dataclass(frozen=True)
class Step:
    """One step on the way from none of the passes to all: the next one is switched on.

    Attributes:
        names: what is switched on; several where the model does not run with only the first of them.
        ms: by how many milliseconds that changes the latency.
        low: the lower end of its 95 % interval, or None.
        high: the upper end.
        from_ms: the latency before.
        to_ms: the latency after.
        effect: the outputs before this step beside those with all passes.
    """

    names: tuple[str, ...]
    ms: float
    low: float | None
    high: float | None
    from_ms: float
    to_ms: float
    effect: Effect | None

    @property
    def name(self) -> str:
        """The names in one."""
        return " + ".join(self.names)

    @property
    def ci95(self) -> Interval | None:
        """The change's 95 % interval, in milliseconds."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def facts(self) -> dict[str, Any]:
        """Plain values: passes, ms, ci95, from_ms, to_ms and the outputs before this step."""
        return {
            "passes": list(self.names),
            "ms": self.ms,
            "ci95": self.ci95,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            **effect_facts(self.effect),
        }


@dataclass(frozen=True)
class Ablation:
    """What each pass of a predictor is worth.

    Attributes:
        model: the model's name.
        config: the config with all of them on, the baseline.
        base_ms: the baseline's median latency, None if nothing was measured.
        passes: those that changed something, in the order they first did.
        pairs: those that interact.
        steps: from none of them to all, in the same order.
        notices: what else is to be known, a sentence each.
        environment: where it was measured; see `workbench.bench.environment.environment`.
        folder: where it is kept.
    """

    model: str
    config: InferenceConfig
    base_ms: float | None
    passes: tuple[PassWorth, ...]
    pairs: tuple[PairWorth, ...] = ()
    steps: tuple[Step, ...] = ()
    notices: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def facts(self) -> dict[str, Any]:
        """Plain values: model, config, base_ms, passes, pairs, waterfall, notices, environment, folder."""
        return {
            "model": self.model,
            "config": self.config.to_dict(),
            "base_ms": self.base_ms,
            "passes": [one.facts() for one in self.passes],
            "pairs": [one.facts() for one in self.pairs],
            "waterfall": [one.facts() for one in self.steps],
            "notices": list(self.notices),
            "environment": dict(self.environment),
            "folder": None if self.folder is None else str(self.folder),
        }

    def chart(self, theme: str = "light") -> Any:
        """The way from none of the passes to all as a plotly figure, a waterfall."""
        from workbench.bench.charts import waterfall_chart

        before = self.steps[0].from_ms if self.steps else 0.0
        return waterfall_chart(self.steps, theme, before_ms=before, after_ms=self.base_ms)

    def __repr__(self) -> str:
        head = f"{self.model}: {self.config.label}"
        if self.base_ms is not None:
            head += f", {self.base_ms:.3f} ms"
        width = max((len(one.name) for one in self.passes), default=0)
        lines = [f"{one.name:<{width}}  {_worth_words(one)}" for one in self.passes]
        return "\n".join([head, *lines])


def _worth_words(one: PassWorth) -> str:
    if one.ratio is None:
        return textwrap.shorten(one.error or "not measured", 80, placeholder=" …")
    span = "" if one.ci95 is None else f" [{one.ci95[0]:.3f}, {one.ci95[1]:.3f}]"
    return f"{one.ratio:.3f}{span} {one.verdict} without it, outputs {effect_words(one.effect)}"


def effect_words(effect: Effect | None) -> str:
    """How far outputs are apart, in a few words."""
    if effect is None:
        return "not compared"
    if effect.max_abs is None:
        return effect.words
    return f"differ by {effect.max_abs:.2g}" if effect.max_abs else "the same"


def effect_facts(effect: Effect | None) -> dict[str, Any]:
    """max_abs_diff and max_rel_diff, None where ``outputs`` says why there is no number."""
    if effect is None:
        return {"max_abs_diff": None, "max_rel_diff": None, "outputs": None}
    return {
        "max_abs_diff": effect.max_abs,
        "max_rel_diff": effect.max_rel,
        "outputs": effect.words or None,
    }


def difference(
    a: float, a_ci95: Interval | None, b: float, b_ci95: Interval | None
) -> tuple[float, Interval | None]:
    """``a`` − ``b`` with its 95 % interval from theirs, which need not be symmetric.

    The method of variance estimates recovery for two independent estimates (Zou and Donner, "Construction of
    Confidence Limits About Effect Measures", Statistics in Medicine 27, 2008).
    """
    if a_ci95 is None or b_ci95 is None:
        return a - b, None
    low = math.hypot(a - a_ci95[0], b_ci95[1] - b)
    high = math.hypot(a_ci95[1] - a, b - b_ci95[0])
    return a - b, (a - b - low, a - b + high)


def against_product(
    both: tuple[float, Interval | None],
    one: tuple[float, Interval | None],
    other: tuple[float, Interval | None],
) -> tuple[float, Interval | None]:
    """A pair's ratio over the product of the single ratios, each with its interval.

    The errors of the two singles are taken to add up, the most they can, since they may share a baseline.
    """
    (ratio, ci95), (first, first_ci95), (second, second_ci95) = both, one, other
    logs = None if ci95 is None else (math.log(ci95[0]), math.log(ci95[1]))
    product = None
    if first_ci95 is not None and second_ci95 is not None:
        product = (math.log(first_ci95[0] * second_ci95[0]), math.log(first_ci95[1] * second_ci95[1]))
    apart, interval = difference(math.log(ratio), logs, math.log(first * second), product)
    return math.exp(apart), None if interval is None else (math.exp(interval[0]), math.exp(interval[1]))
