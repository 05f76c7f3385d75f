"""The template and the image classifier, against plain Paddle and against transforms that are not ours."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import scipy.special
from PIL import Image

import workbench as wb
from workbench.deploy.pipeline import InferenceEngine
from workbench.deploy.pipeline.classifier import ImageClassifier, read_labels
from workbench.deploy.pipeline.images import (
    CenterCrop,
    Compose,
    Normalize,
    Resize,
    ToCHW,
    find_images,
    read_image,
)
from workbench.errors import ConfigError, InputError, ModelError, WorkbenchError

Folder = Callable[..., Path]

# A digit's pixels go from 0 to 16; as a picture, 15 times that, which this standard deviation takes back.
DIGIT = {"resize_size": 8, "mean": [0.0], "std": [16 * 15 / 255]}

# Models that an image classifier must refuse, or that have something unusual about them.
ODD_MODELS = """
import sys
import numpy as np, paddle
paddle.enable_static()
executor = paddle.static.Executor(paddle.CPUPlace())
weights = np.random.default_rng(3).normal(size=(3, 5)).astype("float32")

def save(name, build, *shapes, dtype="float32"):
    program, startup = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(program, startup):
        inputs = [paddle.static.data(f"x{i}", shape, dtype) for i, shape in enumerate(shapes)]
        outputs = build(*inputs)
        executor.run(startup)
        path = f"{sys.argv[1]}/{name}"
        paddle.static.save_inference_model(path, inputs, outputs, executor, program=program)

def scores(x):
    return paddle.matmul(x.mean([2, 3]), paddle.assign(weights))

save("fixed", lambda x: [paddle.nn.functional.softmax(scores(x))], [2, 3, 16, 20])
save("free", lambda x: [scores(x), x.sum()], [-1, 3, -1, -1])
save("pixels", lambda x: [x.flatten(1)], [-1, 1, -1, -1])
save("rows", lambda x: [x * 2], [-1, 3])
save("four", lambda x: [scores(x[:, :3])], [-1, 4, 8, 8])
save("bytes", lambda x: [scores(x.astype("float32"))], [-1, 3, 8, 8], dtype="uint8")
save("map", lambda x: [x * 2], [-1, 3, 8, 8])
save("two", lambda x, y: [x + 2 * y, x * y], [-1, 3], [-1, 3])
save("sum", lambda x: [x.sum()], [-1, 3])
save("broken", lambda x: [paddle.log(scores(x) * 0 - 1)], [-1, 3, 8, 8])
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models, ``NAME.json`` each."""
    folder = tmp_path_factory.mktemp("odd")
    made = subprocess.run(
        [sys.executable, "-c", ODD_MODELS, folder], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def digits(sample_folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 20 real handwritten digits as 8×8 gray pictures, named in the order of the sample."""
    folder = tmp_path_factory.mktemp("digits")
    for number, image in enumerate(wb.sample_inputs(sample_folder())["image"][:20, 0]):
        Image.fromarray((image * 16 * 15).astype(np.uint8)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def classifier(sample_folder: Folder) -> Iterator[ImageClassifier]:
    with ImageClassifier(sample_folder(), **DIGIT) as found:
        yield found


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Waves and noise: a picture in which every shift and every wrong filter shows."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(width * height).integers(0, 60, (height, width, 3))
    waves = 90 + 90 * np.sin((x + 2 * y)[..., None] / (5 + 3 * np.arange(3)))
    return Image.fromarray((waves + noise).astype(np.uint8)).convert(mode)


# Transforms


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("size", "resize", "crop"),
    [
        ((300, 200), 256, 224),
        ((201, 333), 256, 224),
        ((64, 64), 73, 64),  # larger than it was
        ((7, 40), 32, 31),  # an odd margin, rounded half to even
        ((256, 300), 256, 255),  # already of that size
        ((40, 9), 9, 8),
    ],
)
def test_transforms_are_paddles(size: tuple[int, int], resize: int, crop: int, mode: str) -> None:
    from paddle.vision import transforms

    image = photo(*size, mode)
    mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if mode == "RGB" else ((0.4,), (0.2,))
    cut = CenterCrop(crop, crop)(Resize(resize)(image))
    wanted = transforms.CenterCrop(crop)(transforms.Resize(resize)(image))
    assert np.array_equal(np.asarray(cut), np.asarray(wanted))

    ours = Compose((Resize(resize), CenterCrop(crop, crop), Normalize(mean, std), ToCHW()))(image)
    theirs = transforms.Normalize(mean, std)(transforms.ToTensor()(wanted)).numpy()
    assert ours.dtype == np.float32
    assert ours.flags.c_contiguous
    # Paddle multiplies by 1/255 where we divide by 255.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


def test_pictures_too_small_or_too_thin() -> None:
    with pytest.raises(InputError, match="the picture is 9×20, smaller than the crop of 10×10: resize it"):
        CenterCrop(10, 10)(photo(9, 20))
    with pytest.raises(
        InputError, match=r"1×60000: with a shorter side of 256 .* 256×15,360,000 pixels; cut"
    ):
        Resize(256)(Image.new("L", (1, 60000)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_camera_was_held(tmp_path: Path, orientation: int) -> None:
    upright = np.asarray(photo(12, 8))
    # By EXIF's table: in 6, say, the first row of the file is the right side of the picture, from the top.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored[orientation])).save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(np.asarray(read_image(tmp_path / "photo.png", "RGB")), upright)


def test_other_kinds_of_pictures(tmp_path: Path) -> None:
    gray = np.asarray(photo(9, 7, "L"))
    Image.fromarray(gray.astype(np.uint16) * 256 + 17).save(tmp_path / "deep.png")
    assert np.array_equal(np.asarray(read_image(tmp_path / "deep.png", "L")), gray)
    assert np.array_equal(np.asarray(read_image(tmp_path / "deep.png", "RGB"))[..., 2], gray)
    clear = photo(9, 7).copy()
    clear.putalpha(40)
    clear.save(tmp_path / "clear.png")
    assert np.array_equal(np.asarray(read_image(tmp_path / "clear.png", "RGB")), np.asarray(photo(9, 7)))
    colours = photo(9, 7).quantize(16)
    colours.save(tmp_path / "palette.gif")
    found = np.asarray(read_image(tmp_path / "palette.gif", "RGB"))
    assert np.array_equal(found, np.asarray(colours.convert("RGB")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what is no picture."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.jpg").write_text("this is no picture\n")
    (folder / "nothing.png").touch()
    (folder / "folder").mkdir()
    for suffix in ("jpg", "png"):
        photo(200, 150).save(folder / f"whole.{suffix}")
        data = (folder / f"whole.{suffix}").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(data[: len(data) // 2])
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts))
    Image.new("F", (9, 9)).save(folder / "float.tiff")
    Image.new("L", (1, 1 << 22)).save(folder / "strip.png")
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text.jpg", "text.jpg is not a picture that Pillow knows: give a JPEG, a PNG"),
        ("nothing.png", "nothing.png is not a picture that Pillow knows: give"),
        ("cut.jpg", "cut.jpg is a damaged picture .*truncated.*: copy or export it again"),
        ("cut.png", "cut.png is a damaged picture .*truncated.*: copy or export it again"),
        ("bomb.png", "bomb.png is too large a picture .*900000000 pixels.*: scale it down first"),
        ("float.tiff", "float.tiff: the pixels have 32 bits .*: save it with 8 or 16 bits"),
        ("strip.png", "strip.png: the picture is 1×4194304: with a shorter side of 8 .*; cut it"),
        ("none.png", "none.png cannot be read .No such file or directory.: check the path"),
        ("folder", "folder holds no pictures: give a folder with .jpg"),
        ("folder/a\0b", "cannot be read .embedded null byte.: check the path"),
        ("", "there is no picture: give the path of one"),
    ],
)
def test_what_is_no_picture(classifier: ImageClassifier, bad: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        classifier.classify(str(bad / name) if name else "")
    assert "\n" not in str(caught.value)


def test_a_folder_stands_for_its_pictures(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.webp", ".hidden.png"):
        photo(9, 7).save(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "film.mpg").touch()
    (tmp_path / "d.png").mkdir()
    inside = [str(tmp_path / name) for name in ("a.jpg", "b.PNG", "c.webp")]
    assert find_images(tmp_path) == inside
    assert find_images([f"{tmp_path}/notes.txt", tmp_path]) == [f"{tmp_path}/notes.txt", *inside]


# The classifier


def _scores(predictions: list[Any]) -> np.ndarray[Any, Any]:
    """The scores of all classes, put in the order of their numbers."""
    return np.array(
        [[one.prob for one in sorted(each.classes, key=lambda one: one.class_id)] for each in predictions],
        np.float32,
    )


@pytest.mark.parametrize("layout", ["pir", "program", "combined", "separate"])
def test_digits_in_every_layout(sample_folder: Folder, digits: Path, layout: str) -> None:
    folder = sample_folder("digits", layout)
    files = sorted(digits.iterdir())
    pixels = np.stack([np.asarray(Image.open(file), np.float32)[None] for file in files])
    pixels = pixels / np.float32(255) / np.float32(16 * 15 / 255)
    wanted = oracle.native(oracle.model_arguments(folder, layout), inputs={"image": pixels})
    (scores,) = wanted.outputs.values()
    with ImageClassifier(folder, **DIGIT) as classifier:
        whole = classifier.classify(digits, top_k=10, batch_size=20)
        parts = classifier.classify(files, top_k=10, batch_size=8)
    assert [each.image_name for each in whole] == [str(file) for file in files]
    assert np.array_equal(_scores(whole), scores)
    np.testing.assert_allclose(_scores(parts), scores, rtol=1e-4, atol=1e-4)
    for each, row in zip(whole, scores, strict=True):
        assert each.best.class_id == row.argmax()
        assert [one.prob for one in each.classes] == sorted(row.tolist(), reverse=True)
    right = sum(
        each.best.class_id == label
        for each, label in zip(whole, wb.sample_labels(sample_folder()), strict=False)
    )
    assert right >= 18


def test_colours(sample_folder: Folder, tmp_path: Path) -> None:
    photo(300, 260).save(tmp_path / "photo.jpg")
    (tmp_path / "labels.txt").write_text("".join(f"{number} name {number}\n" for number in range(1000)))
    image = Image.open(tmp_path / "photo.jpg").resize((295, 256), Image.Resampling.BILINEAR)
    pixels = np.asarray(image.crop((36, 16, 260, 240)), np.float32) / np.float32(255)
    pixels = (pixels - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    folder = sample_folder("resnet18")
    inputs = {"image": np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]}
    (scores,) = oracle.native(oracle.model_arguments(folder, "pir"), inputs=inputs).outputs.values()
    with ImageClassifier(folder) as classifier:
        (found,) = classifier.classify(str(tmp_path / "photo.jpg"), top_k=5, labels=tmp_path / "labels.txt")
    order = scores[0].argsort()[::-1][:5]
    assert [one.class_id for one in found.classes] == order.tolist()
    assert [one.prob for one in found.classes] == scores[0][order].tolist()
    assert [one.label for one in found.classes] == [f"name {number}" for number in order]


def test_softmax_and_what_is_said_about_it(sample_folder: Folder, odd: Path, digits: Path) -> None:
    with ImageClassifier(sample_folder(), **DIGIT) as plain:
        assert plain.notices == ()
        scores = _scores(plain.classify(digits, 10, 4))
        said = plain.notices
    assert len(said) == 1
    assert "not probabilities (some are negative): softmax=True" in said[0]
    with ImageClassifier(sample_folder(), softmax=True, **DIGIT) as soft:
        probabilities = _scores(soft.classify(digits, 10, 4))
        assert soft.notices == ()
    np.testing.assert_allclose(probabilities, scipy.special.softmax(scores, axis=1), rtol=1e-5)
    with ImageClassifier(odd / "fixed.json") as given:
        given.classify(digits, batch_size=2)
        assert given.notices == ()
    with ImageClassifier(odd / "fixed.json", softmax=True) as twice:
        twice.classify(digits, batch_size=2)
        assert [text for text in twice.notices if "are probabilities already" in text] == list(twice.notices)


def test_a_batch_that_the_model_fixes(odd: Path, tmp_path: Path) -> None:
    for number in range(3):
        photo(40 + number, 30).save(tmp_path / f"{number}.png")
    with ImageClassifier(odd / "fixed.json") as classifier:
        assert classifier.data_shape == (3, 16, 20)
        with pytest.raises(ConfigError, match="batch_size is 1: give 2, the only one that the model takes"):
            classifier.classify(tmp_path)
        found = classifier.classify(tmp_path, top_k=5, batch_size=2)
        arrays = [classifier.preprocess(tmp_path / f"{number}.png") for number in (2, 2)]
    # The last picture of an odd number is alone: filled up, and counted once.
    inputs = {"x0": np.concatenate(arrays)}
    native = oracle.native([odd / "fixed.json", odd / "fixed.pdiparams"], inputs=inputs)
    (scores,) = native.outputs.values()
    assert len(found) == 3
    assert np.array_equal(_scores(found)[2], scores[0])


def test_sizes_that_the_model_leaves_open(odd: Path, tmp_path: Path) -> None:
    photo(50, 40).save(tmp_path / "a.png")
    with ImageClassifier(odd / "free.json") as usual:
        assert usual.data_shape == (3, 224, 224)
        assert usual.preprocess(tmp_path / "a.png").shape == (1, 3, 224, 224)
        assert usual.transforms.steps[0] == Resize(256)
        usual.classify([tmp_path / "a.png"] * 2, batch_size=2)
        assert "the model has 2 outputs: the scores are read from the first" in usual.notices[0]
    with ImageClassifier(odd / "free.json", crop_size=56) as small:
        assert small.transforms.steps[0] == Resize(64)
        assert small.preprocess(tmp_path / "a.png").shape == (1, 3, 56, 56)


def test_classes_that_only_a_run_tells(odd: Path, tmp_path: Path) -> None:
    photo(9, 9).save(tmp_path / "a.png")
    with ImageClassifier(odd / "pixels.json", crop_size=3, resize_size=3, mean=[0], std=[1]) as classifier:
        (found,) = classifier.classify(tmp_path, top_k=9, labels=[f"pixel {i}" for i in range(9)])
        pixels = np.asarray(photo(9, 9).convert("L").resize((3, 3), Image.Resampling.BILINEAR)).ravel()
        assert [one.label for one in found.classes[:2]] == [
            f"pixel {i}" for i in np.argsort(-pixels.astype(int))[:2]
        ]
        with pytest.raises(InputError, match="there are 8 labels and the model has 9 classes"):
            classifier.classify(tmp_path, labels=["pixel"] * 8)
        with pytest.raises(ConfigError, match="top_k is 10 and the model has 9 classes: give at most 9"):
            classifier.classify(tmp_path, top_k=10)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two", r"two has 2 inputs \(x0, x1\) .*: subclass InferenceEngine and have preprocess give a dict"),
        ("rows", "input 'x0' of rows has shape any×3, .* N×C×H×W: subclass InferenceEngine"),
        ("four", "input 'x0' of four has shape any×4×8×8, .* 1 channel .gray. or 3 .RGB.: subclass"),
        ("bytes", "input 'x0' of bytes is uint8, .* float32: subclass InferenceEngine"),
        ("map", r"has shape any×3×8×8, not a score per class \(N×classes\): subclass"),
        ("broken", "the model's scores are not numbers .NaN.: check its parameters, and mean and std"),
    ],
)
def test_models_that_classify_no_pictures(odd: Path, digits: Path, name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words), ImageClassifier(odd / f"{name}.json") as classifier:
        classifier.classify(digits / "00.png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crop_size": 4}, "crop_size is 4, and the model takes pictures of 8×8: leave crop_size out"),
        ({"resize_size": 7}, "resize_size is 7, smaller than the crop of 8×8: give 8 or more"),
        ({"resize_size": 0}, "resize_size is 0; give a whole number of pixels from 1"),
        ({"mean": [0.1, 0.2, 0.3]}, "mean has 3 values and the model's pictures 1 channels: give one"),
        ({"std": [0]}, "std .0.0,.: give numbers, and no std of 0"),
        ({"mean": [float("nan")]}, "mean is .nan,., .*: give numbers"),
    ],
)
def test_options_that_cannot_be(sample_folder: Folder, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ImageClassifier(sample_folder(), **options)


# Labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("tench, Tinca tinca\ngoldfish\n", ("tench, Tinca tinca", "goldfish")),
        ("0 tench\n1 goldfish\n\n", ("tench", "goldfish")),
        ("1 goldfish\r\n0 tench\r\n", ("tench", "goldfish")),
        ("\ufeff0 tench\n1 金鱼\n", ("tench", "金鱼")),
        ("3 wheels\n2 wheels\n", ("3 wheels", "2 wheels")),  # not the numbers of the lines' classes
        ("0\n1\n2\n", ("0", "1", "2")),
        ("0 tench\n0 goldfish\n", ("0 tench", "0 goldfish")),
    ],
)
def test_label_files(tmp_path: Path, text: str, labels: tuple[str, ...]) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(text.encode())
    assert read_labels(file) == labels


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "labels.txt is empty: give"),
        (b"\n \n", "labels.txt is empty: give"),
        (b"tench\n\ngoldfish\n", "line 2 of .*labels.txt is empty: give one label per line"),
        (b"\xff\xfe\0t", "labels.txt is not text in UTF-8: give"),
        (None, "labels.txt cannot be read .No such file or directory.: give"),
    ],
)
def test_label_files_that_are_none(tmp_path: Path, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / "labels.txt").write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_labels(tmp_path / "labels.txt")


def test_labels_of_another_model(classifier: ImageClassifier, digits: Path, tmp_path: Path) -> None:
    # Said before anything runs: even a picture that is none is not looked at.
    with pytest.raises(InputError, match="there are 3 labels and the model has 10 classes: give the labels"):
        classifier.classify(tmp_path / "none.png", labels=["a", "b", "c"])
    found = classifier.classify(digits / "01.png", labels=[f"n{number}" for number in range(11)])
    assert found[0].best.label == f"n{found[0].best.class_id}"
    assert any(
        "11 labels and the model has 10 classes: the first ones" in text for text in classifier.notices
    )


# The template


class Pairs(InferenceEngine):
    """Two inputs, two outputs: an item is a number, its inputs rows made of it."""

    def preprocess(self, item: Any) -> dict[str, Any]:
        return {"x0": np.full((1, 3), item, np.float32), "x1": np.array([[1, 2, item]], np.float32)}


def test_several_inputs_and_outputs(odd: Path) -> None:
    with Pairs(odd / "two.json") as engine:
        one_by_one = list(engine.predict([5, 7, 9]))
        together = list(engine.predict(iter([5, 7, 9]), batch_size=2))
        names = [info.name for info in engine.model.outputs]
    for results in (one_by_one, together):
        for item, result in zip([5, 7, 9], results, strict=True):
            assert result[names[0]].tolist() == [[item + 2, item + 4, item + 2 * item]]
            assert result[names[1]].tolist() == [[item, item * 2, item * item]]


def test_the_documents_template_step_by_step(sample_folder: Folder, digits: Path) -> None:
    with ImageClassifier(sample_folder(), **DIGIT) as engine:
        img = engine.preprocess(digits / "02.png")
        output = engine.run(img)
        class_id, prob = engine.postprocess(output)
        pairs = list(engine.predict([digits / "02.png", digits / "03.png"], batch_size=2))
    assert img.shape == (1, 1, 8, 8)
    assert (class_id, prob) == (output.argmax(), output.max())
    assert [pair[0] for pair in pairs] == wb.sample_labels(sample_folder())[2:4].tolist()


class Wrong(InferenceEngine):
    """Gives what it is given."""

    def preprocess(self, item: Any) -> Any:
        return item


def test_mistakes_in_a_subclass(sample_folder: Folder, odd: Path) -> None:
    with InferenceEngine(odd / "rows.json") as engine:
        with pytest.raises(
            WorkbenchError, match=r"does not say how to preprocess 'a.png': define preprocess"
        ):
            list(engine.predict(["a.png"]))
        with pytest.raises(ConfigError, match="batch_size is 0; give a whole number from 1"):
            engine.predict(["a.png"], batch_size=0)
    row = np.ones((1, 3), np.float32)
    with Wrong(odd / "rows.json") as engine:
        assert next(engine.predict([row])).tolist() == [[2, 2, 2]]
        with pytest.raises(InputError, match=r"preprocess gave 3; have it give .* batch axis of 1 in front"):
            list(engine.predict([row[0], row[0]], batch_size=2))
        with pytest.raises(InputError, match="preprocess gave 1×3 and 1×4; have it give the same shape"):
            list(engine.predict([row, np.ones((1, 4), np.float32)], batch_size=2))
        with pytest.raises(InputError, match="is float64, the model wants float32: convert it"):
            list(engine.predict([row.astype(float)]))
    with Wrong(odd / "two.json") as engine, pytest.raises(InputError, match=r"give a dict .* x0, x1"):
        list(engine.predict([row]))
    with Wrong(odd / "two.json") as engine:
        with pytest.raises(
            InputError, match="preprocess gave input 'x1' for some items only: give it for all"
        ):
            list(engine.predict([{"x0": row, "x1": row}, {"x0": row}], batch_size=2))
        with pytest.raises(InputError, match="input 'x1' is missing: give"):
            list(engine.predict([{"x0": row}]))
    with Wrong(odd / "sum.json") as engine:
        assert list(engine.predict([row])) == [3]
        with pytest.raises(ModelError, match=r"for a batch of 2, without a row per item: .*batch_size=1"):
            list(engine.predict([row, row], batch_size=2))


def test_a_gpu_that_is_not_there(sample_folder: Folder, digits: Path) -> None:
    asked = wb.InferenceConfig(device="gpu")
    with ImageClassifier(sample_folder(), asked, **DIGIT) as engine:
        (found,) = engine.classify(digits / "02.png")
        assert found.best.class_id == 4
        assert "a GPU was asked for" in engine.notices[0]
    kept: list[wb.Session] = []

    class Kept(ImageClassifier):
        def load_predictor(self, model: Any, config: Any) -> wb.Session:
            kept.append(super().load_predictor(model, config))
            return kept[0]

    with pytest.raises(ConfigError, match=r"a GPU was asked for, .* CPU build.*or leave out strict"):
        Kept(sample_folder(), asked, strict=True)
    assert kept[0].pid is None
    with ImageClassifier(sample_folder(), strict=True, **DIGIT) as engine:
        assert engine.config == wb.InferenceConfig()
    with pytest.raises(ConfigError, match=r"TensorRT was asked for, .* CPU build"):
        ImageClassifier(sample_folder(), wb.InferenceConfig(device="gpu", trt=True), strict=True)
    with ImageClassifier(sample_folder(), wb.InferenceConfig(device="gpu", trt=True), **DIGIT) as engine:
        assert [notice.split(" was")[0] for notice in engine.notices] == ["TensorRT", "a GPU"]
        assert engine.classify(digits / "02.png") == [found]


def test_a_damaged_picture_in_a_folder_is_left_out_and_said(
    sample_folder: Folder, digits: Path, tmp_path: Path
) -> None:
    for name in ("00.png", "01.png", "02.png"):
        (tmp_path / name).write_bytes((digits / name).read_bytes())
    (tmp_path / "01.png").write_bytes((digits / "01.png").read_bytes()[:40])
    with ImageClassifier(sample_folder(), **DIGIT) as engine:
        for batch_size in (2, 1):
            found = engine.classify(tmp_path, batch_size=batch_size)
            assert [Path(one.image_name).name for one in found] == ["00.png", "02.png"]
        assert found == engine.classify([tmp_path / "00.png", str(tmp_path / "02.png")], batch_size=1)
        said = [text for text in engine.notices if text.startswith("left out: ")]
        assert len(said) == 1
        assert "01.png is not a picture" in said[0]
        with pytest.raises(InputError, match=r"01\.png is not a picture"):
            engine.classify(tmp_path / "01.png")
        for name in ("00.png", "02.png"):
            (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(InputError, match=r"none of 3 pictures can be used; the first: .*00\.png"):
            engine.classify(tmp_path)
