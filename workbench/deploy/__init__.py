"""From a trained layer to a deployment: export, pipeline, log, checkpoints, code, and the 1.x API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench._lazy import lazily

if TYPE_CHECKING:
    from workbench.deploy import codegen, fluid, inference, runlog
    from workbench.deploy.checkpoints import Checkpoint, check
    from workbench.deploy.codegen import generate, lite_command
    from workbench.deploy.pipeline import ImageClassifier, InferenceEngine
    from workbench.deploy.training.comparison import compare
    from workbench.deploy.training.conversion import convert
    from workbench.deploy.training.engines import LayerEngine, SessionEngine, TrainingEngine
    from workbench.deploy.training.export import check_export, export_layer, export_persistable
    from workbench.deploy.training.static import import_paddle

_MODULES = {
    "Checkpoint": "checkpoints",
    "ImageClassifier": "pipeline",
    "InferenceEngine": "pipeline",
    "LayerEngine": "training.engines",
    "SessionEngine": "training.engines",
    "TrainingEngine": "training.engines",
    "check": "checkpoints",
    "check_export": "training.export",
    "codegen": "codegen",
    "compare": "training.comparison",
    "convert": "training.conversion",
    "export_layer": "training.export",
    "export_persistable": "training.export",
    "fluid": "fluid",
    "generate": "codegen",
    "import_paddle": "training.static",
    "inference": "inference",
    "lite_command": "codegen",
    "runlog": "runlog",
}

__all__ = [
    "Checkpoint",
    "ImageClassifier",
    "InferenceEngine",
    "LayerEngine",
    "SessionEngine",
    "TrainingEngine",
    "check",
    "check_export",
    "codegen",
    "compare",
    "convert",
    "export_layer",
    "export_persistable",
    "fluid",
    "generate",
    "import_paddle",
    "inference",
    "lite_command",
    "runlog",
]


__getattr__ = lazily(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
