"""What the outputs of a run in a lower precision say: good enough or not, and how far apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.verifying.bisection.checks import said
from workbench.verifying.bisection.outcome import Outcome
from workbench.verifying.difference import OutputDifference
from workbench.verifying.differing import Differing
from workbench.verifying.divergence.apart import Apart
from workbench.verifying.tolerance import tolerances_of
from workbench.verifying.verification import what_failed

Outputs = Mapping[str, npt.NDArray[Any]]
Check = Callable[[dict[str, npt.NDArray[Any]]], object]


@dataclass(frozen=True)
class Gap:
    """How far outputs are from those in fp32.

    Attributes:
        difference: ``||a − b|| / ||a||`` of the output where it is largest; infinite where an element is NaN
            or infinite in one alone.
        of_tolerance: the largest ``|given − expected|`` in relation to what the tolerance allows; 1 is the
            limit.
    """

    difference: float
    of_tolerance: float


class Judge:
    """Compares outputs with those in fp32.

    Args:
        expected: the outputs in fp32.
        precision: the lower precision, for the tolerance.
        tolerance: as in `workbench.verify`.
        check: takes the outputs and gives True if they are good enough; None for the tolerance.

    Attributes:
        gap: of the outputs judged last; None if there were none.

    Raises:
        InputError: for a tolerance that is none.
    """

    def __init__(self, expected: Outputs, precision: str, tolerance: Any, check: Check | None) -> None:
        self._expected = expected
        self._precision = precision
        self._allowed = tolerances_of(tolerance, expected)
        self._check = check
        self.gap: Gap | None = None

    def __call__(self, given: Outputs) -> Outcome:
        """Say whether outputs are good enough."""
        found = [self._compared(name, given[name]) for name in self._expected]
        self.gap = Gap(
            max(_difference(self._expected[name], given[name]) for name in self._expected),
            max(_of_tolerance(one) for one in found),
        )
        if self._check is not None:
            return self._checked(self._check, given)
        failed = [f"output {one.name}: {'; '.join(what_failed(one))}" for one in found if not one.passed]
        if failed:
            return Outcome("fails", "; ".join(failed), "output")
        return Outcome("passes", f"the outputs use {self.gap.of_tolerance:.2g} of the tolerance at most")

    def _compared(self, name: str, given: npt.NDArray[Any]) -> OutputDifference:
        one = Differing(name, self._allowed[name], precisions=(self._precision,))
        one.add(self._expected[name], given)
        return one.result()

    @staticmethod
    def _checked(check: Check, given: Outputs) -> Outcome:
        try:
            good = check(dict(given))
        # Whatever it raises: NaN may make any function fail.
        except Exception as error:
            return Outcome("fails", f"{type(error).__name__}: {said(error)}", type(error).__name__)
        if good:
            return Outcome("passes", "the function gives True")
        return Outcome("fails", "the function gives False", "False")


def _difference(expected: npt.NDArray[Any], given: npt.NDArray[Any]) -> float:
    if expected.shape != given.shape or expected.dtype != given.dtype:
        return math.inf
    apart = Apart(expected.dtype.name, given.dtype.name)
    apart.add(np.ravel(expected), np.ravel(given))
    return math.inf if apart.lost else apart.relative


def _of_tolerance(found: OutputDifference) -> float:
    if found.remark or found.unmatched:
        return math.inf
    if found.worst is None or found.tolerance is None:
        return 0.0
    expected, given = complex(found.worst.expected), complex(found.worst.given)
    limit = found.tolerance.atol + found.tolerance.rtol * abs(expected)
    return abs(given - expected) / limit if limit else math.inf
