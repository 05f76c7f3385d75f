"""Loops that measure, inside the worker so that its isolation costs nothing, and a look at what ops give."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Callable, Iterator, List, Tuple

import numpy as np

clock = time.perf_counter_ns

# paddle_infer::Predictor::Run(), as the C++ library of every release since 2.0 exports it.
_NATIVE_RUN = "_ZN12paddle_infer9Predictor3RunEv"

# Of an output: op, name, dtype, shape, and whether it lies in memory in an order of oneDNN's own.
Listed = Tuple[str, str, str, List[int], bool]
# Which output, the range of its flat elements, and where its bytes go.
Part = Tuple[int, int, int, int]

# numpy has none of these: their bits come as unsigned integers.
BITS = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Without Python's garbage collector, whose pauses would be taken for latency."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def latencies(run: Callable[[], Any], count: int, seconds: float) -> tuple[np.ndarray, int]:
    """Run up to ``count`` times or ``seconds``: nanoseconds of each run, and when the first began."""
    samples = np.zeros(count, np.int64)
    limit = seconds * 1e9
    done = 0
    with no_collection():
        begin = clock()
        for index in range(count):
            start = clock()
            run()
            end = clock()
            samples[index] = end - start
            done = index + 1
            if end - begin > limit:
                break
    return samples[:done], begin


def native_run(predictor: Any) -> Callable[[], Any]:
    """``predictor.run`` as a C++ program calls it, without the interpreter lock.

    Paddle's Python binding holds the lock for the whole run (seen in 2.6.2 and 3.3.1), so Python threads take
    turns and only this shows what several predictors do at once.

    Raises:
        NotImplementedError: where this build does not export it.
    """
    import paddle

    try:
        function = getattr(ctypes.CDLL(paddle.base.libpaddle.__file__), _NATIVE_RUN)
    except (AttributeError, OSError):
        raise NotImplementedError("this Paddle does not export its C++ run") from None
    function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_bool
    # pybind11 keeps the address of the C++ object behind the head of the Python object.
    address = ctypes.c_void_p.from_address(id(predictor) + object.__basicsize__).value
    return lambda: function(address)


def at_once(
    pools: list[ThreadPoolExecutor], runs: list[Callable[[], Any]], seconds: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Call each function over and over in the one thread of its pool, all from the same moment on.

    Returns:
        Per thread the nanoseconds of each call, and when each ended, counted from that moment.
    """
    barrier = threading.Barrier(len(runs) + 1)
    moment = [0]

    def work(run: Callable[[], Any]) -> tuple[list[int], list[int]]:
        taken: list[int] = []
        ended: list[int] = []
        barrier.wait()
        barrier.wait()
        begin, limit = moment[0], int(seconds * 1e9)
        end = begin
        while end - begin < limit:
            start = clock()
            run()
            end = clock()
            taken.append(end - start)
            ended.append(end - begin)
        return taken, ended

    with no_collection():
        futures = [pool.submit(work, run) for pool, run in zip(pools, runs)]
        barrier.wait()
        moment[0] = clock()
        barrier.wait()
        wait(futures)  # none runs on when another one failed
        found = [future.result() for future in futures]
    return [np.array(taken, np.int64) for taken, _ in found], [
        np.array(ended, np.int64) for _, ended in found
    ]


class Hooked:
    """A clone that notes the moment of each op's output, and can look at the output itself.

    A hook cannot be taken away again, so it is put on a clone and the predictor stays as it is.

    In PIR making the clone runs the passes again, and its first run builds what depends on what, which takes
    the longer the more ops there are; a later run, with the hook, costs little more than a plain one. With
    10,000 ops under 3.3.1: 33 s for the clone, 23 s for the first run, 0.4 s for each later one, of CPU
    (``AnalysisPredictor::Clone`` and ``PirInterpreter::PreAnalysis``, as a debugger shows them at work).
    """

    def __init__(self, clone: Any) -> None:
        self.clone = clone
        self.names: list[tuple[str, str]] = []
        self.moments: list[int] = []
        self._look: Callable[[str, str, Any], None] | None = None
        clone.register_output_hook(self._note)

    def _note(self, op: str, name: str, tensor: Any) -> None:
        self.moments.append(clock())
        if self._look is not None:
            self._look(op, name, tensor)

    def watch(self, look: Callable[[str, str, Any], None]) -> None:
        """Run once and show every output as it comes: op, name and tensor, which is good for that call only.

        Raises:
            Exception: what ``look`` raised first, when the run is over: it must not pass through Paddle.
        """
        failures: list[Exception] = []

        def careful(op: str, name: str, tensor: Any) -> None:
            if not failures:
                try:
                    look(op, name, tensor)
                except Exception as error:
                    failures.append(error)

        self.moments.clear()
        self._look = careful
        try:
            self.clone.run()
        finally:
            self._look = None
        if failures:
            raise failures[0]

    def learn(self) -> None:
        """Run once to learn the names: which ops run may depend on the inputs."""
        self.names.clear()
        self.watch(lambda op, name, tensor: self.names.append((op, name)))

    def run(self) -> list[int]:
        """Run once: nanoseconds from its begin to each output, in the order of `names`, and to its end."""
        self.moments.clear()
        begin = clock()
        self.clone.run()
        end = clock()
        return [moment - begin for moment in self.moments] + [end - begin]


def op_moments(predictor: Any, hooked: Hooked, count: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Run the predictor and its hooked clone in turn, up to ``count`` times each or ``seconds``.

    Returns:
        The nanoseconds of each plain run, of shape [runs], and of each hooked one those of `Hooked.run`, of
        shape [runs, outputs + 1].

    Raises:
        RuntimeError: if the ops that run differ from run to run.
    """
    plain: list[int] = []
    moments: list[list[int]] = []
    limit = seconds * 1e9
    hooked.learn()
    with no_collection():
        begin = clock()
        while len(plain) < count and (not plain or clock() - begin < limit):
            start = clock()
            predictor.run()
            plain.append(clock() - start)
            moments.append(hooked.run())
            if len(moments[-1]) != len(hooked.names) + 1:
                raise RuntimeError(
                    f"which ops run differs from run to run: {len(hooked.names)} outputs came in one, "
                    f"{len(moments[-1]) - 1} in another"
                )
    return np.array(plain, np.int64), np.array(moments, np.int64)


def listing(hooked: Hooked) -> list[Listed]:
    """Run once and note every output, in the order they come."""
    found: list[Listed] = []
    hooked.watch(lambda op, name, tensor: found.append(_describe(op, name, tensor)))
    return found


def take(hooked: Hooked, listed: list[Listed], parts: list[Part], into: Any) -> None:
    """Run once and copy parts of outputs to their places.

    Args:
        hooked: what runs.
        listed: the outputs as `listing` gave them.
        parts: what to copy, in any order.
        into: the buffer that takes the bytes.

    Raises:
        RuntimeError: if this run gives other outputs than the one that was listed.
    """
    wanted: dict[int, list[Part]] = {}
    for part in parts:
        wanted.setdefault(part[0], []).append(part)
    count = 0

    def look(op: str, name: str, tensor: Any) -> None:
        nonlocal count
        place, count = count, count + 1
        if place not in wanted:
            return
        found = _describe(op, name, tensor)
        if place >= len(listed) or found != tuple(listed[place]):
            raise RuntimeError("which outputs the ops give differs from run to run")
        flat, keep = _flat(tensor, np.dtype(BITS.get(found[2], found[2])), found[4])
        for _, start, stop, offset in wanted[place]:
            target = np.frombuffer(into, flat.dtype, stop - start, offset)
            target[:] = flat[start:stop]
        del keep

    hooked.watch(look)
    if count != len(listed):
        raise RuntimeError(
            f"which ops run differs from run to run: {len(listed)} outputs came in one, {count} in another"
        )


def _describe(op: str, name: str, tensor: Any) -> Listed:
    dtype = str(tensor.dtype).rpartition(".")[2]
    shape = [int(size) for size in tensor.shape]
    return op, name, dtype, shape, getattr(tensor, "layout", "") == "ONEDNN"


def _flat(tensor: Any, dtype: np.dtype, onednn: bool) -> tuple[np.ndarray, Any]:
    """The elements in the order of the tensor's shape, without a copy if they lie so, and what keeps them."""
    if not tensor.place.is_cpu_place():
        tensor = tensor.cpu()
    if onednn or not getattr(tensor, "is_contiguous", lambda: True)():
        import paddle

        # The raw bytes may be in any order of oneDNN's; a plain op gets them in that of the shape.
        tensor = paddle.assign(tensor)
    size = int(np.prod(tensor.shape, dtype=np.int64))
    if not size:
        return np.empty(0, dtype), tensor
    block = (ctypes.c_char * (size * dtype.itemsize)).from_address(tensor.data_ptr())
    flat: np.ndarray = np.frombuffer(memoryview(block), dtype, size)
    return flat, tensor
