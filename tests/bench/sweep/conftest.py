"""What tests of sweeps share: a lock of their own, and a model from elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import models
from workbench.bench.sweep import content


@pytest.fixture(scope="module", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lock lies in a temp directory of these tests, so that no sweep of others is waited for."""
    folder = tmp_path_factory.mktemp("lock")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield folder
    tempfile.tempdir = None


@pytest.fixture(scope="module")
def elsewhere(digits: models.Model) -> models.Model:
    """A model that no worker finds under a path."""
    found = models.from_bytes(*content.content_of(digits))
    return replace(found, name="elsewhere")
