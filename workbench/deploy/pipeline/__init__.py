"""The inference pipeline: the documents' template, and an image classifier on it."""

from __future__ import annotations

from workbench.deploy.pipeline.classifier import ClassScore, ImageClassifier, Prediction, read_labels
from workbench.deploy.pipeline.engine import InferenceEngine

__all__ = ["ClassScore", "ImageClassifier", "InferenceEngine", "Prediction", "read_labels"]
