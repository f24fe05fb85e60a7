"""Other numbers in a converted file, against the converter's own and against the arithmetic that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.quantization.convert import Converted
from edgecnn.quantization.observe import activations
from edgecnn.quantization.pair import Pair, bias_of, match_graphs, real_values, values, weights_of
from edgecnn.quantization.requantize import Range, groups_of, requantized
from edgecnn.quantization.rewrite import rewritten
from edgecnn.tflite_metadata import embed
from firmware_export.flatbuffer import Reader
from firmware_export.graph import Quant
from firmware_export.tflite import read_model


def pair_of(converted: Converted) -> Pair:
    return match_graphs(read_model(converted.float_tflite), read_model(converted.int8_tflite))


def float_constants(pair: Pair) -> dict[int, np.ndarray]:
    found = {}
    for match in pair.layers():
        for tensor in (weights_of(pair.quantized, match.quantized), bias_of(pair.quantized, match.quantized)):
            assert tensor is not None
            found[pair.twin[tensor.index]] = real_values(pair.real.tensors[pair.twin[tensor.index]])
    return found


def test_no_change_gives_the_same_file(branches: Converted) -> None:
    assert requantized(pair_of(branches), branches.int8_tflite, {}) == branches.int8_tflite


def test_the_converters_weights_and_biases_come_out_of_the_float_ones(branches: Converted, unequal: Converted) -> None:
    for converted in (branches, unequal):
        pair = pair_of(converted)
        anew = read_model(requantized(pair, converted.int8_tflite, {}, float_constants(pair)))
        for before, after in zip(pair.quantized.tensors, anew.tensors, strict=True):
            assert before.quant == after.quant
            if before.is_constant and before.dtype in ("int8", "int32"):
                differ = values(before) != values(after)
                assert np.mean(differ) < 0.001, before    # ties
                assert np.abs(values(before).astype(int) - values(after)).max(initial=0) <= 1


def test_a_range_is_that_of_the_file_and_of_its_group(branches: Converted) -> None:
    pair = pair_of(branches)
    groups = groups_of(pair)
    joined = next(node for node in pair.quantized.nodes if node.op == "CONCATENATION").outputs[0]
    pooled = next(node for node in pair.quantized.nodes if node.op == "MAX_POOL_2D").outputs[0]
    assert groups[joined] == groups[pooled]
    scores = pair.quantized.outputs[0]
    assert scores not in groups    # softmax fixes its scale
    anew = read_model(requantized(pair, branches.int8_tflite, {groups[joined]: Range(-1.0, 4.1)}))
    members = [index for index, group in groups.items() if group == groups[joined]]
    assert len(members) >= 2
    for index in members:
        quant = anew.tensors[index].quant
        assert quant is not None
        assert quant.scale[0] == pytest.approx(5.1 / 255, rel=1e-6)
        assert quant.zero_point[0] == round(-128 + 1.0 / quant.scale[0])
    others = [index for index in groups if index not in members]
    assert all(anew.tensors[index].quant == pair.quantized.tensors[index].quant for index in others)


def test_a_bias_follows_the_scale_of_its_input(branches: Converted) -> None:
    pair = pair_of(branches)
    entry = pair.quantized.inputs[0]
    anew = read_model(requantized(pair, branches.int8_tflite, {groups_of(pair)[entry]: Range(0.0, 2.0)}))
    exact = float_constants(pair)
    for match in pair.layers():
        weights, bias = weights_of(anew, match.quantized), bias_of(anew, match.quantized)
        assert weights is not None and bias is not None and weights.quant is not None and bias.quant is not None
        entering = anew.tensors[match.quantized.inputs[0]].quant
        assert entering is not None
        np.testing.assert_allclose(bias.quant.scale, entering.scale[0] * np.array(weights.quant.scale), rtol=1e-6)
        steps = np.abs(real_values(bias) - exact[pair.twin[bias.index]]) / np.array(bias.quant.scale)
        assert steps.max() <= 0.51


def test_a_wider_range_clips_less_and_rounds_more(branches: Converted, digits: np.ndarray) -> None:
    """The file that comes out runs, and its values are those of the new scale."""
    pair = pair_of(branches)
    entry = pair.quantized.inputs[0]
    narrow = requantized(pair, branches.int8_tflite, {groups_of(pair)[entry]: Range(0.0, 0.5)})
    seen = next(iter(activations(narrow, digits[:1] * 0 + 1, [entry])))[entry]
    assert seen.max() == pytest.approx(0.5, rel=0.01)    # an input of 1 is clipped


def test_int16_is_symmetric() -> None:
    assert Range(-3.0, 1.0).quant("int16") == Quant((float(np.float32(3 / 32767)),), (0,))
    assert Range(0.5, 2.55).quant("int8") == Quant((float(np.float32(0.01)),), (-128,))    # zero is always inside


def test_a_bias_that_does_not_fit_makes_its_steps_larger(branches: Converted) -> None:
    pair = pair_of(branches)
    match = pair.layers()[0]
    bias = bias_of(pair.quantized, match.quantized)
    assert bias is not None
    huge = np.zeros(bias.shape)
    huge[0] = 1e9
    anew = read_model(requantized(pair, branches.int8_tflite, {}, {pair.twin[bias.index]: huge}))
    assert real_values(anew.tensors[bias.index])[0] == pytest.approx(1e9, rel=1e-6)


def test_a_value_that_is_no_number_is_refused(branches: Converted) -> None:
    pair = pair_of(branches)
    group = groups_of(pair)[pair.quantized.inputs[0]]
    with pytest.raises(EdgecnnError, match="infinite or not a number"):
        requantized(pair, branches.int8_tflite, {group: Range(0.0, float("inf"))})


def test_more_scales_than_the_file_has_room_for_are_refused(branches: Converted) -> None:
    graph = read_model(branches.int8_tflite)
    index = graph.inputs[0]
    with pytest.raises(EdgecnnError, match="scale has 1 elements in the file, not 2"):
        rewritten(branches.int8_tflite, {index: Quant((1.0, 2.0), (0, 0))}, {})


def _sharing(model: bytes, tensors: list[int]) -> bytes:
    """The same file with one buffer for several constants of the same bytes, as converters write zeros."""
    root = Reader(model, "model").root()
    tables = root.tables(2, "subgraphs", "subgraph")[0].tables(0, "tensors", "tensor")
    out, places = bytearray(model), [tables[index].locate(2, 4, "buffer") for index in tensors]
    for place in places[1:]:
        assert places[0] is not None and place is not None
        out[place : place + 4] = out[places[0] : places[0] + 4]
    return bytes(out)


def test_constants_that_share_their_bytes_are_parted(branches: Converted, digits: np.ndarray) -> None:
    """Biases that are all zero lie in the file once; each must be able to become something else."""
    pair = pair_of(branches)
    biases = [bias_of(pair.quantized, match.quantized) for match in pair.layers()[:2]]
    twins = [pair.twin[one.index] for one in biases if one is not None]
    zero = requantized(pair, branches.int8_tflite, {}, {twin: np.zeros(3) for twin in twins})
    shared = _sharing(zero, [one.index for one in biases if one is not None])
    wanted = {twin: np.full(3, 0.1 + place) for place, twin in enumerate(twins)}
    model = requantized(pair, shared, {}, wanted)
    assert len(model) > len(shared)
    anew = read_model(model)
    for one in biases:
        assert one is not None
        np.testing.assert_allclose(real_values(anew.tensors[one.index]), wanted[pair.twin[one.index]], rtol=1e-3)
    others = [one for one in pair.quantized.tensors if one.is_constant and one not in biases]
    assert others and all((values(anew.tensors[one.index]) == values(one)).all() for one in others)
    assert np.isfinite(next(iter(activations(model, digits[:1], anew.outputs)))[anew.outputs[0]]).all()
    # A contract goes in front of it as in front of any file, and comes out of it.
    assert read_model(embed(model, "note", b"text")).metadata["note"] == b"text"
