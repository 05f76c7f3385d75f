"""A machine that does not exist, on which a tuning takes no time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.bench import Benchmark, Launch, Round, Run
from workbench.bench.ablation.kept import Deed, Look
from workbench.bench.tuning import measuring, search
from workbench.bench.tuning.space import Candidate
from workbench.errors import CancelledError
from workbench.models import Model

BASE = wb.InferenceConfig()
SPACE = {
    "threads": [1, 2, 3, 4],
    "onednn": [True, False],
    "memory_optim": [False, True],
}
INPUTS = {"image": np.zeros((1, 1, 8, 8), np.float32)}


class World:
    """A machine that does not exist, with a clock that runs as measuring would take.

    Attributes:
        latency_ms: of a config at a batch.
        now: seconds on its clock.
        noise: of a round, and of a launch, relative.
        launch_s: what creating a predictor takes.
        measured: the configs of every measurement, the base first.
        fails: what a config raises when it is measured.
        peak: the memory of a config.
        outputs: what a config gives.
        deeds: what passes change.
        cancel_at: the measurement that is cancelled.
        turns: of every measurement.
    """

    def __init__(self, seed: int = 0) -> None:
        self.latency_ms: Callable[[wb.InferenceConfig, int], float] = lambda config, batch: 10.0 * batch
        self.now = 1000.0
        self.noise = (0.03, 0.01)
        self.launch_s = 0.4
        self.measured: list[list[Candidate]] = []
        self.looked: list[wb.InferenceConfig] = []
        self.fails: Callable[[wb.InferenceConfig], Exception | None] = lambda config: None
        self.peak: Callable[[wb.InferenceConfig], int] = lambda config: 200_000_000
        self.outputs: Callable[[wb.InferenceConfig], float] = lambda config: 1.0
        self.deeds: dict[str, Deed] = {}
        self.cancel_at: int | None = None
        self.turns: list[int] = []
        self._rng = np.random.default_rng(seed)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(measuring, "measure", self.measure)
        patch.setattr(measuring, "Session", self._session)
        patch.setattr(measuring.time, "monotonic", lambda: self.now)
        patch.setattr(search, "look", self.look)

    def look(self, model: Model, config: Any, off: Any, inputs: Any, **more: Any) -> tuple[Look, Any]:
        self.now += self.launch_s
        return Look((), self.deeds), {}

    def _session(self, model: Model, config: wb.InferenceConfig, **more: Any) -> Any:
        return SessionDouble(self, config)

    def measure(self, model: Model, cases: Sequence[Any], **more: Any) -> Benchmark:
        more["progress"](0.0, "loading")
        if self.cancel_at == len(self.measured):
            raise CancelledError("the measurement was cancelled")
        candidates = [Candidate(case.config, len(case.inputs["image"])) for case in cases]
        self.measured.append(candidates)
        self.turns.append(more["turn"])
        assert more["launches"] == 1
        runs = []
        seconds = more["seconds"]
        blocks = [max(0.02, seconds / 20, self.latency_ms(*one) / 1e3) for one in candidates]
        rounds = max(6, min(20, int(seconds * len(cases) / sum(blocks))))
        for case, candidate, block in zip(cases, candidates, blocks, strict=True):
            error = self.fails(case.config)
            if error is not None:
                raise error
            ms = self.latency_ms(*candidate)
            # A round is a block of at least 20 ms and one run.
            self.now += self.launch_s + 3 * ms / 1e3 + seconds / 4 + rounds * block
            launch = ms * (1 + self.noise[1] * self._rng.standard_normal())
            taken = tuple(
                Round(launch * (1 + self.noise[0] * self._rng.standard_normal(5))) for _ in range(rounds)
            )
            done = Launch(self.launch_s * 1e3, ms, np.empty(0), taken, self.peak(case.config))
            runs.append(Run(case.label, case.config, (), (done,)))
        more["progress"](1.0, "done")
        return Benchmark("digits", tuple(runs), {"cpu_model": "none"})


class SessionDouble:
    """Enough of a session to be looked at."""

    pid = None

    def __init__(self, world: World, config: wb.InferenceConfig) -> None:
        self.world, self.config = world, config

    def __enter__(self) -> SessionDouble:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.world.now += self.world.launch_s
        self.world.looked.append(self.config)
        return {"y": np.full(3, self.world.outputs(self.config))}

    def time(self, inputs: Mapping[str, Any], **more: Any) -> Any:
        ms = self.world.latency_ms(self.config, len(inputs["image"]))
        return type("Timed", (), {"samples_ns": np.full(5, ms * 1e6)})

    def memory(self) -> dict[str, int]:
        return {"peak_rss": self.world.peak(self.config)}


def two_threads_are_best(config: wb.InferenceConfig, batch: int) -> float:
    return 10.0 * (0.7 if config.threads == 2 else 1.0) * (1.5 if config.onednn is False else 1.0) * batch
