"""What all tests share: sample models, made once per session, and places of their own for what is kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Helpers such as `oracle` are imported by tests in every folder.
sys.path.insert(0, str(Path(__file__).parent))

from chromium import chromium
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where samples are made: nobody's own cache, unless WORKBENCH_CACHE_DIR says so."""
    before = os.environ.get("WORKBENCH_CACHE_DIR")
    # One for all processes of a run: each of them has a folder of its own below that of the run.
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = Path(before) if before else run / "cache"
    os.environ["WORKBENCH_CACHE_DIR"] = str(folder)
    yield folder
    if before is None:
        del os.environ["WORKBENCH_CACHE_DIR"]


@pytest.fixture(scope="session", autouse=True)
def history_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where measurements are recorded: never in anybody's own history; each process has a file of its own."""
    before = os.environ.get("WORKBENCH_HISTORY")
    file = tmp_path_factory.getbasetemp() / "history.sqlite"
    os.environ["WORKBENCH_HISTORY"] = str(file)
    yield file
    if before is None:
        del os.environ["WORKBENCH_HISTORY"]
    else:
        os.environ["WORKBENCH_HISTORY"] = before


@pytest.fixture(scope="session")
def sample_folder(cache_folder: Path) -> Callable[..., Path]:
    """``sample_folder(name, layout)``: the folder of a sample, not to be written to."""

    def folder(name: str = "digits", layout: str = "pir") -> Path:
        from workbench import models

        return models.sample(name, layout)

    return folder


@pytest.fixture
def no_session_left() -> Iterator[None]:
    """Fails a test that leaves a worker of its own behind; those of others may wait to be collected."""
    from workbench.core import sessions

    before = sessions()
    yield
    assert [session for session in sessions() if session not in before] == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one file: Playwright leaves an event loop running, under which no second one starts."""
    with sync_playwright() as playwright:
        opened = chromium(playwright)
        yield opened
        opened.close()
