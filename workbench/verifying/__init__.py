"""Which change made it wrong: outputs side by side, where they part, and the passes that did it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench._lazy import lazily

if TYPE_CHECKING:
    from workbench.verifying.bisection import Bisection, bisect
    from workbench.verifying.cutting import cut
    from workbench.verifying.difference import OutputDifference
    from workbench.verifying.differing import Differing
    from workbench.verifying.divergence import Divergence, first_divergence
    from workbench.verifying.outputs import verify
    from workbench.verifying.reduction import Reduction, reduce
    from workbench.verifying.sensitivity import Sensitivity, sensitivity
    from workbench.verifying.tolerance import Tolerance, default_tolerance
    from workbench.verifying.verification import Verification

_MODULES = {
    "Bisection": "bisection",
    "Differing": "differing",
    "Divergence": "divergence",
    "OutputDifference": "difference",
    "Reduction": "reduction",
    "Sensitivity": "sensitivity",
    "Tolerance": "tolerance",
    "Verification": "verification",
    "bisect": "bisection",
    "cut": "cutting",
    "default_tolerance": "tolerance",
    "first_divergence": "divergence",
    "reduce": "reduction",
    "sensitivity": "sensitivity",
    "verify": "outputs",
}

__all__ = [
    "Bisection",
    "Differing",
    "Divergence",
    "OutputDifference",
    "Reduction",
    "Sensitivity",
    "Tolerance",
    "Verification",
    "bisect",
    "cut",
    "default_tolerance",
    "first_divergence",
    "reduce",
    "sensitivity",
    "verify",
]

__getattr__ = lazily(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
