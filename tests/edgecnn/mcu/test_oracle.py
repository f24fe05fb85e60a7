"""Who says what is right: TFLite Micro and the NumPy references agree, and one stands in for the other aloud."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.mcu import oracle
from edgecnn.mcu.samples import random_samples
from firmware_export.compiler import compile_model
from firmware_export.tflite import read_model
from tests.edgecnn.mcu.models import mixed_network, small_network
from tests.networks import Network

needs_tflm = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="the wheel of tflite-micro is not installed"
)


@pytest.mark.parametrize("data", [small_network(), mixed_network()], ids=["small", "mixed"])
@needs_tflm
def test_both_oracles_agree(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = read_model(data)
    inputs = random_samples(graph, 3)
    real = oracle.expected_outputs(data, graph, inputs)
    assert real.source.startswith("TFLite Micro 0.")
    assert real.remark == ""
    sample = [array[1] for array in inputs]
    tensors = oracle.expected_tensors(data, graph, sample)
    assert set(tensors) == {index for node in graph.nodes for index in node.outputs}

    monkeypatch.setattr(importlib.util, "find_spec", {}.get)    # finds nothing
    own = oracle.expected_outputs(data, graph, inputs)
    assert "NumPy references" in own.source
    assert "tflite-micro is not installed (pip install 'edgecnn[mcu]')" in own.remark
    for one, other in zip(real.outputs, own.outputs, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    for index, array in tensors.items():
        assert np.array_equal(array, oracle.expected_tensors(data, graph, sample)[index])
    for position, index in enumerate(graph.outputs):
        assert np.array_equal(tensors[index], real.outputs[position][1])


CHILDREN = {
    "os.kill(os.getpid(), signal.SIGSEGV)": "it crashed on this model (SIGSEGV)",
    "sys.stderr.write('no such op.\\nFailed\\n'); sys.exit(3)": "it refuses this model, saying: no such op",
}


@pytest.mark.parametrize("program", CHILDREN)
@needs_tflm
def test_a_process_that_ends_badly_leaves_the_work_to_the_references(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", f"import os, signal, sys; {program}"]
    monkeypatch.setattr(oracle, "python_command", lambda *_: command)
    data = small_network()
    graph = read_model(data)
    found = oracle.expected_outputs(data, graph, random_samples(graph, 1))
    assert CHILDREN[program] in found.remark
    assert found.outputs[0].shape == (1, 1, 5, 5, 6)


@needs_tflm
def test_a_process_that_fails_for_another_reason_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "python_command", lambda *_: [sys.executable, "-c", "1 / 0"])
    data = small_network()
    graph = read_model(data)
    with pytest.raises(EdgecnnError, match="the process that runs TFLite Micro failed: ZeroDivisionError"):
        oracle.expected_outputs(data, graph, random_samples(graph, 1))


@needs_tflm
def test_what_tflm_says_of_a_model_that_it_does_not_take_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words, from a real refusal: an arena that is too small."""
    program = "from edgecnn.mcu import oracle; oracle.ARENA_BYTES = 512; oracle.main()"
    real = oracle.python_command
    monkeypatch.setattr(oracle, "python_command", lambda _, *arguments: real(program, *arguments))
    data = small_network()
    graph = read_model(data)
    remark = oracle.expected_outputs(data, graph, random_samples(graph, 1)).remark
    assert remark.startswith("TFLite Micro could not be asked: it refuses this model, saying: ")
    assert len(remark) > 100


def test_random_inputs_are_the_same_every_time_and_mean_something() -> None:
    graph = read_model(mixed_network())
    ids, other = random_samples(graph, 200)
    again: Any = random_samples(graph, 200)
    assert np.array_equal(ids, again[0])
    assert np.array_equal(other, again[1])
    assert (ids.dtype, ids.shape) == (np.int32, (200, 1, 4))
    assert (ids.min(), ids.max()) == (0, 10)    # the table has 11 rows
    assert (other.dtype, other.shape) == (np.int8, (200, 1, 4, 6))
    assert (other.min(), other.max()) == (-128, 127)


@needs_tflm
def test_a_border_that_tflite_micro_leaves_unset_is_no_measure() -> None:
    random = np.random.default_rng(3)
    network = Network()
    image = network.input([1, 6, 1, 2], 0.1, 5)
    blocks = network.constant(np.array([2, 1], np.int32))
    padding = network.constant(np.array([[2, 2], [0, 0]], np.int32))
    crops = network.constant(np.zeros((2, 2), np.int32))
    spread = network.op("SPACE_TO_BATCH_ND", [image, blocks, padding], [2, 5, 1, 2], 0.1, 5)
    weights = network.constant(random.integers(-127, 128, (3, 3, 1, 2)).astype(np.int8), 0.02)
    found = network.op("CONV_2D", [spread, weights, -1], [2, 3, 1, 3], 0.5, 0, padding="VALID", stride_w=1, stride_h=1)
    data = network.pack(network.op("BATCH_TO_SPACE_ND", [found, blocks, crops], [1, 6, 1, 3], 0.5, 0))
    prepared = compile_model(data, "dilated", "dilated").prepared
    expected = oracle.expected_outputs(data, prepared, random_samples(prepared, 2))
    assert expected.source == oracle.REFERENCES
    assert "SPACE_TO_BATCH_ND adds unset" in expected.remark
