"""Sample models, made on this machine by its own Paddle and kept in a cache.

Each folder holds the model and ``inputs.npz``, the input arrays by name; ``digits`` also ``labels.npy``.
Weights are made once per sample, so that its layouts hold the same parameters byte for byte.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import ModelError, RuntimeMissingError, WorkbenchError
from workbench.models import find, params
from workbench.models.model import load

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]

Progress = Callable[[str], None]

_NAMES = ("digits", "resnet18", "mobilenet_v3_small", "bert_tiny", "deep")
_SCRIPT = Path(__file__).with_name("_export.py")
_NO_PADDLE = 3
_INPUTS = "inputs.npz"
_LABELS = "labels.npy"
# Counts up when the inputs below change; a change of the script changes the key by itself.
_INPUTS_VERSION = 1


def names() -> tuple[str, ...]:
    """The samples there are. ``deep`` has 200 layers and about 10,000 ops; making it takes about a minute."""
    return _NAMES


def sample(
    name: str,
    layout: str = "pir",
    *,
    progress: Progress | None = None,
    python: str | Path | None = None,
) -> Path:
    """The folder of a sample model, made at the first call and kept.

    Args:
        name: one of `names`.
        layout: one of "pir", "program", "combined" and "separate"; ``deep`` has only "pir".
        progress: called with a line of text now and then while it is made.
        python: an interpreter with Paddle in it; this one by default.

    Raises:
        ModelError: there is no such sample or layout.
        RuntimeMissingError: the interpreter has no Paddle.
        WorkbenchError: making it failed; the message holds the last line of the log.
    """
    _check_names(name, layout)
    interpreter = str(python or sys.executable)
    version = paddle_version(interpreter)
    if version is None:
        kept = sorted(_home().glob(f"paddle-*/{layout}/{name}"))
        if kept and python is None:
            return kept[-1]
        raise _no_paddle(interpreter)
    target = _home() / f"paddle-{version}" / layout / name
    if _complete(target, name):
        return target
    report = progress or _ignore
    with _scratch(target) as scratch:
        if layout in ("pir", "program"):
            state = _state(name, interpreter, report)
            _run(interpreter, ["export", name, layout, str(state), str(scratch)], report)
            _write_inputs(name, scratch)
        else:
            program = sample(name, "program", progress=progress, python=python)
            _rearrange(program, layout, scratch)
        _publish(scratch, target, name)
    return target


def write_sample(
    name: str,
    directory: str | Path,
    layout: str = "pir",
    *,
    progress: Progress | None = None,
    python: str | Path | None = None,
) -> Path:
    """Write a sample model and its inputs into a folder, which is made if need be; returns the folder.

    Raises:
        ModelError: the folder holds another model, or another file under the name of one to write.
    """
    _check_names(name, layout)
    folder = Path(directory).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder} is a file: pass a folder to write the sample to")
    source = sample(name, layout, progress=progress, python=python)
    files = [file.relative_to(source) for file in sorted(source.rglob("*")) if file.is_file()]
    if folder.is_dir():
        ours = {str(file) for file in files if _same(source / file, folder / file)}
        other = [file.name for file in find.candidates(folder) if file.name not in ours]
        if other:
            raise ModelError(f"{folder} already holds another model ({other[0]}): choose an empty folder")
        for file in files:
            if (folder / file).exists() and str(file) not in ours:
                raise ModelError(f"{folder / file} exists and is something else: choose an empty folder")
    try:
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, folder / file)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written ({error.strerror}): choose another folder") from None
    return folder


def sample_inputs(path: str | Path) -> Arrays:
    """The input arrays beside a model, by input name; ``path`` is the folder or a file in it."""
    import numpy as np

    file = _beside(path, _INPUTS)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{file} cannot be read ({error}): write the sample again") from None


def sample_labels(path: str | Path) -> np.ndarray[Any, np.dtype[Any]]:
    """The right class of each of the ``digits`` inputs."""
    import numpy as np

    file = _beside(path, _LABELS)
    try:
        labels: np.ndarray[Any, np.dtype[Any]] = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{file} cannot be read ({error}): write the sample again") from None
    return labels


def reference_outputs(name: str, *, python: str | Path | None = None) -> list[np.ndarray[Any, np.dtype[Any]]]:
    """What the layer itself, as trained, gives on the sample's inputs; computed on every call."""
    import numpy as np

    _check_names(name, "pir")
    interpreter = str(python or sys.executable)
    if paddle_version(interpreter) is None:
        raise _no_paddle(interpreter)
    state = _state(name, interpreter, _ignore)
    with tempfile.TemporaryDirectory() as folder:
        _write_inputs(name, Path(folder))
        out = Path(folder) / "outputs.npz"
        _run(interpreter, ["run", name, str(state), str(Path(folder) / _INPUTS), str(out)], _ignore)
        with np.load(out, allow_pickle=False) as arrays:
            return [arrays[key] for key in arrays.files]


def cache_dir() -> Path:
    """Where samples are kept: ``WORKBENCH_CACHE_DIR``, or the user's cache folder."""
    chosen = os.environ.get("WORKBENCH_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().resolve()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("paddle-workbench"))


def paddle_version(interpreter: str) -> str | None:
    """The Paddle release an interpreter has, found without importing it; None where it has none.

    Raises:
        RuntimeMissingError: there is no such interpreter.
    """
    code = (
        "import importlib.util, pathlib; spec = importlib.util.find_spec('paddle'); "
        "print(pathlib.Path(spec.origin).parent if spec and spec.origin else '')"
    )
    try:
        # -I keeps the caller's folder off the search path, where a folder named paddle may lie.
        found = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeMissingError(
            f"the interpreter {interpreter} cannot be started ({error.strerror}): pass the path of a python "
            "that has Paddle in it"
        ) from None
    package = found.stdout.strip()
    if not package:
        return None
    try:
        text = (Path(package) / "version" / "__init__.py").read_text()
    except OSError:
        return None
    match = re.search(r"full_version\s*=\s*['\"]([\w.+-]+)['\"]", text)
    return match.group(1) if match else "unknown"


def _check_names(name: str, layout: str) -> None:
    if name not in _NAMES:
        raise ModelError(f"there is no sample {name!r}: choose one of {', '.join(_NAMES)}")
    if layout not in find.LAYOUTS:
        raise ModelError(f"there is no layout {layout!r}: choose one of {', '.join(find.LAYOUTS)}")
    if name == "deep" and layout != "pir":
        raise ModelError(
            f"the sample deep exists only in the layout pir, not {layout}: Paddle takes minutes to open a "
            "Program IR model of that size; choose pir, or the sample bert_tiny"
        )


def _home() -> Path:
    key = hashlib.sha256(_SCRIPT.read_bytes() + bytes([_INPUTS_VERSION])).hexdigest()[:12]
    return cache_dir() / "samples" / key


def _complete(folder: Path, name: str) -> bool:
    """Whether a cached sample is whole: cleaners of cache folders may have taken parts of it."""
    wanted = [_INPUTS, _LABELS] if name == "digits" else [_INPUTS]
    if not all((folder / file).is_file() for file in wanted):
        return False
    try:
        load(folder)
    except ModelError:
        return False
    return True


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` to work in, gone afterwards."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise WorkbenchError(
            f"the cache {cache_dir()} cannot be written ({error.strerror}): set WORKBENCH_CACHE_DIR to a "
            "folder that can"
        ) from None
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _publish(scratch: Path, target: Path, name: str) -> None:
    """Move a finished folder to its place; another process may have been there first."""
    scratch.chmod(0o755)
    for _ in range(2):
        try:
            scratch.rename(target)
            return
        except OSError:
            if _complete(target, name):
                return
            # A damaged old one: nobody can be using it.
            shutil.rmtree(target, ignore_errors=True)
    raise WorkbenchError(f"the cache folder {target} cannot be replaced: remove it by hand")


def _state(name: str, interpreter: str, report: Progress) -> Path:
    """The weights of a sample, made by whoever comes first and then the same for every layout."""
    import numpy as np

    target = _home() / "weights" / f"{name}.npz"
    if target.is_file():
        return target
    with _scratch(target) as scratch:
        arguments = ["state", name, str(scratch / "state.npz")]
        if name == "digits":
            train, _ = _digits()
            np.savez(scratch / "train.npz", images=train[0], labels=train[1])
            arguments.append(str(scratch / "train.npz"))
        report(f"making the weights of {name}")
        _run(interpreter, arguments, report)
        try:
            # Unlike a rename, a link does not replace the file of a process that was faster.
            target.hardlink_to(scratch / "state.npz")
        except FileExistsError:
            pass
        except OSError:
            (scratch / "state.npz").rename(target)
    return target


def _run(interpreter: str, arguments: list[str], report: Progress) -> None:
    environment = dict(os.environ, GLOG_minloglevel="2", PYTHONIOENCODING="utf-8")
    environment.pop("FLAGS_enable_pir_api", None)
    command = [interpreter, str(_SCRIPT), *arguments]
    last = ""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("@ "):
                    report(line[2:].strip())
                elif line.strip():
                    last = line.strip()
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    if code == _NO_PADDLE:
        raise _no_paddle(interpreter, last)
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise WorkbenchError(
            f"making the sample {arguments[1]} failed: {interpreter} {how}: {last or 'no log'}"
        )


def _no_paddle(interpreter: str, detail: str = "") -> RuntimeMissingError:
    why = f" ({detail})" if detail else ""
    return RuntimeMissingError(
        f'the interpreter {interpreter} has no Paddle{why}: pip install "paddle-workbench[cpu]", or pass '
        "another interpreter"
    )


def _rearrange(program: Path, layout: str, folder: Path) -> None:
    """The combined or the separate layout from the ``.pdmodel`` one."""
    model = load(program)
    assert model.model_file is not None and model.params_file is not None
    if layout == "combined":
        shutil.copyfile(model.model_file, folder / "model")
        shutil.copyfile(model.params_file, folder / "params")
    else:
        shutil.copyfile(model.model_file, folder / "__model__")
        params.split(model.params_file, model.weights, folder)
    for extra in (_INPUTS, _LABELS):
        if (program / extra).is_file():
            shutil.copyfile(program / extra, folder / extra)


def _write_inputs(name: str, folder: Path) -> None:
    import numpy as np

    random = np.random.default_rng(7)
    arrays: Arrays
    if name == "digits":
        _, (images, labels) = _digits()
        arrays = {"image": images}
        np.save(folder / _LABELS, labels)
    elif name in ("resnet18", "mobilenet_v3_small"):
        arrays = {"image": _picture()}
    else:
        length = 128 if name == "bert_tiny" else 32
        ids = random.integers(1, 1024, (2, length), dtype=np.int64)
        mask = np.ones_like(ids)
        # The second sequence is shorter, so that the mask has something to hide.
        mask[1, length // 2 :] = 0
        types = np.zeros_like(ids)
        types[:, length // 4 :] = 1
        arrays = {"input_ids": ids * mask, "token_type_ids": types * mask, "attention_mask": mask}
    np.savez(str(folder / _INPUTS), **arrays)  # type: ignore[arg-type]


def _picture() -> np.ndarray[Any, np.dtype[Any]]:
    """A made picture, normalised: a bright disc on a slope with waves, one to three per colour."""
    import numpy as np

    y, x = np.mgrid[0:224, 0:224].astype(np.float32) / 224
    disc = (x - 0.4) ** 2 + (y - 0.55) ** 2 < 0.06
    channels = [np.sin((3 + 2 * k) * (x + (k - 1) * y)) + x * (k - 1) + disc * (2 - k) for k in range(3)]
    picture = np.stack(channels)[None].astype(np.float32)
    normal: np.ndarray[Any, np.dtype[Any]] = (picture - picture.mean()) / picture.std()
    return normal


def _digits() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Real handwritten digits, 8 × 8, as (images, labels) to train on and held out."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    images = (data.images / 16).astype(np.float32)[:, None]
    labels = data.target.astype(np.int64)
    train, held, train_labels, held_labels = train_test_split(
        images, labels, test_size=0.25, random_state=0, stratify=labels
    )
    return (train, train_labels), (held, held_labels)


def _beside(path: str | Path, name: str) -> Path:
    given = Path(path).expanduser()
    folder = given if given.is_dir() else given.parent
    file = folder / name
    if not file.is_file():
        raise ModelError(f"{folder} has no {name}: pass the folder of a sample, or your own inputs")
    return file


def _same(first: Path, second: Path) -> bool:
    if not second.is_file() or first.stat().st_size != second.stat().st_size:
        return False
    return first.read_bytes() == second.read_bytes()


def _ignore(_: str) -> None:
    """Progress nobody asked for."""
