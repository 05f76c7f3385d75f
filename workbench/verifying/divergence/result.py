"""What comparing op by op gives: the first op that differs more than its inputs explain, and all points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from workbench.config import InferenceConfig

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Lines of a text, and ops named in a line.
SHOWN, LISTED = 8, 6


@dataclass(frozen=True)
class FinalOp:
    """An op of a final graph.

    Attributes:
        index: its place in the final graph.
        type: such as ``onednn_op.fused_conv2d``.
        name: the name of the variable it gives, "" where that differs from run to run (PIR).
        passes: the passes that made it or took something into it, in order, each by the index of its stage
            and the name the trace shows; none for an op that is in the model as it is.
    """

    index: int
    type: str
    name: str = ""
    passes: tuple[tuple[int, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.index} {self.type}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True)
class Point:
    """A value of the model that both predictors give, and how far the two are apart.

    Attributes:
        value: its id in the model's graph: a variable's name in Program IR, ``%12`` in PIR.
        op: index in the model's graph of the op that gives it; as points come in this order, their depth.
        type: type of that op.
        layer: path of its layer, "" when unknown.
        between: the ops of the model from the nearest points before to this one, by index: a fault that
            begins here is in one of them.
        layers: the paths of their layers, as far as known.
        before: the values of those points.
        config: the op that gives it under the config.
        against: the op that gives it under the other one.
        shape: its shape in the run.
        dtypes: its element types under both.
        difference: ``||a-b|| / ||a||``, over the positions where both are finite.
        lost: positions where one is NaN or infinite and the other is not the same.
        inherited: the largest difference among the points before it; 0 for none.
        tolerance: the difference that its dtype may have.
        exceeds: whether it differs by more than its inputs explain.
        heals: whether it does so, but all that is computed of it agrees again: then passes gave it another
            meaning on purpose, or what was wrong had no effect.
    """

    value: str
    op: int
    type: str
    layer: str
    between: tuple[int, ...]
    layers: tuple[str, ...]
    before: tuple[str, ...]
    config: FinalOp
    against: FinalOp
    shape: tuple[int, ...]
    dtypes: tuple[str, str]
    difference: float
    lost: int
    inherited: float
    tolerance: float
    exceeds: bool = False
    heals: bool = False

    def facts(self) -> dict[str, Any]:
        """Plain values: the attributes, by their names."""
        found: dict[str, Any] = asdict(self)
        return found

    def __str__(self) -> str:
        said = f"{self.op} {self.type}, difference {self.difference:.2g}"
        if self.lost:
            said += f" and {self.lost:,} positions NaN or infinite in one alone"
        return f"{said} (its inputs {self.inherited:.2g}, tolerance {self.tolerance:.2g})"


@dataclass(frozen=True)
class Coverage:
    """How many ops of a final graph could be compared.

    Attributes:
        label: the config, in words.
        ops: ops that gave an output.
        matched: those of them of which an output was compared.
        reasons: why not, in words, with the number of ops for each.
    """

    label: str
    ops: int
    matched: int
    reasons: Mapping[str, int]

    @property
    def share(self) -> float:
        """The ops that were compared as a share of all, 0 to 1."""
        return self.matched / self.ops if self.ops else 0.0

    def facts(self) -> dict[str, Any]:
        """Plain values: label, ops, matched, share, reasons."""
        return {
            "label": self.label,
            "ops": self.ops,
            "matched": self.matched,
            "share": self.share,
            "reasons": dict(self.reasons),
        }


@dataclass(frozen=True, eq=False)
class Divergence:
    """Where two predictors of one model part.

    Attributes:
        model: the model's name.
        config: what was asked for.
        against: what it was compared with.
        first: the first point, in the order of the model's ops, that differs by more than its inputs explain;
            None if there is none.
        points: all values that were compared, in that order.
        coverage: what could be compared, of the config and of the other one.
        chunks: in how many runs of each the values were taken.
        peak_bytes: the most bytes of tensors that were held at once, of both together.
        notices: what else is to be known, in words.
    """

    model: str
    config: InferenceConfig
    against: InferenceConfig
    first: Point | None
    points: tuple[Point, ...]
    coverage: tuple[Coverage, Coverage]
    chunks: int
    peak_bytes: int
    notices: tuple[str, ...] = ()

    @property
    def beyond(self) -> tuple[Point, ...]:
        """All points that differ by more than their inputs explain, but for those that heal."""
        return tuple(one for one in self.points if one.exceeds and not one.heals)

    def facts(self) -> dict[str, Any]:
        """Plain JSON values: NaN and infinity become None."""
        found = {
            "model": self.model,
            "config": self.config.to_dict(),
            "against": self.against.to_dict(),
            "first": None if self.first is None else self.first.facts(),
            "beyond": [one.op for one in self.beyond],
            "points": [one.facts() for one in self.points],
            "coverage": [one.facts() for one in self.coverage],
            "chunks": self.chunks,
            "peak_bytes": self.peak_bytes,
            "notices": list(self.notices),
        }
        plain: dict[str, Any] = _plain(found)
        return plain

    def chart(self, theme: str = "light") -> go.Figure:
        """The difference of every point along the depth of the model.

        Args:
            theme: ``light`` or ``dark``.

        Raises:
            WorkbenchError: for another theme.
        """
        from workbench.verifying.divergence.chart import divergence_chart

        return divergence_chart(self, theme)

    def __str__(self) -> str:
        lines = [self._headline()]
        first = self.first
        if first is not None:
            lines += [
                f"  {first.config} under {self._label(0)}",
                *_passes(first.config),
                f"  {first.against} under {self._label(1)}",
                *_passes(first.against),
            ]
            if first.layers:
                lines.append(f"  in {', '.join(first.layers[:LISTED])}")
            if len(first.between) > 1:
                more = f" and {len(first.between) - LISTED} more" if len(first.between) > LISTED else ""
                named = ", ".join(map(str, first.between[-LISTED:]))
                lines.append(f"  begins in one of the model's ops {named}{more}")
            later = self.beyond[1:]
            lines += [f"  further on: {one}" for one in later[:SHOWN]]
            if len(later) > SHOWN:
                lines.append(f"  and {len(later) - SHOWN} more")
        for one in self.coverage:
            lines.append(f"compared: {one.matched} of {one.ops} ops ({one.share:.0%}) under {one.label}")
            lines += [f"  {count} not: the output {why}" for why, count in one.reasons.items()]
        return "\n".join([*lines, *self.notices])

    def _headline(self) -> str:
        if self.first is None:
            most = max((one.difference for one in self.points), default=0.0)
            return (
                f"{self.model}: no op differs by more than its inputs explain, in {len(self.points)} values; "
                f"the largest difference is {most:.2g}"
            )
        return f"{self.model}: first divergence at op {self.first}"

    def _label(self, place: int) -> str:
        return self.coverage[place].label


def _passes(op: FinalOp) -> list[str]:
    if not op.passes:
        return ["    as it is in the model"]
    return ["    by " + ", ".join(f"{stage} {name}" for stage, name in op.passes)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
