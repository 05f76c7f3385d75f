"""What the native log says: which pass runs, what it matched, and the last lines before an end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RUNNING = re.compile(r"--- Running (IR|PIR) pass \[([^\]]+)\]")
_ANALYSIS = re.compile(r"--- Running analysis \[([^\]]+)\]")
_DETECTED = re.compile(r"---\s+detected \[?(\d+(?:, \d+)*)\]? subgraphs")
_REFUSED = re.compile(r"Pass in op compat failed|op compat for .* failed", re.IGNORECASE)
_GLOG = re.compile(r"^[IWEF]\d{4} [\d:.]+\s+\d+ ")
_STACK = re.compile(r"^\d+ +\S|^-{10,}|^C\+\+ Traceback|^\s*$")
_OPTIMISED = re.compile(r"======= (?:p?ir) optimization completed")

Matches = int | tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class PassRun:
    """One pass as the log shows it.

    Attributes:
        name: the name the log shows.
        matches: subgraphs it says it detected: one number, two where the log gives a pair, None where it
            gives none. Several lines of one pass are added up.
        refused: True where the pattern matched and op compatibility refused it.
    """

    name: str
    matches: Matches = None
    refused: bool = False


@dataclass
class PassLog:
    """The passes found in a log, in the order they ran, and what runs now."""

    runs: list[PassRun] = field(default_factory=list)
    now: str | None = None


def clean(text: str) -> str:
    """The log without terminal colours."""
    return _COLOUR.sub("", text)


def read_pass_log(text: str) -> PassLog:
    """Read the pass log of one creation."""
    log = PassLog()
    inside = False
    for line in clean(text).splitlines():
        if found := _RUNNING.search(line):
            log.runs.append(PassRun(found.group(2)))
            log.now, inside = found.group(2), True
        elif found := _ANALYSIS.search(line):
            log.now, inside = found.group(1), False
        elif _OPTIMISED.search(line):
            log.now, inside = None, False
        elif inside and (found := _DETECTED.search(line)):
            counts = tuple(int(part) for part in found.group(1).split(","))
            last = log.runs[-1]
            log.runs[-1] = PassRun(last.name, _sum(last.matches, counts), last.refused)
        elif inside and _REFUSED.search(line):
            last = log.runs[-1]
            log.runs[-1] = PassRun(last.name, last.matches, True)
    return log


def _sum(before: Matches, counts: tuple[int, ...]) -> Matches:
    if before is None:
        return counts[0] if len(counts) == 1 else counts
    if isinstance(before, int) and len(counts) == 1:
        return before + counts[0]
    old = (before,) if isinstance(before, int) else before
    width = max(len(old), len(counts))
    padded = [part + (0,) * (width - len(part)) for part in (old, counts)]
    return tuple(a + b for a, b in zip(*padded, strict=True))


def last_lines(text: str, count: int = 8) -> tuple[str, ...]:
    """The last lines that say something: no stack frames, no rules, no pass banners."""
    lines = [_GLOG.sub("", line).rstrip() for line in clean(text).splitlines()]
    kept = [line for line in lines if not _STACK.match(line) and not _RUNNING.search(line)]
    return tuple(kept[-count:])


def reason(text: str) -> str:
    """The sentence a person needs from a native error, which comes with a page of stack around it."""
    lines = [line.strip() for line in clean(text).splitlines() if line.strip()]
    for index, line in enumerate(lines):
        if re.match(r"(?:\w+Error: |\(\w+\) )", line):
            hint = next((later for later in lines[index + 1 :] if later.startswith("[Hint:")), "")
            return _place(f"{line} {hint}".strip())
    told = [line for line in lines if not _STACK.match(line)]
    return _place(" ".join(told[:2]) if told else "no reason given")


def _place(line: str) -> str:
    return re.sub(r"\s*\(at [^)]*\)", "", line)[:600]
