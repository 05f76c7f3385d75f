"""What comparing outputs gives, as values and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.verifying.difference import OutputDifference

if TYPE_CHECKING:
    from workbench.verifying.divergence import Divergence


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        model: the model's name.
        given: what was looked at, in words.
        expected: what it was compared with, in words.
        outputs: the difference of each output, under the names of the model.
        batches: how many were compared.
        notices: where a config was not given as asked, and what was not compared.
        first_divergence: where inside the model both part; None where nobody looked for it.
    """

    model: str
    given: str
    expected: str
    outputs: tuple[OutputDifference, ...]
    batches: int
    notices: tuple[str, ...]
    first_divergence: Divergence | None = None

    @property
    def passed(self) -> bool:
        """Whether every output is within its tolerance."""
        return all(one.passed for one in self.outputs)

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        parted = self.first_divergence
        return {
            "model": self.model,
            "given": self.given,
            "expected": self.expected,
            "batches": self.batches,
            "passed": self.passed,
            "outputs": [one.facts() for one in self.outputs],
            "first_divergence": None if parted is None else parted.facts(),
            "notices": list(self.notices),
        }

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The head and the rows of a table for people, a row per output."""
        ks = list(dict.fromkeys(k for one in self.outputs for k in one.top_k))
        head = ("output", "dtype", "max abs", "max rel", "mean abs", "cosine", "ULPs", "NaN/inf", "beyond")
        rows = [
            (
                one.name,
                one.dtype,
                _number(one.max_abs_diff),
                _number(one.max_rel_diff),
                _number(one.mean_abs_diff),
                "–" if one.cosine is None else f"{one.cosine:.8f}",
                "–" if one.max_ulps is None else str(one.max_ulps),
                str(one.unmatched),
                f"{one.exceeding} of {one.values}",
                *("–" if k not in one.top_k else f"{one.top_k[k]:.2%}" for k in ks),
                str(one.tolerance or "–"),
                "passed" if one.passed else "FAILED",
            )
            for one in self.outputs
        ]
        return (*head, *(f"top-{k}" for k in ks), "tolerance", ""), rows

    @property
    def summary(self) -> str:
        """The answer in one line."""
        failed = sum(not one.passed for one in self.outputs)
        answer = f"{failed} of {_counted(len(self.outputs), 'output')} FAILED" if failed else "passed"
        batches = _counted(self.batches, "batch", "es")
        return f"{self.model}: {self.given} against {self.expected}, {batches}: {answer}"

    def remarks(self) -> list[str]:
        """For each output that failed what is wrong with it, a line each."""
        lines = []
        for one in self.outputs:
            lines += [f"{one.name}: {text}" for text in what_failed(one)]
        return lines

    def __str__(self) -> str:
        head, rows = self.table()
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        last = len(head) - 2  # the tolerance and the answer are words, as the first two are
        lines = [
            "  ".join(
                cell.ljust(width) if at < 2 or at >= last else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (head, *rows)
        ]
        parted = [] if self.first_divergence is None else [str(self.first_divergence)]
        return "\n".join([self.summary, *lines, *self.remarks(), *parted])


def what_failed(one: OutputDifference) -> list[str]:
    """Why an output did not pass, in words; nothing if it did."""
    lines = [one.remark] if one.remark else []
    if one.failing and one.batches > 1:
        worst_batch = "" if one.worst_batch is None else f", worst is batch {one.worst_batch}, counted from 0"
        lines.append(f"{one.failing} of {one.batches} batches failed{worst_batch}")
    if one.unmatched:
        first = one.positions[0]
        lines.append(
            f"NaN or infinity in {_counted(one.unmatched, 'element')} of one side alone; the first at "
            f"{list(first.index)}: {_value(first.given)} given, {_value(first.expected)} expected"
        )
    if one.exceeding and one.worst is not None:
        worst = one.worst
        lines.append(
            f"{_counted(one.exceeding, 'element')} beyond the tolerance; worst at {list(worst.index)}: "
            f"{_value(worst.given)} given, {_value(worst.expected)} expected"
        )
    return lines


def _counted(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{plural * (count != 1)}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _value(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
