"""What a file is, told from its first bytes. Nothing is ever unpickled or run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.errors import ModelError
from workbench.models import params
from workbench.models._varint import read_varint

HEAD = 4096

Kind = Literal["pir", "program", "params", "other"]

_PARAMS_TEXT = "a Paddle parameter file"


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is.

    Attributes:
        kind: one of Paddle's own, or "other".
        text: what it is, with its article, for messages.
        advice: what to do when it was given as a model.
    """

    kind: Kind
    text: str
    advice: str = ""


def read_head(path: Path) -> bytes:
    """The first bytes of a file; a file that cannot be read is a ModelError."""
    try:
        with path.open("rb") as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}): check the path and its permissions"
        ) from None


def sniff(head: bytes, name: str = "") -> Sniffed:
    """Tell what a file is from its first bytes, and its name where the bytes leave it open."""
    suffix = Path(name).suffix.lower()
    if not head:
        return Sniffed("other", "an empty file", "copy or export it again")
    if is_pir(head):
        return Sniffed("pir", "a PIR program")
    if params.starts_like_params(head):
        return Sniffed("params", _PARAMS_TEXT)
    foreign = _foreign(head, suffix)
    if foreign is not None:
        return foreign
    if head[0] == 0x0A and not _is_text(head):
        return Sniffed("program", "a Paddle program")
    stripped = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if stripped[:1] in (b"{", b"[") and _is_text(head):
        return Sniffed(
            "other",
            'a JSON file but not a Paddle program (no "magic": "pir" at its start)',
            "pass the .json written by paddle.jit.save",
        )
    if _is_text(head):
        return Sniffed("other", "a text file", "pass a .json, .pdmodel or __model__ file written by Paddle")
    return Sniffed("other", "not a Paddle program", "it may be damaged: copy or export it again")


def is_pir(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a PIR program in JSON."""
    from workbench.ir import is_pir_json

    return is_pir_json(head)


def check_whole(data: bytes, ir: str, label: str) -> None:
    """Refuse a program file that is cut short, with a message that says so.

    Of Program IR the outer protobuf fields are walked: the parser takes a message cut at the right byte
    for a whole one, and does not tell otherwise where it stopped.
    """
    if ir == "pir":
        if not data.rstrip().endswith(b"}"):
            raise ModelError(
                f"{label} is cut short: its JSON does not end within its {len(data):,} bytes; "
                "copy or export it again"
            )
        return
    position = 0
    blocks = 0
    while position < len(data):
        start = position
        tag, position = read_varint(data, position)
        # ProgramDesc has 1 blocks, 4 version, 5 op_version_map; a few reserved numbers are around them.
        if tag is None or not 1 <= tag >> 3 <= 5 or tag & 7 not in (0, 2):
            raise ModelError(
                f"{label} is damaged or not a Paddle program: unexpected data at byte {start:,} "
                f"of {len(data):,}; copy or export it again"
            )
        value, position = read_varint(data, position)
        end = position if value is None else position + (value if tag & 7 == 2 else 0)
        if value is None or end > len(data):
            raise ModelError(
                f"{label} is cut short: it has {len(data):,} bytes and at least {max(end, position + 1):,} "
                f"are needed; copy or export it again"
            )
        blocks += tag == 0x0A
        position = end
    if not blocks:
        raise ModelError(f"{label} is not a Paddle program: it has no blocks; copy or export it again")


def _foreign(head: bytes, suffix: str) -> Sniffed | None:
    onnx = Sniffed("other", "an ONNX model", "convert it to Paddle with X2Paddle (x2paddle --framework=onnx)")
    torch = Sniffed(
        "other", "a PyTorch file", "export it to ONNX and convert that with X2Paddle, or export from Paddle"
    )
    state = "a training checkpoint (weights without a program)"
    if head[:2] == b"PK":
        if b"/data.pkl" in head or b"/byteorder" in head or suffix in (".pt", ".pth"):
            return torch
        if suffix == ".npz" or b".npy" in head:
            return Sniffed("other", "a numpy .npz archive", "pass the model file beside it")
        return Sniffed("other", "a zip archive", "unpack it and pass the folder")
    if re.match(rb"\x80[\x02-\x05]", head):
        if suffix in (".pt", ".pth"):
            return torch
        return Sniffed("other", f"a pickle, most likely {state}", "export the layer with paddle.jit.save")
    if suffix == ".onnx" or re.match(rb"\x08[\x01-\x20][\x12\x3a]", head):
        return onnx
    known = (
        (b"\x1f\x8b", "a gzip archive", "unpack it first"),
        (b"\x89HDF", "an HDF5 file", "export the model from Paddle"),
        (b"\x93NUMPY", "a numpy array", "pass the model file"),
        (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "run git lfs pull"),
    )
    for magic, text, advice in known:
        if head.startswith(magic):
            return Sniffed("other", text, advice)
    if re.match(rb"\s*<(!doctype|html|\?xml)", head[:64].lower()):
        return Sniffed("other", "a web page, not a model", "download it again; the link gave a page")
    if suffix == ".safetensors" or re.match(rb"......\x00\x00\{\"", head, re.DOTALL):
        return Sniffed("other", f"a safetensors file, {state}", "export the layer with paddle.jit.save")
    return None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A head cut in the middle of a character is still text.
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\r\n\t\f" for character in text)
