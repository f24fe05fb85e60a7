"""The machine that figures were measured on: what it is, and how it is doing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from edgecnn.machine import memory_bytes
from edgecnn.results import DeviceRecord
from edgecnn.runs import installed_versions

_PROC = Path("/proc")
_SYS = Path("/sys")


@dataclass(frozen=True)
class Condition:
    """What changes while something is measured.

    Attributes:
        load: One-minute load average, or None where the system has none.
        temperature_c: Of the hottest thermal zone, degrees Celsius, or None where the kernel tells none.
    """

    load: float | None
    temperature_c: float | None


def condition() -> Condition:
    """The machine's load and temperature now."""
    load = None
    if hasattr(os, "getloadavg"):
        with contextlib.suppress(OSError):
            load = round(os.getloadavg()[0], 2)
    return Condition(load, _temperature(_SYS))


def describe(before: Condition, after: Condition) -> DeviceRecord:
    """The machine, with its condition before and after a measurement."""
    versions = installed_versions()
    return DeviceRecord(
        cpu=cpu_name(_PROC),
        cores=usable_cores(),
        architecture=platform.machine(),
        memory_bytes=memory_bytes(),
        system=_system(),
        python=versions.pop("python"),
        governor=_read(_SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load_before=before.load,
        load_after=after.load,
        temperature_before_c=before.temperature_c,
        temperature_after_c=after.temperature_c,
        packages=versions,
    )


def usable_cores() -> int:
    """Logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name(proc: Path) -> str:
    """The processor as the kernel names it; on an Arm board the board's name says more and comes first.

    Args:
        proc: Where the kernel's process file system is.
    """
    text = _read(proc / "cpuinfo") or ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip().lower(), value.strip())
    board = fields.get("model", "")
    names = [
        # x86 has a number under "model" and the name under "model name"; a Raspberry Pi has its name under "model".
        board if not board.isdigit() else "",
        fields.get("model name", ""),
        fields.get("hardware", ""),
        (_read(proc / "device-tree/model") or "").rstrip("\0"),
        platform.processor(),
        platform.machine(),
    ]
    return re.sub(r"\s+", " ", next(name for name in (*names, "unknown") if name))


def _temperature(sys: Path) -> float | None:
    readings = []
    for zone in sorted(sys.glob("class/thermal/thermal_zone*/temp")):
        with contextlib.suppress(ValueError):
            readings.append(int(_read(zone) or "") / 1000)
    plausible = [reading for reading in readings if -40 < reading < 150]    # unconnected sensors report nonsense
    return max(plausible) if plausible else None


def _system() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
