"""How far apart two numbers may be and still count as the same, by dtype or as the user says."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import InputError

# Elements looked at at once: what is computed of them on the way stays in the processor's cache.
BLOCK = 1 << 16
# The key of a mapping of tolerances that stands for every output not named in it.
ALL = "*"


@dataclass(frozen=True)
class Tolerance:
    """The limit |given − expected| ≤ atol + rtol · |expected|.

    Attributes:
        atol: the absolute part, in the output's own unit; 0 or more.
        rtol: the part relative to what is expected; 0 or more.

    Raises:
        InputError: for a number below 0 or one that is not finite.
    """

    atol: float
    rtol: float

    def __post_init__(self) -> None:
        """Check both numbers."""
        for name, value in (("atol", self.atol), ("rtol", self.rtol)):
            number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
            if not number or not 0 <= value < math.inf:
                raise InputError(f"{name} of a tolerance is {value!r}: give a number from 0, such as 1e-4")

    def __str__(self) -> str:
        if not self.atol and not self.rtol:
            return "exact"
        if not self.rtol:
            return f"{self.atol:.3g}"
        relative = f"{self.rtol:.3g}·|expected|"
        return f"{self.atol:.3g} + {relative}" if self.atol else relative

    def facts(self) -> dict[str, float]:
        """The same as plain values."""
        return {"atol": float(self.atol), "rtol": float(self.rtol)}


# The one table: the error that right engines may have, as a share of the number itself (rtol) and also of the
# root mean square of the output (atol): engines differ in the order of their sums and in what they fuse, and
# where large numbers cancel out, the error left is one of the large numbers, so an output near 0 has it too.
# float64, float32: sums are in the same precision. The error of one rounding (2⁻⁵³, 2⁻²⁴) grows with the
#   length of the sums and with the depth, to about a thousand times in large models, which for float32 is
#   1e-4. (oneDNN on and off are up to 1e-5 apart in ResNet-18 and MobileNetV3, Paddle 3.3.1.) For float64 it
#   would be 1e-13; 1e-9 is room for approximated functions such as exp, and less than a rounding in float32.
# float16, bfloat16: sums are in float32 and only what a layer gives is rounded (2⁻¹¹ = 5e-4, 2⁻⁸ = 4e-3), so
#   the depth of a model alone counts: some twenty of those roundings.
# Whole numbers and truth values have no rounding: they are the same or they are not.
_SHARES = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-1}
EXACT = Tolerance(0.0, 0.0)
# A complex number is compared as two real ones.
_PARTS = {"complex64": "float32", "complex128": "float64"}
# The dtype in which a config with this precision rounds.
_COMPUTED_IN = {"fp16": "float16", "bf16": "bfloat16"}


def default_tolerance(dtype: Any, scale: float = 1.0, precisions: Iterable[str] = ()) -> Tolerance:
    """The tolerance for numbers of a dtype.

    Args:
        dtype: a numpy dtype or a name; "bfloat16" too, which numpy does not have.
        scale: the root mean square of the output, in its own unit; see `scale_of`.
        precisions: of the configs that gave it, as ``Session.given`` says, such as "fp32" or "bf16
            (simulated)": an output in float32 that was computed in bfloat16 has the error of bfloat16.

    Raises:
        InputError: for a dtype that is no number.
    """
    name = dtype if isinstance(dtype, str) and dtype in _SHARES else _name(dtype)
    name = _PARTS.get(name, name)
    if name not in _SHARES:
        if np.dtype(name).kind in "iub":
            return EXACT
        raise InputError(f"there is no tolerance for {name}: give float, whole or truth values")
    computed = [_COMPUTED_IN.get(precision.split()[0], name) for precision in precisions]
    share = max(_SHARES[one] for one in (name, *computed))
    return Tolerance(share * scale, share)


def scale_of(values: npt.NDArray[Any]) -> float:
    """The root mean square of those that are finite; 1 where all of them are 0 or there are none."""
    largest = max((float(np.abs(block).max(initial=0.0)) for block in _finite(values)), default=0.0)
    if not largest:
        return 1.0
    squares, count = 0.0, 0
    for block in _finite(values):
        # Divided first, so that no square overflows or vanishes.
        squares += float(np.square(block / largest).sum())
        count += block.size
    return largest * math.sqrt(squares / count)


def _finite(values: npt.NDArray[Any]) -> Iterator[npt.NDArray[np.float64]]:
    """The finite ones, part by part, so that no copy of all of them is made."""
    flat = values.reshape(-1)
    for at in range(0, flat.size, BLOCK):
        block = flat[at : at + BLOCK].astype(np.float64)
        finite = np.isfinite(block)
        yield block if finite.all() else block[finite]


def tolerances_of(spec: Any, names: Iterable[str]) -> dict[str, Tolerance | None]:
    """What a user said of tolerances, per output.

    Args:
        spec: None for those by dtype; for all outputs alike a `Tolerance`, a number (``atol``, with an
            ``rtol`` of 0) or a pair ``(atol, rtol)``; or a mapping of an output's name to one of those, in
            which ``"*"`` stands for all others.
        names: of all outputs.

    Returns:
        A tolerance by name; None where that by dtype is meant.

    Raises:
        InputError: for an output that is not there, or what is no tolerance.
    """
    names = list(names)
    if not isinstance(spec, Mapping):
        one = _read(spec)
        return dict.fromkeys(names, one)
    for name in spec:
        if name != ALL and name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the outputs are {', '.join(names)}"
            raise InputError(f"a tolerance is given for {name!r}, which is no output: {hint}")
    given = {name: _read(value) for name, value in spec.items()}
    return {name: given.get(name, given.get(ALL)) for name in names}


def _read(spec: Any) -> Tolerance | None:
    if spec is None or isinstance(spec, Tolerance):
        return spec
    if isinstance(spec, (int, float, np.number)):
        return Tolerance(float(spec), 0.0)
    if isinstance(spec, (tuple, list)) and len(spec) == 2:
        return Tolerance(*spec)
    raise InputError(f"{spec!r} is no tolerance: give an absolute one, such as 1e-4, or a pair (atol, rtol)")


def _name(dtype: Any) -> str:
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        raise InputError(f"{dtype!r} is no dtype that can be compared: give one such as 'float32'") from None
