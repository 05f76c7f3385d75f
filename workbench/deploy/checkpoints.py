"""The three checkpoints of a deployment: the model is prepared, its result is verified, the log is added.

As the deployment documents have them. The second writes and compares the files of `workbench.deploy.reprod`;
the third reads an inference log as text, whoever wrote it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from workbench.config import InferenceConfig
from workbench.deploy import reprod
from workbench.deploy.pipeline import InferenceEngine
from workbench.deploy.runlog import AutoLogger
from workbench.deploy.training.engines import SessionEngine, TrainingEngine
from workbench.errors import InputError, ModelError, WorkbenchError
from workbench.models import Model, load

Name = Literal["model prepared", "result verified", "log added"]
# What an engine's outputs become before they are compared, such as a class and its probability.
Result = Callable[[dict[str, Any]], dict[str, Any]]

THRESHOLD = 1e-5
LOGGED_RUNS = 5
TRAINING_FILE = "output_training_engine.npy"
INFERENCE_FILE = "output_inference_engine.npy"

# The fields that every inference log has, by block; what only a GPU has may be None.
FIELDS = {
    "Env": ("OS_version", "CUDA_version", "CUDNN_version", "drivier_version"),
    "Paddle": ("paddle_version", "paddle_commit", "log_api_version"),
    "Conf": (
        "runtime_device",
        "ir_optim",
        "enable_memory_optim",
        "enable_tensorrt",
        "enable_mkldnn",
        "cpu_math_library_num_threads",
    ),
    "Model": ("model_name", "precision"),
    "Data": ("batch_size", "input_shape", "data_num"),
    "Perf": (
        "cpu_rss(MB)",
        "gpu_rss(MB)",
        "gpu_util",
        "total time spent(s)",
        "preprocess_time(ms)",
        "inference_time(ms)",
        "postprocess_time(ms)",
    ),
}
_MAY_BE_NONE = {"CUDA_version", "CUDNN_version", "drivier_version", "gpu_rss(MB)", "gpu_util"}
_NUMBERS = ("data_num", *FIELDS["Perf"][3:], "cpu_rss(MB)")
_TITLE = re.compile(r"-{5,} (\w+) info -{5,}")
_CLOCK = re.compile(r"^\[[^\]]*\] \S+ \w+: ?")


@dataclass(frozen=True)
class Checkpoint:
    """One of the three.

    Attributes:
        name: which.
        passed: whether it holds.
        reason: why, in one line.
        details: what was compared or found, a line each.
    """

    name: Name
    passed: bool
    reason: str
    details: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Plain values: name, passed, reason, details."""
        return {
            "name": self.name,
            "passed": self.passed,
            "reason": self.reason,
            "details": list(self.details),
        }


def check_prepared(path: Model | str | os.PathLike[str]) -> Checkpoint:
    """First: the files that must be there are, and fit together."""
    try:
        model = path if isinstance(path, Model) else load(path)
    except ModelError as error:
        return Checkpoint("model prepared", False, str(error))
    # Paddle writes it beside a .pdmodel; inference does not need it.
    more = [file.with_suffix(".pdiparams.info") for file in model.files[:1] if file.suffix == ".pdmodel"]
    details = [
        f"{file}: {file.stat().st_size:,} bytes" for file in (*model.files, *filter(Path.is_file, more))
    ]
    shown = details if len(details) < 8 else [*details[:6], f"and {len(details) - 6} more parameter files"]
    text = f"{model.ops:,} ops, {model.parameter_tensors:,} parameters and their files fit together"
    return Checkpoint("model prepared", True, f"{text} (layout {model.layout})", tuple(shown))


def check_verified(
    model: Model | str | os.PathLike[str],
    inputs: Mapping[str, Any],
    config: InferenceConfig | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    threshold: float = THRESHOLD,
    training: str | os.PathLike[str] | None = None,
    result: Result | None = None,
) -> Checkpoint:
    """Second: the training engine and the inference engine give the same result.

    Args:
        model: the model.
        inputs: an array for every input.
        config: what to ask of the inference engine.
        directory: where to write both results, as ``output_training_engine.npy`` and
            ``output_inference_engine.npy``, and the report of their comparison; nowhere if None.
        threshold: how far the mean difference of a result may be from 0, relative to its largest magnitude
            where that is above 1. Whole numbers, such as a class, must be the same.
        training: the training engine's result from a file, in place of running it here.
        result: what to compare in place of the outputs themselves.

    Raises:
        InputError: for inputs that do not fit, or a file that is no result.
        WorkbenchError: as `Session.run`; if the directory cannot be written.
    """
    result = dict if result is None else result
    with SessionEngine(model, config) as engine:
        found = result(engine.run(inputs))
    if training is not None:
        expected = reprod.read(training)
    else:
        with TrainingEngine(model) as engine:
            # By the predictor's names: the training engine's are the same for the outputs of one model.
            expected = result(engine.run(inputs))
    return _compared(expected, found, threshold, None if directory is None else Path(directory))


def check_results(
    training: str | os.PathLike[str], inference: str | os.PathLike[str], threshold: float = THRESHOLD
) -> Checkpoint:
    """Second, from two files: whoever wrote them.

    Raises:
        InputError: for a file that is no result.
    """
    return _compared(reprod.read(training), reprod.read(inference), threshold, None)


def _compared(
    expected: Mapping[str, Any], found: Mapping[str, Any], threshold: float, directory: Path | None
) -> Checkpoint:
    if directory is not None:
        for file, data in ((TRAINING_FILE, expected), (INFERENCE_FILE, found)):
            logger = reprod.ReprodLogger()
            for name, array in data.items():
                logger.add(name, np.asarray(array))
            logger.save(directory / file)
    try:
        differences = reprod.compare(expected, found)
    except InputError as error:
        return Checkpoint("result verified", False, str(error))
    flat = dict(reprod.flat(expected))
    lines, wrong = [], []
    for one in differences:
        # A class is right or wrong, however large its number.
        exact = flat[one.name].dtype.kind in "biu"
        limit = 0.0 if exact else threshold * max(1.0, _magnitude(flat[one.name]))
        good = one.mean <= limit
        lines.append(
            f"{one.name}: mean difference {one.mean:.3g}, largest {one.max:.3g}, limit {limit:.3g}"
            f"{'' if good else ': too far'}"
        )
        if not good:
            wrong.append(one.name)
    if wrong:
        reason = (
            f"the engines differ in {', '.join(wrong)}: find the pass with workbench trace and --disable-pass"
        )
    else:
        reason = "training engine and inference engine agree"
    return Checkpoint("result verified", not wrong, reason, tuple(lines))


def _magnitude(array: Any) -> float:
    finite = np.abs(array[np.isfinite(array)].astype(np.float64))
    return float(finite.max(initial=0.0))


def check_logged(text: str) -> Checkpoint:
    """Third: the text is an inference log with all blocks and fields, each with a value."""
    blocks = read_log(text)
    wrong = []
    for block, fields in FIELDS.items():
        if block not in blocks:
            wrong.append(f"the block {block} info is missing")
            continue
        found = blocks[block]
        for field in fields:
            value = found.get(field)
            if value is None:
                wrong.append(f"{field} is missing from {block} info")
            elif value in ("", "None") and field not in _MAY_BE_NONE:
                wrong.append(f"{field} of {block} info has no value")
            elif field in _NUMBERS and not _is_number(value):
                wrong.append(f"{field} of {block} info is {value!r}, not a number")
    if wrong:
        reason = (
            wrong[0] if len(wrong) == 1 else f"{len(wrong)} of its blocks and fields are missing or wrong"
        )
        return Checkpoint("log added", False, reason, tuple(wrong))
    perf = blocks["Perf"]
    return Checkpoint(
        "log added",
        True,
        f"all {len(FIELDS)} blocks and {sum(map(len, FIELDS.values()))} fields are there",
        tuple(f"{field}: {perf[field]}" for field in FIELDS["Perf"][4:]),
    )


def read_log(text: str) -> dict[str, dict[str, str]]:
    """The blocks of an inference log and their fields, as text, whatever else is in it."""
    blocks: dict[str, dict[str, str]] = {}
    fields: dict[str, str] | None = None
    for line in text.splitlines():
        message = _CLOCK.sub("", line)
        title = _TITLE.search(message)
        if title:
            fields = blocks.setdefault(title.group(1), {})
        elif fields is not None:
            # Perf info has several fields in a line; a shape has commas of its own.
            for part in re.split(r", (?=[\w() ]+: )", message):
                name, colon, value = part.partition(": ")
                if colon:
                    fields[name.strip()] = value.strip().removesuffix("%")
    return blocks


def _is_number(value: str) -> bool:
    try:
        return np.isfinite(float(value)) and float(value) >= 0
    except ValueError:
        return False


def written_log(
    model: Model | str | os.PathLike[str],
    inputs: Mapping[str, Any],
    config: InferenceConfig | None = None,
) -> str:
    """An inference log of some runs on these inputs, as text.

    Raises:
        WorkbenchError: as `Session.run`.
    """

    class Ready(InferenceEngine):
        """The inputs need no preparation."""

        def preprocess(self, item: Any) -> Any:
            return item

    with Ready(model, config) as engine:
        log = AutoLogger(engine.model.name, inference_config=engine, warmup=1)
        for _ in engine.predict([inputs] * (LOGGED_RUNS + 1), log=log):
            pass
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            log.report()
    return said.getvalue()


def check(
    path: Model | str | os.PathLike[str],
    inputs: Mapping[str, Any] | Callable[[Model], Mapping[str, Any]],
    config: InferenceConfig | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    threshold: float = THRESHOLD,
    training: str | os.PathLike[str] | None = None,
    log: str | os.PathLike[str] | None = None,
    result: Result | None = None,
) -> tuple[Checkpoint, Checkpoint, Checkpoint]:
    """All three for one model.

    Args:
        path: the model, or its path.
        inputs: an array for every input, or what makes them for the model.
        config: what to ask of the inference engine.
        directory: as in `check_verified`.
        threshold: as in `check_verified`.
        training: as in `check_verified`.
        log: the inference log of the program to be checked; one is written here if None.
        result: as in `check_verified`.

    Raises:
        InputError: for inputs that do not fit, or files that cannot be read.
    """
    prepared = check_prepared(path)
    if not prepared.passed:
        reason = "not reached: the model is not prepared"
        return prepared, Checkpoint("result verified", False, reason), Checkpoint("log added", False, reason)
    model = path if isinstance(path, Model) else load(path)
    arrays = inputs(model) if callable(inputs) else inputs
    verified = _attempt(
        "result verified",
        lambda: check_verified(
            model, arrays, config, directory=directory, threshold=threshold, training=training, result=result
        ),
    )

    def logged() -> Checkpoint:
        return check_logged(written_log(model, arrays, config) if log is None else _read_text(log))

    return prepared, verified, _attempt("log added", logged)


def _attempt(name: Name, checked: Callable[[], Checkpoint]) -> Checkpoint:
    """A checkpoint that Paddle does not let us reach has failed; wrong input is its giver's mistake."""
    try:
        return checked()
    except InputError:
        raise
    except WorkbenchError as error:
        return Checkpoint(name, False, str(error))


def _read_text(file: str | os.PathLike[str]) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}; give the log of the program") from None
