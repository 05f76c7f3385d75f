"""The deployment template as a class to subclass.

An inference program has four parts: load the predictor, preprocess, run, postprocess. `InferenceEngine` has a
method for each, over a `Session`, so that Paddle runs in a worker and a damaged model ends no program.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from workbench.config import InferenceConfig
from workbench.core import Session
from workbench.deploy.fallback import without_tensorrt
from workbench.errors import ConfigError, InputError, ModelError, WorkbenchError
from workbench.models import Model

if TYPE_CHECKING:
    from workbench.deploy.runlog import AutoLogger

Array: TypeAlias = npt.NDArray[Any]
# One array for a model with one input or output, else a dict of them by name.
Tensors: TypeAlias = "Array | Mapping[str, Array]"
Item = TypeVar("Item")
Engine = TypeVar("Engine", bound="InferenceEngine")


class InferenceEngine:
    """Loads a model, and takes items through preprocess, run and postprocess.

    Subclass it and define `preprocess`; define `postprocess` too where the raw outputs are not the result.

    Attributes:
        session: the session that runs the model.
        config: what was asked for.

    Args:
        model: a `Model`, or the path of one.
        config: what to ask for; the default config if None.
        strict: stop where what is given is not what was asked for, rather than go on with a notice.
        time_limit: seconds that any one native call may take; None for no limit.

    Raises:
        ConfigError: with ``strict``, if asked and given differ.
        WorkbenchError: if the model cannot be loaded.

    Example:
        >>> class Doubler(InferenceEngine):
        ...     def preprocess(self, item):
        ...         return numpy.load(item)[None]
        >>> with Doubler("model.json") as engine:
        ...     results = list(engine.predict(["a.npy", "b.npy"]))
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        config: InferenceConfig | None = None,
        *,
        strict: bool = False,
        time_limit: float | None = None,
    ) -> None:
        self.time_limit = time_limit
        asked = InferenceConfig() if config is None else config
        self._without: tuple[str, ...] = ()
        if not strict:
            asked, self._without = without_tensorrt(asked)
        self.session = self.load_predictor(model, asked)
        self.config = self.session.config
        differences = self.session.notices
        if strict and differences:
            self.session.close()
            raise ConfigError(f"strict: {differences[0]}; ask for what there is, or leave out strict")

    # The four parts

    def load_predictor(self, model: Model | str | os.PathLike[str], config: InferenceConfig) -> Session:
        """Create the session and load the model."""
        session = Session(model, config, time_limit=self.time_limit)
        try:
            session.load()
        except BaseException:
            session.close()
            raise
        return session

    def preprocess(self, item: Any) -> Tensors:
        """What the model takes for one item, such as the path of a picture; for a subclass to define.

        Returns:
            An array with its batch axis of 1, such as 1×3×224×224; for several inputs a dict by name.
        """
        raise WorkbenchError(
            f"{type(self).__name__} does not say how to preprocess {item!r}: "
            "define preprocess(self, item) that returns the model's input array"
        )

    def run(self, inputs: Tensors) -> Tensors:
        """Run the model once.

        Args:
            inputs: an array, or for several inputs a dict of them by name.

        Returns:
            The output array, or for several outputs a dict of them by name.

        Raises:
            InputError: if the arrays do not fit the model.
            WorkbenchError: as `Session.run`.
        """
        outputs = self.session.run(self._by_name(inputs))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def postprocess(self, outputs: Tensors) -> Any:
        """The result for one item, from what `run` gave for it, batch axis included; just that by default."""
        return outputs

    # All of it

    def predict(
        self, items: Iterable[Any], batch_size: int = 1, *, log: AutoLogger | None = None
    ) -> Iterator[Any]:
        """Take items through the three steps, batch by batch.

        Args:
            items: what `preprocess` takes, one after the other.
            batch_size: items to run at once; their arrays are joined along the first axis.
            log: takes the times of the three steps, one measurement per batch.

        Returns:
            An iterator over what `postprocess` gives for each item, in order. A batch runs when its first
            result is asked for.

        Raises:
            InputError: if the arrays of a batch cannot be joined or do not fit the model.
            WorkbenchError: as `Session.run`.
        """
        check_count("batch_size", batch_size)
        return (result for _, result in self._predict(items, batch_size, self.postprocess, log))

    def _predict(
        self,
        items: Iterable[Item],
        batch_size: int,
        postprocess: Callable[[Tensors], Any],
        log: AutoLogger | None,
    ) -> Iterator[tuple[Item, Any]]:
        """Each item with its result; without those that `_prepare` leaves out."""
        for batch in _batches(items, batch_size):
            if log is not None:
                log.times.start()
            taken = [(item, array) for item in batch if (array := self._prepare(item)) is not None]
            if not taken:
                continue
            arrays = [array for _, array in taken]
            inputs = arrays[0] if batch_size == 1 else self._join(arrays, batch_size)
            if log is not None:
                log.times.stamp()
            outputs = self.run(inputs)
            if log is not None:
                log.times.stamp()
            parts = [outputs] if batch_size == 1 else _split(outputs, len(taken))
            results = [postprocess(part) for part in parts]
            if log is not None:
                log.times.stamp()
                log.times.end()
            yield from zip([item for item, _ in taken], results, strict=True)

    def _prepare(self, item: Any) -> Tensors | None:
        """What `preprocess` gives, or None to leave the item out."""
        return self.preprocess(item)

    def _by_name(self, tensors: Tensors) -> Mapping[str, Array]:
        if isinstance(tensors, Mapping):
            return tensors
        names = [info.name for info in self.model.inputs]
        if len(names) != 1:
            raise InputError(
                f"the model has {len(names)} inputs: give a dict with an array for each of {', '.join(names)}"
            )
        return {names[0]: tensors}

    def _join(self, items: Sequence[Tensors], batch_size: int) -> Tensors:
        """One batch of the items; filled up with its last item where the model takes whole batches only."""
        named = [self._by_name(item) for item in items]
        if any(info.shape and info.shape[0] == batch_size for info in self.model.inputs):
            named += [named[-1]] * (batch_size - len(named))
        missing = [name for item in named for name in named[0] if name not in item]
        if missing:
            raise InputError(f"preprocess gave input {missing[0]!r} for some items only: give it for all")
        joined: dict[str, Array] = {}
        for name in named[0]:
            arrays = [item[name] for item in named]
            shapes = dict.fromkeys(np.shape(array) for array in arrays)
            if len(shapes) > 1 or next(iter(shapes))[:1] != (1,):
                seen = " and ".join("×".join(map(str, shape)) or "no axis" for shape in shapes)
                raise InputError(
                    f"input {name!r} cannot be joined to a batch: preprocess gave {seen}; have it give the "
                    "same shape each time, with a batch axis of 1 in front, or choose batch_size=1"
                )
            joined[name] = np.concatenate(arrays)
        return joined

    # What it is

    @property
    def model(self) -> Model:
        """The model."""
        return self.session.model

    @property
    def notices(self) -> tuple[str, ...]:
        """What its user should know, a sentence each: first of all, where asked and given differ."""
        return (*self._without, *self.session.notices)

    def close(self) -> None:
        """End the worker."""
        self.session.close()

    def __enter__(self: Engine) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _split(outputs: Tensors, count: int) -> list[Tensors]:
    """What each of the first ``count`` items of a batch has in the outputs, batch axis kept."""
    if not isinstance(outputs, Mapping):
        _check_rows("the output", outputs, count)
        return [outputs[i : i + 1] for i in range(count)]
    for name, array in outputs.items():
        _check_rows(f"output {name!r}", array, count)
    return [{name: array[i : i + 1] for name, array in outputs.items()} for i in range(count)]


def _check_rows(what: str, array: Array, count: int) -> None:
    if array.ndim == 0 or len(array) < count:
        shape = "×".join(map(str, array.shape)) or "a single number"
        raise ModelError(
            f"{what} is {shape} for a batch of {count}, without a row per item: choose batch_size=1"
        )


def check_count(name: str, value: int) -> None:
    """Check a number of things: a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is {value!r}; give a whole number from 1")


def sides(shape: Sequence[int]) -> str:
    """A shape in words, such as 1×3×any×any."""
    return "×".join("any" if size == -1 else str(size) for size in shape) or "none"
