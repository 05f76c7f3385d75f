"""What a person does and reads at the workbench, without a page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import workbench as wb
from workbench.ui import Workbench

PATIENCE_S = 180


@contextmanager
def opened(model: str | Path, config: wb.InferenceConfig | None = None) -> Iterator[Workbench]:
    """A workbench whose trace is there."""
    bench = wb.open(model, config)
    try:
        assert bench.wait(PATIENCE_S)
        yield bench
    finally:
        bench.close()


def text(markup: str) -> str:
    """What is read of it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup))).strip()
