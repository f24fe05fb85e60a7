"""The kernels for x86-64 against the operators' NumPy references: by each of the vectors that they know, as far as this
machine has them, and in plain C."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from firmware_export.layer import Layer
from firmware_export.tflite import read_model
from tests.firmware_export.c_build import SANITIZED, STRICT, build_compiled, sanitizes, write_files
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.instruction_sets.vector_networks import (
    additions,
    convolutions,
    dense_layers,
    depthwise_convolutions,
    means,
    pools,
    weighted,
    windows_in_padding,
)
from tests.firmware_export.ops.common import integer_sample
from tests.firmware_export.ops.weighted import Case, Window, network

SET = "x86"
SAMPLES = 3

pytestmark = [
    pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="this machine is no x86-64"),
    pytest.mark.skipif(not sanitizes("gcc"), reason="gcc is not installed, or its sanitizers are not"),
]

NEEDED = {
    "avx512": "avx512_vnni",
    "avx2-vnni": "avx512_vnni",
    "avx2": "avx2",
    "plain": "",
}
"""What /proc/cpuinfo has to name for each."""

FLAGS = {
    "avx512": ("-march=native",),
    "avx2-vnni": ("-march=native", "-DEC_VECTOR_BYTES=32"),
    "avx2": ("-mavx2",),
    "plain": (),
}

AVX_VNNI = ("-mavx2", "-mavxvnni")

every_vector = pytest.mark.parametrize("vectors", FLAGS)


def compiled_layers(data: bytes) -> tuple[Layer, ...]:
    """As they are lowered for the set."""
    return compile_model(data, "net", "net", instruction_set=SET, optimize="speed").plan.program.layers


def assert_exact(data: bytes, folder: Path, random: np.random.Generator, vectors: str) -> None:
    """All outputs of a network, for a few samples, some of them of extremes."""
    information = Path("/proc/cpuinfo")
    if NEEDED[vectors] and (not information.is_file() or NEEDED[vectors] not in information.read_text().split()):
        pytest.skip(f"this machine has no {NEEDED[vectors]}")
    graph = read_model(data)
    samples = [
        [integer_sample(random, graph.tensors[index].shape, np.int8) for index in graph.inputs] for _ in range(SAMPLES)
    ]
    compiled = compile_model(data, "net", "net", instruction_set=SET, optimize="speed")
    flags = ("-O1", *STRICT, *SANITIZED, "-fno-var-tracking", *FLAGS[vectors])
    outputs = build_compiled(compiled, folder, flags=flags).run_many(samples)
    wrong = []
    for number, sample in enumerate(samples):
        for index, results, wanted in zip(graph.outputs, outputs, evaluate(graph, *sample), strict=True):
            differs = int((results[number].reshape(wanted.shape) != wanted).sum())
            if differs:
                wrong.append(f"output {index} of {wanted.shape}, sample {number}: {differs}")
    assert not wrong, "\n".join(wrong)


def kernels(data: bytes) -> list[str]:
    """Of the layers."""
    return [layer.kernel for layer in compiled_layers(data)]


@every_vector
def test_conv_2d(tmp_path: Path, vectors: str) -> None:
    random = np.random.default_rng(1)
    data = convolutions(random, 30)
    assert kernels(data).count("conv_2d_words") > 12
    assert_exact(data, tmp_path, random, vectors)


def test_what_stays_portable() -> None:
    """Groups, dilated rows, and a factor of a half or more."""
    random = np.random.default_rng(3)
    window = Window((6, 7), (3, 3), (1, 1), (1, 1), True)
    grouped = weighted(random, "CONV_2D", window, 8, (8, 3, 3, 4))
    dilated = weighted(random, "CONV_2D", Window((6, 7), (3, 3), (1, 1), (1, 2), True), 8, (8, 3, 3, 8))
    weights = np.full((8, 3, 3, 8), 2, np.int8)
    options = {**window.options, **window.dilations, "fused_activation_function": "NONE"}
    large = Case(
        "CONV_2D", (1, 6, 7, 8), (1, 6, 7, 8), weights, 1.5, options=options, quant=((0.5, 0), (1.0, 0))
    )    # fmt: skip
    assert kernels(network([grouped, dilated, large])) == ["conv_2d"] * 3


@every_vector
def test_depthwise_conv_2d(tmp_path: Path, vectors: str) -> None:
    random = np.random.default_rng(2)
    data = depthwise_convolutions(random, 30)
    assert kernels(data).count("depthwise_words") > 15
    assert_exact(data, tmp_path, random, vectors)


@every_vector
def test_windows_in_padding(tmp_path: Path, vectors: str) -> None:
    random = np.random.default_rng(5)
    data = windows_in_padding(random)
    assert set(kernels(data)) == {"conv_2d_words", "depthwise_words"}
    assert_exact(data, tmp_path, random, vectors)


@every_vector
def test_fully_connected(tmp_path: Path, vectors: str) -> None:
    random = np.random.default_rng(4)
    data = dense_layers(random)
    assert kernels(data).count("conv_2d_words") > 20
    assert_exact(data, tmp_path, random, vectors)


@every_vector
def test_additions(tmp_path: Path, vectors: str) -> None:
    random = np.random.default_rng(2)
    data = additions(random, 30)
    assert kernels(data).count("add_vectors") > 22
    assert_exact(data, tmp_path, random, vectors)


@every_vector
def test_pools(tmp_path: Path, vectors: str) -> None:
    random = np.random.default_rng(6)
    data = pools(random, 25)
    assert set(kernels(data)) == {"average_pool_2d_vectors", "max_pool_2d_vectors"}
    assert_exact(data, tmp_path, random, vectors)


@every_vector
def test_mean(tmp_path: Path, vectors: str) -> None:
    random = np.random.default_rng(7)
    data = means(random)
    assert kernels(data).count("mean_vectors") > 4
    assert_exact(data, tmp_path, random, vectors)


@pytest.mark.parametrize(
    ("compiler", "flags"), [("gcc", AVX_VNNI), *(("clang", flags) for flags in (*FLAGS.values(), AVX_VNNI))]
)
def test_compilers_take_it_without_a_warning(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    """Also what this machine cannot run."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for make in (convolutions, depthwise_convolutions, pools):
        write_files(compile_model(make(np.random.default_rng(8), 5), "net", "net", instruction_set=SET).files, tmp_path)
        command = [compiler, "-O2", *STRICT, *flags, "-c", "net.c", "-o", "net.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[:3000]
