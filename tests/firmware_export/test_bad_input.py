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


def message(data: bytes) -> str:
    """What the compiler says; it must refuse the file."""
    with time_limit(SECONDS), memory_limit(MEMORY):
        found = judged(data)
    assert isinstance(found, str), "it compiles"
    return found


def chain(change: Callable[[Network, int, int], object] | None = None, shape: tuple[int, ...] = SHAPE) -> Network:
    """RELU and ADD over an input, with what a case wants to have different about input and output."""
    network = Network()
    image = network.input(shape, 0.1, 3)
    positive = network.op("RELU", [image], shape, 0.1, 3)
    result = network.op("ADD", [image, positive], shape, 0.2, 0)
    network.graph.outputs = [result]
    if change is not None:
        change(network, image, result)
    return network


def packed(network: Network) -> bytes:
    return network.pack(*network.graph.outputs)


def tensor(network: Network, index: int) -> Any:
    return network.graph.tensors[index]


def quantization(field: str, value: Any) -> Callable[[Network, int, int], object]:
    return lambda network, image, result: setattr(tensor(network, image).quantization, field, [value])


def signature(*sizes: int) -> Callable[[Network, int, int], object]:
    return lambda network, image, result: setattr(tensor(network, image), "shapeSignature", list(sizes))


def float_network(network: Network, image: int, result: int) -> None:
    for item in network.graph.tensors:
        item.type, item.quantization = schema.TensorType.FLOAT32, None


def unsupported(network: Network, image: int, result: int) -> None:
    network.graph.outputs = [network.op("CUMSUM", [result, network.constant(np.int32(1))], SHAPE, 0.2)]


def custom(network: Network, image: int, result: int) -> None:
    code = network.model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "Mine\x1b[2J"


def convolution(shape: tuple[int, ...] = (2, 3, 3, 2), **changes: Any) -> bytes:
    network = Network()
    image = network.input(SHAPE, 0.1)
    weights = network.constant(np.ones((2, 3, 3, 2), np.int8), changes.pop("scales", 0.1))
    tensor(network, weights).shape = list(shape)
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, **changes}
    if options.pop("run_time", False):
        tensor(network, weights).buffer = 0
        network.graph.inputs.append(weights)
    return network.pack(network.op("CONV_2D", [image, weights], (1, 6, 6, 2), 0.1, **options))


def huge_constant(network: Network, image: int, result: int) -> None:
    sizes = network.constant(np.array([(1 << 31) - 1, (1 << 31) - 1], np.int32))
    network.graph.outputs = [network.op("RESIZE_BILINEAR", [result, sizes], (1, (1 << 31) - 1, (1 << 31) - 1, 2), 0.2)]


BIG = (1 << 31) - 1
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "something else": (lambda: b"\x89PNG\r\n\x1a\n" * 100, "not a TFLite model"),
    "schema version": (lambda: packed(chain(lambda n, i, r: setattr(n.model, "version", 2))), "found 2, supported is 3"),
    "float model": (lambda: packed(chain(float_network)), "float32"),
    "unknown height": (lambda: packed(chain(signature(1, -1, 6, 2))), "[1, -1, 6, 2]"),
    "unknown batch of two": (lambda: packed(chain(signature(-1, 6, 6, 2), (2, 6, 6, 2))), "[-1, 6, 6, 2]"),
    "unsupported operator": (lambda: packed(chain(unsupported)), "node 2 CUMSUM 't4': the operator is not supported"),
    "custom operator": (lambda: packed(chain(custom)), "Mine\N{REPLACEMENT CHARACTER}[2J"),
    "scale not a number": (lambda: packed(chain(quantization("scale", float("nan")))), "scale is negative or not a number"),
    "infinite scale": (lambda: packed(chain(quantization("scale", float("inf")))), "scale is negative or not a number"),
    "negative scale": (lambda: packed(chain(quantization("scale", -0.5))), "scale is negative"),
    "scale of zero": (lambda: packed(chain(quantization("scale", 0.0))), "the scale 0"),
    "zero point": (lambda: packed(chain(quantization("zeroPoint", 128))), "zero point 128"),
    "zero point far away": (lambda: packed(chain(quantization("zeroPoint", -(1 << 63)))), "-9223372036854775808"),
    "no outputs": (lambda: packed(chain(lambda n, i, r: n.graph.outputs.clear())), "no output"),
    "no inputs": (lambda: packed(chain(lambda n, i, r: n.graph.inputs.clear())), "reads t0 int8[1,6,6,2] before"),
    "an input twice": (lambda: packed(chain(lambda n, i, r: n.graph.inputs.append(i))), "input 1, t0 int8[1,6,6,2]"),
    "a constant input": (
        lambda: packed(chain(lambda n, i, r: n.graph.inputs.append(n.constant(np.ones(3, np.int8), 0.1)))),
        "input 1, t3 int8[3], is constant",
    ),
    "no elements": (lambda: packed(chain(shape=(1, 0, 6, 2))), "[1,0,6,2]"),
    "a tensor of 2^93 bytes": (lambda: packed(chain(shape=(BIG, BIG, BIG))), "supported: at most"),
    "a tensor of 2^31 rows": (lambda: packed(chain(shape=(1, BIG, 1, 1))), "rows"),
    "a row of 2^31 bytes": (lambda: packed(chain(shape=(1, 1, 1, BIG))), "supported: at most"),
    "a huge output": (lambda: packed(chain(huge_constant)), "supported: at most"),
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


def constant_output(network: Network, image: int, result: int) -> None:
    network.graph.outputs.append(network.constant(np.arange(5, dtype=np.int8), 0.1))


def output_twice(network: Network, image: int, result: int) -> None:
    network.graph.outputs.append(result)


def input_as_output(network: Network, image: int, result: int) -> None:
    network.graph.outputs.insert(0, image)


def unconnected_input(network: Network, image: int, result: int) -> None:
    network.input((1, 3), 0.1)


@pytest.mark.parametrize(
    "change", [constant_output, output_twice, input_as_output, unconnected_input, signature(-1, 6, 6, 2)]
)
def test_unusual_ends_compile_and_run(change: Callable[[Network, int, int], object], tmp_path: Path) -> None:
    compiled = judged(packed(chain(change)))
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


def test_very_many_layers_are_taken_or_refused_soon() -> None:
    network = Network()
    value = network.input(SHAPE, 0.1)
    for number in range(3000):
        value = network.op("RELU", [value], SHAPE, 0.1, number % 2)
    with time_limit(60), memory_limit(MEMORY):
        judged(network.pack(value))


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


@pytest.mark.parametrize("case", ["empty", "float model", "unsupported operator", "a tensor of 2^93 bytes", "directory", "none"])
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
