"""``workbench lab``: a real JupyterLab, with its token, on this machine only."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

LIMIT_S = 90
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:(\d+)/lab\S*\?token=(\w+))")


@dataclass
class Lab:
    process: subprocess.Popen[str]
    said: list[str]
    address: str
    port: int
    token: str

    def get(self, path: str, token: str | None) -> tuple[int, bytes]:
        headers = {} if token is None else {"Authorization": f"token {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    (folder / "nb").mkdir()
    (folder / "nb" / "mine.txt").write_text("mine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "HOME": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    environment["JUPYTER_CONFIG_DIR"] = str(folder / "config")
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "lab", "--no-browser", "--port", str(port), "--dir", "nb"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As in a terminal, also where the shell around the tests ignores the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    said: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if _ADDRESS.search(line):
                ready.set()
        ready.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        assert ready.wait(LIMIT_S), "".join(said)
        found = next((match for line in said if (match := _ADDRESS.search(line))), None)
        assert found, "".join(said)
        # It prints its address a moment before it takes connections.
        ticks = threading.Event()
        for _ in range(LIMIT_S * 20):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(found.group(2)))) == 0:
                    break
            ticks.wait(0.05)
        yield Lab(process, said, found.group(1), int(found.group(2)), found.group(3))
    finally:
        process.kill()
        process.wait()


def listeners(process: psutil.Process) -> list[Any]:
    mine = [process, *process.children(recursive=True)]
    return [
        one.laddr for each in mine for one in each.net_connections("inet") if one.status == psutil.CONN_LISTEN
    ]


def test_it_opens_the_first_notebook_of_the_folder(lab: Lab) -> None:
    assert "JupyterLab on" in lab.said[0]
    assert "/tree/01_first_look.ipynb" in lab.address
    status, page = lab.get(lab.address.partition(str(lab.port))[2], None)
    assert status == 200
    assert b"jupyter-config-data" in page
    status, listing = lab.get("/api/contents/", lab.token)
    assert status == 200
    names = {entry["name"] for entry in json.loads(listing)["content"]}
    assert {"01_first_look.ipynb", "mine.txt"} <= names


def test_it_refuses_whoever_has_no_token(lab: Lab) -> None:
    for path in ("/api/contents/", "/api/kernels"):
        assert lab.get(path, lab.token)[0] == 200
        assert lab.get(path, None)[0] == 403
        assert lab.get(path, "0" * len(lab.token))[0] == 403


def test_it_listens_on_the_loopback_only(lab: Lab) -> None:
    found = listeners(psutil.Process(lab.process.pid))
    assert lab.port in {address.port for address in found}
    assert {address.ip for address in found} <= {"127.0.0.1", "::1"}


def test_an_interrupt_ends_all_of_it(lab: Lab) -> None:
    # Last in this file: the server is gone after it.
    processes = [psutil.Process(lab.process.pid), *psutil.Process(lab.process.pid).children(recursive=True)]
    lab.process.send_signal(signal.SIGINT)
    assert lab.process.wait(LIMIT_S) in (0, 130, -signal.SIGINT), "".join(lab.said[-20:])
    _, alive = psutil.wait_procs(processes, timeout=LIMIT_S)
    assert not alive
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", lab.port))


def test_a_notebook_that_was_changed_is_kept(tmp_path: Path) -> None:
    from workbench.cli import lab as command

    mine = tmp_path / command.FIRST
    mine.write_text("my own work")
    seen: list[list[str]] = []

    class EndError(Exception):
        pass

    def instead(program: str, arguments: list[str]) -> None:
        seen.append(arguments)
        raise EndError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(EndError):
        patch.setattr(os, "execv", instead)
        command.start(port=None, browser=False, directory=str(tmp_path))
    assert mine.read_text() == "my own work"
    assert f"--ServerApp.root_dir={tmp_path}" in seen[0]
