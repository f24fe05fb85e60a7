"""Files run by others than Keras: LiteRT's reference kernels, and TFLite Micro."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgecnn.mcu.oracle import expected_outputs
from firmware_export.tflite import read_model


def run_reference(data: bytes, samples: np.ndarray) -> np.ndarray:
    """Real outputs of a file on LiteRT's reference kernels."""
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    first, last = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for sample in samples:
        interpreter.set_tensor(first["index"], stored(sample[np.newaxis], *first["quantization"], first["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(last["index"])[0])
    scale, zero_point = last["quantization"]
    outputs = np.array(found).astype(np.float64)
    return (outputs - zero_point) * scale if scale else outputs


def stored(values: np.ndarray, scale: float, zero_point: int, dtype: Any) -> np.ndarray:
    """Real values as the input of a file holds them."""
    if not scale:
        return values.astype(dtype)
    steps = values.astype(np.float32) / np.float32(scale)
    whole = np.trunc(steps + np.copysign(0.5, steps)) + zero_point
    return np.clip(whole, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def run_on_device(data: bytes, samples: np.ndarray) -> np.ndarray:
    """Real outputs as TFLite Micro, or the compiler's references, compute them."""
    graph = read_model(data)
    first, last = (graph.tensors[end[0]].quant for end in (graph.inputs, graph.outputs))
    assert first is not None and last is not None
    given = stored(samples, first.scale[0], first.zero_point[0], np.int8)[:, np.newaxis]
    found = expected_outputs(data, graph, [given]).outputs[0].reshape(len(samples), -1)
    return (found.astype(np.float64) - last.zero_point[0]) * last.scale[0]
