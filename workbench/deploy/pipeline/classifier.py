"""An image classifier: pictures in, classes with their probabilities out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.config import InferenceConfig
from workbench.deploy.pipeline.engine import Array, InferenceEngine, Tensors, check_count, sides
from workbench.deploy.pipeline.images import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    CenterCrop,
    Compose,
    Normalize,
    Paths,
    Resize,
    ToCHW,
    as_paths,
    find_images,
    load_readers,
    read_image,
)
from workbench.errors import ConfigError, InputError, ModelError
from workbench.models import Model, TensorInfo, load

if TYPE_CHECKING:
    from workbench.deploy.runlog import AutoLogger

DEFAULT_SIZE = 224
# How far the sum of probabilities may be from 1: half-precision models are off by some thousandths.
_SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class ClassScore:
    """One class of a prediction.

    Attributes:
        class_id: its number.
        prob: its score as the model gave it, or its probability where softmax was asked for.
        label: its name, None where no labels were given.
    """

    class_id: int
    prob: float
    label: str | None = None


@dataclass(frozen=True)
class Prediction:
    """What a picture shows.

    Attributes:
        image_name: its path as given.
        classes: the classes with the highest scores, the highest first.
    """

    image_name: str
    classes: tuple[ClassScore, ...]

    @property
    def best(self) -> ClassScore:
        """The class with the highest score."""
        return self.classes[0]


class ImageClassifier(InferenceEngine):
    """Says what pictures show: Resize, CenterCrop, Normalize, ToCHW, the model, and the highest scores.

    The steps are in ``transforms``. Sizes and channels are the model's own where it fixes them. The first
    output must hold a score per class.

    Args:
        model: a `Model`, or the path of one.
        config: what to ask for; the default config if None.
        resize_size: pixels of the shorter side before the crop; by default 256 for a crop of 224, and in that
            proportion for others.
        crop_size: pixels of each side after it; the model's own by default, 224 where it takes any.
        mean: subtracted from the channels on the scale of 0 to 1, one per channel; ImageNet's by default,
            for gray pictures their mean.
        std: the same for what they are divided by.
        softmax: turn scores into probabilities, for a model exported without it.
        strict: stop where what is given is not what was asked for, rather than go on with a notice.
        time_limit: seconds that any one native call may take; None for no limit.

    Raises:
        ModelError: if the model does not take pictures or does not give a score per class.
        ConfigError: for sizes, mean or std that do not fit the model or each other.
        WorkbenchError: as `InferenceEngine`.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        config: InferenceConfig | None = None,
        *,
        resize_size: int | None = None,
        crop_size: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        softmax: bool = False,
        strict: bool = False,
        time_limit: float | None = None,
    ) -> None:
        if not isinstance(softmax, bool):
            raise ConfigError(f"softmax is {softmax!r}; give True or False")
        found = model if isinstance(model, Model) else load(model)
        info = _picture_input(found)
        _check_scores(found)
        self._channels = info.shape[1]
        crop = CenterCrop(*_crop_sides(info, crop_size))
        resize = Resize(_usual_resize(crop) if resize_size is None else resize_size)
        if resize.size < max(crop.height, crop.width):
            raise ConfigError(
                f"resize_size is {resize.size}, smaller than the crop of {crop.width}×{crop.height}: "
                f"give {max(crop.height, crop.width)} or more, or a smaller crop_size"
            )
        normalize = Normalize(
            _per_channel("mean", mean, IMAGENET_MEAN, self._channels),
            _per_channel("std", std, IMAGENET_STD, self._channels),
        )
        self.transforms = Compose((resize, crop, normalize, ToCHW()))
        self.softmax = softmax
        self._remarks: list[str] = _other_outputs(found)
        self._scores_seen = False
        self._found: set[str] = set()
        # Of the call under way, and of all.
        self._bad: list[str] = []
        self._left_out: list[str] = []
        load_readers()
        super().__init__(found, config, strict=strict, time_limit=time_limit)

    @property
    def data_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture as the model gets it."""
        crop = next(step for step in self.transforms.steps if isinstance(step, CenterCrop))
        return self._channels, crop.height, crop.width

    @property
    def notices(self) -> tuple[str, ...]:
        """What its user should know: where asked and given differ, and what seems wrong with the scores."""
        return (*super().notices, *self._remarks, *(f"left out: {text}" for text in self._left_out))

    def preprocess(self, item: str | os.PathLike[str]) -> Array:
        """The picture as the model takes it: 1×C×H×W.

        Raises:
            InputError: if it is no picture; see `read_image`.
        """
        image = read_image(item, "L" if self._channels == 1 else "RGB")
        try:
            pixels = self.transforms(image)
        except InputError as error:
            raise InputError(f"{item}: {error}") from None
        dtype = self.model.inputs[0].dtype or "float32"
        batch: Array = pixels[np.newaxis].astype(dtype, copy=False)
        return batch

    def run(self, inputs: Tensors) -> Array:
        """Run the model once, for its scores: the first output.

        Raises:
            WorkbenchError: as `InferenceEngine.run`.
        """
        outputs = super().run(inputs)
        return outputs[self.model.outputs[0].name] if isinstance(outputs, Mapping) else outputs

    def postprocess(self, outputs: Tensors) -> tuple[int, float]:
        """The number of the class with the highest score, and that score."""
        best = self._best(outputs, 1, None)[0]
        return best.class_id, best.prob

    def classify(
        self,
        paths: Paths,
        top_k: int = 1,
        batch_size: int = 1,
        labels: str | os.PathLike[str] | Sequence[str] | None = None,
        *,
        log: AutoLogger | None = None,
        warmup: int = 0,
    ) -> list[Prediction]:
        """Classify pictures.

        Args:
            paths: a picture, a folder of them, or several of either.
            top_k: classes to give for each, the highest score first.
            batch_size: pictures to run at once.
            labels: the names of the classes by their numbers, or a file with them; see `read_labels`.
            log: takes the times, one measurement per batch.
            warmup: run the first batch this many times before; the log takes these too.

        Returns:
            A prediction per picture, in order. A picture found in a folder that is damaged is left out, which
            `notices` says.

        Raises:
            InputError: for what is no picture, or labels that are too few for the model.
            ConfigError: for a ``top_k`` above the number of classes, or a batch the model cannot take.
            ModelError: if the output is not a score per class.
        """
        check_count("top_k", top_k)
        check_count("batch_size", batch_size)
        batch_axis = self.model.inputs[0].shape[0]
        if batch_axis not in (-1, batch_size):
            raise ConfigError(
                f"batch_size is {batch_size}: give {batch_axis}, the only one that the model takes"
            )
        names = _read_if_path(labels)
        classes = _known_classes(self.model)
        if classes is not None:
            self._check_classes(classes, top_k, names)
        given = as_paths(paths)
        images = find_images(given)
        self._bad = []
        self._found = set(images) - {os.fspath(path) for path in given}
        postprocess = partial(self._best, top_k=top_k, labels=names)
        for _ in range(warmup):
            list(self._predict(images[:batch_size], batch_size, postprocess, log))
        found = [
            Prediction(image, best) for image, best in self._predict(images, batch_size, postprocess, log)
        ]
        if not found:
            raise InputError(f"none of {len(images)} pictures can be used; the first: {self._bad[0]}")
        return found

    def _prepare(self, item: str) -> Array | None:
        """A picture that was named must be one; one that was found in a folder may be left out."""
        try:
            return self.preprocess(item)
        except InputError as error:
            if item not in self._found:
                raise
            self._bad.append(str(error))
            if str(error) not in self._left_out:
                self._left_out.append(str(error))
            return None

    def _best(self, outputs: Tensors, top_k: int, labels: Sequence[str] | None) -> tuple[ClassScore, ...]:
        scores = self._scores(outputs)
        self._check_classes(len(scores), top_k, labels)
        # Equal scores keep the order of their numbers, as argmax has it.
        order = np.argsort(-scores, kind="stable")[:top_k]
        return tuple(
            ClassScore(int(i), float(scores[i]), None if labels is None else labels[i]) for i in order
        )

    def _scores(self, outputs: Tensors) -> Array:
        """One score per class, for one picture."""
        output = np.asarray(outputs)
        if output.ndim != 2 or len(output) != 1 or output.dtype.kind != "f":
            raise ModelError(
                f"the model gives {output.dtype} {sides(output.shape)} for a picture, not a score per class "
                "(1×classes): subclass InferenceEngine and define postprocess"
            )
        scores: Array = output[0]
        if np.isnan(scores).any():
            raise ModelError(
                "the model's scores are not numbers (NaN): check its parameters, and mean and std"
            )
        if not self._scores_seen:
            self._scores_seen = True
            self._remarks += _score_remarks(scores, self.softmax)
        return _softmax(scores) if self.softmax else scores

    def _check_classes(self, classes: int, top_k: int, labels: Sequence[str] | None) -> None:
        if top_k > classes:
            raise ConfigError(f"top_k is {top_k} and the model has {classes} classes: give at most {classes}")
        if labels is None:
            return
        if len(labels) < classes:
            raise InputError(
                f"there are {len(labels)} labels and the model has {classes} classes: "
                "give the labels that belong to the model"
            )
        remark = (
            f"there are {len(labels)} labels and the model has {classes} classes: the first ones are taken"
        )
        if len(labels) > classes and remark not in self._remarks:
            self._remarks.append(remark)


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of classes from a text file, by their numbers.

    A line holds a label, the first one that of class 0; or, where every line does so, the number of its class
    and the label, as in ``0 tench``, in any order.

    Raises:
        InputError: if the file cannot be read, is not text, is empty or has an empty line.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): give a text file with one label per line"
        ) from None
    except ValueError:
        raise InputError(f"{path} is not text in UTF-8: give a text file with one label per line") from None
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not lines:
        raise InputError(f"{path} is empty: give a text file with one label per line")
    if "" in lines:
        raise InputError(f"line {lines.index('') + 1} of {path} is empty: give one label per line")
    numbered = dict(_numbered(line) for line in lines)
    if set(numbered) == set(range(len(lines))):
        return tuple(numbered[number] for number in range(len(lines)))
    return tuple(lines)


def _numbered(line: str) -> tuple[int, str]:
    """``0 tench`` to its parts; the number is -1 for a line that is not so."""
    number, _, label = line.partition(" ")
    return (int(number), label.strip()) if number.isdecimal() and label.strip() else (-1, line)


def _read_if_path(labels: str | os.PathLike[str] | Sequence[str] | None) -> Sequence[str] | None:
    return read_labels(labels) if isinstance(labels, (str, os.PathLike)) else labels


def _picture_input(model: Model) -> TensorInfo:
    """The one input, checked to take pictures."""
    if len(model.inputs) != 1:
        names = ", ".join(info.name for info in model.inputs) or "none"
        raise ModelError(
            f"{model.name} has {len(model.inputs)} inputs ({names}) and an image classifier has one: "
            "subclass InferenceEngine and have preprocess give a dict with all of them"
        )
    info = model.inputs[0]
    if len(info.shape) != 4:
        raise ModelError(
            f"input {info.name!r} of {model.name} has shape {sides(info.shape)}, and pictures come as "
            "N×C×H×W: subclass InferenceEngine for what is no picture"
        )
    if info.shape[1] not in (1, 3):
        raise ModelError(
            f"input {info.name!r} of {model.name} has shape {sides(info.shape)}, and pictures come as "
            "N×C×H×W with 1 channel (gray) or 3 (RGB): subclass InferenceEngine for other ones"
        )
    if info.dtype not in ("", "float16", "float32", "float64"):
        raise ModelError(
            f"input {info.name!r} of {model.name} is {info.dtype}, and normalized pictures are float32: "
            "subclass InferenceEngine and give what it takes"
        )
    return info


def _check_scores(model: Model) -> None:
    """What is known of the first output before it is run must be N×classes."""
    info = model.outputs[0]
    if info.shape and len(info.shape) != 2:
        raise ModelError(
            f"output {info.name!r} of {model.name} has shape {sides(info.shape)}, not a score per class "
            "(N×classes): subclass InferenceEngine and define postprocess"
        )


def _other_outputs(model: Model) -> list[str]:
    first, *others = (info.name for info in model.outputs)
    if not others:
        return []
    return [f"the model has {len(others) + 1} outputs: the scores are read from the first, {first!r}"]


def _known_classes(model: Model) -> int | None:
    shape = model.outputs[0].shape
    return shape[1] if len(shape) == 2 and shape[1] > 0 else None


def _crop_sides(info: TensorInfo, crop_size: int | None) -> tuple[int, int]:
    """Height and width of the crop: the model's own where it fixes them."""
    fixed = info.shape[2:]
    height, width = (side if side > 0 else DEFAULT_SIZE if crop_size is None else crop_size for side in fixed)
    if crop_size is not None and (height, width) != (crop_size, crop_size):
        raise ConfigError(
            f"crop_size is {crop_size}, and the model takes pictures of {sides(fixed)}: leave crop_size out"
        )
    return height, width


def _usual_resize(crop: CenterCrop) -> int:
    return round(max(crop.height, crop.width) * 256 / 224)


def _per_channel(
    name: str, given: Sequence[float] | None, usual: Sequence[float], channels: int
) -> tuple[float, ...]:
    if given is None:
        return tuple(usual) if channels == len(usual) else (sum(usual) / len(usual),) * channels
    if isinstance(given, str) or not all(isinstance(one, (int, float)) for one in given):
        raise ConfigError(f"{name} is {given!r}; give numbers, one per channel or one for all")
    if len(given) not in (1, channels):
        raise ConfigError(
            f"{name} has {len(given)} values and the model's pictures {channels} channels: "
            "give one value per channel, or one for all"
        )
    return tuple(map(float, given)) * (channels // len(given))


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max())
    probabilities: Array = powers / powers.sum()
    return probabilities


def _score_remarks(scores: Array, softmax: bool) -> list[str]:
    total = float(scores.sum(dtype=np.float64))
    probabilities = bool((scores >= 0).all()) and abs(total - 1) <= _SUM_TOLERANCE
    if softmax and probabilities:
        return ["the model's scores are probabilities already: leave softmax out, it flattens them"]
    if softmax or probabilities:
        return []
    found = f"they add up to {total:.4g}" if (scores >= 0).all() else "some are negative"
    return [f"the model's scores are not probabilities ({found}): softmax=True or --softmax makes them such"]
