"""The content of a model where a sweep measures it: found, sent, and removed when there is no room."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import models
from workbench.bench.sweep import content


def test_a_model_is_taken_from_its_path_only_where_its_content_is_the_same(
    sample_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    separate = models.load(sample_folder("digits", "separate"))
    facts, sent = content.facts_of(separate), content.content_of(separate)
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    there = content.arrived(facts)
    assert there is not None
    assert there.path == separate.path

    away = {**facts, "path": str(tmp_path / "not there")}
    assert content.arrived(away) is None
    kept = content.arrived(away, sent)
    assert kept is not None
    assert kept.name == separate.name
    assert kept.fingerprint == separate.fingerprint
    assert kept.model_file is not None
    # Again without the content; and where the path holds another model.
    assert content.arrived(away) is not None
    damaged = shutil.copytree(kept.model_file.parent, tmp_path / "other")
    program = damaged / kept.model_file.name
    program.write_bytes(program.read_bytes() + b" ")
    found = content.arrived({**facts, "path": str(program)})
    assert found is not None
    assert found.fingerprint == separate.fingerprint
    # What is damaged is not taken, and comes anew.
    assert kept.params_file is not None
    kept.params_file.write_bytes(b"damaged")
    assert content.arrived(away) is None
    assert content.arrived(away, sent) is not None


def test_models_from_elsewhere_take_no_more_room_than_they_may(
    digits: models.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    facts = {**content.facts_of(digits), "path": None}
    kept = content.arrived(facts, content.content_of(digits))
    assert kept is not None
    assert kept.model_file is not None
    folder = kept.model_file.parent
    copies = [shutil.copytree(folder, folder.parent / f"copy{number}") for number in range(3)]
    for age, copy in enumerate(copies):
        os.utime(copy, (1e9 - age, 1e9 - age))
    # Another worker writes one that comes, for which it has no lock; another died while it did.
    fresh, dead = (shutil.copytree(folder, folder.parent / name) for name in (".fresh", ".dead"))
    os.utime(fresh)
    os.utime(dead, (1e9, 1e9))
    content.make_room(facts, most=int(2.5 * digits.bytes))
    assert [copy.exists() for copy in copies] == [True, False, False]
    content.make_room(facts, most=0)
    assert not copies[0].exists()
    assert (fresh.exists(), dead.exists()) == (True, False)
    assert folder.exists()  # it is being measured
