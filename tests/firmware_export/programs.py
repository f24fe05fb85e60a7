"""Programs made for tests of the planner: layers with rows and bytes, but without arithmetic."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypothesis import strategies as st

from firmware_export.layer import Layer, Program, Read, Value


def window(
    value: Value, rows: int, kernel: int = 1, stride: int = 1, before: int = 0, dilation: int = 1, row_bytes: int = 0
) -> Read:
    """A read of ``kernel`` rows for each of ``rows`` output rows."""
    starts = tuple(y * stride - before for y in range(rows))
    return Read(value.index, row_bytes or value.row_bytes, starts, kernel, dilation)


def same(value: Value, row_bytes: int = 0) -> Read:
    """A read of row y in step y."""
    row_bytes = row_bytes or value.row_bytes
    return Read(value.index, row_bytes, tuple(range(value.nbytes // row_bytes)))


def everything(value: Value, steps: int = 1) -> Read:
    """A read of the whole value, in one piece, in every step."""
    return Read(value.index, value.row_bytes, (0,) * steps, value.rows, contiguous=True)


class Builder:
    """A program in the making. Its methods return the value that they make."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.layers: list[Layer] = []
        self.inputs: list[int] = []

    def value(self, rows: int, row_bytes: int, data: bytes | None = None) -> Value:
        """A value that nobody writes yet."""
        index = len(self.values)
        self.values.append(Value(index, index, f"t{index}", "int8", rows, row_bytes, (1, rows, row_bytes), data))
        return self.values[-1]

    def input(self, rows: int, row_bytes: int) -> Value:
        """An input of the network."""
        made = self.value(rows, row_bytes)
        self.inputs.append(made.index)
        return made

    def layer(
        self,
        rows: int,
        row_bytes: int,
        *reads: Read,
        in_place: tuple[int, ...] = (),
        scratch: int = 0,
        sums: int = 0,
        accumulating: Layer | None = None,
    ) -> Value:
        """A layer that writes a row in each step."""
        output = self.value(rows, row_bytes)
        layer = made_of(output, reads, rows)
        if accumulating is not None:
            accumulating = dataclasses.replace(accumulating, output=output.index)
        layer = dataclasses.replace(
            layer, in_place=in_place, scratch_bytes=scratch, sums_bytes=sums, accumulating=accumulating
        )
        self.layers.append(layer)
        return output

    def conv(
        self, value: Value, row_bytes: int, kernel: int = 3, stride: int = 1, dilation: int = 1, scratch: int = 0
    ) -> Value:
        """A convolution with SAME padding."""
        rows = -(-value.rows // stride)
        before = max(0, (rows - 1) * stride + (kernel - 1) * dilation + 1 - value.rows) // 2
        return self.layer(rows, row_bytes, window(value, rows, kernel, stride, before, dilation), scratch=scratch)

    def add(self, one: Value, other: Value) -> Value:
        """An elementwise operation of two values."""
        return self.layer(one.rows, one.row_bytes, same(one), same(other), in_place=(0, 1))

    def unary(self, value: Value) -> Value:
        """An elementwise operation of one value."""
        return self.layer(value.rows, value.row_bytes, same(value), in_place=(0,))

    def pool(self, value: Value, row_bytes: int, sum_bytes: int = 4) -> Value:
        """A global pool: it reads everything, or accumulates in ``sum_bytes`` for each byte of its output."""
        output = Value(0, 0, "", "int8", 1, row_bytes, ())
        sums = made_of(output, (same(value),), value.rows)
        sums = dataclasses.replace(sums, rows=1, sums_bytes=sum_bytes * row_bytes)
        return self.layer(1, row_bytes, everything(value), accumulating=sums)

    def dense(self, value: Value, outputs: int) -> Value:
        """A fully connected layer: it sees its input as one row."""
        return self.layer(1, outputs, Read(value.index, value.nbytes, (0,)))

    def program(self, *outputs: Value) -> Program:
        """The program with these outputs."""
        return Program(
            "net",
            tuple(self.values),
            tuple(self.layers),
            tuple(self.inputs),
            tuple(value.index for value in outputs),
        )


def made_of(output: Value, reads: Sequence[Read], steps: int) -> Layer:
    """A layer with nothing but rows."""
    return Layer(
        op="TEST",
        node=0,
        kernel="test",
        function="test",
        reads=tuple(reads),
        output=output.index,
        rows=output.rows,
        row_bytes=output.row_bytes,
        steps=steps,
        fields={},
    )


def resnet8() -> Program:
    """The MLPerf Tiny image classifier: 32×32×3, three residual blocks."""
    net = Builder()
    image = net.input(32, 32 * 3)
    skip = net.conv(image, 32 * 16)
    x = net.add(skip, net.conv(net.conv(skip, 32 * 16), 32 * 16))
    for size, channels in ((16, 32), (8, 64)):
        y = net.conv(net.conv(x, size * channels, stride=2), size * channels)
        x = net.add(net.conv(x, size * channels, kernel=1, stride=2), y)
    return net.program(net.unary(net.dense(net.pool(x, 64), 10)))


def dscnn() -> Program:
    """The MLPerf Tiny keyword spotter: 49×10, four depthwise separable blocks."""
    net = Builder()
    x = net.conv(net.input(49, 10), 5 * 64, kernel=10, stride=2)
    for _ in range(4):
        x = net.conv(net.conv(x, 5 * 64), 5 * 64, kernel=1)
    return net.program(net.unary(net.dense(net.pool(x, 64), 12)))


def mobilenet_v1(size: int = 96) -> Program:
    """Width 0.25."""
    net = Builder()
    x = net.conv(net.input(size, size * 3), size // 2 * 8, stride=2)
    width = size // 2
    channels = 8
    for wider, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        width //= stride
        x = net.conv(net.conv(x, width * channels, stride=stride), width * wider, kernel=1)
        channels = wider
    return net.program(net.unary(net.dense(net.pool(x, channels), 2)))


def mobilenet_v2(size: int = 224) -> Program:
    """Width 1, with 17 inverted residuals."""
    net = Builder()
    width, channels = size // 2, 32
    x = net.conv(net.input(size, size * 3), width * channels, stride=2)
    blocks = (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    )
    for expand, wider, repeat, first in blocks:
        for number in range(repeat):
            stride = first if number == 0 else 1
            y = net.conv(x, width * channels * expand, kernel=1) if expand > 1 else x
            width //= stride
            y = net.conv(y, width * channels * expand, stride=stride)
            y = net.conv(y, width * wider, kernel=1)
            x = net.add(x, y) if stride == 1 and wider == channels else y
            channels = wider
    x = net.conv(x, width * 1280, kernel=1)
    return net.program(net.unary(net.dense(net.pool(x, 1280), 1000)))


def divisors(number: int) -> list[int]:
    """All of them."""
    return [one for one in range(1, number + 1) if number % one == 0]


row_sizes = st.one_of(st.integers(1, 9), st.sampled_from((4, 8, 16, 32)))


@st.composite
def programs(draw: st.DrawFn, layers: int = 9, rows: int = 12) -> Program:
    """Any program: branches, strides, several inputs and outputs, rows of other sizes, all kinds of layers."""
    net = Builder()
    for _ in range(draw(st.sampled_from((1, 1, 1, 2)))):
        net.input(draw(st.integers(1, rows)), draw(row_sizes))
    if draw(st.booleans()):
        net.value(draw(st.integers(1, rows)), draw(row_sizes), data=b"constant")
    for _ in range(draw(st.integers(1, layers))):
        latest = net.values[-3:] if draw(st.integers(0, 2)) else net.values
        add_layer(draw, net, draw(st.sampled_from(latest)))
    made = [layer.output for layer in net.layers]
    read = {one.value for layer in net.layers for one in layer.reads}
    outputs = draw(st.sets(st.sampled_from(made), max_size=2)) | ({made[-1]} if draw(st.booleans()) else set())
    outputs = outputs or {value for value in made if value not in read}
    return net.program(*(net.values[index] for index in sorted(outputs)))


@st.composite
def chains(draw: st.DrawFn, layers: int = 3, rows: int = 7) -> Program:
    """Layers that read some rows each, between two that need all at once: what is whole overlaps."""
    net = Builder()
    sizes = st.sampled_from((4, 8, 12, 16, 24))
    count = draw(st.integers(3, rows))
    value = net.layer(count, draw(sizes), everything(net.input(1, 64), count))
    skip = value
    for _ in range(draw(st.integers(1, layers))):
        kernel, stride = draw(st.integers(1, 3)), draw(st.sampled_from((1, 1, 1, 2)))
        value = net.conv(value, draw(sizes), kernel, stride, scratch=draw(st.sampled_from((0, 0, 8))))
    joined = [everything(value)] + ([everything(skip)] if draw(st.integers(0, 3)) == 0 else [])
    return net.program(net.layer(1, 4, *joined))


def add_layer(draw: st.DrawFn, net: Builder, value: Value) -> None:
    """A layer of any kind that reads a value."""
    scratch = draw(st.sampled_from((0, 0, 3, 16)))
    row_bytes = draw(row_sizes)
    others = [other for other in net.values if (other.rows, other.row_bytes) == (value.rows, value.row_bytes)]
    kinds = ("conv", "conv", "valid", "unary", "add", "pool", "pool", "resize", "recut", "join", "odd")
    match draw(st.sampled_from(kinds)):
        case "conv":
            kernel, stride, dilation = (draw(st.integers(1, most)) for most in (4, 3, 2))
            net.conv(value, row_bytes, kernel, stride, dilation, scratch)
        case "valid":
            kernel, stride = draw(st.integers(1, value.rows)), draw(st.integers(1, 4))
            count = (value.rows - kernel) // stride + 1
            net.layer(count, row_bytes, window(value, count, kernel, stride))
        case "unary":
            net.unary(value)
        case "add":
            net.add(value, draw(st.sampled_from(others)))
        case "pool":
            net.pool(value, row_bytes, draw(st.integers(1, 4)))
        case "resize":
            factor = draw(st.integers(2, 3))
            read = Read(value.index, value.row_bytes, tuple(y // factor for y in range(value.rows * factor)))
            net.layer(value.rows * factor, row_bytes, read)
        case "recut":
            size = draw(st.sampled_from(divisors(value.nbytes)))
            read = Read(value.index, size, tuple(range(value.nbytes // size)))
            kind = draw(st.integers(0, 2))
            if kind == 0:
                net.layer(value.nbytes // size, row_bytes, read)
            elif kind == 1:
                net.layer(value.nbytes // size, size, read, in_place=(0,))
            else:
                start = tuple(y - 1 for y in read.start)
                net.layer(value.nbytes // size, row_bytes, dataclasses.replace(read, count=3, start=start))
        case "join":
            found = draw(st.lists(st.sampled_from(net.values), min_size=1, max_size=3))
            count = min(other.rows for other in (value, *found))
            net.layer(count, row_bytes, *(window(other, count) for other in (value, *found)), scratch=scratch)
        case _:
            count = draw(st.integers(1, 12))
            start = tuple(draw(st.lists(st.integers(-3, value.rows + 2), min_size=count, max_size=count)))
            read = Read(value.index, value.row_bytes, start, draw(st.integers(1, 3)), draw(st.integers(1, 2)))
            if draw(st.booleans()):
                read = everything(value, count)
            net.layer(count, row_bytes, read, scratch=scratch)
