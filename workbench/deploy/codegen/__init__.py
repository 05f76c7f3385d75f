"""Deployment programs: a config's native calls in Python, C++, C, Go and R, and Paddle-Lite's converter."""

from __future__ import annotations

from workbench.deploy.codegen.languages import CHECKED, LANGUAGES, LITE
from workbench.deploy.codegen.lite import LITE_TARGETS, lite_command
from workbench.deploy.codegen.program import Program, generate

__all__ = ["CHECKED", "LANGUAGES", "LITE", "LITE_TARGETS", "Program", "generate", "lite_command"]
