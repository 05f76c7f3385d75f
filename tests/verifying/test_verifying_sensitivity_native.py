"""The native method: by a double where this machine cannot, and what is said of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.errors import ConfigError, NativeError, WorkbenchError
from workbench.verifying.bisection import checks
from workbench.verifying.bisection import native as bisection
from workbench.verifying.sensitivity import sensitivity, ways
from workbench.verifying.sensitivity.candidates import of_model


@dataclass
class World:
    """A machine that has bf16, and a model that adds up the errors of the types that run in it.

    Attributes:
        errors: of the output, by type.
        output: the name of the output.
        given: the precision it gives where another one than fp32 is asked for.
        dies: a type that ends the worker when it runs in the lower precision with another one.
        tried: the types in fp32 of each config that ran in the lower precision.
    """

    errors: dict[str, float]
    output: str
    given: str = "bf16"
    dies: str = ""
    tried: list[tuple[str, ...]] = field(default_factory=list)
    open: int = 0


def double(world: World) -> type:
    class Session:
        """As the real one, as far as this method uses it."""

        notices = ("bf16 was asked for and this CPU cannot do it: it runs in fp32",)

        def __init__(self, model: Any, config: wb.InferenceConfig, *, time_limit: float | None) -> None:
            self.config = config
            self.pid, self._worker = 1, None

        def __enter__(self) -> Session:
            world.open += 1
            return self

        def __exit__(self, *_: object) -> None:
            world.open -= 1

        def start(self) -> None:
            assert world.open == 1, "one worker at a time, and each is gone afterwards"

        @property
        def given(self) -> Mapping[str, Any]:
            lower = self.config.precision != "fp32"
            return {"precision": world.given if lower else "fp32", "passes": ()}

        def load(self, *, time_limit: float) -> Any:
            return SimpleNamespace(given=self.given)

        def run(self, inputs: Mapping[str, Any], *, time_limit: float | None = None) -> dict[str, Any]:
            output = np.ones(3, np.float32)
            if self.config.precision == "fp32":
                return {world.output: output}
            world.tried.append(self.config.fp32_ops)
            lowered = [name for name in world.errors if name not in self.config.fp32_ops]
            if world.dies in lowered and len(lowered) > 1:
                raise NativeError("Paddle refused while running the model: no such kernel")
            return {world.output: output + np.float32(sum(world.errors[name] for name in lowered))}

    return Session


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, model: wb.Model) -> World:
    graph = model.graph()
    types = [one.name for one in of_model(graph, "type", [""] * len(graph.ops), ())]
    assert {"conv2d", "relu", "matmul", "add"} <= set(types)
    made = World(dict.fromkeys(types, 0.01), model.outputs[0].name)
    for room in (bisection, ways, checks):
        monkeypatch.setattr(room, "Session", double(made))
    return made


@pytest.fixture(scope="module")
def model(sample_folder: Callable[..., Path]) -> wb.Model:
    return wb.load(sample_folder("digits"))


def test_the_types_are_found_by_configs_of_their_own(world: World, model: wb.Model) -> None:
    world.errors["matmul"] = 5.0
    world.errors["conv2d"] = 0.4
    found = sensitivity(model, wb.InferenceConfig(threads=2), method="native", tolerance=0.3)
    assert (found.method, found.state) == ("native", "found")
    assert found.keep == ("matmul", "conv2d")
    assert sorted(found.sets) == [("conv2d",), ("matmul",)]
    assert found.avoid == wb.InferenceConfig(threads=2, precision="bf16", fp32_ops=("conv2d", "matmul"))
    assert [one.name for one in found.ranking[:2]] == ["matmul", "conv2d"]
    assert found.ranking[1].of_tolerance == pytest.approx(0.4 / 0.3, rel=1e-5)
    # No config was tried twice, and each names all that stays in fp32.
    assert len(set(world.tried)) == len(world.tried) == len(found.probes)
    assert set(map(len, world.tried)) <= set(range(len(world.errors) + 1))
    assert world.open == 0


def test_small_errors_that_add_up_still_give_what_to_keep(world: World, model: wb.Model) -> None:
    found = sensitivity(model, method="auto", tolerance=0.035)
    assert found.method == "native"
    assert all(one.passed for one in found.ranking)
    # Of 0.01 each, three may run in bf16.
    assert len(found.keep) == len(world.errors) - 3
    assert all(len(one) == 4 for one in found.sets)


def test_a_config_that_does_not_run_is_not_judged(world: World, model: wb.Model) -> None:
    world.dies = "relu"
    with pytest.raises(WorkbenchError, match=r"does not run in bf16: .*no such kernel; use the method simu"):
        sensitivity(model, method="native")
    assert world.open == 0


def test_where_it_is_not_given_it_is_said(world: World, model: wb.Model) -> None:
    world.given = "fp32"
    with pytest.raises(
        ConfigError, match=r"bf16 cannot be tried on this machine: bf16 was asked .* simulated"
    ):
        sensitivity(model, method="native")
    assert not world.tried


def test_a_machine_without_it_simulates_and_says_so(model: wb.Model) -> None:
    """The real session: of our machines none has bf16 with types that stay out of it."""
    for precision in ("bf16", "fp16"):
        found = sensitivity(model, None, precision)
        if found.method == "native":
            assert found.notices == ()
            continue
        assert any(f"{precision} was simulated" in text for text in found.notices)
        with pytest.raises(ConfigError, match=f"{precision} cannot be tried on this machine: .*simulated"):
            sensitivity(model, None, precision, method="native")
