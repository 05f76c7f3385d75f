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

LAYERS = 40
BATCH = 16
SECONDS = 2.0
Row = tuple[str, str, str, str]

# In a process of its own: the bench itself imports no Paddle.
EXPORT = """
import sys
import paddle
from paddle import nn
from workbench.deploy import export_layer
for count, folder in ((int(sys.argv[1]), sys.argv[2]), (int(sys.argv[3]), sys.argv[4])):
    paddle.seed(0)
    layers = [nn.Linear(256, 256) for _ in range(count)]
    export_layer(nn.Sequential(*layers), folder, ["x:float32:None,256"])
"""


def verdict_rows(times: int) -> list[Row]:
    """How often equal work is said to differ, and how often 5 % more is said to be slower."""
    with tempfile.TemporaryDirectory() as name:
        more = LAYERS + LAYERS // 20
        folders = {LAYERS: Path(name) / "chain", more: Path(name) / "longer"}
        script = Path(name) / "export.py"
        script.write_text(EXPORT)
        arguments = [str(one) for pair in folders.items() for one in pair]
        subprocess.run([sys.executable, str(script), *arguments], check=True, capture_output=True)
        models = {count: wb.load(folder) for count, folder in folders.items()}
        rows = []
        for other, wanted, what in (
            (LAYERS, "no difference seen", "A against A"),
            (more, "slower", "A against A with 5 % more work"),
        ):
            found = Counter(
                _verdict(models[LAYERS], models[other], seed) for seed in track(range(times), what)
            )
            said = ", ".join(f"{verdict} {count}" for verdict, count in found.most_common())
            goal = f"at least {0.95 * times:.0f}"
            rows.append((f"{what}: {wanted!r} in {times}", str(found[wanted]), goal, said))
        return rows


def _verdict(one: wb.Model, other: wb.Model, seed: int) -> str:
    inputs = random_inputs(one, batch=BATCH)
    config = wb.InferenceConfig()
    cases = [Case("one", config, inputs), Case("other", config, inputs, other)]
    return measure(one, cases, seconds=SECONDS, seed=seed, record=False).comparisons[0].verdict
