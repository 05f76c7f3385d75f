"""Traces: what is kept, what is written, and what happens when there is no room for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.core import PassRun
from workbench.errors import CancelledError, NativeError, TraceError, WorkbenchError
from workbench.tracing.capture import PirPrint, pir_stages
from workbench.tracing.store import DumpStore


@pytest.fixture(scope="module")
def digits() -> Path:
    return wb.sample("digits")


@pytest.fixture(scope="module")
def shown(digits: Path) -> Iterator[wb.PassTrace]:
    trace = wb.trace(digits)
    yield trace
    trace.close()
    trace.session.close()


def test_unchanged_stages_are_kept_once(shown: wb.PassTrace) -> None:
    kept = [path for path in shown._store.folder.iterdir() if path.is_file()]
    # The graph before any pass, one per pass that changed it, and the one that Paddle lowered.
    lowered = sum(stage.lowered for stage in shown)
    assert len(kept) == 1 + len(shown.changed) + lowered
    assert len(kept) < len(shown) / 2


def test_every_stage_is_written_as_a_dot_that_graphviz_reads(shown: wb.PassTrace, tmp_path: Path) -> None:
    files = shown.write_dots(tmp_path / "new" / "folder")
    assert len(files) == len(shown)
    for stage, file in zip(shown, files, strict=True):
        canon = subprocess.run(
            ["dot", "-Tcanon", str(file)], capture_output=True, text=True, check=True
        ).stdout
        assert canon.count("op added") == stage.added
    with pytest.raises(TraceError, match="cannot write"):
        shown.write_dots(files[0])


def test_the_final_graph_says_which_kernels_run(shown: wb.PassTrace) -> None:
    kernels = [op.kernel for op in shown[-1].graph.ops if "conv2d" in op.type]
    assert kernels
    assert {kernel.backend for kernel in kernels if kernel is not None} == {"ONEDNN"}
    assert all(op.kernel is None for op in shown[0].graph.ops)


def test_the_first_graph_says_which_layers_it_came_from(shown: wb.PassTrace) -> None:
    layers = {op.type: op.layer for op in shown[0].graph.ops}
    assert "Conv2D" in layers["pd_op.conv2d"]


@pytest.mark.parametrize("layout", ["pir", "program"])
def test_a_pass_switched_off_is_gone_and_the_answer_stays(layout: str) -> None:
    folder = wb.sample("digits", layout)
    inputs = {name: array[:4] for name, array in wb.sample_inputs(folder).items()}
    whole = wb.trace(folder)
    for name in {stage.pass_name for stage in whole.changed if "conv" in str(stage.pass_name)}:
        assert name is not None
        part = wb.trace(folder, wb.InferenceConfig().without(name))
        assert name not in [stage.pass_name for stage in part]
        assert part.loaded.notices == ()
        for key, array in whole.session.run(inputs).items():
            np.testing.assert_allclose(part.session.run(inputs)[key], array, rtol=1e-4, atol=1e-4)
        part.close()
        part.session.close()


def test_a_logged_name_that_is_not_the_registered_one_can_be_switched_off(
    shown: wb.PassTrace, digits: Path
) -> None:
    (name,) = {str(stage.pass_name) for stage in shown if "conv_activation_mkldnn" in str(stage.pass_name)}
    with wb.Session(digits, wb.InferenceConfig().without(name)) as session:
        assert name not in session.given["passes"]
        assert session.notices == ()


def test_optimization_off_leaves_the_stages_that_ran() -> None:
    program = wb.trace(wb.sample("digits", "program"), wb.InferenceConfig(ir_optim=False))
    assert [stage.pass_name for stage in program] == [None]
    assert program[0].ops == program.session.model.ops
    pir = wb.trace(wb.sample("digits"), wb.InferenceConfig(ir_optim=False))
    assert 1 < len(pir) < 10
    assert any("all the same" in notice for notice in pir.loaded.notices)


def test_a_pass_that_runs_twice_is_two_stages(shown: wb.PassTrace) -> None:
    names = [stage.pass_name for stage in shown]
    twice = [name for name in names if names.count(name) > 1]
    assert twice
    assert shown.stage(str(twice[0])).index == names.index(twice[0])
    with pytest.raises(TraceError, match="no pass 'nothing' ran"):
        shown.stage("nothing")


def test_a_session_is_traced_under_its_own_config(digits: Path) -> None:
    with wb.Session(digits) as session:
        assert wb.trace(session).session is session
        with pytest.raises(WorkbenchError, match="its own config"):
            wb.trace(session, wb.InferenceConfig(threads=2))


def test_progress_names_passes_and_cancel_stops(digits: Path) -> None:
    session = wb.Session(wb.sample("resnet18"))
    told: list[str] = []

    def progress(name: str) -> None:
        told.append(name)
        session.cancel()

    with pytest.raises(CancelledError):
        wb.trace(session, progress=progress)
    assert told[0].endswith("_pass")
    session.close()


def test_a_refusal_leaves_no_dumps_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SPOOL_DIR", str(tmp_path))
    with pytest.raises(NativeError, match="fetch_name_0"):
        wb.trace(wb.sample("digits"), wb.InferenceConfig().without("replace_fetch_with_shadow_output_pass"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ["pir", "program"])
def test_no_space_for_dumps(layout: str, tmp_path: Path) -> None:
    """On a file system of a few kilobytes, in a mount namespace of its own."""
    script = (
        "import sys, workbench as wb\n"
        "from workbench.errors import TraceError\n"
        "session = wb.Session(sys.argv[1])\n"
        "try:\n"
        "    wb.trace(session)\n"
        "except TraceError as error:\n"
        "    print(error)\n"
        "picture = {name: array[:1] for name, array in wb.sample_inputs(sys.argv[1]).items()}\n"
        "print(len(session.run(picture)))\n"
    )
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} -c "$0" "$1"'
    enter = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    done = subprocess.run(
        [*enter, "sh", "-c", mount, script, str(wb.sample("digits", layout))],
        capture_output=True,
        text=True,
        env={**os.environ, "WORKBENCH_SPOOL_DIR": str(tmp_path)},
        check=False,
    )
    error, outputs = done.stdout.splitlines() or [done.stderr, ""]
    assert str(tmp_path) in error
    assert "make room" in error
    assert outputs == "1"


def banner(when: str, name: str) -> bytes:
    rule = b"=" * 3 + b"-" * 40 + b"=" * 3
    return b"%s\n        IRPrinting on builtin.module %s %s pass\n%s\n" % (
        rule,
        when.encode(),
        name.encode(),
        rule,
    )


def module(body: str) -> bytes:
    return f'{{\n    (%0) = "pd_op.{body}" () {{}} : () -> tensor<1xf32>\n}}\n\n'.encode()


def stored(pieces: list[bytes], folder: Path) -> tuple[list[tuple[str, str, str]], DumpStore]:
    class Spool:
        path = folder

        def close(self) -> None:
            return

    store = DumpStore(Spool())  # type: ignore[arg-type]
    taker = PirPrint(store)
    for piece in pieces:
        taker.feed(piece)
    return taker.finish(), store


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_print_is_taken_apart_however_it_arrives(size: int, tmp_path: Path) -> None:
    whole = b"hello\n" + b"".join(
        banner(when, name) + module(body)
        for when, name, body in [
            ("before", "a_pass", "relu"),
            ("after", "a_pass", "relu"),
            ("before", "b_pass", "relu"),
            ("after", "b_pass", "gelu"),
        ]
    )
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    sections, store = stored(pieces, tmp_path)
    assert [section[:2] for section in sections] == [
        ("before", "a_pass"),
        ("after", "a_pass"),
        ("before", "b_pass"),
        ("after", "b_pass"),
    ]
    assert len({digest for _, _, digest in sections}) == 2
    assert store.get(sections[-1][2]) == module("gelu")[:-2]
    stages = pir_stages(sections, [PassRun("a_pass"), PassRun("silent_pass"), PassRun("b_pass", 1)])
    assert [stage.name for stage in stages] == ["a_pass", "silent_pass", "b_pass"]
    assert stages[1].dump.before == stages[1].dump.after == sections[0][2]


def test_a_print_cut_short_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cut short"):
        stored([banner("before", "a_pass") + module("relu")[:-4]], tmp_path)
    sections, _ = stored([banner("before", "a_pass") + module("relu")], tmp_path)
    with pytest.raises(TraceError, match="trace again"):
        pir_stages(sections, [PassRun("a_pass")])


def test_a_closed_trace_says_so() -> None:
    closed = wb.trace(wb.sample("digits"))
    closed.close()
    closed.session.close()
    with pytest.raises(TraceError, match=r"the trace is closed.*: trace the model again$"):
        _ = closed[-1].graph
