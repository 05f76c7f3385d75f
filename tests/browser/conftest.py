"""A real JupyterLab, started by `workbench lab`, and a real Chromium in front of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from driving import Lab
from playwright.sync_api import Browser, Page, Route


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    home = tmp_path_factory.mktemp("jupyter")
    # The page's own commands are how a test runs all cells or changes the theme.
    (home / "jupyter_lab_config.json").write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    command = [sys.executable, "-m", "workbench", "lab", "--no-browser", "--port", "0", "--dir", str(folder)]
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    address = None
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+", line):
            address = found.group(0)
            break
    assert address, "".join(said)
    # What it says from here on has to go somewhere, or it stops at a full pipe.
    log = (home / "lab.log").open("w")
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=log)
    yield Lab(address, folder)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)
    drain.wait(30)
    log.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a test's own."""
    with guarded_page(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Iterator[Page]:
    """A page for all tests of a file."""
    with guarded_page(browser) as opened:
        yield opened


@contextlib.contextmanager
def guarded_page(browser: Browser) -> Iterator[Page]:
    """A page that may ask this machine alone, and whose errors fail the test."""
    opened = browser.new_context(viewport={"width": 1500, "height": 1150}).new_page()
    outside: list[str] = []
    errors: list[str] = []

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    opened.route(re.compile(r"^(https?|wss?)://"), guard)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.context.close()
    assert outside == []
    assert errors == []
