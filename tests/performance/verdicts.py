"""Whether the benchmark's verdicts hold: the same compared with itself, and with 5 % more work."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.progress import track

import workbench as wb
from workbench.bench import random_inputs
from workbench.bench.benchmark import Case, measure

LAYERS = 20
WIDTH = 128
BATCH = 48
SECONDS = 4.0
Row = tuple[str, str, str, str]

# In a process of its own: the bench itself imports no Paddle.
EXPORT = """
import sys
import paddle
from paddle import nn
from workbench.deploy import export_layer
width = int(sys.argv[1])
for count, folder in ((int(sys.argv[2]), sys.argv[3]), (int(sys.argv[4]), sys.argv[5])):
    paddle.seed(0)
    layers = [nn.Linear(width, width) for _ in range(count)]
    export_layer(nn.Sequential(*layers), folder, [f"x:float32:None,{width}"])
"""


def verdict_rows(times: int) -> list[Row]:
    """How often equal work is said to differ, and how often 5 % more is said to be slower."""
    with tempfile.TemporaryDirectory() as name:
        more = LAYERS + LAYERS // 20
        folders = {LAYERS: Path(name) / "chain", more: Path(name) / "longer"}
        script = Path(name) / "export.py"
        script.write_text(EXPORT)
        arguments = [str(WIDTH), *(str(one) for pair in folders.items() for one in pair)]
        subprocess.run([sys.executable, str(script), *arguments], check=True, capture_output=True)
        models = {count: wb.load(folder) for count, folder in folders.items()}
        cases = (
            (LAYERS, "no difference seen", "A against A"),
            (more, "slower", "A against A with 5 % more work"),
        )
        found: dict[int, Counter[str]] = {LAYERS: Counter(), more: Counter()}
        # By turns, so that both meet the same hours of the machine.
        for seed in track(range(times), "verdicts"):
            for other in found:
                found[other][_verdict(models[LAYERS], models[other], seed)] += 1
        return [
            (
                f"{what}: {wanted!r} in {times}",
                str(found[other][wanted]),
                f"at least {0.95 * times:.0f}",
                ", ".join(f"{verdict} {count}" for verdict, count in found[other].most_common()),
            )
            for other, wanted, what in cases
        ]


def _verdict(one: wb.Model, other: wb.Model, seed: int) -> str:
    inputs = random_inputs(one, batch=BATCH)
    config = wb.InferenceConfig()
    cases = [Case("one", config, inputs), Case("other", config, inputs, other)]
    return measure(one, cases, seconds=SECONDS, seed=seed, record=False).comparisons[0].verdict
