"""Plans: proven, never under the bound, on small graphs as good as an exhaustive search, on known networks as small as
the figures say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_export import cuts
from firmware_export import segments as segments_module
from firmware_export.bounds import MAX_NODES, MAX_ROWS, MAX_ROWS_TOGETHER, check_bounds
from firmware_export.cuts import best_stages
from firmware_export.errors import ModelError
from firmware_export.graph import Graph, Node, Tensor
from firmware_export.layer import Program, Read
from firmware_export.lowering import lower
from firmware_export.passes import run_passes
from firmware_export.plan import INPUT, Plan
from firmware_export.plan_check import check_plan
from firmware_export.schedule import plan
from firmware_export.segments import Segments
from firmware_export.simulate import TooMuchWorkError
from firmware_export.tflite import read_model
from tests.firmware_export.exhaustive import optimum
from tests.firmware_export.programs import (
    Builder,
    chains,
    dscnn,
    everything,
    mobilenet_v1,
    mobilenet_v2,
    programs,
    resnet8,
    same,
    window,
)


def streamed(planned: Plan) -> list[int]:
    """Layers of each segment."""
    return [len(segment.layers) for segment in planned.segments]


@pytest.mark.parametrize(
    ("network", "arena", "pushed"),
    [
        (resnet8, 11_072, 11_360),
        (dscnn, 5_760, 5_860),
        (mobilenet_v1, 14_208, 15_072),
        (mobilenet_v2, 129_024, 131_040),
    ],
)
def test_known_networks(network: Callable[[], Program], arena: int, pushed: int) -> None:
    """Not above what the planner reached, and not below what is alive at the worst moment."""
    planned = plan(network())
    assert planned.lower_bound <= planned.arena_bytes <= arena
    assert planned.push is not None
    assert planned.arena_bytes <= planned.push.arena_bytes <= pushed


@pytest.mark.parametrize(
    ("file", "arena", "pushed"), [("ic_resnet8_int8", 13_000, 13_500), ("kws_dscnn_int8", 7_000, 7_200)]
)
def test_benchmark_networks(shared: Path, file: str, arena: int, pushed: int) -> None:
    """MLPerf Tiny's files as they are, in the arena that was promised."""
    graph = read_model((shared / "models" / f"{file}.tflite").read_bytes(), file)
    planned = plan(lower(run_passes(graph), "net"))
    assert planned.push is not None
    assert planned.arena_bytes <= arena
    assert planned.push.arena_bytes <= pushed


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_any_program_gets_a_proven_plan(program: Program) -> None:
    planned = plan(program)
    check_plan(planned)    # ``plan`` does so too; here it is what is asserted
    assert planned.lower_bound <= planned.arena_bytes
    assert planned.arena_bytes <= sum(-(-value.nbytes // 4) * 4 for value in program.values) + sum(
        -(-size // 4) * 4 for layer in program.layers for size in (layer.scratch_bytes, layer.sums_bytes)
    )
    assert plan(program) == planned
    assert (planned.push is not None) == (len(program.inputs) == 1 and program.values[program.inputs[0]].rows > 1)
    for layer, before in zip(planned.program.layers, program.layers, strict=True):
        assert layer in (before, before.accumulating)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(programs(layers=5, rows=6), chains()))
def test_small_programs_are_cut_as_well_as_can_be(program: Program) -> None:
    stages = best_stages(Segments(program))
    worst = max(stage.bytes for stage in stages)
    found = (
        worst,
        max(stage.bytes + stage.pushed_bytes for stage in stages),
        sum(len(stage.layers) for stage in stages if len(stage.layers) > 1),
        len(stages),
    )
    assert found == optimum(Segments(program).flow)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs(layers=6))
def test_no_segment_needs_less_than_its_bound(program: Program) -> None:
    segments = Segments(program)
    states = cuts.states_of(segments.flow)
    for before in states:
        for after in states:
            if before != after and not before & ~after:
                bound, stage = segments.bound(before, after), segments.weigh(before, after)
                assert bound.bytes <= stage.bytes
                assert bound.pushed_bytes <= stage.pushed_bytes


@pytest.mark.parametrize("network", [resnet8, dscnn, mobilenet_v1, mobilenet_v2])
def test_in_chains_and_residual_blocks_the_bound_is_what_a_segment_needs(network: Callable[[], Program]) -> None:
    """That is why so few segments have to be simulated."""
    segments = Segments(network())
    everything_streamed = (1 << len(segments.flow.program.layers)) - 1
    assert segments.bound(0, everything_streamed).bytes == segments.weigh(0, everything_streamed).bytes


def test_two_processes_plan_alike() -> None:
    code = "from tests.firmware_export.programs import resnet8; from firmware_export.schedule import plan;"
    code += "print(plan(resnet8()))"
    plans = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    ]
    assert plans[0] == plans[1] != b""


def test_a_skip_connection_over_two_convolutions_costs_no_extra_row() -> None:
    net = Builder()
    first = net.conv(net.input(32, 16), 64)
    last = net.conv(net.add(first, net.conv(net.conv(first, 64), 64)), 64)
    planned = plan(net.program(last))
    kept = {index: storage.kept for index, storage in planned.storage.items()}
    assert streamed(planned) == [5]
    assert kept[first.index] == 3


def test_rows_of_an_upsampling_and_a_transposed_reader() -> None:
    """Each row of a half-size image is read twice, and then it is gone."""
    net = Builder()
    small = net.conv(net.input(32, 32), 64, stride=2)
    large = net.layer(32, 64, Read(small.index, 64, tuple(y // 2 for y in range(32))))
    planned = plan(net.program(net.conv(large, 64)))
    assert planned.storage[small.index].kept == 1
    assert planned.arena_bytes == 64 + 3 * 64


def test_a_global_pool_accumulates_behind_a_stream_and_not_behind_a_whole_value() -> None:
    net = Builder()
    wide = net.conv(net.conv(net.input(40, 8), 100), 100)
    planned = plan(net.program(net.pool(wide, 4)))
    assert planned.program.layers[-1].steps == 40
    assert planned.sums.keys() == {2}
    net = Builder()
    small = net.conv(net.input(2, 400), 4)
    planned = plan(net.program(net.pool(small, 4, sum_bytes=8)))
    assert planned.program.layers[-1].steps == 1
    assert planned.sums == {}


def test_an_addition_takes_over_its_dying_input() -> None:
    """Whole tensors: the sum lies where the branch lay, also if the other input is still needed."""
    net = Builder()
    image = net.input(1, 64)    # a single row: nothing is streamed
    one = net.layer(1, 64, same(image))
    other = net.layer(1, 64, everything(one))
    total = net.add(one, other)
    planned = plan(net.program(net.layer(1, 4, same(one), same(total))))
    assert planned.storage[total.index].in_place_of == other.index
    assert planned.arena_bytes == 128


def test_constants_and_the_caller_s_memory_are_not_taken_over() -> None:
    net = Builder()
    image = net.input(4, 8)
    constant = net.value(4, 8, b"x" * 32)
    first = net.add(image, constant)
    second = net.unary(first)
    planned = plan(net.program(first, net.unary(second)))
    assert planned.storage.keys() == {second.index}
    assert planned.storage[second.index].in_place_of is None


def test_a_whole_chain_goes_up_and_down() -> None:
    """Values that shrink too little to be worth a stream: each output lies over its input, once below, once above."""
    net = Builder()
    value = net.input(1, 4096)
    value = net.layer(64, 64, everything(value, 64))
    for rows in (63, 62, 61, 60):
        value = net.layer(rows, 64, window(value, rows, 2))
    # All of the last value is needed at once, and so is all of the first.
    planned = plan(net.program(net.layer(60, 1, everything(value, 60))))
    assert [segment.reverse for segment in planned.segments] == [False, True, False, True, False, False]
    assert planned.arena_bytes == planned.lower_bound == 65 * 64


def test_a_layer_that_hands_something_to_its_next_step_never_runs_backwards() -> None:
    net = Builder()
    value = net.input(1, 4096)
    value = net.layer(64, 64, everything(value, 64))
    for rows in (63, 62, 61, 60):
        value = net.layer(rows, 64, window(value, rows, 2), sums=64)
    planned = plan(net.program(net.layer(60, 1, everything(value, 60))))
    assert not any(segment.reverse for segment in planned.segments)


def test_pushed_rows_wait_until_the_last_moment() -> None:
    """Row k arrives just before the step that needs it; rows that nobody needs come along, or at the end not at all."""
    net = Builder()
    image = net.input(10, 4)
    planned = plan(net.program(net.layer(3, 4, window(image, 3, 1, stride=3))))
    assert planned.segments[0].order == (INPUT, 0, INPUT, INPUT, INPUT, 0, INPUT, INPUT, INPUT, 0)
    assert planned.push is not None
    assert planned.push.storage.kept == 1


def test_a_pushed_input_that_is_read_again_later_is_kept_whole() -> None:
    net = Builder()
    image = net.input(16, 16)
    pooled = net.dense(net.pool(net.conv(image, 64), 64), 16)
    scaled = net.layer(16, 16, same(image), Read(pooled.index, 16, (0,) * 16))
    planned = plan(net.program(scaled))
    assert planned.push is not None
    assert planned.push.storage.kept == 16
    assert planned.segments[0].order.count(INPUT) == 16


def test_readers_with_other_rows_share_a_ring_of_whole_rows() -> None:
    """Two rows of 32 bytes are one row of 64 to the second reader: the ring has an even number of them."""
    net = Builder()
    value = net.conv(net.input(16, 32), 32)
    pairs = net.layer(8, 64, Read(value.index, 64, tuple(range(8))))
    thirds = net.layer(16, 32, window(value, 16, 3, before=1))
    planned = plan(net.program(net.conv(pairs, 8), net.conv(thirds, 8)))
    assert planned.storage[value.index].kept == 4


def test_branches_with_several_outputs_advance_together() -> None:
    """Two heads of different depth on one trunk: its ring does not grow with the image."""

    def heads(rows: int) -> Plan:
        net = Builder()
        trunk = net.conv(net.input(rows, 64), 64)
        deep = net.conv(net.conv(net.conv(trunk, 64), 64), 4)
        shallow = net.conv(trunk, 4, kernel=1)
        half = net.conv(net.conv(trunk, 32, stride=2), 4)
        return plan(net.program(deep, shallow, half))

    assert heads(128).arena_bytes == heads(64).arena_bytes
    assert heads(64).storage[1].kept <= 4


def test_work_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hardly any simulation allowed there is still a valid plan, with or without streams."""
    net = Builder()
    value = net.conv(net.input(64, 8), 64)
    for _ in range(20):
        value = net.add(value, net.conv(net.conv(value, 64), 64))
    program = net.program(net.pool(value, 16))
    best = plan(program)
    for work in (0, 1000, 30_000, 100_000):
        monkeypatch.setattr(segments_module, "WORK", work)
        check_plan(hasty := plan(program))
        assert best.arena_bytes <= hasty.arena_bytes
        assert plan(program) == hasty


def pools(layers: int, rows: int) -> Program:
    """A chain of layers that each read three rows."""
    net = Builder()
    value = net.input(rows, 2)
    for _ in range(layers):
        value = net.conv(value, 2)
    return net.program(value)


def sums(layers: int, rows: int) -> Program:
    """A chain of additions; every third one of the input."""
    net = Builder()
    image = value = net.input(rows, 2)
    for number in range(layers):
        value = net.add(value, image if number % 3 == 0 else value)
    return net.program(value)


def branches(layers: int, rows: int) -> Program:
    """Layers that all read one value, and one that reads them all."""
    net = Builder()
    trunk = net.conv(net.input(rows, 2), 2)
    found = [net.conv(trunk, 2) for _ in range(layers - 2)]
    return net.program(net.layer(rows, 2 * len(found), *(same(value) for value in found)))


def heads(layers: int, rows: int) -> Program:
    """Layers that all read one value and are all outputs."""
    net = Builder()
    trunk = net.conv(net.input(rows, 2), 2)
    return net.program(*(net.conv(trunk, 2) for _ in range(layers - 1)))


def residual(layers: int, rows: int) -> Program:
    """Blocks of two layers and an addition."""
    net = Builder()
    value = net.conv(net.input(rows, 2), 16)
    for _ in range(layers // 3):
        value = net.add(value, net.conv(net.conv(value, 16), 16))
    return net.program(net.pool(value, 4))


def spent(program: Program) -> int:
    """Work of finding the best segments once, after a proof of the plan."""
    check_plan(plan(program))
    segments = Segments(program)
    best_stages(segments)
    return segments.work.spent


FAMILIES = (pools, sums, branches, heads, residual)


@pytest.mark.parametrize("family", FAMILIES)
def test_large_programs_take_as_much_work_as_is_allowed(
    family: Callable[[int, int], Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit there is only what is left in any case: each layer alone, and one more look for a path."""
    program = family(150, 40)
    monkeypatch.setattr(segments_module, "WORK", allowed := 200_000)
    steps = sum(layer.steps * (1 + len(layer.reads)) for layer in program.layers)
    assert spent(program) <= allowed + 40 * steps + 200_000


def largest(family: Callable[[int, int], Program], layers: int) -> Program:
    """So many layers, and as many rows as are accepted with them."""
    rows = MAX_ROWS_TOGETHER // sum(1 + len(layer.reads) for layer in family(layers, 4).layers)
    return family(layers, min(rows, MAX_ROWS))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "layers"), [(pools, MAX_NODES), (pools, 6), (residual, 60)]
)
def test_the_largest_programs_are_planned(family: Callable[[int, int], Program], layers: int) -> None:
    planned = plan(largest(family, layers))    # which proves it
    assert planned.lower_bound <= planned.arena_bytes


@pytest.mark.slow
def test_the_work_for_a_plan_is_bounded() -> None:
    segments = Segments(largest(FAMILIES[0], 60))
    best_stages(segments)
    assert segments.work.spent < 2 * segments_module.WORK


def graph(nodes: int, rows: int, outputs: int = 1) -> Graph:
    """Nodes one after the other, each of which reads the first tensor of the one before."""
    count = 1 + nodes * outputs
    tensors = tuple(Tensor(index, "", (1, rows, 1, 1), (1, rows, 1, 1), "int8") for index in range(count))
    made = [tuple(range(1 + node * outputs, 1 + (node + 1) * outputs)) for node in range(nodes)]
    read = [0, *(one[0] for one in made)]
    chain = tuple(Node(index, "RELU", 1, (read[index],), made[index]) for index in range(nodes))
    return Graph("net", "", tensors, chain, (0,), made[-1])


@pytest.mark.parametrize(
    ("accepted", "refused", "message"),
    [
        (graph(MAX_NODES, 8), graph(MAX_NODES + 1, 8), "it has 501 nodes"),
        (graph(MAX_NODES // 4, 8, 4), graph(MAX_NODES // 4 + 1, 8, 4), "its nodes have 504 outputs"),
        (graph(2, MAX_ROWS), graph(3, MAX_ROWS), "read and write 1572864 rows"),
        (graph(64, 8192), graph(64, 8193), "read and write 1048704 rows"),
        (graph(1, MAX_ROWS), graph(1, MAX_ROWS + 1), "262145 rows"),
    ],
)
def test_larger_networks_are_refused(accepted: Graph, refused: Graph, message: str) -> None:
    """Nodes and rows are bounded alone and together."""
    check_bounds(accepted)
    with pytest.raises(ModelError, match=message):
        check_bounds(refused)


def test_a_segment_beyond_the_work_is_not_simulated_but_a_layer_alone_is() -> None:
    program = pools(10, 1000)
    segments = Segments(program)
    segments.work.limit = 5000
    with pytest.raises(TooMuchWorkError):
        segments.weigh(0, (1 << 10) - 1)
    assert segments.steps_simulated == 0
    assert segments.weigh(0, 1).layers == (0,)
    assert segments.steps_simulated == 1000


def test_a_tall_network_is_simulated_a_few_times_only() -> None:
    net = Builder()
    value = net.conv(net.input(3000, 2), 16)
    for _ in range(12):
        value = net.conv(value, 16)
    program = net.program(net.unary(net.pool(value, 16)))
    segments = Segments(program)
    stages = best_stages(segments)
    # The rings, a row for the pool, its sums, its output.
    assert max(stage.bytes for stage in stages) == 12 * 48 + 16 + 64 + 16
    assert segments.steps_simulated < 5 * sum(layer.steps for layer in program.layers)


def test_a_branchy_network_falls_back_to_the_file_s_order() -> None:
    net = Builder()
    image = net.input(8, 8)
    branches = [net.conv(image, 8) for _ in range(12)]    # 2 ** 12 sets of layers could have run
    joined = net.layer(8, 96, *(window(branch, 8) for branch in branches))
    program = net.program(net.pool(joined, 8))
    states = cuts.states_of(Segments(program).flow)
    assert len(states) == len(program.layers) + 1
    check_plan(plan(program))


def test_small_graphs_may_run_in_another_order_than_the_file_s() -> None:
    """Two branches whose layers alternate in the file: one after the other they need less."""
    net = Builder()
    image = net.input(1, 16)
    wide = [net.layer(1, 1000, same(image)) for _ in range(3)]
    narrow = [net.layer(1, 8, everything(value)) for value in wide]
    planned = plan(net.program(net.layer(1, 4, *(everything(value) for value in narrow))))
    assert planned.arena_bytes <= 1000 + 3 * 8


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_networks_of_one_layer(rows: int) -> None:
    net = Builder()
    planned = plan(net.program(net.layer(rows, 4, same(net.input(rows, 4)), scratch=10)))
    assert planned.arena_bytes == planned.lower_bound == 12
    assert (planned.push is None) == (rows == 1)


def test_a_program_that_breaks_the_rules_is_refused() -> None:
    net = Builder()
    value = net.input(4, 4)
    later = net.value(4, 4)
    net.layer(4, 4, same(value), same(later))
    net.values[later.index] = later
    with pytest.raises(AssertionError, match="too early"):
        plan(net.program(net.values[-1]))
