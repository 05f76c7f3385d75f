"""The caller's side: sends units to a crew, sends them again where they fail, and keeps what comes back."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty
from typing import Any

from workbench._version import __version__
from workbench.bench.benchmark import Progress
from workbench.bench.results import Benchmark
from workbench.bench.sweep.attempt import Job, Reply
from workbench.bench.sweep.content import Content, content_of
from workbench.bench.sweep.crew import Crew, Ended
from workbench.bench.sweep.results import Attempt, Outcome
from workbench.bench.sweep.signals import Said
from workbench.config import InferenceConfig
from workbench.errors import CancelledError
from workbench.models import Model

TICK_S = 0.2
# How long units that run are waited for after a cancel: they stop at their next native call.
STOP_S = 15.0
# The content of models that is on its way at the same time takes so much memory at most; one always goes.
SENT_MOST_BYTES = 1 << 30
# How long units wait for a worker with their tag to come back.
RETURN_S = 60.0
LOOK_S = 5.0

LOST = "its worker was lost while it ran: killed, out of memory, or off the network"

# Writes a finished benchmark into the history and returns it with its number there.
Keep = Callable[["Unit", Benchmark, Reply], Benchmark]


@dataclass(eq=False)
class Unit:
    """A model with those of its configs that are measured together, and how it goes."""

    model: Model
    facts: dict[str, Any]
    configs: Sequence[InferenceConfig]
    tag: str | None
    inputs: Mapping[str, Any] | None
    attempts: list[Attempt] = field(default_factory=list)
    # The worker that asked for the model's content.
    near: str = ""
    with_content: bool = False
    share: float = 0.0
    outcome: Outcome | None = None

    @property
    def failed_on(self) -> frozenset[str]:
        """The workers of the attempts that there were."""
        return frozenset(one.worker for one in self.attempts if one.worker)


@dataclass
class _Flight:
    unit: Unit
    future: Any
    sent_bytes: int
    last: Said | None = None


@dataclass
class Driver:
    """Runs units on a crew until each has an outcome.

    Attributes:
        crew: who measures.
        ended: the crew's queue.
        retries: attempts after the first.
        common: the values of a job that all units share.
        progress: called with the share done and what happens.
        cancel: set it to stop.
        keep: see `Keep`.
    """

    crew: Crew
    ended: Ended
    retries: int
    common: Mapping[str, Any]
    progress: Progress
    cancel: threading.Event
    keep: Keep
    units: list[Unit] = field(default_factory=list)
    _waiting: deque[Unit] = field(default_factory=deque)
    _flights: dict[str, _Flight] = field(default_factory=dict)
    _withdrawn: bool = False
    _share: float = 0.0
    _looked_s: float = 0.0
    _without_s: dict[str | None, float] = field(default_factory=dict)

    def run(self, units: Sequence[Unit]) -> None:
        """Give every unit its outcome.

        Raises:
            CancelledError: after ``cancel`` was set; what had ended is kept.
        """
        self.units = list(units)
        self._waiting.extend(units)
        try:
            while self._waiting or self._flights:
                if self.cancel.is_set():
                    self._withdraw()
                    done = sum(unit.outcome is not None and unit.outcome.error is None for unit in units)
                    raise CancelledError(
                        f"the sweep was cancelled: {done} of {len(units)} units had been measured, which the "
                        "history keeps unless record is False"
                    )
                self._send()
                self._take_one()
                self._listen()
                self._look_for_workers()
        except BaseException:
            self._withdraw()
            raise
        finally:
            self.crew.close(left=bool(self._flights))

    def _send(self) -> None:
        """Send what waits, as far as the memory for models allows."""
        for unit in [self._waiting.popleft() for _ in range(len(self._waiting))]:
            size = unit.model.bytes if unit.with_content else 0
            on_its_way = sum(flight.sent_bytes for flight in self._flights.values())
            if size and on_its_way and on_its_way + size > SENT_MOST_BYTES:
                self._waiting.append(unit)
                continue
            token = uuid.uuid4().hex
            try:
                content: Content | None = content_of(unit.model) if unit.with_content else None
                job = self._job(unit, token)
                future = self.crew.send(job, content, unit.tag, unit.near, unit.failed_on)
            except Exception as error:  # whatever the executor raises: the others may still go
                self._end(unit, _failed(f"it could not be sent to a worker: {_words(error)}"), final=True)
                continue
            self._flights[token] = _Flight(unit, future, size)

    def _job(self, unit: Unit, token: str) -> Job:
        return {
            **self.common,
            "workbench": __version__,
            "token": token,
            "signals": self.crew.line,
            "model": unit.facts,
            "configs": [config.to_json() for config in unit.configs],
            "inputs": None if unit.inputs is None else dict(unit.inputs),
        }

    def _take_one(self) -> None:
        try:
            token = self.ended.get(timeout=TICK_S)
        except Empty:
            return
        self._listen()
        flight = self._flights.pop(token, None)
        if flight is None:
            return  # given up before
        unit = flight.unit
        try:
            reply: Reply = flight.future.result()
        except (Exception, asyncio.CancelledError) as error:
            self._broke(flight, error)
            return
        if reply["state"] == "wanted" and not unit.with_content:
            unit.near, unit.with_content = reply["worker"], True
            self._waiting.append(unit)
            return
        # The next one of this model finds it there, or asks for it.
        unit.near, unit.with_content = "", False
        if reply["state"] == "done":
            found = self.keep(unit, reply["benchmark"], reply)
            unit.attempts.append(_attempt(reply))
            unit.outcome = _outcome(unit, found, reply["refused"])
            self._tell(unit, f"done on {reply['machine']}")
            return
        words = {"wanted": "the model did not stay on its machine: make room on its disk"}
        error_words = reply.get("error") or words.get(reply["state"], "it was stopped")
        self._end(unit, _attempt(reply, error_words), final=bool(reply.get("final")))

    def _broke(self, flight: _Flight, error: BaseException) -> None:
        """There is no reply: the worker was killed, or the executor is broken."""
        if isinstance(error, futures.BrokenExecutor):
            goes_on = self.crew.replaced()
            if goes_on and flight.last is None:
                self._waiting.append(flight.unit)  # it had not begun
                return
            words = (
                LOST if goes_on else f"the executor broke ({_words(error)}): sweep what is left on a new one"
            )
            self._end(flight.unit, _failed(words, flight.last), final=not goes_on)
            return
        # Cancelled by no caller: dask's word where the content that was sent along went with the worker.
        cancelled = isinstance(error, (asyncio.CancelledError, futures.CancelledError))
        lost = cancelled or type(error).__name__ == "KilledWorker"
        self._end(flight.unit, _failed(LOST if lost else _words(error), flight.last), final=False)

    def _end(self, unit: Unit, attempt: Attempt, *, final: bool) -> None:
        """An attempt has failed: another one, unless there were enough."""
        unit.attempts.append(attempt)
        unit.share = 0.0
        where = f" on {attempt.machine}" if attempt.machine else ""
        if final or len(unit.attempts) > self.retries:
            unit.outcome = _outcome(unit, None, ())
            self._tell(unit, f"failed{where}: {attempt.error}")
            return
        self._waiting.append(unit)
        self._tell(unit, f"failed{where}, and is tried again: {attempt.error}")

    def _listen(self) -> None:
        for token, said in self.crew.listen():
            flight = self._flights.get(token)
            if flight is None:
                continue
            if said.get("started") and flight.last is not None:
                # Dask has started it again by itself.
                flight.unit.attempts.append(_failed(LOST, flight.last))
                if len(flight.unit.attempts) > self.retries:
                    del self._flights[token]
                    flight.future.cancel()
                    self._end(flight.unit, flight.unit.attempts.pop(), final=True)
                    continue
            flight.last = said
            flight.unit.share = said.get("share", 0.0)
            self._tell(flight.unit, f"{said.get('text', 'begins')} on {said['machine']}")

    def _look_for_workers(self) -> None:
        now = time.monotonic()
        if now - self._looked_s < LOOK_S:
            return
        self._looked_s = now
        for tag in {flight.unit.tag for flight in self._flights.values()}:
            if not self.crew.without(tag):
                self._without_s.pop(tag, None)
            elif now - self._without_s.setdefault(tag, now) > RETURN_S:
                self._give_up(tag)

    def _give_up(self, tag: str | None) -> None:
        who = "worker" if tag is None else f"worker with the resource {tag}"
        for token, flight in list(self._flights.items()):
            if flight.unit.tag == tag:
                del self._flights[token]
                flight.future.cancel()
                words = f"no {who} was left for {RETURN_S:.0f} seconds: start one and sweep what is left"
                self._end(flight.unit, _failed(words, flight.last), final=True)

    def _tell(self, unit: Unit, text: str) -> None:
        ended = sum(one.outcome is not None for one in self.units)
        running = sum(one.share for one in self.units if one.outcome is None)
        self._share = max(self._share, min(1.0, (ended + running) / len(self.units)))
        self.progress(self._share, f"{ended} of {len(self.units)} done; {unit.model.name}: {text}")

    def _withdraw(self) -> None:
        """Nothing more begins, and what runs is stopped; what ends meanwhile with numbers is kept."""
        if self._withdrawn:
            return
        self._withdrawn = True
        self.progress = lambda share, text: None
        self._waiting.clear()
        self.crew.stop()
        self._listen()
        for flight in self._flights.values():
            if flight.last is None:
                flight.future.cancel()
        self.retries = 0
        until = time.monotonic() + STOP_S
        while self._flights and time.monotonic() < until:
            self._take_one()
            self._waiting.clear()
        for flight in self._flights.values():
            flight.future.cancel()


def _outcome(unit: Unit, benchmark: Benchmark | None, refused: Sequence[tuple[str, str]]) -> Outcome:
    return Outcome(
        unit.model.name,
        unit.facts["hash"],
        tuple(unit.configs),
        unit.tag,
        tuple(unit.attempts),
        benchmark,
        tuple((label, words) for label, words in refused),
    )


def _attempt(reply: Reply, error: str | None = None) -> Attempt:
    return Attempt(
        reply["worker"],
        reply["machine"],
        _moment(reply.get("began")),
        _moment(reply.get("ended")),
        reply["waited_s"],
        error,
    )


def _failed(words: str, said: Said | None = None) -> Attempt:
    said = said or {}
    return Attempt(
        said.get("worker", ""), said.get("machine", ""), _moment(said.get("began")), None, 0.0, words
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _words(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())
