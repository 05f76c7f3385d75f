"""Sensitivity to a lower precision: planted sensitive ops are named, and numpy agrees on every set."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.errors import CancelledError, WorkbenchError
from workbench.ir import canonical_type
from workbench.models import load
from workbench.verifying.bisection import Outcome
from workbench.verifying.bisection.ledger import Ledger
from workbench.verifying.bisection.search import Found
from workbench.verifying.sensitivity import Sensitivity, searching, sensitivity

Floats = npt.NDArray[np.float32]
SIZE = 400
EXPORT = """
import sys
from pathlib import Path
import numpy as np
import paddle
from workbench.deploy.training.export import export_layer

folder = Path(sys.argv[1])
rng = np.random.default_rng(5)


class Planted(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        for name in "wbcd":
            values = rng.uniform(0.5, 2, [400]).astype("float32")
            one = self.create_parameter([400], default_initializer=paddle.nn.initializer.Assign(values))
            setattr(self, name, one)


class Chain(Planted):
    def forward(self, x):
        y = paddle.abs(x * self.w + self.b) - self.c
        return paddle.square(paddle.maximum(y, x)) / self.d


class Near(Planted):
    def forward(self, left, right):
        return paddle.nn.functional.relu((left - right) * self.w + self.b)


class Large(Planted):
    def forward(self, x):
        return paddle.exp(x) * self.w


class Over(Planted):
    def forward(self, x):
        return paddle.sqrt(paddle.square(x)) + self.w


for layer, names in ((Chain(), ["x"]), (Near(), ["left", "right"]), (Large(), ["x"]), (Over(), ["x"])):
    layer.eval()
    specs = [(name, "float32", [400]) for name in names]
    for layout in ("pir", "program"):
        export_layer(layer, str(folder / layout / type(layer).__name__.lower()), specs, layout=layout)
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models for each IR."""
    folder = tmp_path_factory.mktemp("sensitivity")
    # A file, since Paddle reads the source of what it turns static.
    script = folder / "export.py"
    script.write_text(EXPORT)
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=120)
    return folder


@pytest.fixture(params=["pir", "program"])
def made(request: pytest.FixtureRequest, both: Path) -> Path:
    """The models in one IR and the other."""
    return both / str(request.param)


@pytest.fixture
def pir(both: Path) -> Path:
    """The models in PIR, for what is alike in both."""
    return both / "pir"


@pytest.fixture(scope="module")
def digits(sample_folder: Callable[..., Path]) -> Path:
    return sample_folder("digits")


def bf16(values: Any) -> Floats:
    """By the mantissa, of eight bits; numpy rounds a tie to the even number."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    return np.ldexp(np.rint(mantissa * 256), exponent - 8).astype(np.float32)


def kinds(names: Iterable[str]) -> tuple[str, ...]:
    """Types by the names that both IRs share."""
    return tuple(canonical_type(name) for name in names)


# By numpy, over all subsets

X = np.random.default_rng(1).standard_normal(SIZE).astype(np.float32)
TYPES = ("multiply", "add", "abs", "subtract", "maximum", "square", "divide")


def chain(lowered: Iterable[str]) -> Floats:
    """What the model ``chain`` gives with some types in bf16: its ops are exact but for the rounding."""
    rng = np.random.default_rng(5)
    w, b, c, d = (rng.uniform(0.5, 2, [SIZE]).astype(np.float32) for _ in "wbcd")

    def op(kind: str, function: Callable[..., Floats], *read: Floats) -> Floats:
        if kind not in lowered:
            return function(*read)
        return bf16(function(*map(bf16, read)))

    y = op(
        "subtract", np.subtract, op("abs", np.abs, op("add", np.add, op("multiply", np.multiply, X, w), b)), c
    )
    return op("divide", np.divide, op("square", np.square, op("maximum", np.maximum, y, X)), d)


def error(lowered: Iterable[str]) -> float:
    return float(np.abs(chain(lowered).astype(np.float64) - chain(())).max())


ALONE = sorted((error([name]) for name in TYPES), reverse=True)
BETWEEN = {
    "the worst alone": (ALONE[0] + ALONE[1]) / 2,
    "three of them": (ALONE[2] + ALONE[3]) / 2,
    "none alone, all together": (ALONE[0] + error(TYPES)) / 2,
}


@pytest.mark.parametrize("case", BETWEEN)
def test_numpy_agrees_on_every_set(made: Path, case: str, no_session_left: None) -> None:
    atol = BETWEEN[case]
    assert error(TYPES) > atol
    found = sensitivity(made / "chain", inputs={"x": X}, method="simulated", tolerance=atol)
    assert (found.state, found.method, found.precision) == ("found", "simulated", "bf16")
    assert set(kinds(one.name for one in found.ranking)) == set(TYPES)
    for one in found.ranking:
        [name] = kinds([one.name])
        assert one.of_tolerance == pytest.approx(error([name]) / atol, rel=1e-6)
        assert one.passed == (error([name]) <= atol)
    sizes = [error(kinds([one.name])) for one in found.ranking]
    assert sizes == sorted(sizes, reverse=True)

    def fails(part: Iterable[str]) -> bool:
        return error(part) > atol

    keep = kinds(found.keep)
    rest = set(TYPES) - set(keep)
    assert keep and not fails(rest)
    assert all(fails(rest | {name}) or fails([name]) for name in keep)
    assert {name for name in TYPES if fails([name])} <= set(keep)
    for part in map(set, map(kinds, found.sets)):
        assert fails(part)
        assert not any(fails(part - {name}) for name in part)
    least = min(
        len(part)
        for size in range(len(TYPES) + 1)
        for part in itertools.combinations(TYPES, size)
        if fails(part)
    )
    # Larger ones are not all looked for.
    assert least > 3 or min(map(len, found.sets)) == least
    assert found.avoid == wb.InferenceConfig(precision="bf16", fp32_ops=found.keep)
    assert len(found.probes) <= 2 ** len(TYPES)


def test_a_type_that_stays_in_fp32_anyway_is_no_candidate(made: Path) -> None:
    model = load(made / "chain")
    [kept] = [op.type.rpartition(".")[2] for op in model.graph().ops if canonical_type(op.type) == "square"]
    config = wb.InferenceConfig(fp32_ops=(kept,), threads=2)
    found = sensitivity(model, config, inputs={"x": X}, method="simulated", tolerance=1e-9)
    assert "square" not in kinds(one.name for one in found.ranking)
    assert found.avoid is not None
    assert kept in found.avoid.fp32_ops
    assert (found.avoid.threads, found.avoid.precision) == (2, "bf16")


# Planted


def near() -> dict[str, Floats]:
    """Two inputs whose difference is lost if both are rounded."""
    right = np.random.default_rng(2).uniform(1000, 1001, SIZE).astype(np.float32)
    return {"left": right + np.float32(0.5), "right": right}


def test_a_difference_of_near_numbers_is_named(made: Path) -> None:
    found = sensitivity(made / "near", None, "bf16", near(), method="simulated")
    assert kinds(found.keep) == ("subtract",)
    assert [kinds(one) for one in found.sets] == [("subtract",)]
    assert kinds([found.ranking[0].name]) == ("subtract",)
    assert [one.passed for one in found.ranking] == [False] + [True] * (len(found.ranking) - 1)
    assert found.avoid is not None and found.avoid.fp32_ops == found.keep
    assert f"keep {found.keep[0]} in fp32" in str(found)
    graph = load(made / "near").graph()
    assert {canonical_type(graph.ops[index].type) for index in found.ranking[0].ops} == {"subtract"}


def test_the_one_op_is_named_by_its_index(made: Path) -> None:
    found = sensitivity(made / "near", inputs=near(), by="op")
    [name] = found.keep
    index, kind = name.split()
    graph = load(made / "near").graph()
    assert canonical_type(kind) == canonical_type(graph.ops[int(index)].type) == "subtract"
    assert found.ranking[0].ops == (int(index),)
    assert (found.avoid, found.method, found.notices) == (None, "simulated", ())


def test_an_exponential_of_large_numbers_is_named(made: Path) -> None:
    # From 80 to 80.5 there is no number of bf16, and exp makes 22 % of a quarter.
    x = np.random.default_rng(3).uniform(80, 80.5, SIZE).astype(np.float32)
    found = sensitivity(made / "large", inputs={"x": x}, method="simulated")
    assert kinds(found.keep) == ("exp",)
    assert [kinds(one) for one in found.sets] == [("exp",)]


def test_what_overflows_in_fp16_is_infinite(pir: Path) -> None:
    x = np.full(SIZE, 300, np.float32)
    low = sensitivity(pir / "over", None, "fp16", {"x": x}, method="simulated")
    # The square is beyond 65504, whether it is given or read.
    assert sorted(kinds(low.keep)) == ["sqrt", "square"]
    assert sorted(map(kinds, low.sets)) == [("sqrt",), ("square",)]
    assert [one.difference for one in low.ranking[:2]] == [math.inf, math.inf]
    facts = json.loads(json.dumps(low.facts(), allow_nan=False))
    assert facts["ranking"][0]["difference"] is None
    assert facts["ranking"][0]["passed"] is False
    # bf16 has the exponents of fp32.
    assert sensitivity(pir / "over", None, "bf16", {"x": x}, method="simulated").state == "does not fail"


def test_a_function_judges_in_place_of_the_tolerance(pir: Path) -> None:
    seen: list[dict[str, Any]] = []

    def good(outputs: dict[str, Any]) -> bool:
        seen.append(outputs)
        (array,) = outputs.values()
        return bool(np.abs(array - chain(())).max() <= BETWEEN["the worst alone"])

    found = sensitivity(pir / "chain", inputs={"x": X}, method="simulated", check=good)
    keep = set(kinds(found.keep))
    assert (found.state, found.check) == ("found", "function")
    assert error(set(TYPES) - keep) <= BETWEEN["the worst alone"]
    assert {name for name in TYPES if error([name]) > BETWEEN["the worst alone"]} <= keep
    assert len(seen) == len(found.probes)
    differences = [one.difference for one in found.ranking]
    assert differences == sorted(differences, key=lambda one: -(one or 0))

    def never(outputs: dict[str, Any]) -> bool:
        raise ValueError("nothing is good enough")

    worst = sensitivity(pir / "chain", inputs={"x": X}, method="simulated", check=never)
    assert (worst.state, worst.keep, worst.avoid) == ("no op does it", (), None)
    assert "ValueError: nothing is good enough" in worst.answer


def test_a_search_that_is_cut_off_still_gives_what_passes(pir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atol = BETWEEN["none alone, all together"]
    for most in (1, 3, 6):
        monkeypatch.setattr(searching, "PROBES_MOST", most)
        found = sensitivity(pir / "chain", inputs={"x": X}, method="simulated", tolerance=atol)
        keep = set(kinds(found.keep))
        assert found.state == "found"
        assert error(set(TYPES) - keep) <= atol
        assert error(kinds(found.sets[0])) > atol
        assert searching.SHORTENED in found.notices
        assert all(one.runs for one in found.probes)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_what_to_keep_of_errors_that_add_up_is_smallest_in_itself(errors: list[int], share: float) -> None:
    limit = share * sum(errors)
    names = [f"op {at}" for at in range(len(errors))]
    sizes = dict(zip(names, sorted(errors, reverse=True), strict=True))

    def fails(on: Iterable[str]) -> bool:
        return sum(sizes[name] for name in on) > limit

    spending = searching.Spending(
        lambda on: Outcome("fails", "", "output") if fails(on) else Outcome("passes")
    )
    ledger = Ledger(names, spending, repeats=1)
    single = [name for name in names if fails([name])]
    found = searching.search(ledger, spending, single)
    sets, _ = searching.with_single(found, single)
    assert found.state == "found" and found.off is not None
    lowered = set(names) - set(found.off)
    assert not fails(lowered)
    assert set(single) <= set(found.off)
    if searching.NOT_LEAST not in found.notices:
        assert all(fails(lowered | {name}) for name in found.off)
    for part in sets:
        assert fails(part)
        if searching.SHORTENED not in found.notices:
            assert not any(fails(set(part) - {name}) for name in part)
    assert len(searching.tried(ledger)) <= 2 * searching.PROBES_MOST + len(names) + 1


def test_errors_that_cancel_out_are_told_of() -> None:
    """What fails alone and passes with another one is no reason to keep anything, and no secret."""

    def probe(on: frozenset[str]) -> Outcome:
        cancelled = {"a", "d"} <= on and "b" not in on
        return Outcome("fails", "", "output") if cancelled or {"b", "c"} <= on else Outcome("passes")

    spending = searching.Spending(probe)
    ledger = Ledger("abcd", spending, repeats=1)
    found = searching.search(ledger, spending, [])
    sets, told = searching.with_single(found, [])
    assert (sets, found.off) == ([("b", "c")], ("c",))
    assert told[0].startswith("a + d: too much alone, and not together with others")
    # Each of those that fail alone is a set of its own, also if the search went another way.
    assert searching.with_single(found, ["c"])[0] == [("c",)]
    nothing, told = searching.with_single(Found("does not fail"), ["a"])
    assert nothing == []
    assert told[0].startswith("a: too much alone, and not together with others")


# Real models, and how it is told


def test_digits_in_bf16_are_as_good(digits: Path) -> None:
    pictures = wb.sample_inputs(digits)
    labels = wb.sample_labels(digits)

    def accurate(outputs: dict[str, Any]) -> bool:
        (logits,) = outputs.values()
        return bool(np.mean(logits.argmax(axis=1) == labels) > 0.9)

    found = sensitivity(digits, inputs=pictures, check=accurate, method="simulated")
    assert (found.state, found.keep, found.sets) == ("does not fail", (), ())
    assert found.avoid == wb.InferenceConfig(precision="bf16")
    assert {"conv2d", "matmul"} <= {one.name for one in found.ranking}
    assert all(one.difference is not None and 0 <= one.difference < 0.1 for one in found.ranking)
    assert "nothing has to stay in fp32" in str(found)
    assert any("conv" in path.lower() for one in found.ranking for path in one.layers)


def test_the_chart_has_a_bar_for_each(pir: Path) -> None:
    found = sensitivity(
        pir / "chain", inputs={"x": X}, method="simulated", tolerance=BETWEEN["three of them"]
    )
    for theme in ("light", "dark"):
        figure = found.chart(theme)
        bars = {place: trace.name for trace in figure.data for place in trace.y}
        assert sorted(bars) == list(range(len(TYPES)))
        assert all(
            bars[place] == "keep in fp32" for place, one in enumerate(found.ranking) if one.name in found.keep
        )
        assert sum(map(len, (trace.x for trace in figure.data))) == len(TYPES)
        assert list(figure.layout.yaxis.ticktext) == [one.name for one in found.ranking]
    with pytest.raises(WorkbenchError, match="unknown theme"):
        found.chart("blue")


def test_a_cancel_stops_it(pir: Path, no_session_left: None) -> None:
    cancel = threading.Event()
    told: list[float] = []

    def tell(share: float, text: str) -> None:
        told.append(share)
        if "alone in bf16" in text:
            cancel.set()

    with pytest.raises(CancelledError):
        sensitivity(pir / "chain", inputs={"x": X}, method="simulated", cancel=cancel, progress=tell)
    cancel.clear()
    told.clear()
    whole: Sensitivity = sensitivity(
        pir / "chain",
        inputs={"x": X},
        method="simulated",
        tolerance=BETWEEN["three of them"],
        progress=lambda share, text: told.append(share),
    )
    assert whole.state == "found"
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"precision": "int8"}, "int8 needs scales .* or give bf16 or fp16"),
        ({"precision": "fp32"}, "precision is 'fp32'; give one of bf16, fp16"),
        ({"method": "guessed"}, "method is 'guessed'; give one of auto, native, simulated"),
        ({"by": "layer"}, "by is 'layer'; give one of type, op"),
        ({"by": "op", "method": "native"}, "no single ops: give by type, or simulate"),
        ({"tolerance": -1}, "atol of a tolerance is -1"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"config": {"threads": 1}}, "give an InferenceConfig"),
        ({"inputs": {"picture": X}}, "unknown input 'picture'"),
    ],
)
def test_wrong_arguments_are_said(digits: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkbenchError, match=words):
        sensitivity(digits, **{"method": "simulated", **wrong})
