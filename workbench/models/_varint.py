"""The numbers of protobuf, seven bits a byte, without protobuf: for headers, and for files cut anywhere."""

from __future__ import annotations


def read_varint(data: bytes, position: int) -> tuple[int | None, int]:
    """The number at a position, None where it does not end, and the position after what was read."""
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    return None, position


def write_varint(value: int) -> bytes:
    """The bytes of a number that is not negative."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
