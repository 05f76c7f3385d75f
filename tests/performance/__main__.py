"""``make bench``: what the workbench costs beside the plain way, as ratios taken in one run.

``--no-deep`` leaves out what needs the sample ``deep``; ``--only-graph`` all but the graph explorer,
``--only-verdicts`` all but the two hundred comparisons of configs that are equal, or are not,
``--only-tuning`` all but tuning beside an exhaustive search, and ``--only-divergence`` all but the memory
that comparing ``deep`` op by op takes.

Prints a table and judges nothing: machines are noisy. The goals stand beside the figures.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

import workbench as wb
from tests.performance.browser import explorer_rows
from tests.performance.divergence import divergence_rows
from tests.performance.tuning import tuning_rows
from tests.performance.verdicts import verdict_rows
from workbench.bench.stats import compare
from workbench.core import warm
from workbench.core.worker.measure import latencies

MB = 1 << 20
ROUNDS = 15
LOOP_ROUNDS = 25
LAYOUTS = 4
VERDICTS = 100
Row = tuple[str, str, str, str]


class Plain:
    """The plain script, told what to do."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("plain.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, name: str, *arguments: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def loop_in_session(folder: Path) -> Row:
    """A timed loop in a session against the same loop in a plain script."""
    model = wb.load(wb.sample("resnet18"))
    inputs = {name: array[:1] for name, array in wb.sample_inputs(wb.sample("resnet18")).items()}
    np.savez(folder / "resnet18.npz", **inputs)
    ours: list[list[np.ndarray]] = []
    theirs: list[list[np.ndarray]] = []
    # Short rounds, since the speed of a machine drifts; several processes, since each has its memory layout.
    for _ in range(LAYOUTS):
        ours.append([])
        theirs.append([])
        with Plain() as plain, wb.Session(model) as session:
            plain("create", str(model.model_file), str(model.params_file))
            plain("feed", str(folder / "resnet18.npz"))
            plain("loop", 1.0)
            session.time(inputs, count=10_000, seconds=1.0)
            for number in range(LOOP_ROUNDS):
                for side in ("ours", "plain") if number % 2 else ("plain", "ours"):
                    if side == "ours":
                        ours[-1].append(session.time(inputs, count=10_000, seconds=0.25).samples_ns)
                    else:
                        theirs[-1].append(np.array(plain("loop", 0.25)))
    ratio, interval, _ = compare(theirs, ours)
    count = sum(map(len, ours))
    rounds = f"{count} rounds, 95 % of the ratio {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
    return "timed loop, resnet18: session / plain", f"{ratio:.3f}", "0.98 to 1.02", rounds


def calls(folder: Path) -> list[Row]:
    """Whole calls: of microseconds, and with 64 MB in and out."""
    rows = []
    with Plain() as plain:
        plain("small", str(folder))
        model = wb.load(folder / "small.json")
        with wb.Session(model) as session:
            plain("create", str(folder / "small.json"), str(folder / "small.pdiparams"))
            tiny = {"x": np.ones(16, np.float32)}
            ours, theirs = _call_times(plain, session, tiny, folder, 300)
            more = (ours - theirs) / 1e6
            rows.append(
                (
                    "call of microseconds: session − plain",
                    f"{more:.3f} ms",
                    "at most 0.2 ms",
                    f"plain {theirs / 1e6:.3f} ms",
                )
            )
            large = {"x": np.ones(64 * MB // 4, np.float32)}
            ours, theirs = _call_times(plain, session, large, folder, 5)
            copy = _copy_ns(64 * MB)
            # 64 MB go in and 64 MB come out.
            speed = 2 * copy / max(1.0, ours - theirs)
            rows.append(
                (
                    "transport of 64 MB tensors: speed / speed of a memory copy",
                    f"{speed:.2f}",
                    "at least 0.5",
                    f"call {ours / 1e6:.0f} ms, plain {theirs / 1e6:.0f} ms, copy {copy / 1e6:.0f} ms",
                )
            )
    return rows


def _call_times(
    plain: Plain, session: wb.Session, inputs: dict[str, Any], folder: Path, count: int
) -> tuple[float, float]:
    np.savez(folder / "call.npz", **inputs)
    plain("feed", str(folder / "call.npz"))
    ours, theirs = [], []
    for number in range(ROUNDS):
        for side in ("ours", "plain") if number % 2 else ("plain", "ours"):
            if side == "plain":
                samples = plain("calls", count)
            else:
                samples = []
                for _ in range(count):
                    start = time.perf_counter_ns()
                    session.run(inputs)
                    samples.append(time.perf_counter_ns() - start)
            if number:  # the first round warms up
                (theirs if side == "plain" else ours).append(statistics.median(samples))
    return statistics.median(ours), statistics.median(theirs)


def _copy_ns(size: int) -> float:
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    samples = []
    for _ in range(12):
        start = time.perf_counter_ns()
        np.copyto(target, source)
        samples.append(time.perf_counter_ns() - start)
    return statistics.median(samples[2:])


def tracing_deep() -> list[Row]:
    """A trace of 10,000 ops against plain creation with the dumps on, thrown away."""
    print("exporting the sample 'deep' if it is not cached: over a minute", flush=True)
    model = wb.load(wb.sample("deep"))
    me, ratios, grown = psutil.Process(), [], []
    for _ in range(2):
        with Plain() as plain:
            theirs = plain("create", str(model.model_file), str(model.params_file), True)
        session = wb.Session(model)
        session.start()
        before = me.memory_info().rss
        peak = _Peak(me)
        start = time.perf_counter()
        trace = wb.trace(session)
        ours = time.perf_counter() - start
        grown.append((peak.stop() - before) / 1e6)
        ratios.append(ours / theirs)
        stored, passes = trace.stored_bytes / 1e6, len(trace) - 1
        trace.close()
        session.close()
    note = f"{model.ops:,} ops, {passes} passes, {ours:.0f} s, {stored:.0f} MB of distinct dumps kept"
    return [
        (
            "trace of deep / plain creation with dumps",
            f"{statistics.median(ratios):.2f}",
            "at most 1.25",
            note,
        ),
        ("kernel memory while tracing deep", f"+{max(grown):.0f} MB", "less than 500 MB", ""),
    ]


class _Peak:
    """The largest resident size of a process while it is watched."""

    def __init__(self, process: psutil.Process) -> None:
        self.process, self.most, self.over = process, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self) -> None:
        while not self.over.wait(0.05):
            self.most = max(self.most, self.process.memory_info().rss)

    def stop(self) -> int:
        self.over.set()
        self.thread.join()
        return self.most


def starting() -> list[Row]:
    """Import, and a second session."""
    code = (
        "import sys, time; t = time.perf_counter(); import workbench; "
        "print(time.perf_counter() - t, 'paddle' in sys.modules)"
    )
    seconds, paddle = [], set()
    for _ in range(7):
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        seconds.append(float(out[0]))
        paddle.add(out[1])
    folder = wb.sample("digits")
    first = wb.Session(folder)
    first.start()
    ready = []
    for _ in range(7):
        start = time.perf_counter()
        with wb.Session(folder) as session:
            session.start()
            ready.append(time.perf_counter() - start)
    first.close()
    imported = f"imports Paddle: {', '.join(sorted(paddle))}"
    paid = warm().about["import_s"]
    return [
        ("import workbench", f"{statistics.median(seconds):.3f} s", "under 0.3 s", imported),
        (
            "second session ready",
            f"{statistics.median(ready):.3f} s",
            "under 0.1 s",
            f"the first pays {paid:.1f} s for Paddle",
        ),
    ]


def empty_body() -> Row:
    """What the timed loop adds to a run: the latency it gives to a call that does nothing."""

    def nothing() -> None:
        pass

    samples, _ = latencies(nothing, 200_000, 10.0)
    added = f"{np.median(samples) / 1e3:.3f} µs"
    return (
        "timed loop: latency of an empty body",
        added,
        "at most 1 µs",
        f"p99 {np.percentile(samples, 99)} ns",
    )


def main() -> None:
    table = Table("measured", "figure", "goal", "beside it", title="make bench", title_justify="left")
    deep = "--no-deep" not in sys.argv
    rows: list[Row] = []
    only = {name for name in ("graph", "verdicts", "tuning", "divergence") if f"--only-{name}" in sys.argv}
    if not only:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            rows += [loop_in_session(folder), empty_body(), *calls(folder), *starting()]
            if deep:
                rows += tracing_deep()
    if not only or "verdicts" in only:
        rows += verdict_rows(VERDICTS)
    if not only or "tuning" in only:
        rows += tuning_rows()
    if "divergence" in only or (not only and deep):
        rows += divergence_rows()
    if not only or "graph" in only:
        rows += explorer_rows(deep)
    for row in rows:
        table.add_row(*row)
    Console(width=150).print(table)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Paddle {warm().about['paddle']}")


if __name__ == "__main__":
    main()
