"""Sizes from object files: held against the toolchain's own programs, against text of known size, and against runs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.mcu import stack
from edgecnn.mcu.elf import read_elf
from edgecnn.mcu.image import Form, build_image, compile_network
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import run_image
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.sizes import measure
from edgecnn.mcu.targets import load_target, target_names
from edgecnn.mcu.toolchain import BuildError, compiler_of
from firmware_export.compiler import compile_model
from tests.edgecnn.mcu.models import BOARDS, need, small_network, toy_files


def said(program: str, target: str, *arguments: str | Path) -> str:
    """What one of the target's binutils prints."""
    compiler = compiler_of(load_target(target))
    tool = compiler.with_name(compiler.name.removesuffix("gcc") + program)
    return subprocess.run([tool, *arguments], capture_output=True, encoding="utf-8", check=True, timeout=60).stdout


@pytest.mark.parametrize("target", ["host", "cortex-m0", "riscv32"])
def test_an_object_file_reads_as_binutils_read_it(tmp_path: Path, target: str) -> None:
    need(target)
    built = compile_network(toy_files(), "toy", load_target(target), tmp_path, "-Os")
    elf = read_elf(built.read_bytes())
    listed = [line.split() for line in said("nm", target, "-S", built).splitlines()]
    sized = {words[3]: int(words[1], 16) for words in listed if len(words) == 4}
    assert sized
    assert {symbol.name: symbol.bytes for symbol in elf.symbols if symbol.bytes} == sized
    assert {symbol.name for symbol in elf.symbols if symbol.external} == {w[1] for w in listed if w[0] == "U"}
    totals = said("size", target, built).splitlines()[1].split()    # text with constants, data, bss
    loaded = [section for section in elf.sections if section.loaded]
    assert sum(section.bytes for section in loaded if not section.writable) == int(totals[0])
    assert sum(section.bytes for section in loaded if section.writable) == int(totals[1]) + int(totals[2])


@pytest.mark.parametrize("text", [b"", b"\x7fELF", b"MZ" + bytes(100), b"\x7fELF\x01\x02" + bytes(100)])
def test_what_is_no_elf_file_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a little-endian ELF file"):
        read_elf(text)


@pytest.mark.parametrize(
    ("target", "optimization"), [*((board, "-Os") for board in BOARDS), ("cortex-m4", "-O2"), ("riscv32", "-O2")]
)
def test_each_byte_is_counted_once(tmp_path: Path, target: str, optimization: str) -> None:
    need(target)
    files = toy_files("output[0] = (int8_t)(output[0] + toy_table[input[0] & 7] * toy_scale[input[1] & 1]);")
    files["toy_weights.h"] += "static const int32_t toy_table[8] = {9, 1, 2, 3, 4, 5, 6, 7};\n"
    files["toy.h"] += "static const int8_t toy_scale[2] = {3, 5};\n"    # not in the file of the weights
    sizes = measure(files, "toy", target, optimization)
    built = compile_network(files, "toy", load_target(target), tmp_path, optimization)
    assert sizes.weights in (32, 32 + 3)    # the compiler may turn the three weights into code
    assert sizes.tables >= 2
    assert sizes.ram == 0
    assert sizes.flash == int(said("size", target, built).splitlines()[1].split()[0])
    assert (sizes.target, sizes.optimization) == (target, optimization)


def test_variables_are_seen() -> None:
    need("cortex-m4")
    files = toy_files("{ static int32_t calls; output[0] = (int8_t)(output[0] + calls++); }")
    assert measure(files, "toy", "cortex-m4").ram == 4


def test_arithmetic_that_a_core_lacks_is_named() -> None:
    need("cortex-m0", "cortex-m4")
    files = toy_files("output[0] = (int8_t)((int64_t)input[0] * input[1] * ((int64_t *)arena)[0] >> 31);")
    assert "__aeabi_lmul" in measure(files, "toy", "cortex-m0").library
    assert "__aeabi_lmul" not in measure(files, "toy", "cortex-m4").library


@pytest.mark.parametrize(
    ("target", "form"),
    [
        *((board, Form()) for board in BOARDS),
        *((board, form) for board in ("cortex-m0", "riscv32") for form in (Form("-Os"), Form(push=True))),
    ],
    ids=str,
)
def test_no_run_needs_more_stack_than_the_analysis_says(tmp_path: Path, target: str, form: Form) -> None:
    """And not much less: an analysis that says too much would be of no use."""
    need(target)
    compiled = compile_model(small_network(), "small", "small")
    sizes = measure(compiled.files, "small", target, form.optimization)
    image = build_image(compiled.files, interface_of(compiled.plan), load_target(target), tmp_path, form)
    used = run_image(image, random_samples(compiled.graph, 2), 120).stack
    limit = sizes.push_stack if form.push else sizes.stack
    assert limit is not None
    assert limit - stack.LIBRARY_BYTES - 32 <= used <= limit


PUSHES: Mapping[str, int] = {
    "push {r4-r7} @ pop {r4-r7}": 16,
    "push {r4, lr} @ pop {r4, lr}": 8,
    "push {r4, r8-r11} @ pop {r4, r8-r11}": 20,
    "push {r8} @ pop {r8}": 4,
    "str r4, [sp, #-8]! @ add sp, sp, #8": 8,
    "strd r4, r5, [sp, #-24]! @ add sp, sp, #24": 24,
    "vpush {d8-d10} @ vpop {d8-d10}": 24,
    "vpush {s16} @ vpop {s16}": 4,
    "sub sp, sp, #40 @ add sp, sp, #40": 40,
    "sub.w sp, sp, #0x1100 @ add.w sp, sp, #0x1100": 0x1100,
    "sub.w sp, sp, #40 @ add.w sp, sp, #40": 40,
    "subw sp, sp, #3004 @ addw sp, sp, #3004": 3004,
    "push {r4, r5} @ sub sp, sp, #8 @ add sp, sp, #8 @ pop {r4, r5}": 16,
    "add r4, sp, #40 @ ldr r4, [sp, #4] @ str r4, [sp, #-8] @ nop": 0,
}
"""Assembly, with the bytes of stack that it takes; no code reads what the last changes."""


@pytest.mark.parametrize("assembly", PUSHES)
def test_what_assembly_pushes_is_counted(assembly: str) -> None:
    need("cortex-m4")
    body = assembly.replace(" @ ", r"\n")
    bare, pushing = (
        measure(toy_files(f'__asm__ volatile("{text}" : : : "r4", "r5");'), "toy", "cortex-m4").stack
        for text in ("nop", body)
    )
    assert pushing - bare == PUSHES[assembly]


BAD_STACKS: Mapping[str, str] = {
    "toy_again calls itself": "static int toy_again(int n) { volatile int8_t x[9]; x[n & 7] = 1; "
    "return n < 2 ? n : toy_again(n - 1) * toy_again(n - 2); }",
    "toy_again calls through a pointer": "int (*volatile toy_pointer)(int); "
    "static int toy_again(int n) { return toy_pointer(n) + 1; }",
    "the stack of toy_again has no limit": "static int toy_again(int n) "
    "{ volatile int8_t x[n]; x[0] = 1; return x[0]; }",
}


@pytest.mark.parametrize("reason", BAD_STACKS)
def test_a_stack_that_has_no_limit_is_refused(reason: str) -> None:
    need("cortex-m4")
    files = toy_files("output[0] = (int8_t)toy_again(input[0]);")
    files["toy.h"] += BAD_STACKS[reason].replace("static int", "static __attribute__((noipa)) int")
    with pytest.raises(ValueError, match=reason):
        measure(files, "toy", "cortex-m4")


def test_text_that_does_not_compile_is_told_from_a_compiler_that_tells_too_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("host")
    with pytest.raises(BuildError, match="nonsense"):
        measure(toy_files("nonsense;"), "toy", "host")
    plain = tmp_path / "gcc"
    real = compiler_of(load_target("host"))
    plain.write_text(f'#!/bin/sh\nfor a; do case $a in -fcallgraph-info*) echo "error: $a" >&2; exit 1; esac; done\n'
                     f'exec {real} "$@"\n')    # fmt: skip
    plain.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EdgecnnError, match="gcc does not tell how much stack a function takes"):
        measure(toy_files(), "toy", "host")


def test_every_target_can_be_measured() -> None:
    need(*target_names())
    compiled = compile_model(small_network(), "small", "small")
    parameters = 8 * 27 + 8 * 72 + 6 * 72    # int8 weights
    channels = 8 + 8 + 6    # int32 bias and multiplier, int8 shift of each
    for target in target_names():
        sizes = measure(compiled.files, "small", target)
        assert sizes.weights == parameters + channels * 9
        assert 200 < sizes.code < 8000
