"""The folder to send upstream: the reduced model, a script in plain Paddle, and the text of an issue."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench._templates import render
from workbench.config import InferenceConfig, ModelFiles, to_code
from workbench.core import native_files
from workbench.core.defects import release_of
from workbench.core.runtimes import warm
from workbench.models import Model
from workbench.verifying.comparing import Outputs
from workbench.verifying.reduction.checks import Array, Failure
from workbench.verifying.reduction.text import graph_text
from workbench.verifying.reduction.versions import versions
from workbench.verifying.tolerance import default_tolerance, tolerances_of

ZIP = "issue.zip"
_HOW = {
    "refused": "Paddle raises an error while {phase}:",
    "died": "The process ends while {phase}:",
    "hangs": "Paddle does not come to an end while {phase}:",
    "differs": "The outputs are wrong, compared with the same model without optimization:",
    "check": "A check of the model fails while {phase}:",
}
_TITLES = {
    "refused": "error while {phase}",
    "died": "crash while {phase}",
    "hangs": "hang while {phase}",
    "differs": "wrong output",
    "check": "check fails",
}
_WORDS = {
    "model.json": "the reduced model's program (PIR)",
    "model.pdmodel": "the reduced model's program (Program IR)",
    "model.pdiparams": "its parameters",
    "inputs.npz": "its inputs",
    "failing.npz": "its outputs under the config that fails",
    "expected.npz": "its outputs as they should be",
    "reproduce.py": "runs it, with plain Paddle",
    "issue.md": "this text",
}
_TEMPLATES = {"reproduce.py": "reproduce.py.jinja", "issue.md": "issue.md.jinja"}
_LONGEST_TITLE = 100
# The dtypes that the script knows a tolerance for.
_FLOATS = ("float16", "float32", "float64")


@dataclass(frozen=True)
class Parcel:
    """What is to be sent.

    Attributes:
        model: the reduced model; its files lie in the folder already.
        config: that fails.
        avoid: that does not, or None.
        failure: how it fails.
        passes: names of the guilty passes, as far as they are known.
        inputs: arrays by name.
        has: what the predictor that fails had, as `Session.given`; None if it is not created.
        recorded: whether the inputs are what flowed there in the whole model, else some are random.
        given: the outputs that are wrong, or None.
        expected: the outputs as they should be, or None.
        ops_before: the number of ops of the model it was cut from.
        tolerance: of every output, as in `workbench.verify`.
        time_limit: seconds after which a run counts as a hang.
    """

    model: Model
    config: InferenceConfig
    avoid: InferenceConfig | None
    failure: Failure
    passes: Sequence[str]
    inputs: Mapping[str, Array]
    has: Mapping[str, Any] | None
    recorded: bool
    given: Outputs | None
    expected: Outputs | None
    ops_before: int
    tolerance: Any
    time_limit: float


def write_parcel(folder: Path, parcel: Parcel) -> tuple[str, ...]:
    """Write everything beside the model, and all of it once more into a zip.

    Returns:
        The names of the files, sorted.
    """
    for name, arrays in (
        ("inputs.npz", parcel.inputs),
        ("failing.npz", parcel.given),
        ("expected.npz", parcel.expected),
    ):
        if arrays is not None:
            _save(folder / name, arrays)
    values = _values(parcel)
    names = sorted({file.name for file in folder.iterdir()} | _TEMPLATES.keys())
    values["files"] = {name: _WORDS[name] for name in names}
    for name, template in _TEMPLATES.items():
        text = render("workbench.verifying.reduction", template, values)
        (folder / name).write_text(text, encoding="utf-8")
    with zipfile.ZipFile(folder / ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(folder / name, name)
    return tuple(sorted((*names, ZIP)))


def _save(file: Path, arrays: Mapping[str, Array]) -> None:
    # Not numpy.savez, whose own arguments an array's name may be.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)


def _values(parcel: Parcel) -> dict[str, Any]:
    found = versions(parcel.config.runtime)
    release = release_of(warm(parcel.config.runtime).about["paddle"])
    files = native_files(parcel.model)
    # The script runs in the folder: no path of this machine goes into it.
    here = ModelFiles(files.ir, Path(files.model).name, files.params and Path(files.params).name)
    kinds = [op.type.removeprefix("pd_op.") for op in parcel.model.graph().ops]
    kinds = [kind for kind in kinds if kind not in ("data", "feed", "fetch")]
    phase = parcel.failure.phase
    what = _TITLES[parcel.failure.kind].format(phase=phase)
    title = f"{what}: {', '.join(kinds)}"
    if len(title) > _LONGEST_TITLE:
        title = f"{what}: {len(kinds)} ops, {', '.join(dict.fromkeys(kinds))}"[:_LONGEST_TITLE]
    ir = "PIR" if parcel.model.ir == "pir" else "Program IR"
    precisions = () if parcel.has is None else (str(parcel.has["precision"]),)
    # With a scale of 1, both numbers of a tolerance are the share.
    shares = {name: default_tolerance(name, 1.0, precisions).rtol for name in _FLOATS}
    return {
        "title": f"[Paddle Inference] {what.capitalize()}{title[len(what) :]}",
        "happens": _HOW[parcel.failure.kind].format(phase=phase),
        "failure": parcel.failure.text,
        "checked": parcel.failure.kind == "check",
        "passes": list(parcel.passes),
        "expected": _expected(parcel),
        "paddle": found["Paddle"].partition(" ")[0],
        "has": _has(parcel.has),
        "failing": to_code(parcel.config, here, release).rstrip(),
        "avoiding": None if parcel.avoid is None else to_code(parcel.avoid, here, release).rstrip(),
        "model": (
            f"{ir}, {parcel.model.ops} ops with feed and fetch, cut out of a model of {parcel.ops_before}. "
            + (
                "The inputs are what flowed into these ops there."
                if parcel.recorded
                else "Inputs that are not the whole model's own are random."
            )
        ),
        "outputs_known": parcel.expected is not None,
        "graph": graph_text(parcel.model.graph()),
        "versions": found,
        "time_limit": round(parcel.time_limit),
        "tolerance": tolerances_of(parcel.tolerance, ("",))[""],
        "shares": repr(shares),
    }


def _expected(parcel: Parcel) -> str:
    if parcel.avoid is None:
        return "The model runs. No config that avoids the fault is known."
    how = "runs and gives the outputs in `expected.npz`"
    if parcel.passes and set(parcel.passes) <= set(parcel.avoid.disabled_passes):
        names = ", ".join(f"`{name}`" for name in parcel.passes)
        return f"The model {how}, as it does with {names} switched off."
    return f"The model {how}, as it does under the second config below."


def _has(given: Mapping[str, Any] | None) -> str | None:
    if given is None:
        return None
    onednn = "on" if given["onednn"] else "off"
    threads = "1 thread" if given["threads"] == 1 else f"{given['threads']} threads"
    return f"It runs on the {given['device'].upper()} in {given['precision']}, oneDNN {onednn}, {threads}."
