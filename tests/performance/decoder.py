"""Exports a decoder of many layers that share one mask: ``decoder.py LAYERS DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

import paddle
from paddle import nn

WIDTH = 64


class Block(nn.Layer):
    """Attention with a mask, then a gated dense part; each after a norm, each added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.norm_query = nn.LayerNorm(WIDTH)
        self.norm_key = nn.LayerNorm(WIDTH)
        self.gate = nn.Linear(WIDTH, 4 * WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
        y = self.norm1(x)
        query, key = self.norm_query(self.query(y)), self.norm_key(self.key(y))
        scores = paddle.matmul(query, key, transpose_y=True) * WIDTH**-0.5 + mask
        x = x + self.out(paddle.matmul(nn.functional.softmax(scores), self.value(y)))
        y = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Layer):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.word = nn.Embedding(256, WIDTH)
        self.blocks = nn.LayerList([Block() for _ in range(layers)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 256)

    def forward(self, tokens: paddle.Tensor) -> paddle.Tensor:
        x = self.word(tokens)
        # One value that every layer reads: the long edges on which layouts fail.
        mask = paddle.triu(paddle.full([128, 128], -1e4), 1)
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x))


if __name__ == "__main__":
    paddle.set_device("cpu")
    paddle.seed(1)
    net = Decoder(int(sys.argv[1]))
    net.eval()
    spec = [paddle.static.InputSpec([-1, 128], "int64", "tokens")]
    static = paddle.jit.to_static(net, input_spec=spec, full_graph=True)
    paddle.jit.save(static, str(Path(sys.argv[2]) / "inference"))
