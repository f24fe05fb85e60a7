"""What the operators of a ``.tflite`` compute, as differentiable TensorFlow functions over batches of samples.

A file is written for one sample, and its tensors have the shapes of one: the first dimension is most often a batch of
1, but it may be frames of a clip or blocks of an image. So that a network can be trained on batches, every value here
has one more dimension in front, ``[N, *shape of the file]``, which no operator looks at. Constants have the shapes of
the file. Layouts are the file's: images ``[B, H, W, C]``, weights of CONV_2D and TRANSPOSE_CONV ``[O, H, W, I]``, of
DEPTHWISE_CONV_2D ``[1, H, W, O]``, of FULLY_CONNECTED ``[O, I]``.

The operators are those of TensorFlow Lite (``tensorflow/lite/kernels``), in real numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class Call:
    """One operation.

    Attributes:
        options: Of the node, by the schema's names.
        shapes: Of its outputs, as in the file.
    """

    options: Mapping[str, Any]
    shapes: Sequence[Sequence[int]]

    def of_output(self, value: Any) -> Any:
        """The same numbers in the shape of the first output."""
        return tf.reshape(value, [-1, *self.shapes[0]])

    def activated(self, value: Any) -> Any:
        """After the fused activation, in the shape of the output."""
        return self.of_output(ACTIVATIONS[self.options.get("fused_activation_function", "NONE")](value))


Function = Callable[..., Any]
"""Takes a ``Call`` and the node's inputs (None for one that is left out); gives the output, or a list of several."""

ACTIVATIONS: Mapping[str, Function] = {
    "NONE": lambda x: x,
    "RELU": tf.nn.relu,
    "RELU6": tf.nn.relu6,
    "RELU_N1_TO_1": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "TANH": tf.tanh,
}


def _merged(images: Any) -> Any:
    """``[N, B, ...]`` to ``[N * B, ...]``."""
    return tf.reshape(images, [-1, *images.shape[2:]])


def _strides(options: Mapping[str, Any]) -> tuple[int, int]:
    return options["stride_h"], options["stride_w"]


def _dilations(options: Mapping[str, Any]) -> tuple[int, int]:
    return options["dilation_h_factor"], options["dilation_w_factor"]


def _conv_2d(call: Call, images: Any, weights: Any, bias: Any = None) -> Any:
    found = tf.nn.convolution(
        _merged(images),
        tf.transpose(weights, (1, 2, 3, 0)),
        _strides(call.options),
        call.options["padding"],
        dilations=_dilations(call.options),
    )
    return call.activated(_biased(found, bias))


def _depthwise_conv_2d(call: Call, images: Any, weights: Any, bias: Any = None) -> Any:
    channels, (height, width, out) = images.shape[-1], weights.shape[1:]
    kernel = tf.reshape(weights, (height, width, channels, out // channels))
    strides, dilations, padding = _strides(call.options), _dilations(call.options), call.options["padding"]
    merged = _merged(images)
    if strides[0] == strides[1]:
        found = tf.nn.depthwise_conv2d(merged, kernel, (1, *strides, 1), padding, dilations=dilations)
    else:    # TensorFlow has equal strides only: every place is computed, and those in between are left out
        if padding == "SAME":
            merged = _padded_as_same(merged, (height, width), strides, dilations)
        found = tf.nn.depthwise_conv2d(merged, kernel, (1, 1, 1, 1), "VALID", dilations=dilations)
        found = found[:, :: strides[0], :: strides[1]]
    return call.activated(_biased(found, bias))


def _padded_as_same(images: Any, window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    """Zeros around ``[B, H, W, C]`` so that windows without padding are those of SAME."""
    around = [(0, 0)]
    for size, taps, stride, dilation in zip(images.shape[1:3], window, strides, dilations, strict=True):
        missing = max((-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
        around.append((missing // 2, missing - missing // 2))
    return tf.pad(images, [*around, (0, 0)])


def _fully_connected(call: Call, values: Any, weights: Any, bias: Any = None) -> Any:
    rows = tf.reshape(values, (-1, weights.shape[1]))
    return call.activated(_biased(tf.matmul(rows, weights, transpose_b=True), bias))


def _transpose_conv(call: Call, size: Any, weights: Any, images: Any, bias: Any = None) -> Any:
    del size    # the shape of the output says the same
    merged = _merged(images)
    found = tf.nn.conv2d_transpose(
        merged,
        tf.transpose(weights, (1, 2, 0, 3)),
        (tf.shape(merged)[0], *call.shapes[0][1:]),
        _strides(call.options),
        call.options["padding"],
    )
    return call.activated(_biased(found, bias))


def _biased(values: Any, bias: Any) -> Any:
    return values if bias is None else values + bias


def _pooled(pool: Function) -> Function:
    def function(call: Call, images: Any) -> Any:
        window = call.options["filter_height"], call.options["filter_width"]
        return call.activated(pool(_merged(images), window, _strides(call.options), call.options["padding"]))

    return function


def _binary(function: Function) -> Function:
    """Of two operands whose shapes are broadcast: to one rank first, since all have ``N`` in front."""

    def apply(call: Call, first: Any, second: Any) -> Any:
        rank = len(call.shapes[0])
        return call.activated(function(_ranked(first, rank), _ranked(second, rank)))

    return apply


def _ranked(operand: Any, rank: int) -> Any:
    """``[N, *shape]`` with ones between, so that ``shape`` has ``rank`` dimensions."""
    shape = operand.shape[1:]
    return tf.reshape(operand, [-1, *[1] * (rank - len(shape)), *shape])


def _reduced(function: Function) -> Function:
    def apply(call: Call, values: Any, axes: Any) -> Any:
        return call.of_output(function(values, axis=_axes(axes, values)))

    return apply


def _axes(axes: Any, values: Any) -> list[int]:
    """Axes of the file as those of ``[N, *shape]``."""
    return [_axis(axis, len(values.shape) - 1) for axis in (axes if isinstance(axes, Sequence) else [axes])]


def _axis(axis: int, rank: int) -> int:
    return axis % rank + 1


def _one_by_one(function: Function) -> Function:
    return lambda call, values, *rest: call.of_output(function(values, *rest))


def _reshaped(call: Call, values: Any, *shape: Any) -> Any:
    del shape    # the shape of the output says the same
    return call.of_output(values)


def _softmax(call: Call, values: Any) -> Any:
    return tf.nn.softmax(values * call.options["beta"])


def _leaky_relu(call: Call, values: Any) -> Any:
    return tf.nn.leaky_relu(values, call.options["alpha"])


def _l2_normalization(call: Call, values: Any) -> Any:
    return call.activated(tf.math.l2_normalize(values, axis=-1))


def _hard_swish(values: Any) -> Any:
    return values * tf.nn.relu6(values + 3) / 6


def _prelu(values: Any, slope: Any) -> Any:
    return tf.maximum(values, 0.0) + slope * tf.minimum(values, 0.0)


def _alike(values: Sequence[Any]) -> list[Any]:
    """All for as many samples: constants are there once."""
    if all(value.shape[0] == values[0].shape[0] for value in values):
        return list(values)
    samples = tf.reduce_max([tf.shape(value)[0] for value in values])
    return [tf.broadcast_to(value, [samples, *value.shape[1:]]) for value in values]


def _concatenation(call: Call, *values: Any) -> Any:
    axis = _axis(call.options["axis"], len(call.shapes[0]))
    return call.activated(tf.concat(_alike(values), axis))


def _pack(call: Call, *values: Any) -> Any:
    return tf.stack(_alike(values), _axis(call.options["axis"], len(call.shapes[0])))


def _unpack(call: Call, values: Any) -> Any:
    return tf.unstack(values, axis=_axis(call.options["axis"], len(values.shape) - 1))


def _split(call: Call, axis: Any, values: Any) -> Any:
    return _parts(call, values, *_axes(axis, values))


def _split_v(call: Call, values: Any, sizes: Any, axis: Any) -> Any:
    del sizes    # the shapes of the outputs say the same
    return _parts(call, values, *_axes(axis, values))


def _parts(call: Call, values: Any, axis: int) -> list[Any]:
    found: list[Any] = tf.split(values, [shape[axis - 1] for shape in call.shapes], axis)
    return found


def _pad(call: Call, values: Any, paddings: Any, filling: Any = None) -> Any:
    del call
    around = [[0, 0], *paddings]
    if filling is None:
        return tf.pad(values, around)
    filling = tf.reshape(filling, [])
    return tf.pad(values - filling, around) + filling    # so that any number, which tf.pad would not take, is one


def _mirror_pad(call: Call, values: Any, paddings: Any) -> Any:
    return tf.pad(values, [[0, 0], *paddings], call.options["mode"])


def _slice(call: Call, values: Any, begin: Any, size: Any) -> Any:
    del size    # the shape of the output says the same
    return call.of_output(tf.slice(values, [0, *begin], [-1, *call.shapes[0]]))


def _strided_slice(call: Call, values: Any, begin: Any, end: Any, strides: Any) -> Any:
    options = call.options
    if options["offset"]:
        end = [first + length for first, length in zip(begin, end, strict=True)]
    masks = {f"{name}_mask": options[f"{name}_mask"] << 1 for name in ("ellipsis", "new_axis", "shrink_axis")}
    masks |= {f"{name}_mask": options[f"{name}_mask"] << 1 | 1 for name in ("begin", "end")}
    return call.of_output(tf.strided_slice(values, [0, *begin], [0, *end], [1, *strides], **masks))


def _transpose(call: Call, values: Any, order: Any) -> Any:
    del call
    return tf.transpose(values, [0, *_axes(order, values)])


def _tile(call: Call, values: Any, times: Any) -> Any:
    del call
    return tf.tile(values, [1, *times])


def _broadcast_to(call: Call, values: Any, shape: Any) -> Any:
    del shape    # the shape of the output says the same
    ranked = _ranked(values, len(call.shapes[0]))
    return tf.broadcast_to(ranked, [tf.shape(ranked)[0], *call.shapes[0]])


def _reverse(call: Call, values: Any, axes: Any) -> Any:
    del call
    return tf.reverse(values, _axes(axes, values))


def _gather(call: Call, values: Any, indices: Any) -> Any:
    if isinstance(indices, Sequence | int):
        return call.of_output(tf.gather(values, indices, axis=_axis(call.options["axis"], len(values.shape) - 1)))
    rank = len(values.shape) - 1
    return call.of_output(tf.gather(values[0], indices, axis=call.options["axis"] % rank))    # a table, there once


def _space_to_depth(call: Call, images: Any) -> Any:
    return call.of_output(tf.nn.space_to_depth(_merged(images), call.options["block_size"]))


def _depth_to_space(call: Call, images: Any) -> Any:
    return call.of_output(tf.nn.depth_to_space(_merged(images), call.options["block_size"]))


def _space_to_batch(call: Call, images: Any, block: Any, paddings: Any) -> Any:
    inner = images.shape[1]
    blocks = tf.space_to_batch_nd(_merged(images), block, paddings)    # [blocks * N * B, ...]
    apart = tf.reshape(blocks, [math.prod(block), -1, inner, *blocks.shape[1:]])
    return call.of_output(tf.transpose(apart, [1, 0, *range(2, len(apart.shape))]))


def _batch_to_space(call: Call, images: Any, block: Any, crops: Any) -> Any:
    inner = images.shape[1] // math.prod(block)
    apart = tf.reshape(images, [-1, math.prod(block), inner, *images.shape[2:]])
    swapped = tf.transpose(apart, [1, 0, *range(2, len(apart.shape))])    # [blocks, N, B, ...]
    return call.of_output(tf.batch_to_space(tf.reshape(swapped, [-1, *images.shape[2:]]), block, crops))


def _resized(function: Function) -> Function:
    def apply(call: Call, images: Any, size: Any) -> Any:
        how = {name: call.options[name] for name in ("align_corners", "half_pixel_centers")}
        return call.of_output(function(images=_merged(images), size=size, **how))

    return apply


FUNCTIONS: Mapping[str, Function] = {
    "ABS": _one_by_one(tf.abs),
    "ADD": _binary(tf.add),
    "AVERAGE_POOL_2D": _pooled(tf.nn.avg_pool2d),
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEPTH_TO_SPACE": _depth_to_space,
    "DEQUANTIZE": _reshaped,
    "DIV": _binary(tf.divide),
    "ELU": _one_by_one(tf.nn.elu),
    "EXP": _one_by_one(tf.exp),
    "EXPAND_DIMS": _reshaped,
    "FULLY_CONNECTED": _fully_connected,
    "GATHER": _gather,
    "HARD_SWISH": _one_by_one(_hard_swish),
    "L2_NORMALIZATION": _l2_normalization,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _one_by_one(tf.sigmoid),
    "LOG_SOFTMAX": _one_by_one(tf.nn.log_softmax),
    "MAXIMUM": _binary(tf.maximum),
    "MAX_POOL_2D": _pooled(tf.nn.max_pool2d),
    "MEAN": _reduced(tf.reduce_mean),
    "MINIMUM": _binary(tf.minimum),
    "MIRROR_PAD": _mirror_pad,
    "MUL": _binary(tf.multiply),
    "NEG": _one_by_one(tf.negative),
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad,
    "PRELU": _binary(_prelu),
    "QUANTIZE": _reshaped,
    "REDUCE_MAX": _reduced(tf.reduce_max),
    "REDUCE_MIN": _reduced(tf.reduce_min),
    "RELU": _one_by_one(tf.nn.relu),
    "RELU6": _one_by_one(tf.nn.relu6),
    "RELU_N1_TO_1": _one_by_one(ACTIVATIONS["RELU_N1_TO_1"]),
    "RESHAPE": _reshaped,
    "RESIZE_BILINEAR": _resized(tf.raw_ops.ResizeBilinear),
    "RESIZE_NEAREST_NEIGHBOR": _resized(tf.raw_ops.ResizeNearestNeighbor),
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _reshaped,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _binary(tf.subtract),
    "SUM": _reduced(tf.reduce_sum),
    "TANH": _one_by_one(tf.tanh),
    "TILE": _tile,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNPACK": _unpack,
}
"""TFLite's name of an operator to what it computes."""

SEVERAL = frozenset(("SPLIT", "SPLIT_V", "UNPACK"))
"""Those that give a list of outputs."""
