"""Ops in a lower precision, simulated: they run in fp32, and what they read and give is rounded."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from . import measure

# The first and the last output of one execution of an op, by place among those that were listed.
Execution = Tuple[int, int]

# Elements rounded at once, so that what is made of them on the way stays in the processor's cache.
BLOCK = 1 << 16


def to_bf16(values: np.ndarray) -> None:
    """Round float32 in place to the nearest number of bfloat16, a tie to the even one; NaN stays NaN."""
    bits = values.view(np.uint32)
    for start in range(0, bits.size, BLOCK):
        block = bits[start : start + BLOCK]
        # bfloat16 is the upper half: a carry out of the mantissa counts up the exponent, up to infinity.
        rounded = block + (((block >> 16) & 1) + 0x7FFF)
        nan = (block & 0x7FFFFFFF) > 0x7F800000
        if nan.any():
            rounded[nan] = block[nan] | 0x00400000
        block[:] = rounded & 0xFFFF0000


def to_fp16(values: np.ndarray) -> None:
    """The same for float16: beyond 65504 there is infinity, and numbers below 6e-5 keep fewer digits."""
    for start in range(0, values.size, BLOCK):
        block = values[start : start + BLOCK]
        with np.errstate(over="ignore", under="ignore"):
            block[:] = block.astype(np.float16)


ROUND: Dict[str, Callable[[np.ndarray], None]] = {"bf16": to_bf16, "fp16": to_fp16}


class Rounded:
    """A clone whose ops can read and give rounded numbers.

    It is told of what ops read, too, so it is not the clone that is measured.
    """

    def __init__(self, clone: Any) -> None:
        if not hasattr(clone, "register_input_hook"):
            raise NotImplementedError("it does not tell what its ops read: choose a runtime with Paddle 3.3")
        self.clone = clone
        self._run: Optional[_Run] = None
        clone.register_input_hook(self._reads)
        clone.register_output_hook(self._gives)

    def _reads(self, op: str, name: str, tensor: Any) -> None:
        if self._run is not None:
            self._run.guarded(self._run.reads, op, name, tensor)

    def _gives(self, op: str, name: str, tensor: Any) -> None:
        if self._run is not None:
            self._run.guarded(self._run.gives, op, name, tensor)

    def run(
        self,
        listed: Sequence[measure.Listed],
        executions: Sequence[Execution],
        precision: str,
        parameters: Sequence[str],
    ) -> None:
        """Run once, some executions of ops in a lower precision.

        What an op reads is rounded for its execution alone: others read it as it was.

        Args:
            listed: the outputs as `measure.listing` gave them.
            executions: those in the lower precision.
            precision: "bf16" or "fp16".
            parameters: names of the weights.

        Raises:
            RuntimeError: if this run gives other outputs than the one that was listed, or a tensor lies in
                oneDNN's own layout.
        """
        run = self._run = _Run(listed, executions, precision, parameters)
        try:
            self.clone.run()
        finally:
            self._run = None
            run.finish()
        if run.failure is not None:
            raise run.failure
        if run.count != len(listed):
            raise RuntimeError(
                f"which ops run differs from run to run: {len(listed)} outputs came in one, "
                f"{run.count} in another"
            )


class _Run:
    """What one run needs to know.

    Attributes:
        count: outputs that came so far.
        failure: what went wrong first; an exception must not pass through Paddle.
    """

    def __init__(
        self,
        listed: Sequence[measure.Listed],
        executions: Sequence[Execution],
        precision: str,
        parameters: Sequence[str],
    ) -> None:
        self.count = 0
        self.failure: Optional[Exception] = None
        self._listed = listed
        self._last = dict(executions)
        self._round = ROUND[precision]
        self._parameters = frozenset(parameters)
        # Where weights lie: some ops give them again as an output, in place.
        self._weights: List[int] = []
        self._end: Optional[int] = None
        # By address what was rounded for the op that runs: its elements, as they were, and what keeps them.
        self._lent: Dict[int, Tuple[np.ndarray, np.ndarray, Any]] = {}
        self._given: List[Tuple[int, int]] = []

    def guarded(self, look: Callable[[str, str, Any], None], op: str, name: str, tensor: Any) -> None:
        """Look, unless something went wrong before."""
        if self.failure is None:
            try:
                look(op, name, tensor)
            except Exception as error:
                self.failure = error

    def reads(self, op: str, name: str, tensor: Any) -> None:
        """An op is about to run that reads this."""
        weight = name in self._parameters
        lower = self.count in self._last and self._listed[self.count][0] == op
        if not weight and not lower:
            return
        address = int(tensor.data_ptr())
        if weight:
            self._weights.append(address)
        if not lower or address in self._lent:
            return
        values = _floats(tensor)
        if values is not None:
            self._lent[address] = (values, values.copy(), tensor)
            self._round(values)

    def gives(self, op: str, name: str, tensor: Any) -> None:
        """An op has run and gave this."""
        place, self.count = self.count, self.count + 1
        found = measure._describe(op, name, tensor)
        # A variable's name differs from clone to clone.
        if place >= len(self._listed) or [found[0], *found[2:]] != _unnamed(self._listed[place]):
            raise RuntimeError("which outputs the ops give differs from run to run")
        self._end = self._last.get(place, self._end)
        if self._end is None:
            return
        address = int(tensor.data_ptr())
        values = _floats(tensor)
        if values is not None and address not in self._weights:
            self._round(values)
            self._given.append((address, address + values.nbytes))
        if place == self._end:
            self.finish()

    def finish(self) -> None:
        """Give back what the op read, but for what it wrote its outputs over."""
        for address, (values, before, _) in self._lent.items():
            end = address + values.nbytes
            if not any(start < end and address < stop for start, stop in self._given):
                values[:] = before
        self._lent.clear()
        self._given.clear()
        self._end = None


def _unnamed(listed: measure.Listed) -> List[Any]:
    op, _, dtype, shape, onednn = listed
    return [op, dtype, shape, onednn]


def _floats(tensor: Any) -> Optional[np.ndarray]:
    """The elements themselves, to write to, in any order; None where they are no float32."""
    _, _, dtype, shape, onednn = measure._describe("", "", tensor)
    size = int(np.prod(shape, dtype=np.int64))
    if dtype != "float32" or not size:
        return None
    if onednn or not tensor.place.is_cpu_place() or not getattr(tensor, "is_contiguous", lambda: True)():
        raise RuntimeError(
            "a tensor lies in a layout or a place of its own: use a config on the CPU with onednn=False"
        )
    block = (ctypes.c_char * (4 * size)).from_address(tensor.data_ptr())
    return np.frombuffer(memoryview(block), np.float32, size)
