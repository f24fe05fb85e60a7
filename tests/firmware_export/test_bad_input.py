"""Bad files: each gives C or one clear sentence, soon and in little memory, and nothing is written.

``benchmarks/mutations.py`` damages tens of thousands of files in the same way.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.firmware_export.c_build import SANITIZED, build_compiled
from tests.firmware_export.limits import TooLong, memory_limit, time_limit
from tests.firmware_export.mutating import Source, damaged, judged, sources
from tests.networks import Network
from tests.support import child_environment
from tests.tflite_builder import pack, small_model

SECONDS = 20
MEMORY = 512 << 20
MUTATIONS = 1500
SHAPE = (1, 6, 6, 2)
BIG = (1 << 31) - 1


def message(data: bytes) -> str:
    """What the compiler says; it must refuse the file."""
    with time_limit(SECONDS), memory_limit(MEMORY):
        found = judged(data)
    assert isinstance(found, str), "it compiles"
    return found


class Chain(Network):
    """RELU and ADD over an input, for a case to change."""

    def __init__(self, shape: tuple[int, ...] = SHAPE) -> None:
        super().__init__()
        self.image = self.input(shape, 0.1, 3)
        positive = self.op("RELU", [self.image], shape, 0.1, 3)
        self.result = self.op("ADD", [self.image, positive], shape, 0.2, 0)
        self.graph.outputs = [self.result]

    @property
    def first(self) -> Any:
        """The tensor of the input."""
        return self.graph.tensors[self.image]


Change = Callable[[Chain], object]


def nothing(network: Chain) -> None:
    """The shape is enough."""
    del network


def chain(change: Change, shape: tuple[int, ...] = SHAPE) -> bytes:
    """The file with something different."""
    network = Chain(shape)
    change(network)
    return network.pack(*network.graph.outputs)


def quantization(field: str, value: Any) -> Change:
    return lambda network: setattr(network.first.quantization, field, [value])


def signature(*sizes: int) -> Change:
    return lambda network: setattr(network.first, "shapeSignature", list(sizes))


def float_network(network: Chain) -> None:
    for item in network.graph.tensors:
        item.type, item.quantization = schema.TensorType.FLOAT32, None


def unsupported(network: Chain) -> None:
    axis = network.constant(np.int32(1))
    network.graph.outputs = [network.op("CUMSUM", [network.result, axis], SHAPE, 0.2)]


def custom(network: Chain) -> None:
    code = network.model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "Mine\x1b[2J"


def huge_result(network: Chain) -> None:
    sizes = network.constant(np.array([BIG, BIG], np.int32))
    network.graph.outputs = [network.op("RESIZE_BILINEAR", [network.result, sizes], (1, BIG, BIG, 2), 0.2)]


def constant_input(network: Chain) -> None:
    network.graph.inputs.append(network.constant(np.ones(3, np.int8), 0.1))


def convolution(shape: tuple[int, ...] = (2, 3, 3, 2), **changes: Any) -> bytes:
    network = Network()
    image = network.input(SHAPE, 0.1)
    weights = network.constant(np.ones((2, 3, 3, 2), np.int8), changes.pop("scales", 0.1))
    network.graph.tensors[weights].shape = list(shape)
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, **changes}
    if options.pop("run_time", False):
        network.graph.tensors[weights].buffer = 0
        network.graph.inputs.append(weights)
    return network.pack(network.op("CONV_2D", [image, weights], (1, 6, 6, 2), 0.1, **options))


NOT_A_NUMBER = "scale is negative or not a number"
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "something else": (lambda: b"\x89PNG\r\n\x1a\n" * 100, "not a TFLite model"),
    "schema version": (lambda: chain(lambda n: setattr(n.model, "version", 2)), "found 2, supported is 3"),
    "float model": (lambda: chain(float_network), "float32"),
    "unknown height": (lambda: chain(signature(1, -1, 6, 2)), "[1, -1, 6, 2]"),
    "unknown batch of two": (lambda: chain(signature(-1, 6, 6, 2), (2, 6, 6, 2)), "[-1, 6, 6, 2]"),
    "unsupported operator": (lambda: chain(unsupported), "node 2 CUMSUM 't4': the operator is not supported"),
    "custom operator": (lambda: chain(custom), "Mine\N{REPLACEMENT CHARACTER}[2J"),
    "scale not a number": (lambda: chain(quantization("scale", float("nan"))), NOT_A_NUMBER),
    "infinite scale": (lambda: chain(quantization("scale", float("inf"))), NOT_A_NUMBER),
    "negative scale": (lambda: chain(quantization("scale", -0.5)), NOT_A_NUMBER),
    "scale of zero": (lambda: chain(quantization("scale", 0.0)), "the scale 0"),
    "zero point": (lambda: chain(quantization("zeroPoint", 128)), "zero point 128"),
    "zero point far away": (lambda: chain(quantization("zeroPoint", -(1 << 63))), "-9223372036854775808"),
    "no outputs": (lambda: chain(lambda n: n.graph.outputs.clear()), "no output"),
    "no inputs": (lambda: chain(lambda n: n.graph.inputs.clear()), "reads t0 int8[1,6,6,2] before"),
    "an input twice": (lambda: chain(lambda n: n.graph.inputs.append(0)), "input 1, t0 int8[1,6,6,2]"),
    "a constant input": (lambda: chain(constant_input), "input 1, t3 int8[3], is constant"),
    "state": (lambda: chain(lambda n: setattr(n.first, "isVariable", True)), "is a variable"),
    "no elements": (lambda: chain(nothing, (1, 0, 6, 2)), "[1, 0, 6, 2]"),
    "a tensor of 2^93 bytes": (lambda: chain(nothing, (BIG, BIG, BIG)), "supported: at most"),
    "a tensor of 2^31 rows": (lambda: chain(nothing, (1, BIG, 1, 1)), "rows"),
    "a row of 2^31 bytes": (lambda: chain(nothing, (1, 1, 1, BIG)), "supported: at most"),
    "a huge result": (lambda: chain(huge_result), "supported: at most"),
    "weights missing": (lambda: convolution(run_time=True), "filter computed at run time"),
    "weights too short": (lambda: convolution((2, 3, 3, 4)), "its buffer has 36 bytes"),
    "a huge kernel": (lambda: convolution((2, BIG, BIG, 2)), "its buffer has 36 bytes"),
    "a huge stride": (lambda: convolution(stride_h=BIG), "an output of [1, 6, 6, 2]"),
    "a huge dilation": (lambda: convolution(padding="VALID", dilation_w_factor=BIG), "window"),
    "a stride of zero": (lambda: convolution(stride_w=0), "stride 0"),
    "scales of another number": (lambda: convolution(scales=[0.1] * 3), "3 scales"),
}


@pytest.mark.parametrize(("make", "wanted"), BAD.values(), ids=BAD)
def test_a_bad_file_gives_one_sentence_that_says_what_was_found(make: Callable[[], bytes], wanted: str) -> None:
    assert wanted in message(make())


# What is unusual and right.


def constant_output(network: Chain) -> None:
    network.graph.outputs.append(network.constant(np.arange(5, dtype=np.int8), 0.1))


def output_twice(network: Chain) -> None:
    network.graph.outputs.append(network.result)


def input_as_output(network: Chain) -> None:
    network.graph.outputs.insert(0, network.image)


def unconnected_input(network: Chain) -> None:
    network.input((1, 3), 0.1)


def open_batch(network: Chain) -> None:
    signature(-1, 6, 6, 2)(network)


@pytest.mark.parametrize("change", [constant_output, output_twice, input_as_output, unconnected_input, open_batch])
def test_unusual_ends_compile_and_run(change: Change, tmp_path: Path) -> None:
    compiled = judged(chain(change))
    assert not isinstance(compiled, str), compiled
    given = np.random.default_rng(1).integers(-128, 128, SHAPE, np.int8)
    inputs = [given, np.zeros((1, 3), np.int8)][: len(compiled.graph.inputs)]
    found = build_compiled(compiled, tmp_path, flags=("-O1", *SANITIZED)).run(*inputs)
    real = (given.astype(float) - 3) * 0.1
    wanted = np.clip(np.rint((real + np.maximum(real, 0)) / 0.2), -128, 127)
    expected = [wanted]
    if change is constant_output:
        expected = [wanted, np.arange(5)]
    elif change is output_twice:
        expected = [wanted, wanted]
    elif change is input_as_output:
        expected = [given, wanted]
    assert len(found) == len(expected)
    for output, values in zip(found, expected, strict=True):
        assert np.abs(output.astype(float) - values).max() <= 1


def layers(count: int) -> bytes:
    network = Network()
    value = network.input(SHAPE, 0.1)
    for number in range(count):
        value = network.op("RELU", [value], SHAPE, 0.1, number % 2)
    return network.pack(value)


def test_very_many_layers_are_refused_and_many_are_planned_in_time() -> None:
    assert "it has 2000 nodes" in message(layers(2000))
    with time_limit(60), memory_limit(MEMORY):
        assert not isinstance(judged(layers(100)), str)


# Damage without a plan.


@pytest.fixture(scope="module")
def originals() -> list[Source]:
    folder = Path(__file__).resolve().parents[3] / "shared" / "models"
    return sources(folder if folder.is_dir() else None)


def test_the_originals_themselves_compile_or_name_an_operator(originals: list[Source]) -> None:
    found = {source.name: judged(source.data) for source in originals}
    refused = {name: said for name, said in found.items() if isinstance(said, str)}
    assert len(refused) < 0.2 * len(found), refused
    assert all(": node " in said for said in refused.values()), refused


def test_truncated_at_any_place() -> None:
    data = pack(small_model())
    for length in range(0, len(data), 3):
        if any(data[length:]):    # else only padding is missing
            assert message(data[:length])


@pytest.mark.slow
def test_damaged_at_random(originals: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that some still compile, so that the compiler's later stages meet damage too, and that these run clean."""
    monkeypatch.chdir(tmp_path)
    compiled, wrong = [], []
    for seed in range(MUTATIONS):
        source = originals[seed % len(originals)]
        try:
            with time_limit(SECONDS), memory_limit(MEMORY):
                found = judged(damaged(source, seed))
        except (Exception, TooLong) as error:
            wrong.append(f"{source.name} {seed}: {error!r}")
            continue
        if not isinstance(found, str):
            compiled.append(found)
    assert not wrong, wrong
    assert 0.02 * MUTATIONS < len(compiled) < 0.6 * MUTATIONS
    assert not list(tmp_path.iterdir())    # nothing was written
    small = [each for each in compiled if each.plan.arena_bytes < 1 << 16 and len(each.files) == 4]
    for number, each in enumerate(random.Random(1).sample(small, 6)):
        program = each.plan.program
        noise = np.random.default_rng(number)
        inputs = [np.frombuffer(noise.bytes(program.values[index].nbytes), np.uint8) for index in program.inputs]
        build_compiled(each, tmp_path / str(number), flags=("-O1", *SANITIZED)).run(*inputs)


# On the command line.


@pytest.mark.parametrize("case", ["empty", "float model", "unsupported operator", "a huge result", "directory", "none"])
def test_the_command_says_it_in_one_line_and_writes_nothing(case: str, tmp_path: Path) -> None:
    file, out = tmp_path / "model.tflite", tmp_path / "out"
    if case == "directory":
        file.mkdir()
    elif case != "none":
        file.write_bytes(BAD[case][0]())
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "firmware_export", str(file), "--out", str(out)],
        cwd=tmp_path,
        env={**child_environment(tmp_path), "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2), done
    assert not done.stdout, done
    assert done.stderr.count("\n") == 1, done
    assert "model.tflite" in done.stderr, done
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"model.tflite"}
