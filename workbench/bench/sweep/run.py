"""What is asked of a sweep, as units; and a result's way into the history."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from workbench.bench.benchmark import Progress, check_asked
from workbench.bench.recording import check_history, record_whole
from workbench.bench.results import Benchmark
from workbench.bench.sweep.attempt import Reply
from workbench.bench.sweep.cluster import DaskCrew, client_of
from workbench.bench.sweep.content import facts_of
from workbench.bench.sweep.crew import Crew, Ended, PoolCrew
from workbench.bench.sweep.drive import Driver, Unit
from workbench.bench.sweep.results import Sweep
from workbench.config import InferenceConfig
from workbench.core.tensors import check_inputs
from workbench.errors import ConfigError, InputError, WorkbenchError
from workbench.models import Model, load

if TYPE_CHECKING:
    from distributed import Client

# What workers with a GPU have by default: how dask's own documents name it.
TAGS: Mapping[InferenceConfig | str, str] = {"gpu": "GPU"}

Path = str | os.PathLike[str]


def sweep(
    models: Sequence[Model | Path] | Model | Path,
    configs: Sequence[InferenceConfig] | InferenceConfig | None = None,
    *,
    executor: Executor | Client | None = None,
    inputs: Mapping[str, Any] | None = None,
    seconds: float = 2.0,
    within: float = 0.01,
    launches: int | None = None,
    retries: int = 1,
    tags: Mapping[InferenceConfig | str, str | None] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    time_limit: float | None = None,
    record: bool = True,
) -> Sweep:
    """Measure models × configs, here or on as many machines as there are.

    The configs of a model are one unit: they are measured in turns, on one machine, so that they can be
    compared. A machine measures one unit at a time, however many workers it has: each waits for the lock
    ``workbench-benchmark.lock`` in the temp directory. A model that a machine does not have under the
    caller's path is sent to it once, and kept in its cache. A unit that fails is tried again, on another
    worker if there is one, unless what was asked for is wrong; one config that fails does not cost the others
    their numbers.

    Example:
        On the workers of a dask cluster; ``LocalCluster`` stands for any other::

            from distributed import Client, LocalCluster

            with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
                found = workbench.sweep(
                    [workbench.sample("digits"), workbench.sample("resnet18")],
                    [InferenceConfig(), InferenceConfig(onednn=False)],
                    executor=client,
                    progress=lambda share, text: print(f"{share:.0%} {text}"),
                )
            print(found)

    Args:
        models: models or their paths.
        configs: what to compare; the first is the one the others are compared with.
        executor: None for this process, one unit after the other; any ``concurrent.futures`` executor; a
            ``distributed.Client`` or its executor (the extra ``dask``).
        inputs: arrays by name, for all models, or such a mapping for each by the model's name; random ones of
            the model's shapes (1 for an open dimension) if None.
        seconds: as in `benchmark`, like ``within``, ``launches``, ``cancel`` and ``time_limit``.
        within: see there.
        launches: see there.
        retries: how often a unit is tried again.
        tags: the dask resource that a worker must have, by config or by device; None for any worker. By
            default ``{"gpu": "GPU"}``: a worker with a GPU is started with ``--resources GPU=1``. Configs of
            one model with different tags are units of their own, and not compared. Other executors have no
            tags.
        progress: called with the share done, 0 to 1, and what happens where.
        cancel: set it to stop; what is finished is in the history.
        time_limit: see `benchmark`; the wait for a machine is no part of it.
        record: write each unit that is finished into the caller's history, where its kind is "benchmark".

    Raises:
        CancelledError: after ``cancel`` was set.
        InputError: for inputs that are not the model's.
        WorkbenchError: for what is no model, config or executor; if no worker has a resource that is wanted,
            or one has another version of the workbench; if the history is damaged.
    """
    given = [models] if isinstance(models, (Model, str, os.PathLike)) else list(models)
    loaded = [one if isinstance(one, Model) else load(one) for one in given]
    if not loaded:
        raise WorkbenchError("there is nothing to measure: give at least one model")
    asked = _configs(configs)
    _check(seconds, within, launches, retries)
    wanted = _tags({**TAGS, **(tags or {})})
    units = [
        Unit(model, facts_of(model), group, tag, arrays)
        for model in loaded
        for arrays in [_inputs(inputs, model)]
        for tag, group in _grouped(asked, wanted).items()
    ]
    if record:
        check_history()
    ended: Ended = SimpleQueue()
    crew = _crew(executor, {unit.tag for unit in units if unit.tag is not None}, ended)
    common = {"seconds": seconds, "within": within, "launches": launches, "time_limit": time_limit}
    driver = Driver(
        crew,
        ended,
        retries,
        common,
        progress or (lambda share, text: None),
        cancel or threading.Event(),
        _keeping(seconds) if record else lambda unit, benchmark, reply: benchmark,
    )
    driver.run(units)
    return Sweep(tuple(unit.outcome for unit in units if unit.outcome is not None), tuple(crew.notices))


def _configs(configs: Sequence[InferenceConfig] | InferenceConfig | None) -> list[InferenceConfig]:
    asked = [InferenceConfig()] if configs is None else configs
    asked = [asked] if isinstance(asked, InferenceConfig) else list(asked)
    for config in asked:
        if not isinstance(config, InferenceConfig):
            raise ConfigError(f"{config!r} is no config: give one such as InferenceConfig(threads=2)")
    if not asked:
        raise WorkbenchError("there is nothing to measure: give at least one config, or None for the default")
    return asked


def _check(seconds: float, within: float, launches: int | None, retries: int) -> None:
    # Here, too: every unit would fail of it, somewhere else.
    check_asked(seconds, within, launches)
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise WorkbenchError(f"retries is {retries!r}: give a whole number, 0 for a single attempt")


def _tags(tags: Mapping[Any, Any]) -> Mapping[InferenceConfig | str, str | None]:
    for key, tag in tags.items():
        if not isinstance(key, InferenceConfig) and key not in ("cpu", "gpu"):
            raise WorkbenchError(f"tags has {key!r}: give a config, or one of the devices 'cpu' and 'gpu'")
        if tag is not None and (not isinstance(tag, str) or not tag):
            raise WorkbenchError(f"the tag {tag!r} is no name of a resource: give one such as 'GPU', or None")
    return tags


def _grouped(
    configs: Iterable[InferenceConfig], tags: Mapping[InferenceConfig | str, str | None]
) -> dict[str | None, list[InferenceConfig]]:
    """The configs by the tag they need, in the order given."""
    groups: dict[str | None, list[InferenceConfig]] = {}
    for config in configs:
        tag = tags[config] if config in tags else tags.get(config.device)
        groups.setdefault(tag, []).append(config)
    return groups


def _inputs(inputs: Mapping[str, Any] | None, model: Model) -> Mapping[str, Any] | None:
    if inputs is None:
        return None
    if any(isinstance(one, Mapping) for one in inputs.values()):
        if not isinstance(inputs.get(model.name), Mapping):
            raise InputError(
                f"inputs has none for {model.name}: give a mapping of arrays for each model's name"
            )
        inputs = inputs[model.name]
    return check_inputs(inputs, model.inputs)


def _crew(executor: object, tags: set[str], ended: Ended) -> Crew:
    if executor is None:
        return PoolCrew(None, tags, ended)
    # First: dask's executor is one of concurrent.futures, too, but has tags.
    cluster = client_of(executor)
    if cluster is not None:
        return DaskCrew(*cluster, sorted(tags), ended)
    if not isinstance(executor, Executor):
        raise WorkbenchError(
            f"{executor!r} is no executor: give one of concurrent.futures, a distributed.Client, or None"
        )
    return PoolCrew(executor, tags, ended)


def _keeping(seconds: float) -> Callable[[Unit, Benchmark, Reply], Benchmark]:
    """Writes what comes in into the caller's history: the worker's own is on its machine."""

    def keep(unit: Unit, benchmark: Benchmark, reply: Reply) -> Benchmark:
        began = datetime.fromisoformat(reply["began"])
        number = record_whole("benchmark", unit.facts, benchmark, reply["inputs"], seconds, began)
        return replace(benchmark, entry=number)

    return keep
