"""What a machine is, and whether edgecnn can run there: decided before anything is copied."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from edgecnn.errors import EdgecnnError
from edgecnn.formats import size

if TYPE_CHECKING:
    from edgecnn.remote.connection import Connection

ROOT = "~/.local/share/edgecnn"
"""Where everything is on the other machine."""
PROGRAM = Path(__file__).with_name("on_device_facts.py")
OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 13)
NEWEST_PYTHON_ARMV7 = (3, 11)    # tflite-runtime has no wheel for a newer one
OLDEST_GLIBC = {"aarch64": (2, 27), "x86_64": (2, 27), "armv7l": (2, 34)}
"""What the wheels of the TFLite runtime were built for."""
WANTED_DISK = 250_000_000
"""Bytes: the wheels of arm64 take 34 MB packed and about 120 MB unpacked, with room for a second set."""
_WANTED_INODES = 5_000
_WANTED_MEMORY = 150_000_000
_CLOCK_TOLERANCE_S = 300.0

Verdict = Literal["ok", "warning", "refused"]


class Facts(BaseModel):
    """A machine, as ``on_device_facts`` saw it.

    Attributes:
        kernel_architecture: ``uname -m``; that of the programs may be another (``architecture``).
        multiarch: What Python was built for, such as ``arm-linux-gnueabihf``.
        bits: Of a pointer in Python.
        glibc: Empty where the C library is another one.
        model: Of the board, where its device tree says it.
        inodes_free: None where the file system does not count them.
        numpy: Version of the system's own, empty where it has none.
        systemd: Whether it is the first process.
        sudo: Whether the account may do what root may, without a password.
        time: Seconds since 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernel_architecture: str
    multiarch: str
    bits: int
    python: str
    implementation: str
    executable: str
    glibc: str
    system: str
    kernel: str
    model: str
    cpu: str
    cores: int
    memory_bytes: int | None
    available_bytes: int | None
    disk_free_bytes: int
    inodes_free: int | None
    writable: bool
    numpy: str
    systemd: bool
    sudo: bool
    user: str
    time: float

    @property
    def architecture(self) -> str:
        """What programs there are built for, in the words of wheels: a 64-bit kernel may have a 32-bit userland."""
        if self.multiarch.startswith("arm-linux-gnueabihf"):
            return "armv6l" if self.kernel_architecture == "armv6l" else "armv7l"
        known = {"aarch64-linux-gnu": "aarch64", "x86_64-linux-gnu": "x86_64"}
        if self.multiarch in known:
            return known[self.multiarch]
        if self.bits == 32:
            return {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(
                self.kernel_architecture, self.kernel_architecture
            )
        return {"arm64": "aarch64"}.get(self.kernel_architecture, self.kernel_architecture)

    @property
    def python_minor(self) -> tuple[int, int]:
        """``(3, 11)``."""
        major, minor = self.python.split(".")[:2]
        return int(major), int(minor)


class Fact(BaseModel):
    """One line of ``edgecnn doctor --on ssh://…``.

    Attributes:
        name: What was looked at.
        found: What it is.
        verdict: ``ok``, ``warning`` (works, but …) or ``refused`` (nothing can be deployed).
        advice: What to do; empty for ``ok``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    found: str
    verdict: Verdict = "ok"
    advice: str = ""


def gather(connection: Connection) -> Facts:
    """Ask a machine what it is; nothing is written there."""
    return Facts.model_validate(connection.call(PROGRAM, {"root": ROOT}))


def judge(facts: Facts, now: float | None = None) -> list[Fact]:
    """The facts with a verdict each.

    Args:
        facts: Of the machine.
        now: Seconds since 1970 here; None for the clock's.
    """
    return [
        Fact(name="system", found=", ".join(part for part in (facts.system, f"Linux {facts.kernel}") if part)),
        Fact(name="board", found=facts.model or "not said by the system"),
        Fact(name="processor", found=f"{facts.cpu or facts.kernel_architecture}, {facts.cores} cores"),
        _architecture(facts),
        _python(facts),
        _glibc(facts),
        _numpy(facts),
        _memory(facts),
        _disk(facts),
        _service(facts),
        _clock(facts, time.time() if now is None else now),
    ]


def require(facts: Facts, where: str) -> None:
    """Refuse a machine on which edgecnn cannot run.

    Raises:
        EdgecnnError: With everything that is wrong, a sentence each.
    """
    wrong = [fact for fact in judge(facts) if fact.verdict == "refused"]
    if wrong:
        text = " ".join(f"{fact.name}: {fact.found}. {fact.advice}" for fact in wrong)
        raise EdgecnnError(f"{where}: {text} Nothing was copied.")


def _architecture(facts: Facts) -> Fact:
    own, kernel = facts.architecture, facts.kernel_architecture
    found = own if own == kernel else f"{own} programs on a {kernel} kernel"
    if own in OLDEST_GLIBC:
        return Fact(name="architecture", found=found)
    advice = f"Supported: {', '.join(OLDEST_GLIBC)}."
    if own == "armv6l":
        advice += " For this board export C: edgecnn export RUN --to c."
    return Fact(name="architecture", found=found, verdict="refused", advice=advice)


def _python(facts: Facts) -> Fact:
    found = f"{facts.implementation} {facts.python}"
    armv7 = facts.architecture == "armv7l"
    newest = NEWEST_PYTHON_ARMV7 if armv7 else NEWEST_PYTHON
    if facts.implementation == "CPython" and OLDEST_PYTHON <= facts.python_minor <= newest:
        return Fact(name="Python", found=found)
    advice = f"Supported: CPython {'.'.join(map(str, OLDEST_PYTHON))} to {'.'.join(map(str, newest))}"
    if facts.python_minor > newest and armv7:
        advice += " on 32-bit Arm, where tflite-runtime ends. Use a 64-bit system, or Debian 12."
    elif facts.python_minor < OLDEST_PYTHON:
        advice += ". Debian 12 and Raspberry Pi OS of 2023 have 3.11: upgrade the system."
    else:
        advice += "."
    return Fact(name="Python", found=found, verdict="refused", advice=advice)


def _glibc(facts: Facts) -> Fact:
    oldest = OLDEST_GLIBC.get(facts.architecture, (2, 17))
    wanted = ".".join(map(str, oldest))
    match = re.match(r"(\d+)\.(\d+)", facts.glibc)
    if match is None:
        return Fact(
            name="glibc", found="another C library", verdict="refused",
            advice=f"The wheels need glibc {wanted} or newer: use a Debian, Ubuntu or Raspberry Pi OS.",
        )    # fmt: skip
    if (int(match[1]), int(match[2])) < oldest:
        advice = f"The TFLite runtime needs {wanted} or newer: upgrade the system."
        return Fact(name="glibc", found=facts.glibc, verdict="refused", advice=advice)
    return Fact(name="glibc", found=facts.glibc)


def _numpy(facts: Facts) -> Fact:
    if facts.architecture != "armv7l":
        return Fact(name="NumPy", found="comes along" + (f" (the system's {facts.numpy} stays)" if facts.numpy else ""))
    if not facts.numpy:
        return Fact(
            name="NumPy", found="not found", verdict="refused",
            advice="There is no wheel of NumPy for 32-bit Arm, the system's is used: sudo apt install python3-numpy",
        )    # fmt: skip
    if int(facts.numpy.split(".")[0]) >= 2:
        return Fact(
            name="NumPy", found=facts.numpy, verdict="refused",
            advice="tflite-runtime was built against NumPy 1: use the system's python3-numpy of Debian 12.",
        )    # fmt: skip
    return Fact(name="NumPy", found=f"{facts.numpy}, the system's")


def _memory(facts: Facts) -> Fact:
    if facts.memory_bytes is None:
        return Fact(name="memory", found="not said by the system")
    free = facts.available_bytes if facts.available_bytes is not None else facts.memory_bytes
    found = f"{size(free)} of {size(facts.memory_bytes)} free"
    if free < _WANTED_MEMORY:
        advice = f"Python, NumPy and a runtime take about {size(_WANTED_MEMORY)}: expect swapping."
        return Fact(name="memory", found=found, verdict="warning", advice=advice)
    return Fact(name="memory", found=found)


def _disk(facts: Facts) -> Fact:
    found = f"{size(facts.disk_free_bytes)} free"
    if not facts.writable:
        return Fact(name="disk", found=f"{ROOT} cannot be written to", verdict="refused",
                    advice="Make the home folder writable for this account.")    # fmt: skip
    if facts.inodes_free is not None and facts.inodes_free < _WANTED_INODES:
        return Fact(name="disk", found=f"{found}, but only {facts.inodes_free} more files", verdict="refused",
                    advice="The file system has no inodes left: remove small files.")    # fmt: skip
    if facts.disk_free_bytes < WANTED_DISK:
        return Fact(name="disk", found=found, verdict="warning",
                    advice=f"A first deployment takes up to {size(WANTED_DISK)}; later ones little.")    # fmt: skip
    return Fact(name="disk", found=found)


def _service(facts: Facts) -> Fact:
    if not facts.systemd:
        return Fact(name="service", found="no systemd", verdict="warning", advice="deploy without --service works.")
    if not facts.sudo:
        return Fact(name="service", found="systemd, no sudo without a password", verdict="warning",
                    advice="--service needs one; deploy without it works.")    # fmt: skip
    return Fact(name="service", found="systemd")


def _clock(facts: Facts, now: float) -> Fact:
    off = facts.time - now
    if abs(off) > _CLOCK_TOLERANCE_S:
        direction = "ahead" if off > 0 else "behind"
        return Fact(name="clock", found=f"{abs(off) / 60:.0f} minutes {direction} of this machine's",
                    verdict="warning", advice="Dates will be wrong: sudo timedatectl set-ntp true")    # fmt: skip
    return Fact(name="clock", found="as here")
