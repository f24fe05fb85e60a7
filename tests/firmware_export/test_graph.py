"""The graph by itself: sizes, names, and the order in which values come to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_export.errors import ModelError
from firmware_export.graph import ABSENT, DTYPE_BITS, FLOAT_DTYPES, Graph, Node, Tensor, printable, short_name, verify


def tensor(index: int, shape: tuple[int, ...] = (1, 4), dtype: str = "int8", data: bytes | None = None) -> Tensor:
    return Tensor(index, f"tensor{index}", shape, shape, dtype, data=data)


def chain() -> Graph:
    """0 → ADD with constant 1 → 2 → RELU → 3."""
    nodes = (Node(0, "ADD", 1, (0, 1), (2,)), Node(1, "RELU", 1, (2, ABSENT), (3,)))
    return Graph("chain", "", (tensor(0), tensor(1, data=bytes(4)), tensor(2), tensor(3)), nodes, (0,), (3,))


@pytest.mark.parametrize(
    ("shape", "dtype", "size", "nbytes"),
    [
        ((), "float32", 1, 4),
        ((1, 32, 32, 3), "int8", 3072, 3072),
        ((3,), "int64", 3, 24),
        ((5,), "int4", 5, 3),
        ((5,), "int2", 5, 2),
        ((0, 7), "int32", 0, 0),
        ((2, 2), "string", 4, 0),
    ],
)
def test_sizes(shape: tuple[int, ...], dtype: str, size: int, nbytes: int) -> None:
    found = tensor(0, shape, dtype)
    assert (found.size, found.nbytes) == (size, nbytes)


def test_float_types_are_those_named_so() -> None:
    assert {"float32", "float16", "bfloat16", "complex64"} <= FLOAT_DTYPES
    assert not FLOAT_DTYPES & {"int8", "uint8", "int32", "bool"}
    assert set(DTYPE_BITS) >= FLOAT_DTYPES


def test_a_graph_in_order_is_accepted() -> None:
    verify(chain())


def test_nodes_out_of_order_are_refused() -> None:
    graph = chain()
    turned = replace(graph, nodes=(graph.nodes[1], graph.nodes[0]))
    with pytest.raises(ModelError, match=r"node 1 RELU 'tensor3' reads t2 int8\[1,4\] before any node writes it"):
        verify(turned)


def test_writing_a_constant_is_refused() -> None:
    graph = chain()
    with pytest.raises(ModelError, match=r"node 1 RELU 'tensor1' writes t1 int8\[1,4\], which was set before"):
        verify(replace(graph, nodes=(graph.nodes[0], replace(graph.nodes[1], outputs=(1,)))))


def test_variables_may_be_read_and_written() -> None:
    graph = chain()
    state = replace(graph.tensors[1], data=None, is_variable=True)
    tensors = (graph.tensors[0], state, *graph.tensors[2:])
    nodes = (*graph.nodes, Node(2, "ADD", 1, (0, 1), (1,)))
    verify(replace(graph, tensors=tensors, nodes=nodes))


def test_output_that_nothing_writes_is_refused() -> None:
    graph = chain()
    with pytest.raises(ModelError, match="no node writes the output"):
        verify(replace(graph, nodes=graph.nodes[:1]))


def test_names_are_short_and_safe() -> None:
    assert short_name("model/conv/Relu;model/conv/BiasAdd;model/conv/Conv2D") == "model/conv/Relu"
    assert short_name("a/very/long/name/conv", 10) == "…name/conv"
    assert len(short_name("x" * 500)) == 48
    assert printable("conv\x1b[2J\n") == "conv\ufffd[2J\ufffd"
    graph = chain()
    assert graph.node_label(graph.nodes[0]) == "node 0 ADD 'tensor2'"
    assert graph.node_label(replace(graph.nodes[0], outputs=())) == "node 0 ADD"
