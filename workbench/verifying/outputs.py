"""Whether two engines give the same: their outputs side by side, over as many batches as there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from workbench.bench.benchmark import Progress, cancels
from workbench.config import InferenceConfig
from workbench.core.tensors import Array, check_inputs
from workbench.errors import CancelledError, ConfigError, InputError
from workbench.models import Model, load
from workbench.verifying.batches import Batch, Batches
from workbench.verifying.difference import Differing, OutputDifference
from workbench.verifying.sources import TRAINING, Source, in_session, source_of
from workbench.verifying.tolerance import Tolerance, tolerances_of


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        model: the model's name.
        given: what was looked at, in words.
        expected: what it was compared with, in words.
        outputs: the difference of each output, under the names of the model.
        batches: how many were compared.
        notices: where a config was not given as asked, and what was not compared.
        first_divergence: where inside the model both part, as plain values; None where nobody looked for it.
    """

    model: str
    given: str
    expected: str
    outputs: tuple[OutputDifference, ...]
    batches: int
    notices: tuple[str, ...]
    first_divergence: Any = None

    @property
    def passed(self) -> bool:
        """Whether every output is within its tolerance."""
        return all(one.passed for one in self.outputs)

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "model": self.model,
            "given": self.given,
            "expected": self.expected,
            "batches": self.batches,
            "passed": self.passed,
            "outputs": [one.facts() for one in self.outputs],
            "first_divergence": self.first_divergence,
            "notices": list(self.notices),
        }

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The head and the rows of a table for people, a row per output."""
        ks = list(dict.fromkeys(k for one in self.outputs for k in one.top_k))
        head = ("output", "dtype", "max abs", "max rel", "mean abs", "cosine", "ULPs", "NaN/inf", "beyond")
        rows = [
            (
                one.name,
                one.dtype,
                _number(one.max_abs_diff),
                _number(one.max_rel_diff),
                _number(one.mean_abs_diff),
                "–" if one.cosine is None else f"{one.cosine:.8f}",
                "–" if one.max_ulps is None else str(one.max_ulps),
                str(one.unmatched),
                f"{one.exceeding} of {one.values}",
                *("–" if k not in one.top_k else f"{one.top_k[k]:.2%}" for k in ks),
                str(one.tolerance or "–"),
                "passed" if one.passed else "FAILED",
            )
            for one in self.outputs
        ]
        return (*head, *(f"top-{k}" for k in ks), "tolerance", ""), rows

    @property
    def summary(self) -> str:
        """The answer in one line."""
        failed = sum(not one.passed for one in self.outputs)
        answer = f"{failed} of {_counted(len(self.outputs), 'output')} FAILED" if failed else "passed"
        batches = _counted(self.batches, "batch", "es")
        return f"{self.model}: {self.given} against {self.expected}, {batches}: {answer}"

    def remarks(self) -> list[str]:
        """For each output that failed what is wrong with it, a line each."""
        lines = []
        for one in self.outputs:
            lines += [f"{one.name}: {text}" for text in what_failed(one)]
        return lines

    def __str__(self) -> str:
        head, rows = self.table()
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        last = len(head) - 2  # the tolerance and the answer are words, as the first two are
        lines = [
            "  ".join(
                cell.ljust(width) if at < 2 or at >= last else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (head, *rows)
        ]
        return "\n".join([self.summary, *lines, *self.remarks()])


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
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
) -> Verification:
    """Compare the outputs of a model under a config with what something else gives on the same inputs.

    Outputs of the same name are compared; those that only one side has, in their order, if there are as many
    on both sides, since names differ between exports. Batches are streamed: one is held at a time.

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
    found = tuple(one.result() for one in work.differing.values())
    return Verification(
        model.name, given.label, expected.label, (*found, *work.missing), work.batches, tuple(notices)
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


def what_failed(one: OutputDifference) -> list[str]:
    """Why an output did not pass, in words; nothing if it did."""
    lines = [one.remark] if one.remark else []
    if one.failing and one.batches > 1:
        worst_batch = "" if one.worst_batch is None else f", worst is batch {one.worst_batch}, counted from 0"
        lines.append(f"{one.failing} of {one.batches} batches failed{worst_batch}")
    if one.unmatched:
        first = one.positions[0]
        lines.append(
            f"NaN or infinity in {_counted(one.unmatched, 'element')} of one side alone; the first at "
            f"{list(first.index)}: {_value(first.given)} given, {_value(first.expected)} expected"
        )
    if one.exceeding and one.worst is not None:
        worst = one.worst
        lines.append(
            f"{_counted(one.exceeding, 'element')} beyond the tolerance; worst at {list(worst.index)}: "
            f"{_value(worst.given)} given, {_value(worst.expected)} expected"
        )
    return lines


def _counted(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{plural * (count != 1)}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _value(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _go_on(cancel: threading.Event) -> None:
    if cancel.is_set():
        raise CancelledError("the comparison was cancelled")
