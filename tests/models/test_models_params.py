"""The parameter format: round trips, and refusal of everything else."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings

from workbench.errors import ModelError
from workbench.models import params
from workbench.models.tensors import TensorInfo

DTYPES = [
    *("bool", "int16", "int32", "int64", "float16", "float32", "float64", "uint8", "int8"),
    *("complex64", "complex128", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
]
HOLDERS = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}

names = st.text("abcz_./0129", min_size=1, max_size=8).filter(
    lambda name: not name.startswith("/") and ".." not in name and name.strip("./")
)
tensors = st.dictionaries(
    names, st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=4)), max_size=5
)


def build(spec: dict[str, tuple[str, list[int]]]) -> tuple[bytes, list[TensorInfo], dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    arrays = {}
    for name, (dtype, shape) in spec.items():
        bits = random.integers(0, 2, size=shape)
        arrays[name] = np.asarray(bits).astype(HOLDERS.get(dtype, dtype))
    data = params.dump(arrays, {name: dtype for name, (dtype, _) in spec.items()})
    expected = [TensorInfo(name, spec[name][0], tuple(spec[name][1])) for name in sorted(spec)]
    return data, expected, arrays


@given(tensors)
def test_round_trip(spec: dict[str, tuple[str, list[int]]]) -> None:
    data, expected, arrays = build(spec)
    stored = params.check(data, expected)
    assert [tensor.dtype for tensor in stored] == [info.dtype for info in expected]
    assert sum(tensor.end - tensor.start for tensor in stored) == len(data)
    found = params.read(data, expected)
    assert sorted(found) == sorted(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(spec=st.dictionaries(st.sampled_from(["a", "b/c", "b_d"]), st.just(("float32", [2, 3]))))
def test_split_and_join(tmp_path: Path, spec: dict[str, tuple[str, list[int]]]) -> None:
    data, expected, arrays = build(spec)
    (tmp_path / "params").write_bytes(data)
    files = params.split(tmp_path / "params", expected, tmp_path / "parts")
    assert [file.relative_to(tmp_path / "parts").as_posix() for file in files] == sorted(spec)
    params.join(tmp_path / "parts", expected, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == data
    for name, array in params.read_separate(tmp_path / "parts", expected).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_truncation_at_any_byte_is_refused() -> None:
    data, expected, _ = build(
        {"a": ("float32", [2, 3]), "b": ("int64", []), "c": ("bfloat16", [5]), "d": ("float32", [0, 4])}
    )
    for size in range(len(data)):
        with pytest.raises(ModelError, match=r"cut short|is empty|ends after"):
            params.check(data[:size], expected)


def test_trailing_bytes_and_other_models_are_refused() -> None:
    data, expected, _ = build({"a": ("float32", [2, 3]), "b": ("int64", [4])})
    with pytest.raises(ModelError, match=r"has 3 bytes more than the model's 2 parameters need \(106\)"):
        params.check(data + b"\0\0\0", expected)
    with pytest.raises(ModelError, match="more than the model's 1 parameters"):
        params.check(data, expected[:1])
    for other in (
        TensorInfo("b", "int64", (5,)),
        TensorInfo("b", "int32", (4,)),
        TensorInfo("b", "int64", ()),
    ):
        with pytest.raises(ModelError, match=r"belongs to another model: parameter 'b' \(2 of 2\) should be"):
            params.check(data, [expected[0], other])
    assert params.check(data, [expected[0], TensorInfo("b", "int64", (-1,))])
    assert params.check(data, [expected[0], TensorInfo("b", "", ())])


@given(st.binary(max_size=200))
@example(struct.pack("<IQ", 0, 2**40))
@example(struct.pack("<IQIi", 0, 0, 0, -1))
@example(struct.pack("<IQIi", 0, 0, 0, 2) + b"\x08\x63")
@example(struct.pack("<IQIi", 0, 0, 0, 12) + b"\x08\x05\x10" + b"\xff" * 9)
@example(struct.pack("<IQQ", 0, 1, 2**62))
def test_random_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(ModelError):
        params.check(data, [TensorInfo("a", "float32", (70, 70))])
    params.starts_like_params(data)


@given(st.data())
def test_a_changed_byte_never_crashes(data: st.DataObject) -> None:
    content, expected, _ = build({"a": ("float32", [2, 3]), "b": ("int64", [4])})
    position = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[position] = data.draw(st.integers(0, 255))
    try:
        found = params.read(bytes(changed), expected)
    except ModelError:
        return
    assert [array.shape for array in found.values()] == [(2, 3), (4,)]


def test_lod_levels_and_packed_dims_are_read() -> None:
    lod = struct.pack("<IQ", 0, 1) + struct.pack("<Q", 16) + b"\0" * 16
    desc = b"\x08\x05\x12\x02\x02\x03"
    data = lod + struct.pack("<Ii", 0, len(desc)) + desc + np.arange(6, dtype="<f4").tobytes()
    found = params.read(data, [TensorInfo("a", "float32", (2, 3))])
    np.testing.assert_array_equal(found["a"], np.arange(6).reshape(2, 3))


def test_files_are_mapped_and_read_only(tmp_path: Path) -> None:
    data, expected, _ = build({"a": ("float32", [2, 3])})
    (tmp_path / "params").write_bytes(data)
    (array,) = params.read(tmp_path / "params", expected).values()
    assert not array.flags.writeable
    assert not array.flags.owndata


def test_checking_reads_headers_only(tmp_path: Path) -> None:
    # A sparse file of 40 GB: reading it whole would not end well.
    with (tmp_path / "params").open("wb") as stream:
        for dtype, rows in (("float32", 10_000_000), ("float32", 1)):
            info = params.encode(np.empty((0, 1000), dtype))
            desc = io.BytesIO(info).read()[20:]
            assert desc[:3] == b"\x08\x05\x10"
            desc = b"\x08\x05\x10" + varint(rows) + b"\x10" + varint(1000)
            stream.write(struct.pack("<IQIi", 0, 0, 0, len(desc)) + desc)
            stream.seek(rows * 4000, 1)
        stream.truncate()
    expected = [TensorInfo("a", "float32", (10_000_000, 1000)), TensorInfo("b", "float32", (1, 1000))]
    assert [tensor.nbytes for tensor in params.check(tmp_path / "params", expected)] == [40_000_000_000, 4000]


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


@pytest.mark.parametrize("name", ("../a", "/a", "b/../../a", "", "a\0b"))
def test_names_do_not_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be a file in"):
        params.parameter_path(tmp_path, name)


def test_unknown_dtypes_are_refused() -> None:
    with pytest.raises(ModelError, match="dtype <U1 cannot be stored"):
        params.encode(np.array(["a"]))
    with pytest.raises(ModelError, match="an array of dtype int8 cannot hold bfloat16"):
        params.encode(np.zeros(3, "int8"), "bfloat16")
    big = np.arange(3, dtype=">i4")
    np.testing.assert_array_equal(
        params.read(params.encode(big, "int32"), [TensorInfo("a", "int32", (3,))])["a"], big
    )
