"""The history as CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from histories import CONFIG, ENVIRONMENT, HASH, begin, measure

from workbench.bench.history import History
from workbench.bench.samples import Round


def test_the_csv_has_a_row_per_config(history: History, tmp_path: Path) -> None:
    measure(history, "default", 'two, "quoted"\nand on two lines')
    measure(history, environment={"runtime": {"paddle": "3.2.0"}})
    assert history.to_csv(tmp_path / "out.csv") == 3
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["default", "default", 'two, "quoted"\nand on two lines']
    for row in rows:
        assert (row["model"], row["model_hash"], row["samples"], row["state"]) == (
            "digits",
            HASH,
            "100",
            "finished",
        )
        # Of 1 to 100, linearly interpolated: 1 + 99 × share.
        assert [float(row[name]) for name in ("p50_ms", "p90_ms", "p99_ms")] == pytest.approx(
            [50.5, 90.1, 99.01]
        )
        assert (row["config.threads"], row["config.disabled_passes"]) == ("2", "[]")
    assert (rows[0]["environment.runtime.paddle"], rows[0]["environment.cpu_model"]) == ("3.2.0", "")
    assert (rows[1]["environment.cores"], json.loads(rows[1]["environment.flags"])) == (
        "2",
        ["avx", "fma"],
    )
    assert history.to_csv(tmp_path / "some.csv", history.entries(limit=1)) == 1
    assert History(tmp_path / "none").to_csv(tmp_path / "empty.csv") == 0
    assert (tmp_path / "empty.csv").read_text().startswith("id,began,kind,model,")


def test_the_json_has_every_sample(history: History, tmp_path: Path) -> None:
    samples = [0.1, 1 / 3, 5e-324, math.pi * 1e300]
    recorder = begin(history)
    recorder.run(0, "default", CONFIG, ["a notice"])
    recorder.launch(0, 0, 1.5, 2.5, [9.0])
    recorder.round(0, 0, 0, Round(np.array(samples), 0.5, 0.25))
    recorder.peak(0, 0, 7)
    recorder.end("cancelled", "the benchmark was cancelled")
    measure(history, "a", "b")
    assert history.to_json(tmp_path / "out.json") == 2
    second, first = json.loads((tmp_path / "out.json").read_text())["measurements"]
    assert (first["state"], first["error"]) == ("cancelled", "the benchmark was cancelled")
    assert datetime.fromisoformat(first["began"]) == history.entries()[1].began
    assert first["environment"] == ENVIRONMENT
    (run,) = first["runs"]
    assert run["config"] == json.loads(CONFIG.to_json())
    assert run["notices"] == ["a notice"]
    assert run["launches"] == [
        {
            "create_ms": 1.5,
            "first_ms": 2.5,
            "warmup_ms": [9.0],
            "peak_bytes": 7,
            "rounds": [{"samples_ms": samples, "began_s": 0.5, "others": 0.25, "mhz": None}],
        }
    ]
    assert [one["label"] for one in second["runs"]] == ["a", "b"]
    History(tmp_path / "none").to_json(tmp_path / "empty.json")
    assert json.loads((tmp_path / "empty.json").read_text()) == {"measurements": []}
