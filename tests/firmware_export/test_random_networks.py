"""Random networks give TFLite Micro's bytes or are refused; ``benchmarks/random_networks.py`` runs thousands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from firmware_export.compiler import compile_model
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import SANITIZED
from tests.firmware_export.comparing import Outcome, compare, refusal_of, shortest
from tests.firmware_export.many import Case, Failed, build, run
from tests.firmware_export.oracle import Oracle
from tests.firmware_export.random_networks import RandomNetwork, random_network
from tests.networks import Network

pytest.importorskip("tflite_micro", reason="TFLite Micro has wheels for Linux on x86-64 only")

NETWORKS = 60
BATCH = 20
_NAMES = """
    CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV FULLY_CONNECTED MAX_POOL_2D AVERAGE_POOL_2D ADD SUB MUL MAXIMUM MINIMUM
    CONCATENATION PAD PADV2 MEAN REDUCE_MAX SUM RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE SLICE STRIDED_SLICE SPLIT PACK
    UNPACK SOFTMAX LOGISTIC TANH RELU RELU6 LEAKY_RELU PRELU HARD_SWISH RESIZE_NEAREST_NEIGHBOR RESIZE_BILINEAR
    GATHER SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND QUANTIZE DEQUANTIZE
"""
OPERATORS = frozenset(_NAMES.split())
"""What has to be equal somewhere in the networks below, and RELU_N1_TO_1 not: TFLite Micro has no such node."""


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


@pytest.fixture(scope="module")
def outcomes(oracle: Oracle, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    folder = tmp_path_factory.mktemp("networks")
    found: list[Outcome] = []
    for first in range(1, NETWORKS, BATCH):
        networks = [random_network(seed) for seed in range(first, first + BATCH)]
        found += compare(networks, folder / str(first), oracle, flags=("-O1", *SANITIZED))
    return found


@pytest.mark.slow
def test_no_difference_no_crash_and_nothing_but_model_errors(outcomes: list[Outcome]) -> None:
    assert not [(outcome.seed, outcome.detail) for outcome in outcomes if outcome.kind == "failed"]


@pytest.mark.slow
def test_most_networks_compile_and_every_operator_is_among_the_equal_ones(outcomes: list[Outcome]) -> None:
    equal = [outcome for outcome in outcomes if outcome.kind == "equal"]
    refused = {refusal_of(outcome.detail) for outcome in outcomes if outcome.kind == "refused"}
    assert len(equal) > 0.75 * NETWORKS, refused
    assert sum(outcome.pushed for outcome in equal) > 0.3 * NETWORKS
    assert not OPERATORS - {op for outcome in equal for op in outcome.ops}


@pytest.mark.slow
def test_what_is_refused_is_refused_by_name(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.kind == "refused":
            op, reason = refusal_of(outcome.detail)
            assert op in outcome.ops, outcome.detail
            assert reason


# The generator.


def test_a_seed_gives_the_same_network_and_another_one_another() -> None:
    assert random_network(5).data == random_network(5).data
    assert random_network(5).data != random_network(6).data
    first, again = random_network(5).samples(4), random_network(5).samples(4)
    assert all(np.array_equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))


def test_networks_have_1_to_more_than_20_nodes_branches_several_inputs_and_outputs() -> None:
    networks = [random_network(seed) for seed in range(150)]
    sizes = [sum(network.ops.values()) for network in networks]
    assert min(sizes) == 1
    assert max(sizes) > 20
    assert {network.outputs for network in networks} >= {1, 2, 3}
    assert {len(network.inputs) for network in networks} >= {1, 2, 3}
    assert {given.dtype for network in networks for given in network.inputs} == {"int8", "int32", "float32"}
    graphs = [read_model(network.data) for network in networks]
    readers = [
        max(sum(node.inputs.count(tensor.index) for node in graph.nodes) for tensor in graph.tensors if not tensor.data)
        for graph in graphs
    ]
    assert sum(count > 1 for count in readers) > 30
    assert {op for network in networks for op in network.ops} >= OPERATORS


def test_most_values_are_not_all_at_the_ends_of_the_range(oracle: Oracle) -> None:
    shares = []
    for seed in range(60):
        network = random_network(seed)
        answer = oracle.run(network.data, network.samples(1), network.outputs)
        if not isinstance(answer, str):
            shares += [float(np.mean(np.abs(array + 0.5) > 127)) for array in answer[0] if array.dtype == np.int8]
    assert np.mean(np.array(shares) > 0.9) < 0.2
    assert np.mean(np.array(shares) > 0.02) > 0.3    # but some are


# The comparison: it has to see what is wrong.


class WrongOracle(Oracle):
    """One number of the last output is another one."""

    def run(self, data: bytes, samples: Sequence[Sequence[Any]], outputs: int) -> list[list[Any]] | str:
        answer = super().run(data, samples, outputs)
        if not isinstance(answer, str):
            answer[-1][-1].reshape(-1)[-1] ^= 1
        return answer


def small_network() -> RandomNetwork:
    return random_network(2, 2, frozenset({"CONV_2D"}))


def test_one_wrong_bit_in_one_sample_is_found_and_the_network_cut_down(tmp_path: Path) -> None:
    network = small_network()
    with WrongOracle() as wrong:
        outcome = compare([network], tmp_path, wrong)[0]
        assert outcome.kind == "failed"
        assert "1 differ by up to 1" in outcome.detail
        found = shortest(network, tmp_path, wrong)
    assert found is not None
    assert sum(found[0].ops.values()) == 1


def test_a_network_that_kills_tflite_micro_is_told_apart_and_the_next_one_runs(oracle: Oracle, tmp_path: Path) -> None:
    """DEPTHWISE_CONV_2D with -1 for the bias: TFLite Micro reads from address 0."""
    network = Network()
    image = network.input((1, 3, 3, 1), 0.1)
    weights = network.constant(np.ones((1, 2, 2, 1), np.int8), 0.1, axis=3)
    options: dict[str, Any] = {"padding": "VALID", "stride_w": 1, "stride_h": 1, "depth_multiplier": 1}
    output = network.op("DEPTHWISE_CONV_2D", [image, weights, -1], (1, 2, 2, 1), 0.1, **options)
    deadly = replace(small_network(), data=network.pack(output), outputs=1)
    assert "dies with exit code" in str(oracle.run(deadly.data, [[np.zeros((1, 3, 3, 1), np.int8)]], 1))
    assert compare([small_network()], tmp_path, oracle)[0].kind == "equal"


def board_program(folder: Path, wrong: str = "") -> tuple[Path, Case]:
    """For a Cortex-M3, with a statement that does something wrong at its end; and the case that it runs."""
    target = load_target("cortex-m3")
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    network = random_network(5, 1, frozenset({"CONV_2D"}))
    compiled = compile_model(network.data, "net", "n5")
    text = compiled.files["n5.c"].replace("    return n5_network(&m);", f"    {wrong}\n    return n5_network(&m);")
    program = build({network.seed: replace(compiled, files={**compiled.files, "n5.c": text})}, folder, target)
    assert isinstance(program, Path), program
    inputs = b"".join(array.tobytes() for sample in network.samples(2) for array in sample)
    return program, Case(network.seed, push=False, inputs=inputs)


def test_a_board_goes_on_after_a_case_that_fails(tmp_path: Path) -> None:
    program, case = board_program(tmp_path)
    first, unknown, second = run(program, load_target("cortex-m3"), [case, replace(case, seed=6), case])
    assert isinstance(first, bytes)
    assert first == second
    assert unknown == Failed("exit code 9")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("output[N5_OUTPUT_SIZE] = 1;", "after the end"),
        ("output[-1] = 1;", "before the start"),
        ("((int8_t *)arena)[N5_ARENA_SIZE] = 1;", "after the end"),
        ("__builtin_trap();", "fault"),
    ],
)
def test_a_board_notices_faults_and_memory_that_is_not_the_networks(tmp_path: Path, wrong: str, said: str) -> None:
    program, case = board_program(tmp_path, wrong)
    for result in run(program, load_target("cortex-m3"), [case, case]):
        assert isinstance(result, Failed)
        assert said in result.said


def test_networks_are_equal_on_a_board_with_kernels_of_its_own(oracle: Oracle, tmp_path: Path) -> None:
    target = load_target("cortex-m4")
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    networks = [small_network(), random_network(3, 1, frozenset({"CONV_2D"}))]
    outcomes = compare(networks, tmp_path, oracle, flags=("-O2",), target=target)
    assert [outcome.kind for outcome in outcomes] == ["equal", "equal"]
    assert all(outcome.functions for outcome in outcomes)


def test_c_that_does_not_compile_is_a_failure_of_that_network(oracle: Oracle, tmp_path: Path) -> None:
    networks = [small_network(), random_network(3, 1, frozenset({"CONV_2D"}))]
    outcomes = compare(networks, tmp_path, oracle, flags=("-fwrong",))
    assert [outcome.kind for outcome in outcomes] == ["failed", "failed"]
    assert "-fwrong" in outcomes[0].detail
