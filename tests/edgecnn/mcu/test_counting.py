"""``benchmarks/mcu.py``: its counts against instructions that were written down."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgecnn.mcu.targets import load_target
from firmware_export.compiler import Compiled, compile_model
from tests.edgecnn.mcu.models import altered, need, small_network

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def mcu() -> ModuleType:
    """The module, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("benchmarks_mcu", ROOT / "benchmarks" / "mcu.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module    # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    return module


def with_loop(turns: int) -> Compiled:
    """A network that does one thing more: a loop of 4 instructions, ``turns`` times."""
    body = r"nop\\n nop\\n addi %0, %0, -1\\n bnez %0, 1b"
    compiled = compile_model(small_network(), "small", "net")
    loop = f'{{ int32_t n = {turns}; __asm__ volatile("1: {body}" : "+r"(n)); }}'
    return altered(compiled, "net.c", r"(int net_run\([^)]*\)\n\{\n)", rf"\1    {loop}\n")


def test_a_loop_counts_as_many_instructions_as_it_has(mcu: ModuleType, tmp_path: Path) -> None:
    need("riscv32")
    counted: dict[int, Any] = {}
    for turns in (1000, 2000):
        folder = tmp_path / str(turns)
        folder.mkdir()
        counted[turns] = mcu.count_instructions(with_loop(turns), load_target("riscv32"), "-O2", 2, folder)
        assert counted[turns].runs == 2
    assert counted[2000].each - counted[1000].each == 1000 * 4
    assert counted[2000].functions["net_run"] - counted[1000].functions["net_run"] == 2 * 1000 * 4


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_counts_are_the_same_every_time(mcu: ModuleType, tmp_path: Path, target: str) -> None:
    need(target)
    compiled = compile_model(small_network(), "small", "net")
    found = []
    for turn in range(2):
        folder = tmp_path / str(turn)
        folder.mkdir()
        found.append(mcu.count_instructions(compiled, load_target(target), "-O2", 1, folder))
    assert found[0] == found[1]
    assert {"harness_network", "harness_ended", "main"}.isdisjoint(found[0].functions)
    macs = sum(layer.macs for layer in compiled.plan.program.layers)
    assert found[0].each > macs


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
    assert "small.tflite" in table.stdout
    refused = run("--on", "host")
    assert refused.returncode == 2
    assert "emulated boards only" in refused.stderr
