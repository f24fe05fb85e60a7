"""The kernels of every instruction set compile without a warning, by the target's own compiler and by clang."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from edgecnn.mcu.image import BARE_FLAGS
from edgecnn.mcu.targets import Target, load_target
from edgecnn.mcu.toolchain import MissingToolError, compiler_of
from firmware_export.compiler import Compiled, compile_model
from firmware_export.errors import ModelError
from tests.firmware_export.c_build import STRICT, write_files
from tests.firmware_export.random_networks import random_network

TRIPLES = {
    "cortex-m0": "arm-none-eabi",
    "cortex-m3": "arm-none-eabi",
    "cortex-m4": "arm-none-eabi",
    "cortex-m55": "arm-none-eabi",
    "riscv32": "riscv32-unknown-elf",
    "cortex-a7": "arm-linux-gnueabihf",
    "cortex-a53": "aarch64-linux-gnu",
    "cortex-a76": "aarch64-linux-gnu",
    "native": None,
}
"""Targets that together have every set, with what clang calls their processors."""

SEEDS = range(1, 26)
TIME_LIMIT_S = 120


@cache
def networks(instruction_set: str) -> list[Compiled]:
    """Some that have all kernels among them which any of the seeds leads to."""
    found, seen = [], set[str]()
    for seed in SEEDS:
        try:
            compiled = compile_model(
                random_network(seed).data,
                "net",
                f"n{seed}",
                instruction_set=instruction_set,
                optimize="speed" if seed % 2 else "size",
            )
        except ModelError:
            continue
        functions = {layer.function for layer in compiled.plan.program.layers}
        if functions - seen:
            seen |= functions
            found.append(compiled)
    return found


def compiler_command(target: Target, compiler: str) -> list[str]:
    """With the target's flags; of headers only those that need no C library."""
    triple = TRIPLES[target.name]
    bare = BARE_FLAGS if triple is not None else ()
    if compiler == "own":
        try:
            return [str(compiler_of(target)), *target.flags, *bare]
        except MissingToolError as missing:
            pytest.skip(str(missing))
    if shutil.which("clang") is None:
        pytest.skip("there is no clang")
    return ["clang", *([f"--target={triple}"] if triple else []), *target.flags, *bare]


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["own", "clang"])
@pytest.mark.parametrize("name", TRIPLES)
def test_no_warning(tmp_path: Path, name: str, compiler: str) -> None:
    target = load_target(name)
    command = compiler_command(target, compiler)
    found = networks(target.instruction_set)
    for compiled in found:
        write_files(compiled.files, tmp_path)
    text = "".join(f'#include "{compiled.plan.program.name}.c"\n' for compiled in found)
    (tmp_path / "all.c").write_text(text, encoding="utf-8")
    for flag in ("-O2", "-Os", *(["-O0"] if target.instruction_set == "portable" else [])):
        done = subprocess.run(
            [*command, flag, *STRICT, "-c", "all.c", "-o", "all.o"],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=TIME_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{flag}\n{done.stderr[:3000]}"
