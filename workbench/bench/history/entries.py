"""What the history gives back: measurements, their configs, and points in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

Kind = Literal["benchmark", "profile", "ablation", "tuning", "throughput", "scan"]
End = Literal["finished", "cancelled", "failed"]
State = Literal["running", "finished", "cancelled", "failed", "died"]

KINDS: tuple[str, ...] = get_args(Kind)
_PADDLE = (("runtime", "paddle"), ("paddle", "version"), ("paddle",))


@dataclass(frozen=True)
class Summary:
    """One config of a measurement, without its samples.

    Attributes:
        position: its place among the configs of the measurement, from 0.
        label: its name in charts and tables.
        config: what was asked for, as plain values by field.
        notices: where asked and given differ, in words.
        samples: the number of samples in steady state.
        p50_ms: their median; None, as the two others, where there are no samples.
        p90_ms: their 90th percentile.
        p99_ms: their 99th percentile.
        ci95: 95 % interval of the median; None where there is too little to say, and where the measurement
            did not finish.
    """

    position: int
    label: str
    config: Mapping[str, Any]
    notices: tuple[str, ...]
    samples: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    ci95: tuple[float, float] | None = None


@dataclass(frozen=True)
class Entry:
    """One measurement, without its samples, which `History.runs` reads.

    Attributes:
        id: its number in this history; never given again.
        began: when it began, in UTC.
        kind: what was done.
        model: the model's name.
        model_hash: the SHA-256 of its content, by `model_hash`.
        ir: "pir" or "program".
        inputs: the shapes of the inputs by name; -1 for what differed between its configs.
        environment: the machine and its software, as the measurement described them.
        seconds: how long was asked for, None where nothing was.
        state: "died" where the process was gone before the measurement ended.
        error: what went wrong, or "".
        result: the result as plain values; None for a benchmark, a scan or a tuning, which its runs are.
        runs: its configs, in order.
    """

    id: int
    began: datetime
    kind: Kind
    model: str
    model_hash: str
    ir: str
    inputs: Mapping[str, list[int]]
    environment: Mapping[str, Any]
    seconds: float | None
    state: State
    error: str
    result: Any
    runs: tuple[Summary, ...]

    @property
    def cpu(self) -> str:
        """The CPU's model, "" where the environment does not say."""
        return _said(self.environment, ("cpu_model",), ("cpu", "model"), ("cpu",))

    @property
    def paddle(self) -> str:
        """The version of Paddle of the first config, "" where the environment does not say."""
        return _said(self.environment, *_PADDLE)

    def paddle_of(self, run: Summary) -> str:
        """The version of Paddle that one of its configs ran on; each may ask for a runtime of its own."""
        return _said(self.environment, ("runtimes", str(run.config.get("runtime")), "paddle"), *_PADDLE)

    def facts(self) -> dict[str, Any]:
        """Plain values: id, began (ISO text in UTC), kind, model, …, state and runs, without samples."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["began"] = self.began.isoformat()
        return plain


@dataclass(frozen=True)
class Point:
    """One config of one benchmark, as a point in time.

    Attributes:
        began: when the measurement began, in UTC.
        label: the config's name.
        config: what was asked for, as plain values by field.
        samples: the number of samples; all percentiles are of these.
        p50_ms: their median.
        p90_ms: their 90th percentile.
        p99_ms: their 99th percentile.
        ci95: 95 % interval of the median, None where it is not known.
        cpu: the CPU's model, "" where unknown.
        paddle: the version of Paddle, "" where unknown.
        entry: the measurement it is from.
    """

    began: datetime
    label: str
    config: Mapping[str, Any]
    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    ci95: tuple[float, float] | None
    cpu: str
    paddle: str
    entry: Entry


def _said(environment: Mapping[str, Any], *places: Sequence[str]) -> str:
    """The first of these places in nested plain values that holds a text."""
    for place in places:
        value: Any = environment
        for name in place:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            return value
    return ""
