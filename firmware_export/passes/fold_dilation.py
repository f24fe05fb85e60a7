"""SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND: how converters write a dilated convolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from firmware_export.errors import ModelError
from firmware_export.graph import ABSENT, Graph, Node, Tensor
from firmware_export.ops.base import constant
from firmware_export.ops.window import EXPLICIT_PADDING, axes
from firmware_export.passes.edit import Draft, padding_of, readers, reshape_node, with_options

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
UNITS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")

Readers = Mapping[int, tuple[Node, ...]]


def fold_dilation(graph: Graph) -> Graph:
    """Make one dilated convolution of the three nodes. Runs before anything was checked; damage is left alone.

    1. SPACE_TO_BATCH_ND, CONV_2D or DEPTHWISE_CONV_2D with stride 1 and no dilation, BATCH_TO_SPACE_ND with the same
       blocks: the blocks become the dilation; what was padded (by either) less what is cropped becomes explicit
       padding.
    2. The same on ``[batch, time, channels]``, with EXPAND_DIMS or RESHAPE around the convolution.
    3. Nobody else reads what lies between, and all of it has the scale and zero point of the image, or of the result.
    4. Not where more is cropped at an end than was padded there: that is no padding.
    5. The batch in between is the number of blocks, or it was unknown to the converter, which then writes 1. TFLite
       finds it when it runs; TFLite Micro does not, and works beyond the ends of its tensors.
    """
    reading = readers(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        match = _match(graph, reading, node) if node.op == "SPACE_TO_BATCH_ND" and not node.custom else None
        if match is not None:
            _fold(graph, draft, match)
    return draft.done()


@dataclass(frozen=True)
class _Blocks:
    """Operands of SPACE_TO_BATCH_ND or BATCH_TO_SPACE_ND: a block size and two borders for each spatial dimension."""

    sizes: tuple[int, ...]
    borders: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Match:
    """The nodes of a dilated convolution.

    Attributes:
        scatter: SPACE_TO_BATCH_ND.
        before: The node that inserts a dimension, if there is one.
        convolution: The convolution.
        after: The node that takes the dimension out again.
        gather: BATCH_TO_SPACE_ND.
        dilation: Of height and width.
        padding: Above, below, left, right.
        image: Shape of the dilated convolution's input.
        result: Shape of its output.
    """

    scatter: Node
    before: Node | None
    convolution: Node
    after: Node | None
    gather: Node
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    image: tuple[int, ...]
    result: tuple[int, ...]


def _match(graph: Graph, reading: Readers, scatter: Node) -> _Match | None:
    spread = _blocks(graph, scatter)
    if spread is None:
        return None
    source = graph.tensors[scatter.inputs[0]]
    dimensions = len(spread.sizes)
    if len(source.shape) != dimensions + 2 or source.shape[0] != 1:
        return None
    chain = _chain(graph, reading, scatter, with_units=dimensions == 1)
    if chain is None:
        return None
    before, convolution, after, gather = chain
    gathered = _blocks(graph, gather)
    target = graph.tensors[gather.outputs[0]]
    if gathered is None or gathered.sizes != spread.sizes or len(target.shape) != len(source.shape):
        return None
    if not _alike(graph, (source.index, *scatter.outputs, *(before.outputs if before else ()))):
        return None
    if not _alike(graph, (*convolution.outputs, *(after.outputs if after else ()), target.index)):
        return None

    # The small images, and which dimension of them each block belongs to.
    small = graph.tensors[convolution.inputs[0]]
    weights = graph.tensors[convolution.inputs[1]]
    made = graph.tensors[convolution.outputs[0]]
    if len(small.shape) != 4 or len(weights.shape) != 4 or len(made.shape) != 4:
        return None
    lone = 2 if small.shape[1] == 1 else 1
    places = (1, 2) if dimensions == 2 else (lone,)
    batch = prod(spread.sizes)
    wanted = [batch, 1, 1, source.shape[-1]]
    for place, size, block, (low, high) in zip(places, source.shape[1:-1], spread.sizes, spread.borders, strict=True):
        if (low + size + high) % block:
            return None
        wanted[place] = (low + size + high) // block
    if not _is_batch(small, tuple(wanted)):
        return None
    try:
        windows = axes(graph, convolution, tuple(wanted), weights.shape[1:3])
    except ModelError:
        return None
    if any(window.stride != 1 or window.dilation != 1 for window in windows):
        return None
    if not _is_batch(made, (batch, windows[0].out, windows[1].out, made.shape[3])):
        return None

    dilation, padding, image, result = [1, 1], [], [1, 1, 1, source.shape[-1]], [1, 1, 1, made.shape[3]]
    for number, window in enumerate(windows):
        own = padding_of(window)
        block, size, pads, crops = 1, 1, (0, 0), (0, 0)
        if number + 1 in places:
            at = places.index(number + 1)
            block, size, pads, crops = spread.sizes[at], source.shape[1 + at], spread.borders[at], gathered.borders[at]
        ends = [pad + end * block - crop for pad, end, crop in zip(pads, own, crops, strict=True)]
        if min(ends) < 0:
            return None
        dilation[number] = block
        padding += ends
        image[1 + number] = size
        result[1 + number] = window.out * block - sum(crops)
    flat = (1, *(result[place] for place in places), made.shape[3])
    if min(result) < 1 or target.shape != flat:
        return None
    top, bottom, left, right = padding
    return _Match(
        scatter,
        before,
        convolution,
        after,
        gather,
        (dilation[0], dilation[1]),
        (top, bottom, left, right),
        tuple(image),
        tuple(result),
    )


def _fold(graph: Graph, draft: Draft, match: _Match) -> None:
    image, target = match.scatter.inputs[0], match.gather.outputs[0]
    nodes = []
    if match.before is not None:
        high = draft.add_tensor(graph.tensors[match.before.outputs[0]], shape=match.image)
        nodes.append(reshape_node(match.before, image, high))
        image = high.index
    made = target
    if match.after is not None:
        made = draft.add_tensor(graph.tensors[match.convolution.outputs[0]], shape=match.result).index
    nodes.append(
        dataclasses.replace(
            match.convolution,
            inputs=(image, *match.convolution.inputs[1:]),
            outputs=(made,),
            options=with_options(
                match.convolution,
                dilation_h_factor=match.dilation[0],
                dilation_w_factor=match.dilation[1],
                **{EXPLICIT_PADDING: match.padding},
            ),
        )
    )
    if match.after is not None:
        nodes.append(reshape_node(match.after, made, graph.tensors[target]))
    for node in (match.scatter, match.before, match.after, match.gather):
        if node is not None:
            draft.replace(node)
    draft.replace(match.convolution, *nodes)


def _blocks(graph: Graph, node: Node) -> _Blocks | None:
    """The operands, if they are there and make sense."""
    if len(node.inputs) != 3 or len(node.outputs) != 1 or ABSENT in (*node.inputs, *node.outputs):
        return None
    sizes, borders = (graph.tensors[index] for index in node.inputs[1:])
    if not (sizes.is_constant and borders.is_constant and sizes.dtype == borders.dtype == "int32"):
        return None
    count = sizes.size
    if sizes.shape != (count,) or count not in (1, 2) or borders.shape != (count, 2):
        return None
    found = _Blocks(
        tuple(int(size) for size in constant(sizes)), tuple((int(low), int(high)) for low, high in constant(borders))
    )
    sensible = all(size >= 1 for size in found.sizes) and all(min(ends) >= 0 for ends in found.borders)
    return found if sensible else None


def _chain(
    graph: Graph, reading: Readers, scatter: Node, with_units: bool
) -> tuple[Node | None, Node, Node | None, Node] | None:
    """What follows on SPACE_TO_BATCH_ND, each the only reader of the one before."""
    found: list[Node] = []
    node = scatter
    gathers = ("BATCH_TO_SPACE_ND",)
    for ops in (UNITS, CONVOLUTIONS, UNITS, gathers) if with_units else (CONVOLUTIONS, gathers):
        output = node.outputs[0]
        following = reading.get(output, ())
        if output in graph.outputs or len(following) != 1 or following[0].custom or following[0].op not in ops:
            return None
        node = following[0]
        if node.inputs[0] != output or node.inputs.count(output) > 1:
            return None
        if len(node.outputs) != 1 or node.outputs[0] == ABSENT:
            return None
        if node.op in CONVOLUTIONS and (len(node.inputs) < 2 or node.inputs[1] == ABSENT):
            return None
        found.append(node)
    if with_units:
        return found[0], found[1], found[2], found[3]
    return None, found[0], None, found[1]


def _alike(graph: Graph, indices: tuple[int, ...]) -> bool:
    """Whether tensors are int8 or int16 with the same scale and zero point."""
    first, *others = (graph.tensors[index] for index in indices)
    alike = all((tensor.dtype, tensor.quant) == (first.dtype, first.quant) for tensor in others)
    return alike and first.dtype in ("int8", "int16")


def _is_batch(tensor: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether a tensor has a shape, or has it but for a batch that the converter did not know."""
    unknown = tensor.shape[:1] == (1,) and tensor.shape_signature[:1] == (-1,)
    return tensor.shape == shape or (unknown and tensor.shape[1:] == shape[1:])
