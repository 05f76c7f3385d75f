"""Prints PIR text the way Paddle's ``ir_printer.cc`` does, and generates graphs to print."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hypothesis import strategies as st

BANNER = re.compile(r"===-+===\n +IRPrinting on (\S+) (before|after) (\S+) pass\n===-+===\n")

DTYPES = {
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "f64": "float64",
    "b": "bool",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "c64": "complex64",
}


def modules(printed: str) -> list[tuple[str, str, str, str]]:
    """Splits captured output into (what, before|after, pass, text)."""
    parts = BANNER.split(printed)
    return [tuple(parts[start : start + 4]) for start in range(1, len(parts), 4)]


def plain_count(text: str) -> int:
    """Counts ops line by line, by other means than the reader's."""
    count = 0
    for line in text.splitlines():
        head, equals, tail = line.strip().partition(') = "')
        if equals and head.startswith("("):
            count += not tail.startswith(("builtin.parameter", "builtin.constant"))
    return count


def attribute(value: object) -> str:
    if value is None:
        return "<#AttrNull>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ",".join(attribute(member) for member in value) + "]"
    return value.text if isinstance(value, Raw) else str(value)


class Raw:
    """An attribute that Paddle prints without quotes, and the reader gives as text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Raw({self.text!r})"


def plain(value: object) -> object:
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value.text if isinstance(value, Raw) else value


def attributes(attrs: dict[str, object]) -> str:
    return "{" + ",".join(f"{name}:{attribute(attrs[name])}" for name in sorted(attrs)) + "}"


def tensor(dtype: str, shape: tuple[int, ...]) -> str:
    return f"tensor<{''.join(f'{dim}x' for dim in shape)}{dtype}>"


# Paddle escapes quotes but not backslashes: a backslash at the end, or before a quote, cannot be told apart.
strings = st.text(alphabet='ab "{}[](),:<>%=-\n/\\é|', max_size=12).filter(
    lambda text: not text.endswith("\\") and '\\"' not in text
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0.5, -1e-05, 1e30]),
    strings,
    st.sampled_from(
        ["Place(cpu)", "Place(gpu:0)", "float32", "<backend:CPU|layout:Undefined(AnyLayout)|dtype:int64>"]
    ).map(Raw),
)
values = st.one_of(
    scalars, st.lists(scalars, max_size=3), st.lists(st.lists(scalars, max_size=2), max_size=2)
)
maps = st.dictionaries(
    st.sampled_from(["alpha", "axis", "shape", "x_1", "stop_gradient"]), values, max_size=4
)
shapes = st.lists(st.integers(-1, 300), max_size=4).map(tuple)


class Module:
    """A random module: its text, and what a reader must find in it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ops: list[dict[str, object]] = []
        self.values: dict[str, tuple[str, tuple[int, ...]]] = {}
        self.parameters: list[str] = []

    def add(
        self, indent: str, kind: str, inputs: list[str | None], attrs: dict[str, object], results: list
    ) -> list:
        names = []
        for result in results:
            names.append(f"%{len(self.values)}")
            self.values[names[-1]] = result
        operands = ", ".join(name or "<<NULL VALUE>>" for name in inputs)
        types = ", ".join(tensor(*self.values[name]) if name else "<<NULL TYPE>>" for name in inputs)
        outs = ", ".join(tensor(*result) for result in results)
        self.lines.append(
            f'{indent}({", ".join(names)}) = "{kind}" ({operands}) {attributes(attrs)} : ({types}) -> {outs}'
        )
        return names

    @property
    def text(self) -> str:
        return "{\n" + "\n".join(self.lines) + "\n}\n"


@st.composite
def random_modules(draw: st.DrawFn) -> Module:
    module = Module()
    results = st.tuples(st.sampled_from(sorted(DTYPES)), shapes)
    for number in range(draw(st.integers(0, 3))):
        attrs = {"parameter_name": f"w_{number}"}
        module.parameters += module.add("    ", "builtin.parameter", [], attrs, [draw(results)])
    for _ in _block(draw, module, results, "    ", None, draw(st.integers(1, 8)), 0):
        pass
    return module


def _block(draw, module, results, indent, parent, count, depth) -> Iterator[None]:
    for _ in range(count):
        known = sorted(module.values)
        inputs = draw(st.lists(st.sampled_from([*known, None]), max_size=3))
        attrs = draw(maps)
        entry = {
            "inputs": tuple(name for name in inputs if name),
            "attrs": {name: plain(value) for name, value in attrs.items()},
            "parent": parent,
        }
        index = len(module.ops)
        if known and depth < 2 and draw(st.integers(0, 4)) == 0:
            condition = draw(st.sampled_from(known))
            result = draw(results)
            name = f"%{len(module.values)}"
            module.values[name] = result
            module.ops.append({**entry, "type": "pd_op.if", "inputs": (condition,), "outputs": (name,)})
            head = f'({name}) = "pd_op.if" ({condition}) {attributes(attrs)} -> {tensor(*result)} {{'
            module.lines.append(indent + head)
            yield from _block(draw, module, results, indent + "    ", index, 1, depth + 1)
            module.lines.append(indent + "} else {")
            yield from _block(draw, module, results, indent + "    ", index, 1, depth + 1)
            module.lines.append(indent + "}")
        else:
            kind = draw(
                st.sampled_from(["pd_op.relu", "pd_op.conv2d", "builtin.combine", "onednn_op.fc", "cf.yield"])
            )
            module.ops.append({**entry, "type": kind})
            made = module.add(indent, kind, inputs, attrs, draw(st.lists(results, max_size=2)))
            module.ops[index]["outputs"] = tuple(made)
        yield
