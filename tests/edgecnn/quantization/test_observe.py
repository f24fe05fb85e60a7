"""Activations of a file, and the histograms that are kept of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import EdgecnnError
from edgecnn.quantization.observe import BINS, Accumulator, activations, limits, observe
from edgecnn.quantization.rewrite import rewritten
from edgecnn.tflite_file import read_graph
from firmware_export.graph import Quant
from tests.small_networks import convolutions


def accumulated(*samples: np.ndarray) -> Accumulator:
    accumulator = Accumulator()
    for sample in samples:
        accumulator.add(sample)
    return accumulator


@given(st.integers(0, 1000), st.lists(st.floats(-20, 20), min_size=1, max_size=8), st.floats(-1, 1))
def test_a_histogram_that_grew_is_that_of_all_values(seed: int, sizes: list[float], offset: float) -> None:
    random = np.random.default_rng(seed)
    samples = [((random.standard_normal((1, 3, 5)) + offset) * 10.0**size).astype(np.float32) for size in sizes]
    found = accumulated(*samples).observation()
    values = np.concatenate([sample.reshape(-1) for sample in samples]).astype(np.float64)
    assert np.array_equal(found.counts, np.histogram(values, found.edges)[0])
    assert (found.low, found.high, found.samples) == (values.min(), values.max(), len(sizes))
    assert found.edges[0] <= found.low and found.high < found.edges[-1]
    assert len(found.counts) <= BINS


def test_bins_are_fine_enough() -> None:
    found = accumulated(np.linspace(-3, 7, 1000, dtype=np.float32).reshape(1, -1)).observation()
    assert BINS / 2 < len(found.counts) <= BINS
    assert np.isclose(found.quantile(0.25), -0.5, atol=0.02)
    assert found.quantile(1.0) == 7.0


def test_one_value_only_and_none_at_all() -> None:
    for value in (0.0, -5.0, 1e-30, 3e38):
        found = accumulated(np.full((1, 4), value, np.float32)).observation()
        assert found.counts.tolist() == [4]
        assert found.edges[0] <= np.float32(value) <= found.edges[1]
    assert accumulated(np.zeros((1, 0), np.float32)).observation().counts.sum() == 0


def test_channels_are_the_last_dimension() -> None:
    random = np.random.default_rng(0)
    samples = [random.standard_normal((1, 4, 4, 3)).astype(np.float32) * (1, 10, 100) for _ in range(5)]
    found = accumulated(*(sample.astype(np.float32) for sample in samples)).observation()
    values = np.concatenate(samples).reshape(-1, 3)
    assert np.allclose(found.channel_low, values.min(axis=0))
    assert np.allclose(found.channel_high, values.max(axis=0))
    assert np.allclose(found.channel_mean, values.mean(axis=0), atol=1e-5)


def test_every_activation_of_an_int8_file_is_dequantized(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(convolutions())
    graph = read_graph(path)
    wanted = [*graph.inputs, *(index for node in graph.nodes for index in node.outputs)]
    inputs = np.random.default_rng(1).uniform(-2, 2, (3, 12, 12, 3)).astype(np.float32)
    steps: list[int] = []
    seen = observe(path, inputs, wanted, steps.append)
    assert steps == [1, 1, 1]
    for index in wanted:
        tensor = graph.tensors[index]
        assert tensor.quant is not None
        low, high = limits(tensor.quant, tensor.dtype)
        assert low - 1e-5 <= seen[index].low <= seen[index].high <= high + 1e-5
        assert seen[index].counts.sum() == 3 * tensor.size
        assert len(seen[index].channel_mean) == tensor.shape[-1]
    (entering,) = graph.inputs
    values = next(activations(path, inputs, [entering]))[entering]
    assert np.abs(values[0] - inputs[0]).max() <= 0.0100001    # half a step of 0.02


def test_float_activations_are_those_of_the_network(shared: Path) -> None:
    path = shared / "models" / "ic_resnet8_float.tflite"
    graph = read_graph(path)
    inputs = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    logits, chances = (graph.nodes[-2].outputs[0], graph.nodes[-1].outputs[0])
    for values in activations(path.read_bytes(), inputs, [logits, chances]):
        powers = np.exp(values[logits] - values[logits].max())
        assert np.allclose(powers / powers.sum(), values[chances], atol=1e-6)


def test_a_value_that_is_no_number_names_the_layer(shared: Path) -> None:
    path = shared / "models" / "ic_resnet8_float.tflite"
    graph = read_graph(path)
    bias = graph.nodes[2].inputs[2]
    broken = np.full(graph.tensors[bias].shape, np.inf, np.float32).tobytes()
    model = rewritten(path.read_bytes(), {}, {bias: broken})
    every = [index for node in graph.nodes for index in node.outputs]
    with pytest.raises(EdgecnnError, match=r"conv2d.*\(CONV_2D\) is infinite or not a number on sample 0"):
        observe(model, np.zeros((1, 32, 32, 3), np.float32), every)
    with pytest.raises(EdgecnnError, match="sample 1 holds a value that is infinite"):
        list(activations(path, np.array([0, np.nan], np.float32).repeat(3072).reshape(2, 32, 32, 3), graph.inputs))


def test_no_sample_is_refused() -> None:
    with pytest.raises(EdgecnnError, match="no samples"):
        observe(convolutions(), np.zeros((0, 12, 12, 3), np.float32), [0])


def test_a_file_that_is_none_is_refused() -> None:
    with pytest.raises(EdgecnnError, match="not a TFLite model"):
        observe(b"nothing of the kind", np.zeros((1, 2), np.float32), [0])


def test_limits_of_a_scale() -> None:
    assert limits(Quant((0.5,), (-128,)), "int8") == (0.0, 127.5)
    assert limits(Quant((1.0,), (0,)), "int16") == (-32768.0, 32767.0)
