"""What a benchmark has measured: every sample, by config, launch and round."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from workbench.config import InferenceConfig

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Round:
    """Runs of one config within a short time, in which all configs had their turns.

    Attributes:
        samples_ms: the latency of each run, in milliseconds, in order.
        began_s: when it began, in seconds since the benchmark did; for all configs the same.
        others: the share of the machine's processor time that other programs took meanwhile, 0 to 1.
        mhz: the mean clock of the processor's cores at its end.

    The last two are None where the system does not say.
    """

    samples_ms: Floats
    began_s: float = 0.0
    others: float | None = None
    mhz: float | None = None


@dataclass(frozen=True, eq=False)
class Launch:
    """One predictor in a worker process of its own, from its creation to its end.

    Two launches of the same config differ by more than their runs do: each has its own memory layout.

    Attributes:
        create_ms: creating the predictor, in milliseconds.
        first_ms: the first run, with the transfer of its inputs and outputs.
        warmup_ms: the runs before steady state, in order.
        rounds: the runs in steady state.
        peak_bytes: the most memory the process held, or None where the system does not say.
    """

    create_ms: float
    first_ms: float
    warmup_ms: Floats
    rounds: tuple[Round, ...]
    peak_bytes: int | None = None

    @property
    def cold_ms(self) -> float:
        """From nothing to the first answer: creation and first run."""
        return self.create_ms + self.first_ms


@dataclass(frozen=True, eq=False)
class Run:
    """The latencies of one config.

    Attributes:
        label: its name in charts and tables.
        config: what was asked for.
        notices: where asked and given differ, in words.
        launches: the predictors that were measured, one after the other.
    """

    label: str
    config: InferenceConfig
    notices: tuple[str, ...]
    launches: tuple[Launch, ...]

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds of all launches."""
        return tuple(one for launch in self.launches for one in launch.rounds)

    @cached_property
    def samples_ms(self) -> Floats:
        """All samples of steady state, in the order they were taken."""
        return np.concatenate([one.samples_ms for one in self.rounds])

    @property
    def peak_bytes(self) -> int | None:
        """The most memory that any of its processes held, or None where the system does not say."""
        return max((one.peak_bytes for one in self.launches if one.peak_bytes is not None), default=None)
