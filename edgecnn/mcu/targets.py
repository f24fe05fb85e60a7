"""What C is compiled for: the folders of ``firmware_export/targets`` that have a ``target.toml``."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

import firmware_export
from edgecnn.errors import UsageError, unknown_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(firmware_export.__file__).parent / "targets"
FILE = "target.toml"

HOST = "host"
"""The machine that this program runs on, by C that any runs."""

NATIVE = "native"
"""The machine that this program runs on, with its vector instructions."""

BOARD_SOURCES = FOLDER / "board"
"""Start-up code, linker script and files of emulated boards."""

HARNESS_SOURCES = FOLDER / "harness"
"""The program around a network that is checked."""


class Board(BaseModel):
    """A board as QEMU emulates it. Addresses and sizes are in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    emulator: str = Field(description="QEMU's program.")
    arguments: tuple[str, ...] = Field(description="The machine and its settings.")
    start: str = Field(description="The start-up file in the folder board.")
    vectors: int | None = Field(default=None, ge=0, description="Where the vector table lies, if the core has one.")
    flash: int = Field(ge=0)
    flash_bytes: int = Field(gt=0)
    ram: int = Field(ge=0)
    ram_bytes: int = Field(gt=0)


class Process(BaseModel):
    """A Linux program for another processor, as QEMU runs it on this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    emulator: str = Field(description="QEMU's program.")
    arguments: tuple[str, ...] = Field(description="The processor and its settings.")


class Machine(BaseModel):
    """What a target that is compiled for this machine is on one kind of machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flags: tuple[str, ...]
    instruction_set: str


class Target(BaseModel):
    """A kind of processor and how to compile for it. With neither ``board`` nor ``process`` it is this machine's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    compilers: tuple[str, ...] = Field(min_length=1, description="Programs, any of which will do; the best first.")
    flags: tuple[str, ...] = Field(description="What the compiler is told of the processor.")
    instruction_set: str = Field(default="portable", description="Of the kernels: a key of instruction_sets.LOWERINGS.")
    board: Board | None = Field(default=None, description="For a processor that has no operating system.")
    process: Process | None = Field(default=None, description="For one that has Linux, as a Raspberry Pi's.")
    machines: Mapping[str, Machine] = Field(default={}, description="By platform.machine(), where this one counts.")

    @property
    def emulator(self) -> str | None:
        """QEMU's program; None where none is needed."""
        emulated = self.board or self.process
        return None if emulated is None else emulated.emulator


def target_names() -> tuple[str, ...]:
    """All targets, this machine first."""
    found = (path.parent.name for path in FOLDER.glob(f"*/{FILE}"))
    return tuple(sorted(found, key=lambda name: (name != HOST, name != NATIVE, _numbers_apart(name))))


def _numbers_apart(name: str) -> list[tuple[str, int]]:
    """A key that sorts ``cortex-m7`` before ``cortex-m33``."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", name)]


def load_target(name: str) -> Target:
    """Read a target.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in target_names():
        raise unknown_name("target", name, target_names())
    document = tomllib.loads((FOLDER / name / FILE).read_text(encoding="utf-8"))
    target = Target.model_validate({"name": name, **document})
    here = target.machines.get(platform.machine())
    return target if here is None else target.model_copy(update=dict(here))


def load_targets(names: Iterable[str]) -> tuple[Target, ...]:
    """Several targets, each once, in the order given.

    Raises:
        UsageError: There is no name, or one that is no target's.
    """
    asked = tuple(dict.fromkeys(names))
    if not asked:
        raise UsageError(f"no target named. Known: {', '.join(target_names())}.")
    return tuple(load_target(name) for name in asked)
