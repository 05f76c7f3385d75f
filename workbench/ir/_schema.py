"""The part of Paddle's ``framework.proto`` that a program needs, as protobuf messages built in code."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "paddle.framework.proto"

# One line per message, then one per field: number, name, type, rule. Enums are read as int32, which is
# the same on the wire, because proto2 drops an enum value that it does not know and newer releases add some.
_SCHEMA = """
Version
  1 version int64 optional
Complex
  1 r double required
  2 i double required
Scalar
  1 type int32 required
  2 b bool optional
  3 i int64 optional
  4 r double optional
  5 c Complex optional
OpDesc
  3 type string required
  1 inputs OpDesc.Var repeated
  2 outputs OpDesc.Var repeated
  4 attrs OpDesc.Attr repeated
  5 is_target bool optional
OpDesc.Attr
  1 name string required
  2 type int32 required
  3 i int32 optional
  4 f float optional
  5 s string optional
  6 ints int32 repeated
  7 floats float repeated
  8 strings string repeated
  10 b bool optional
  11 bools bool repeated
  12 block_idx int32 optional
  13 l int64 optional
  14 blocks_idx int32 repeated
  15 longs int64 repeated
  16 float64s double repeated
  17 var_name string optional
  18 vars_name string repeated
  19 float64 double optional
  20 scalar Scalar optional
  21 scalars Scalar repeated
OpDesc.Var
  1 parameter string required
  2 arguments string repeated
VarType
  1 type int32 required
  2 selected_rows VarType.TensorDesc optional
  3 dense_tensor VarType.DenseTensorDesc optional
  4 tensor_array VarType.DenseTensorArrayDesc optional
  5 reader VarType.ReaderDesc optional
  7 tuple VarType.Tuple optional
  8 string VarType.TensorDesc optional
  9 strings VarType.TensorDesc optional
  10 vocab VarType.TensorDesc optional
  11 sparse_coo VarType.TensorDesc optional
  12 sparse_csr VarType.TensorDesc optional
VarType.TensorDesc
  1 data_type int32 required
  2 dims int64 repeated
VarType.DenseTensorDesc
  1 tensor VarType.TensorDesc required
  2 legacy_lod_level int32 optional
VarType.DenseTensorArrayDesc
  1 tensor VarType.TensorDesc required
  2 legacy_lod_level int32 optional
VarType.ReaderDesc
  1 dense_tensor VarType.DenseTensorDesc repeated
VarType.Tuple
  1 element_type int32 repeated
VarDesc
  1 name string required
  2 type VarType required
  3 persistable bool optional
  4 need_check_feed bool optional
  5 is_parameter bool optional
  6 stop_gradient bool optional
  7 attrs VarDesc.Attr repeated
VarDesc.Attr
  1 name string required
  2 type int32 required
  3 i int32 optional
  4 s string optional
  5 ints int32 repeated
BlockDesc
  1 idx int32 required
  2 parent_idx int32 required
  3 vars VarDesc repeated
  4 ops OpDesc repeated
  5 forward_block_idx int32 optional
OpVersion
  1 version int32 required
OpVersionMap
  1 pair OpVersionMap.OpVersionPair repeated
OpVersionMap.OpVersionPair
  1 op_name string required
  2 op_version OpVersion required
ProgramDesc
  1 blocks BlockDesc repeated
  4 version Version optional
  5 op_version_map OpVersionMap optional
"""


@cache
def program_class() -> Any:
    """The message class ``ProgramDesc``, in a descriptor pool of its own (Paddle's own is another)."""
    field_proto = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="workbench/framework.proto", package=_PACKAGE, syntax="proto2"
    )
    messages: dict[str, Any] = {}
    for line in _SCHEMA.strip().splitlines():
        if not line.startswith(" "):
            outer, _, inner = line.rpartition(".")
            nested = messages[outer].nested_type if outer else file.message_type
            messages[line] = nested.add(name=inner)
            current = messages[line]
            continue
        number, name, kind, rule = line.split()
        field = current.field.add(name=name, number=int(number))
        field.label = getattr(field_proto, f"LABEL_{rule.upper()}")
        if kind[0].isupper():
            field.type = field_proto.TYPE_MESSAGE
            field.type_name = f".{_PACKAGE}.{kind}"
        else:
            field.type = getattr(field_proto, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ProgramDesc"))
