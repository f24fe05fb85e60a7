"""A model on an emulated board: the same outputs as TFLite Micro, and counts that add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.bench.boards import bench_board
from edgecnn.errors import EdgecnnError
from edgecnn.mcu.sizes import measure
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError
from firmware_export.compiler import compile_model
from tests.edgecnn.mcu.models import need, small_network
from tests.networks import tflite_micro


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("boards") / "small.tflite"
    path.write_bytes(small_network())
    return path


@pytest.mark.parametrize("target", ["cortex-m4", "riscv32"])
def test_what_a_board_tells_of_a_network(small: Path, target: str) -> None:
    need(target)
    pytest.importorskip("tflite_micro")
    inputs = np.random.default_rng(2).integers(-128, 128, (5, 10, 10, 3), np.int8)
    done: list[int] = []
    run = bench_board(small, load_target(target), inputs, runs=2, advance=done.append)

    expected = [tflite_micro(small.read_bytes(), sample[np.newaxis])[0] for sample in inputs]
    assert run.outputs is not None
    np.testing.assert_array_equal(run.outputs, np.array(expected))
    assert sum(done) == 5

    instruction_set = load_target(target).instruction_set
    compiled = compile_model(small.read_bytes(), "small", "net", instruction_set=instruction_set)
    assert (run.target, run.precision, run.runs) == (target, "int8", 2)
    assert run.arena == compiled.plan.arena_bytes
    sizes = measure(compiled.files, "net", target, "-O2")
    assert (run.stack, run.code, run.weights) == (sizes.stack, sizes.code, sizes.weights)
    assert [layer.macs for layer in run.layers] == [layer.macs for layer in compiled.plan.program.layers]
    assert [layer.op for layer in run.layers] == [layer.op for layer in compiled.plan.program.layers]
    assert len({layer.name for layer in run.layers}) == len(run.layers)
    assert all(layer.instructions > layer.macs / 2 for layer in run.layers)    # two products an instruction, at best
    assert sum(layer.instructions for layer in run.layers) + run.rest == pytest.approx(run.instructions)
    assert abs(run.rest) < 0.1 * run.instructions
    assert run.instructions_per_mac == pytest.approx(run.instructions / run.macs)
    assert "gcc" in run.compiler and run.compiler[-1].isdigit()
    assert run.emulator.startswith("qemu-system-") and run.emulator[-1].isdigit()


def test_without_samples_random_ones_are_counted(small: Path) -> None:
    need("cortex-m3")
    run = bench_board(small, load_target("cortex-m3"), None, optimization="-Os")
    assert run.outputs is None
    assert run.optimization == "-Os"
    assert run.instructions > run.macs


@pytest.mark.parametrize(("shape", "dtype"), [((2, 10, 10, 3), "float32"), ((2, 9, 10, 3), "int8"), ((0, 300), "int8")])
def test_samples_that_do_not_fit_are_one_sentence(small: Path, shape: tuple[int, ...], dtype: str) -> None:
    need("cortex-m3")
    inputs = np.zeros(shape, dtype)
    with pytest.raises(EdgecnnError, match=r"small\.tflite: the samples are .*; the network takes int8 \["):
        bench_board(small, load_target("cortex-m3"), inputs)


def test_a_file_that_the_compiler_does_not_take(tmp_path: Path) -> None:
    need("cortex-m3")
    path = tmp_path / "broken.tflite"
    path.write_bytes(small_network()[:500])
    with pytest.raises(EdgecnnError, match=r"broken\.tflite"):
        bench_board(path, load_target("cortex-m3"), None)


def test_without_its_compiler_the_message_has_the_command(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match="apt-get install gcc-arm-none-eabi"):
        bench_board(small, load_target("cortex-m4"), None)
