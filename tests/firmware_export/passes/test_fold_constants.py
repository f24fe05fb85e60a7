"""What does not depend on the input, and what dynamic batches leave around RESHAPE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.graph import Graph, verify
from firmware_export.ops.base import constant
from firmware_export.passes.fold_constants import fold_constants
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.passes.support import assert_compiled_is_tflite_micro, ops, samples_of
from tests.networks import Network, tflite_micro

INT32 = np.int32


def whole(*values: Any, dtype: Any = INT32) -> Any:
    return np.array(values[0] if len(values) == 1 else values, dtype)


def folded(op: str, operands: list[Any], out: tuple[int, ...], dtype: Any = INT32, **options: Any) -> Any:
    """What a node on constants becomes; None if it stays."""
    made = Network()
    image = made.input((1, 2), 0.1)
    result = made.op(op, [made.constant(operand) for operand in operands], out, dtype=dtype, **options)
    graph = read_model(made.pack(made.op("RELU", [image], (1, 2), 0.1), result))
    changed = fold_constants(graph)
    verify(changed)
    assert fold_constants(changed) is changed
    if changed is graph:
        return None
    assert ops(changed) == ["RELU"]
    return constant(changed.tensors[result])


ARITHMETIC: list[tuple[str, list[Any], dict[str, Any], Any]] = [
    ("ADD", [whole([1, 2]), whole(3)], {}, [4, 5]),
    ("SUB", [whole([1, 2]), whole([3, -1])], {}, [-2, 3]),
    ("MUL", [whole([4, -2]), whole([[5], [6]])], {}, [[20, -10], [24, -12]]),
    ("DIV", [whole([7, -7]), whole(2)], {}, [3, -3]),
    ("FLOOR_DIV", [whole([7, -7]), whole(2)], {}, [3, -4]),
    ("FLOOR_MOD", [whole([7, -7]), whole(4)], {}, [3, 1]),
    ("MAXIMUM", [whole([7, -7]), whole(4)], {}, [7, 4]),
    ("MINIMUM", [whole([7, -7]), whole(4)], {}, [4, -7]),
    ("PACK", [whole(1), whole(9), whole(4)], {"values_count": 3, "axis": 0}, [1, 9, 4]),
    ("PACK", [whole([1, 2]), whole([3, 4])], {"values_count": 2, "axis": 1}, [[1, 3], [2, 4]]),
    ("CONCATENATION", [whole([1, 2]), whole([3])], {"axis": 0}, [1, 2, 3]),
    ("GATHER", [whole([5, 6, 7]), whole([2, 0])], {"axis": 0}, [7, 5]),
    ("GATHER", [whole([5, 6, 7]), whole(1)], {"axis": -1}, 6),
    ("REDUCE_PROD", [whole([5, 6, 7]), whole([0])], {}, 210),
    ("REDUCE_PROD", [whole([[5, 6], [7, 1]]), whole([-1])], {"keep_dims": True}, [[30], [7]]),
    ("SUM", [whole([5, 6, 7]), whole(0)], {}, 18),
    ("REDUCE_MAX", [whole([5, 6, 7]), whole(0)], {}, 7),
    ("REDUCE_MIN", [whole([5, 6, 7]), whole(0)], {}, 5),
    ("CAST", [whole([5, 6])], {"in_data_type": "int32", "out_data_type": "int32"}, [5, 6]),
    ("RESHAPE", [whole([5, 6]), whole([2, 1])], {}, [[5], [6]]),
    ("SQUEEZE", [whole([5])], {}, 5),
    ("EXPAND_DIMS", [whole([5, 6]), whole(0)], {}, [[5, 6]]),
    ("SLICE", [whole([5, 6, 7]), whole([1]), whole([-1])], {}, [6, 7]),
    ("SLICE", [whole([5, 6, 7]), whole([0]), whole([2])], {}, [5, 6]),
    ("STRIDED_SLICE", [whole([5, 6, 7]), whole([0]), whole([1]), whole([1])], {"shrink_axis_mask": 1}, 5),
    ("STRIDED_SLICE", [whole([5, 6, 7]), whole([-1]), whole([9]), whole([1])], {"shrink_axis_mask": 1}, 7),
    ("STRIDED_SLICE", [whole([5, 6, 7]), whole([1]), whole([0]), whole([1])], {"end_mask": 1}, [6, 7]),
    ("STRIDED_SLICE", [whole([5, 6, 7]), whole([0]), whole([-1]), whole([2])], {"begin_mask": 1}, [5]),
    ("STRIDED_SLICE", [whole([5, 6, 7]), whole([2]), whole([0]), whole([-1])], {"end_mask": 1}, [7, 6, 5]),
]


@pytest.mark.parametrize(("op", "operands", "options", "expected"), ARITHMETIC)
def test_arithmetic_on_sizes(op: str, operands: list[Any], options: dict[str, Any], expected: Any) -> None:
    wanted = np.array(expected, INT32)
    result = folded(op, operands, wanted.shape, **options)
    assert result is not None and result.dtype == np.int32 and np.array_equal(result, wanted)
    result = folded(op, [operand.astype(np.int64) for operand in operands], wanted.shape, np.int64, **options)
    assert result is not None and result.dtype == np.int64 and np.array_equal(result, wanted)


LARGE = whole([1 << 30, 1 << 30])
REFUSED: list[tuple[str, list[Any], dict[str, Any], tuple[int, ...]]] = [
    ("ADD", [LARGE, LARGE], {}, (2,)),    # leaves int32
    ("MUL", [LARGE, LARGE], {}, (2,)),
    ("REDUCE_PROD", [LARGE, whole([0])], {}, ()),
    ("DIV", [whole([1]), whole([0])], {}, (1,)),
    ("FLOOR_MOD", [whole([1]), whole([0])], {}, (1,)),
    ("ADD", [whole([1, 2]), whole([1, 2, 3])], {}, (2,)),
    ("ADD", [whole([1, 2]), whole([1, 2])], {}, (3,)),    # another shape than the file says
    ("ADD", [whole([1, 2]), whole([1, 2])], {"fused_activation_function": "RELU"}, (2,)),
    ("ADD", [whole([1, 2])], {}, (2,)),
    ("GATHER", [whole([5, 6, 7]), whole([3])], {}, (1,)),
    ("GATHER", [whole([5, 6, 7]), whole([-1])], {}, (1,)),
    ("GATHER", [whole([5, 6, 7]), whole([0])], {"batch_dims": 1}, (1,)),
    ("REDUCE_PROD", [whole([5, 6]), whole([1])], {}, ()),
    ("SLICE", [whole([5, 6, 7]), whole([1]), whole([3])], {}, (3,)),
    ("STRIDED_SLICE", [whole([5, 6]), whole([2]), whole([3]), whole([1])], {"shrink_axis_mask": 1}, ()),
    ("STRIDED_SLICE", [whole([5, 6]), whole([0]), whole([2]), whole([0])], {}, (2,)),
    ("STRIDED_SLICE", [whole([5, 6]), whole([0]), whole([2]), whole([1])], {"ellipsis_mask": 1}, (2,)),
    ("CONCATENATION", [whole([5, 6]), whole([7])], {"axis": 1}, (3,)),
    ("PACK", [whole([5, 6]), whole([7])], {"axis": 0, "values_count": 2}, (2, 2)),
    ("CAST", [np.array([1.5], np.float32)], {"out_data_type": "int32"}, (1,)),
    ("RANK", [whole([5, 6])], {}, ()),
]


@pytest.mark.parametrize(("op", "operands", "options", "out"), REFUSED)
def test_what_does_not_fit_is_left_alone(
    op: str, operands: list[Any], options: dict[str, Any], out: tuple[int, ...]
) -> None:
    assert folded(op, operands, out, **options) is None


def test_large_constants_of_whole_numbers_are_left_alone() -> None:
    assert folded("ADD", [np.zeros(1025, INT32), whole(1)], (1025,)) is None
    huge = np.array([1 << 62], np.int64)
    assert folded("MUL", [huge, np.array([4], np.int64)], (1,), np.int64) is None


def test_shape_and_what_hangs_on_it_vanish(tmp_path: Path) -> None:
    """As the converter writes a Flatten whose batch it does not know."""
    made = Network()
    image = made.input((1, 3, 4, 2), 0.1, 3)
    shape = made.op("SHAPE", [image], (4,), dtype=INT32, out_type="int32")
    ends = [made.constant(whole([value])) for value in (0, 1, 1)]
    batch = made.op("STRIDED_SLICE", [shape, *ends], (), dtype=INT32, shrink_axis_mask=1)
    sizes = made.op("PACK", [batch, made.constant(whole(-1))], (2,), dtype=INT32, values_count=2)
    data = made.pack(made.op("RESHAPE", [made.op("RELU", [image], (1, 3, 4, 2), 0.1, 3), sizes], (1, 24), 0.1, 3))
    graph = fold_constants(read_model(data))
    assert ops(graph) == ["RELU", "RESHAPE"]
    assert constant(graph.tensors[sizes]).tolist() == [1, -1]
    assert [node.index for node in graph.nodes] == [3, 4]
    assert_compiled_is_tflite_micro(data, tmp_path)


def dense_network(dynamic: bool) -> tuple[bytes, int, int]:
    """Dense on ``[batch, 3, 4]``; of a dynamic batch the converter makes ``[1, 1]`` in place of ``[3, 4]``."""
    weights = np.random.default_rng(1).integers(-127, 128, (5, 4), np.int8)
    made = Network()
    image = made.input((1, 3, 4), 0.1, 3)
    if dynamic:
        shape = made.op("SHAPE", [image], (3,), dtype=INT32, out_type="int32")
        outer = made.op("GATHER", [shape, made.constant(whole([0, 1]))], (2,), dtype=INT32)
        rows = made.op("REDUCE_PROD", [outer, made.constant(whole([0]))], (), dtype=INT32)
        sizes = made.op("PACK", [rows, made.constant(whole(4))], (2,), dtype=INT32, values_count=2)
        back = made.op("CONCATENATION", [outer, made.constant(whole([5]))], (3,), dtype=INT32)
    else:
        sizes, back = made.constant(whole([3, 4])), made.constant(whole([1, 3, 5]))
    flat = made.op("RESHAPE", [image, sizes], (1, 1) if dynamic else (3, 4), 0.1, 3)
    dense = made.op("FULLY_CONNECTED", [flat, made.constant(weights, 0.02)], (1 if dynamic else 3, 5), 0.1, -7)
    return made.pack(made.op("RESHAPE", [dense, back], (1, 3, 5), 0.1, -7)), flat, dense


def test_shapes_that_only_folding_can_know(tmp_path: Path) -> None:
    data, flat, dense = dense_network(dynamic=True)
    graph = fold_constants(read_model(data))
    assert ops(graph) == ["RESHAPE", "FULLY_CONNECTED", "RESHAPE"]
    assert (graph.tensors[flat].shape, graph.tensors[dense].shape) == ((3, 4), (3, 5))
    known, _, _ = dense_network(dynamic=False)
    built = build(data, tmp_path)
    for inputs in samples_of(graph, 3, 5):
        assert np.array_equal(built.run(*inputs)[0].reshape(-1), tflite_micro(known, *inputs)[0].reshape(-1))


def test_operators_on_constants_are_done(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    made = Network()
    image = made.input((1, 3, 4, 2), 0.1, 3)
    table = made.constant(random.integers(-128, 128, (2, 4, 3), np.int8), 0.07, -5)
    turned = made.op("TRANSPOSE", [table, made.constant(whole([2, 1, 0]))], (3, 4, 2), 0.07, -5)
    other = made.op("QUANTIZE", [turned], (3, 4, 2), 0.09, 11)
    data = made.pack(made.op("ADD", [image, other], (1, 3, 4, 2), 0.2, 0))
    graph = fold_constants(read_model(data))
    assert ops(graph) == ["ADD"] and graph.tensors[other].is_constant
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_outputs_may_become_constants(tmp_path: Path) -> None:
    made = Network()
    image = made.input((1, 2), 0.1, 3)
    table = made.constant(np.array([-128, -5, 0, 127], np.int8), 0.07, -5)
    data = made.pack(made.op("QUANTIZE", [table], (4,), 0.09, 11), made.op("RELU", [image], (1, 2), 0.1, 3))
    assert ops(fold_constants(read_model(data))) == ["RELU"]
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_what_the_operators_refuse_is_left_for_the_check() -> None:
    made = Network()
    image = made.input((1, 2), 0.1, 3)
    table = made.constant(np.array([1, 2], np.int8), 0.07, -5)
    wrong = made.op("QUANTIZE", [table], (3,), 0.09, 11)
    graph = read_model(made.pack(made.op("RELU", [image], (1, 2), 0.1, 3), wrong))
    assert fold_constants(graph) is graph


def test_results_without_measure_are_left_alone() -> None:
    made = Network()
    image = made.input((1, 2), 0.1, 3)
    table = made.constant(np.array([[1]], np.int8), 0.07, -5)
    paddings = made.constant(whole([[0, 40_000], [0, 40_000]]))
    padded = made.op("PAD", [table, paddings], (40_001, 40_001), 0.07, -5)
    graph = read_model(made.pack(made.op("RELU", [image], (1, 2), 0.1, 3), padded))
    assert fold_constants(graph) is graph


def test_variables_are_no_constants() -> None:
    made = Network()
    image = made.input((1, 2), 0.1, 3)
    state = made.constant(whole([5, 6]))
    made.graph.tensors[state].isVariable = True
    total = made.op("ADD", [state, made.constant(whole([1, 1]))], (2,), dtype=INT32)
    graph: Graph = read_model(made.pack(made.op("RELU", [image], (1, 2), 0.1, 3), total))
    assert fold_constants(graph) is graph
