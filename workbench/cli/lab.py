"""``workbench lab``: JupyterLab on the first notebook, with a token, on this machine only."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import click

from workbench.errors import WorkbenchError

FIRST = "01_first_look.ipynb"


def notebooks() -> Path:
    """The course: beside the package in a checkout, inside it in an installed wheel.

    Raises:
        WorkbenchError: if neither has them.
    """
    package = Path(__file__).parents[1]
    for folder in (package.parent / "notebooks", package / "notebooks"):
        if (folder / FIRST).exists():
            return folder
    raise WorkbenchError("the notebooks are missing from this installation: install paddle-workbench again")


def start(*, port: int | None, browser: bool, directory: str | None) -> None:
    """Become JupyterLab, which prints its address; does not return.

    Raises:
        WorkbenchError: if it cannot be started.
    """
    source = notebooks()
    folder = source
    if directory is not None:
        folder = Path(directory).expanduser().absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for notebook in source.glob("*.ipynb"):
                # What a person changed in a notebook is theirs.
                if not (folder / notebook.name).exists():
                    shutil.copy(notebook, folder)
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {folder}: {error.strerror}; choose another folder with --dir"
            ) from None
    if importlib.util.find_spec("jupyterlab") is None:
        raise WorkbenchError("JupyterLab is missing from this environment: pip install jupyterlab")
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
    ]
    command += [f"--LabApp.default_url=/lab/tree/{FIRST}"]
    if port is not None:
        command.append(f"--ServerApp.port={port}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if not browser or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        command.append("--no-browser")
    click.echo(f"JupyterLab on {folder / FIRST}: the address with its token follows; Ctrl+C twice ends it.")
    # In place of this process and not below it: whatever ends the command ends the server too.
    os.execv(command[0], command)
