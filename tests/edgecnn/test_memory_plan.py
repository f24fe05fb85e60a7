"""The memory plan as a document: of a plan whose every byte is known, and of one that the compiler made."""

from __future__ import annotations

from edgecnn.memory_plan import MemoryPlan, is_streamed, kept_words, memory_plan
from firmware_export.compiler import compile_model
from tests.small_networks import convolutions, every_way_of_keeping


def test_every_way_of_keeping_an_output() -> None:
    plan = memory_plan(every_way_of_keeping(), 4096, "measured")
    assert [layer.name for layer in plan.layers] == [
        "conv_2d_1", "add_1", "conv_2d_2", "conv_2d_3", "mean_1", "add_2",
    ]    # fmt: skip
    assert [(layer.kept, layer.rows_kept, layer.output_bytes) for layer in plan.layers] == [
        ("ring", 3, 60),
        ("in place", 3, 0),
        ("whole", 8, 96),
        ("over input", 8, 80),
        ("whole", 1, 10),
        ("output", 0, 0),
    ]
    assert [kept_words(layer) for layer in plan.layers[:2]] == ["3 of 8 rows", "in place"]
    assert [layer.segment for layer in plan.layers] == [0, 0, 0, 1, 2, 3]
    assert [layer.scratch_bytes for layer in plan.layers] == [0, 0, 0, 0, 64, 0]
    assert [is_streamed(segment) for segment in plan.segments] == [True, False, False, False]


def test_buffers_are_told_by_the_layers_that_write_into_them() -> None:
    plan = memory_plan(every_way_of_keeping())
    assert [(buffer.kind, buffer.layers) for buffer in plan.buffers] == [
        ("ring", (0, 1)),
        ("whole", (2,)),
        ("whole", (3,)),
        ("sums", (4,)),
        ("scratch", (4,)),
        ("whole", (4,)),
    ]
    assert (plan.arena_bytes, plan.lower_bound_bytes, plan.push_arena_bytes) == (160, 156, 208)
    assert (plan.input_bytes, plan.output_bytes) == (128, 10)


def test_buffers_are_in_use_from_the_first_write_to_the_last_read() -> None:
    plan = memory_plan(every_way_of_keeping())
    # Work of a step: its MACs and the bytes of its row. Eight rounds of 32.5, 45 and 49.5 in the first segment.
    assert [segment.work for segment in plan.segments] == [8 * 127, 400 + 80, 500 + 8 * 10, 600 + 10]
    used = {(buffer.kind, buffer.layers): (buffer.written, buffer.read) for buffer in plan.buffers}
    assert used == {
        ("ring", (0, 1)): (0.0, 1.0),
        ("whole", (2,)): (round((32.5 + 45) / 1016, 4), 1.0),
        ("whole", (3,)): (0.0, 1.0),
        ("sums", (4,)): (0.0, 1.0),
        ("scratch", (4,)): (0.0, 1.0),
        ("whole", (4,)): (0.0, 1.0),
    }


def test_weights_are_the_parameters_and_constant_operands_and_no_tables() -> None:
    plan = memory_plan(every_way_of_keeping())
    assert [layer.weight_bytes for layer in plan.layers] == [11, 12, 13, 14, 15, 16]
    assert plan.weight_bytes == 81 + 10
    assert plan.lookup_bytes == 6 * 99
    assert plan.macs == 2100


def test_a_compiled_network_fits_its_plan() -> None:
    compiled = compile_model(convolutions(), "net.tflite", "net")
    plan = memory_plan(compiled.plan, 4304, "measured")
    assert plan.macs == 12 * 12 * 8 * 27 + 12 * 12 * 8 * 72 + 6 * 6 * 16 * 72 + 6 * 6 * 4 * 144
    assert (plan.input_bytes, plan.output_bytes) == (432, 144)
    # 8x27 + 8x72 + 16x72 + 4x144 weights; bias and multiplier of 4 bytes and a shift of 1 a channel.
    assert plan.weight_bytes == 216 + 576 + 1152 + 576 + 36 * (4 + 4 + 1)
    assert plan.lower_bound_bytes <= plan.arena_bytes
    assert max(buffer.offset + buffer.bytes for buffer in plan.buffers) <= plan.arena_bytes
    assert sorted(layer for segment in plan.segments for layer in segment.layers) == [0, 1, 2, 3]
    assert plan.layers[-1].kept == "output"
    for index, layer in enumerate(plan.layers):
        assert index in plan.segments[layer.segment].layers
    assert MemoryPlan.model_validate_json(plan.model_dump_json()) == plan
