"""Nodes whose results are known before the network runs."""

from __future__ import annotations

import dataclasses
from math import prod

import numpy as np

from firmware_export.errors import ModelError
from firmware_export.graph import ABSENT, Graph, Node, Tensor
from firmware_export.layer import C_TYPES
from firmware_export.ops import OPS
from firmware_export.ops.base import constant
from firmware_export.passes.edit import Draft
from firmware_export.passes.shape_arithmetic import MAX_ELEMENTS, Numbers, compute

WHOLE_NUMBERS = ("int32", "int64")

MAX_BYTES = 1 << 24
"""Of a constant that folding makes; more than any microcontroller has flash for."""

_SIMPLE = """
    ADD CONCATENATION DEQUANTIZE EXPAND_DIMS GATHER HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM MINIMUM MUL PACK PAD PADV2
    PRELU QUANTIZE RELU RELU6 RELU_N1_TO_1 RESHAPE SLICE SPLIT SPLIT_V SQUEEZE STRIDED_SLICE SUB TANH TRANSPOSE UNPACK
"""
SIMPLE = frozenset(_SIMPLE.split())
"""Operators that cost about as much as their operands and results are large, so that no file can make them endless."""


def fold_constants(graph: Graph) -> Graph:
    """Compute what does not depend on the input. Runs before anything was checked, and leaves alone what looks damaged.

    1. SHAPE becomes the input's shape as the file says it: an unknown batch is 1.
    2. Whole-number arithmetic on small constants is done (``shape_arithmetic``).
    3. Any other operator of ``SIMPLE`` that is supported and has only constant operands is done by its reference.
    4. RESHAPE to a shape that came out of 1 and 2: its output gets that shape where the file has one of another size,
       since the converter could not know it.
    5. FULLY_CONNECTED on the result of 4: its output gets as many rows as the input then has.

    TFLite does 4 and 5 when it runs; TFLite Micro does not take such files.
    """
    draft = Draft(graph)
    tensors = list(graph.tensors)
    known = {tensor.index for tensor in tensors if tensor.is_constant and not tensor.is_variable}
    computed: set[int] = set()
    corrected: set[int] = set()
    current = graph
    for node in graph.nodes:
        if node.custom or not node.outputs or any(index == ABSENT for index in node.outputs):
            continue
        results = _size_arithmetic(node, tensors, known)
        if results is None and node.op in SIMPLE and known.issuperset(set(node.inputs) - {ABSENT}) and node.inputs:
            if current.tensors != tuple(tensors):
                current = dataclasses.replace(graph, tensors=tuple(tensors))
            results = _reference(current, node)
        elif results is not None:
            computed.update(node.outputs)
        if results is not None:
            for index, data in zip(node.outputs, results, strict=True):
                tensors[index] = dataclasses.replace(tensors[index], data=data)
                known.add(index)
            draft.replace(node)
        elif (shape := _true_shape(node, tensors, computed, corrected)) is not None:
            output = tensors[node.outputs[0]]
            if output.size != prod(shape):
                tensors[output.index] = dataclasses.replace(output, shape=shape, shape_signature=shape)
                corrected.add(output.index)
    for before, after in zip(graph.tensors, tensors, strict=True):
        if after is not before:
            draft.change_tensor(after)
    return draft.done()


def _size_arithmetic(node: Node, tensors: list[Tensor], known: set[int]) -> list[bytes] | None:
    """Rules 1 and 2."""
    output = tensors[node.outputs[0]]
    if len(node.outputs) != 1 or output.dtype not in WHOLE_NUMBERS or output.size > MAX_ELEMENTS or output.is_variable:
        return None
    result: Numbers | None
    if node.op == "SHAPE" and len(node.inputs) == 1 and node.inputs[0] != ABSENT:
        result = np.array(tensors[node.inputs[0]].shape, np.int64)
        if result.shape != output.shape:
            return None
    else:
        operands = []
        for index in node.inputs:
            if index not in known or tensors[index].dtype not in WHOLE_NUMBERS or tensors[index].size > MAX_ELEMENTS:
                return None
            operands.append(constant(tensors[index]).astype(np.int64))
        result = compute(node, operands, output)
    return None if result is None else [result.astype(np.dtype(output.dtype)).tobytes()]


def _reference(graph: Graph, node: Node) -> list[bytes] | None:
    """Rule 3."""
    op = OPS.get(node.op)
    outputs = [graph.tensors[index] for index in node.outputs]
    if op is None or any(tensor.is_variable or tensor.nbytes > MAX_BYTES for tensor in outputs):
        return None
    if any(tensor.dtype not in C_TYPES for tensor in (*graph.present(node.inputs), *outputs)):
        return None
    try:
        op.check(graph, node)
    except ModelError:
        return None    # the check of the whole graph says why
    inputs = [None if index == ABSENT else constant(graph.tensors[index]) for index in node.inputs]
    results = op.reference(graph, node, inputs)
    return [
        np.ascontiguousarray(result, np.dtype(tensor.dtype)).tobytes()
        for result, tensor in zip(results, outputs, strict=True)
    ]


def _true_shape(node: Node, tensors: list[Tensor], computed: set[int], corrected: set[int]) -> tuple[int, ...] | None:
    """Rules 4 and 5: the shape of a result that only now can be known; None for any other node."""
    if len(node.inputs) < 2 or ABSENT in node.inputs[:2]:
        return None
    source, operand = (tensors[index] for index in node.inputs[:2])
    if node.op == "RESHAPE" and operand.index in computed:
        return _target(source, operand)
    output = tensors[node.outputs[0]]
    if node.op == "FULLY_CONNECTED" and source.index in corrected and len(operand.shape) == len(output.shape) == 2:
        units, width = operand.shape
        return (source.size // width, units) if width and source.size % width == 0 else None
    return None


def _target(source: Tensor, operand: Tensor) -> tuple[int, ...] | None:
    """The shape that a computed operand asks for, with its -1 filled in; None if it does not fit the elements."""
    shape = [int(size) for size in constant(operand).reshape(-1)]
    if shape.count(-1) == 1:
        others = prod(size for size in shape if size != -1)
        shape = [source.size // others if size == -1 and others > 0 else size for size in shape]
    return tuple(shape) if all(size > 0 for size in shape) and prod(shape) == source.size else None
