"""Measurements are found by what is asked, by their model above all, and forgotten."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from histories import CONFIG, FACTS, begin, measure, set_began

from workbench import models
from workbench.bench.history import History, model_hash
from workbench.bench.samples import Round
from workbench.errors import ModelError, WorkbenchError


def test_entries_are_found_by_what_is_asked(history: History) -> None:
    one = measure(history, "default", "no oneDNN")
    two = measure(history, name="bert", hash="fedcba9876543210" * 4)
    recorder = history.begin("ablation", FACTS, {})
    recorder.end("finished", result={"passes": [np.float64(1.5), (1, None)]})
    three = recorder.id

    def found(*args: Any, **kwargs: Any) -> list[int]:
        return [entry.id for entry in history.entries(*args, **kwargs)]

    assert found() == [three, two, one]
    assert found("digits") == [three, one]
    assert found("fedcba") == found("FEDCBA98") == found("bert") == [two]
    assert found("fedc") == found("nobody") == found("fedcbb") == []
    assert found(kind="ablation") == [three]
    assert found(label="no oneDNN") == [one]
    assert found(label="default", model="bert") == [two]
    assert found(limit=2) == [three, two]
    assert history.entries(limit=1)[0].result == {"passes": [1.5, [1, None]]}

    set_began(history, one, datetime(2026, 1, 31, 18, 0, tzinfo=timezone.utc))
    set_began(history, two, datetime(2026, 2, 1, 12, 0).astimezone())
    assert found(since="2026-01-31T18:00:00Z") == found(since="2026-01-31T19:00+01:00") == [three, two, one]
    assert found(since="2026-01-31T18:00:00.000001Z") == [three, two]
    assert found(since=date(2026, 2, 1)) == found(since="2026-02-01") == [three, two]
    assert found(since=datetime(2026, 2, 1, 12, 0)) == [three, two]
    assert found(since=datetime(2026, 2, 1, 12, 1)) == [three]


def test_mistakes_are_said(history: History, tmp_path: Path) -> None:
    measure(history)
    empty = History(tmp_path / "none")
    calls: dict[str, Callable[[], object]] = {
        "'last week' is no date or time: write it as": lambda: history.entries(since="last week"),
        "is out of range: give a date": lambda: history.entries(since="0001-01-01T00:00+01:00"),
        "kind is 'speed': give one of benchmark": lambda: history.entries(kind="speed"),  # type: ignore[arg-type]
        "kind is 'bench': give one of": lambda: history.begin("bench", FACTS, {}),  # type: ignore[arg-type]
        "limit is 0: give a whole number": lambda: history.entries(limit=0),
        "no measurement 7": lambda: history.runs(7),
        "no measurement 1:": lambda: empty.forget([1]),
        "'monday' is no date": lambda: empty.forget(before="monday"),
        "either ids or before": history.forget,
        "no benchmark of bert": lambda: history.chart("bert"),
        "nowhere/inference.json does not exist": lambda: history.entries("nowhere/inference.json"),
        "cannot write /nowhere/x.csv": lambda: history.to_csv("/nowhere/x.csv"),
        "cannot write /nowhere/x.json": lambda: history.to_json("/nowhere/x.json"),
    }
    for said, call in calls.items():
        with pytest.raises(WorkbenchError, match=said):
            call()


def test_what_is_forgotten_is_gone_with_its_samples(history: History) -> None:
    numbers = [measure(history) for _ in range(4)]
    big = begin(history)
    big.run(0, "big", CONFIG, ())
    big.launch(0, 0, 1.0, 2.0, [])
    big.round(0, 0, 0, Round(np.zeros(200_000)))
    big.end("finished")
    assert big.id is not None and history.path is not None
    before = history.path.stat().st_size
    assert history.forget(big.id) == 1
    assert before - history.path.stat().st_size > 1_500_000
    with pytest.raises(WorkbenchError, match=f"no measurement {big.id}:"):
        history.forget([numbers[0], big.id])
    assert len(history.entries()) == 4
    assert history.forget(numbers[:2]) == 2
    set_began(history, numbers[2], datetime.now(timezone.utc) - timedelta(days=2))
    assert history.forget(before=datetime.now(timezone.utc) - timedelta(days=1)) == 1
    assert [entry.id for entry in history.entries()] == [numbers[3]]
    with contextlib.closing(sqlite3.connect(history.path)) as db:
        for table, count in (("run", 1), ("launch", 1), ("round", 2)):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
    assert history.forget([numbers[3]]) == 1
    assert measure(history) > big.id  # a number is never given again


def files_model(
    folder: Path, program: bytes = b"a program", params: bytes = b"weights" * 1000
) -> models.Model:
    folder.mkdir(exist_ok=True)
    (folder / "m.pdmodel").write_bytes(program)
    (folder / "m.pdiparams").write_bytes(params)
    return models.Model("combined", "program", "m", folder / "m.pdmodel", folder / "m.pdiparams")


def rewrite(file: Path, data: bytes) -> None:
    """As an export does that takes longer than a tick of the file system's clock."""
    before = file.stat().st_mtime_ns
    file.write_bytes(data)
    os.utime(file, ns=(before, before + 1_000_000))


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    model = files_model(tmp_path / "a")
    assert model.model_file is not None and model.params_file is not None
    found = model_hash(model)
    # The length of the program is part of it: what moves from one file to the other is another model.
    wanted = hashlib.sha256(len(b"a program").to_bytes(8, "little") + b"a program" + b"weights" * 1000)
    assert found == wanted.hexdigest()
    assert model_hash(files_model(tmp_path / "moved")) == found
    assert model_hash(files_model(tmp_path / "other", program=b"a programw", params=b"")) != found
    memory = models.Model(
        "program", "program", "memory", model_bytes=b"a program", params_bytes=b"weights" * 1000
    )
    assert model_hash(memory) == found
    # Weights that change under a model that is loaded.
    rewrite(model.params_file, b"weights" * 999 + b"weighty")
    assert model_hash(model) != found
    rewrite(model.params_file, b"weights" * 1000)
    assert model_hash(model) == found
    model.params_file.unlink()
    with pytest.raises(ModelError, match=r"m\.pdiparams cannot be read .*: load the model again"):
        model_hash(model)


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    model = files_model(tmp_path / "a")
    found = model_hash(model)
    assert model.params_file is not None
    stat = model.params_file.stat()
    model.params_file.write_bytes(bytes(stat.st_size))
    os.utime(model.params_file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert model_hash(model) == found


def test_measurements_of_a_model_are_found_by_the_model_and_its_path(
    history: History, sample_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sample_folder("digits", "pir")
    model = models.load(folder)
    number = measure(history, name="some name", hash=model_hash(model))
    measure(history, name="other", hash="0" * 64)
    monkeypatch.chdir(folder.parent)
    for given_ in (model, folder, str(folder), folder.name, model_hash(model), "some name"):
        assert [entry.id for entry in history.entries(given_)] == [number], given_


def test_names_and_environments_of_any_kind_are_kept(history: History) -> None:
    name = os.fsdecode(b"caf\xe9")
    recorder = history.begin(
        "benchmark",
        {**FACTS, "name": name},
        {"load": np.float32(0.5), "cores": np.array([1, 2]), "at": Path("/x"), "nan": math.nan},
    )
    recorder.run(0, name, CONFIG, [name])
    recorder.end("failed", name)
    (entry,) = history.entries()
    assert entry.environment == {"load": 0.5, "cores": [1, 2], "at": "/x", "nan": None}
    assert entry.model == entry.runs[0].label == entry.error == "caf\\udce9"
    assert (entry.cpu, entry.paddle) == ("", "")
