"""The command line: thin, over the rooms below."""

from __future__ import annotations

from workbench.cli.main import main

__all__ = ["main"]
