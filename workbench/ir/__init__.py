"""One graph for both of Paddle's IRs: reading native dumps and model files, comparing, drawing."""

from workbench.ir.diff import Diff, alterations, canonical_type, diff, diff_of, same_graph
from workbench.ir.dot import count_native_ops, enrich, read_native_dot
from workbench.ir.graph import Graph, IrKind, Kernel, Op, Value
from workbench.ir.layers import Block, LayerTree, inherited_layers, layer_tree
from workbench.ir.pir_json import is_pir_json, read_pir_json
from workbench.ir.pir_text import count_ops, read_pir_text
from workbench.ir.program import main_block, parameter_names, program_inputs_outputs, read_program
from workbench.ir.provenance import Event, provenance
from workbench.ir.render import to_dot
from workbench.ir.repeats import infer_layers

__all__ = [
    "Block",
    "Diff",
    "Event",
    "Graph",
    "IrKind",
    "Kernel",
    "LayerTree",
    "Op",
    "Value",
    "alterations",
    "canonical_type",
    "count_native_ops",
    "count_ops",
    "diff",
    "diff_of",
    "enrich",
    "infer_layers",
    "inherited_layers",
    "is_pir_json",
    "layer_tree",
    "main_block",
    "parameter_names",
    "program_inputs_outputs",
    "provenance",
    "read_native_dot",
    "read_pir_json",
    "read_pir_text",
    "read_program",
    "same_graph",
    "to_dot",
]
