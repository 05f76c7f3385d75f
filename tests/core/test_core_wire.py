"""Frames and tensors between two ends of a socket."""

from __future__ import annotations

import os
import socket
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.tensors import InputArena, OutputSegments
from workbench.core.worker import wire

DTYPES = ("float32", "float64", "int8", "uint8", "int32", "int64", "bool", "float16")
messages = st.dictionaries(
    st.text(max_size=20), st.one_of(st.integers(), st.text(max_size=200), st.none()), max_size=5
)
parts = st.lists(st.integers(0, 3 * wire.CHUNK).map(lambda size: os.urandom(size)), max_size=3)


def pair() -> tuple[wire.Channel, wire.Channel]:
    ours, theirs = socket.socketpair()
    return wire.Channel(ours), wire.Channel(theirs)


def send_all(channel: wire.Channel, frames: list[tuple[dict, list[bytes]]]) -> threading.Thread:
    thread = threading.Thread(target=lambda: [channel.send(message, raw) for message, raw in frames])
    thread.start()
    return thread


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(messages, parts), min_size=1, max_size=5))
def test_frames_arrive_whole_and_in_order(frames: list[tuple[dict, list[bytes]]]) -> None:
    ours, theirs = pair()
    sender = send_all(ours, frames)
    for message, raw in frames:
        got, data, fds = theirs.receive()
        assert got == message
        assert data == b"".join(raw)
        assert fds == []
    sender.join()
    ours.close()
    theirs.close()


def test_descriptors_belong_to_their_frame() -> None:
    ours, theirs = pair()
    read, write = os.pipe()
    ours.send({"n": 1})
    ours.send({"n": 2}, fds=[read])
    ours.send({"n": 3})
    counts = [len(theirs.receive()[2]) for _ in range(3)]
    assert counts == [0, 1, 0]
    os.close(read)
    os.close(write)


def test_the_other_end_gone_is_an_error_and_not_a_hang() -> None:
    ours, theirs = pair()
    ours.close()
    with pytest.raises(wire.ClosedError):
        theirs.receive()
    with pytest.raises(wire.ClosedError):
        theirs.send({}, [b"x" * 10])


def test_a_frame_cut_short_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(wire.HEAD.pack(100, 0, 0) + b"{")
    ours.close()
    with pytest.raises(wire.ClosedError):
        wire.Channel(theirs).receive()


def arrays_from(shapes: list[list[int]], dtypes: list[str]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(len(shapes))
    return {
        f"t{index}": np.asarray(rng.random(shape) * 100).astype(dtype)
        for index, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=False))
    }


shapes = st.lists(
    st.one_of(
        st.lists(st.integers(0, 5), max_size=4),
        # Around the size from which a tensor goes through shared memory, in bytes and in elements.
        st.integers(wire.INLINE // 8 - 2, wire.INLINE // 8 + 2).map(lambda size: [size]),
        st.integers(wire.INLINE - 2, wire.INLINE + 2).map(lambda size: [size]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(shapes, st.lists(st.sampled_from(DTYPES), min_size=4, max_size=4))
def test_tensors_of_any_shape_and_dtype_arrive_as_they_were(
    all_shapes: list[list[int]], dtypes: list[str]
) -> None:
    arrays = arrays_from(all_shapes, dtypes)
    arena = InputArena()
    message, raw, fds = arena.pack(arrays)
    segment = wire.Segment(os.dup(fds[0]), message["arena"]) if fds else None
    ours, theirs = pair()
    sender = threading.Thread(target=lambda: ours.send(message, raw))
    sender.start()
    message, data, _ = theirs.receive()
    sender.join()
    found = wire.unpack(message["tensors"], data, segment and segment.map, copy_inline=True)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    arena.close()


def test_an_output_block_is_written_to_again_only_when_no_array_looks_into_it() -> None:
    segments = OutputSegments()
    block = wire.Segment.create(1 << 20)
    data = np.arange(1 << 17, dtype="float32")
    tensors = [wire.describe("y", data)]
    wire.layout(tensors)
    wire.fill(data, block, tensors[0])
    reply = {"tensors": tensors, "segment": {"id": 1, "size": block.size, "new": True}}
    out = segments.unpack(reply, b"", [os.dup(block.fd)])["y"]
    part = out[10:20]
    del out
    assert segments.returned() == {}
    np.testing.assert_array_equal(part, np.arange(10, 20))
    del part
    assert segments.returned() == {"free": [1], "drop": []}
