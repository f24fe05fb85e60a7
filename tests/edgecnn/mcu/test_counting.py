"""Instruction counts against instructions that were written down, whole and by layer; and ``benchmarks/mcu.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.mcu.counting import Counts, count_instructions
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.targets import load_target
from firmware_export.compiler import Compiled, compile_model
from tests.edgecnn.mcu.models import altered, need, small_network

ROOT = Path(__file__).resolve().parents[3]


def with_loop(turns: int) -> Compiled:
    """A network that does one thing more: a loop of 4 instructions, ``turns`` times."""
    body = r"nop\\n nop\\n addi %0, %0, -1\\n bnez %0, 1b"
    compiled = compile_model(small_network(), "small", "net")
    loop = f'{{ int32_t n = {turns}; __asm__ volatile("1: {body}" : "+r"(n)); }}'
    return altered(compiled, "net.c", r"(int net_run\([^)]*\)\n\{\n)", rf"\1    {loop}\n")


def count(compiled: Compiled, target: str, folder: Path, runs: int = 1, layers: bool = False) -> Counts:
    folder.mkdir()
    inputs = random_samples(compiled.graph, runs)
    return count_instructions(compiled, load_target(target), "-O2", inputs, folder, layers)


def test_a_loop_counts_as_many_instructions_as_it_has(tmp_path: Path) -> None:
    need("riscv32")
    counted = {}
    for turns in (1000, 2000):
        counted[turns] = count(with_loop(turns), "riscv32", tmp_path / str(turns), runs=2)
        assert counted[turns].runs == 2
    assert counted[2000].each - counted[1000].each == 1000 * 4
    assert counted[2000].functions["net_run"] - counted[1000].functions["net_run"] == 2 * 1000 * 4


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_counts_are_the_same_every_time(tmp_path: Path, target: str) -> None:
    need(target)
    compiled = compile_model(small_network(), "small", "net")
    found = [count(compiled, target, tmp_path / str(turn)) for turn in range(2)]
    assert found[0] == found[1]
    assert {"harness_network", "harness_ended", "main"}.isdisjoint(found[0].functions)
    macs = sum(layer.macs for layer in compiled.plan.program.layers)
    assert found[0].each > macs


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m33", "cortex-m55", "riscv32"])
def test_layers_and_the_rest_are_the_whole(tmp_path: Path, target: str) -> None:
    need(target)
    compiled = compile_model(small_network(), "small", "net")
    whole, parts = count(compiled, target, tmp_path / "whole"), count(compiled, target, tmp_path / "parts", layers=True)
    assert sum(parts.layers) + parts.rest == sum(parts.functions.values())
    # The labels are no instructions; the compiler may still order a few others otherwise.
    assert parts.each == pytest.approx(whole.each, rel=0.01)
    layers = compiled.plan.program.layers
    assert len(parts.layers) == len(layers)
    assert all(counted > layer.macs for counted, layer in zip(parts.layers, layers, strict=True))
    assert 0 < parts.rest < 0.1 * whole.each


def test_a_loop_in_one_layer_is_counted_there(tmp_path: Path) -> None:
    """It stands after the label of the last layer and before its kernel call, once in each row."""
    need("riscv32")
    compiled = compile_model(small_network(), "small", "net")
    body = r"nop\\n addi %0, %0, -1\\n bnez %0, 1b"
    loop = f'{{ int32_t n = 100; __asm__ volatile("1: {body}" : "+r"(n)); }}'
    last = len(compiled.plan.program.layers) - 1
    slower = altered(compiled, "net.c", rf"(    NET_ON_LAYER\({last}\);\n)", rf"\1    {loop}\n")
    before, after = (
        count(one, "riscv32", tmp_path / name, layers=True) for name, one in (("before", compiled), ("after", slower))
    )
    more = [a - b for a, b in zip(after.layers, before.layers, strict=True)]
    rows = compiled.plan.program.layers[last].steps
    assert more[:last] == [0] * last
    assert 0 <= more[last] - rows * 100 * 3 <= 4 * rows    # and the loop's own counter is set


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    need("cortex-m3")
    model = tmp_path / "small.tflite"
    model.write_bytes(small_network())
    command = [sys.executable, str(ROOT / "benchmarks" / "mcu.py"), str(model), "--on", "cortex-m3"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)

    table = run()
    assert table.returncode == 0, table.stderr
    done = run("--json", "--opt", "s")
    (entry,) = json.loads(done.stdout)
    assert (entry["target"], entry["optimization"]) == ("cortex-m3", "-Os")
    assert entry["per_mac"] == pytest.approx(entry["instructions"] / entry["macs"])
    assert "small " in table.stdout
    refused = run("--on", "host")
    assert refused.returncode == 2
    assert "where QEMU runs the program" in refused.stderr
