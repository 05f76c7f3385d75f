"""What measurements share that are recorded as they go: where they ran, and how they ended."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from workbench.bench.environment import environment
from workbench.bench.history import History, Kind, Recorder, model_hash
from workbench.bench.results import Benchmark
from workbench.config import InferenceConfig
from workbench.core import warm
from workbench.errors import CancelledError, ConfigError, HistoryWarning, WorkbenchError
from workbench.models import Model

# Of what a runtime says of itself: where it is installed is nobody else's business.
RUNTIME_FACTS = ("paddle", "commit", "python", "numpy", "cuda", "cudnn")


def described(configs: Iterable[InferenceConfig]) -> dict[str, Any]:
    """`environment` with the runtime of the first config; of several, ``runtimes`` has all by name.

    Raises:
        ConfigError: for what is no config.
        RuntimeMissingError: if a runtime is missing or cannot import Paddle.
    """
    runtimes: dict[str, dict[str, Any]] = {}
    for config in configs:
        if not isinstance(config, InferenceConfig):
            raise ConfigError(f"{config!r} is no config: give one such as InferenceConfig(threads=2)")
        if config.runtime not in runtimes:
            about = warm(config.runtime).about
            runtimes[config.runtime] = {fact: about.get(fact) for fact in RUNTIME_FACTS}
    facts = environment(next(iter(runtimes.values())))
    return {**facts, "runtimes": runtimes} if len(runtimes) > 1 else facts


def shapes_of(cases: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """The shapes of arrays by name; -1, as Paddle has it, for a dimension that differs between cases."""
    return {
        name: [
            sizes[0] if len(set(sizes)) == 1 else -1
            for sizes in zip(*(case[name].shape for case in cases), strict=True)
        ]
        for name in cases[0]
    }


def model_facts(model: Model) -> dict[str, Any]:
    """What the history keeps of a model.

    Raises:
        ModelError: if its files cannot be read any more.
    """
    return {"name": model.name, "hash": model_hash(model), "ir": model.ir}


def check_history() -> None:
    """For what is recorded once it is over: a history that cannot be is told before anything is measured.

    Raises:
        WorkbenchError: the history is damaged, is none, or was written by a newer release.
    """
    History().entries(limit=1)


def record_whole(
    kind: Kind,
    facts: Mapping[str, Any],
    found: Benchmark,
    inputs: Mapping[str, Sequence[int]],
    seconds: float,
    began: datetime,
) -> int | None:
    """Write a measurement that is over into this user's history.

    Args:
        kind: what was measured.
        facts: the model's, from `model_facts`.
        found: what came of it.
        inputs: shapes by name.
        seconds: how long was asked for.
        began: when it began.

    Returns:
        Its id; None where it is not recorded. A warning says why: what was measured is not lost with it.
    """
    try:
        return History().add(
            kind, facts, found.environment, found.runs, began=began, seconds=seconds, inputs=inputs
        )
    except WorkbenchError as error:
        warnings.warn(f"{facts['name']} is not recorded: {error}", HistoryWarning, stacklevel=2)
        return None


@contextmanager
def recording(
    kind: Kind,
    model: Model,
    where: Mapping[str, Any],
    inputs: Mapping[str, Sequence[int]],
    seconds: float,
    *,
    record: bool = True,
) -> Iterator[Recorder]:
    """A recorder in this user's history; what ends this block before `Recorder.end` is recorded as its end.

    Args:
        kind: what is measured.
        model: the model, whose content is hashed.
        where: the environment.
        inputs: shapes by name.
        seconds: how long was asked for.
        record: whether to; else the recorder does nothing.

    Raises:
        WorkbenchError: the history is damaged, is none, or was written by a newer release.
    """
    history = History()
    if record and history.path is not None:
        recorder = history.begin(kind, model_facts(model), where, seconds=seconds, inputs=inputs)
    else:
        recorder = Recorder(None, {})
    try:
        yield recorder
    except (CancelledError, KeyboardInterrupt) as error:
        recorder.end("cancelled", str(error))
        raise
    except BaseException as error:
        recorder.end("failed", str(error) or type(error).__name__)
        raise
