"""Reads PIR as Paddle prints it: the text between two ``IRPrinting`` banners of ``switch_ir_debug``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from workbench.errors import TraceError
from workbench.ir.graph import Graph, Kernel, Op
from workbench.ir.types import GraphBuilder, TensorType, parse_pir_type, split_top

# The printer escapes quotes in a string and nothing else: a quote after a backslash belongs to the string.
_STRING = r'"(?:[^"]|(?<=\\)")*(?<!\\)"|""'
_PIECE = rf"(?:{_STRING}|[^\"\[\]])*"

_START = re.compile(r'[ \t]*\((?:%\w|\) = "|<<NULL)')
_OP_START = re.compile(
    r'[ \t]*\((?P<results>[^()"]*)\) = "(?P<name>[^"]*)"(?: \[id:\d+\])? '
    r"\((?P<operands>[^(){}]*(?:\{[^{}]*\}[^(){}]*)*)\)"
)
_KWARG = re.compile(r"[ \t]*%kwarg_\S+ \{.*\}[ \t]*\Z")
_ATTRIBUTE = re.compile(
    rf"([^:,{{}}\[\]\"<>]+):({_STRING}|\[{_PIECE}\]|<[^<>]*>|[^,\"\[\]<>{{}}()]*(?:\([^(),]*\))?)(?:,|\Z)"
)
_KEY = re.compile(r'[^:,{}\[\]"<> ]+:')
_REGION_TAIL = re.compile(r"(?: \{(?P<attrs>.*)\})?(?: ?-> ?(?P<types>.*?))? ?\{[ \t]*\Z", re.DOTALL)
_OPERAND = re.compile(r"%[\w.]+|<<NULL VALUE>>")
_BLOCK_ARGUMENT = re.compile(r"(%(?:arg|kwarg)_[\w.]+) \{")
_KERNEL_KEY = re.compile(r"<backend:(.*?)\|layout:(.*?)\|dtype:(.*?)>\Z")
_CAST = re.compile(r"\([\w.]+\)(?=.)")
_COUNTED = re.compile(
    r'^[ \t]*\([^()"\n]*\) = "(?!builtin\.parameter"|builtin\.constant")[^"\n]*"(?: \[id:\d+\])? \(',
    re.MULTILINE,
)
_WORDS: dict[str, Any] = {"true": True, "false": False, "<#AttrNull>": None}

UNREADABLE = "unreadable"
"""Key in ``Op.attrs`` for the raw text of an attribute map that could not be read."""


def count_ops(text: str) -> int:
    """Counts the ops of a module's text without reading them.

    Args:
        text: the module, as for ``read_pir_text``.

    Returns:
        The number of ops listed, those in nested regions included, parameters and constants not.
    """
    return sum(1 for _ in _COUNTED.finditer(text))


def read_pir_text(text: str) -> Graph:
    """Reads the text of one module.

    Args:
        text: what Paddle printed for one module, with or without the banner above it.

    Returns:
        The graph; the ops of nested regions follow the op that holds them (``Op.parent``).

    Raises:
        TraceError: a line is not understood or the text is cut short; the message names the line.
    """
    reader = _Reader()
    closed = False
    for number, line in _logical_lines(text):
        if _START.match(line):
            if closed or not reader.holders:
                raise TraceError(
                    f"line {number} of the PIR text is an op outside of the module: {_short(line)}"
                )
            reader.read_op(line, number)
            continue
        bare = line.strip()
        if not bare or bare.startswith("==="):
            continue
        if bare == "{" and not closed:
            reader.open_block()
        elif bare == "}" and reader.holders:
            reader.close_block()
            closed = not reader.holders
        elif bare == "} else {" and reader.holders:
            reader.close_block()
            reader.open_block()
        elif (bare.startswith("^") and reader.holders) or (_KWARG.match(line) and reader.holders):
            reader.read_block_arguments(bare)
        elif reader.holders:
            raise TraceError(f"line {number} of the PIR text is not understood: {_short(line)}")
        elif bare == "{":
            raise TraceError(f"line {number} of the PIR text begins a second module; read one at a time")
    if not closed:
        found = "is cut short" if reader.holders else "holds no module"
        raise TraceError(f"the PIR text {found}: its last line is {_short(text.strip()[-80:])!r}")
    return reader.builder.graph()


def _short(line: str) -> str:
    line = line.strip()
    return line if len(line) <= 120 else line[:117] + "..."


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields (number, line), an op whose strings hold newlines as one line."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first, line = number, lines[number]
        number += 1
        # A string that ends in a backslash looks open; then the line is whole as it is.
        if _quotes(line) % 2 and _START.match(line) and not _complete(line):
            end, still_open = number, True
            while end < len(lines) and still_open:
                still_open = _quotes(lines[end]) % 2 == 0
                end += 1
            if not still_open:
                line = "\n".join(lines[first:end])
                number = end
        yield first + 1, line


def _complete(line: str) -> bool:
    return "} : (" in line and ") -> " in line


def _quotes(line: str) -> int:
    return line.count('"') - line.count('\\"')


class _Reader:
    """Holds the state between the lines of one module."""

    def __init__(self) -> None:
        self.builder = GraphBuilder("pir")
        # The op each open block belongs to; None for the module and for a parameter's (impossible) block.
        self.holders: list[int | None] = []
        self.last: int | None = None
        # Which region of its op each open block is, and how many regions of every op have been opened.
        self.regions: list[int] = []
        self.opened: dict[int | None, int] = {}
        self.loop_types: list[TensorType] = []
        self._types: dict[str, TensorType] = {}
        self._values: dict[str, Any] = dict(_WORDS)
        self._kernels: dict[tuple[str, str], Kernel] = {}

    def open_block(self) -> None:
        region = self.opened.get(self.last, 0)
        self.opened[self.last] = region + 1
        self.holders.append(self.last)
        self.regions.append(region)

    def close_block(self) -> None:
        self.regions.pop()
        self.last = self.holders.pop()

    def read_block_arguments(self, line: str) -> None:
        names = _BLOCK_ARGUMENT.findall(line)
        known = self.loop_types if len(self.loop_types) == len(names) else [(None, None)] * len(names)
        for name, tensor in zip(names, known, strict=True):
            self.builder.types.setdefault(name, tensor)

    def read_op(self, line: str, number: int) -> None:
        head = _OP_START.match(line)
        if head is None:
            raise TraceError(f"line {number} of the PIR text is not understood: {_short(line)}")
        rest = line[head.end() :]
        # Only an op that holds blocks ends in a brace; its signature differs from that of all others.
        opens = line.rstrip().endswith("{")
        if opens:
            tail = _REGION_TAIL.fullmatch(rest)
            understood = tail is not None
            raw, types = (tail["attrs"] or "", tail["types"] or "") if tail else ("", "")
            operand_types = ""
        else:
            split = rest.rfind("} : (")
            arrow = rest.find(") -> ", split)
            understood = split >= 0 and arrow >= 0 and rest.startswith(" {")
            raw, operand_types, types = rest[2:split], rest[split + 5 : arrow], rest[arrow + 5 :]
        if not understood:
            raise TraceError(f"line {number} of the PIR text is not understood: {_short(line)}")
        name, operands = head["name"], head["operands"]
        sources = _OPERAND.findall(operands) if operands else []
        inputs = tuple(value for value in sources if value[0] == "%")
        outputs = tuple(_OPERAND.findall(head["results"]))
        self._set_types(inputs, sources, operand_types, name, outputs, types, number)
        attrs = self.attributes(raw)
        if name in ("builtin.parameter", "builtin.constant"):
            for value in outputs:
                self.builder.parameters.add(value)
                self.builder.name(value, attrs.get("parameter_name") or attrs.get("value"))
            return
        self._add(name, inputs, outputs, attrs)
        if opens:
            self.open_block()

    def _set_types(
        self,
        inputs: tuple[str, ...],
        sources: list[str],
        operand_types: str,
        name: str,
        outputs: tuple[str, ...],
        types: str,
        number: int,
    ) -> None:
        known = self.builder.types
        for value in inputs:
            if known.get(value, (None, None)) == (None, None):
                # A block argument: only the ops that read it say its type.
                texts = split_top(operand_types)
                found = self.type_of(texts[sources.index(value)]) if len(texts) == len(sources) else None
                known[value] = found or (None, None)
        if not types.strip():
            # pd_op.while prints no result types: they are those of the values it carries.
            results = [known[value] for value in inputs[1:]] if "while" in name else []
            self.loop_types = results
        else:
            texts = types.strip().split(", ")
            if len(texts) != len(outputs):
                texts = split_top(types)
            results = [self.type_of(text) for text in texts]
        if len(results) != len(outputs) and types.strip():
            raise TraceError(
                f"line {number} of the PIR text has {len(outputs)} results, {len(results)} types"
            )
        for place, value in enumerate(outputs):
            known[value] = results[place] if place < len(results) else (None, None)

    def _add(
        self, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], attrs: dict[str, Any]
    ) -> None:
        kernel = None
        lowered = attrs.get("kernel_name")
        if isinstance(lowered, str) and "kernel_key" in attrs:
            kernel = self.kernel(lowered, str(attrs["kernel_key"]))
            original = attrs.get("op_name")
            name = original if isinstance(original, str) and original else name
        layer = attrs.get("struct_name")
        builder = self.builder
        if name == "builtin.shadow_output" and inputs:
            builder.name(inputs[0], attrs.get("output_name"))
        elif outputs and name in ("pd_op.data", "pd_op.feed", "pd_op.fetch"):
            builder.name(outputs[0], attrs.get("name"))
        self.last = len(builder.ops)
        builder.ops.append(
            Op(
                self.last,
                name,
                inputs,
                outputs,
                attrs,
                layer.rstrip("/") if isinstance(layer, str) else "",
                kernel,
                None,
                self.holders[-1],
                self.regions[-1],
            )
        )

    def kernel(self, name: str, key: str) -> Kernel:
        found = self._kernels.get((name, key))
        if found is None:
            parts = _KERNEL_KEY.match(key)
            backend, layout, dtype = parts.groups() if parts else (key, "", "")
            found = self._kernels[name, key] = Kernel(name, backend, layout, dtype)
        return found

    def type_of(self, text: str) -> TensorType:
        found = self._types.get(text)
        if found is None:
            found = self._types[text] = parse_pir_type(text.strip())
        return found

    def attributes(self, raw: str) -> dict[str, Any]:
        if not raw:
            return {}
        values = self._values
        attrs: dict[str, Any] = {}
        place, match = 0, _ATTRIBUTE.match
        while place < len(raw):
            found = match(raw, place)
            if found is None:
                return self._attributes_slowly(raw)
            key, text = found.groups()
            try:
                attrs[key] = values[text]
            except KeyError:
                attrs[key] = values[text] = _plain(text)
            place = found.end()
        return attrs

    def _attributes_slowly(self, raw: str) -> dict[str, Any]:
        """Splits at the commas that a key follows, outside of brackets and strings."""
        attrs: dict[str, Any] = {}
        place = 0
        while place < len(raw):
            key = _KEY.match(raw, place)
            if key is None:
                return {UNREADABLE: raw}
            end = _value_end(raw, key.end())
            attrs[key.group()[:-1]] = _plain(raw[key.end() : end])
            place = end + 1
        return attrs


def _value_end(raw: str, place: int) -> int:
    """Where the value that starts at place ends: at a comma before a key, or at the end of the text."""
    depth = 0
    while place < len(raw):
        sign = raw[place]
        if sign == '"':
            place = _string_end(raw, place)
        elif sign in "[{(<":
            depth += 1
        elif sign in "]})>":
            depth -= 1
        elif sign == "," and depth <= 0 and _KEY.match(raw, place + 1):
            return place
        place += 1
    return len(raw)


def _string_end(raw: str, start: int) -> int:
    """Where the string that starts at start ends: the place of its closing quote."""
    suspect = -1
    place = raw.find('"', start + 1)
    while place >= 0:
        if raw[place - 1] != "\\":
            # A string that ends in a backslash swallows the comma and the key after it.
            return suspect if suspect >= 0 and raw[place + 1 : place + 2] not in ("", ",", "]") else place
        if suspect < 0 and (place + 1 == len(raw) or raw[place + 1] in ",]"):
            suspect = place
        place = raw.find('"', place + 1)
    return suspect if suspect >= 0 else len(raw) - 1


def _plain(text: str) -> Any:
    """The plain value of an attribute's text; the text itself where it has no plain value."""
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] == '"':
        return text[1:-1].replace('\\"', '"')
    if text[:1] == "[" and text[-1:] == "]":
        return [_plain(member) for member in _members(text[1:-1])]
    if text[:1] == "(":
        # Releases before 3.0 print the type before the value: (Int32)3.
        text = _CAST.sub("", text, count=1)
        return _plain(text) if text[:1] != "(" else text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _members(text: str) -> list[str]:
    if not text:
        return []
    if '"' not in text and "[" not in text and "(" not in text:
        return text.split(",")
    members: list[str] = []
    depth = start = place = 0
    while place < len(text):
        sign = text[place]
        if sign == '"':
            place = _string_end(text, place)
        elif sign in "[(<":
            depth += 1
        elif sign in "])>":
            depth -= 1
        elif sign == "," and depth == 0:
            members.append(text[start:place])
            start = place + 1
        place += 1
    members.append(text[start:])
    return members
