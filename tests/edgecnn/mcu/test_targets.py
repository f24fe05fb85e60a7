"""Targets as data: every folder can be read, and what it says is possible."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from edgecnn.errors import UsageError
from edgecnn.mcu.image import link_script
from edgecnn.mcu.targets import BOARD_SOURCES, load_target, load_targets, target_names
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from edgecnn.requirements import TOOLS


def test_names_stand_in_the_order_of_the_cores() -> None:
    assert target_names() == (
        "host", "native", "cortex-a7", "cortex-a53", "cortex-a72", "cortex-a76", "cortex-m0", "cortex-m3", "cortex-m4",
        "cortex-m7", "cortex-m33", "cortex-m55", "riscv32",
    )    # fmt: skip


@pytest.mark.parametrize("name", target_names())
def test_a_target_says_what_is_needed(name: str) -> None:
    target = load_target(name)
    known = {tool.name for tool in TOOLS}
    assert target.description
    assert target.compilers[0] in known, "the message about a missing compiler would name no package"
    if target.emulator is None:
        assert name in ("host", "native")
        return
    assert target.emulator in known
    if target.board is None:
        return
    assert (BOARD_SOURCES / target.board.start).is_file()
    regions = [
        range(target.board.flash, target.board.flash + target.board.flash_bytes),
        range(target.board.ram, target.board.ram + target.board.ram_bytes),
    ]
    if target.board.vectors is not None:
        regions.append(range(target.board.vectors, target.board.vectors + 1024))
    for one, other in combinations(regions, 2):
        assert one.stop <= other.start or other.stop <= one.start
    assert "@" not in link_script(target.board)


def test_an_unknown_target_is_refused_with_the_closest_one() -> None:
    with pytest.raises(UsageError, match=r"unknown target 'cortex-m5'. Did you mean 'cortex-m55'\?"):
        load_target("cortex-m5")
    with pytest.raises(UsageError, match="no target named"):
        load_targets([])


def test_targets_are_taken_once_each_in_the_order_given() -> None:
    assert [target.name for target in load_targets(["riscv32", "host", "riscv32"])] == ["riscv32", "host"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cortex-m4", "compiling for cortex-m4 needs arm-none-eabi-gcc, which is not installed. "
                      "Get it with: sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"),
        ("riscv32", "sudo apt-get install gcc-riscv64-unknown-elf"),
        ("cortex-a72", "sudo apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
        ("cortex-a7", "sudo apt-get install gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"),
        ("host", "sudo apt-get install gcc"),
    ],
)    # fmt: skip
def test_a_missing_compiler_is_named_with_what_installs_it(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as error:
        require_tools(load_target(name))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "package"),
    [("cortex-m4", "qemu-system-arm"), ("riscv32", "qemu-system-misc"), ("cortex-a76", "qemu-user")],
)
def test_a_missing_emulator_is_named_with_what_installs_it(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = load_target(name)
    compiler = tmp_path / target.compilers[0]
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=f"sudo apt-get install {package}"):
        require_tools(target)
