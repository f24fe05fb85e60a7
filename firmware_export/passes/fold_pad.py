"""PAD in front of a convolution, which pads by itself."""

from __future__ import annotations

import dataclasses
from math import prod

from firmware_export.graph import Graph, Node, Tensor
from firmware_export.ops.base import constant, input_tensor
from firmware_export.ops.window import EXPLICIT_PADDING, axes
from firmware_export.passes.edit import Draft, padding_of, readers, reshape_node, with_options

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
UNITS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def fold_pad(graph: Graph) -> Graph:
    """Let convolutions read what was padded for them.

    1. PAD or PADV2 in front of CONV_2D or DEPTHWISE_CONV_2D: what it adds to height and width becomes explicit padding,
       together with what SAME or earlier explicit padding adds.
    2. All that read the padded tensor are such convolutions, it is no output of the graph, and nothing is padded in
       batch or channels.
    3. The image has the scale and zero point of the padded tensor, and PADV2's number is that zero point.
    4. A RESHAPE, EXPAND_DIMS or SQUEEZE may stand between the two, if a single dimension is padded and its result has
       that dimension as height or width: a causal Conv1D is written so.
    5. Pads behind pads are folded one after the other.
    """
    while (folded := _folded(graph)) is not graph:
        graph = folded
    return graph


def _folded(graph: Graph) -> Graph:
    reading = readers(graph)
    draft = Draft(graph)
    for pad in graph.nodes:
        if pad.op not in ("PAD", "PADV2") or pad.custom:
            continue
        source, padded = graph.tensors[pad.inputs[0]], graph.tensors[pad.outputs[0]]
        if not _is_zero_point(graph, pad, source, padded):
            continue
        ends = constant(graph.tensors[pad.inputs[1]]).reshape(-1, 2).tolist()
        following = reading.get(padded.index, ())
        unit = following[0] if len(following) == 1 and following[0].op in UNITS else None
        if unit is None:
            read, image, borders = padded, source.shape, _of_image(ends)
        else:
            read = graph.tensors[unit.outputs[0]]
            image, borders = _through(source.shape, padded.shape, ends, read.shape)
            following = reading.get(read.index, ())
        if borders is None or read.quant != padded.quant or {padded.index, read.index} & set(graph.outputs):
            continue
        if not following or not all(_only_image(node, read.index) for node in following):
            continue
        draft.replace(pad)
        given = source.index
        if unit is not None:
            high = draft.add_tensor(read, shape=image)
            draft.replace(unit, reshape_node(unit, source.index, high))
            given = high.index
        for node in following:
            draft.replace(node, _with_padding(graph, node, read.shape, given, borders))
    return draft.done()


def _is_zero_point(graph: Graph, pad: Node, source: Tensor, padded: Tensor) -> bool:
    """Whether what is added is what a convolution takes for zero."""
    if source.dtype not in ("int8", "int16") or source.quant is None or source.quant != padded.quant:
        return False
    value = input_tensor(graph, pad, 2) if pad.op == "PADV2" else None
    return value is None or (value.is_constant and [int(constant(value).reshape(-1)[0])] == [*source.quant.zero_point])


def _of_image(ends: list[list[int]]) -> tuple[int, int, int, int] | None:
    """Paddings of ``[1, H, W, C]`` as above, below, left, right."""
    if len(ends) != 4 or any(ends[0]) or any(ends[3]):
        return None
    return ends[1][0], ends[1][1], ends[2][0], ends[2][1]


def _through(
    shape: tuple[int, ...], padded: tuple[int, ...], ends: list[list[int]], read: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, int, int, int] | None]:
    """What the padding of one dimension is after a reshape.

    Returns:
        The reshaped image without it, and the padding as above, below, left, right; None where it is not that simple.
    """
    grown = [axis for axis, pair in enumerate(ends) if any(pair)]
    if len(grown) == 1 and len(read) == 4:
        axis = grown[0]
        for place in (1, 2):
            if read[place] == padded[axis] and prod(read[:place]) == prod(padded[:axis]):
                borders = [0, 0, 0, 0]
                borders[2 * place - 2 : 2 * place] = ends[axis]
                image = (*read[:place], shape[axis], *read[place + 1 :])
                return image, (borders[0], borders[1], borders[2], borders[3])
    return shape, None


def _only_image(node: Node, tensor: int) -> bool:
    """Whether a node is a convolution of this tensor, and does not have it as weights too."""
    return node.op in CONVOLUTIONS and not node.custom and node.inputs[0] == tensor and node.inputs.count(tensor) == 1


def _with_padding(
    graph: Graph, node: Node, padded: tuple[int, ...], image: int, borders: tuple[int, int, int, int]
) -> Node:
    """A convolution that pads what it reads."""
    vertical, horizontal = axes(graph, node, padded, graph.tensors[node.inputs[1]].shape[1:3])
    own = (*padding_of(vertical), *padding_of(horizontal))
    return dataclasses.replace(
        node,
        inputs=(image, *node.inputs[1:]),
        options=with_options(node, **{EXPLICIT_PADDING: tuple(a + b for a, b in zip(own, borders, strict=True))}),
    )
