"""The search: settings first, then the passes that the best of them has; the finalists against the base."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.bench.ablation.looking import FAILURES, look
from workbench.bench.tuning.finals import finals
from workbench.bench.tuning.kept import Plan
from workbench.bench.tuning.measuring import Bench, OutOfTimeError, group_size
from workbench.bench.tuning.propose import Listed, Proposals, Sampled
from workbench.bench.tuning.schedule import ETA, FINALISTS, rungs, survivors
from workbench.bench.tuning.space import RUN_MOST, Candidate, Space
from workbench.errors import CancelledError, TraceError

# Shares of the time by which settings, and then passes, are searched; the finalists have the rest.
SETTINGS_UNTIL, PASSES_UNTIL = 0.4, 0.65
# A space with more combinations is not listed.
LISTED_MOST = 4096


@dataclass
class Search:
    """What is to be found, and what is to be said of it."""

    bench: Bench
    space: Space
    at_most: int | None
    notices: list[str]
    began: float = 0.0

    def run(self) -> None:
        """Measure what is not known yet.

        Raises:
            CancelledError: it was cancelled.
        """
        bench, kept = self.bench, self.bench.kept
        bench.tell("starting")
        self.began = bench.clock.spent
        if not kept.finals or kept.finalists_left:
            try:
                self._find()
            except OutOfTimeError:
                self.notices.append(
                    f"the {bench.clock.seconds:g} seconds were over before it was finished: give more, "
                    "or call it again, and it continues"
                )
        if not kept.grew:
            self.notices.append(
                f"nothing was measured anew: this began {kept.began}; to measure again, remove the folder "
                "it is kept in"
            )
        bench.progress(1.0, "done")

    def _find(self) -> None:
        left = self.bench.kept.finalists_left
        if left and self.bench.kept.finals:
            self.bench.glance()
            finals(self.bench, left)
            return
        best = self._settings()
        if self.space.passes != ():
            best = self._select([*best, *self._passes(best)], FINALISTS)
        best = self._select(best, FINALISTS, looked=True)
        if best:
            finals(self.bench, best)

    def _until(self, share: float) -> float:
        """When so much of the time is over that starting Paddle has left, in seconds."""
        return self.began + share * (self.bench.clock.seconds - self.began)

    # The two searches

    def _settings(self) -> list[Candidate]:
        bench, name = self.bench, "settings"
        known = bench.kept.plans.get(name)
        cost = bench.glance() if known is None else known.cost
        bench.cost = cost
        space = self._affordable(cost.run_s)
        listed = list(space.all()) if space.size <= LISTED_MOST else None
        count = space.size if listed is None else len(listed)
        plan = known or self._plan(name, count, SETTINGS_UNTIL if space.passes != () else PASSES_UNTIL)
        entering = plan.rungs.sizes[0]
        if listed is not None and len(listed) <= entering:
            proposals: Proposals = Listed(listed, bench.seed)
        else:
            proposals = Sampled(space.knobs, space.candidate, {space.base: 1.0}, seed=bench.seed)
            if self.at_most is None or entering < self.at_most:
                self.notices.append(
                    f"the time is enough for {entering} of {count} settings: "
                    "give more seconds, or fewer values"
                )
        return self._halve(plan, proposals, SETTINGS_UNTIL if space.passes != () else PASSES_UNTIL)

    def _affordable(self, run_s: float) -> Space:
        """The space without batches that would take too much of the time, unless the user gave them."""
        batches = self.space.knobs.get("batch", ())
        if self.space.given or not batches:
            return self.space
        base, most = self.bench.base.batch, RUN_MOST * self.bench.clock.seconds
        kept = tuple(size for size in batches if size == base or run_s * size / base <= most)
        if len(kept) < len(batches):
            lost = ", ".join(str(size) for size in batches if size not in kept)
            self.notices.append(f"batch {lost} is left out: a run would take more than {most:.2g} s")
        return replace(self.space, knobs={**self.space.knobs, "batch": kept})

    def _passes(self, best: Sequence[Candidate]) -> list[Candidate]:
        bench, name = self.bench, "passes"
        around = best[0] if best else bench.base
        plan, last = bench.kept.plans.get(name), bench.kept.last(around)
        ratio = 1.0 if last is None or last.ratio is None else last.ratio
        left = None if self.at_most is None else self.at_most - len(bench.kept.scores)
        if plan is None:
            names = self._changing(around)
            # Each alone, and as many combinations.
            count = min(2 * len(names), 2 ** len(names) - 1)
            count = count if left is None else max(0, min(count, left))
            if not count:
                return []
            plan = self._plan(name, count, PASSES_UNTIL, names, around, ratio)
        assert plan.around is not None
        around, rung = plan.around, f"{name} 1"

        def without(off: Mapping[str, Any]) -> Candidate | None:
            names = [one for one, is_off in off.items() if is_off]
            alone = [Candidate(around.config.without(one), around.batch) for one in names]
            # What fails alone fails with others, too, and each failure costs launches.
            tried = [one for one in alone if bench.kept.score(one, rung) is not None]
            if len(names) > 1 and any(bench.ratio_at(rung, one) is None for one in tried):
                return None
            return Candidate(around.config.without(*names), around.batch)

        proposals = Sampled(
            dict.fromkeys(plan.passes, (False, True)),
            without,
            {bench.base: 1.0, around: plan.ratio},
            [{one: one == off for one in plan.passes} for off in plan.passes],
            bench.seed,
        )
        return self._halve(plan, proposals, PASSES_UNTIL)

    def _changing(self, around: Candidate) -> tuple[str, ...]:
        """The passes that change something there and may be switched off."""
        bench = self.bench
        # What runs without graph optimization is no optimization.
        if not around.config.ir_optim:
            return ()
        bench.tell("finding the passes that change something")
        bench.clock.check()
        try:
            found, _ = look(
                bench.model,
                around.config,
                (),
                bench.inputs,
                traced=True,
                cancel=bench.clock.stop,
                time_limit=bench.limit(),
            )
        except CancelledError:
            bench.clock.check()
            raise
        except (TraceError, *FAILURES) as error:
            self.notices.append(f"passes are left out: {error}")
            return ()
        names = tuple(found.deeds or ())
        if self.space.passes is not None:
            idle = [one for one in self.space.passes if one not in names]
            if idle:
                self.notices.append(f"{', '.join(idle)}: changes nothing here, so it was not switched off")
            names = tuple(one for one in names if one in self.space.passes)
        return names

    def _plan(
        self,
        name: str,
        count: int,
        until: float,
        passes: tuple[str, ...] = (),
        around: Candidate | None = None,
        ratio: float = 1.0,
    ) -> Plan:
        bench = self.bench
        count = count if self.at_most is None else min(count, self.at_most)
        group = group_size(bench.base_peak() or bench.base_rss, count)
        left = max(0.0, self._until(until) - bench.clock.spent)
        plan = Plan(name, rungs(count, bench.cost, left, group), group, bench.cost, passes, around, ratio)
        bench.kept.add_plan(plan)
        return plan

    def _halve(self, plan: Plan, proposals: Proposals, until: float) -> list[Candidate]:
        """Measure what is proposed, rung by rung; the finalists, the best first."""
        bench, sizes = self.bench, plan.rungs.sizes
        end = self._until(until)
        alive: list[Candidate] = []
        at = f"{plan.name} 1"
        while len(alive) < sizes[0]:
            group = proposals.ask(min(plan.group, sizes[0] - len(alive)))
            if not group:
                break
            new = any(bench.kept.score(one, at) is None for one in group)
            if alive and new and bench.clock.spent > end:
                lost = sizes[0] - len(alive)
                self.notices.append(f"{lost} more {plan.name} were not tried: the time for them was over")
                break
            bench.rung(at, group, plan.rungs.seconds, plan.group)
            for one in group:
                # Of this rung only: who continues knows more by now, and is to be proposed the same.
                proposals.tell(one, bench.ratio_at(at, one))
            alive += group
        looked = bench.max_abs_diff is not None
        for rung, size in enumerate(sizes[1:], 2):
            alive = self._select(alive, size, spare=size // 2, looked=looked, at=at)
            if len(alive) <= FINALISTS or bench.clock.spent > end:
                break
            at = f"{plan.name} {rung}"
            bench.rung(at, alive, plan.rungs.seconds * ETA ** (rung - 1), plan.group)
        return self._select(alive, FINALISTS, looked=looked, at=at)

    def _select(
        self,
        pool: Sequence[Candidate],
        keep: int,
        spare: int = 0,
        *,
        looked: bool = False,
        at: str | None = None,
    ) -> list[Candidate]:
        """The best that may be chosen.

        Args:
            pool: of these.
            keep: how many.
            spare: see `survivors`.
            looked: whether their outputs are to be known.
            at: the rung that says how good they are; the last one of each if None.
        """
        bench, kept = self.bench, self.bench.kept
        while True:
            scored = [
                (one, score)
                for one in dict.fromkeys(pool)
                if bench.why_not(one) is None
                and (score := kept.last(one) if at is None else kept.score(one, at)) is not None
            ]
            scores = [(score.ratio or math.inf, score.ci95) for _, score in scored]
            chosen = [scored[place][0] for place in survivors(scores, keep, spare)]
            unseen = [
                one
                for one in chosen
                if one.config != bench.base.config and one.config not in bench.kept.looked
            ]
            if not looked or not unseen:
                return chosen
            for one in unseen:
                bench.look(one)
