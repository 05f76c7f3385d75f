"""The probes of one bisection: each config is tried as often as it takes, and never again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from workbench.verifying.bisection.outcome import On, Outcome, Probe, pooled_rate

# A fault that flickers is missed less often than once in so many configs.
MISSED = 1e-3


class Ledger:
    """Tries configs and remembers what came of it.

    Args:
        names: the candidates, in running order.
        probe: tries a config once, given which candidates are on.
        repeats: of one config, runs at most.
        known: what is known already, by the candidates that are off, in the order it was found.
        keep: called with a probe each time it has one more run.
        tell: called before each run with the number of the probe and what it is.

    Attributes:
        probes: by the candidates that are on, in the order they were first tried.
        grew: whether anything was tried anew.
    """

    def __init__(
        self,
        names: Sequence[str],
        probe: Callable[[On], Outcome],
        *,
        repeats: int,
        known: Mapping[tuple[str, ...], Sequence[Outcome]] | None = None,
        keep: Callable[[Probe], object] = lambda probe: None,
        tell: Callable[[int, str], object] = lambda number, text: None,
    ) -> None:
        self.names = tuple(names)
        self.repeats = repeats
        self.probes: dict[On, Probe] = {}
        self.grew = False
        self._probe = probe
        self._keep = keep
        self._tell = tell
        self._known = dict(known or {})

    def sample(self, on: Iterable[str], runs: int) -> Probe:
        """Try a config so many times in all, but not more than `repeats`."""
        probe = self._open(on)
        while len(probe.runs) < max(1, min(runs, self.repeats)):
            self._run(probe)
        return probe

    def ask(self, on: Iterable[str], kind: str | None = None, *, runs: int = 1) -> Probe:
        """Try a config until it fails, or has not failed as often as says something.

        Args:
            on: the candidates that are on.
            kind: the failure that counts; any if None.
            runs: how often it must not fail, at least; a flaky fault asks for more.
        """
        probe = self._open(on)
        while not (probe.verdict == "fails" if kind is None else probe.shows(kind)):
            # Anew each time: the run before may have shown that the fault is flaky.
            if len(probe.runs) >= min(max(runs, self.enough), self.repeats) and probe.runs:
                break
            self._run(probe)
        return probe

    @property
    def flaky(self) -> bool:
        """Whether a config failed at one time and not at another."""
        return any(probe.mixed and probe.verdict == "fails" for probe in self.probes.values())

    @property
    def rate(self) -> float | None:
        """How often a config that can fail does."""
        return pooled_rate(self.probes.values())

    @property
    def enough(self) -> int:
        """Runs that must not fail before a config is taken to pass."""
        rate = self.rate
        if rate is None or rate >= 1 or not self.flaky:
            return 1
        return math.ceil(math.log(MISSED) / math.log1p(-rate))

    @property
    def runs(self) -> int:
        """All runs so far."""
        return sum(len(probe.runs) for probe in self.probes.values())

    def _open(self, on: Iterable[str]) -> Probe:
        key = frozenset(on)
        if key not in self.probes:
            off = tuple(name for name in self.names if name not in key)
            probe = Probe(len(self.probes) + 1, key, off, list(self._known.get(off, ())))
            self.probes[key] = probe
        return self.probes[key]

    def _run(self, probe: Probe) -> None:
        again = f", run {len(probe.runs) + 1}" if probe.runs else ""
        self._tell(
            probe.number, f"probe {probe.number}: {len(probe.on)} of {len(self.names)} passes on{again}"
        )
        probe.runs.append(self._probe(probe.on))
        self.grew = True
        self._keep(probe)
