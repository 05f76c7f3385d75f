"""The search alone, on answers that are known: how many probes one guilty pass takes, and where it stops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from planting_passes import On, names

from workbench.verifying.bisection.ledger import Ledger
from workbench.verifying.bisection.outcome import Outcome
from workbench.verifying.bisection.search import Search

MOST = 64


@pytest.mark.parametrize("crashes", [False, True])
def test_one_guilty_pass_takes_no_more_probes_than_is_promised(crashes: bool) -> None:
    """Wherever it is, among two passes and up to 64: 2·log2(passes) + 4."""
    for count in range(2, MOST + 1):
        passes = names(count)
        for guilty in passes:

            def probe(on: On, passes: tuple[str, ...] = passes, guilty: str = guilty) -> Outcome:
                ran = tuple(name for name in passes if name in on)
                if guilty not in on:
                    return Outcome("passes", ran=ran)
                # What comes after a crash does not run, and the log says so.
                return Outcome("fails", "", "x", ran[: ran.index(guilty) + 1] if crashes else ran)

            ledger = Ledger(passes, probe, repeats=20)
            found = Search(ledger).find()
            assert (found.sets, found.off, found.notices) == ([(guilty,)], (guilty,), [])
            assert len(ledger.probes) <= 2 * math.log2(count) + 4, (count, guilty)


def noisy(seed: int, most: int | None) -> tuple[Search, Ledger]:
    """Any config fails at one time or another, but that with no pass on."""
    rng = np.random.default_rng(seed)

    def probe(on: On) -> Outcome:
        return Outcome("fails", "", "slower") if on and rng.random() < 0.7 else Outcome("passes")

    ledger = Ledger(names(16), probe, repeats=5)
    return Search(ledger, most), ledger


def test_noise_leads_from_set_to_set_unless_their_number_is_limited() -> None:
    endless = cut_off = 0
    for seed in range(20):
        search, all_ = noisy(seed, None)
        endless += len(search.find().sets) > 4
        search, some = noisy(seed, 4)
        found = search.find()
        assert len(found.sets) <= 4
        assert len(some.probes) <= len(all_.probes)
        told = [text for text in found.notices if text.startswith("after 4 sets no more were looked for")]
        assert len(told) <= 1
        # Where it was cut off, no config is known that avoids what may be left.
        assert not told or found.off is None
        cut_off += bool(told)
    assert endless > 10
    assert cut_off > 10


def test_as_many_sets_as_may_be_are_no_cut() -> None:
    guilty = ("pass_01", "pass_07")

    def probe(on: On) -> Outcome:
        failing = next((name for name in guilty if name in on), None)
        return Outcome("passes") if failing is None else Outcome("fails", "", "x")

    found = Search(Ledger(names(8), probe, repeats=5), 2).find()
    assert (found.sets, found.off, found.notices) == ([("pass_01",), ("pass_07",)], guilty, [])
    found = Search(Ledger(names(8), probe, repeats=5), 1).find()
    assert (found.sets, found.off, len(found.notices)) == ([("pass_01",)], None, 1)
