"""What a benchmark was measured on, and what else the machine did meanwhile.

Facts come from Linux's /proc and /sys. Machines, containers and kernels lack some of them: what is not said
is None, and nothing here raises. ``root`` is the folder that holds ``proc`` and ``sys``; only tests give
another than ``/``.
"""

from __future__ import annotations

import math
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workbench._version import __version__

ROOT = Path("/")
# What Paddle's and oneDNN's kernels are chosen by.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")
# The kernel counts processor time in steps of 10 ms: of a shorter lap one step is more than a tenth.
LAP_LEAST_S = 0.1

_T = TypeVar("_T")


def environment(runtime: Mapping[str, Any] | None = None, *, root: Path = ROOT) -> dict[str, Any]:
    """The facts to record with every benchmark, as plain JSON values; None where the system does not say.

    The host's name is left out: results are passed on.

    Args:
        runtime: what the runtime says of itself (Paddle's release, its Python), copied as ``runtime``.
        root: where ``proc`` and ``sys`` are.

    Returns:
        cpu_model, cpu_vendor: /proc/cpuinfo.
        cpu_flags: for each of `FLAGS` whether /proc/cpuinfo has it.
        virtual_machine: whether x86's flag ``hypervisor`` is set; other processors do not say.
        sockets, physical_cores, logical_cores: of those online, /sys/devices/system/cpu/cpu*/topology.
        affinity_cores: the logical cores this process may run on, /proc/self/status.
        quota_cores: how many cores' time its cgroups allow, such as 1.5; None without a limit. From cpu.max
            (v2) or cpu.cfs_quota_us over cpu.cfs_period_us (v1), the least of the group and those above it.
        usable_cores: the lesser of the two.
        smt_siblings: cores that share one physical core, such as ["0,4", "1,5"]; empty if none do.
        caches: from level 2, each with level, type, size_bytes and shared_by, the groups of cores that share
            one, /sys/devices/system/cpu/cpu*/cache.
        governors: name of the scaling governor to how many cores have it, cpufreq/scaling_governor.
        scaling_driver: cpufreq/scaling_driver; what a governor's name means depends on it.
        turbo: intel_pstate/no_turbo or cpufreq/boost.
        base_mhz, max_mhz: of the fastest core, cpufreq/base_frequency (or acpi_cppc/nominal_freq) and
            cpufreq/cpuinfo_max_freq.
        clock_mhz: as `clock_mhz`.
        memory_bytes, load_average: psutil; the latter over 1, 5 and 15 minutes.
        transparent_hugepages: always, madvise or never, /sys/kernel/mm/transparent_hugepage/enabled.
        aslr: 0 off, 1 or 2 on, /proc/sys/kernel/randomize_va_space.
        kernel, os, python: the `platform` module.
        numpy, workbench: versions.
    """
    import psutil

    cpuinfo = _cpuinfo(root)
    first = cpuinfo[0] if cpuinfo else {}
    # "Features" is ARM's word.
    listed = first.get("flags", first.get("features"))
    flags = None if listed is None else set(listed.split())
    affinity, quota = _affinity(root), _quota(root)
    limits = [limit for limit in (None if affinity is None else len(affinity), quota) if limit is not None]
    hugepages = _text(root / "sys/kernel/mm/transparent_hugepage/enabled") or ""
    return {
        "cpu_model": first.get("model name", first.get("cpu")),
        "cpu_vendor": first.get("vendor_id", first.get("cpu implementer")),
        "cpu_flags": None if flags is None else {name: name in flags for name in FLAGS},
        "virtual_machine": "hypervisor" in flags if flags is not None and "flags" in first else None,
        **_topology(root),
        "affinity_cores": None if affinity is None else len(affinity),
        "quota_cores": quota,
        "usable_cores": min(limits, default=None),
        "caches": _caches(root),
        **_frequencies(root),
        "clock_mhz": clock_mhz(root=root),
        "memory_bytes": _known(lambda: int(psutil.virtual_memory().total)),
        "load_average": _known(lambda: list(psutil.getloadavg())),
        "transparent_hugepages": hugepages.partition("[")[2].partition("]")[0] or None,
        "aslr": _whole(root / "proc/sys/kernel/randomize_va_space"),
        "kernel": platform.release() or None,
        "os": _known(lambda: platform.freedesktop_os_release()["PRETTY_NAME"]) or platform.system() or None,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "workbench": __version__,
        "runtime": None if runtime is None else dict(runtime),
    }


def clock_mhz(*, root: Path = ROOT) -> float | None:
    """The mean current clock in MHz of the cores this process may use, None where the system does not say.

    From cpufreq/scaling_cur_freq, else /proc/cpuinfo. A virtual machine may always say the nominal one.
    """
    usable = _affinity(root)
    clocks = [
        kilohertz / 1e3
        for number, folder in _cores(root)
        if (usable is None or number in usable)
        and (kilohertz := _whole(folder / "cpufreq/scaling_cur_freq")) is not None
    ]
    if not clocks:
        clocks = [
            clock
            for core in _cpuinfo(root)
            if (usable is None or _known(int, core.get("processor", "")) in usable)
            and (clock := _known(float, core.get("cpu mhz", ""))) is not None
            and math.isfinite(clock)
        ]
    return sum(clocks) / len(clocks) if clocks and sum(clocks) > 0 else None


def throttled(*, root: Path = ROOT) -> int | None:
    """How often heat slowed a core or a package down since the system started, None where it does not say.

    From /sys/devices/system/cpu/cpu*/thermal_throttle (core_throttle_count and package_throttle_count), which
    Intel's processors have. Every logical core shows the counters of what it is part of: each counts once.
    """
    counts: dict[tuple[str, str], int] = {}
    for number, folder in _cores(root):
        for name, whole in (("core", "core_cpus_list"), ("package", "physical_package_id")):
            count = _whole(folder / f"thermal_throttle/{name}_throttle_count")
            if count is not None:
                part = _text(folder / "topology" / whole) or f"cpu{number}"
                counts[name, part] = max(count, counts.get((name, part), 0))
    return sum(counts.values()) if counts else None


class Load:
    """How much of the processor time of this machine's usable cores went to other programs.

    Usable are the cores this process may run on. What others took is the time that these cores were busy
    (/proc/stat) without the time of the given processes, their threads and this process (/proc/PID/stat), and
    the time that other virtual machines took from them (steal).

    Args:
        pids: the processes that do the work to measure; they run on no other cores than this one may.
        root: where ``proc`` and ``sys`` are.
    """

    def __init__(self, pids: Iterable[int], *, root: Path = ROOT) -> None:
        self._root = root
        self._pids = frozenset(pids) | {os.getpid()}
        self._cores = _affinity(root)
        self._last = self._read()

    def lap(self) -> float | None:
        """The share that others took since the last lap or the start, 0 to 1.

        Returns:
            None for a lap below `LAP_LEAST_S` seconds, which is too short to say, if one of the processes
            ended meanwhile, and where the system does not say.
        """
        before, now = self._last, self._read()
        self._last = now
        if (
            before is None
            or now is None
            or before.cores != now.cores
            or not before.own.keys() <= now.own.keys()
        ):
            return None
        total = now.total - before.total
        if total < LAP_LEAST_S * _ticks_per_second() * now.cores:
            return None
        # A process that has come meanwhile has all its time from this lap.
        own = sum(ticks - before.own.get(key, 0) for key, ticks in now.own.items())
        # A process's time can hold what was stolen from it, so that cores look less busy than it was.
        others = max(0, now.busy - before.busy - own) + max(0, now.stolen - before.stolen)
        return min(1.0, others / total)

    def _read(self) -> _Reading | None:
        total = busy = stolen = cores = 0
        for line in (_text(self._root / "proc/stat") or "").splitlines():
            name, *words = line.split()
            number = name[3:] if name.startswith("cpu") else ""
            if not number.isdecimal() or (self._cores is not None and int(number) not in self._cores):
                continue
            times = _known(lambda words: [int(word) for word in words], words)
            if times is None or len(times) < 4:
                return None
            # user, nice, system, idle, iowait, irq, softirq, steal; guest, which follows, is part of user.
            times = (times + [0] * 4)[:8]
            cores += 1
            total += sum(times)
            stolen += times[7]
            busy += sum(times[:3]) + times[5] + times[6]
        if not cores:
            return None
        own = {}
        for pid in self._pids:
            used = _known(_began_and_used, _text(self._root / f"proc/{pid}/stat") or "")
            if used is not None:
                # With when it began: a number is given again to another process.
                own[pid, used[0]] = used[1]
        return _Reading(cores, total, busy, stolen, own)


@dataclass(frozen=True)
class _Reading:
    """Processor time since the system started, in ticks, summed over cores, and of each own process."""

    cores: int
    total: int
    busy: int
    stolen: int
    own: dict[tuple[int, int], int]


def _began_and_used(stat: str) -> tuple[int, int]:
    """When the process of a /proc/PID/stat began, and the time it and its threads have used, in ticks."""
    # The program's name, in brackets, may hold anything.
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]), int(fields[11]) + int(fields[12])


def _ticks_per_second() -> int:
    return _known(os.sysconf, "SC_CLK_TCK") or 100


def _topology(root: Path) -> dict[str, Any]:
    cores = list(_cores(root))
    sockets, siblings = set(), set()
    for _, folder in cores:
        # Some ARM systems say -1 for "not known".
        socket = _whole(folder / "topology/physical_package_id")
        sockets |= set() if socket is None or socket < 0 else {socket}
        # The second is the first's name in kernels before 5.3.
        together = _text(folder / "topology/core_cpus_list") or _text(
            folder / "topology/thread_siblings_list"
        )
        siblings |= {together} if together else set()
    groups = sorted(_numbers(group) or [] for group in siblings)
    return {
        "sockets": len(sockets) or None,
        "physical_cores": len(siblings) or None,
        "logical_cores": len(cores) or None,
        "smt_siblings": [_listed(group) for group in groups if len(group) > 1] if groups else None,
    }


def _caches(root: Path) -> list[dict[str, Any]] | None:
    found: dict[tuple[int, str, int], set[tuple[int, ...]]] = {}
    for _, folder in _cores(root):
        for cache in sorted(folder.glob("cache/index*")):
            level, size = _whole(cache / "level"), _bytes(_text(cache / "size"))
            shared = _numbers(_text(cache / "shared_cpu_list"))
            if level is not None and level >= 2 and size is not None and shared is not None:
                kind = (_text(cache / "type") or "").lower()
                found.setdefault((level, kind, size), set()).add(tuple(shared))
    return [
        {
            "level": level,
            "type": kind or None,
            "size_bytes": size,
            "shared_by": [_listed(group) for group in sorted(groups)],
        }
        for (level, kind, size), groups in sorted(found.items())
    ] or None


def _frequencies(root: Path) -> dict[str, Any]:
    folders = [folder for _, folder in _cores(root)]
    governors = Counter(
        name for folder in folders if (name := _text(folder / "cpufreq/scaling_governor")) is not None
    )
    drivers = {name for folder in folders if (name := _text(folder / "cpufreq/scaling_driver")) is not None}
    no_turbo = _whole(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = _whole(root / "sys/devices/system/cpu/cpufreq/boost")
    turbo = boost if no_turbo is None else not no_turbo

    def fastest(name: str, per_mhz: int) -> float | None:
        values = [value for folder in folders if (value := _whole(folder / name)) is not None and value > 0]
        return max(values) / per_mhz if values else None

    return {
        "governors": dict(sorted(governors.items())) or None,
        "scaling_driver": ", ".join(sorted(drivers)) or None,
        "turbo": None if turbo is None else bool(turbo),
        "base_mhz": fastest("cpufreq/base_frequency", 1000) or fastest("acpi_cppc/nominal_freq", 1),
        "max_mhz": fastest("cpufreq/cpuinfo_max_freq", 1000),
    }


def _quota(root: Path) -> float | None:
    """The cores' worth of time that the cgroups of this process allow it, the least of them all."""
    found = []
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        # Version 2 alone has number 0, and beside version 1 it is mounted below it.
        mounts = ["", "unified"] if number == "0" else [controllers, "cpu"]
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        # A container may see its own group at the top, under a path from outside: all above are read too.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for mount in mounts:
            for depth in range(len(parts) + 1):
                folder = root.joinpath("sys/fs/cgroup", mount, *parts[:depth])
                if number == "0":
                    quota, _, period = (_text(folder / "cpu.max") or "").partition(" ")
                else:
                    quota = _text(folder / "cpu.cfs_quota_us") or ""
                    period = _text(folder / "cpu.cfs_period_us") or ""
                # No limit is "max" in version 2 and -1 in version 1.
                if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
                    found.append(int(quota) / int(period))
    return min(found, default=None)


def _affinity(root: Path) -> frozenset[int] | None:
    """The numbers of the logical cores that this process may run on."""
    for line in (_text(root / "proc/self/status") or "").splitlines():
        if line.startswith("Cpus_allowed_list:"):
            allowed = _numbers(line.partition(":")[2])
            online = _numbers(_text(root / "sys/devices/system/cpu/online"))
            if allowed:
                return frozenset(allowed) & frozenset(online or allowed) or None
    return None


def _cores(root: Path) -> Iterator[tuple[int, Path]]:
    """Number and folder of each logical core that is online."""
    above = root / "sys/devices/system/cpu"
    online = _numbers(_text(above / "online"))
    numbers = sorted(int(one.name[3:]) for one in above.glob("cpu[0-9]*") if one.name[3:].isdecimal())
    for number in numbers:
        if online is None or number in online:
            yield number, above / f"cpu{number}"


def _cpuinfo(root: Path) -> list[dict[str, str]]:
    """The blocks of /proc/cpuinfo, one per logical core, with keys in small letters."""
    blocks = []
    for text in (_text(root / "proc/cpuinfo") or "").split("\n\n"):
        pairs = (line.partition(":") for line in text.splitlines())
        block = {key.strip().lower(): value.strip() for key, colon, value in pairs if colon}
        if block:
            blocks.append(block)
    return blocks


def _numbers(text: str | None) -> list[int] | None:
    """The numbers of a list as the kernel writes it, such as ``0-3,8``."""

    def parse() -> list[int]:
        numbers: list[int] = []
        for part in (text or "").strip().split(","):
            first, _, last = part.partition("-")
            numbers += range(int(first), int(last or first) + 1)
        return numbers

    return _known(parse)


def _listed(numbers: Iterable[int]) -> str:
    """Rising numbers as the kernel writes them."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _bytes(text: str | None) -> int | None:
    """A size such as ``512K``."""
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    text = text or ""
    return _known(lambda: int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text))


def _whole(path: Path) -> int | None:
    return _known(int, _text(path))


def _text(path: Path) -> str | None:
    return _known(lambda: path.read_text(errors="replace").strip()) or None


def _known(read: Callable[..., _T], *given: Any) -> _T | None:
    """What ``read`` gives, or None where the system lacks it or says it in a way that cannot be read."""
    try:
        return read(*given)
    # psutil and the platform fail in many ways where /proc is cut short.
    except Exception:
        return None
