"""Leaves passes out, alone, in pairs and from the last to the first, and measures each beside all of them."""

from __future__ import annotations

import itertools
import math
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bench.ablation.kept import Batch, Kept, Look, Off, Worth, arguments_of, default_folder
from workbench.bench.ablation.looking import FAILURES, Outputs, effect, interactions, look, registered
from workbench.bench.ablation.results import (
    Ablation,
    PairWorth,
    PassWorth,
    Step,
    against_product,
    difference,
)
from workbench.bench.benchmark import Case, Progress, check_seconds, go_on, measure
from workbench.bench.inputs import random_inputs
from workbench.bench.recording import recording, shapes_of
from workbench.config import InferenceConfig
from workbench.core.tensors import check_inputs
from workbench.errors import ConfigError
from workbench.models import Model, load

# Configs that take turns with the baseline: each holds the model in memory, and each batch is kept when done.
BATCH = 4
# How the time goes, roughly: looking, then passes alone, then in order, then pairs.
_PHASES = (0.0, 0.1, 0.35, 0.6, 1.0)


def ablate(
    model: Model | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    seconds: float = 2.0,
    pairs: bool = True,
    passes: Sequence[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    record: bool = True,
) -> Ablation:
    """Find what each pass that changes something is worth.

    Each is left out alone; pairs that interact are left out together; and from none of them to all, they are
    switched on in the order they ran. Every config takes turns with the baseline, and its outputs are set
    beside the baseline's. One that fails is kept with its words. What is finished is kept in a folder, and a
    call with the same arguments continues there.

    Two passes interact where one changes otherwise when the other is left out, or takes in what it made.

    Args:
        model: a model or its path.
        config: the baseline; the default config if None.
        inputs: arrays by name; random ones if None, as in `benchmark`.
        seconds: steady-state measurement per config, at most.
        pairs: measure pairs, too, which may take longest.
        passes: leave out only these; by default all that changed something.
        folder: where to keep what is finished; by default one in the user's cache, another per arguments.
        progress: called with the share done, 0 to 1, and what happens now.
        cancel: set it to stop; what is finished stays.
        time_limit: seconds that any one native call may take.
        seed: of the random inputs and of the order.
        record: write it into the history: every batch of configs as it is measured, and, unless nothing was
            measured anew, its facts at the end; see `workbench.History`.

    Raises:
        CancelledError: after ``cancel`` was set.
        ConfigError: for one of ``passes`` that changes nothing.
        WorkbenchError: if the folder holds something else or cannot be written to; as `Session.run` for the
            baseline.
    """
    check_seconds(seconds)
    if isinstance(passes, str):
        raise ConfigError(f"passes is {passes!r}: give a list of pass names")
    model = model if isinstance(model, Model) else load(model)
    config = InferenceConfig() if config is None else config
    if not isinstance(config, InferenceConfig):
        raise ConfigError(
            f"config is {config!r}; give an InferenceConfig, such as InferenceConfig(threads=2)"
        )
    arrays = random_inputs(model, seed=seed) if inputs is None else inputs
    only = None if passes is None else list(dict.fromkeys(map(registered, passes)))
    arguments = arguments_of(model, config, arrays, seconds=seconds, pairs=pairs, passes=only, seed=seed)
    kept = Kept(default_folder(arguments) if folder is None else Path(folder), arguments)
    work = _Work(
        model,
        config,
        arrays,
        seconds,
        kept,
        progress or (lambda share, text: None),
        cancel or threading.Event(),
        time_limit,
        seed,
        record,
    )
    found = work.ablation(pairs, only)
    if kept.grew and kept.batches:
        shapes = shapes_of([check_inputs(arrays, model.inputs)])
        with recording("ablation", model, found.environment, shapes, seconds, record=record) as recorder:
            recorder.end("finished", result=found.facts())
    return found


@dataclass
class _Work:
    """What is to be found out, and what is known already."""

    model: Model
    config: InferenceConfig
    inputs: Mapping[str, Any]
    seconds: float
    kept: Kept
    progress: Progress
    cancel: threading.Event
    time_limit: float | None
    seed: int
    record: bool
    baseline: Outputs | None = None
    phase: int = 0
    notices: list[str] = field(default_factory=list)

    def ablation(self, pairs: bool, only: Sequence[str] | None) -> Ablation:
        self._tell(0.0, "tracing")
        base = self._look((), traced=True)
        assert base.deeds is not None  # of the baseline, a trace that fails is an error
        names = list(base.deeds)
        if only is not None:
            idle = [name for name in only if name not in base.deeds]
            if idle:
                raise ConfigError(
                    f"pass {idle[0]!r} changes nothing here: give some of {', '.join(names) or 'none'}"
                )
            names = [name for name in names if name in only]
        if not names:
            self.notices.append("no pass changed anything: there is nothing to leave out")
        looks = {}
        for place, name in enumerate(names):
            self._tell(place / len(names), f"without {name}: looking")
            looks[name] = self._look((name,), traced=True)
        self._measure([(name,) for name in names])
        able = [name for name in names if self._worth((name,)).ratio is not None]
        # Of all that can be off, the first so many are on.
        prefixes = [tuple(able[count:]) for count in range(len(able))]
        self._measure(prefixes)
        found = interactions(base.deeds, base.chained, {name: one.deeds for name, one in looks.items()})
        found = found if pairs else {}
        self._measure([pair for pair in found if self._alone(pair, base) is None])
        self.progress(1.0, "done")
        return self._told(base, names, able, prefixes, found)

    def _told(
        self,
        base: Look,
        names: Sequence[str],
        able: Sequence[str],
        prefixes: Sequence[tuple[str, ...]],
        found: Mapping[tuple[str, str], str],
    ) -> Ablation:
        medians = [batch.base_ms for batch in self.kept.batches if batch.base_ms is not None]
        base_ms = float(np.median(medians)) if medians else None
        assert base.deeds is not None
        passes = tuple(self._pass(name, base.deeds[name].stages, base_ms) for name in names)
        steps = self._steps(able, prefixes, base_ms)
        pairs = tuple(self._pair(pair, why, base) for pair, why in found.items())
        notices = [*base.notices, *self.notices]
        for name in names:
            looked = self.kept.looks[_off((name,))]
            notices += [f"without {name}: {text}" for text in looked.notices if text not in base.notices]
            if name not in able:
                notices.append(f"{name} stays on in every step of the order: it cannot be left out alone")
        if not self.kept.grew:
            notices.append(
                f"nothing was measured anew: this began {self.kept.began}; to measure again, remove the "
                "folder it is kept in"
            )
        where = self.kept.batches[0].environment if self.kept.batches else {}
        return Ablation(
            self.model.name,
            self.config,
            base_ms,
            passes,
            pairs,
            steps,
            tuple(notices),
            where,
            self.kept.folder.absolute(),
        )

    # Looking and measuring

    def _look(self, off: tuple[str, ...], *, traced: bool) -> Look:
        known = self.kept.looks.get(_off(off))
        if known is not None:
            return known
        go_on(self.cancel)
        try:
            found, outputs = self._try(off, traced=traced)
        except FAILURES as error:
            if not off:
                raise
            found = Look(off, error=str(error))
        else:
            if not off:
                self.baseline = outputs
            else:
                found = _with_effect(found, outputs, self._baseline())
        self.kept.add_look(found)
        return found

    def _try(self, off: tuple[str, ...], *, traced: bool) -> tuple[Look, Outputs]:
        return look(
            self.model,
            self.config,
            off,
            self.inputs,
            traced=traced,
            cancel=self.cancel,
            time_limit=self.time_limit,
        )

    def _baseline(self) -> Outputs:
        """Its outputs; they are not kept, so who continues runs it again."""
        if self.baseline is None:
            self.baseline = self._try((), traced=False)[1]
        return self.baseline

    def _measure(self, offs: Sequence[tuple[str, ...]]) -> None:
        """Measure what is not known yet, in batches."""
        self.phase += 1
        missing = []
        for off in {_off(off): off for off in offs}.values():
            if _off(off) not in self.kept.worths:
                self._tell(0.0, f"{_label(off)}: looking")
                if self._look(off, traced=False).error is None:
                    missing.append(off)
        batches = [missing[at : at + BATCH] for at in range(0, len(missing), BATCH)]
        for number, batch in enumerate(batches):
            self._batch(batch, number / len(batches), (number + 1) / len(batches))

    def _batch(self, offs: Sequence[tuple[str, ...]], begin: float, end: float) -> None:
        cases = [Case("all passes", self.config, self.inputs)]
        cases += [Case(_label(off), self.config.without(*off), self.inputs) for off in offs]
        try:
            found = measure(
                self.model,
                cases,
                seconds=self.seconds,
                progress=lambda share, text: self._tell(begin + share * (end - begin), text),
                cancel=self.cancel,
                time_limit=self.time_limit,
                seed=self.seed,
                record=self.record,
                kind="ablation",
            )
        except FAILURES as error:
            if len(offs) == 1:
                self.kept.add_batch(Batch((Worth(offs[0], error=str(error)),), None, {}))
                return
            # One of them fails: each is measured alone with the baseline, so that the others have a number.
            for place, off in enumerate(offs):
                width = (end - begin) / len(offs)
                self._batch([off], begin + place * width, begin + (place + 1) * width)
            return
        worths = tuple(
            Worth(off, one.ratio, one.ci95, one.verdict)
            for off, one in zip(offs, found.comparisons, strict=True)
        )
        base_ms = float(np.median(found.runs[0].samples_ms))
        self.kept.add_batch(Batch(worths, base_ms, dict(found.environment)))

    def _tell(self, share: float, text: str) -> None:
        begin, end = _PHASES[self.phase : self.phase + 2]
        self.progress(begin + share * (end - begin), text)

    # What was found

    def _worth(self, off: tuple[str, ...]) -> Worth:
        """What was measured, or why not."""
        known = self.kept.worths.get(_off(off))
        if known is None:
            known = Worth(off, error=self.kept.looks[_off(off)].error)
        return known

    def _effect(self, off: tuple[str, ...]) -> Any:
        looked = self.kept.looks.get(_off(off))
        return None if looked is None else looked.effect

    def _pass(self, name: str, stages: tuple[int, ...], base_ms: float | None) -> PassWorth:
        worth = self._worth((name,))
        ms = None if worth.ratio is None or base_ms is None else base_ms * (worth.ratio - 1)
        return PassWorth(
            name,
            stages,
            worth.ratio,
            worth.ci95,
            worth.verdict,
            ms,
            self._effect((name,)),
            worth.error,
        )

    def _single(self, name: str, base: Look) -> Worth:
        """A pass alone; one that changes nothing unless another is left out is worth nothing."""
        if base.deeds is not None and name not in base.deeds:
            return Worth((name,), 1.0, (1.0, 1.0), "no difference seen")
        return self._worth((name,))

    def _alone(self, pair: tuple[str, str], base: Look) -> str | None:
        """Why a pair cannot be compared with its passes alone."""
        lost = [name for name in pair if self._single(name, base).ratio is None]
        return f"without {lost[0]} alone there is nothing to compare with: it failed" if lost else None

    def _pair(self, pair: tuple[str, str], why: str, base: Look) -> PairWorth:
        alone = self._alone(pair, base)
        both = Worth(pair, error=alone) if alone else self._worth(pair)
        singles = [self._single(name, base) for name in pair]
        ratios = [one.ratio for one in singles if one.ratio is not None]
        product = math.prod(ratios) if len(ratios) == len(pair) else None
        together, interval = None, None
        if both.ratio is not None and product is not None:
            first, second = ((ratio, one.ci95) for ratio, one in zip(ratios, singles, strict=True))
            together, interval = against_product((both.ratio, both.ci95), first, second)
        return PairWorth(
            pair,
            why,
            both.ratio,
            both.ci95,
            product,
            together,
            interval,
            None if alone else self._effect(pair),
            both.error,
        )

    def _steps(
        self, able: Sequence[str], prefixes: Sequence[tuple[str, ...]], base_ms: float | None
    ) -> tuple[Step, ...]:
        if base_ms is None:
            return ()
        known: list[tuple[int, float, tuple[float, float] | None, Any]] = []
        for count, off in enumerate(prefixes):
            worth = self._worth(off)
            if worth.ratio is None:
                last = able[count - 1] if count else "none"
                self.notices.append(f"in the order, up to {last}, the model does not run: {worth.error}")
            else:
                known.append((count, worth.ratio, worth.ci95, self._effect(off)))
        known.append((len(able), 1.0, (1.0, 1.0), None))
        steps = []
        for before, after in itertools.pairwise(known):
            change, interval = difference(*after[1:3], *before[1:3])
            low, high = (None, None) if interval is None else (end * base_ms for end in interval)
            names = tuple(able[before[0] : after[0]])
            steps.append(
                Step(names, change * base_ms, low, high, before[1] * base_ms, after[1] * base_ms, before[3])
            )
        return tuple(steps)


def _with_effect(found: Look, outputs: Outputs, baseline: Outputs) -> Look:
    return Look(found.off, found.deeds, found.chained, effect(outputs, baseline), found.error, found.notices)


def _off(names: Sequence[str]) -> Off:
    return frozenset(names)


def _label(off: Sequence[str]) -> str:
    return f"without {' and '.join(off)}" if len(off) <= 2 else f"without {len(off)} passes"
