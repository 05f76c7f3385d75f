"""The outputs of several engines on the same inputs, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.core.tensors import Array
from workbench.deploy.training.engines import Engine
from workbench.errors import InputError


@dataclass(frozen=True)
class Difference:
    """How far one engine's output is from the first engine's.

    Attributes:
        output: the output's name with the first engine.
        engine: the other engine.
        max_abs: the largest difference of two elements; None where they cannot be compared.
        max_rel: that, relative to the output's largest magnitude.
        identical: whether both are the same bit for bit.
        remark: why they cannot be compared, or nothing.
    """

    output: str
    engine: str
    max_abs: float | None
    max_rel: float | None
    identical: bool
    remark: str = ""

    def within(self, tolerance: float) -> bool:
        """Whether it is at most ``tolerance``, relative to the output's scale where that is not 0."""
        value = self.max_abs if self.max_rel is None else self.max_rel
        return value is not None and value <= tolerance


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        engines: the engines' names; the first is what the others are compared with.
        outputs: the outputs of each engine, by the engine's own names.
        differences: one per output and further engine.
        remark: where the engines gave different numbers of outputs, in words.
    """

    engines: tuple[str, ...]
    outputs: tuple[dict[str, Array], ...] = field(repr=False)
    differences: tuple[Difference, ...]
    remark: str = ""

    def facts(self) -> dict[str, Any]:
        """The same as plain values, without the arrays."""
        return {
            "engines": list(self.engines),
            "remark": self.remark,
            "outputs": [
                {
                    "name": name,
                    "dtype": str(array.dtype),
                    "shape": list(array.shape),
                    "differences": [
                        {
                            "engine": one.engine,
                            "max_abs_diff": one.max_abs,
                            "max_rel_diff": one.max_rel,
                            "identical": one.identical,
                            "remark": one.remark,
                        }
                        for one in self.differences
                        if one.output == name
                    ],
                }
                for name, array in self.outputs[0].items()
            ],
        }

    def __str__(self) -> str:
        lines = [self.remark] if self.remark else []
        for index, (name, array) in enumerate(self.outputs[0].items()):
            lines.append(f"{name}, {array.dtype} {'×'.join(map(str, array.shape)) or 'scalar'}")
            rows = [(self.engines[0], _first_values(array), "compared with")]
            for engine, found in zip(self.engines[1:], self.outputs[1:], strict=True):
                values = list(found.values())
                if index < len(values):
                    one = next(d for d in self.differences if (d.output, d.engine) == (name, engine))
                    rows.append((engine, _first_values(values[index]), _in_words(one)))
            widths = [max(len(row[column]) for row in rows) for column in range(2)]
            lines += [f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}" for row in rows]
        return "\n".join(lines)


def compare(engines: Sequence[Engine], inputs: Mapping[str, Any]) -> Comparison:
    """Run every engine on the same inputs and compare with the first.

    Outputs are matched by their order, since names differ between exports. A scalar is the same as an array
    of one number.

    Args:
        engines: two or more.
        inputs: an array for every input of the first engine, by name. An engine whose model has lost an input
            that nothing used is not given it.

    Raises:
        InputError: for fewer than two engines, or inputs that do not fit the first.
        WorkbenchError: if one of them cannot run.
    """
    if len(engines) < 2:
        raise InputError(f"{len(engines)} engine is nothing to compare: give two or more")
    names = _distinct([engine.name for engine in engines])
    found = [engines[0].run(inputs)]
    for engine in engines[1:]:
        wanted = {info.name for info in engine.inputs}
        found.append(engine.run({name: array for name, array in inputs.items() if name in wanted}))
    counts = {len(outputs) for outputs in found}
    remark = ""
    if len(counts) > 1:
        said = ", ".join(f"{name}: {len(outputs)}" for name, outputs in zip(names, found, strict=True))
        remark = f"the engines give different numbers of outputs ({said})"
    differences = [
        difference(name, engine, reference, array)
        for engine, outputs in zip(names[1:], found[1:], strict=True)
        for (name, reference), array in zip(found[0].items(), outputs.values(), strict=False)
    ]
    return Comparison(tuple(names), tuple(found), tuple(differences), remark)


def difference(output: str, engine: str, reference: Array, array: Array) -> Difference:
    """How far ``array`` is from ``reference``; NaN or infinity in the same place of both is no difference."""
    if _shape(reference) != _shape(array) or reference.dtype != array.dtype:
        remark = f"{array.dtype} {list(array.shape)} where there is {reference.dtype} {list(reference.shape)}"
        return Difference(output, engine, None, None, False, remark)
    first, second = reference.reshape(-1), array.reshape(-1)
    identical = first.tobytes() == second.tobytes()
    # Whole numbers of 64 bits lose nothing that matters here, unsigned ones would wrap around.
    kind = np.complex128 if first.dtype.kind == "c" else np.float64
    first, second = first.astype(kind), second.astype(kind)
    alike = (first == second) | (np.isnan(first) & np.isnan(second))
    broken = ~alike & ~(np.isfinite(first) & np.isfinite(second))
    if broken.any():
        count = int(broken.sum())
        remark = f"NaN or infinity in {count} of {broken.size} elements of one and not of the other"
        return Difference(output, engine, None, None, False, remark)
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.where(alike, 0, first - second))
    largest = float(apart.max(initial=0.0))
    finite = np.abs(first[np.isfinite(first)])
    scale = float(finite.max(initial=0.0))
    relative = 0.0 if largest == 0 else largest / scale if scale else None
    remark = "" if relative is not None else "the first gives zeros alone"
    return Difference(output, engine, largest, relative, identical, remark)


def _shape(array: Array) -> tuple[int, ...]:
    # Some engines give a scalar as an array of one.
    return array.shape or (1,)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number where one comes twice."""
    return [
        f"{name} ({names[: index + 1].count(name)})" if names.count(name) > 1 else name
        for index, name in enumerate(names)
    ]


def _first_values(array: Array) -> str:
    flat = array.reshape(-1)
    shown = " ".join(f"{value:.6g}" if array.dtype.kind in "fc" else str(value) for value in flat[:3])
    return shown + (" …" if flat.size > 3 else "")


def _in_words(one: Difference) -> str:
    if one.identical:
        return "identical"
    if one.max_abs is None:
        return one.remark
    relative = "" if one.max_rel is None else f", relative {one.max_rel:.3g}"
    return f"max difference {one.max_abs:.3g}{relative}"
