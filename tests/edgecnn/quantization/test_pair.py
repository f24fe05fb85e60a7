"""Which node of a float file is which of an int8 file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.quantization.convert import Converted
from edgecnn.quantization.pair import bias_of, layer_name, match_graphs, real_values, weights_of
from firmware_export.tflite import read_model


def test_branches_that_look_alike_are_told_apart_by_their_weights(branches: Converted) -> None:
    pair = match_graphs(read_model(branches.float_tflite), read_model(branches.int8_tflite))
    assert [match.real.op for match in pair.matches] == [match.quantized.op for match in pair.matches]
    assert len(pair.layers()) == 4
    for match in pair.layers():
        exact, rounded = weights_of(pair.real, match.real), weights_of(pair.quantized, match.quantized)
        assert exact is not None and rounded is not None and rounded.quant is not None
        step = max(rounded.quant.scale)
        assert np.abs(real_values(exact) - real_values(rounded)).max() <= 0.51 * step
        assert pair.twin[rounded.index] == exact.index


def test_every_value_between_the_nodes_has_its_float_one(branches: Converted) -> None:
    pair = match_graphs(read_model(branches.float_tflite), read_model(branches.int8_tflite))
    activations = pair.activations()
    assert activations[0].index == pair.quantized.inputs[0]
    for one in activations:
        twin = pair.real.tensors[pair.twin[one.index]]
        assert twin.dtype == "float32" and twin.shape == one.shape


def test_files_of_other_tools_are_taken(shared: Path) -> None:
    """MLPerf Tiny's ResNet8, converted by others, with an unknown batch and names shared between layers."""
    files = [shared / "models" / f"ic_resnet8_{kind}.tflite" for kind in ("float", "int8")]
    if not files[0].is_file():
        pytest.skip(f"{files[0].name} is not beside the checkout")
    pair = match_graphs(*(read_model(file.read_bytes(), file.name) for file in files))
    assert [pair.label(match.quantized) for match in pair.layers()] == [
        *(f"{name} (CONV_2D)" for name in ("conv2d", *(f"conv2d_{number}" for number in range(1, 9)))),
        "dense (FULLY_CONNECTED)",
    ]


def test_another_network_is_refused_by_its_node(branches: Converted, unequal: Converted) -> None:
    with pytest.raises(EdgecnnError, match=r"are not the float and the int8 form .*: node \d+ .*counterpart"):
        match_graphs(read_model(unequal.float_tflite, "a"), read_model(branches.int8_tflite, "b"))


def test_the_same_layers_with_other_weights_are_refused(branches: Converted) -> None:
    real = bytearray(branches.float_tflite)
    graph = read_model(bytes(real))
    weights = weights_of(graph, graph.nodes[0])
    assert weights is not None and weights.data is not None
    place = bytes(real).index(weights.data)
    real[place : place + len(weights.data)] = np.full(weights.shape, 3, "<f4").tobytes()
    with pytest.raises(EdgecnnError, match="has other weights"):
        match_graphs(read_model(bytes(real)), read_model(branches.int8_tflite))


@pytest.mark.parametrize(("first", "second", "said"), [(1, 1, "is quantized already"), (0, 0, "nothing in this file")])
def test_two_of_a_kind_are_refused(branches: Converted, first: int, second: int, said: str) -> None:
    files = (branches.float_tflite, branches.int8_tflite)
    with pytest.raises(EdgecnnError, match=said):
        match_graphs(read_model(files[first]), read_model(files[second]))


def test_a_layer_is_named_as_in_keras(unequal: Converted) -> None:
    graph = read_model(unequal.int8_tflite)
    names = [layer_name(graph, node) for node in graph.nodes]
    assert names[0].startswith("conv2d") and names[0].endswith("(CONV_2D)")
    assert any(name.startswith("depthwise_conv2d") for name in names)
    assert any(name.startswith("max_pooling2d") for name in names)


def test_a_bias_is_found(unequal: Converted) -> None:
    graph = read_model(unequal.int8_tflite)
    found = [bias_of(graph, node) for node in graph.nodes if weights_of(graph, node) is not None]
    assert len(found) == 5 and all(one is not None and one.dtype == "int32" for one in found)
