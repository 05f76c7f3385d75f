"""Makes the sample models. Run as a file by an interpreter that has Paddle and numpy, and nothing of ours.

``state NAME OUT.npz [DATA.npz]`` trains or initialises a model and saves its weights;
``export NAME pir|program STATE.npz DIRECTORY`` writes it as an inference model;
``run NAME STATE.npz INPUTS.npz OUT.npz`` runs the layer itself, for comparison.
Lines that start with "@ " are progress; exit code 3 says that there is no Paddle.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from typing import Any

# Started as a file, Python looks for modules beside it first; ours must not hide anybody's.
if sys.path and os.path.abspath(sys.path[0]) == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120
    del sys.path[0]

SEED = 2024
NO_PADDLE = 3


def say(text: str) -> None:
    """Report progress to whoever started the script."""
    print("@ " + text, flush=True)


class Heartbeat:
    """Reports every few seconds that a long step still goes on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.beat, daemon=True)

    def beat(self) -> None:
        """Report until stopped."""
        start = time.monotonic()
        while not self.stop.wait(5):
            say(f"{self.text}, {time.monotonic() - start:.0f} s")

    def __enter__(self) -> None:
        say(self.text)
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.thread.join()


def main(arguments: list[str]) -> int:
    """Run one of the three commands."""
    command, name = arguments[:2]
    ir = arguments[2] if command == "export" else "pir"
    if ir == "program":
        # Paddle 3 reads this flag once, on import.
        os.environ.update(FLAGS_enable_pir_api="0")
    try:
        paddle = importlib.import_module("paddle")
    except ImportError as error:
        print(f"paddle cannot be imported: {error}")
        return NO_PADDLE
    paddle.set_device("cpu")
    if command == "state":
        make_state(paddle, name, arguments[2], arguments[3] if len(arguments) > 3 else None)
    elif command == "export":
        export(paddle, name, ir, arguments[3], arguments[4])
    else:
        run(paddle, name, *arguments[2:5])
    return 0


def make_state(paddle: Any, name: str, out: str, data: str | None) -> None:
    """Train or initialise a model and save its weights by their place in the layer."""
    import numpy as np

    paddle.seed(SEED)
    layer = build(paddle, name)
    if name == "digits":
        assert data is not None
        train_digits(paddle, layer, data)
    elif name in ("resnet18", "mobilenet_v3_small"):
        settle(paddle, layer)
    np.savez(out, **{key: value.numpy() for key, value in layer.state_dict().items()})


def restore(paddle: Any, name: str, state: str) -> Any:
    """The layer with its saved weights, ready for inference."""
    import numpy as np

    layer = build(paddle, name)
    with np.load(state) as weights:
        wanted = set(layer.state_dict())
        if wanted != set(weights.files):
            raise SystemExit(
                f"this release of Paddle builds {name} with other weights: {wanted ^ set(weights.files)}"
            )
        layer.set_state_dict({key: weights[key] for key in weights.files})
    layer.eval()
    return layer


def export(paddle: Any, name: str, ir: str, state: str, directory: str) -> None:
    """Write ``inference.json`` or ``inference.pdmodel`` with ``inference.pdiparams``."""
    modern = int(paddle.__version__.split(".")[0] or 3) >= 3
    if ir == "pir" and not modern:
        raise SystemExit(
            f"Paddle {paddle.__version__} cannot write the PIR layout, 3.0 and newer can: "
            "choose the layout program, or another interpreter"
        )
    if ir == "program" and modern:
        allow_legacy_ops(paddle)
    with Heartbeat(f"exporting {name} as {ir}"):
        layer = restore(paddle, name, state)
        specs = [paddle.static.InputSpec(shape, dtype, key) for key, dtype, shape in signature(name)]
        static = paddle.jit.to_static(layer, input_spec=specs, full_graph=True)
        paddle.jit.save(static, os.path.join(directory, "inference"))  # noqa: PTH118
    info = os.path.join(directory, "inference.pdiparams.info")  # noqa: PTH118
    if os.path.exists(info):  # noqa: PTH110
        # Only for loading back into training.
        os.remove(info)  # noqa: PTH107


def run(paddle: Any, name: str, state: str, inputs: str, out: str) -> None:
    """Run the layer as it was trained and save its output."""
    import numpy as np

    layer = restore(paddle, name, state)
    with np.load(inputs) as arrays, paddle.no_grad():
        result = layer(*[paddle.to_tensor(arrays[key]) for key, _, _ in signature(name)])
    np.savez(out, output_0=result.numpy())


def signature(name: str) -> list[tuple[str, str, list[int]]]:
    """The inputs of a sample: name, dtype, shape."""
    if name == "digits":
        return [("image", "float32", [-1, 1, 8, 8])]
    if name in ("resnet18", "mobilenet_v3_small"):
        return [("image", "float32", [-1, 3, 224, 224])]
    return [(key, "int64", [-1, -1]) for key in ("input_ids", "token_type_ids", "attention_mask")]


def build(paddle: Any, name: str) -> Any:
    """The layer of a sample, with fresh weights."""
    if name == "digits":
        return digits(paddle)
    if name == "resnet18":
        return paddle.vision.models.resnet18()
    if name == "mobilenet_v3_small":
        return paddle.vision.models.mobilenet_v3_small()
    if name == "bert_tiny":
        return bert(paddle, vocabulary=8192, hidden=128, heads=2, layers=2, positions=512)
    if name == "deep":
        layer = bert(paddle, vocabulary=1024, hidden=32, heads=2, layers=200, positions=512)
        for block in layer.encoder.layers:
            # Written out, as many exported models have it: about 10,000 ops in all.
            block.activation = lambda x: x * 0.5 * (1.0 + paddle.erf(x / 2.0**0.5))
        return layer
    raise SystemExit(f"unknown sample {name}")


def digits(paddle: Any) -> Any:
    """A small convolutional net.

    One convolution has a bias before its BatchNorm and one has none: the two IRs fuse them differently.
    """
    nn = paddle.nn
    return nn.Sequential(
        ("conv1", nn.Conv2D(1, 16, 3, padding=1, bias_attr=False)),
        ("bn1", nn.BatchNorm2D(16)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2D(16, 32, 3, padding=1)),
        ("bn2", nn.BatchNorm2D(32)),
        ("relu2", nn.ReLU()),
        ("pool", nn.MaxPool2D(2)),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(32 * 16, 64)),
        ("relu3", nn.ReLU()),
        ("fc2", nn.Linear(64, 10)),
    )


def bert(paddle: Any, vocabulary: int, hidden: int, heads: int, layers: int, positions: int) -> Any:
    """A transformer encoder with BERT's inputs, pooler and a classifier of two classes."""
    nn = paddle.nn

    class Bert(nn.Layer):  # type: ignore[misc, name-defined]
        """The additive mask goes into every layer of the encoder."""

        def __init__(self) -> None:
            super().__init__()
            self.word = nn.Embedding(vocabulary, hidden)
            self.position = nn.Embedding(positions, hidden)
            self.token_type = nn.Embedding(2, hidden)
            self.norm = nn.LayerNorm(hidden)
            self.dropout = nn.Dropout(0.1)
            layer = nn.TransformerEncoderLayer(hidden, heads, 4 * hidden, dropout=0.1, activation="gelu")
            self.encoder = nn.TransformerEncoder(layer, layers)
            self.pooler = nn.Linear(hidden, hidden)
            self.classifier = nn.Linear(hidden, 2)

        def forward(self, input_ids: Any, token_type_ids: Any, attention_mask: Any) -> Any:
            """Classify token sequences; the mask is 1 for a token and 0 for padding."""
            mask = (1.0 - attention_mask.astype("float32")).unsqueeze([1, 2]) * -10000.0
            places = paddle.cumsum(paddle.ones_like(input_ids), axis=1) - 1
            embedded = self.word(input_ids) + self.position(places) + self.token_type(token_type_ids)
            encoded = self.encoder(self.dropout(self.norm(embedded)), mask)
            return self.classifier(paddle.tanh(self.pooler(encoded[:, 0])))

    return Bert()


def train_digits(paddle: Any, layer: Any, data: str) -> None:
    """Train on the images and labels in ``data``; a few seconds."""
    import numpy as np

    with np.load(data) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    optimizer = paddle.optimizer.Adam(2e-3, parameters=layer.parameters())
    order = np.random.default_rng(SEED)
    epochs = 12
    layer.train()
    for epoch in range(epochs):
        shuffled = order.permutation(len(images))
        for start in range(0, len(shuffled), 64):
            batch = shuffled[start : start + 64]
            scores = layer(paddle.to_tensor(images[batch]))
            loss = paddle.nn.functional.cross_entropy(scores, paddle.to_tensor(labels[batch]))
            loss.backward()
            optimizer.step()
            optimizer.clear_grad()
        say(f"training digits, epoch {epoch + 1} of {epochs}, loss {float(loss):.4f}")


def settle(paddle: Any, layer: Any) -> None:
    """Make an untrained net's outputs depend on its input as a trained one's do.

    Its BatchNorms get the statistics of what really flows through them: with the initial mean 0 and
    variance 1 activations grow or vanish with depth. Before that, convolutions are scaled so that what
    they give their BatchNorm has a variance of 1: where it is below epsilon, the signal would die out.
    """
    import numpy as np

    convolution: list[Any] = []

    def remember(conv: Any, inputs: Any, output: Any) -> None:
        convolution[:] = [conv]

    def scale(norm: Any, inputs: Any) -> Any:
        factor = 1.0 / float(inputs[0].std())
        conv = convolution.pop()
        for weight in (conv.weight, conv.bias):
            if weight is not None:
                weight.set_value(weight * factor)
        return (inputs[0] * factor,)

    hooks = []
    for part in layer.sublayers():
        if isinstance(part, paddle.nn.Conv2D):
            hooks.append(part.register_forward_post_hook(remember))
        elif isinstance(part, paddle.nn.BatchNorm2D):
            hooks.append(part.register_forward_pre_hook(scale))
            # Of the net that is thrown away: the exported one is built anew with the usual momentum.
            part._momentum = 0.5
    random = np.random.default_rng(SEED)
    layer.train()
    with paddle.no_grad():
        for step in range(6):
            say(f"settling BatchNorm statistics, step {step + 1} of 6")
            layer(paddle.to_tensor(images_of_noise(random, 8)))
            while hooks:
                hooks.pop().remove()
        # All images share most of their scores so far: take that part away and stretch the rest.
        layer.eval()
        scores = layer(paddle.to_tensor(images_of_noise(random, 16)))
        shared = scores.mean(axis=0)
        factor = 2.0 / float((scores - shared).std())
        last = [part for part in layer.sublayers() if isinstance(part, paddle.nn.Linear)][-1]
        last.weight.set_value(last.weight * factor)
        last.bias.set_value((last.bias - shared) * factor)


def images_of_noise(random: Any, count: int) -> Any:
    """Images with structure at every scale, normalised per image like photographs are."""
    import numpy as np

    total = np.zeros((count, 3, 224, 224), "float32")
    for cells in (2, 4, 7, 14, 28, 56, 112, 224):
        grid = random.normal(size=(count, 3, cells, cells)).astype("float32")
        total += grid.repeat(224 // cells, axis=2).repeat(224 // cells, axis=3) / np.float32(np.sqrt(cells))
    total -= total.mean(axis=(1, 2, 3), keepdims=True)
    total /= total.std(axis=(1, 2, 3), keepdims=True)
    return total


def allow_legacy_ops(paddle: Any) -> None:
    """Make matmul, gelu and tanh work again where Paddle 3 builds a Program IR graph.

    Paddle 3.3 binds these functions straight to C++ code that knows tensors and PIR values but not
    Program IR's variables, so exporting attention as ``.pdmodel`` fails with "must be Value, but got
    Variable". The ops themselves are still there: for a variable, append them as earlier releases did.
    Must run before layers are built, which keep references to such functions.
    """
    variable = importlib.import_module("paddle.base.framework").Variable
    helper_class = importlib.import_module("paddle.base.layer_helper").LayerHelper
    native = importlib.import_module("paddle._C_ops")

    def append(kind: str, inputs: dict[str, Any], attrs: dict[str, Any]) -> Any:
        helper = helper_class(kind)
        result = helper.create_variable_for_type_inference(dtype=inputs["X"].dtype)
        helper.append_op(type=kind, inputs=inputs, outputs={"Out": result}, attrs=attrs)
        return result

    def matmul(x: Any, y: Any, transpose_x: bool = False, transpose_y: bool = False, name: Any = None) -> Any:
        if not isinstance(x, variable):
            return original["matmul"](x, y, transpose_x, transpose_y)
        return append("matmul_v2", {"X": x, "Y": y}, {"trans_x": transpose_x, "trans_y": transpose_y})

    def gelu(x: Any, approximate: bool = False, name: Any = None) -> Any:
        if not isinstance(x, variable):
            return original["gelu"](x, approximate)
        return append("gelu", {"X": x}, {"approximate": approximate})

    def tanh(x: Any, name: Any = None) -> Any:
        if not isinstance(x, variable):
            return original["tanh"](x)
        return append("tanh", {"X": x}, {})

    ours = {"matmul": matmul, "gelu": gelu, "tanh": tanh}
    original = {key: getattr(native, key) for key in ours}
    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith("paddle") or module is native or "libpaddle" in module_name:
            continue
        for key, function in ours.items():
            captured = getattr(module, "__dict__", {}).get(key)
            # The bare C++ function, or the wrapper generated around it; older releases have their own
            # Python function there, which knows variables and stays.
            generated = str(getattr(captured, "__module__", "")).endswith("generated_tensor_methods_patch")
            if captured is not None and (captured is original[key] or generated):
                setattr(module, key, function)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
