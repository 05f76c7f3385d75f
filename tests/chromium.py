"""The installed Chromium that tests and `make bench` look into, started one way."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, Playwright

# As in extensions/vitest.config.ts.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium(playwright: Playwright) -> Browser:
    """The browser, started: `make test` has installed it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
    raise SystemExit("no Chromium: make test installs it, or says what to type")
