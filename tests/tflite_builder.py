"""A small int8 network as a ``.tflite`` file, made with the schema that LiteRT ships, for tests to change at will."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def small_model() -> Any:
    """CONV_2D 3×3 stride 2 relu, RESHAPE, FULLY_CONNECTED, SOFTMAX over ``[1, 6, 6, 2]``, as a ``ModelT`` to change.

    Parameters: convolution 4×3×3×2 + 4 = 76, dense 3×36 + 3 = 111. MACs: 36×18 + 3×36 = 756.
    """
    random = np.random.default_rng(1)
    model = schema.ModelT()
    model.version = 3
    model.description = "made for a test"
    model.buffers = [schema.BufferT()]
    model.metadata = []
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []
    model.subgraphs = [graph]
    model.operatorCodes = []

    def tensor(name: str, shape: list[int], kind: int, scale: Any = None, zero: Any = 0, data: Any = None) -> int:
        item = schema.TensorT()
        item.name, item.shape, item.type = name, shape, kind
        if scale is not None:
            item.quantization = schema.QuantizationParametersT()
            item.quantization.scale = list(np.atleast_1d(scale).astype(float))
            item.quantization.zeroPoint = [zero] * len(item.quantization.scale)
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            item.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(item)
        return len(graph.tensors) - 1

    def node(op: str, inputs: list[int], output: int, kind: str = "", options: Any = None) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, op)
        code.version = 1
        model.operatorCodes.append(code)
        item = schema.OperatorT()
        item.opcodeIndex, item.inputs, item.outputs = len(model.operatorCodes) - 1, inputs, [output]
        if kind:
            item.builtinOptionsType, item.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        graph.operators.append(item)

    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    image = tensor("image", [1, 6, 6, 2], int8, 1 / 255, -128)
    scales = np.array([0.01, 0.02, 0.015, 0.03])
    kernel = tensor("conv/kernel", [4, 3, 3, 2], int8, scales, 0, random.integers(-127, 128, (4, 3, 3, 2), np.int8))
    bias = tensor("conv/bias", [4], int32, scales / 255, 0, random.integers(-50, 50, 4, np.int32))
    features = tensor("conv/Relu;conv/BiasAdd", [1, 3, 3, 4], int8, 0.02, -128)
    shape = tensor("shape", [2], int32, data=np.array([1, 36], np.int32))
    flat = tensor("flat", [1, 36], int8, 0.02, -128)
    weights = tensor("dense/kernel", [3, 36], int8, 0.01, 0, random.integers(-127, 128, (3, 36), np.int8))
    dense_bias = tensor("dense/bias", [3], int32, 0.0002, 0, random.integers(-50, 50, 3, np.int32))
    logits = tensor("logits", [1, 3], int8, 0.1, 0)
    classes = tensor("classes", [1, 3], int8, 1 / 256, -128)

    convolution = schema.Conv2DOptionsT()
    convolution.strideW = convolution.strideH = 2
    convolution.dilationWFactor = convolution.dilationHFactor = 1
    convolution.fusedActivationFunction = schema.ActivationFunctionType.RELU
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    node("CONV_2D", [image, kernel, bias], features, "Conv2DOptions", convolution)
    node("RESHAPE", [features, shape], flat)
    dense = schema.FullyConnectedOptionsT()
    node("FULLY_CONNECTED", [flat, weights, dense_bias], logits, "FullyConnectedOptions", dense)
    node("SOFTMAX", [logits], classes, "SoftmaxOptions", softmax)
    graph.inputs, graph.outputs = [image], [classes]
    return model


def quantize_model(size: int, scale: float, zero: int) -> Any:
    """QUANTIZE alone: float32 ``[1, size]`` to int8 of a scale and zero point."""
    model = schema.ModelT()
    model.version, model.buffers, model.metadata = 3, [schema.BufferT()], []
    graph = schema.SubGraphT()
    graph.tensors = []
    for name, kind in (("real", schema.TensorType.FLOAT32), ("quantized", schema.TensorType.INT8)):
        item = schema.TensorT()
        item.name, item.shape, item.type = name, [1, size], kind
        graph.tensors.append(item)
    graph.tensors[1].quantization = schema.QuantizationParametersT()
    graph.tensors[1].quantization.scale, graph.tensors[1].quantization.zeroPoint = [scale], [zero]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    node = schema.OperatorT()
    node.opcodeIndex, node.inputs, node.outputs = 0, [0], [1]
    model.operatorCodes, graph.operators = [code], [node]
    graph.inputs, graph.outputs, model.subgraphs = [0], [1], [graph]
    return model


def pack(model: Any) -> bytes:
    """The file of a ``ModelT``."""
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
