"""What a machine says of itself: against lscpu, psutil and os, and on made-up machines."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.bench.environment import FLAGS, Load, clock_mhz, environment, throttled

CPU = "sys/devices/system/cpu"
# Facts that come from elsewhere than /proc and /sys below the given root.
ELSEWHERE = {"memory_bytes", "load_average", "kernel", "os", "python", "numpy", "workbench", "runtime"}
Write = Callable[[Mapping[str, object]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files of a made-up machine and gives its root."""

    def write(files: Mapping[str, object]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return write


def lscpu() -> dict[str, str]:
    done = subprocess.run(
        ["lscpu"], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=True
    )
    return {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in done.stdout.splitlines())
    }


def test_this_machine_is_what_lscpu_says() -> None:
    said, found = lscpu(), environment()
    for fact, key in (("cpu_model", "Model name"), ("cpu_vendor", "Vendor ID")):
        if found[fact] is not None and platform.machine() == "x86_64":
            assert found[fact] == said[key]
    for fact, key in (("sockets", "Socket(s)"), ("logical_cores", "CPU(s)")):
        if found[fact] is not None and said.get(key, "").isdecimal():
            assert found[fact] == int(said[key])
    if found["cpu_flags"] is not None and "Flags" in said:
        assert found["cpu_flags"] == {flag: flag in said["Flags"].split() for flag in FLAGS}
    if found["virtual_machine"]:
        assert said.get("Virtualization type") in ("full", "para")
    # "32 MiB (1 instance)" is the sum over all of them.
    for cache in found["caches"] or []:
        text = re.match(r"([\d.]+) (KiB|MiB) \((\d+) instance", said.get(f"L{cache['level']} cache", ""))
        if text and sum(other["level"] == cache["level"] for other in found["caches"]) == 1:
            whole = float(text[1]) * {"KiB": 2**10, "MiB": 2**20}[text[2]]
            assert cache["size_bytes"] * len(cache["shared_by"]) == pytest.approx(whole, rel=0.05)
            assert len(cache["shared_by"]) == int(text[3])


def test_this_machine_is_what_psutil_and_os_say() -> None:
    found = environment()
    assert found["memory_bytes"] == psutil.virtual_memory().total
    assert found["affinity_cores"] == len(os.sched_getaffinity(os.getpid()))
    assert (
        0 < found["usable_cores"] <= found["affinity_cores"] <= found["logical_cores"] == psutil.cpu_count()
    )
    if found["physical_cores"] is not None:
        assert found["physical_cores"] == psutil.cpu_count(logical=False)
    assert found["kernel"] == os.uname().release
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    frequency = psutil.cpu_freq()
    if frequency is not None and frequency.max:
        assert found["max_mhz"] == pytest.approx(frequency.max)
    clock = clock_mhz()
    assert clock is None or 100 < clock < 10_000
    count = throttled()
    assert count is None or count >= 0


def test_facts_are_plain_json_and_do_not_name_the_host() -> None:
    found = environment({"paddle": "3.3.1", "python": "3.11.7"})
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert found["runtime"] == {"paddle": "3.3.1", "python": "3.11.7"}
    assert platform.node() not in (value for value in found.values() if isinstance(value, str))


def core(number: int, **files: object) -> dict[str, object]:
    """Files of one logical core; a double underscore stands for a slash."""
    return {f"{CPU}/cpu{number}/{name.replace('__', '/')}": text for name, text in files.items()}


def test_hyperthreads_and_what_they_share(write: Write) -> None:
    """Two sockets of two physical cores with two threads each; core 8 is offline."""
    files: dict[str, object] = {f"{CPU}/online": "0-7", f"{CPU}/cpu8/online": 0}
    for number in range(8):
        socket, twin = number % 4 // 2, f"{number % 4},{number % 4 + 4}"
        files |= core(
            number,
            topology__physical_package_id=socket,
            topology__core_cpus_list=twin,
            cache__index0__level=1,
            cache__index0__type="Data",
            cache__index0__size="48K",
            cache__index0__shared_cpu_list=twin,
            cache__index2__level=2,
            cache__index2__type="Unified",
            cache__index2__size="2048K",
            cache__index2__shared_cpu_list=twin,
            cache__index3__level=3,
            cache__index3__type="Unified",
            cache__index3__size="36M",
            cache__index3__shared_cpu_list=("0-1,4-5", "2-3,6-7")[socket],
        )
    found = environment(root=write(files))
    assert (found["sockets"], found["physical_cores"], found["logical_cores"]) == (2, 4, 8)
    assert found["smt_siblings"] == ["0,4", "1,5", "2,6", "3,7"]
    assert found["caches"] == [
        {"level": 2, "type": "unified", "size_bytes": 2 * 2**20, "shared_by": ["0,4", "1,5", "2,6", "3,7"]},
        {"level": 3, "type": "unified", "size_bytes": 36 * 2**20, "shared_by": ["0-1,4-5", "2-3,6-7"]},
    ]


def test_cores_that_share_nothing_have_no_siblings(write: Write) -> None:
    """The older name of the file is read too."""
    root = write(core(0, topology__thread_siblings_list="0") | core(1, topology__thread_siblings_list="1"))
    found = environment(root=root)
    assert (found["physical_cores"], found["smt_siblings"]) == (2, [])


def test_a_hybrid_processor_with_two_governors(write: Write) -> None:
    files: dict[str, object] = {f"{CPU}/intel_pstate/no_turbo": 1, f"{CPU}/cpufreq/boost": 1}
    for number in range(6):
        fast = number < 2
        files |= core(
            number,
            cpufreq__scaling_governor="performance" if fast else "powersave",
            cpufreq__scaling_driver="intel_pstate",
            cpufreq__base_frequency=3_000_000 if fast else 2_200_000,
            cpufreq__cpuinfo_max_freq=5_200_000 if fast else 3_900_000,
            cpufreq__scaling_cur_freq=5_000_000 if fast else 2_000_000,
        )
    root = write(files)
    found = environment(root=root)
    assert found["governors"] == {"performance": 2, "powersave": 4}
    assert found["scaling_driver"] == "intel_pstate"
    assert found["turbo"] is False
    assert (found["base_mhz"], found["max_mhz"], found["clock_mhz"]) == (3000, 5200, 3000)
    # Cores that this process may not use have no part in its clock.
    write({"proc/self/status": "Name:\tpython\nCpus_allowed_list:\t2-5,9"})
    assert clock_mhz(root=root) == 2000


def test_amds_base_clock_and_turbo(write: Write) -> None:
    root = write({f"{CPU}/cpufreq/boost": 1, **core(0, acpi_cppc__nominal_freq=2450)})
    found = environment(root=root)
    assert (found["turbo"], found["base_mhz"], found["max_mhz"]) == (True, 2450, None)


def test_the_clock_of_cpuinfo_where_there_is_no_cpufreq(write: Write) -> None:
    blocks = "\n\n".join(
        f"processor\t: {number}\ncpu MHz\t\t: {1000 * (number + 1)}.5" for number in range(4)
    )
    root = write({"proc/cpuinfo": blocks})
    assert clock_mhz(root=root) == 2500.5
    write({"proc/self/status": "Cpus_allowed_list:\t0-1"})
    assert clock_mhz(root=root) == 1500.5


def test_flags_of_a_virtual_machine_and_of_arm(write: Write) -> None:
    root = write({"proc/cpuinfo": "vendor_id : GenuineIntel\nflags : fpu avx2 avx512f amx_tile hypervisor"})
    found = environment(root=root)
    assert [name for name, has in found["cpu_flags"].items() if has] == ["avx2", "avx512f", "amx_tile"]
    assert found["virtual_machine"] is True
    write({"proc/cpuinfo": "flags : fpu avx2"})
    assert environment(root=root)["virtual_machine"] is False
    write({"proc/cpuinfo": "processor : 0\nFeatures : fp asimd\nCPU implementer : 0x41"})
    found = environment(root=root)
    assert (found["cpu_vendor"], found["virtual_machine"], found["cpu_model"]) == ("0x41", None, None)
    assert not any(found["cpu_flags"].values())


@pytest.mark.parametrize(
    ("files", "quota", "usable"),
    [
        ({}, None, 4),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5, 1.5),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None, 4),
        # The group above allows less than its own.
        (
            {
                "proc/self/cgroup": "0::/slice/job",
                "sys/fs/cgroup/slice/cpu.max": "200000 100000",
                "sys/fs/cgroup/slice/job/cpu.max": "300000 100000",
                "sys/fs/cgroup/other/cpu.max": "100000 100000",
            },
            2.0,
            2.0,
        ),
        # A quota above the cores it has limits nothing more.
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "800000 100000"}, 8.0, 4),
        (
            {
                "proc/self/cgroup": "5:memory:/a\n3:cpu,cpuacct:/docker/abc\n0::/",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            0.5,
            0.5,
        ),
        # A container of version 1 sees its own group at the top, under the path it has outside.
        (
            {
                "proc/self/cgroup": "3:cpuacct,cpu:/docker/abc",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            3.0,
            3.0,
        ),
        ({"proc/self/cgroup": "3:cpuset:/", "sys/fs/cgroup/cpuset/cpu.cfs_quota_us": "1"}, None, 4),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "100000 0"}, None, 4),
        ({"proc/self/cgroup": "nonsense", "sys/fs/cgroup/cpu.max": ""}, None, 4),
    ],
)
def test_the_limit_of_a_control_group(
    write: Write, files: Mapping[str, object], quota: float | None, usable: float
) -> None:
    root = write({"proc/self/status": "Cpus_allowed_list:\t0-1,4-5", **files})
    found = environment(root=root)
    assert (found["affinity_cores"], found["quota_cores"], found["usable_cores"]) == (4, quota, usable)


def test_settings_of_the_system(write: Write) -> None:
    root = write(
        {
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
            "proc/sys/kernel/randomize_va_space": 0,
        }
    )
    found = environment(root=root)
    assert (found["transparent_hugepages"], found["aslr"]) == ("madvise", 0)


def test_throttling_counts_each_core_and_package_once(write: Write) -> None:
    files: dict[str, object] = {}
    for number, times in enumerate((5, 7, 5, 7)):
        files |= core(
            number,
            topology__physical_package_id=0,
            topology__core_cpus_list=f"{number % 2},{number % 2 + 2}",
            thermal_throttle__core_throttle_count=times,
            thermal_throttle__package_throttle_count=20,
        )
    root = write(files)
    assert throttled(root=root) == 5 + 7 + 20


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    found = environment(root=tmp_path)
    assert {name for name, value in found.items() if value is not None} <= ELSEWHERE
    assert clock_mhz(root=tmp_path) is None
    assert throttled(root=tmp_path) is None
    assert Load([1], root=tmp_path).lap() is None


def test_psutil_and_os_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise FileNotFoundError("/proc/meminfo")

    for owner, name in (
        (psutil, "virtual_memory"),
        (psutil, "getloadavg"),
        (platform, "freedesktop_os_release"),
    ):
        monkeypatch.setattr(owner, name, fail)
    found = environment()
    assert (found["memory_bytes"], found["load_average"]) == (None, None)
    assert found["os"] == platform.system()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.dictionaries(
        st.sampled_from(
            [
                "proc/cpuinfo",
                "proc/stat",
                "proc/self/status",
                "proc/self/cgroup",
                "sys/fs/cgroup/cpu.max",
                f"{CPU}/online",
                f"{CPU}/intel_pstate/no_turbo",
                f"{CPU}/cpu0/cpufreq/scaling_cur_freq",
                f"{CPU}/cpu0/cpufreq/base_frequency",
                f"{CPU}/cpu0/cache/index2/size",
                f"{CPU}/cpu0/cache/index2/level",
                f"{CPU}/cpu0/cache/index2/shared_cpu_list",
                f"{CPU}/cpu0/topology/core_cpus_list",
                f"{CPU}/cpu0/thermal_throttle/core_throttle_count",
            ]
        ),
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from(
                [
                    b"cpu0 1 2",
                    b"cpu0 a b c d",
                    b"0::/..",
                    b"-1",
                    b"Cpus_allowed_list: x",
                    b"1-",
                    b"K",
                    b"cpu MHz : nan",
                ]
            ),
        ),
    )
)
def test_nonsense_is_not_an_error(tmp_path_factory: pytest.TempPathFactory, texts: dict[str, bytes]) -> None:
    root = tmp_path_factory.mktemp("machine")
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    json.dumps(environment(root=root), allow_nan=False)
    clock_mhz(root=root)
    throttled(root=root)
    assert Load([1], root=root).lap() is None


# Columns of /proc/stat in ticks of 10 ms: user nice system idle iowait irq softirq steal guest guest_nice.
def stat(*cores: tuple[int, ...]) -> str:
    lines = [f"cpu{number} {' '.join(map(str, times))}" for number, times in enumerate(cores)]
    total = " ".join(str(sum(column)) for column in zip(*cores, strict=True))
    return "\n".join([f"cpu  {total}", *lines, "intr 5 0 0", "ctxt 9"])


def process(user: int, system: int = 0, began: int = 77, name: str = "a) b (c") -> str:
    """A /proc/PID/stat, whose fields 14, 15 and 22 are utime, stime and starttime (proc(5))."""
    return " ".join(
        ["4", f"({name})", "R", *["0"] * 10, str(user), str(system), *["0"] * 6, str(began), "0 0"]
    )


IDLE = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_load_is_what_is_busy_without_own_processes_and_with_steal(write: Write) -> None:
    own = f"proc/{os.getpid()}/stat"
    root = write({"proc/stat": stat(IDLE, IDLE), own: process(100), "proc/41/stat": process(5, 5)})
    meter = Load([41], root=root)
    # One second on each of two cores. Busy 30+5+20+3+2 = 60 and 60; waiting for a disk (7) is not.
    first = (30, 5, 20, 30, 7, 3, 2, 3, 25, 0)
    second = (60, 0, 0, 40, 0, 0, 0, 0, 0, 0)
    write({"proc/stat": stat(first, second), own: process(110), "proc/41/stat": process(45, 35)})
    # 120 busy, of which 10 and 70 are its own, and 3 stolen.
    assert meter.lap() == pytest.approx((120 - 80 + 3) / 200)
    # Each lap begins where the last one ended.
    write({"proc/stat": stat(tuple(2 * one for one in first), tuple(2 * one for one in second))})
    assert meter.lap() == pytest.approx((120 + 3) / 200)


def test_load_counts_the_cores_this_process_may_use(write: Write) -> None:
    root = write({"proc/stat": stat(IDLE, IDLE), "proc/self/status": "Cpus_allowed_list:\t1"})
    meter = Load([], root=root)
    write({"proc/stat": stat((100, *IDLE[1:]), (25, 0, 0, 75, 0, 0, 0, 0, 0, 0))})
    assert meter.lap() == pytest.approx(0.25)


def test_load_is_no_less_than_none_and_no_more_than_all(write: Write) -> None:
    root = write({"proc/stat": stat(IDLE), "proc/41/stat": process(0)})
    meter = Load([41], root=root)
    # The kernel samples cores and adds up processes: the latter may be ahead.
    write({"proc/stat": stat((50, 0, 0, 50, 0, 0, 0, 0, 0, 0)), "proc/41/stat": process(60)})
    assert meter.lap() == 0
    # What was stolen stays seen where the process's own time holds it.
    write({"proc/stat": stat((100, 0, 0, 80, 0, 0, 0, 20, 0, 0)), "proc/41/stat": process(130)})
    assert meter.lap() == pytest.approx(20 / 100)
    write({"proc/stat": stat((200, 0, 0, 80, 0, 0, 0, 120, 0, 0)), "proc/41/stat": process(130)})
    assert meter.lap() == 1


def test_a_lap_too_short_to_say_is_unknown(write: Write) -> None:
    root = write({"proc/stat": stat(IDLE, IDLE)})
    meter = Load([], root=root)
    assert meter.lap() is None
    write({"proc/stat": stat((5, *IDLE[1:]), (0, 0, 0, 9, 0, 0, 0, 0, 0, 0))})
    assert meter.lap() is None
    write({"proc/stat": stat((15, *IDLE[1:]), (0, 0, 0, 19, 0, 0, 0, 0, 0, 0))})
    assert meter.lap() == pytest.approx(0.5)


def test_processes_that_end_begin_or_are_replaced(write: Write) -> None:
    root = write({"proc/stat": stat(IDLE), "proc/41/stat": process(500, began=1)})
    meter = Load([41], root=root)
    # Another process has the number now: what the first one used since is not known.
    write({"proc/stat": stat((50, 0, 0, 50, 0, 0, 0, 0, 0, 0)), "proc/41/stat": process(10, began=900)})
    assert meter.lap() is None
    write({"proc/stat": stat((100, 0, 0, 100, 0, 0, 0, 0, 0, 0)), "proc/41/stat": process(30, began=900)})
    assert meter.lap() == pytest.approx(0.3)
    (root / "proc/41/stat").unlink()
    write({"proc/stat": stat((150, 0, 0, 150, 0, 0, 0, 0, 0, 0))})
    assert meter.lap() is None
    write({"proc/stat": stat((200, 0, 0, 200, 0, 0, 0, 0, 0, 0))})
    assert meter.lap() == pytest.approx(0.5)
    write({"proc/stat": stat((250, 0, 0, 250, 0, 0, 0, 0, 0, 0)), "proc/41/stat": process(40, began=1500)})
    assert meter.lap() == pytest.approx(0.1)


def test_kernels_with_fewer_columns(write: Write) -> None:
    root = write({"proc/stat": stat((0, 0, 0, 0))})
    meter = Load([], root=root)
    write({"proc/stat": stat((10, 10, 10, 70))})
    assert meter.lap() == pytest.approx(0.3)


def test_times_are_read_as_psutil_reads_them() -> None:
    """Of this process and these cores, between two readings of psutil."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    meter = Load([])

    def psutils() -> tuple[float, float]:
        cores = [psutil.cpu_times(percpu=True)[number] for number in os.sched_getaffinity(0)]
        times = psutil.Process().cpu_times()
        return sum(
            one.user + one.nice + one.system + one.irq + one.softirq for one in cores
        ), times.user + times.system

    before = psutils()
    reading = meter._read()
    after = psutils()
    assert reading is not None
    assert before[0] - tick <= reading.busy * tick <= after[0] + tick
    assert before[1] - tick <= sum(reading.own.values()) * tick <= after[1] + tick
