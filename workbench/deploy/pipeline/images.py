"""Pictures as a classifier wants them: read with Pillow, transformed step by step with Pillow and numpy.

Every step is a small value that is called with what the step before gave. A picture is a
``PIL.Image.Image`` up to `Normalize`, and a float32 array from there on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from workbench.errors import ConfigError, InputError

if TYPE_CHECKING:
    from PIL import Image

Pixels: TypeAlias = npt.NDArray[np.float32]
Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"

# Mean and standard deviation of the pictures of ImageNet, per colour, on the scale of 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# A resized picture above this is a strip a few pixels wide blown up, not a picture to classify.
MAX_RESIZED_PIXELS = 1 << 27

# Pillow knows these by name without reading them, or reads them with a program that may not be there.
_NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}


@dataclass(frozen=True)
class Resize:
    """Scale a picture so that its shorter side has ``size`` pixels, keeping the aspect ratio (bilinear).

    The longer side is rounded down.
    """

    size: int

    def __post_init__(self) -> None:
        """Check the size."""
        _check_size("resize_size", self.size)

    def __call__(self, image: Image.Image) -> Image.Image:
        """The scaled picture."""
        from PIL import Image

        width, height = image.size
        shorter = min(width, height)
        if shorter == self.size:
            return image
        scaled = (self.size * width // shorter, self.size * height // shorter)
        if scaled[0] * scaled[1] > MAX_RESIZED_PIXELS:
            raise InputError(
                f"the picture is {width}×{height}: with a shorter side of {self.size} it would be "
                f"{scaled[0]:,}×{scaled[1]:,} pixels; cut it to a shape nearer a square first"
            )
        return image.resize(scaled, Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class CenterCrop:
    """Cut ``height`` × ``width`` pixels out of the middle of a picture."""

    height: int
    width: int

    def __post_init__(self) -> None:
        """Check the size."""
        _check_size("crop_size", self.height)
        _check_size("crop_size", self.width)

    def __call__(self, image: Image.Image) -> Image.Image:
        """The middle of the picture.

        Raises:
            InputError: if the picture is smaller than that.
        """
        width, height = image.size
        if width < self.width or height < self.height:
            raise InputError(
                f"the picture is {width}×{height}, smaller than the crop of {self.width}×{self.height}: "
                "resize it to that or more first"
            )
        # Rounding half to even, as paddle.vision.transforms does it.
        left, top = round((width - self.width) / 2), round((height - self.height) / 2)
        return image.crop((left, top, left + self.width, top + self.height))


@dataclass(frozen=True)
class Normalize:
    """Bring pixels to the scale of 0 to 1, then subtract ``mean`` and divide by ``std``, per channel."""

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __post_init__(self) -> None:
        """Check that it can be computed."""
        if len(self.mean) != len(self.std):
            raise ConfigError(
                f"mean has {len(self.mean)} values and std {len(self.std)}: give one each per channel"
            )
        if not all(map(isfinite, (*self.mean, *self.std))) or 0 in self.std:
            raise ConfigError(f"mean is {self.mean}, std {self.std}: give numbers, and no std of 0")

    def __call__(self, image: Image.Image) -> Pixels:
        """The pixels, float32, height × width × channels."""
        pixels = np.asarray(image, np.float32)
        pixels = pixels.reshape(*pixels.shape[:2], -1)  # gray ones come without the axis of channels
        if pixels.shape[2] != len(self.mean):
            raise InputError(
                f"the picture has {pixels.shape[2]} channels, mean and std {len(self.mean)} values: "
                "give one each per channel"
            )
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        normal: Pixels = (pixels / np.float32(255) - mean) / std
        return normal


@dataclass(frozen=True)
class ToCHW:
    """Put the channels first."""

    def __call__(self, pixels: Pixels) -> Pixels:
        """From height × width × channels to channels × height × width."""
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@dataclass(frozen=True)
class Compose:
    """Several steps, one after the other."""

    steps: tuple[Callable[[Any], Any], ...]

    def __call__(self, image: Any) -> Any:
        """What the last step gives."""
        for step in self.steps:
            image = step(image)
        return image


def load_readers() -> None:
    """Have Pillow load its usual readers, so that the first picture takes no longer than the others."""
    from PIL import Image

    Image.preinit()


def read_image(path: str | os.PathLike[str], mode: Literal["L", "RGB"]) -> Image.Image:
    """Read a picture, upright and in 8 bits per channel.

    Of a file with several pictures it is the first one. A photo whose camera was held upright says so in its
    EXIF data; it is turned as every viewer shows it. Transparency is dropped, and 16 bits are scaled to 8
    (Pillow's own conversion would clip them to white).

    Args:
        path: the file.
        mode: ``L`` for gray, ``RGB`` for colours.

    Raises:
        InputError: if the file cannot be read, is none that Pillow knows, is damaged or far too large.
    """
    try:
        with Path(path).open("rb") as stream:
            return _decode(path, stream, mode)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}): check the path and its permissions") from None


def _decode(path: str | os.PathLike[str], stream: BinaryIO, mode: Literal["L", "RGB"]) -> Image.Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image = ImageOps.exif_transpose(Image.open(stream))
        return _eight_bits(image).convert(mode)
    except UnidentifiedImageError:
        raise InputError(
            f"{path} is not a picture that Pillow knows: give a JPEG, a PNG or the like"
        ) from None
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path} is too large a picture ({str(error).rstrip('.')}): scale it down first"
        ) from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:
        # Damaged files make Pillow's readers raise almost anything; their user has a damaged file.
        reason = str(error) or type(error).__name__
        raise InputError(f"{path} is a damaged picture ({reason}): copy or export it again") from None


def _eight_bits(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I;16"):
        high_bytes = np.asarray(image).astype(np.uint16) >> 8
        return Image.fromarray(high_bytes.astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InputError(
            "the pixels have 32 bits and nothing says which value is white: save it with 8 or 16 bits"
        )
    return image


def as_paths(paths: Paths) -> list[Any]:
    """One path or several as a list, not yet checked to be such."""
    if isinstance(paths, (str, os.PathLike)):
        return [paths]
    return list(paths) if isinstance(paths, Iterable) else [paths]


def find_images(paths: Paths) -> list[str]:
    """The pictures that ``paths`` name, each by its path as given.

    A folder stands for the pictures in it, sorted by name: the files with a suffix that Pillow reads, hidden
    ones and subfolders left out.

    Raises:
        InputError: for a folder without pictures, or no path at all.
    """
    given = as_paths(paths)
    if not given or any(isinstance(path, str) and not path for path in given):
        raise InputError("there is no picture: give the path of one, or of a folder of them")
    found: list[str] = []
    for path in given:
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(
                f"{type(path).__name__} is no path of a picture: give that of a file or a folder; "
                "for what is in memory already there are run and postprocess"
            )
        found += _in_folder(Path(path)) if Path(path).is_dir() else [os.fspath(path)]
    return found


def _in_folder(folder: Path) -> list[str]:
    suffixes = _suffixes()
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{folder} cannot be listed ({error.strerror}): check the path and its permissions"
        ) from None
    found = [
        str(entry)
        for entry in entries
        if entry.suffix.lower() in suffixes and not entry.name.startswith(".") and entry.is_file()
    ]
    if not found:
        raise InputError(f"{folder} holds no pictures: give a folder with .jpg, .png or such files in it")
    return found


def _suffixes() -> set[str]:
    from PIL import Image

    known = Image.registered_extensions()  # loads all of Pillow's plugins, which fills Image.OPEN
    return {suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in _NOT_READ}


def _check_size(name: str, size: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigError(f"{name} is {size!r}; give a whole number of pixels from 1")
