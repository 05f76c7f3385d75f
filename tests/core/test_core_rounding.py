"""Ops in a lower precision: they compute what numpy does from rounded numbers, and nothing else changes."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench.core.worker.rounding import BLOCK, to_bf16, to_fp16
from workbench.errors import ConfigError, NativeError, WorkbenchError
from workbench.models import Model, load, params

Floats = npt.NDArray[np.float32]
PLAIN = wb.InferenceConfig(onednn=False, ir_optim=False)
EXPORT = """
import sys
from pathlib import Path
import paddle
from workbench.deploy.training.export import export_layer

folder = Path(sys.argv[1])
paddle.seed(3)


class Two(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.first = self.create_parameter([16, 12])
        self.second = self.create_parameter([12, 5])

    def forward(self, x):
        return paddle.matmul(paddle.nn.functional.relu(paddle.matmul(x, self.first)), self.second)


class Fork(paddle.nn.Layer):
    def forward(self, x):
        # Both ops read x; the last two may be done in place.
        return paddle.nn.functional.relu(paddle.abs(x) - x)


class Norm(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.norm = paddle.nn.BatchNorm2D(4)
        for name in ("weight", "bias", "_mean", "_variance"):
            getattr(self.norm, name).set_value(paddle.rand([4]) + 0.5)

    def forward(self, x):
        return self.norm(x)


made = (("two", Two(), [None, 16]), ("fork", Fork(), [None]), ("norm", Norm(), [1, 4, 3, 3]))
for name, layer, shape in made:
    layer.eval()
    export_layer(layer, str(folder / name), [("x", "float32", shape)])
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models, as PIR."""
    folder = tmp_path_factory.mktemp("rounding")
    # A file, since Paddle reads the source of what it turns static.
    script = folder / "export.py"
    script.write_text(EXPORT)
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=120)
    return folder


def bf16(values: Any) -> Floats:
    """By the mantissa, of eight bits; numpy rounds a tie to the even number."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    return np.ldexp(np.rint(mantissa * 256), exponent - 8).astype(np.float32)


def executions(session: wb.Session, inputs: dict[str, Any], kind: str = "") -> list[tuple[int, int]]:
    """Those of the ops whose type ends so, each with one output."""
    listed = session.op_outputs(inputs)
    return [
        (place, place)
        for place, one in enumerate(listed)
        if one.op.partition(":")[0].rpartition(".")[2].rstrip("_").endswith(kind)
    ]


def weights_of(model: Model) -> dict[str, Any]:
    assert model.params_file is not None
    return dict(params.read(model.params_file, model.weights))


# The numbers themselves


def nearest_bf16(value: float) -> float:
    """By exact arithmetic: of the two neighbours in bfloat16 the nearer, of two as near the even one."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    low, high = bits & 0xFFFF0000, (bits & 0xFFFF0000) + 0x10000
    below, above = (struct.unpack("<f", struct.pack("<I", one & 0xFFFFFFFF))[0] for one in (low, high))
    # Infinity stands for the number that would come after the largest.
    end = Fraction(2) ** 128 * (1 if value > 0 else -1)
    near = [abs(Fraction(value) - (end if math.isinf(one) else Fraction(one))) for one in (below, above)]
    if near[0] == near[1]:
        return below if low >> 16 & 1 == 0 else above
    return below if near[0] < near[1] else above


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_bf16_is_the_nearest_number_and_a_tie_goes_to_the_even_one(values: list[float]) -> None:
    given = np.array(values, np.float32)
    to_bf16(given)
    for before, after in zip(values, given.tolist(), strict=True):
        if math.isfinite(before):
            expected = nearest_bf16(before)
            assert after == expected
            assert math.copysign(1, after) == math.copysign(1, expected)
        else:
            assert str(after) == str(before)


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_fp16_is_what_the_interpreter_packs(values: list[float]) -> None:
    given = np.array(values, np.float32)
    to_fp16(given)
    for before, after in zip(values, given.tolist(), strict=True):
        try:
            expected = struct.unpack("<e", struct.pack("<e", before))[0]
        except OverflowError:
            expected = math.copysign(math.inf, before)
        assert after == expected or (math.isnan(after) and math.isnan(expected))


@pytest.mark.parametrize(
    ("round_", "before", "after"),
    [
        (to_bf16, 1 + 2**-8, 1.0),
        (to_bf16, 1 + 3 * 2**-8, 1 + 2**-6),
        (to_bf16, 3.4e38, math.inf),
        (to_fp16, 65519.0, 65504.0),
        (to_fp16, -65520.0, -math.inf),
        (to_fp16, 2.0**-24, 2.0**-24),
        (to_fp16, 2.0**-25, 0.0),
    ],
)
def test_known_numbers(round_: Callable[[Any], None], before: float, after: float) -> None:
    # Longer than a block, so that its parts are all done.
    values = np.full(2 * BLOCK + 3, before, np.float32)
    round_(values)
    assert set(values.tolist()) == {after}


# In a predictor


def test_all_ops_in_bf16_give_what_numpy_computes(made: Path) -> None:
    model = load(made / "two")
    weights = weights_of(model)
    first, second = sorted(weights, key=lambda name: -weights[name].size)
    inputs = {"x": np.random.default_rng(0).uniform(-2, 2, (3, 16)).astype(np.float32)}
    with wb.Session(model, PLAIN) as session:
        places = executions(session, inputs)
        plain = session.run(inputs)
        (found,) = session.run_rounded(inputs, places, "bf16").values()
        middle = bf16(bf16(inputs["x"]) @ bf16(weights[first]))
        expected = bf16(bf16(np.maximum(middle, 0)) @ bf16(weights[second]))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        assert np.array_equal(found, bf16(found))
        # The weights are as they were, and so is the predictor.
        for outputs in (session.run_rounded(inputs, [], "bf16"), session.run(inputs)):
            for name, array in outputs.items():
                np.testing.assert_array_equal(array, plain[name])


def test_fp16_overflows_to_infinity(made: Path) -> None:
    values = np.array([-1e5, -3e4, 1e5], np.float32)
    with wb.Session(made / "fork", PLAIN) as session:
        places = executions(session, {"x": values}, "relu")
        (found,) = session.run_rounded({"x": values}, places, "fp16").values()
    np.testing.assert_array_equal(found, np.array([np.inf, 6e4, 0], np.float32))


@pytest.mark.parametrize(
    ("lowered", "expected"),
    [
        ("abs", lambda x: np.maximum(bf16(np.abs(bf16(x))) - x, 0)),
        ("subtract", lambda x: np.maximum(bf16(bf16(np.abs(x)) - bf16(x)), 0)),
        ("relu", lambda x: bf16(np.maximum(bf16(np.abs(x) - x), 0))),
    ],
)
def test_what_an_op_reads_is_rounded_for_that_op_alone(
    made: Path, lowered: str, expected: Callable[[Floats], Floats]
) -> None:
    values = np.random.default_rng(1).standard_normal(100_000).astype(np.float32)
    with wb.Session(made / "fork", PLAIN) as session:
        places = executions(session, {"x": values}, lowered)
        assert len(places) == 1
        (found,) = session.run_rounded({"x": values}, places, "bf16").values()
    np.testing.assert_array_equal(found, expected(values))
    assert not np.array_equal(found, np.maximum(np.abs(values) - values, 0))


def test_statistics_of_a_batch_norm_are_read_rounded_and_stay_as_they_are(made: Path) -> None:
    """It gives them again as outputs, in place: rounding those would ruin the model."""
    model = load(made / "norm")
    image = np.random.default_rng(2).standard_normal((1, 4, 3, 3)).astype(np.float32)
    with wb.Session(model, PLAIN) as session:
        listed = session.op_outputs({"x": image})
        (place,) = [at for at, one in enumerate(listed) if one.shape == image.shape and "norm" in one.op]
        ours = [at for at, one in enumerate(listed) if one.op == listed[place].op]
        (plain,) = session.run({"x": image}).values()
        (found,) = session.run_rounded({"x": image}, [(ours[0], ours[-1])], "bf16").values()
        (again,) = session.run_rounded({"x": image}, [], "bf16").values()
    np.testing.assert_array_equal(again, plain)
    weights = weights_of(model)
    ending = {name.rpartition(".")[2]: bf16(array)[:, None, None] for name, array in weights.items()}
    scale, shift, mean, variance = (ending[name] for name in ("w_0", "b_0", "w_1", "w_2"))
    expected = bf16((bf16(image) - mean) / np.sqrt(variance + 1e-5) * scale + shift)
    # One step of bfloat16 where the sum is next to the middle of two of its numbers.
    np.testing.assert_allclose(found, expected, rtol=2**-7)
    assert np.mean(found == expected) > 0.9


def test_an_op_of_program_ir_reads_its_rounded_weights(sample_folder: Callable[..., Path]) -> None:
    folder = sample_folder("digits", "program")
    picture = {name: array[:1] for name, array in wb.sample_inputs(folder).items()}
    weights = weights_of(load(folder))
    with wb.Session(folder, PLAIN) as session:
        listed = session.op_outputs(picture)
        names = [one.name for one in listed]
        place = names.index("linear_1.tmp_0")
        (read,) = session.take_outputs(picture, [(names.index("relu_2.tmp_0"), 0, listed[place - 1].size)])
        (plain,) = session.run(picture).values()
        (found,) = session.run_rounded(picture, [(place, place)], "bf16").values()
        (again,) = session.run_rounded(picture, [], "bf16").values()
    expected = bf16(bf16(read)[None] @ bf16(weights["linear_1.w_0"])) + weights["linear_1.b_0"]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert np.abs(found - plain).max() > 1e-4
    np.testing.assert_array_equal(again, plain)


def test_what_cannot_be_is_said(sample_folder: Callable[..., Path]) -> None:
    folder = sample_folder("digits")
    picture = {name: array[:1] for name, array in wb.sample_inputs(folder).items()}
    with wb.Session(folder, PLAIN) as session:
        with pytest.raises(ConfigError, match="int8 cannot be simulated: give one of bf16, fp16"):
            session.run_rounded(picture, [], "int8")
        with pytest.raises(WorkbenchError, match="call op_outputs first"):
            session.run_rounded(picture, [(0, 0)], "bf16")
        listed = session.op_outputs(picture)
        with pytest.raises(WorkbenchError, match=f"no outputs 3 to {len(listed)}"):
            session.run_rounded(picture, [(3, len(listed))], "bf16")
        twice = {name: np.concatenate([array, array]) for name, array in picture.items()}
        with pytest.raises(NativeError, match="differs from run to run"):
            session.run_rounded(twice, [(1, 1)], "bf16")
    with wb.Session(folder, wb.InferenceConfig(onednn=True)) as session:
        session.op_outputs(picture)
        # It keeps weights as they were when they were first read.
        with pytest.raises(ConfigError, match=r"oneDNN, .* use a config on the CPU with onednn=False"):
            session.run_rounded(picture, [(0, 0)], "bf16")
