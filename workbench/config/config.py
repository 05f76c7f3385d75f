"""`InferenceConfig`, and its two texts: ``key=value,…`` for the command line and a short label for people."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import msgspec

from workbench.errors import ConfigError

Device = Literal["cpu", "gpu"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]

MAX_THREADS = 1024
_NAME = re.compile(r"[^\s,]+")
_DIALECT = re.compile(r"^(pd_op|onednn_op)\.")


class InferenceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is asked of one predictor.

    Two configs are equal when they ask for the same; a config is hashable and goes to JSON and back with
    `to_json` and `from_json`. What is given in return is in ``Session.given``.

    Attributes:
        device: where to run.
        device_id: which GPU.
        gpu_memory_mb: memory pool reserved at the start on a GPU, in MB.
        precision: arithmetic to run in.
        fp32_ops: op types that stay in fp32 where ``precision`` is lower, such as softmax, with or without a
            dialect in front. An op that a pass fuses into another as its bias, activation or residual runs as
            that one does. With TensorRT these ops stay with Paddle, outside the engines.
        threads: threads of the CPU math library.
        onednn: oneDNN on or off; None leaves the release's default (on in 3.x, off in 2.x).
        ir_optim: False switches graph optimization off, as far as Paddle lets it.
        disabled_passes: passes to switch off, by the name shown in a trace.
        enabled_passes: passes to add, by the name Paddle registers them under.
        memory_optim: reuse of memory between tensors that do not live at the same time.
        trt: TensorRT subgraphs (needs a GPU runtime built with it).
        trt_workspace_size: memory TensorRT may use while it builds and runs an engine, in bytes.
        trt_max_batch_size: largest batch of an engine; for models with dynamic shapes it means nothing.
        trt_min_subgraph_size: subgraphs of fewer ops than this stay with Paddle.
        trt_use_static: keep the built engine on disk and load it the next time.
        trt_use_calib_mode: calibrate for int8 while running, where the precision is int8.
        runtime: name of the interpreter with Paddle in it that runs this.

    Raises:
        ConfigError: for a value outside its range or passes both off and on.
    """

    device: Device = "cpu"
    device_id: int = 0
    gpu_memory_mb: int = 100
    precision: Precision = "fp32"
    fp32_ops: tuple[str, ...] = ()
    threads: int = 1
    onednn: bool | None = None
    ir_optim: bool = True
    disabled_passes: tuple[str, ...] = ()
    enabled_passes: tuple[str, ...] = ()
    memory_optim: bool = False
    trt: bool = False
    # Paddle's own defaults.
    trt_workspace_size: int = 1 << 30
    trt_max_batch_size: int = 1
    trt_min_subgraph_size: int = 3
    trt_use_static: bool = False
    trt_use_calib_mode: bool = True
    runtime: str = "default"

    def __post_init__(self) -> None:
        """Check ranges and put the lists into one canonical form."""
        self._one_of("device", self.device, get_args(Device))
        self._one_of("precision", self.precision, get_args(Precision))
        self._whole("threads", self.threads, 1, MAX_THREADS)
        self._whole("device_id", self.device_id, 0, 1023)
        self._whole("gpu_memory_mb", self.gpu_memory_mb, 1, 1 << 20)
        self._whole("trt_workspace_size", self.trt_workspace_size, 1, 1 << 50)
        self._whole("trt_max_batch_size", self.trt_max_batch_size, 1, 1 << 20)
        self._whole("trt_min_subgraph_size", self.trt_min_subgraph_size, 1, 1 << 20)
        for name in ("ir_optim", "memory_optim", "trt", "trt_use_static", "trt_use_calib_mode"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; give True or False")
        if self.onednn is not None and not isinstance(self.onednn, bool):
            raise ConfigError(f"onednn is {self.onednn!r}; give True, False or None (the release's default)")
        # These are sets: order and repeats must not make two equal configs differ.
        msgspec.structs.force_setattr(self, "fp32_ops", _op_types(self.fp32_ops))
        msgspec.structs.force_setattr(
            self, "disabled_passes", _names("disabled_passes", self.disabled_passes)
        )
        enabled = _names("enabled_passes", self.enabled_passes, ordered=True)
        msgspec.structs.force_setattr(self, "enabled_passes", enabled)
        both = sorted(set(self.disabled_passes) & set(self.enabled_passes))
        if both:
            raise ConfigError(f"pass {both[0]!r} is both switched off and added; choose one")
        if not isinstance(self.runtime, str) or not self.runtime.strip():
            raise ConfigError(f"runtime is {self.runtime!r}; give a runtime's name, such as 'default'")

    @staticmethod
    def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
        if value not in allowed:
            raise ConfigError(f"{name} is {value!r}; give one of {', '.join(allowed)}")

    @staticmethod
    def _whole(name: str, value: object, low: int, high: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f"{name} is {value!r}; give a whole number from {low} to {high}")

    def replace(self, **changes: Any) -> InferenceConfig:
        """The same config with some fields changed.

        Raises:
            ConfigError: for an unknown field or a bad value.
        """
        unknown = sorted(set(changes) - set(self.__struct_fields__))
        if unknown:
            raise ConfigError(_unknown("config field", unknown[0], self.__struct_fields__))
        return msgspec.structs.replace(self, **changes)

    def without(self, *passes: str) -> InferenceConfig:
        """The same config with these passes switched off too; those that it adds are not added."""
        # Paddle knows an added pass by its name alone: one that is not in its list cannot be switched off.
        off = [name for name in passes if name not in self.enabled_passes]
        return self.replace(
            disabled_passes=(*self.disabled_passes, *off),
            enabled_passes=tuple(name for name in self.enabled_passes if name not in passes),
        )

    def differences(self, other: InferenceConfig) -> dict[str, tuple[Any, Any]]:
        """The fields in which two configs differ, with both values."""
        return {
            name: (getattr(self, name), getattr(other, name))
            for name in self.__struct_fields__
            if getattr(self, name) != getattr(other, name)
        }

    @property
    def label(self) -> str:
        """A short name for charts and tables: what differs from the defaults, in words."""
        words = [_WORDS[name](now) for name, (_, now) in InferenceConfig().differences(self).items()]
        return ", ".join(words) or "default"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, one per field."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def to_json(self) -> str:
        """One JSON object with every field."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> InferenceConfig:
        """Read what `to_json` wrote.

        Raises:
            ConfigError: for text that is not such an object.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise ConfigError(f"not a config: {error}") from None

    @classmethod
    def parse(cls, text: str, base: InferenceConfig | None = None) -> InferenceConfig:
        """Read ``key=value,key=value``, such as ``onednn=off,threads=2``, as changes to ``base``.

        ``disable_pass`` and ``enable_pass`` take one pass each, ``fp32_op`` one op type; all may be repeated.

        Raises:
            ConfigError: for an unknown key, a key given twice or a value it cannot have.
        """
        config = base or cls()
        changes: dict[str, Any] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            key = key.replace("-", "_")
            if not equals or not value:
                raise ConfigError(f"{part!r} is not key=value; write for example onednn=off,threads=2")
            if key in _LIST_KEYS:
                field = _LIST_KEYS[key]
                changes[field] = (*changes.get(field, getattr(config, field)), value)
            elif key in changes:
                raise ConfigError(f"{key} is given twice in {text!r}; give it once")
            elif key in _READERS:
                changes[key] = _READERS[key](key, value)
            else:
                raise ConfigError(_unknown("config key", key, (*_READERS, *_LIST_KEYS)))
        return config.replace(**changes)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"give one of {', '.join(known)}"
    return f"unknown {what} {name!r}: {hint}"


def _names(field: str, value: object, *, ordered: bool = False) -> tuple[str, ...]:
    names = _list_of("pass", field, value, "a trace shows")
    return tuple(dict.fromkeys(names)) if ordered else tuple(sorted(set(names)))


def _op_types(value: object) -> tuple[str, ...]:
    names = _list_of("op type", "fp32_ops", value, "such as softmax")
    # Paddle's lists know PIR's ops, too, by the name without the dialect.
    plain = [_DIALECT.sub("", name) for name in names]
    if "" in plain:
        raise ConfigError("fp32_ops holds a dialect alone; give names such as softmax")
    return tuple(sorted(set(plain)))


def _list_of(what: str, field: str, value: object, such: str) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigError(f"{field} is {value!r}; give a list of {what} names")
    names = list(value)
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(f"{field} holds {name!r}, which is not the name of a {what}; give names {such}")
    return names


def _read_switch(key: str, value: str) -> bool:
    answers = {"on": True, "true": True, "yes": True, "1": True}
    answers |= {"off": False, "false": False, "no": False, "0": False}
    if value.lower() not in answers:
        raise ConfigError(f"{key} is {value!r}; give on or off")
    return answers[value.lower()]


def _read_onednn(key: str, value: str) -> bool | None:
    return None if value.lower() == "default" else _read_switch(key, value)


def _read_number(key: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(f"{key} is {value!r}; give a whole number") from None


def _read_text(key: str, value: str) -> str:
    return value


_LIST_KEYS = {
    "fp32_op": "fp32_ops",
    "disable_pass": "disabled_passes",
    "enable_pass": "enabled_passes",
}
_READERS: dict[str, Callable[[str, str], Any]] = {
    "device": _read_text,
    "device_id": _read_number,
    "gpu_memory_mb": _read_number,
    "precision": _read_text,
    "threads": _read_number,
    "onednn": _read_onednn,
    "ir_optim": _read_switch,
    "memory_optim": _read_switch,
    "trt": _read_switch,
    "trt_workspace_size": _read_number,
    "trt_max_batch_size": _read_number,
    "trt_min_subgraph_size": _read_number,
    "trt_use_static": _read_switch,
    "trt_use_calib_mode": _read_switch,
    "runtime": _read_text,
}


def _pass_words(sign: str) -> Callable[[tuple[str, ...]], str]:
    def words(names: tuple[str, ...]) -> str:
        return f"{sign}{names[0]}" if len(names) == 1 else f"{sign}{len(names)} passes"

    return words


_WORDS: dict[str, Callable[[Any], str]] = {
    "device": str,
    "device_id": lambda value: f"device {value}",
    "gpu_memory_mb": lambda value: f"{value} MB pool",
    "precision": str,
    "fp32_ops": lambda names: f"{names[0] if len(names) == 1 else f'{len(names)} op types'} in fp32",
    "threads": lambda value: f"{value} threads",
    "onednn": lambda value: {True: "oneDNN on", False: "oneDNN off"}[value],
    "ir_optim": lambda value: "no graph optimization",
    "disabled_passes": _pass_words("− "),
    "enabled_passes": _pass_words("+ "),
    "memory_optim": lambda value: "memory optim",
    "trt": lambda value: "TensorRT",
    "trt_workspace_size": lambda value: f"TensorRT workspace {value / (1 << 20):g} MB",
    "trt_max_batch_size": lambda value: f"TensorRT batch {value}",
    "trt_min_subgraph_size": lambda value: f"TensorRT from {value} ops",
    "trt_use_static": lambda value: "TensorRT engine kept",
    "trt_use_calib_mode": lambda value: "no TensorRT calibration",
    "runtime": str,
}
