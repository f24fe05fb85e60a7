"""Graph to layers: tensors that share their bytes, and outputs that nobody would write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.errors import ModelError
from firmware_export.graph import Graph, Tensor
from firmware_export.layer import Program
from firmware_export.lowering import lower
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.networks import Network, tflite_micro

OPTIONS: dict[str, Any] = {"padding": "SAME", "stride_h": 1, "stride_w": 1}


def convolved(made: Network, image: int, channels: int) -> int:
    """A 1x1 convolution of a ``[1, 4, 3, channels]`` tensor."""
    random = np.random.default_rng(channels)
    weights = made.constant(random.integers(-127, 128, (channels, 1, 1, channels)).astype(np.int8), 0.02)
    return made.op("CONV_2D", [image, weights, -1], (1, 4, 3, channels), 0.1, 5, **OPTIONS)


def reshaped(made: Network, image: int, shape: Any) -> int:
    return made.op("RESHAPE", [image], shape, 0.1, 5)


def program_of(data: bytes) -> Program:
    return lower(read_model(data, "net"), "net")


def assert_runs(data: bytes, folder: Path, outputs: int, constants: tuple[Any, ...] = ()) -> None:
    """The C against TFLite Micro, whose outputs of constants are known anyhow."""
    values = np.random.default_rng(1).integers(-128, 128, (1, 4, 3, 2)).astype(np.int8)
    expected = tflite_micro(data, values, outputs=outputs) if not constants else list(constants)
    for push in (False, True):
        for result, wanted in zip(build(data, folder / str(push), push=push).run(values), expected, strict=True):
            assert np.array_equal(result.reshape(-1), np.reshape(wanted, -1))


def test_a_chain_of_reshapes_is_one_value(tmp_path: Path) -> None:
    made = Network()
    first = convolved(made, made.input((1, 4, 3, 2), 0.1, 5), 2)
    again = reshaped(made, reshaped(made, first, (1, 24)), (1, 4, 3, 2))
    data = made.pack(convolved(made, again, 2))
    program = program_of(data)
    assert [layer.op for layer in program.layers] == ["CONV_2D", "CONV_2D"]
    assert program.layers[1].reads[0].value == program.layers[0].output
    assert_runs(data, tmp_path, 1)


def test_a_reshape_of_the_input_reads_the_input(tmp_path: Path) -> None:
    made = Network()
    data = made.pack(convolved(made, reshaped(made, made.input((1, 12, 1, 2), 0.1, 5), (1, 4, 3, 2)), 2))
    program = program_of(data)
    assert program.layers[0].reads[0].value == program.inputs[0]
    values = np.random.default_rng(1).integers(-128, 128, (1, 12, 1, 2)).astype(np.int8)
    for push in (False, True):
        result = build(data, tmp_path / str(push), push=push).run(values)[0]
        assert np.array_equal(result, tflite_micro(data, values)[0])


def test_a_reshaped_output_is_written_by_the_layer_itself(tmp_path: Path) -> None:
    made = Network()
    first = convolved(made, made.input((1, 4, 3, 2), 0.1, 5), 2)
    data = made.pack(reshaped(made, first, (1, 24)))
    program = program_of(data)
    assert [layer.output for layer in program.layers] == list(program.outputs)
    assert_runs(data, tmp_path, 1)


def test_an_output_that_others_read_is_read_in_the_callers_memory(tmp_path: Path) -> None:
    made = Network()
    first = convolved(made, made.input((1, 4, 3, 2), 0.1, 5), 2)
    data = made.pack(reshaped(made, first, (24,)), convolved(made, first, 2))
    program = program_of(data)
    assert [layer.output for layer in program.layers] == list(program.outputs)
    assert_runs(data, tmp_path, 2)


def test_an_output_that_is_an_input_is_copied(tmp_path: Path) -> None:
    made = Network()
    image = made.input((1, 4, 3, 2), 0.1, 5)
    data = made.pack(reshaped(made, image, (1, 24)), convolved(made, image, 2), reshaped(made, image, (8, 3)))
    program = program_of(data)
    assert sorted(layer.op for layer in program.layers) == ["CONV_2D", "COPY", "COPY"]
    assert len(set(program.outputs)) == 3 and not set(program.inputs) & set(program.outputs)
    assert_runs(data, tmp_path, 3)


def test_one_value_as_two_outputs_is_copied(tmp_path: Path) -> None:
    made = Network()
    first = convolved(made, made.input((1, 4, 3, 2), 0.1, 5), 2)
    data = made.pack(first, reshaped(made, first, (1, 24)), reshaped(made, first, (24,)))
    program = program_of(data)
    assert [layer.op for layer in program.layers] == ["CONV_2D", "COPY", "COPY"]
    assert len(set(program.outputs)) == 3
    assert_runs(data, tmp_path, 3)


def test_a_constant_output_is_copied(tmp_path: Path) -> None:
    made = Network()
    image = made.input((1, 4, 3, 2), 0.1, 5)
    numbers = np.arange(6, dtype=np.int8).reshape(2, 3)
    constant = made.constant(numbers, 0.1)
    data = made.pack(reshaped(made, constant, (3, 2)), reshaped(made, constant, (6,)), reshaped(made, image, (24,)))
    values = np.random.default_rng(1).integers(-128, 128, (1, 4, 3, 2)).astype(np.int8)
    assert_runs(data, tmp_path, 3, (numbers, numbers, values))


def test_the_same_tensor_twice_as_output(tmp_path: Path) -> None:
    made = Network()
    first = convolved(made, made.input((1, 4, 3, 2), 0.1, 5), 2)
    data = made.pack(first, first)
    assert len(set(program_of(data).outputs)) == 2
    assert_runs(data, tmp_path, 2)


@pytest.mark.parametrize("tensor", [
    Tensor(0, "a", (2, 0), (2, 0), "int8"), Tensor(0, "a", (2,), (2,), "string"), Tensor(0, "a", (2,), (2,), "int4"),
])
def test_outputs_that_are_no_c_array_are_refused(tensor: Tensor) -> None:
    graph = Graph("net", "", (tensor,), (), (0,), (0,))
    with pytest.raises(ModelError, match="cannot be a C array"):
        lower(graph, "net")
