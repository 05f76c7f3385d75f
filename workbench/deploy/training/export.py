"""From training to an inference model: from a layer, or from a network function and its persistable model.

`export_layer` turns a layer static and saves it; `export_persistable` does the same for the variables of a
static training run. `check_export` is the acceptance: the files are there, and the model answers as before.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.config import InferenceConfig
from workbench.deploy.training.common import one_line, training_side
from workbench.deploy.training.comparison import Comparison, Difference, compare
from workbench.deploy.training.conversion import (
    check_layout,
    convert,
    model_file_name,
    new_model,
    write_layout,
)
from workbench.deploy.training.engines import Engine, LayerEngine, SessionEngine
from workbench.deploy.training.layers import (
    for_inference,
    make_layer,
    several_outputs,
    unchanged,
    with_softmax,
)
from workbench.deploy.training.legacy_ops import legacy_ops
from workbench.deploy.training.network import Network, assemble
from workbench.deploy.training.specs import check_count, input_infos
from workbench.deploy.training.static import IR, fresh_conversion, has_pir, paddle_dynamic
from workbench.errors import ConfigError, ModelError, WorkbenchError
from workbench.models import Layout, Model, TensorInfo, load

# Of an output's largest magnitude. Fused and reordered arithmetic in float32 stays well within it.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Acceptance:
    """Whether an export is accepted.

    Attributes:
        passed: whether it is.
        reason: why, in one sentence.
        files: the files of the model, sorted, as paths from its folder.
        comparison: the outputs beside each other; None where files are missing.
        tolerance: the largest difference allowed, relative to an output's largest magnitude.
    """

    passed: bool
    reason: str
    files: tuple[str, ...]
    comparison: Comparison | None
    tolerance: float

    def facts(self) -> dict[str, Any]:
        """The same as plain values, without the arrays."""
        return {
            "passed": self.passed,
            "reason": self.reason,
            "tolerance": self.tolerance,
            "files": list(self.files),
            **({} if self.comparison is None else self.comparison.facts()),
        }

    def __str__(self) -> str:
        verdict = f"{'passed' if self.passed else 'failed'}: {self.reason}"
        return verdict if self.comparison is None else f"{verdict}\n{self.comparison}"


def export_layer(
    layer: Any,
    directory: str | os.PathLike[str],
    inputs: Sequence[Any],
    *,
    layout: Layout = "pir",
    softmax: bool = False,
    name: str = "inference",
    overwrite: bool = False,
    weights: str | os.PathLike[str] | None = None,
) -> Model:
    """Turn a layer static, for inference, and save it. The layer stays as it is.

    Args:
        layer: a ``paddle.nn.Layer``, or what makes one: its class or a function.
        directory: the folder to write to, made if need be; it must not hold another model.
        inputs: what goes into the layer, in the order of its ``forward``: ``("ids", "int64", [None, 128])``,
            ``"ids:int64:None,128"`` or an ``InputSpec`` each. Leave the batch open (None).
        layout: "pir" writes ``.json`` and ``.pdiparams``; "program" ``.pdmodel``, ``.pdiparams`` and
            ``.pdiparams.info``; "combined" ``model`` and ``params``; "separate" ``__model__`` and a file per
            parameter.
        softmax: add a softmax over the last dimension of its one output, for a classifier trained without.
        name: what the files of the first two layouts begin with.
        overwrite: replace a model of the same file name.
        weights: a ``.pdparams`` of ``paddle.save(layer.state_dict(), …)`` to load into the layer first.

    Returns:
        The model that was written, checked.

    Raises:
        ConfigError: if ``softmax`` is neither True nor False.
        InputError: if ``inputs`` says none.
        ModelError: if it is no layer, cannot be turned static, or the folder is not free; nothing is left
            behind.
    """
    check_layout(layout)
    if not isinstance(softmax, bool):
        raise ConfigError(f"softmax is {softmax!r}; give True or False")
    model_file = model_file_name(layout, name)
    ir: IR = "pir" if layout == "pir" else "program"
    with (
        new_model(directory, layout, name, overwrite) as folder,
        training_side,
        paddle_dynamic(ir) as paddle,
    ):
        if ir == "pir" and not has_pir(paddle):
            raise ModelError(
                f"Paddle {paddle.__version__} cannot write the layout pir, 3.0 and newer can: choose program"
            )
        made = make_layer(paddle, layer, weights)
        infos = input_infos(inputs, made.forward)
        check_count(made.forward, infos, type(made).__name__)
        if layout in ("pir", "program"):
            _save(paddle, made, folder / name, infos, ir, softmax)
        else:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                _save(paddle, made, Path(scratch) / name, infos, ir, softmax)
                write_layout(load(Path(scratch) / f"{name}.pdmodel"), folder, layout, name)
        load(folder / model_file)
    return load(Path(directory).expanduser() / model_file)


def _save(paddle: Any, layer: Any, prefix: Path, infos: Sequence[TensorInfo], ir: IR, softmax: bool) -> None:
    """Turn the layer static and write the files that begin with ``prefix``."""
    whole = with_softmax(paddle, layer) if softmax else layer
    specs: list[Any] = [
        paddle.static.InputSpec([None if size == -1 else size for size in info.shape], info.dtype, info.name)
        for info in infos
    ]
    legacy = legacy_ops(paddle) if ir == "program" else contextlib.nullcontext()
    with (
        unchanged(whole),
        for_inference(whole),
        legacy,
        fresh_conversion(paddle),
        warnings.catch_warnings(),
    ):
        try:
            warnings.filterwarnings("ignore", message="no variable in your model")
            static = paddle.jit.to_static(whole, input_spec=[specs] if softmax else specs, full_graph=True)
            paddle.jit.save(static, str(prefix))
        except WorkbenchError:
            raise
        except Exception as error:
            raise ModelError(_refusal(paddle, layer, ir, one_line(error))) from error
        if softmax and whole.count != 1:
            raise ModelError(several_outputs(whole.count))
    params = prefix.with_name(f"{prefix.name}.pdiparams")
    if ir == "program" and not params.exists():
        # Without parameters it is empty: Program IR does not open without it, PIR not with it.
        params.touch()


def _refusal(paddle: Any, layer: Any, ir: IR, reason: str) -> str:
    label = type(layer).__name__
    if unused := re.search(r"'(\S+)' doesn't exist in pruned inference program", reason):
        return (
            f"{label} does not use its input {unused[1]!r}: "
            "export it without that input, with a default for it in forward"
        )
    if "is not involved in the target_vars" in reason:
        return (
            f"{label} does not use one of its inputs, or keeps a tensor of an earlier call in an attribute: "
            "export it without that, or newly made"
        )
    if ir == "program":
        return (
            f"{label} cannot be turned into Program IR by Paddle {paddle.__version__} ({reason}): "
            "export it in the layout pir, or mend its forward"
        )
    return (
        f"{label} cannot be turned static by Paddle {paddle.__version__} ({reason}): "
        "mend its forward for paddle.jit.to_static, or the inputs"
    )


def export_persistable(
    network: Network,
    persistables: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    layout: Layout = "combined",
    name: str = "inference",
    overwrite: bool = False,
    runtime: str = "default",
) -> Model:
    """Save a network function and its persistable model as an inference model.

    Args:
        network: builds the static graph and returns its inputs and outputs; see `assemble`.
        persistables: the folder of ``save_persistables``, its combined file, or a ``.pdparams``.
        directory: the folder to write to, made if need be; it must not hold another model.
        layout: as of `export_layer`; "pir" is translated from Program IR.
        name: what the files of the layouts "pir" and "program" begin with.
        overwrite: replace a model of the same file name.
        runtime: the Paddle that translates to PIR.

    Returns:
        The model that was written, checked.

    Raises:
        ModelError: if the function builds no graph, the variables are not this network's, or the folder is
            not free; nothing is left behind.
    """
    check_layout(layout)
    return convert(
        assemble(network, persistables), directory, layout, name=name, overwrite=overwrite, runtime=runtime
    )


def check_export(
    model: Model | str | os.PathLike[str],
    reference: Any,
    inputs: Mapping[str, Any],
    *,
    softmax: bool = False,
    tolerance: float = TOLERANCE,
    config: InferenceConfig | None = None,
) -> Acceptance:
    """Accept an export or not: the files are there, and the model answers as what it was made from.

    Args:
        model: what was exported, or its path.
        reference: what it was made from: the layer, or any `Engine`.
        inputs: an array for every input, by name; for a layer in the order of its ``forward``.
        softmax: whether the layer was exported with a softmax added.
        tolerance: the largest difference, relative to the output's largest magnitude (1e-5 by default).
        config: what to ask of the inference engine; the default config if None.

    Returns:
        The verdict with its reason; a difference or a missing file is no error.

    Raises:
        InputError: for inputs that do not fit.
        WorkbenchError: if one of the two cannot run.
    """
    try:
        found = model if isinstance(model, Model) else load(model)
    except ModelError as error:
        return Acceptance(False, str(error), (), None, tolerance)
    if isinstance(reference, Engine):
        engine = reference
    else:
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        specs = [(name, str(array.dtype), array.shape) for name, array in arrays.items()]
        engine = LayerEngine(reference, specs, softmax=softmax)
    files, missing = _files(found, of_layer=isinstance(engine, LayerEngine))
    if missing:
        return Acceptance(False, f"{missing[0]} is not there", files, None, tolerance)
    with SessionEngine(found, config) as exported:
        comparison = compare([engine, exported], inputs)
    return _judge(files, comparison, tolerance)


def _files(model: Model, *, of_layer: bool) -> tuple[tuple[str, ...], list[str]]:
    """The files of the model that are there, and those that are not."""
    wanted = list(model.files)
    if of_layer and model.layout == "program" and model.weights:
        # Saving a layer as .pdmodel writes a third file, for loading it back into training.
        wanted.append(_info_file(model))
    return file_names(model)[1], [str(file) for file in wanted if not file.is_file()]


def file_names(model: Model) -> tuple[Path, tuple[str, ...]]:
    """The folder of a model and the names of its files that are there, ``.pdiparams.info`` among them."""
    folder = Path() if model.model_file is None else model.model_file.parent
    files = {*model.files, *([_info_file(model)] if model.layout == "program" and model.files else [])}
    # Parameters that were given apart may lie elsewhere.
    names = (
        file.relative_to(folder) if file.is_relative_to(folder) else file for file in files if file.is_file()
    )
    return folder, tuple(sorted(map(str, names)))


def _info_file(model: Model) -> Path:
    assert model.model_file is not None
    return model.model_file.with_suffix(".pdiparams.info")


def _judge(files: tuple[str, ...], comparison: Comparison, tolerance: float) -> Acceptance:
    wrong = [one for one in comparison.differences if not one.within(tolerance)]
    if comparison.remark or wrong:
        reason = (
            comparison.remark or f"output {wrong[0].output!r} {_in_words(wrong[0])}, allowed is {tolerance:g}"
        )
        return Acceptance(False, reason, files, comparison, tolerance)
    largest = max((one.max_rel or 0.0 for one in comparison.differences), default=0.0)
    identical = all(one.identical for one in comparison.differences)
    how = "are identical" if identical else f"differ by at most {largest:.3g} of their largest magnitude"
    there = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    reason = f"{there} there, and the outputs {how}"
    return Acceptance(True, reason, files, comparison, tolerance)


def _in_words(one: Difference) -> str:
    if one.max_abs is None:
        return f"cannot be compared ({one.remark})"
    if one.max_rel is None:
        return f"differs by {one.max_abs:.3g} where there are zeros alone"
    return f"differs by {one.max_rel:.3g} of its largest magnitude"
