"""TFLite Micro in a process of its own, which a network may kill without harm to the caller.

TFLite Micro's SPACE_TO_BATCH_ND never sets the number that it pads with (issue 1646 of tflite-micro), so that its
result depends on what the memory held before. Here it is given the same network with a PAD in front, which writes the
zero point as TFLite does.
"""

from __future__ import annotations

import copy
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.networks import Refused, tflite_micro

ORACLE_LIMIT_S = 60


def _serve(connection: Connection) -> None:
    while True:
        data, samples, outputs = connection.recv()
        try:
            data = padded_before(data)
            connection.send([tflite_micro(data, *sample, outputs=outputs) for sample in samples])
        except (Refused, ValueError) as error:
            connection.send(str(error))


class Oracle:
    """TFLite Micro in a process that is started again when a network kills it."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._connection: Any = None

    def run(self, data: bytes, samples: Sequence[Sequence[Any]], outputs: int) -> list[list[Any]] | str:
        """The outputs of each sample, so many of them, or why there are none."""
        if self._process is None:
            self._connection, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        try:
            self._connection.send((data, samples, outputs))
            if self._connection.poll(ORACLE_LIMIT_S):
                answer: list[list[Any]] | str = self._connection.recv()
                return answer
            reason = f"TFLite Micro takes more than {ORACLE_LIMIT_S} s"
        except (EOFError, OSError):
            self._process.join()
            reason = f"TFLite Micro dies with exit code {self._process.exitcode}"
        self.close()
        return reason

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def padded_before(data: bytes) -> bytes:
    """The network with a PAD in front of every SPACE_TO_BATCH_ND that pads."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph, codes = model.subgraphs[0], model.operatorCodes
    nodes = []
    for node in graph.operators:
        if codes[node.opcodeIndex].builtinCode == schema.BuiltinOperator.SPACE_TO_BATCH_ND:
            source, borders = (graph.tensors[index] for index in (node.inputs[0], node.inputs[2]))
            pads = np.frombuffer(bytes(model.buffers[borders.buffer].data), np.int32).reshape(-1, 2)
            if pads.any():
                ends = np.concatenate([[[0, 0]], pads, [[0, 0]]]).astype(np.int32)
                padded = copy.deepcopy(source)
                padded.shape = [int(size + sum(pair)) for size, pair in zip(source.shape, ends, strict=True)]
                padded.shapeSignature, padded.buffer, padded.name = None, 0, f"{node.inputs[0]} padded"
                graph.tensors.append(padded)
                output = len(graph.tensors) - 1
                operands = [node.inputs[0], _constant(model, ends)]
                nodes.append(_node(model, schema.BuiltinOperator.PAD, operands, output))
                node.inputs = [nodes[-1].outputs[0], node.inputs[1], _constant(model, np.zeros_like(pads))]
        nodes.append(node)
    if len(nodes) == len(graph.operators):
        return data
    graph.operators = nodes
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _constant(model: Any, values: Any) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name = f"constant {len(model.buffers)}"
    tensor.shape, tensor.type = list(values.shape), schema.TensorType.INT32
    tensor.buffer = len(model.buffers) - 1
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def _node(model: Any, number: int, inputs: list[int], output: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 1
    model.operatorCodes.append(code)
    node = schema.OperatorT()
    node.opcodeIndex, node.inputs, node.outputs = len(model.operatorCodes) - 1, inputs, [output]
    return node
