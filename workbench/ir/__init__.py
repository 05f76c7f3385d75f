"""One graph for both of Paddle's IRs: reading native dumps and model files, comparing, drawing."""

from workbench.ir.diff import Diff, diff, same_graph
from workbench.ir.dot import count_native_ops, enrich, read_native_dot
from workbench.ir.graph import Graph, IrKind, Kernel, Op, Value
from workbench.ir.pir_json import is_pir_json, read_pir_json
from workbench.ir.pir_text import count_ops, read_pir_text
from workbench.ir.program import main_block, parameter_names, program_inputs_outputs, read_program
from workbench.ir.render import to_dot

__all__ = [
    "Diff",
    "Graph",
    "IrKind",
    "Kernel",
    "Op",
    "Value",
    "count_native_ops",
    "count_ops",
    "diff",
    "enrich",
    "is_pir_json",
    "main_block",
    "parameter_names",
    "program_inputs_outputs",
    "read_native_dot",
    "read_pir_json",
    "read_pir_text",
    "read_program",
    "same_graph",
    "to_dot",
]
