"""A model on disk or in memory: its files, checked, and what can be read off them without Paddle."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from workbench.errors import ModelError, WorkbenchError
from workbench.models import params as params_format
from workbench.models.find import Layout, locate
from workbench.models.sniff import check_whole, sniff
from workbench.models.tensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    from workbench.ir import Graph

T = TypeVar("T")

_GENERIC_NAMES = ("inference", "model", "__model__")


@dataclass(frozen=True)
class Model:
    """A Paddle inference model whose files were found and checked; made by `load` and `from_bytes`.

    Attributes:
        layout: which of the four layouts the files are in; in memory "pir" or "program".
        ir: which intermediate representation the program is in.
        name: a short name for people, from the file or, where that says nothing, from its folder.
        model_file: the program, or None in memory.
        params_file: the combined parameter file, or None (in memory, in the separate layout, or where
            the program has no parameters).
        model_dir: the folder with one file per parameter; separate layout only.
        model_bytes: the program of a model in memory, else None.
        params_bytes: the parameters of a model in memory, else None.
    """

    layout: Layout
    ir: Literal["pir", "program"]
    name: str
    model_file: Path | None = None
    params_file: Path | None = None
    model_dir: Path | None = None
    model_bytes: bytes | None = field(default=None, repr=False)
    params_bytes: bytes | None = field(default=None, repr=False)

    @property
    def path(self) -> Path | None:
        """What to pass to `load` to get this model again; None in memory."""
        return self.model_file

    @cached_property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The inputs, in the order and by the names the predictor gives."""
        return self._feeds[0]

    @cached_property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The outputs, in the order and by the names the predictor gives."""
        return self._feeds[1]

    @cached_property
    def weights(self) -> tuple[TensorInfo, ...]:
        """The parameters, sorted by name, which is the order of the combined file."""
        if self.ir == "pir":
            named = {
                value.name: _info(value.name, value.dtype, value.shape)
                for value in self._graph.parameters
                # A layer's state that is not trained, such as an LSTM's for dropout, is saved in no file.
                if value.name and "__non_persistable" not in value.name
            }
            return tuple(named[name] for name in sorted(named))
        from workbench.ir.program import parameter_names

        return tuple(_info(*variable) for variable in _read(self._label, parameter_names, self._program()))

    @cached_property
    def ops(self) -> int:
        """The number of operations, feed and fetch included, parameters and constants not."""
        return len(self._graph.ops)

    @cached_property
    def parameters(self) -> int:
        """The number of scalar weights."""
        return sum(prod(tensor.shape) for tensor in self.stored)

    @property
    def parameter_tensors(self) -> int:
        """The number of parameter tensors."""
        return len(self.weights)

    @cached_property
    def bytes(self) -> int:
        """The size of the program and the parameters together."""
        if self.model_bytes is not None:
            return len(self.model_bytes) + len(self.params_bytes or b"")
        return sum(file.stat().st_size for file in self.files)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The program and then the parameter files; empty in memory."""
        if self.model_file is None:
            return ()
        if self.model_dir is not None:
            weights = tuple(params_format.parameter_path(self.model_dir, info.name) for info in self.weights)
            return (self.model_file, *weights)
        return (self.model_file,) if self.params_file is None else (self.model_file, self.params_file)

    @cached_property
    def stored(self) -> tuple[params_format.StoredTensor, ...]:
        """Where each of `weights` lies in the parameter file (in its own file in the separate layout)."""
        if self.model_dir is not None:
            return tuple(params_format.check_separate(self.model_dir, self.weights))
        source = self.params_file if self.params_bytes is None else self.params_bytes
        return tuple(params_format.check(source or b"", self.weights, self._params_label))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the content of program and parameters, whatever their layout and names.

        The same program with the same weights has the same fingerprint as combined files, as separate
        files and in memory, because the separate files joined are the combined one.
        """
        import hashlib

        digest = hashlib.sha256()
        program = self._program()
        digest.update(len(program).to_bytes(8, "little"))
        digest.update(program)
        for block in self._params_blocks():
            digest.update(block)
        return digest.hexdigest()

    def graph(self) -> Graph:
        """The graph before any pass."""
        return self._graph

    def facts(self) -> dict[str, Any]:
        """What is known without running the model, as plain values."""
        return {
            "name": self.name,
            "path": None if self.path is None else str(self.path),
            "ir": self.ir,
            "layout": self.layout,
            "inputs": [_plain(info) for info in self.inputs],
            "outputs": [_plain(info) for info in self.outputs],
            "ops": self.ops,
            "parameters": self.parameters,
            "bytes": self.bytes,
        }

    @property
    def _label(self) -> str:
        return "the model" if self.model_file is None else str(self.model_file)

    @property
    def _params_label(self) -> str:
        return "the parameter data" if self.params_file is None else str(self.params_file)

    @cached_property
    def _graph(self) -> Graph:
        from workbench.ir import read_pir_json, read_program

        return _read(self._label, read_pir_json if self.ir == "pir" else read_program, self._program())

    @cached_property
    def _feeds(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        if self.ir == "program":
            from workbench.ir.program import program_inputs_outputs

            inputs, outputs = _read(self._label, program_inputs_outputs, self._program())
            return tuple(_info(*each) for each in inputs), tuple(_info(*each) for each in outputs)
        values = self._graph.values
        found: dict[str, list[TensorInfo]] = {"pd_op.data": [], "pd_op.fetch": []}
        for op in self._graph.ops:
            if op.type in found and op.outputs:
                value = values[op.outputs[0]]
                found[op.type].append(_info(str(op.attrs.get("name")), value.dtype, value.shape))
        return tuple(found["pd_op.data"]), tuple(found["pd_op.fetch"])

    def _program(self) -> bytes_:
        if self.model_bytes is not None:
            return self.model_bytes
        assert self.model_file is not None
        return _read_file(self.model_file)

    def _params_blocks(self) -> Iterator[bytes_]:
        if self.params_bytes is not None:
            yield self.params_bytes
        for file in self.files[1:]:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    yield block


# Inside the class, ``bytes`` is the model's size.
bytes_ = bytes


def load(path: str | os.PathLike[str], params: str | os.PathLike[str] | None = None) -> Model:
    """Find a model's files, check that they fit together, and describe it; Paddle is not needed.

    Args:
        path: the model file, its folder, the path both files start with, or the parameter file.
        params: the parameter file, where it is not beside the model under the usual name.

    Raises:
        ModelError: the files are missing, damaged, ambiguous or not a model; one line that says what
            was found and what to do.
    """
    for given in (path, params):
        if given is not None and not isinstance(given, (str, os.PathLike)):
            raise ModelError(f"{given!r} is no path: give the path of a model file or of its folder")
    if path is None or not os.fspath(path):
        raise ModelError("the path is empty: give the path of a model file or of its folder")
    found = locate(Path(path), None if params is None else Path(params))
    model = Model(
        layout=found.layout,
        ir="pir" if found.layout == "pir" else "program",
        name=_name(found.model_file),
        model_file=found.model_file,
        params_file=found.params_file,
    )
    _check_program(model)
    if found.params_file is not None:
        _ = model.stored
        return model
    if found.layout in ("pir", "program"):
        if model.weights:
            raise ModelError(_missing(model, found.wanted))
        return model
    assert found.model_file is not None
    folder = found.model_file.parent
    if model.weights and not any(
        params_format.parameter_path(folder, info.name).is_file() for info in model.weights
    ):
        raise ModelError(
            f"{_missing(model, found.wanted)} (or one file per parameter, the first named "
            f"{model.weights[0].name})"
        )
    model = Model(
        layout="separate", ir="program", name=model.name, model_file=found.model_file, model_dir=folder
    )
    _ = model.stored
    return model


def from_bytes(model: bytes, params: bytes = b"") -> Model:
    """A model held in memory; which IR it is in is told from its content.

    Raises:
        ModelError: the bytes are not a model, or the parameters are not its own.
    """
    for given in (model, params):
        if not isinstance(given, (bytes, bytearray, memoryview)):
            raise ModelError(f"{type(given).__name__} is not bytes: give what the model's files hold")
    kind = sniff(model[:4096])
    if kind.kind not in ("pir", "program"):
        raise ModelError(f"the model bytes are {kind.text}: {kind.advice or 'pass the program first'}")
    ir: Literal["pir", "program"] = "pir" if kind.kind == "pir" else "program"
    found = Model(layout=ir, ir=ir, name="memory", model_bytes=bytes(model), params_bytes=bytes(params))
    _check_program(found)
    _ = found.stored
    return found


def read_params(model: Model) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The weights by name, as read-only views of the mapped files: nothing is read before it is used.

    bfloat16 comes as uint16 and the 8-bit floats as uint8, because numpy does not have them.
    """
    if model.model_dir is not None:
        return params_format.read_separate(model.model_dir, model.weights)
    source = model.params_file if model.params_bytes is None else model.params_bytes
    return params_format.read(source or b"", model.weights)


def _check_program(model: Model) -> None:
    check_whole(model._program(), model.ir, model._label)
    # Parsing is the check: whoever holds a Model can count on its graph.
    _ = model.graph()
    if not model.outputs:
        raise ModelError(f"{model._label} has no outputs to fetch: export it with paddle.jit.save")


def _read(label: str, reader: Callable[[bytes], T], data: bytes) -> T:
    try:
        return reader(data)
    except WorkbenchError as error:
        raise ModelError(f"{label} cannot be read: {error}; copy or export it again") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Whatever a damaged file makes a reader stumble over, its user has a damaged file.
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{label} is damaged ({reason}): copy or export it again") from None


def _read_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file} cannot be read ({error.strerror}): check the path and its permissions"
        ) from None


def _missing(model: Model, wanted: str) -> str:
    assert model.model_file is not None
    folder = model.model_file.parent
    near = sorted(file.name for file in folder.glob("*.pdiparams"))
    hint = (
        f"the folder holds {', '.join(near[:4])}, pass it as params"
        if near
        else "copy it there or pass it as params"
    )
    return (
        f"{model.model_file} needs its {model.parameter_tensors} parameters, "
        f"but {folder / wanted} does not exist: {hint}"
    )


def _name(file: Path) -> str:
    # A model called "inference" is known by its folder.
    parent = file.resolve().parent.name
    return parent if file.stem in _GENERIC_NAMES and parent else file.stem


def _info(name: str, dtype: str | None, shape: tuple[int, ...] | None) -> TensorInfo:
    return TensorInfo(name, dtype or "", shape or ())


def _plain(info: TensorInfo) -> dict[str, Any]:
    return {"name": info.name, "dtype": info.dtype, "shape": list(info.shape)}
