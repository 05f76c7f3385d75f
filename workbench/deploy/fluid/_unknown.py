"""What is said of a 1.x name that is not kept: today's name where there is one."""

from __future__ import annotations

# Names that scripts of 1.x often use beside those of the deployment documents, and their successors.
_TODAY = {
    "ParamAttr": "paddle.ParamAttr",
    "backward": "paddle.static.append_backward",
    "core.PaddleTensor": "numpy arrays, given with get_input_tensor and copy_from_cpu",
    "dygraph": "dynamic mode, which is Paddle's own by default after uninstall()",
    "global_scope": "paddle.static.global_scope",
    "initializer": "paddle.nn.initializer",
    "io.load_params": "fluid.load",
    "io.load_persistables": "fluid.load",
    "io.load_vars": "fluid.load",
    "io.save_params": "fluid.io.save_persistables",
    "layers.accuracy": "paddle.static.accuracy",
    "layers.batch_norm": "paddle.static.nn.batch_norm",
    "layers.concat": "paddle.concat",
    "layers.conv2d": "paddle.static.nn.conv2d",
    "layers.data": "fluid.data",
    "layers.dropout": "paddle.nn.functional.dropout",
    "layers.elementwise_add": "paddle.add",
    "layers.embedding": "paddle.static.nn.embedding",
    "layers.matmul": "paddle.matmul",
    "layers.pool2d": "paddle.nn.functional.max_pool2d and avg_pool2d",
    "layers.relu": "paddle.nn.functional.relu",
    "layers.reshape": "paddle.reshape",
    "layers.softmax": "paddle.nn.functional.softmax",
    "optimizer": "paddle.optimizer",
    "regularizer": "paddle.regularizer",
    "save": "paddle.static.save",
    "scope_guard": "paddle.static.scope_guard",
}
_ELSEWHERE = "today's are in paddle.static and paddle.nn"


def advice(name: str) -> str:
    """What to say of ``fluid.<name>``."""
    today = _TODAY.get(name)
    where = f"use {today}" if today else f"workbench.deploy.fluid.names lists them, {_ELSEWHERE}"
    return f"fluid.{name} is not one of the 1.x names kept here: {where}"


def unknown(name: str) -> AttributeError:
    """The error for ``fluid.<name>``."""
    return AttributeError(advice(name))
