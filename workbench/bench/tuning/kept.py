"""What a tuning has found so far, on disk: a file per finished piece, so that it can be continued."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from workbench.bench import keeping
from workbench.bench.ablation.kept import Effect
from workbench.bench.stats import Verdict
from workbench.bench.tuning.schedule import Cost, Rungs
from workbench.bench.tuning.space import Candidate
from workbench.config import InferenceConfig

# Of the files; those of another version are not read.
VERSION = 1
FINAL = "final"


class Score(msgspec.Struct, frozen=True):
    """What one rung says of a candidate.

    Attributes:
        rung: the rung, such as "settings 1"; "final" for the last one.
        ratio: its time per inference over the base's, per sample where the goal is throughput; below 1 where
            it is faster; None where it failed.
        ci95: the ratio's 95 % interval, None where there is too little to say.
        verdict: what can be said of it.
        ms: its median latency of one inference.
        peak_bytes: the most memory its process held, None where the system does not say.
        start_s: seconds of its creation, its first run, and a process for it.
        error: why it failed.
    """

    rung: str
    ratio: float | None = None
    ci95: tuple[float, float] | None = None
    verdict: Verdict | None = None
    ms: float | None = None
    peak_bytes: int | None = None
    start_s: float = 0.0
    error: str | None = None


class Measured(msgspec.Struct, frozen=True):
    """A score and whose it is."""

    config: InferenceConfig
    batch: int
    score: Score

    @property
    def candidate(self) -> Candidate:
        """Whose it is."""
        return Candidate(self.config, self.batch)


class Group(msgspec.Struct, frozen=True):
    """Candidates that took turns with the base.

    Attributes:
        scores: theirs.
        base: the base's own; None where they failed.
        environment: where it was.
        entry: its id in the history, where it was recorded.
        launches: how many there were.
        failed: of a group of finalists, why there were no more launches.
        finalists: of one, all that are in the finals.
    """

    scores: tuple[Measured, ...]
    base: Score | None
    environment: dict[str, Any]
    entry: int | None = None
    launches: int = 1
    failed: str | None = None
    finalists: tuple[Candidate, ...] = ()


class Looked(msgspec.Struct, frozen=True):
    """The outputs of a config beside those of the base."""

    config: InferenceConfig
    effect: Effect | None
    error: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """What was settled when a search began, so that who continues does the same.

    Attributes:
        name: of the search.
        rungs: its rungs.
        group: how many candidates take turns with the base.
        cost: what measuring the base takes.
        passes: those that are switched off.
        around: where they are.
        ratio: its ratio to the base, as it was known then.
    """

    name: str
    rungs: Rungs
    group: int
    cost: Cost
    passes: tuple[str, ...] = ()
    around: Candidate | None = None
    ratio: float = 1.0


class Kept(keeping.Pieces):
    """The finished pieces of one tuning, in memory and in a folder.

    Args:
        folder: where they are; it is made.
        arguments: what was asked for, as plain values.

    Attributes:
        scores: per candidate by rung.
        looked: by config.
        plans: by name of the search.
        groups: in the order they were measured.

    Raises:
        WorkbenchError: if the folder holds something else, cannot be read or cannot be written to.
    """

    def __init__(self, folder: Path, arguments: Mapping[str, Any]) -> None:
        super().__init__(folder, arguments, "a tuning", VERSION)
        self.scores: dict[Candidate, dict[str, Score]] = {}
        self.groups: list[Group] = []
        self.looked = {one.config: one for one in self.read("look-", Looked)}
        self.plans = {one.name: one for one in self.read("plan-", Plan)}
        for group in self.read("group-", Group):
            self._take(group)

    @property
    def finals(self) -> list[Group]:
        """The groups in which finalists were measured: one, or several after one of them failed."""
        return [one for one in self.groups if one.base is not None and one.base.rung == FINAL]

    @property
    def finalists_left(self) -> list[Candidate]:
        """The finalists that were not measured when the others were."""
        known = dict.fromkeys(one for group in self.groups for one in group.finalists)
        return [one for one in known if self.score(one, FINAL) is None]

    def score(self, candidate: Candidate, rung: str) -> Score | None:
        """What a rung says of a candidate, if it does."""
        return self.scores.get(candidate, {}).get(rung)

    def last(self, candidate: Candidate) -> Score | None:
        """What the last rung says of it."""
        return next(reversed(self.scores.get(candidate, {}).values()), None)

    def _take(self, group: Group) -> None:
        self.groups.append(group)
        for one in group.scores:
            self.scores.setdefault(one.candidate, {})[one.score.rung] = one.score

    def add_group(self, group: Group) -> None:
        """Keep a group.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        key = keeping.digest("\n".join(f"{one.config.to_json()} {one.batch}" for one in group.scores))
        self.add(f"group-{len(self.groups):04d}-{key}.json", group)
        self._take(group)

    def add_look(self, looked: Looked) -> None:
        """Keep the outputs of a config beside the base's.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        self.add(f"look-{keeping.digest(looked.config.to_json())}.json", looked)
        self.looked[looked.config] = looked

    def add_plan(self, plan: Plan) -> None:
        """Keep a plan.

        Raises:
            WorkbenchError: if it cannot be written.
        """
        self.add(f"plan-{plan.name}.json", plan)
        self.plans[plan.name] = plan
