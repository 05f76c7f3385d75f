"""What gives outputs: an engine with a config, another runtime or model, saved arrays."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.core.tensors import Array
from workbench.errors import CancelledError, ConfigError, InputError, ModelError, WorkbenchError
from workbench.models import Model, TensorInfo, load
from workbench.verifying.batches import array_files, read_arrays

TRAINING = "training"


class Source(ABC):
    """Gives the outputs for one batch after the other.

    Attributes:
        label: what it is, in words.
        session: the session that it runs, or None.
        dtypes: what is known of its outputs' dtypes, by name: numpy has no bfloat16, so no array tells of it.
    """

    label: str
    session: Session | None = None
    dtypes: Mapping[str, str]

    @abstractmethod
    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs by name, in their order.

        Raises:
            WorkbenchError: if it cannot; the message begins with its label.
        """

    def notices(self) -> list[str]:
        """What is to be said of it once it has run."""
        return []

    def close(self) -> None:  # noqa: B027 - a caller's engine is the caller's to close
        """Give up what it holds."""


class Running(Source):
    """Anything with ``run(inputs) -> outputs``: a `Session`, an engine, an object of the user's.

    Args:
        engine: what runs.
        label: what it is, in words.
        owned: whether to close it at the end.
    """

    def __init__(self, engine: Any, label: str, *, owned: bool = False) -> None:
        self.label = label
        self._engine = engine
        self._owned = owned
        self.session = engine if isinstance(engine, Session) else None
        self._inputs = _infos(engine, "inputs")
        # The training engine names its outputs, and its model says what they are.
        outputs = _infos(engine, "outputs") or _infos(getattr(engine, "model", None), "outputs") or ()
        self.dtypes = {info.name: info.dtype for info in outputs}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """Run once."""
        try:
            found = self._engine.run(self._fitting(inputs))
        except CancelledError:
            raise
        except WorkbenchError as error:
            error.args = (f"{self.label}: {error}",)
            raise
        except Exception as error:
            if type(self._engine).__module__.split(".")[0] == "workbench":
                raise
            text = f"{type(error).__name__}: {error}"
            raise WorkbenchError(f"{self.label} cannot run ({text}): mend it, or give another") from error
        if not isinstance(found, Mapping) or not found:
            raise WorkbenchError(
                f"{self.label} gave {type(found).__name__}: let its run return a dict of output name to array"
            )
        return {str(name): np.asarray(value) for name, value in found.items()}

    def _fitting(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The inputs under the names this engine has for them, without those that it has lost."""
        wanted = [info.name for info in self._inputs or ()]
        if not wanted or not set(wanted) - set(inputs):
            return {name: array for name, array in inputs.items() if not wanted or name in wanted}
        if len(wanted) == len(inputs):
            return dict(zip(wanted, inputs.values(), strict=True))
        return inputs

    def notices(self) -> list[str]:
        """Where a session's config was not given as asked."""
        if self.session is None:
            return []
        return [f"{self.label}: {text}" for text in self.session.notices]

    def close(self) -> None:
        """Close it, unless it is the caller's."""
        if self._owned:
            self._engine.close()


class Saved(Source):
    """Arrays that something gave before.

    Args:
        batches: a mapping of name to array or the path of a file of them, for each batch.
        label: what they are, in words.
    """

    def __init__(self, batches: Sequence[Any], label: str) -> None:
        self.label = label
        self.dtypes = {}
        self._count = len(batches)
        self._left: Iterator[Any] = iter(batches)
        self._used = 0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """The next batch of arrays, whatever the inputs."""
        batch = next(self._left, None)
        if batch is None:
            raise InputError(
                f"{self.label}: outputs of {self._count} batch{'es' * (self._count != 1)}, and there are "
                "more inputs: give outputs for as many batches, or fewer inputs"
            )
        self._used += 1
        arrays = read_arrays(Path(batch)) if isinstance(batch, (str, os.PathLike)) else batch
        if not isinstance(arrays, Mapping) or not arrays:
            raise InputError(
                f"{self.label}: a batch is {type(arrays).__name__}: give a dict of output name to array"
            )
        return {str(name): np.asarray(array) for name, array in arrays.items()}

    def notices(self) -> list[str]:
        """How many batches were left over."""
        if self._used == self._count:
            return []
        return [f"{self.label}: only {self._used} of {self._count} batches were compared"]


def source_of(what: Any, model: Model, config: InferenceConfig, *, time_limit: float | None = None) -> Source:
    """What a user means by something to compare with.

    Args:
        what: "training"; an `InferenceConfig`, or ``key=value,…`` as changes to ``config``, for the same
            model; another `Model` or its path, which runs under ``config``; a mapping of name to array, a
            list of those (or of files), an .npz or .npy file, or a folder of such files, a batch each; a
            `Session`; or anything with ``run(inputs) -> outputs``. Paths go before ``key=value``.
        model: the model that is looked at.
        config: its config.
        time_limit: seconds that any one native call may take.

    Raises:
        ModelError: if it is the path of no model.
        ConfigError: if it is nothing of the above.
        NativeError: if the training engine refuses the model.
    """
    if what == TRAINING and isinstance(what, str):
        from workbench.deploy.training.engines import TrainingEngine

        try:
            return Running(TrainingEngine(model), "training engine", owned=True)
        except WorkbenchError as error:
            error.args = (f"training engine: {error}",)
            raise
    if isinstance(what, InferenceConfig):
        return in_session(model, what, time_limit)
    if isinstance(what, Model):
        return in_session(what, config, time_limit, f"model {what.name}, ")
    if isinstance(what, Mapping):
        return Saved([what], "saved arrays")
    if isinstance(what, Session):
        return Running(what, f"session of {what.model.name}, {what.config.label}")
    if callable(getattr(what, "run", None)):
        return Running(what, str(getattr(what, "name", None) or type(what).__name__))
    if isinstance(what, (list, tuple)) and what:
        return Saved(what, "saved arrays")
    if isinstance(what, (str, os.PathLike)):
        return _named(os.fspath(what), model, config, time_limit)
    raise ConfigError(
        f"against is {what!r}: give 'training', an InferenceConfig, a model, saved arrays, or something that "
        "has run(inputs)"
    )


def in_session(model: Model, config: InferenceConfig, time_limit: float | None, of: str = "") -> Running:
    """The inference engine with a config, in a session of its own; ``of`` begins its label."""
    label = f"{of}inference engine, {config.label}"
    return Running(Session(model, config, time_limit=time_limit), label, owned=True)


def _named(text: str, model: Model, config: InferenceConfig, time_limit: float | None) -> Source:
    path = Path(text)
    if "=" in text and not path.exists():
        return in_session(model, InferenceConfig.parse(text, config), time_limit)
    if path.suffix in (".npz", ".npy") or _only_arrays(path):
        return Saved(array_files(path), path.name)
    try:
        found = load(path)
    except ModelError as error:
        raise ModelError(f"nothing to compare with: {error}; or give training or key=value") from None
    return source_of(found, model, config, time_limit=time_limit)


def _only_arrays(path: Path) -> bool:
    if not path.is_dir():
        return False
    suffixes = {file.suffix for file in path.iterdir() if not file.name.startswith(".")}
    return bool(suffixes) and suffixes <= {".npz", ".npy"}


def _infos(owner: Any, name: str) -> tuple[TensorInfo, ...] | None:
    found = getattr(owner, name, None)
    if isinstance(found, tuple) and all(isinstance(info, TensorInfo) for info in found):
        return found
    return None
