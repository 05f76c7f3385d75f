"""Planted faults of passes, by a double around the native core: what is wrong, and what fails then."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

import workbench as wb
from workbench.errors import NativeError, TimeLimitError, WorkerDiedError

On = frozenset[str]
GIVEN = np.ones(3, np.float32)


@dataclass
class Fault:
    """Passes that fail together, how that shows, and how often."""

    needs: On
    shows: str
    rate: float = 1.0


@dataclass
class World:
    """A native core that does not exist.

    Attributes:
        names: the passes, in running order.
        faults: what is wrong; of several the first shows.
        depends: a pass, and another one without which it is refused.
        stuck: passes that run although they are off.
        tried: every run of a config, by what is on and whether a fault showed.
    """

    names: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    depends: dict[str, str] = field(default_factory=dict)
    stuck: On = frozenset()
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    tried: list[tuple[On, bool]] = field(default_factory=list)
    open: int = 0

    def on(self, config: wb.InferenceConfig) -> On:
        return (frozenset(self.names) - set(config.disabled_passes)) | self.stuck

    def showing(self, on: On) -> Fault | None:
        found = next((one for one in self.faults if one.needs <= on and self.rng.random() < one.rate), None)
        self.tried.append((on, found is not None))
        return found

    def shows(self, on: On) -> str | None:
        """What a config shows, sooner or later."""
        return next((one.shows for one in self.faults if one.needs <= on), None)

    def fails(self, on: On) -> bool:
        return self.shows(on) is not None


def double(world: World) -> type:
    class Session:
        """As the real one, as far as a bisection uses it."""

        def __init__(self, model: Any, config: wb.InferenceConfig, *, time_limit: float | None) -> None:
            self.config, self.time_limit = config, time_limit
            self.pid, self.passes_begun = 1, ()

        def __enter__(self) -> Session:
            world.open += 1
            return self

        def __exit__(self, *_: object) -> None:
            world.open -= 1

        def start(self) -> None:
            assert world.open == 1, "one worker at a time, and each is gone afterwards"

        given: Mapping[str, Any] = {"precision": "fp32"}

        def load(self, *, time_limit: float) -> Any:
            on = world.on(self.config)
            for name, other in world.depends.items():
                if name in on and other not in on:
                    raise NativeError(f"Paddle refused while creating the predictor: no {other}")
            self.fault = world.showing(on)
            passes = [name for name in world.names if name in on]
            if self.fault is not None and self.fault.shows == "dies in its pass":
                last = max(self.fault.needs, key=world.names.index)
                raise WorkerDiedError("the worker died", signal="SIGSEGV", pass_name=last)
            if self.fault is not None and self.fault.shows == "refused at creation":
                raise NativeError("Paddle refused while creating the predictor: bad pattern 17")
            return SimpleNamespace(given={"passes": passes})

        def run(self, inputs: Mapping[str, Any], *, time_limit: float) -> dict[str, Any]:
            if self.fault is not None and self.fault.shows == "hangs":
                raise TimeLimitError("running the model took longer than its time limit")
            if self.fault is not None and self.fault.shows == "dies":
                raise WorkerDiedError("the worker died of SIGSEGV while running the model")
            wrong = self.fault is not None and self.fault.shows == "wrong"
            return {"y": GIVEN + 1 if wrong else GIVEN}

    return Session


def smallest(world: World) -> list[On]:
    """All parts that fail and have no smaller part that does, by trying every part."""
    parts = itertools.chain.from_iterable(
        itertools.combinations(world.names, size) for size in range(len(world.names) + 1)
    )
    found: list[On] = []
    for part in map(frozenset, parts):
        if world.fails(part) and not any(one <= part for one in found):
            found.append(part)
    return found


def names(count: int) -> tuple[str, ...]:
    return tuple(f"pass_{index:02d}" for index in range(count))


def plant(world: World, rng: np.random.Generator, kind: str) -> None:
    world.names = names(int(rng.integers(4, 11)))

    def some(count: int) -> On:
        return frozenset(rng.choice(world.names, count, replace=False).tolist())

    shows = str(rng.choice(["wrong", "dies", "hangs", "dies in its pass", "refused at creation"]))
    if kind == "one":
        world.faults = [Fault(some(1), shows)]
    elif kind == "two together":
        world.faults = [Fault(some(2), shows)]
    elif kind == "one hides another":
        others = ["dies", "hangs", "dies in its pass", "refused at creation"]
        world.faults = [Fault(some(int(rng.integers(1, 4))), str(rng.choice(others))) for _ in range(3)]
    elif kind == "flaky":
        rate = float(rng.uniform(0.5, 0.95))
        world.faults = [Fault(some(int(rng.integers(1, 3))), shows, rate)]
    elif kind == "hang":
        world.faults = [Fault(some(int(rng.integers(1, 3))), "hangs")]
    else:
        world.faults = [Fault(some(int(rng.integers(1, 4))), "dies in its pass")]
