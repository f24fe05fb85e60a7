"""What every pass is held to: the same bits as before, and as TFLite Micro through the whole compiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.graph import Graph, verify
from firmware_export.ops import check_graph
from firmware_export.passes import Pass, prepare
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import values_of
from tests.networks import tflite_micro


def samples_of(graph: Graph, seed: int, count: int = 1) -> list[list[Any]]:
    """Inputs of some inferences."""
    random = np.random.default_rng(seed)
    shapes = [graph.tensors[index].shape for index in graph.inputs]
    return [[random.integers(-128, 128, shape).astype(np.int8) for shape in shapes] for _ in range(count)]


def prepared(data: bytes) -> Graph:
    """The graph of a file as the passes that come after the check get it."""
    graph = prepare(read_model(data, "net"))
    check_graph(graph)
    return graph


def assert_keeps_promises(apply: Pass, graph: Graph) -> Graph:
    """Apply a pass to a graph that it must change, and hold the structure to all that passes promise.

    Returns:
        The changed graph.
    """
    changed = apply(graph)
    assert changed is not graph
    verify(changed)
    assert apply(changed) is changed, "a second time finds nothing more"
    assert len({node.index for node in changed.nodes}) == len(changed.nodes)
    assert (changed.inputs, changed.outputs) == (graph.inputs, graph.outputs)
    assert [tensor.index for tensor in changed.tensors] == list(range(len(changed.tensors)))
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].shape == changed.tensors[index].shape
    return changed


def assert_changes_no_bit(apply: Pass, graph: Graph, seed: int = 0) -> Graph:
    """The same, and the references compute the same bytes before and after, wherever a tensor is still written.

    Returns:
        The changed graph.
    """
    changed = assert_keeps_promises(apply, graph)
    (inputs,) = samples_of(graph, seed)
    before, after = values_of(graph, *inputs), values_of(changed, *inputs)
    kept = set(before) & {index for node in changed.nodes for index in node.outputs} | set(graph.outputs)
    for index in kept:
        assert before[index].tobytes() == after[index].tobytes(), f"{graph.tensors[index]} holds other bytes"
    return changed


def assert_compiled_is_tflite_micro(data: bytes, folder: Path, seed: int = 0, count: int = 3) -> None:
    """The whole compiler on a file against TFLite Micro."""
    built = build(data, folder)
    samples = samples_of(built.compiled.graph, seed, count)
    results = built.run_many(samples)
    for number, inputs in enumerate(samples):
        for result, wanted in zip(results, tflite_micro(data, *inputs, outputs=len(results)), strict=True):
            assert np.array_equal(result[number].reshape(-1), wanted.reshape(-1))


def ops(graph: Graph) -> list[str]:
    """The operators in their order."""
    return [node.op for node in graph.nodes]
