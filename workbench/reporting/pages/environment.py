"""Where it was measured, what was asked for, and the facts to save."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.bench import Profile, Throughput
from workbench.bench.ablation import Ablation
from workbench.config import InferenceConfig
from workbench.reporting.blocks import Block, Download, Page, Paragraph, Table
from workbench.reporting.results import Results


def environment_page(found: Results, file: str) -> Page:
    """Where it was measured, what was asked for, and the facts to save."""
    blocks: list[Block] = [
        Download("Save the facts as JSON: every number of this report, samples included", file)
    ]
    environments = found.environments()
    if environments:
        rows = [(name.replace("_", " "), text) for name, text in _flat(environments[0]) if text]
        caption = "The machine and its software" + (", at the first measurement" * (len(environments) > 1))
        blocks.append(Table(caption, (), rows))
    else:
        blocks.append(Paragraph("No environment was recorded with these results.", problem=True))
    configs = _configs(found)
    if configs:
        defaults = InferenceConfig()
        blocks.append(
            Table(
                "Configs, by what differs from the defaults",
                ("config", "asked for"),
                [
                    (
                        label,
                        ", ".join(
                            f"{name} = {_plain(now)}"
                            for name, (_, now) in defaults.differences(config).items()
                        )
                        or "the defaults",
                    )
                    for label, config in configs
                ],
            )
        )
    return Page("Environment and raw data", blocks)


def _configs(found: Results) -> list[tuple[str, InferenceConfig]]:
    given = [(run.label, run.config) for one in found.benchmarks for run in one.runs]
    others: tuple[Throughput | Profile | Ablation, ...]
    others = (*found.throughputs, *found.profiles, *found.ablations)
    given += [(one.config.label, one.config) for one in others]
    given += [(one.points[0].run.config.label, one.points[0].run.config) for one in found.scans if one.points]
    return list(dict.fromkeys(given))


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{before}{name} ")
        else:
            rows.append((f"{before}{name}", _plain(value)))
    return rows


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return str(value)
