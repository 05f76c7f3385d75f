"""Faults at known ops: copies of a model of which one parameter is another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workbench.config import InferenceConfig
from workbench.ir import canonical_type
from workbench.models import Model, load, params, sample_inputs
from workbench.verifying.divergence import first_divergence, plain_config

ON, OFF, PLAIN = InferenceConfig(), InferenceConfig(onednn=False), plain_config(InferenceConfig())
# What a fault is looked for with: the model as it is, fused alike, and fused differently.
FAULTS = {
    "plain": (PLAIN, PLAIN),
    "default": (ON, ON),
    "on, off": (ON, OFF),
    "off, on": (OFF, ON),
    "on, plain": (ON, PLAIN),
    "plain, off": (PLAIN, OFF),
}


def planted(folder: Path, parameter: str, target: Path, size: float = 0.5) -> tuple[Model, int]:
    """A copy of a model with a fault: all elements of one parameter get noise of ``size`` times their own.

    Args:
        folder: the model, in two files.
        parameter: whose elements are changed.
        target: where the copy goes.
        size: of the noise; where the parameter is zero it is added as it is.

    Returns:
        The copy, and the index of the op of the model that reads the parameter.
    """
    shutil.copytree(folder, target)
    model = load(target)
    assert model.params_file is not None
    arrays = {name: np.array(array) for name, array in params.read(model.params_file, model.weights).items()}
    noise = np.random.default_rng(7).standard_normal(arrays[parameter].shape) * size
    scale = np.abs(arrays[parameter]) if np.any(arrays[parameter]) else 1.0
    arrays[parameter] = (arrays[parameter] + noise * scale).astype(arrays[parameter].dtype)
    model.params_file.unlink()
    model.params_file.write_bytes(params.dump(arrays, {info.name: info.dtype for info in model.weights}))
    return load(target), op_that_reads(model, parameter)


def op_that_reads(model: Model, parameter: str) -> int:
    """The index of the one op of the model that reads a parameter, as its file says."""
    graph = model.graph()
    ids = {value.id for value in graph.parameters if value.name == parameter}
    found = [op.index for op in graph.ops if ids & set(op.inputs)]
    assert len(found) == 1, (parameter, found)
    return found[0]


def found_where_planted(
    folder: Path, parameter: str, target: Path, config: InferenceConfig, against: InferenceConfig
) -> None:
    """Plant a fault and see that it is found at its op, or at the op that this is fused into."""
    copy, op = planted(folder, parameter, target)
    inputs = {name: array[:1] for name, array in sample_inputs(folder).items()}
    found = first_divergence(folder, config, against, inputs, other=copy)
    assert found.first is not None
    assert op in found.first.between
    assert found.first in found.beyond
    graph = load(folder).graph()
    assert graph.ops[found.first.op].type == found.first.type
    if config == against == PLAIN:
        # Nothing is fused, so that every op is told apart.
        assert (found.first.op, found.first.between) == (op, (op,))
        assert found.first.config.type == found.first.against.type
    # What is fused is told apart from what is not: at most the ops of one fused op come into question.
    assert len(found.first.between) <= 5
    assert all(one.exceeds is False for one in found.points if one.op < found.first.op)


@pytest.mark.parametrize("layout", ["pir", "program"])
def test_the_copy_differs_in_that_parameter_alone(
    sample_folder: Callable[..., Path], tmp_path: Path, layout: str
) -> None:
    folder = sample_folder("digits", layout)
    model = load(folder)
    name = next(info.name for info in model.weights if len(info.shape) == 4)
    copy, op = planted(folder, name, tmp_path / "copy")
    assert model.params_file is not None and copy.params_file is not None
    before = params.read(model.params_file, model.weights)
    after = params.read(copy.params_file, copy.weights)
    assert {one for one in before if not np.array_equal(before[one], after[one])} == {name}
    assert canonical_type(model.graph().ops[op].type) == "conv2d"
