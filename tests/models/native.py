"""Run by the tests in a process of its own: IR MODEL_FILE FOLDER CONFIG_ARGUMENT..."""

import json
import sys
from pathlib import Path

import numpy as np
import paddle
from paddle import inference

ir, model_file, folder, *config_arguments = sys.argv[1:]
out = Path(folder)
data = Path(model_file).read_bytes()
paddle.enable_static()
if ir == "pir":
    program = paddle.static.Program()
    paddle.base.core.deserialize_pir_program(model_file, program)
    left_out = ("builtin.parameter", "builtin.constant")
    ops = [op for op in program.global_block().ops if op.name() not in left_out]
    said = {"ops": len(ops)}
    described = {
        op.attrs()["name"]: op.results()[0] for op in ops if op.name() in ("pd_op.data", "pd_op.fetch")
    }
    weights = [
        [op.attrs()["parameter_name"], list(op.results()[0].shape)]
        for op in program.global_block().ops
        if op.name() == "builtin.parameter"
    ]
else:
    program = paddle.static.Program.parse_from_string(data)
    said = {"ops": sum(len(block.ops) for block in program.blocks)}
    described = program.global_block().vars
    weights = [
        [name, list(var.shape)]
        for name, var in program.global_block().vars.items()
        if var.persistable and name not in ("feed", "fetch")
    ]
config = inference.Config(*config_arguments)
config.disable_glog_info()
config.disable_mkldnn()
predictor = inference.create_predictor(config)
said["weights"] = sorted(weights)
for kind, names in (("inputs", predictor.get_input_names()), ("outputs", predictor.get_output_names())):
    said[kind] = [
        [name, str(described[name].dtype).rpartition(".")[2].lower(), list(described[name].shape)]
        for name in names
    ]
if (out / "inputs.npz").exists():
    with np.load(out / "inputs.npz") as arrays:
        for name in arrays.files:
            predictor.get_input_handle(name).copy_from_cpu(arrays[name])
    predictor.run()
    np.savez(
        out / "outputs.npz",
        *[predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()],
    )
(out / "said.json").write_text(json.dumps(said))
