"""Whether two engines give the same: their outputs side by side, over as many batches as there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.bench.benchmark import Progress, cancels
from workbench.config import InferenceConfig
from workbench.core.tensors import Array, check_inputs
from workbench.errors import CancelledError, ConfigError, InputError
from workbench.models import Model, load
from workbench.verifying.batches import Batch, Batches
from workbench.verifying.difference import OutputDifference
from workbench.verifying.differing import Differing
from workbench.verifying.sources import TRAINING, Source, in_session, source_of
from workbench.verifying.tolerance import Tolerance, tolerances_of
from workbench.verifying.verification import Verification

if TYPE_CHECKING:
    from workbench.verifying.divergence import Divergence


def verify(
    model: Model | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    against: Any = TRAINING,
    inputs: Any = None,
    *,
    batches: int | None = None,
    seed: int = 0,
    tolerance: Any = None,
    top_k: Sequence[int] = (),
    where: bool = False,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
) -> Verification:
    """Compare the outputs of a model under a config with what something else gives on the same inputs.

    Outputs of the same name are compared; those that only one side has, in their order, if there are as many
    on both sides, since names differ between exports. Batches are streamed: one is held at a time, and the
    first one.

    Args:
        model: a model or its path.
        config: what to look at; the default config if None.
        against: what is expected: "training", the training engine in this process; an `InferenceConfig` (with
            ``runtime`` for another runtime) or ``key=value,…`` as changes to ``config``; another model or its
            path; saved arrays (a mapping, an .npz, for several batches a list or a folder of those); a
            `Session`; or anything with ``run(inputs) -> outputs``.
        inputs: None for random ones; arrays by name; an .npz or .npy file or a folder of those; or an
            iterable of mappings, such as a data loader. See `Batches`.
        batches: at most so many; if None, one where they are random, else all there are.
        seed: of random inputs, of which every batch has others.
        tolerance: what counts as the same; by default by the dtype, or by the precision of a config that
            computes in a coarser one, and by the magnitude of the output in the first batch; see
            `default_tolerance`. A number (absolute), a pair ``(atol, rtol)`` or a `Tolerance` for all, or a
            mapping of output name to one of those, with "*" for all others.
        top_k: for these k, count the rows in which both have the same k largest. It is no part of ``passed``.
        where: if an output does not pass, look for the first op that differs, on the first batch; see
            `first_divergence`. What is expected of ops is what the config on the other side gives, or, where
            that is no config, the inference engine without oneDNN and optimization.
        progress: called with the share done, 0 to 1 (0 where the number of batches is not known), and what
            happens now.
        cancel: set it to stop.
        time_limit: seconds that any one native call may take; the training engine knows no limit.

    Raises:
        CancelledError: after ``cancel`` was set.
        InputError: for inputs, saved arrays or tolerances that do not fit.
        ConfigError: for a config or an ``against`` that means nothing.
        WorkbenchError: as `Session.run`, if one of both fails; the message begins with which.
    """
    model = model if isinstance(model, Model) else load(model)
    config = InferenceConfig() if config is None else config
    if not isinstance(config, InferenceConfig):
        raise ConfigError(
            f"config is {config!r}; give an InferenceConfig, such as InferenceConfig(threads=2)"
        )
    for k in top_k:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(f"top_k holds {k!r}: give whole numbers above 0, such as (1, 5)")
    allowed = tolerances_of(tolerance, [info.name for info in model.outputs])
    feed = Batches(model, inputs, batches, seed)
    cancel, progress = cancel or threading.Event(), progress or (lambda share, text: None)
    _go_on(cancel)
    with ExitStack() as stack:
        progress(0.0, "starting")
        given = in_session(model, config, time_limit)
        stack.callback(given.close)
        expected = source_of(against, model, config, time_limit=time_limit)
        stack.callback(expected.close)
        sessions = [one.session for one in (given, expected) if one.session is not None]
        stack.enter_context(cancels(cancel, sessions))
        work = _Work(model, given, expected, allowed, top_k)
        stream = iter(feed)
        # No loop variable: it would hold a batch while the next one is made.
        while work.compare_next(stream):
            _go_on(cancel)
            progress(work.batches / feed.count if feed.count else 0.0, f"batch {work.batches}")
        if not work.batches:
            raise InputError("there are no inputs: give one batch or more")
        notices = [*given.notices(), *expected.notices(), *work.notices]
    outputs = (*(one.result() for one in work.differing.values()), *work.missing)
    found = Verification(model.name, given.label, expected.label, outputs, work.batches, tuple(notices))
    if found.passed or not where:
        return found
    progress(0.0, "looking for the first op that differs")
    return replace(found, first_divergence=_first_divergence(work, config, progress, cancel, time_limit))


def _first_divergence(
    work: _Work,
    config: InferenceConfig,
    progress: Progress,
    cancel: threading.Event,
    time_limit: float | None,
) -> Divergence:
    from workbench.verifying.divergence import first_divergence

    other = work.expected.session
    return first_divergence(
        work.model,
        config,
        None if other is None else other.config,
        work.first,
        other=None if other is None or other.model is work.model else other.model,
        progress=progress,
        cancel=cancel,
        time_limit=time_limit,
    )


@dataclass
class _Work:
    """Compares batch after batch."""

    model: Model
    given: Source
    expected: Source
    allowed: Mapping[str, Tolerance | None]
    top_k: Sequence[int]
    batches: int = 0
    first: Mapping[str, Array] | None = None
    names: tuple[list[str], list[str]] | None = None
    # By the name of what is expected, and the name of what is given that it is compared with.
    pairs: dict[str, str] = field(default_factory=dict)
    differing: dict[str, Differing] = field(default_factory=dict)
    missing: list[OutputDifference] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def compare_next(self, batches: Any) -> bool:
        """Compare on the next batch, if there is one."""
        batch: Batch | None = next(batches, None)
        if batch is None:
            return False
        # First, since another engine may be given them under the names it has for them.
        arrays = check_inputs(batch, self.model.inputs)
        if self.first is None:
            self.first = arrays
        expected, given = self.expected.run(arrays), self.given.run(arrays)
        names = list(expected), list(given)
        if self.names is None:
            self.names = names
            self._match(expected, given)
        elif names != self.names:
            which = self.expected if names[0] != self.names[0] else self.given
            raise InputError(
                f"{which.label} has other outputs in batch {self.batches} than before: give the same in each"
            )
        for name, one in self.differing.items():
            one.add(expected[name], given[self.pairs[name]])
        self.batches += 1
        return True

    def _match(self, expected: Mapping[str, Array], given: Mapping[str, Array]) -> None:
        self.pairs = {name: name for name in expected if name in given}
        only_expected = [name for name in expected if name not in given]
        only_given = [name for name in given if name not in expected]
        if len(only_expected) == len(only_given):
            self.pairs |= dict(zip(only_expected, only_given, strict=True))
            if only_expected:
                said = ", ".join(
                    f"{other} with {name}" for name, other in self.pairs.items() if name != other
                )
                self.notices.append(f"names differ, so these were compared by their place: {said}")
        else:
            self.missing = [self._missing(name) for name in only_expected]
            self.notices += [
                f"{name} is not compared: {self.expected.label} has no output of that name"
                for name in only_given
            ]
        sessions = [one.session for one in (self.given, self.expected) if one.session is not None]
        precisions = [str(one.given["precision"]) for one in sessions]
        # In the model's order.
        for other in given:
            for name in (name for name, partner in self.pairs.items() if partner == other):
                self.differing[name] = self._differing(name, other, expected[name], precisions)

    def _differing(self, name: str, other: str, array: Array, precisions: Sequence[str]) -> Differing:
        # Saved arrays do not say that their bits are those of bfloat16, and the other side does.
        said = {self.expected.dtypes.get(name), self.given.dtypes.get(other)}
        dtype = "bfloat16" if "bfloat16" in said and array.dtype == "uint16" else array.dtype.name
        return Differing(other, self.allowed.get(other), self.top_k, dtype=dtype, precisions=precisions)

    def _missing(self, name: str) -> OutputDifference:
        remark = f"{self.given.label} has no output of this name, and {self.expected.label} has"
        found = Differing(name).result()
        return OutputDifference(**{**vars(found), "remark": remark})


def _go_on(cancel: threading.Event) -> None:
    if cancel.is_set():
        raise CancelledError("the comparison was cancelled")
