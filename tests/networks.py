"""Networks made for tests: built as flatbuffers node by node, and run by TFLite Micro, the oracle for generated C."""

from __future__ import annotations

import functools
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from firmware_export.schema import OPTIONS_OF

DTYPES = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int16): schema.TensorType.INT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.bool_): schema.TensorType.BOOL,
    np.dtype(np.uint8): schema.TensorType.UINT8,
}
ENUMERATIONS = {
    "activation": schema.ActivationFunctionType,
    "padding": schema.Padding,
    "tensor_type": schema.TensorType,
    "mirror_pad_mode": schema.MirrorPadMode,
    "weights_format": schema.FullyConnectedOptionsWeightsFormat,
}


class Network:
    """A network in the making. Tensors are named by the index that the methods return."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []
        self.model = schema.ModelT()
        self.model.version, self.model.description = 3, "made for a test"
        self.model.buffers, self.model.operatorCodes, self.model.subgraphs = [schema.BufferT()], [], [self.graph]
        self.model.metadata = []
        self._codes: dict[tuple[str, int], int] = {}

    def tensor(
        self, shape: Any, scale: Any = None, zero_point: Any = 0, dtype: Any = np.int8, axis: int = 0, name: str = ""
    ) -> int:
        """A tensor that a node writes. ``scale`` may be a list (per channel along ``axis``)."""
        item = schema.TensorT()
        item.name = name or f"t{len(self.graph.tensors)}"
        item.shape, item.type = [int(size) for size in shape], DTYPES[np.dtype(dtype)]
        if scale is not None:
            quant = item.quantization = schema.QuantizationParametersT()
            quant.scale = [float(np.float32(value)) for value in np.atleast_1d(scale)]
            zero_points = [int(value) for value in np.atleast_1d(zero_point)]
            quant.zeroPoint = zero_points * len(quant.scale) if len(zero_points) == 1 else zero_points
            quant.quantizedDimension = axis
        self.graph.tensors.append(item)
        return len(self.graph.tensors) - 1

    def input(self, shape: Any, scale: Any = None, zero_point: Any = 0, dtype: Any = np.int8) -> int:
        """A tensor that the caller fills."""
        index = self.tensor(shape, scale, zero_point, dtype, name=f"input{len(self.graph.inputs)}")
        self.graph.inputs.append(index)
        return index

    def constant(self, values: Any, scale: Any = None, zero_point: Any = 0, axis: int = 0) -> int:
        """A tensor with data; its type is the array's."""
        array = np.ascontiguousarray(values)
        index = self.tensor(np.shape(values), scale, zero_point, array.dtype, axis)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.graph.tensors[index].buffer = len(self.model.buffers)
        self.model.buffers.append(buffer)
        return index

    def node(self, op: str, inputs: Any, outputs: Any, version: int = 1, **options: Any) -> None:
        """A node between tensors that exist. ``options`` have the schema's snake-case names; enumerations as names."""
        if (op, version) not in self._codes:
            code = schema.OperatorCodeT()
            number = getattr(schema.BuiltinOperator, op)
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
            self._codes[op, version] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        item = schema.OperatorT()
        item.opcodeIndex = self._codes[op, version]
        item.inputs, item.outputs = [int(index) for index in inputs], [int(index) for index in np.atleast_1d(outputs)]
        table = OPTIONS_OF.get(op)
        if table is not None:
            item.builtinOptionsType = getattr(schema.BuiltinOptions, table.name)
            item.builtinOptions = getattr(schema, f"{table.name}T")()
            for field in table.fields:
                value = options.pop(field.name, field.default)
                if field.type in ENUMERATIONS and isinstance(value, str):
                    value = getattr(ENUMERATIONS[field.type], value.upper())
                if field.type.endswith("[]"):
                    value = list(value) if value else None
                setattr(item.builtinOptions, _camel(field.name), value)
        assert not options, f"{op} has no {sorted(options)}"
        self.graph.operators.append(item)

    def op(
        self,
        op: str,
        inputs: Any,
        shape: Any,
        scale: Any = None,
        zero_point: int = 0,
        dtype: Any = np.int8,
        version: int = 1,
        **options: Any,
    ) -> int:
        """A node with one output, whose tensor is made too and returned."""
        output = self.tensor(shape, scale, zero_point, dtype)
        self.node(op, inputs, [output], version, **options)
        return output

    def pack(self, *outputs: int) -> bytes:
        """The file, with these outputs."""
        self.graph.outputs = list(outputs)
        builder = flatbuffers.Builder(4096)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Refused(Exception):    # noqa: N818
    """TFLite Micro does not take a network."""


@functools.lru_cache(maxsize=8)
def _interpreter(data: bytes, arena: int) -> Any:
    from tflite_micro.python.tflite_micro import runtime

    try:
        return runtime.Interpreter.from_bytes(data, arena_size=arena)
    except RuntimeError as error:
        raise Refused(str(error)) from error


def tflite_micro(data: bytes, *inputs: Any, outputs: int = 1, arena: int = 8 << 20) -> list[Any]:
    """The outputs of one inference.

    Raises:
        Refused: TFLite Micro lacks the operator, or does not take this form of it.
    """
    interpreter = _interpreter(data, arena)
    for index, values in enumerate(inputs):
        interpreter.set_input(values, index)
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise Refused(str(error)) from error
    return [np.array(interpreter.get_output(index)) for index in range(outputs)]
