"""Outputs beside a reference, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from workbench.verifying.differing import Differing
from workbench.verifying.tolerance import tolerances_of
from workbench.verifying.verification import what_failed

Outputs = Mapping[str, npt.NDArray[Any]]


def difference(
    expected: Outputs, given: Outputs, tolerance: Any = None, precisions: Sequence[str] = ()
) -> str | None:
    """How outputs differ beyond a tolerance, in words; None if they do not.

    Args:
        expected: the reference.
        given: what is judged; outputs are taken by name, or by place if their names differ.
        tolerance: as in `workbench.verify`.
        precisions: of the config, as in `workbench.verifying.default_tolerance`.

    Raises:
        InputError: for a tolerance that is none.
    """
    if len(given) != len(expected):
        return f"{len(given)} outputs, not {len(expected)}"
    names = list(expected if given.keys() == expected.keys() else given)
    allowed = tolerances_of(tolerance, names)
    for reference, name in zip(expected, names, strict=True):
        one = Differing(name, allowed[name], precisions=precisions)
        one.add(expected[reference], given[name])
        found = one.result()
        if not found.passed:
            return f"output {name}: {'; '.join(what_failed(found))}"
    return None
