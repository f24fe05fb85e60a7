"""Operators that move values and compute nothing, for growing networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from tests.firmware_export.growing import MAX_ELEMENTS, Grower, Input, NotHere, Quantization, Value
from tests.firmware_export.random_windows import batch_1
from tests.firmware_export.reals import resize


def concatenation(g: Grower) -> None:
    """Two to four values that agree in all dimensions but one; a converter gives them one scale."""
    first = g.take(where=lambda value: len(value.shape) > 0)
    axis = g.between(0, len(first.shape) - 1)

    def agrees(value: Value) -> bool:
        return len(value.shape) == len(first.shape) and all(
            x == y for place, (x, y) in enumerate(zip(value.shape, first.shape, strict=True)) if place != axis
        )

    values = [first, *(g.take(where=agrees) for _ in range(g.between(1, 3)))]
    if sum(prod(value.shape) for value in values) > MAX_ELEMENTS:
        raise NotHere
    values = [first, *(g.requantized(value, first) for value in values[1:])]
    operands: list[Value | int] = [*values]
    reals = [value.real for value in values]
    if g.chance(0.1):
        constant, real = g.operand(first.shape, first)
        g.network.graph.tensors[constant].quantization = g.network.graph.tensors[first.index].quantization
        operands.append(constant)
        reals.append(real)
    told = axis - len(first.shape) if g.chance(0.3) else axis
    g.same("CONCATENATION", operands, np.concatenate(reals, axis), axis=told)


def shape_of(g: Grower, size: int) -> tuple[int, ...]:
    """A shape of so many elements, most often with a batch of 1."""
    shape = []
    for _ in range(g.between(0, 3)):
        factors = [f for f in range(1, size + 1) if size % f == 0]
        shape.append(g.pick(factors))
        size //= shape[-1]
    g.random.shuffle(shape)
    return (1, *shape, size) if g.chance(0.85) else (*shape, size)


def reshape(g: Grower) -> None:
    """RESHAPE, told by an operand, by an option or by both, perhaps with a -1."""
    value = g.take()
    shape = shape_of(g, prod(value.shape))
    told = list(shape)
    if g.chance(0.4):
        told[g.between(0, len(told) - 1)] = -1
    if g.chance(0.25):
        g.same("RESHAPE", [value], value.real.reshape(shape), new_shape=told)
    else:
        options = {"new_shape": told} if g.chance(0.3) else {}
        g.same("RESHAPE", [value, g.integers(told)], value.real.reshape(shape), **options)


def squeeze(g: Grower) -> None:
    """SQUEEZE of some or all dimensions of one element."""
    value = g.take(where=lambda value: 1 in value.shape and len(value.shape) > 1)
    ones = [place for place, size in enumerate(value.shape) if size == 1]
    axes = [axis for axis in ones if g.chance(0.6)]
    shape = tuple(size for place, size in enumerate(value.shape) if place not in (axes or ones))
    axes = [axis - len(value.shape) if g.chance(0.2) else axis for axis in axes]
    g.same("SQUEEZE", [value], value.real.reshape(shape), squeeze_dims=axes)


def expand_dims(g: Grower) -> None:
    """EXPAND_DIMS at any place."""
    value = g.take(where=lambda value: len(value.shape) < 4 or g.odd)
    axis = g.between(-len(value.shape) - 1, len(value.shape))
    constant = g.integers([axis] if g.chance(0.5) else axis)
    g.same("EXPAND_DIMS", [value, constant], np.expand_dims(value.real, axis))


def transpose(g: Grower) -> None:
    """TRANSPOSE by any permutation."""
    value = g.take(2, 3, 4, 5)
    order = [int(axis) for axis in g.random.permutation(len(value.shape))]
    if g.chance(0.5):    # the batch stays
        order.remove(0)
        order.insert(0, 0)
    g.same("TRANSPOSE", [value, g.integers(order)], value.real.transpose(order))


def slice_node(g: Grower) -> None:
    """SLICE from a position, perhaps to the end."""
    value = g.take(1, 2, 3, 4, *((5,) if g.odd else ()))
    begin = [g.between(0, size - 1) if g.chance(0.6) else 0 for size in value.shape]
    sizes = [g.between(1, size - start) for size, start in zip(value.shape, begin, strict=True)]
    cut = tuple(slice(start, start + count) for start, count in zip(begin, sizes, strict=True))
    told = [
        -1 if start + count == size and g.chance(0.5) else count
        for start, count, size in zip(begin, sizes, value.shape, strict=True)
    ]
    g.same("SLICE", [value, g.integers(begin), g.integers(told)], value.real[cut])


def strided_slice(g: Grower) -> None:
    """STRIDED_SLICE with masks, steps back and dimensions that vanish."""
    value = g.take(1, 2, 3, 4, *((5,) if g.odd else ()))
    begin, end, steps, cut = [], [], [], []
    begin_mask = end_mask = shrink_mask = 0
    for place, size in enumerate(value.shape):
        step = g.pick((1, 1, 1, 2, 3, -1, -2))
        first = g.between(0, size - 1)
        last = g.between(first + 1, size) if step > 0 else g.between(-1, first - 1)
        if g.chance(0.4):
            begin_mask |= 1 << place
            first = 0 if step > 0 else size - 1
            last = size if step > 0 else -1
        if g.chance(0.4) or last < 0:
            end_mask |= 1 << place
            last = size if step > 0 else -1
        if g.chance(0.1) and len(value.shape) > 1 and step > 0 and not (begin_mask | end_mask) >> place & 1:
            shrink_mask |= 1 << place
            cut.append(slice(first, first + 1))
        else:
            cut.append(slice(first, None if last < 0 else last, step))
        begin.append(first - size if g.chance(0.15) else first)
        end.append(last - size if g.chance(0.15) and 0 <= last < size else last)
        steps.append(1 if shrink_mask >> place & 1 else step)
    real = value.real[tuple(cut)]
    shape = tuple(size for place, size in enumerate(real.shape) if not shrink_mask >> place & 1)
    operands: list[Value | int] = [value, g.integers(begin), g.integers(end), g.integers(steps)]
    masks = {"begin_mask": begin_mask, "end_mask": end_mask, "shrink_axis_mask": shrink_mask}
    g.same("STRIDED_SLICE", operands, real.reshape(shape), **masks)


def split(g: Grower) -> None:
    """SPLIT in equal parts."""
    value = g.take(where=lambda value: any(size > 1 for size in value.shape))
    axis = g.pick([place for place, size in enumerate(value.shape) if size > 1])
    parts = g.pick([count for count in range(1, 9) if value.shape[axis] % count == 0])
    outputs = [g.value(real, value.quant) for real in np.split(value.real, parts, axis)]
    told = axis - len(value.shape) if g.chance(0.3) else axis
    g.node("SPLIT", [g.integers(told if g.chance(0.5) else [told]), value], outputs, num_splits=parts)


def pack(g: Grower) -> None:
    """PACK of values of one shape along a new dimension."""
    first = g.take(where=lambda value: len(value.shape) < (5 if g.odd else 4))
    others = [g.take(where=lambda value: value.shape == first.shape) for _ in range(g.between(0, 2))]
    if prod(first.shape) * (1 + len(others)) > MAX_ELEMENTS:
        raise NotHere
    values = [first, *(g.requantized(value, first) for value in others)]
    axis = g.between(-len(first.shape) - 1, len(first.shape))
    real = np.stack([value.real for value in values], axis)
    g.same("PACK", values, real, values_count=len(values), axis=axis)


def unpack(g: Grower) -> None:
    """UNPACK along a short dimension."""
    value = g.take(where=lambda value: len(value.shape) > 1 and min(value.shape) <= 6)
    axis = g.pick([place for place, size in enumerate(value.shape) if size <= 6])
    outputs = [g.value(real, value.quant) for real in np.moveaxis(value.real, axis, 0)]
    told = axis - len(value.shape) if g.chance(0.3) else axis
    g.node("UNPACK", [value], outputs, num=value.shape[axis], axis=told)


def pad(g: Grower, op: str) -> None:
    """PAD, or PADV2 with a number of its own."""
    value = g.take(*((1, 2, 3, 4, 4, 4) if not g.odd else (1, 2, 3, 4, 5)))
    ends = [(g.between(0, 2), g.between(0, 3)) if g.chance(0.5) else (0, 0) for _ in value.shape]
    if g.chance(0.8) and len(value.shape) > 1:
        ends[0] = (0, 0)
    constant = g.integers(ends, g.pick((np.int32, np.int32, np.int64 if g.odd else np.int32)))
    if op == "PAD":
        g.same(op, [value, constant], np.pad(value.real, ends))
    else:
        quant, number = value.int8, g.between(-128, 127)
        shape = (1,) if g.chance(0.5) else ()
        fill = g.network.constant(np.full(shape, number, np.int8), quant.scale, quant.zero_point)
        real = np.pad(value.real, ends, constant_values=(number - quant.zero_point) * quant.scale)
        g.same(op, [value, constant, fill], real)


def resize_node(g: Grower, op: str) -> None:
    """RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR up and down."""
    value = g.image()
    height, width = (g.pick((1, size, 2 * size, 3 * size, g.between(1, 2 * size + 3))) for size in value.shape[1:3])
    if height * width * value.shape[3] > MAX_ELEMENTS:
        raise NotHere
    corners, centers = g.pick(((False, False), (True, False), (False, True)))
    sizes = g.integers([height, width])
    real = resize(value.real, height, width)
    g.same(op, [value, sizes], real, align_corners=corners, half_pixel_centers=centers)


def gather(g: Grower) -> None:
    """GATHER: rows of a constant table by ids that the caller gives, or parts of a value."""
    if g.chance(0.4) and len(g.inputs) < 4:
        words, size = g.between(2, 30), g.between(1, 12)
        numbers = g.int8_numbers((words, size))
        quant = Quantization(float(np.float32(g.power(-8, -3))), g.between(-20, 20))
        table = g.network.constant(numbers, quant.scale, quant.zero_point)
        shape = g.pick(((1, g.between(1, 12)), (g.between(1, 12),)))
        ids = g.add_input(Input(shape, "int32", 0, words - 1))
        reals = (numbers.astype(np.float64) - quant.zero_point) * quant.scale
        output = g.value(reals[np.clip(np.rint(ids.real), 0, words - 1).astype(int)], quant)
        g.node("GATHER", [table, ids], [output])
        return
    value = g.take(1, 2, 3, 4)
    axis = g.between(0, len(value.shape) - 1)
    shape = g.pick(((g.between(1, 6),), (g.between(1, 6),), (2, g.between(1, 3)), ()))
    if len(value.shape) + len(shape) > (6 if g.odd else 5):
        raise NotHere
    positions = g.random.integers(0, value.shape[axis], shape)
    told = axis - len(value.shape) if g.chance(0.3) else axis
    real = np.take(value.real, positions, axis)
    g.same("GATHER", [value, g.integers(positions)], np.asarray(real), axis=told)


def computed_reshape(g: Grower) -> None:
    """SHAPE, STRIDED_SLICE, PACK, RESHAPE: what a converter makes of a Flatten under an open batch size."""
    value = g.take(4, where=batch_1)
    shape = g.network.tensor([4], dtype=np.int32)
    g.network.node("SHAPE", [value.index], [shape], out_type="INT32")
    batch = g.network.tensor([], dtype=np.int32)
    bounds = [g.integers([0]), g.integers([1]), g.integers([1])]
    g.network.node("STRIDED_SLICE", [shape, *bounds], [batch], shrink_axis_mask=1)
    size = prod(value.shape)
    told = g.network.tensor([2], dtype=np.int32)
    g.network.node("PACK", [batch, g.integers(size)], [told], values_count=2)
    g.same("RESHAPE", [value, told], value.real.reshape(1, size))
    g.nodes += 3


MOVEMENTS: Mapping[str, tuple[Callable[[Grower], None], float]] = {
    "PAD": (lambda g: pad(g, "PAD"), 0.7),
    "PADV2": (lambda g: pad(g, "PADV2"), 0.7),
    "RESIZE_NEAREST_NEIGHBOR": (lambda g: resize_node(g, "RESIZE_NEAREST_NEIGHBOR"), 0.7),
    "RESIZE_BILINEAR": (lambda g: resize_node(g, "RESIZE_BILINEAR"), 0.7),
    "CONCATENATION": (concatenation, 1.8),
    "RESHAPE": (reshape, 0.8),
    "SQUEEZE": (squeeze, 0.4),
    "EXPAND_DIMS": (expand_dims, 0.4),
    "TRANSPOSE": (transpose, 0.7),
    "SLICE": (slice_node, 0.7),
    "STRIDED_SLICE": (strided_slice, 0.7),
    "SPLIT": (split, 0.6),
    "PACK": (pack, 0.5),
    "UNPACK": (unpack, 0.4),
    "GATHER": (gather, 0.6),
    "SHAPE": (computed_reshape, 0.2),
}
"""Functions and how often they are wanted, by operator."""
