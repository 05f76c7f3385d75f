"""What can be tuned: the knobs, their values, and which of their combinations are configs of their own."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np

from workbench.config import InferenceConfig
from workbench.errors import ConfigError, WorkbenchError
from workbench.models import Model

Goal = Literal["latency", "throughput"]

BATCHES = (1, 2, 4, 8, 16, 32)
# Of the whole time, what one run of a batch in the default space may take: some twenty runs measure it.
RUN_MOST = 0.004
# Fields of a config that are no knobs: passes are one of their own, ops in fp32 are a matter of accuracy.
_NO_KNOBS = ("fp32_ops", "disabled_passes", "enabled_passes")
KNOBS = (*(name for name in InferenceConfig.__struct_fields__ if name not in _NO_KNOBS), "batch", "passes")


class Candidate(NamedTuple):
    """A config and the batch it runs on."""

    config: InferenceConfig
    batch: int

    def label(self, base: Candidate) -> str:
        """Its name: that of its config, and its batch where that is not the base's."""
        return self.config.label + (f", batch {self.batch}" if self.batch != base.batch else "")


@dataclass(frozen=True)
class Space:
    """Where the search goes.

    Attributes:
        base: where it begins.
        knobs: the values of each setting.
        passes: what may be switched off; None for all that change something.
        notices: what is left out, and why.
        given: whether the user chose it.
    """

    base: Candidate
    knobs: Mapping[str, tuple[Any, ...]]
    passes: tuple[str, ...] | None
    notices: tuple[str, ...] = ()
    given: bool = False

    @property
    def size(self) -> int:
        """How many combinations there are, equal ones included."""
        return math.prod(map(len, self.knobs.values()))

    def all(self) -> Iterator[Candidate]:
        """Every candidate but the base, once."""
        combinations = (
            self.candidate(dict(zip(self.knobs, values, strict=True)))
            for values in product(*self.knobs.values())
        )
        yield from dict.fromkeys(one for one in combinations if one is not None and one != self.base)

    def candidate(self, values: Mapping[str, Any]) -> Candidate | None:
        """The candidate with these settings, in the form in which equal ones are the same.

        Returns:
            None for a combination that means nothing.
        """
        values = dict(values)
        batch = values.pop("batch", self.base.batch)
        config = self.base.config.replace(**values)
        low = config.device == "cpu" and config.precision in ("bf16", "int8")
        # Low precision on a CPU is the work of oneDNN's passes.
        if low and (config.onednn is False or not config.ir_optim):
            return None
        # oneDNN's kernels are chosen by a pass, which does not run then.
        if not config.ir_optim:
            config = config.replace(onednn=self.base.config.onednn)
        return Candidate(config, batch)


def default_space(model: Model, base: Candidate, goal: Goal, *, bf16: bool, onednn: bool) -> Space:
    """All that can differ on this machine.

    The IR is that of the model's files, which no config changes.

    Args:
        model: the model.
        base: the config to begin from.
        goal: batch is a knob where it is throughput.
        bf16: whether the CPU has instructions for it.
        onednn: what a config that does not say gets.
    """
    config, notices = base.config, []
    knobs: dict[str, tuple[Any, ...]] = {}
    if config.device == "cpu":
        cores = len(os.sched_getaffinity(0))
        doubled = [2**power for power in range(cores.bit_length()) if 2**power <= cores]
        knobs["threads"] = tuple(sorted({*doubled, cores, config.threads}))
        is_on = onednn if config.onednn is None else config.onednn
        knobs["onednn"] = (config.onednn, not is_on)
        if bf16:
            knobs["precision"] = tuple(dict.fromkeys((config.precision, "bf16")))
        else:
            notices.append("bf16 is left out: this CPU has no instructions for it")
    knobs["ir_optim"] = (config.ir_optim, not config.ir_optim)
    knobs["memory_optim"] = (config.memory_optim, not config.memory_optim)
    if goal == "throughput":
        if batches_open(model):
            knobs["batch"] = tuple(sorted({*BATCHES, base.batch}))
        else:
            notices.append(f"batch is left out: no input of {model.name} has an open first dimension")
    return Space(base, knobs, None, tuple(notices))


def given_space(
    model: Model, base: Candidate, goal: Goal, values: Mapping[str, Sequence[Any]], *, onednn: bool
) -> Space:
    """The space that a user gives, checked.

    Raises:
        ConfigError: for an unknown knob, or a value it cannot have.
    """
    knobs: dict[str, tuple[Any, ...]] = {}
    passes: tuple[str, ...] = ()
    for name, some in values.items():
        if name not in KNOBS:
            raise ConfigError(f"unknown knob {name!r} in the space: give some of {', '.join(KNOBS)}")
        if isinstance(some, str) or not isinstance(some, Sequence) or not some:
            raise ConfigError(f"{name} is {some!r} in the space: give a list of values to try")
        if name == "passes":
            passes = base.config.replace(disabled_passes=tuple(some), enabled_passes=()).disabled_passes
            continue
        if name == "batch":
            _check_batches(model, goal, some)
        else:
            for value in some:
                base.config.replace(**{name: value})
        if name == "onednn":
            # What a config gets that does not say is the same as saying it.
            some = [base.config.onednn if _is_on(value, base, onednn) else value for value in some]
        knobs[name] = tuple(dict.fromkeys(some))
    return Space(base, knobs, passes, given=True)


def _is_on(value: bool | None, base: Candidate, default: bool) -> bool:
    """Whether a value of oneDNN is what the base has."""
    asked, has = (default if one is None else one for one in (value, base.config.onednn))
    return asked == has


def _check_batches(model: Model, goal: Goal, some: Sequence[Any]) -> None:
    if goal != "throughput":
        raise ConfigError("batch is a knob for the goal 'throughput' only: give that goal, or leave it out")
    if not batches_open(model):
        raise ConfigError(
            f"no input of {model.name} has an open first dimension: leave batch out, "
            "or export it with None there"
        )
    for value in some:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"batch is {value!r} in the space: give whole numbers above 0")


def batches_open(model: Model) -> bool:
    """Whether an input has an open first dimension."""
    return any((info.shape or ())[:1] == (-1,) for info in model.inputs)


def batch_of(model: Model, inputs: Mapping[str, Any]) -> int:
    """The size of the open first dimension; 1 where there is none.

    Raises:
        WorkbenchError: if inputs differ in it.
    """
    sizes = {
        len(inputs[info.name])
        for info in model.inputs
        if (info.shape or ())[:1] == (-1,) and np.shape(inputs.get(info.name, 0))
    }
    if len(sizes) > 1:
        raise WorkbenchError(f"inputs have {sorted(sizes)} rows: give them the same number")
    return max(1, sizes.pop()) if sizes else 1


def repeated(model: Model, inputs: Mapping[str, Any], batch: int) -> dict[str, Any]:
    """The inputs with so many rows: those there are, over and over."""
    open_ = {info.name for info in model.inputs if (info.shape or ())[:1] == (-1,)}
    return {
        name: np.take(array, np.arange(batch) % len(array), axis=0)
        if name in open_ and len(array) != batch
        else array
        for name, array in inputs.items()
    }
