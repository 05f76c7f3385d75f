"""Which candidates are tried: all of them where they are few, else what a sampler of Optuna proposes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from workbench.bench.tuning.space import Candidate

# A sampler that has found the best place proposes it again and again.
ASKED_AGAIN = 10
FAILED_AS = 100.0


class Proposals(Protocol):
    """Where candidates come from."""

    def ask(self, count: int) -> list[Candidate]:
        """Up to so many that were not given before; none when there are no more."""

    def tell(self, candidate: Candidate, ratio: float | None) -> None:
        """What was measured of one that was given; None where it failed or may not be chosen."""


class Listed:
    """All of these, in random order, so that a search cut short has seen some of everything."""

    def __init__(self, candidates: Sequence[Candidate], seed: int) -> None:
        self._left = list(candidates)
        random.Random(seed).shuffle(self._left)

    def ask(self, count: int) -> list[Candidate]:
        """The next ones."""
        given, self._left = self._left[:count], self._left[count:]
        return given

    def tell(self, candidate: Candidate, ratio: float | None) -> None:
        """Nothing depends on it."""


class Sampled:
    """What Optuna's tree-structured Parzen estimator proposes, told what was measured.

    Its pruners are not used: they judge a trial by values that others had at other times, and latencies of
    different minutes do not compare. The rungs are ours therefore, and ours is the record of trials.

    Args:
        knobs: the values of each.
        make: the candidate with such values, or None if that combination means nothing.
        known: what needs no measurement, such as the base.
        first: combinations to begin with.
        seed: of the sampler.
    """

    def __init__(
        self,
        knobs: Mapping[str, Sequence[Any]],
        make: Callable[[Mapping[str, Any]], Candidate | None],
        known: Mapping[Candidate, float],
        first: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # Candidates are asked for in groups: the liar keeps those of one group apart.
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._study = optuna.create_study(sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._knobs: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.CategoricalDistribution(tuple(values))
            for name, values in knobs.items()
        }
        self._make = make
        self._known: dict[Candidate, float | None] = dict(known)
        self._open: dict[Candidate, Any] = {}
        for values in first:
            self._study.enqueue_trial(dict(values))

    def ask(self, count: int) -> list[Candidate]:
        """Proposals; what was proposed before is answered from what is known."""
        given: list[Candidate] = []
        for _ in range(ASKED_AGAIN * count):
            trial = self._study.ask(self._knobs)
            candidate = self._make(trial.params)
            if candidate is None or candidate in self._open:
                self._study.tell(trial, state=self._failed)
            elif candidate in self._known:
                self._answer(trial, self._known[candidate])
            else:
                self._open[candidate] = trial
                given.append(candidate)
                if len(given) == count:
                    break
        return given

    def tell(self, candidate: Candidate, ratio: float | None) -> None:
        """Pass it on."""
        self._known[candidate] = ratio
        self._answer(self._open.pop(candidate), ratio)

    def _answer(self, trial: Any, ratio: float | None) -> None:
        # Of a trial that failed the estimator learns nothing: as one that is very slow, it leads away.
        self._study.tell(trial, math.log(FAILED_AS if ratio is None else ratio))
