"""From one of the four layouts to another.

Program IR's three layouts hold the same bytes under other names and in other cuts. From Program IR to PIR,
Paddle translates the program; the parameters stay as they are. From PIR back there is no way.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from workbench.config import InferenceConfig
from workbench.core import Session, interpreter
from workbench.errors import ModelError, RuntimeMissingError, WorkbenchError
from workbench.models import LAYOUTS, Layout, Model, TensorInfo, find, load
from workbench.models import params as params_format

_SCRIPT = Path(__file__).with_name("_to_pir.py")
_NO_PADDLE = 3
_TOO_OLD = 4
_TIME_LIMIT_S = 600


def convert(
    model: Model | str | os.PathLike[str],
    directory: str | os.PathLike[str],
    layout: Layout,
    *,
    name: str = "inference",
    overwrite: bool = False,
    runtime: str = "default",
) -> Model:
    """Write a model in another layout.

    Args:
        model: a `Model`, or the path of one.
        directory: the folder to write to, made if need be; it must not hold another model.
        layout: "pir", "program", "combined" or "separate".
        name: what the files of the layouts "pir" and "program" begin with; the others have fixed names.
        overwrite: replace a model of the same file name.
        runtime: the Paddle that translates to PIR; nothing else here needs one.

    Returns:
        The model that was written, checked. Its outputs may have other names.

    Raises:
        ModelError: from PIR to another layout; if the model cannot be translated; if the folder is not free.
        RuntimeMissingError: if the runtime has no Paddle.
    """
    source = model if isinstance(model, Model) else load(model)
    check_layout(layout)
    if source.ir == "pir" and layout != "pir":
        raise ModelError(
            f"{source.path or source.name} is PIR, and Paddle has no way from PIR to {layout}: "
            "export the layer again as .pdmodel (workbench export … --layout program)"
        )
    with new_model(directory, layout, name, overwrite) as folder:
        write_layout(source, folder, layout, name, runtime)
    return load(Path(directory).expanduser() / model_file_name(layout, name))


def write_layout(source: Model, folder: Path, layout: Layout, name: str, runtime: str = "default") -> None:
    """Write a model into an empty folder, in a layout that its IR can be had in."""
    program = folder / model_file_name(layout, name)
    weights = source.weights
    translated = layout == "pir" and source.ir == "program"
    if translated:
        _translate(source, program, runtime)
        # A translation may have dropped what nothing used.
        weights = Model(layout="pir", ir="pir", name=source.name, model_file=program).weights
    elif source.model_file is None:
        program.write_bytes(source.model_bytes or b"")
    else:
        shutil.copyfile(source.model_file, program)
    if layout == "separate":
        _write_separate(source, folder)
    elif weights or layout != "pir":
        # Without parameters the file is empty: Program IR does not open without it, PIR not with it.
        _write_combined(source, weights, folder / ("params" if layout == "combined" else f"{name}.pdiparams"))
    if translated:
        _check_translated(source, load(program), runtime)


def check_layout(layout: str) -> None:
    """Refuse what is no layout.

    Raises:
        ModelError: which names the four.
    """
    if layout not in LAYOUTS:
        raise ModelError(f"there is no layout {layout!r}: choose one of {', '.join(LAYOUTS)}")


def model_file_name(layout: Layout, name: str) -> str:
    """The name of the program's file.

    Raises:
        ModelError: if ``name`` is no file name.
    """
    if not name or name in (".", "..") or Path(name).name != name:
        raise ModelError(f"{name!r} is no file name: give a name such as inference, without a folder")
    return {
        "pir": f"{name}.json",
        "program": f"{name}.pdmodel",
        "combined": "model",
        "separate": "__model__",
    }[layout]


@contextmanager
def new_model(
    directory: str | os.PathLike[str], layout: Layout, name: str, overwrite: bool
) -> Iterator[Path]:
    """A scratch folder whose files move to ``directory`` when the block ends well, and go when it does not.

    Raises:
        ModelError: if ``directory`` is no folder, holds another model, or cannot be written.
    """
    target = Path(directory).expanduser()
    _check_free(target, model_file_name(layout, name), overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _not_writable(target, error) from None
    try:
        yield scratch
        _publish(scratch, target)
    except OSError as error:
        raise _not_writable(target, error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_free(target: Path, model_file: str, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise ModelError(f"{target} is a file: give a folder to write to")
    if not target.is_dir():
        return
    others = [file.name for file in find.candidates(target) if file.name != model_file]
    if others:
        raise ModelError(f"{target} already holds another model ({others[0]}): choose another folder")
    if (target / model_file).exists() and not overwrite:
        raise ModelError(
            f"{target} already holds {model_file}: choose another folder, "
            "or overwrite it (overwrite=True, --overwrite)"
        )


def _publish(scratch: Path, target: Path) -> None:
    """Move the files; the program comes last, so that a model whose parts are there is whole."""
    target.mkdir(exist_ok=True)
    programs = find.candidates(scratch)
    files = [file for file in sorted(scratch.rglob("*")) if file.is_file() and file not in programs]
    for file in (*files, *programs):
        place = target / file.relative_to(scratch)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    for program in programs:
        # Of a model that was here before, which had files that this one has not.
        for suffix in (".pdiparams", ".pdiparams.info"):
            if program.with_suffix(suffix) not in files and program.suffix:
                (target / program.name).with_suffix(suffix).unlink(missing_ok=True)


def _not_writable(target: Path, error: OSError) -> ModelError:
    return ModelError(f"{target} cannot be written ({error.strerror or error}): choose another folder")


def _write_separate(source: Model, folder: Path) -> None:
    if source.model_dir is not None:
        for info in source.weights:
            place = params_format.parameter_path(folder, info.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(params_format.parameter_path(source.model_dir, info.name), place)
    elif source.weights:
        params_format.split(source.params_file or source.params_bytes or b"", source.weights, folder)


def _write_combined(source: Model, weights: Sequence[TensorInfo], params_file: Path) -> None:
    if source.model_dir is not None:
        params_format.join(source.model_dir, weights, params_file)
    elif len(weights) < len(source.weights):
        with tempfile.TemporaryDirectory(dir=params_file.parent) as parts:
            _write_separate(source, Path(parts))
            params_format.join(Path(parts), weights, params_file)
    elif source.params_file is not None:
        shutil.copyfile(source.params_file, params_file)
    else:
        params_file.write_bytes(source.params_bytes or b"")


def _translate(source: Model, program: Path, runtime: str) -> None:
    python = interpreter(runtime)
    with tempfile.TemporaryDirectory() as scratch:
        given = source.model_file
        if given is None:
            given = Path(scratch) / "model.pdmodel"
            given.write_bytes(source.model_bytes or b"")
        prefix = program.absolute().with_suffix("")
        command = [python, str(_SCRIPT), str(given.absolute()), str(Path(scratch) / prefix.name)]
        environment = dict(os.environ, GLOG_minloglevel="2", PYTHONIOENCODING="utf-8")
        environment.pop("FLAGS_enable_pir_api", None)
        try:
            ran = subprocess.run(
                command,
                cwd=scratch,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIME_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ModelError(
                f"{source.path or source.name} was not translated to PIR within {_TIME_LIMIT_S} s: "
                "keep it as Program IR"
            ) from None
        lines = [line.strip() for line in ran.stdout.splitlines() if line.strip()]
        last = lines[-1] if lines else "no log"
        if ran.returncode == _NO_PADDLE:
            raise RuntimeMissingError(
                f"the runtime {runtime} has no Paddle to translate with ({last}): "
                "give the name or the python of one that has"
            )
        if ran.returncode == _TOO_OLD:
            raise ModelError(f"{last}: translate with a runtime of Paddle 3.0 or newer")
        if ran.returncode:
            how = f"was killed by signal {-ran.returncode}" if ran.returncode < 0 else "could not"
            raise ModelError(
                f"{source.path or source.name} cannot be translated to PIR, Paddle {how} ({last}): "
                "keep it as Program IR, or export the layer again as pir"
            )
        shutil.move(f"{Path(scratch) / prefix.name}.json", program)


def _check_translated(source: Model, found: Model, runtime: str) -> None:
    """A translation must have the same inputs and outputs and open in Paddle."""
    why = ""
    if [info.name for info in found.inputs] != [info.name for info in source.inputs]:
        why = f"its inputs became {', '.join(info.name for info in found.inputs)}"
    elif len(found.outputs) != len(source.outputs):
        why = f"its {len(source.outputs)} outputs became {len(found.outputs)}"
    else:
        try:
            with Session(found, InferenceConfig(onednn=False, ir_optim=False, runtime=runtime)) as session:
                session.load()
        except WorkbenchError as error:
            why = str(error)
    if why:
        raise ModelError(
            f"{source.path or source.name} cannot be translated to PIR ({why}): keep it as Program IR, "
            "or export the layer again as pir"
        )
