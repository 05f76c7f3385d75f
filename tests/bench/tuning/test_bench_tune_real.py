"""`tune` on the real core."""

from __future__ import annotations

from pathlib import Path

import workbench as wb
from workbench.models import Model


def test_a_real_tuning_keeps_what_paddle_refuses(digits: Model, tmp_path: Path) -> None:
    asked = {"onednn": [True, False], "precision": ["fp32", "fp16"]}
    found = wb.tune(digits, space=asked, seconds=8, folder=tmp_path / "kept")
    # On a busy machine the time may not be enough at first; called again, it continues.
    for _ in range(4):
        if not all(one.error for one in found.trials):
            break
        found = wb.tune(digits, space=asked, seconds=8, folder=tmp_path / "kept")
    refused = [one for one in found.trials if one.config.precision == "fp16"]
    assert refused
    assert all("fp16 runs on a GPU only" in str(one.error) for one in refused)
    assert found.best.precision == "fp32"
    [other] = [one for one in found.trials if not one.error]
    assert other.last.ratio is not None
    assert other.peak_bytes is not None
    assert "create_predictor" in found.code()
    again = wb.tune(digits, space=asked, seconds=8, folder=tmp_path / "kept")
    # Whether or not the time was enough, what was finished stays.
    for one, more in zip(found.trials, again.trials, strict=False):
        assert more.scores[: len(one.scores)] == one.scores
    if found.entry is not None:
        [entry] = [one for one in wb.History().entries() if one.id == found.entry]
        assert entry.kind == "tuning"
