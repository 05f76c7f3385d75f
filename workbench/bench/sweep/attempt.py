"""The worker's side: measures one unit, whatever process and machine it was sent to.

What crosses is plain values, so that a worker with another workbench can still say which one it has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from workbench._version import __version__
from workbench.bench.benchmark import benchmark, cancels, unique_labels
from workbench.bench.inputs import random_inputs
from workbench.bench.recording import shapes_of
from workbench.bench.results import Benchmark
from workbench.bench.sweep.content import Content, arrived, make_room
from workbench.bench.sweep.machine import machine_name, machine_to_itself
from workbench.bench.sweep.signals import Signals, signals_of
from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.tensors import check_inputs
from workbench.errors import CancelledError, ConfigError, InputError, ModelError, WorkbenchError
from workbench.models import Model

SAY_S = 0.5
STOP_POLL_S = 0.3
# What the user asked for is wrong, on every machine and each time.
FINAL = (ConfigError, InputError, ModelError)

# A unit as plain values, made by ``drive``.
Job = dict[str, Any]
# What came of it: ``state`` is "done", "failed", "cancelled" or "wanted" (the model is not here: send it).
Reply = dict[str, Any]


def attempt(job: Job, content: Content | None = None) -> Reply:
    """Measure one unit once no other is measured on this machine.

    Args:
        job: the unit.
        content: the model's, where it is not on this machine yet.

    Returns:
        What came of it; errors are words in it, since they may be of a class the caller cannot read.
    """
    reply: Reply = {"workbench": __version__, "machine": machine_name(), "worker": "", "waited_s": 0.0}
    try:
        signals = signals_of(job["signals"])
        reply["worker"] = signals.address
        reply["began"] = _now()
        signals.say(job["token"], {"started": True, **_place(reply)})
        if job["workbench"] != __version__:
            raise WorkbenchError(
                f"worker {signals.address} on {machine_name()} has workbench {__version__}, the caller "
                f"{job['workbench']}: install the same one on both"
            )
        if arrived(job["model"], content) is None:
            return {**reply, "state": "wanted"}
        with _stopping(signals) as cancel:
            reply.update(_measured(job, content, signals, cancel, reply))
    except CancelledError:
        reply.update(state="cancelled")
    except Exception as error:  # whatever it is, the caller is told, and the other units go on
        words = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
        reply.update(state="failed", error=" ".join(words.split()), final=isinstance(error, FINAL))
    reply.setdefault("ended", _now())
    return reply


def _measured(
    job: Job, content: Content | None, signals: Signals, cancel: threading.Event, reply: Reply
) -> Reply:
    facts = job["model"]
    said_s = 0.0

    def say(share: float, text: str) -> None:
        nonlocal said_s
        # That it is done, the reply says.
        if share < 1 and time.monotonic() - said_s >= SAY_S:
            said_s = time.monotonic()
            signals.say(job["token"], {"share": share, "text": text, **_place(reply)})

    def waits(text: str) -> None:
        signals.say(job["token"], {"share": 0.0, "text": text, **_place(reply)})

    with machine_to_itself(facts["name"], cancel, waits) as waited_s:
        reply.update(waited_s=waited_s, began=_now())
        # Again: while this one waited, another may have made room.
        model = arrived(facts, content)
        if model is None:
            return {"state": "wanted"}
        make_room(facts)
        given = random_inputs(model) if job["inputs"] is None else job["inputs"]
        arrays = check_inputs(given, model.inputs)
        configs = [InferenceConfig.from_json(text) for text in job["configs"]]
        found, refused = _benchmark(job, model, configs, arrays, cancel, say)
        # Before the lock is let go of: what another unit begins lies after it.
        reply["ended"] = _now()
    return {
        "state": "done",
        "benchmark": found,
        "refused": refused,
        "inputs": shapes_of([arrays]),
    }


def _benchmark(
    job: Job,
    model: Model,
    configs: list[InferenceConfig],
    arrays: Mapping[str, Any],
    cancel: threading.Event,
    say: Callable[[float, str], object],
) -> tuple[Benchmark, list[tuple[str, str]]]:
    """The benchmark of those configs that run; of the others label and why not."""
    labels = unique_labels(config.label for config in configs)

    def run(places: Sequence[int]) -> Benchmark:
        return benchmark(
            model,
            [configs[place] for place in places],
            arrays,
            labels=[labels[place] for place in places],
            seconds=job["seconds"],
            within=job["within"],
            launches=job["launches"],
            time_limit=job["time_limit"],
            progress=say,
            cancel=cancel,
            record=False,
        )

    try:
        return run(range(len(configs))), []
    except CancelledError:
        raise
    except WorkbenchError:
        # The fault of one config is not to cost the others their numbers.
        words = [_refusal(model, config, arrays, job["time_limit"], cancel) for config in configs]
        fit = [place for place, word in enumerate(words) if word is None]
        if not fit or len(fit) == len(configs):
            raise
        refused = [(label, word) for label, word in zip(labels, words, strict=True) if word is not None]
        return run(fit), refused


def _refusal(
    model: Model,
    config: InferenceConfig,
    arrays: Mapping[str, Any],
    time_limit: float | None,
    cancel: threading.Event,
) -> str | None:
    """Why a model does not run under a config, None where it does."""
    try:
        with Session(model, config, time_limit=time_limit) as session, cancels(cancel, [session]):
            session.run(arrays)
    except CancelledError:
        raise
    except WorkbenchError as error:
        return str(error)
    return None


@contextmanager
def _stopping(signals: Signals) -> Iterator[threading.Event]:
    """An event that is set once the caller wants this to stop."""
    cancel, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(STOP_POLL_S):
            try:
                if signals.stopped():
                    cancel.set()
                    return
            except Exception:  # the scheduler is gone, or going: nobody is left who would stop it
                return

    watcher = threading.Thread(target=watch, name="workbench-sweep-stop", daemon=True)
    watcher.start()
    try:
        yield cancel
    finally:
        over.set()
        watcher.join()


def _place(reply: Reply) -> dict[str, Any]:
    return {"worker": reply["worker"], "machine": reply["machine"], "began": reply["began"]}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")
