"""Nodes whose results nobody reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firmware_export.passes import prepare
from firmware_export.passes.remove_dead import remove_dead
from firmware_export.tflite import read_model
from tests.firmware_export.passes.support import (
    assert_changes_no_bit,
    assert_compiled_is_tflite_micro,
    ops,
    prepared,
)
from tests.networks import Network


def test_chains_that_nobody_reads_vanish_from_their_end(tmp_path: Path) -> None:
    made = Network()
    image = made.input((1, 3, 4, 2), 0.1)
    used = made.op("RELU", [image], (1, 3, 4, 2), 0.1)
    made.op("RELU6", [made.op("RELU", [used], (1, 3, 4, 2), 0.1)], (1, 3, 4, 2), 0.1)
    made.op("LOGISTIC", [image], (1, 3, 4, 2), 1 / 256, -128)
    data = made.pack(made.op("QUANTIZE", [used], (1, 3, 4, 2), 0.2, 3))
    graph = read_model(data)
    assert ops(assert_changes_no_bit(remove_dead, graph)) == ["RELU", "QUANTIZE"]
    assert [node.index for node in remove_dead(graph).nodes] == [0, 4], "nodes keep the index of the file"
    assert_compiled_is_tflite_micro(data, tmp_path)


def test_dead_nodes_need_not_be_supported() -> None:
    made = Network()
    image = made.input((1, 3, 4, 2), 0.1)
    made.op("COS", [image], (1, 3, 4, 2), 0.1)
    data = made.pack(made.op("RELU", [image], (1, 3, 4, 2), 0.1))
    assert ops(prepared(data)) == ["RELU"]


def test_a_node_with_one_output_that_is_read_stays() -> None:
    made = Network()
    image = made.input((1, 3, 4, 2), 0.1)
    axis = made.constant(np.array(3, np.int32))
    halves = [made.tensor((1, 3, 4, 1), 0.1), made.tensor((1, 3, 4, 1), 0.1)]
    made.node("SPLIT", [axis, image], halves, num_splits=2)
    graph = read_model(made.pack(halves[1]))
    assert remove_dead(graph) is graph


def test_nodes_with_effects_or_without_outputs_stay() -> None:
    made = Network()
    image = made.input((1, 3, 4, 2), 0.1)
    made.node("ASSIGN_VARIABLE", [image], [])
    graph = read_model(made.pack(made.op("RELU", [image], (1, 3, 4, 2), 0.1)))
    assert prepare(graph) is graph
