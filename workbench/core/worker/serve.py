"""One worker: the only code of the project that speaks Paddle's inference API."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import re
import select
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import paddle
import paddle.inference as paddle_inference

from . import measure, rounding, wire

_LIBC = ctypes.CDLL(None)

Reply = Tuple[Dict[str, Any], List[Any], List[int]]  # evaluated, so as Python 3.8 has it


def about() -> dict[str, Any]:
    """What this interpreter is."""
    flags = ""
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        flags = found.group(1) if found else ""
    except OSError:
        pass
    return {
        "pid": os.getpid(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "paddle": paddle.version.full_version,
        "commit": paddle.version.commit,
        "numpy": np.__version__,
        "gpu_build": bool(paddle.device.is_compiled_with_cuda()),
        "cuda": _built_with(paddle.version.cuda()),
        "cudnn": _built_with(paddle.version.cudnn()),
        "bf16_cpu": any(flag in flags.split() for flag in ("avx512_bf16", "amx_bf16")),
    }


def _built_with(version: str) -> str | None:
    return None if version == "False" else version  # as a CPU build says it


def _flush() -> None:
    """Push out what C and Python have buffered, so that the log and the dumps are whole at every reply."""
    sys.stdout.flush()
    sys.stderr.flush()
    _LIBC.fflush(None)


class Server:
    """Holds one predictor and answers requests about it."""

    def __init__(self) -> None:
        self.predictor: Any = None
        self.config: Any = None
        self.hooked: measure.Hooked | None = None
        self.rounded: rounding.Rounded | None = None
        self.listed: list[measure.Listed] = []
        self.taken: wire.Segment | None = None
        self.clones: list[Any] = []
        self.pools: list[ThreadPoolExecutor] = []
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.arena: wire.Segment | None = None
        self.segments: dict[int, wire.Segment] = {}
        self.free: list[int] = []
        self.next_segment = 0

    def load(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Create the predictor from the files and the calls of the request."""
        self.predictor = self.hooked = self.rounded = None
        self.clones, self.listed = [], []
        self.inputs, self.outputs = {}, {}
        gc.collect()
        if request.get("folder"):
            os.chdir(request["folder"])
        config = self._config(request)
        start = time.perf_counter()
        predictor = paddle_inference.create_predictor(config)
        seconds = time.perf_counter() - start
        self.predictor, self.config = predictor, config
        self.inputs = {name: predictor.get_input_handle(name) for name in predictor.get_input_names()}
        self.outputs = {name: predictor.get_output_handle(name) for name in predictor.get_output_names()}
        given = {
            "device": "gpu" if config.use_gpu() else "cpu",
            "onednn": bool(config.mkldnn_enabled()),
            "threads": config.cpu_math_library_num_threads(),
            "trt": bool(config.tensorrt_engine_enabled()),
        }
        names = {"inputs": list(self.inputs), "outputs": list(self.outputs)}
        return {"given": given, "create_s": seconds, **names}, [], []

    def _config(self, request: dict[str, Any]) -> Any:
        config = paddle_inference.Config(*[part for part in request["files"] if part is not None])
        for target, method, args in request["calls"]:
            owner = config if target == "config" else config.pass_builder()
            getattr(owner, method)(*[_argument(value) for value in args])
        return config

    def passes(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """The pass list that Program IR would run: no predictor is created."""
        config = self._config(request)  # the builder points into it, so it must outlive the call
        return {"passes": list(config.pass_builder().all_passes())}, [], []

    def _take_inputs(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> None:
        if fds:
            if self.arena is not None:
                self.arena.close()
            self.arena = wire.Segment(fds.pop(), request["arena"])
        buffer = self.arena.map if self.arena is not None else None
        for name, data in wire.unpack(request["tensors"], raw, buffer, copy_inline=False).items():
            handle = self.inputs[name]
            handle.reshape(list(data.shape))
            handle.copy_from_cpu(data)

    def _give_outputs(self, timing: dict[str, Any], handles: dict[str, Any] | None = None) -> Reply:
        handles = self.outputs if handles is None else handles
        # ascontiguousarray would make an array of one number of a scalar.
        arrays = {name: np.asarray(_array(handle), order="C") for name, handle in handles.items()}
        tensors = [wire.describe(name, data) for name, data in arrays.items()]
        size = wire.layout(tensors)
        reply: dict[str, Any] = {"tensors": tensors, **timing}
        fds = []
        if size:
            number, segment, new = self._segment(size)
            for tensor in tensors:
                if tensor["offset"] is not None:
                    wire.fill(arrays[tensor["name"]], segment, tensor)
            reply["segment"] = {"id": number, "size": segment.size, "new": new}
            if new:
                fds = [segment.fd]
        inline = [arrays[tensor["name"]] for tensor in tensors if tensor["offset"] is None]
        return reply, inline, fds

    def _segment(self, size: int) -> tuple[int, wire.Segment, bool]:
        for number in self.free:
            if self.segments[number].size >= size:
                self.free.remove(number)
                return number, self.segments[number], False
        self.next_segment += 1
        self.segments[self.next_segment] = wire.Segment.create(size)
        return self.next_segment, self.segments[self.next_segment], True

    def _release(self, request: dict[str, Any]) -> None:
        for number in request.get("drop", ()):
            self.segments.pop(number).close()
        self.free = [number for number in self.free if number in self.segments]
        self.free += [number for number in request.get("free", ()) if number in self.segments]

    def run(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Set the inputs, run once, give the outputs."""
        self._release(request)
        self._take_inputs(request, raw, fds)
        start = time.perf_counter_ns()
        self.predictor.run()
        return self._give_outputs({"run_ns": time.perf_counter_ns() - start})

    def feed(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Set the inputs that the next ``time`` requests run on."""
        self._take_inputs(request, raw, fds)
        return {}, [], []

    def time(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Run up to ``count`` times or ``seconds``, whichever ends first; the samples are in nanoseconds."""
        samples, begin = measure.latencies(self.predictor.run, request["count"], request["seconds"])
        return {"count": len(samples), "begin_ns": begin}, [samples], []

    def throughput(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Run the predictor and clones of it at once for ``seconds``, each in a thread of its own."""
        predictors = [self.predictor, *self._clones(request["predictors"] - 1)]
        # Threads are kept: one that ends clears the oneDNN cache of all (the destructor of Paddle's
        # OneDNNContextThreadLocals::Body), also under a thread that runs, which may then crash.
        self.pools += [ThreadPoolExecutor(max_workers=1) for _ in range(len(predictors) - len(self.pools))]
        pools = self.pools[: len(predictors)]
        for pool, predictor in zip(pools, predictors):
            # One after another and through Python first: what is an exception here would end the process
            # below, and what oneDNN caches by thread is then there.
            pool.submit(predictor.run).result()
        native = request["native"]
        try:
            runs = [measure.native_run(one) if native else one.run for one in predictors]
        except NotImplementedError:
            native = False
            runs = [one.run for one in predictors]
        taken, ended = measure.at_once(pools, runs, request["seconds"])
        return {"native": native, "counts": [len(one) for one in taken]}, [*taken, *ended], []

    def profile(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Nanoseconds from the begin of a run to each op's output, beside runs without the profiler."""
        hooked = self._hooked()
        plain, moments = measure.op_moments(self.predictor, hooked, request["count"], request["seconds"])
        reply = {"outputs": hooked.names, "runs": len(plain)}
        return reply, [plain, moments], []

    def _hooked(self) -> measure.Hooked:
        """The hooked clone, with the inputs that the predictor has."""
        if self.hooked is None:
            self.hooked = measure.Hooked(self.predictor.clone())
        self._copy_inputs(self.hooked.clone)
        return self.hooked

    def list_outputs(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """What every op gives in a run: op, name, dtype, shape, and whether it lies in oneDNN's layout."""
        self._give_up_taken()
        self.listed = measure.listing(self._hooked())
        return {"outputs": self.listed}, [], []

    def take_outputs(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Run once and give parts of outputs of that list, one after another in a block of their own."""
        # Before the new one is made: the two together may be more than there is memory for.
        self._give_up_taken()
        self.taken = wire.Segment.create(request["size"])
        measure.take(self._hooked(), self.listed, request["parts"], self.taken.map)
        return {"size": self.taken.size}, [], [self.taken.fd]

    def run_rounded(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Run once with some ops in a lower precision, simulated, and give the outputs."""
        self._release(request)
        if self.rounded is None:
            self.rounded = rounding.Rounded(self.predictor.clone())
        clone = self._copy_inputs(self.rounded.clone)
        self.rounded.run(self.listed, request["executions"], request["precision"], request["parameters"])
        return self._give_outputs({}, {name: clone.get_output_handle(name) for name in self.outputs})

    def _give_up_taken(self) -> None:
        if self.taken is not None:
            self.taken.close()
            self.taken = None

    def _clones(self, count: int) -> list[Any]:
        # Kept: with the end of a clone of Program IR on oneDNN, the weights it shares are of no use to the
        # next one ("Filter tensor's layout should be ONEDNN", 3.3.1).
        self.clones += [self.predictor.clone() for _ in range(count - len(self.clones))]
        return [self._copy_inputs(clone) for clone in self.clones[:count]]

    def _copy_inputs(self, clone: Any) -> Any:
        for name, handle in self.inputs.items():
            data = _array(handle)
            other = clone.get_input_handle(name)
            other.reshape(list(data.shape))
            other.copy_from_cpu(data)
        return clone

    def status(self, request: dict[str, Any], raw: bytes, fds: list[int]) -> Reply:
        """Memory of this process, in bytes; ``reset`` lets the peak begin anew afterwards."""
        text = Path("/proc/self/status").read_text()
        kib = {
            key: int(value) for key, value in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", text, re.MULTILINE)
        }
        if request.get("reset"):
            with contextlib.suppress(OSError):  # a container may forbid it
                Path("/proc/self/clear_refs").write_text("5")
        return {"rss": kib.get("VmRSS", 0) * 1024, "peak_rss": kib.get("VmHWM", 0) * 1024}, [], []


def _array(handle: Any) -> Any:
    """What a handle holds, bfloat16 as its bits in uint16."""
    array = handle.copy_to_cpu()
    # 3.3.1 gives an array of float32, of which only the first half of bytes is written to: the bits.
    if array.dtype == np.float32 and handle.type() == getattr(paddle_inference.DataType, "BFLOAT16", None):
        return array.reshape(-1).view(np.uint16)[: array.size].reshape(array.shape)
    return array


def _argument(value: Any) -> Any:
    if isinstance(value, dict):
        if "names" in value:
            return set(value["names"])
        return getattr(paddle_inference.PrecisionType, value["precision"])
    return value


def _failure(error: BaseException) -> dict[str, Any]:
    return {"kind": type(error).__name__, "text": str(error), "traceback": traceback.format_exc(limit=8)}


def serve(channel: wire.Channel, hello: dict[str, Any]) -> None:
    """Answer requests until the session ends."""
    server = Server()
    operations: dict[str, Callable[..., Reply]] = {
        name: getattr(server, name)
        for name in (
            "load",
            "passes",
            "run",
            "feed",
            "time",
            "throughput",
            "profile",
            "list_outputs",
            "take_outputs",
            "run_rounded",
            "status",
        )
    }
    channel.send({"hello": os.getpid()})
    ready = select.poll()
    ready.register(channel.sock, select.POLLIN)
    while True:
        request, raw, fds = channel.receive()
        try:
            reply, parts, sent = operations[request["op"]](request, raw, fds)
        except Exception as error:
            reply, parts, sent = {"error": _failure(error)}, [], []
        finally:
            for fd in fds:
                os.close(fd)
        if request["op"] == "load" or "error" in reply:
            _flush()
        channel.send(reply, parts, sent)
        if request["op"] == "run":
            wire.spin(ready)
