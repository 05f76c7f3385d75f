"""Run as a script: builds small models and lets Paddle dump them. The tests never import Paddle themselves.

Usage: native_models.py pir|program DIRECTORY
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

kind, directory = sys.argv[1], Path(sys.argv[2])
if kind == "program":
    os.environ.update(FLAGS_enable_pir_api="0")

import paddle  # noqa: E402
import paddle.inference as inference  # noqa: E402
from paddle import nn  # noqa: E402
from paddle.static import InputSpec  # noqa: E402


class Conv(nn.Layer):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2D(3, 4, 3, padding=1, bias_attr=False), nn.BatchNorm2D(4), nn.ReLU()
        )
        self.second = nn.Sequential(nn.Conv2D(4, 4, 3, padding=1, bias_attr=False), nn.BatchNorm2D(4))
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.head = nn.Linear(4, 2)

    def forward(self, image):
        first = self.first(image)
        total = nn.functional.relu(self.second(first) + first)
        return self.head(self.pool(total).flatten(1)), total


class Attention(nn.Layer):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, activation="gelu"), 1)

    def forward(self, ids, mask):
        hidden = (1.0 - mask.astype("float32")).unsqueeze([1, 2]) * -1e4
        return self.encoder(self.embedding(ids), hidden)


class Control(nn.Layer):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.two = nn.Linear(4, 4)

    def forward(self, x, n):
        i = paddle.zeros([1], "int64")
        while i < n:
            if x.mean() > 0:
                x = self.one(x)
                if x.sum() > 5:
                    x = nn.functional.relu(x)
            else:
                x = self.two(x) * 2
            i = i + 1
        left, right = paddle.split(x, 2, axis=1)
        return paddle.concat([left, right, x], axis=1), i


def save(name, layer, *specs):
    layer.eval()
    layer = paddle.jit.to_static(layer, input_spec=list(specs), full_graph=True)
    paddle.jit.save(layer, str(directory / name / "inference"))


def trace(name, suffix, onednn):
    """Creates a predictor, with everything it prints in NAME.plain|onednn.out and .err."""
    stem = f"{name}.{'onednn' if onednn else 'plain'}"
    saved = [os.dup(1), os.dup(2)]
    for number, ending in ((1, "out"), (2, "err")):
        target = os.open(directory / f"{stem}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, number)
        os.close(target)
    try:
        model = directory / name / "inference"
        config = inference.Config(f"{model}{suffix}", f"{model}.pdiparams")
        if onednn:
            config.enable_mkldnn()
        else:
            config.disable_mkldnn()
        config.switch_ir_debug(True)
        if suffix == ".pdmodel":
            dumps = directory / f"{stem}.dumps"
            dumps.mkdir()
            config.set_optim_cache_dir(str(dumps))
        return inference.create_predictor(config)
    finally:
        sys.stdout.flush()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def save_oracles():
    """What Paddle itself reads in the program, to compare our reading with."""
    from google.protobuf import descriptor_pb2
    from paddle.base.proto import framework_pb2

    data = (directory / "conv" / "inference.pdmodel").read_bytes()
    (directory / "program.txt").write_text(str(framework_pb2.ProgramDesc.FromString(data)), encoding="utf-8")
    file = descriptor_pb2.FileDescriptorProto()
    framework_pb2.DESCRIPTOR.CopyToProto(file)
    (directory / "framework.descriptor").write_bytes(file.SerializeToString())


paddle.seed(0)
names = ["conv"]
save("conv", Conv(), InputSpec([None, 3, 8, 8], "float32", name="image"))
if kind == "pir":
    names += ["attention", "control"]
    pair = (InputSpec([None, 6], "int64", name="ids"), InputSpec([None, 6], "int64", name="mask"))
    save("attention", Attention(), *pair)
    save("control", Control(), InputSpec([None, 4], "float32", name="x"), InputSpec([1], "int64", name="n"))
else:
    save_oracles()
for model_name in names:
    for use_onednn in (False, True):
        predictor = trace(model_name, ".json" if kind == "pir" else ".pdmodel", use_onednn)
    ends = [*predictor.get_input_names(), "--", *predictor.get_output_names()]
    (directory / f"{model_name}.names").write_text("\n".join(ends), encoding="utf-8")
