"""Which passes a pipeline has, before any model runs through it: the list does not depend on the model."""

from __future__ import annotations

import difflib
import json
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from workbench.config import REGISTERED_AS, InferenceConfig, ModelFiles, native_calls
from workbench.core.log import read_pass_log
from workbench.errors import ConfigError, WorkbenchError


def tiny_pir() -> str:
    """The smallest PIR model: data, relu, fetch, in the file format of the first release that writes it."""
    tensor = {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, [1], "NCHW", [], 0]}

    def attribute(name: str, kind: str, value: object) -> dict[str, object]:
        return {"AT": {"#": kind, "D": value}, "N": name}

    def op(kind: str, read: list[int], write: int, attributes: list[dict[str, object]]) -> dict[str, object]:
        return {
            "#": kind,
            "A": attributes,
            "I": [{"%": i} for i in read],
            "O": [{"%": write, "TT": tensor}],
            "OA": [],
        }

    data = [
        attribute("name", "0.a_str", "x"),
        attribute("shape", "1.a_intarray", [1]),
        attribute("dtype", "1.a_dtype", "float32"),
        attribute("place", "1.a_place", [0, 0, ""]),
    ]
    fetch = [attribute("name", "0.a_str", "fetch_name_0"), attribute("col", "0.a_i32", 0)]
    ops = [op("1.data", [], 1, data), op("1.relu", [1], 2, []), op("1.fetch", [2], 3, fetch)]
    block = {"#": "block_0", "args": [], "ops": ops}
    program = {"regions": [{"#": "region_0", "blocks": [block]}]}
    return json.dumps({"base_code": {"magic": "pir", "trainable": False, "version": 1}, "program": program})


Ask = Callable[..., tuple[dict[str, Any], str]]

_lock = threading.Lock()
_known: dict[tuple[Any, ...], tuple[str, ...]] = {}


def default_passes(
    ask: Ask, runtime: str, release: tuple[int, ...], ir: str, config: InferenceConfig
) -> tuple[str, ...]:
    """The passes that run for this config with nothing switched off or added.

    ``ask(message)`` sends a request to a worker and gives its reply and the log it wrote meanwhile.
    """
    plain = config.replace(disabled_passes=(), enabled_passes=(), threads=1, memory_optim=False)
    key = (runtime, ir, plain)
    with _lock:
        if key in _known:
            return _known[key]
    if ir == "pir":
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            model = Path(folder) / "tiny.json"
            model.write_text(tiny_pir())
            # It has no parameters, and Paddle refuses an empty file of them but not a missing one.
            files = ModelFiles("pir", str(model), str(Path(folder) / "tiny.pdiparams"))
            message = {"op": "load", "files": files[1:], "calls": native_calls(plain, files, release)}
            _, log = ask(message)
        found = tuple(run.name for run in read_pass_log(log).runs)
    else:
        files = ModelFiles("program", "", None)
        message = {"op": "passes", "files": [], "calls": native_calls(plain, files, release)}
        found = tuple(ask(message)[0]["passes"])
    with _lock:
        _known[key] = found
    return found


def planned_passes(
    ask: Ask, runtime: str, release: tuple[int, ...], ir: str, config: InferenceConfig
) -> tuple[str, ...]:
    """The passes that run for this config, in order, each once and by the name that switches it off."""
    named = (*config.enabled_passes, *default_passes(ask, runtime, release, ir, config))
    off = {_registered(name) for name in config.disabled_passes}
    return tuple(name for name in dict.fromkeys(map(_registered, named)) if name not in off)


def check_disabled(
    ask: Ask, runtime: str, release: tuple[int, ...], ir: str, config: InferenceConfig
) -> list[str]:
    """Notices for switches that change nothing, because the pass is not part of this pipeline.

    Raises:
        ConfigError: for a name that is no pass of any pipeline of this runtime.
    """
    here = set(_both_names(default_passes(ask, runtime, release, ir, config)))
    strange = [name for name in config.disabled_passes if name not in here]
    if not strange:
        return []
    everywhere = set(here)
    irs = ("pir", "program") if release >= (3,) else ("program",)
    for other_ir in irs:
        for onednn in (True, False):
            other = InferenceConfig(onednn=onednn, runtime=config.runtime)
            try:
                everywhere |= set(_both_names(default_passes(ask, runtime, release, other_ir, other)))
            except WorkbenchError:
                continue
    for name in strange:
        if name not in everywhere:
            near = difflib.get_close_matches(name, sorted(everywhere), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else "see the list with `workbench trace`"
            raise ConfigError(f"unknown pass {name!r}: {hint}")
    return [f"switching off {name} changed nothing: it is not part of this pipeline" for name in strange]


def _both_names(names: Iterable[str]) -> list[str]:
    return [known for name in names for known in (name, _registered(name))]


def _registered(name: str) -> str:
    return REGISTERED_AS.get(name, name)
