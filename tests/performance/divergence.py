"""Whether comparing op by op keeps to its memory limit, on 10,000 ops whose outputs are far more than it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import workbench as wb
from workbench.core import sessions

MB = 1 << 20
LIMIT = 64 * MB
Row = tuple[str, str, str, str]


class Peaks:
    """Told how far a comparison is, notes by how much the memory of its processes grows while it compares.

    Attributes:
        extra: bytes by which the peaks of this process and the workers, added up, are above what each held
            when the first tensors were to be taken.
    """

    def __init__(self) -> None:
        self.extra = 0
        self._before: int | None = None

    def __call__(self, share: float, text: str) -> None:
        if text.startswith("comparing: 0 "):
            self._before = self._held("rss", "VmRSS", reset=True)
        elif text == "done":
            if self._before is None:
                raise RuntimeError("nothing was compared, so nothing was measured")
            self.extra = self._held("peak_rss", "VmHWM") - self._before

    def _held(self, of_worker: str, of_this: str, *, reset: bool = False) -> int:
        workers = sum(session.memory(reset=reset)[of_worker] for session in sessions())
        status = Path("/proc/self/status").read_text()
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        found = re.search(rf"^{of_this}:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return workers + int(found[1]) * 1024


def divergence_rows() -> list[Row]:
    """The extra peak memory of a first divergence on ``deep``, as a share of what it was allowed."""
    print("comparing the sample 'deep' op by op: minutes", flush=True)
    folder = wb.sample("deep")
    peaks, begin = Peaks(), time.monotonic()
    found = wb.first_divergence(
        folder,
        wb.InferenceConfig(),
        wb.InferenceConfig(onednn=False),
        wb.sample_inputs(folder),
        memory_limit=LIMIT,
        progress=peaks,
    )
    seconds = time.monotonic() - begin
    says = "none diverges" if found.first is None else f"the first divergence is at op {found.first.op}"
    return [
        (
            "first divergence of deep: extra peak memory of three processes / limit",
            f"{peaks.extra / LIMIT:.2f}",
            "at most 1",
            f"{peaks.extra / MB:.0f} of {LIMIT / MB:.0f} MB, {len(found.points):,} values in {found.chunks} "
            f"chunks, {says}, {seconds:.0f} s",
        )
    ]
