"""Small int8 networks that the compiler takes, for tests of what is made of it, and one whose plan has everything."""

from __future__ import annotations

import numpy as np

from firmware_export.layer import Array, Layer, Program, Read, Value
from firmware_export.plan import Buffer, Plan, Push, Segment, Storage
from tests.networks import Network


def convolutions(height: int = 12, float_input: bool = False) -> bytes:
    """Four 3x3 convolutions, the third of stride 2: ``[1, height, height, 3]`` to half the height and 4 channels."""
    random = np.random.default_rng(7)
    network = Network()
    shape = [1, height, height, 3]
    value = network.input(shape, dtype=np.float32) if float_input else network.input(shape, 0.02, -3)
    channels, size = 3, height
    for wanted, stride in ((8, 1), (8, 1), (16, 2), (4, 1)):
        size //= stride
        kernel = random.integers(-127, 128, (wanted, 3, 3, channels)).astype(np.int8)
        weights = network.constant(kernel, random.uniform(0.001, 0.01, wanted))
        bias = network.constant(random.integers(-50, 50, wanted).astype(np.int32), 0.0001)
        value = network.op(
            "CONV_2D", [value, weights, bias], [1, size, size, wanted], 0.05, 4,
            padding="SAME", stride_w=stride, stride_h=stride, dilation_w_factor=1, dilation_h_factor=1,
            fused_activation_function="RELU",
        )    # fmt: skip
        channels = wanted
    return network.pack(value)


def every_way_of_keeping() -> Plan:
    """A plan by hand in which outputs are kept in each way there is.

    Layers 0 to 2 run row by row (a ring; a row over a row of it; whole, to be read later), layer 3 writes over its
    input, layer 4 adds up with sums and scratch, layer 5 writes the caller's output and reads a constant.
    """
    rows = 8

    def value(index: int, count: int, row_bytes: int, data: bytes | None = None) -> Value:
        return Value(index, index, f"t{index}", "int8", count, row_bytes, (1, count, row_bytes), data)

    def layer(
        op: str, sources: tuple[int, ...], output: int, steps: int, rows: int, row_bytes: int, **more: int
    ) -> Layer:
        reads = tuple(Read(source, values[source].row_bytes, (0,) * steps) for source in sources)
        weights = Array(np.zeros(10 + output, np.int8), "[n]")
        order = Array(np.zeros(99, np.uint8), "[n]", is_weights=False)
        fields = {"weights": weights, "order": order, "zero_point": 3}
        macs = 100 * output
        return Layer(op, output, "conv_2d", "conv_2d", reads, output, rows, row_bytes, steps, fields, macs, **more)

    values = (
        value(0, rows, 16),
        value(1, rows, 20),
        value(2, rows, 20),
        value(3, rows, 12),
        value(4, rows, 10),
        value(5, 1, 10),
        value(6, 1, 10),
        value(7, 1, 10, bytes(10)),
    )
    layers = (
        layer("CONV_2D", (0,), 1, rows, rows, 20),
        layer("ADD", (1,), 2, rows, rows, 20),
        layer("CONV_2D", (2,), 3, rows, rows, 12),
        layer("CONV_2D", (3,), 4, rows, rows, 10),
        layer("MEAN", (4,), 5, rows, 1, 10, sums_bytes=40, scratch_bytes=24),
        layer("ADD", (5, 7), 6, 1, 1, 10),
    )
    return Plan(
        program=Program("net", values, layers, (0,), (6,)),
        segments=(
            Segment((0, 1, 2), (0, 1, 2) * rows),
            Segment((3,), (3,) * rows, reverse=True),
            Segment((4,), (4,) * rows),
            Segment((5,), (5,)),
        ),
        buffers=(
            Buffer("ring", 1, 60, 96, 0, 0),
            Buffer("whole", 3, 96, 0, 0, 1),
            Buffer("whole", 4, 80, 16, 1, 2),
            Buffer("sums", 4, 40, 96, 2, 2),
            Buffer("scratch", 4, 24, 136, 2, 2),
            Buffer("whole", 5, 10, 0, 2, 3),
        ),
        storage={
            1: Storage(96, 3, 20),
            2: Storage(96, 3, 20, in_place_of=1),
            3: Storage(0, rows, 12),
            4: Storage(16, rows, 10),
            5: Storage(0, 1, 10),
        },
        sums={4: 96},
        scratch={4: 136},
        arena_bytes=160,
        lower_bound=156,
        push=Push(Storage(160, 3, 16), 208),
    )
