"""A model cut down to some of its ops, and the values that flowed into them in the whole model."""

from __future__ import annotations

from workbench.verifying.cutting.cut import cut
from workbench.verifying.cutting.record import Recorder
from workbench.verifying.cutting.selection import Selection, select

__all__ = ["Recorder", "Selection", "cut", "select"]
