"""The versions and the machine that a report names."""

from __future__ import annotations

import platform
import subprocess

from workbench.bench.environment import environment
from workbench.core.runtimes import interpreter, warm

_TIME_LIMIT_S = 30
# In the runtime's own interpreter: a library for it may not load into this process.
_ONEDNN = """
import ctypes, importlib.util, pathlib
class Version(ctypes.Structure):
    _fields_ = [("major", ctypes.c_int), ("minor", ctypes.c_int), ("patch", ctypes.c_int)]
folder = pathlib.Path(importlib.util.find_spec("paddle").origin).parent / "libs"
for name in ("libdnnl*", "libmkldnn*"):
    for file in sorted(folder.glob(name)):
        library = ctypes.CDLL(str(file))
        library.dnnl_version.restype = ctypes.POINTER(Version)
        found = library.dnnl_version().contents
        raise SystemExit(print(f"{found.major}.{found.minor}.{found.patch}"))
"""


def versions(runtime: str) -> dict[str, str]:
    """What an issue has to say of where it was seen, in words; nothing that names the machine.

    Args:
        runtime: name of the runtime.
    """
    about = warm(runtime).about
    facts = environment()
    flags = [name for name, there in (facts["cpu_flags"] or {}).items() if there]
    build = "GPU build" if about["gpu_build"] else "CPU build"
    return {
        "Paddle": f"{about['paddle']} ({build}, commit {about['commit']})",
        "oneDNN": onednn_version(runtime) or "not found",
        "CPU": f"{facts['cpu_model'] or 'unknown'} ({', '.join(flags) or 'no vector extensions known'})",
        "OS": f"{facts['os']}, {platform.machine()}",
        "Python": str(about["python"]),
        "numpy": str(about["numpy"]),
    }


def onednn_version(runtime: str) -> str | None:
    """The version of the oneDNN that a runtime's Paddle brings, as the library says it; None without one."""
    try:
        ran = subprocess.run(
            [interpreter(runtime), "-c", _ONEDNN],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() or None
